//! Topics over the real server: who may publish and subscribe, what is kept, and what a cut or a slow reader costs.

mod nodes;
mod permissions;
mod resume;
mod slow;

use serde_json::{Value, json};

use crate::support::{Server, Socket, mint, until};

/// The settings of the tests, with topics that visitors may use.
pub fn settings(of_group: &str, of_all: &str) -> String {
    let topics = format!("[groups.topics]\n{of_group}\n[[groups]]\nid = \"777\"");
    let settings = crate::support::server::SETTINGS.replace("[[groups]]\nid = \"777\"", &topics);
    format!("{settings}\n[topics]\n{of_all}")
}

const VISITORS: &str = r##"
visitor_publish = ["from/visitors/#", "both/#"]
visitor_subscribe = ["to/visitors/#", "both/#"]
"##;

/// A server whose visitors may use some topics.
pub fn server(of_group: &str) -> Server {
    Server::of(&settings(&format!("{VISITORS}{of_group}"), ""), &[])
}

/// A token with these rights.
pub fn token(publish: &[&str], subscribe: &[&str]) -> String {
    let now = mint::now();
    mint::Signing::of_the_tests().sign(&json!({
        "iss": "vestibule", "aud": "vestibule", "sub": "agent-7", "group": "12345", "scope": "topics",
        "iat": now, "exp": now + 600, "jti": "topics",
        "topics": {"publish": publish, "subscribe": subscribe},
    }))
}

/// An agent who may publish and subscribe to everything.
pub async fn agent(server: &Server) -> Socket {
    server.agent_with(&token(&["#"], &["#"])).await
}

pub async fn subscribe(socket: &mut Socket, filter: &str) -> Value {
    socket.ok(json!({"type": "subscribe", "filter": filter})).await
}

pub async fn publish(socket: &mut Socket, topic: &str, data: impl Into<Value>) -> Value {
    socket.ok(json!({"type": "publish", "topic": topic, "data": data.into()})).await
}

/// A call of REST below the group's topics.
pub async fn rest(
    server: &Server,
    token: &str,
    method: &str,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let path = format!("/v1/groups/12345/topics/{path}");
    server.rest_as(token, method, &path, body, &[]).await
}

/// The next message is of this topic with this data.
pub async fn gets(socket: &mut Socket, topic: &str, data: impl Into<Value>) -> Value {
    let message = socket.hear_a("topicmessage").await;
    assert_eq!((&message["topic"], &message["data"]), (&topic.into(), &data.into()), "{message}");
    message
}

#[tokio::test]
async fn visitors_agents_and_back_ends_reach_each_other() {
    let server = server("");
    let mut ada = server.page("ada", "t").opens().await;
    let mut ann = agent(&server).await;
    let subscribed = subscribe(&mut ada, "to/visitors/+").await;
    assert_eq!(subscribed["subscription"], 1);
    assert_eq!(subscribed["position"]["offset"], 0);
    subscribe(&mut ann, "#").await;

    let published = publish(&mut ann, "to/visitors/news", json!({"a": 1})).await;
    let message = gets(&mut ada, "to/visitors/news", json!({"a": 1})).await;
    assert_eq!(message["offset"], published["position"]["offset"]);
    assert_eq!(message["epoch"], published["position"]["epoch"]);
    gets(&mut ann, "to/visitors/news", json!({"a": 1})).await;

    publish(&mut ada, "from/visitors/ada", "hello").await;
    gets(&mut ann, "from/visitors/ada", "hello").await;

    let body = json!({"topic": "to/visitors/x", "data": null});
    let (status, answer) = rest(&server, &token(&["#"], &[]), "POST", "publish", Some(body)).await;
    assert_eq!((status, &answer["position"]["offset"]), (200, &json!(3)));
    gets(&mut ada, "to/visitors/x", Value::Null).await;
    gets(&mut ann, "to/visitors/x", Value::Null).await;
    // One level only, and its own: nothing else came.
    ann.ok(json!({"type": "publish", "topic": "to/visitors/x/y", "data": 1})).await;
    ada.hears_nothing_for(100).await;
}

#[tokio::test]
async fn each_subscription_gets_its_own_copy_until_it_ends() {
    let server = server("");
    let mut ann = agent(&server).await;
    for filter in ["a/#", "a/+", "#"] {
        subscribe(&mut ann, filter).await;
    }
    ann.ok(json!({"type": "subscribe", "filter": "a/b", "nolocal": true})).await;
    publish(&mut ann, "a/b", 1).await;
    let mut copies = Vec::new();
    for _ in 0..3 {
        copies.push(gets(&mut ann, "a/b", 1).await["subscription"].as_u64().unwrap());
    }
    copies.sort_unstable();
    assert_eq!(copies, [1, 2, 3], "not to the fourth, which leaves out what is one's own");
    ann.ok(json!({"type": "unsubscribe", "subscription": 2})).await;
    ann.ok(json!({"type": "unsubscribe", "subscription": 2})).await;
    let mut bob = agent(&server).await;
    publish(&mut bob, "a/b", 2).await;
    let mut copies = Vec::new();
    for _ in 0..3 {
        copies.push(gets(&mut ann, "a/b", 2).await["subscription"].as_u64().unwrap());
    }
    copies.sort_unstable();
    assert_eq!(copies, [1, 3, 4]);
    let again = subscribe(&mut ann, "a/+").await;
    assert_eq!(again["subscription"], 5, "numbers are not used twice");
    // A socket that goes leaves nothing behind.
    drop(ann);
    until("the end", || server.figure("topic_subscriptions") == 0.0).await;
}

#[tokio::test]
async fn the_last_value_awaits_who_comes_late() {
    let server = server("");
    let mut ann = agent(&server).await;
    let retain = |topic: &str, data: Value| json!({"type": "publish", "topic": topic, "data": data, "retain": true});
    ann.ok(retain("both/b", json!(1))).await;
    ann.ok(retain("both/a", json!(2))).await;
    ann.ok(retain("both/b", json!(3))).await;
    ann.ok(retain("both/gone", json!(4))).await;
    ann.ok(retain("both/gone", Value::Null)).await;
    let mut brief = retain("both/brief", json!(5));
    brief["expiry"] = 1.into();
    ann.ok(brief).await;
    until("the figure", || server.figure("topics_retained") == 3.0).await;
    until("the expiry", || server.figure("topics_retained") == 2.0).await;

    let mut ada = server.page("ada", "t").opens().await;
    subscribe(&mut ada, "both/#").await;
    for (topic, data) in [("both/a", 2), ("both/b", 3)] {
        let message = gets(&mut ada, topic, data).await;
        assert_eq!(message["retained"], true);
    }
    publish(&mut ann, "both/a", 6).await;
    assert_eq!(gets(&mut ada, "both/a", 6).await["retained"], Value::Null);
    ada.ok(json!({"type": "subscribe", "filter": "both/b", "retained": false})).await;
    ada.hears_nothing_for(50).await;

    let (path, reader) = ("retained?filter=both/%23&limit=1", token(&[], &["both/#"]));
    let (_, page) = rest(&server, &reader, "GET", path, None).await;
    assert_eq!((&page["messages"][0]["data"], &page["next"]), (&json!(2), &json!("both/a")));
    let path = format!("{path}&after=both/a");
    let (_, page) = rest(&server, &reader, "GET", &path, None).await;
    assert_eq!((&page["messages"][0]["data"], &page["next"]), (&json!(3), &Value::Null));
}

#[tokio::test]
async fn what_is_kept_outlives_a_planned_restart() {
    let server = server("");
    let mut ann = agent(&server).await;
    let position = subscribe(&mut ann, "#").await["position"].clone();
    ann.ok(json!({"type": "publish", "topic": "a", "data": 1, "retain": true})).await;
    publish(&mut ann, "b", 2).await;
    let server = server.restarted(crate::support::server::Stop::Terminate);
    let mut ann = agent(&server).await;
    let resumed = ann.ok(json!({"type": "subscribe", "filter": "#", "resume": position})).await;
    assert_eq!(resumed["missed"], Value::Null);
    gets(&mut ann, "a", 1).await;
    gets(&mut ann, "b", 2).await;
    let late = subscribe(&mut ann, "a").await;
    assert_eq!(gets(&mut ann, "a", 1).await["subscription"], late["subscription"]);
}
