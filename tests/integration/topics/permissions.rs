//! Who may publish where, and subscribe to what; and how much.

use serde_json::{Value, json};

use super::{agent, gets, publish, rest, server, settings, subscribe, token};
use crate::support::{Server, mint, until};

/// All that a hostile client may try to have delivered; then one message that is allowed, which comes first.
#[tokio::test]
async fn a_forbidden_publish_is_never_delivered() {
    let server = server("");
    let mut watcher = server.agent_with(&token(&[], &["#", "$SYS/#"])).await;
    subscribe(&mut watcher, "#").await;
    subscribe(&mut watcher, "$SYS/#").await;
    let mut ada = server.page("ada", "t").opens().await;
    for topic in ["to/visitors/x", "from", "from/visitorsx", "$SYS/x", "secret", "/from/visitors/x"]
    {
        let refused =
            ada.refused(json!({"type": "publish", "topic": topic, "data": 1}), "scope").await;
        assert_eq!(refused["field"], "topic", "{topic}");
    }
    for topic in ["~/x", "~pagesession/x", "from/visitors/#", "from/+/x", ""] {
        let refused =
            ada.refused(json!({"type": "publish", "topic": topic, "data": 1}), "badrequest").await;
        assert_eq!(refused["field"], "topic", "{topic}");
    }
    let mut reader = server.agent_with(&token(&[], &["#"])).await;
    reader.refused(json!({"type": "publish", "topic": "a", "data": 1}), "scope").await;
    let (status, problem) = rest(
        &server,
        &token(&["a"], &[]),
        "POST",
        "publish",
        Some(json!({"topic": "b", "data": 1})),
    )
    .await;
    assert_eq!(
        (status, &problem["code"], &problem["field"]),
        (403, &json!("scope"), &json!("topic"))
    );
    let batch = json!({"messages": [{"topic": "b", "data": 2}, {"topic": "a", "data": 3}]});
    let (status, answer) =
        rest(&server, &token(&["a"], &[]), "POST", "publish/batch", Some(batch)).await;
    assert_eq!(status, 200);
    assert_eq!(answer["results"][0]["error"]["code"], "scope");
    assert_eq!(answer["results"][1]["position"]["offset"], 1, "the refused ones left no trace");
    gets(&mut watcher, "a", 3).await;
    publish(&mut ada, "from/visitors/ada", 4).await;
    gets(&mut watcher, "from/visitors/ada", 4).await;
    watcher.hears_nothing_for(100).await;
}

#[tokio::test]
async fn a_subscription_must_be_covered_by_what_is_allowed() {
    let server = server("");
    let mut ada = server.page("ada", "t").opens().await;
    for filter in ["to/visitors/#", "to/visitors/+", "to/visitors/a/+/#", "to/visitors", "both/a"] {
        subscribe(&mut ada, filter).await;
    }
    for filter in ["#", "+/visitors/#", "to/#", "to/+", "from/visitors/x", "$SYS/#"] {
        let refused = ada.refused(json!({"type": "subscribe", "filter": filter}), "scope").await;
        assert_eq!(refused["field"], "filter", "{filter}");
    }
    for filter in ["a/#/b", "a+", "~/x", "$share/g/a", ""] {
        let refused =
            ada.refused(json!({"type": "subscribe", "filter": filter}), "badrequest").await;
        assert_eq!(refused["field"], "filter", "{filter}");
    }
    // What visitors may is the group's wish: another group has none.
    let page = server.page("eve", "t").of_group("777", "https://other.example");
    let mut eve = page.opens().await;
    eve.refused(json!({"type": "subscribe", "filter": "both/a"}), "scope").await;
    eve.refused(json!({"type": "publish", "topic": "both/a", "data": 1}), "scope").await;
}

#[tokio::test]
async fn an_agent_needs_the_scope_and_a_claim() {
    let server = server("");
    let call = json!({"type": "subscribe", "filter": "a"});
    // Without a claim the scope allows nothing.
    let mut ann = server.agent_with(&Server::token()).await;
    let refused = ann.refused(call.clone(), "scope").await;
    assert_eq!(refused["field"], "filter");
    // Without the scope a claim allows nothing.
    let now = mint::now();
    let read_only = mint::Signing::of_the_tests().sign(&json!({
        "iss": "vestibule", "aud": "vestibule", "sub": "agent-7", "group": "12345", "scope": "read",
        "iat": now, "exp": now + 600, "jti": "t", "topics": {"publish": ["#"], "subscribe": ["#"]},
    }));
    let mut bob = server.agent_with(&read_only).await;
    let refused = bob.refused(call, "scope").await;
    assert_eq!(refused["field"], Value::Null);
    let (status, problem) = rest(&server, &read_only, "GET", "history", None).await;
    assert_eq!((status, &problem["code"]), (403, &json!("scope")));
    let (status, problem) =
        rest(&server, &token(&["#"], &["a"]), "GET", "retained?filter=%23", None).await;
    assert_eq!((status, &problem["field"]), (403, &json!("filter")));
}

#[tokio::test]
async fn groups_hear_nothing_of_each_other() {
    let server = server("");
    let mut here = agent(&server).await;
    subscribe(&mut here, "#").await;
    let now = mint::now();
    let other = mint::Signing::of_the_tests().sign(&json!({
        "iss": "vestibule", "aud": "vestibule", "sub": "agent-7", "group": "777", "scope": "topics",
        "iat": now, "exp": now + 600, "jti": "t", "topics": {"publish": ["#"], "subscribe": ["#"]},
    }));
    let mut there = server.agent_with(&other).await;
    publish(&mut there, "a", 1).await;
    publish(&mut here, "a", 2).await;
    gets(&mut here, "a", 2).await;
}

#[tokio::test]
async fn a_token_that_allows_less_ends_what_it_does_not_cover() {
    let server = server("");
    let mut ann = agent(&server).await;
    subscribe(&mut ann, "a/#").await;
    subscribe(&mut ann, "b").await;
    ann.ok(json!({"type": "renew", "token": token(&["a/#"], &["a/#"])})).await;
    assert_eq!(ann.hear_a("unsubscribed").await["subscription"], 2);
    ann.refused(json!({"type": "publish", "topic": "b", "data": 1}), "scope").await;
    let mut bob = agent(&server).await;
    publish(&mut bob, "b", 1).await;
    publish(&mut bob, "a", 2).await;
    gets(&mut ann, "a", 2).await;
}

#[tokio::test]
async fn a_token_that_is_called_back_ends_subscriptions_with_the_socket() {
    let server = server("");
    let mut ann = agent(&server).await;
    subscribe(&mut ann, "#").await;
    let operator = Server::token_of("12345", "operate", 600);
    let revocation = json!({"subject": "agent-7", "reason": "left"});
    let path = "/v1/groups/12345/revocations";
    let (status, answer) = server.rest_as(&operator, "POST", path, Some(revocation), &[]).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(ann.closed().await.code, 4507);
    until("the end", || server.figure("topic_subscriptions") == 0.0).await;
}

/// Visitors who publish without end leave agents their part; and values that stay are for agents to leave.
#[tokio::test]
async fn what_visitors_take_leaves_agents_their_part() {
    let of_all = "publishes_per_second = 1\npublishes_burst = 10\nvisitor_percent = 40";
    let server = Server::of(&settings(super::VISITORS, of_all), &[]);
    let limited = |what: &str| server.figure(&format!("limited_total{{what=\"{what}\"}}"));
    let mut ada = server.page("ada", "t").opens().await;
    let mut eve = server.page("eve", "t").opens().await;
    let call = json!({"type": "publish", "topic": "both/a", "data": 1});
    for page in [&mut ada, &mut eve] {
        page.ok(call.clone()).await;
        page.ok(call.clone()).await;
    }
    let refused = ada.refused(call.clone(), "ratelimited").await;
    assert!(refused["msg"].as_str().unwrap().contains("the visitors of the group"), "{refused}");
    assert!(refused["retry_ms"].as_u64().is_some_and(|ms| ms <= 2_500), "{refused}");
    assert_eq!((limited("visitor_publish"), limited("publish")), (1.0, 0.0));
    let mut ann = agent(&server).await;
    for n in 0..6 {
        publish(&mut ann, "a", n).await;
    }
    // Of several nodes' groups a node says what it learnt when it was asked before.
    let kept = |what: &str| server.figure(&format!("topic_{what}_kept"));
    until("the figures", || kept("messages") == 10.0).await;
    until("the figures", || kept("visitor_bytes") > 0.0).await;
    assert!(kept("visitor_bytes") < kept("bytes"));
    let mut retain = call;
    retain["retain"] = true.into();
    let refused = eve.refused(retain, "scope").await;
    assert_eq!(refused["field"], "retain");
}

#[tokio::test]
async fn visitors_may_leave_values_where_the_group_says_so() {
    let server = server("visitor_retain = true");
    let mut ada = server.page("ada", "t").opens().await;
    let call = json!({"type": "publish", "topic": "both/a", "data": 1, "retain": true});
    ada.ok(call).await;
    let mut eve = server.page("eve", "t").opens().await;
    subscribe(&mut eve, "both/a").await;
    assert_eq!(gets(&mut eve, "both/a", 1).await["retained"], true);
}

#[tokio::test]
async fn how_much_is_bounded_and_said() {
    let of_all = "subscriptions_per_socket = 3\nsubscriptions_per_group = 4\npublishes_per_second = 1\npublishes_burst = 5\npayload_bytes = 100\nretained = 1";
    let server = Server::of(&settings("", of_all), &[]);
    let limited = |what: &str| server.figure(&format!("limited_total{{what=\"{what}\"}}"));
    let mut ann = agent(&server).await;
    for filter in ["a", "b", "c"] {
        subscribe(&mut ann, filter).await;
    }
    let more = json!({"type": "subscribe", "filter": "d"});
    let refused = ann.refused(more.clone(), "toomany").await;
    assert!(refused["msg"].as_str().unwrap().contains("a socket may have 3"), "{refused}");
    let mut bob = agent(&server).await;
    subscribe(&mut bob, "a").await;
    let refused = bob.refused(more, "toomany").await;
    assert!(refused["msg"].as_str().unwrap().contains("a group may have 4"), "{refused}");
    assert_eq!(limited("subscription"), 2.0);

    let publish = |topic: &str, data: Value, retain: bool| json!({"type": "publish", "topic": topic, "data": data, "retain": retain});
    let refused = ann.refused(publish("x", json!("y".repeat(99)), false), "toolarge").await;
    assert_eq!(refused["field"], "data");
    assert_eq!(limited("topic_payload"), 1.0);
    ann.ok(publish("x", json!("y".repeat(98)), true)).await;
    ann.ok(publish("x", json!(1), true)).await;
    ann.refused(publish("z", json!(1), true), "toomany").await;
    assert_eq!(limited("retained"), 1.0);
    for _ in 0..2 {
        ann.ok(publish("x", json!(1), false)).await;
    }
    let refused = ann.refused(publish("x", json!(1), false), "ratelimited").await;
    assert!(
        refused["retry_ms"].as_u64().is_some_and(|wait| (1..=1_000).contains(&wait)),
        "{refused}"
    );
    assert_eq!(limited("publish"), 1.0);
    ann.refused(json!({"type": "publish", "topic": "x", "data": 1, "expiry": 0}), "badrequest")
        .await;
}
