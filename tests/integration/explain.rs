//! `explain`: what happened to a visitor and to a signal, in words that programs compare.

use serde_json::{Value, json};

use crate::support::{Server, Stop, server::GROUP};

const QUICK: [(&str, &str); 3] = [
    ("presence.grace_ms", "300"),
    ("presence.signal_window_ms", "300"),
    ("presence.ack_ms", "300"),
];

async fn ask(server: &Server, of: &str) -> (u16, Value) {
    let token = Server::token_of(GROUP, "operate", 60);
    server.rest_as(&token, "GET", &format!("/v1/groups/12345/visitors/{of}"), None, &[]).await
}

async fn explain(server: &Server, of: &str) -> Value {
    let (status, explanation) = ask(server, of).await;
    assert_eq!(status, 200, "{explanation}");
    explanation
}

/// What happened, and the cause where there is one.
fn story(explanation: &Value) -> Vec<String> {
    let told = explanation["timeline"].as_array().unwrap().iter().map(|entry| {
        let what = entry["what"].as_str().unwrap();
        entry["cause"].as_str().map_or_else(|| what.to_owned(), |cause| format!("{what} {cause}"))
    });
    told.collect()
}

#[tokio::test]
async fn a_signal_across_a_page_change_is_explained_from_its_sending_to_its_end() {
    let server = Server::start();
    let (mut agent, mut watcher) = (server.agent().await, server.agent().await);
    let page = server.page("ada", "t").opens().await;
    watcher.watch("ada").await;
    let id = agent.signal("ada", json!("x")).await;
    drop(page);
    watcher.event("visitorsock", json!({"connected": false, "sockets": 0})).await;
    let mut page = server.page("ada", "t").opens().await;
    page.gets(json!("x")).await;
    agent.outcome(&id, "delivered").await;
    page.leave().await;
    watcher.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    watcher.event("visitorsock", json!({"connected": false, "sockets": 0})).await;
    watcher.event("visitorconn", json!({"connected": false})).await;

    let of_signal = explain(&server, &format!("ada/explain?signal={id}")).await;
    let expected = [
        "pageconnected",
        "connected",
        "signalaccepted",
        "signalsent",
        "pageended lost",
        "signalwaits pageended",
        "transit",
        "pageconnected",
        "returned",
        "signalsent",
        "signalsettled acknowledged",
    ];
    assert_eq!(story(&of_signal), expected, "{of_signal}");
    let entries = of_signal["timeline"].as_array().unwrap();
    assert!(entries.iter().map(|entry| entry["time"].as_u64()).is_sorted());
    assert_eq!(entries[3]["socket"], entries[0]["socket"], "it went to that page");
    assert_eq!(entries[9]["socket"], entries[7]["socket"]);
    assert_eq!(entries[10]["outcome"], "delivered");
    let transit = |of: &str| entries[6][of].as_u64().unwrap();
    assert_eq!(transit("until"), transit("time") + 5_000, "the end of the grace");
    let node = of_signal["node"].as_str().unwrap();
    assert!(entries[0]["socket"].as_str().unwrap().starts_with(&format!("{node}-")), "{node}");

    let all = explain(&server, "ada/explain").await;
    assert_eq!(story(&all)[11..], ["pageended normal", "left disconnect"], "{all}");
    assert_eq!((&all["more"], &all["forgotten"]), (&json!(false), &Value::Null));
    let newest = explain(&server, "ada/explain?limit=1").await;
    assert_eq!(
        (story(&newest), &newest["more"]),
        (vec!["left disconnect".to_owned()], &json!(true))
    );
}

#[tokio::test]
async fn why_a_signal_did_not_arrive() {
    let server = Server::with(&QUICK);
    let mut agent = server.agent().await;
    let _page = server.page("ada", "t").opens().await;
    let unanswered = agent.signal("ada", json!("x")).await;
    agent.outcome(&unanswered, "expired").await;
    let told = explain(&server, &format!("ada/explain?signal={unanswered}")).await;
    assert_eq!(story(&told).last().unwrap(), "signalsettled noanswer");
    assert_eq!(told["record"]["phase"], "connected");
    assert_eq!(told["record"]["sockets"][0]["tab"], "t");

    let page = server.page("bob", "t").opens().await;
    let mut watcher = server.agent().await;
    watcher.watch("bob").await;
    drop(page);
    watcher.event("visitorsock", json!({"connected": false, "sockets": 0})).await;
    let unseen = agent.signal("bob", json!("x")).await;
    agent.outcome(&unseen, "expired").await;
    let told = explain(&server, &format!("bob/explain?signal={unseen}")).await;
    let mut story_of_signal = story(&told);
    story_of_signal.retain(|what| what.starts_with("signal"));
    let end = ["signalaccepted", "signalwaits nopage", "signalsettled nopage"];
    assert_eq!(story_of_signal, end);

    let signal = json!({"type": "signal", "visitorid": "eve", "data": 1});
    agent.refused(signal, "visitornotpresent").await;
    let told = explain(&server, "eve/explain").await;
    assert_eq!(story(&told), ["signalrefused visitornotpresent"]);
    assert_eq!(told["record"], Value::Null);
}

#[tokio::test]
async fn an_anonymous_visitor_leads_to_the_known_one() {
    let server = Server::start();
    let anonymous = format!("~{}", "0123456789abcdef".repeat(2));
    let mut page = server.page(&anonymous, "t").opens().await;
    page.ok(json!({"type": "identify", "visitorid": "ada"})).await;
    let told = explain(&server, &format!("{anonymous}/explain")).await;
    assert_eq!(story(&told)[2..], ["pageended identified", "joined"], "{told}");
    assert_eq!(told["timeline"][3]["visitorid"], "ada");
    assert_eq!(
        (&told["record"]["phase"], &told["record"]["joined"]),
        (&json!("joined"), &json!("ada"))
    );
}

#[tokio::test]
async fn after_a_restart_the_record_says_what_the_timeline_cannot() {
    let server = Server::start();
    let _page = server.page("ada", "t").opens().await;
    let server = server.restarted(Stop::Terminate);
    let told = explain(&server, "ada/explain").await;
    assert_eq!(told["record"]["phase"], "transit");
    assert_eq!(story(&told), ["transit"], "a fresh grace; {told}");
    assert_eq!(told["record"]["until"], told["timeline"][0]["until"]);
}

#[tokio::test]
async fn what_is_remembered_is_bounded_and_says_so() {
    let server = Server::with(&[("presence.timeline_entries", "4"), ("server.workers", "1")]);
    for _ in 0..4 {
        server.page("ada", "t").opens().await.leave().await;
    }
    let mut agent = server.agent().await;
    agent.watch("ada").await;
    let told = explain(&server, "ada/explain").await;
    assert_eq!(told["timeline"].as_array().unwrap().len(), 4, "{told}");
    assert!(told["forgotten"].as_u64() <= told["timeline"][0]["time"].as_u64());
    assert!(told["forgotten"].is_u64());
    server.comes_to("timeline_entries", 4.0).await;
}

#[tokio::test]
async fn only_operators_of_the_group_may_ask_and_wrong_questions_are_named() {
    let server = Server::start();
    let _page = server.page("ada", "t").opens().await;
    let path = "/v1/groups/12345/visitors/ada/explain";
    let (status, problem) = server.rest("GET", path, None).await;
    assert_eq!((status, &problem["code"]), (403, &json!("scope")), "every scope but operate");
    let other = Server::token_of("777", "operate", 60);
    let (status, problem) = server.rest_as(&other, "GET", path, None, &[]).await;
    assert_eq!((status, &problem["code"]), (403, &json!("group")));
    for (query, field) in
        [("signal=x", "signal"), ("limit=0", "limit"), ("limit=1001", "limit"), ("x=1", "x")]
    {
        let (status, problem) = ask(&server, &format!("ada/explain?{query}")).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{problem}");
    }
    for of in ["nobody/explain", "ada/explain?signal=00000000000000000000000000000001"] {
        let (status, problem) = ask(&server, of).await;
        assert_eq!((status, &problem["code"]), (404, &json!("notfound")), "{problem}");
    }
}
