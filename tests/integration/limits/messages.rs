//! What one socket says: how often, how deep, how long.

use std::time::Duration;

use serde_json::{Value, json};

use super::{limited, told_when_to_come_back, welcome};
use crate::support::{
    Raw, Server,
    raw::{PING, frame},
};

#[tokio::test]
async fn who_sends_too_much_is_told_and_then_closed() {
    let server = Server::with(&[
        ("limits.visitor_messages_per_second", "2"),
        ("limits.visitor_messages_burst", "5"),
    ]);
    let mut page = server.page("ada", "t").opens().await;
    // The hello was the first.
    for _ in 0..4 {
        page.ok(json!({"type": "activity"})).await;
    }
    let refused = page.refused(json!({"type": "presence", "data": {"a": 1}}), "ratelimited").await;
    let retry_ms = refused["retry_ms"].as_u64().unwrap();
    assert!((1..=500).contains(&retry_ms), "{refused}");
    assert_eq!(limited(&server, "visitor_message"), 1.0);
    let (_, ada) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
    assert_eq!(ada["data"], json!({}), "refused, not half taken");
    tokio::time::sleep(Duration::from_millis(retry_ms)).await;
    page.ok(json!({"type": "presence", "data": {"a": 1}})).await;

    // Who does not listen is closed. Each message until then has its answer.
    let mut flood = server.page("eve", "t").opens().await;
    for request in 1..=60 {
        flood.say(json!({"type": "activity", "request": request})).await;
    }
    let mut refused = 0;
    let closed = loop {
        match flood.next_or_close().await {
            Ok(answer) => refused += u32::from(answer["code"] == "ratelimited"),
            Err(closed) => break closed,
        }
    };
    told_when_to_come_back(&closed, 4004, "ratelimited");
    assert!((5..=7).contains(&refused), "{refused}");
    assert_eq!(limited(&server, "flood"), 1.0);
    server.page("bob", "t").opens().await.leave().await;
}

#[tokio::test]
async fn pings_and_long_messages_count_too() {
    let server = Server::with(&[
        ("limits.visitor_messages_per_second", "1"),
        ("limits.visitor_messages_burst", "10"),
    ]);
    let mut pinging = welcome(Raw::visitor(&server).await, "ada").await;
    let pings = [frame(PING, b""), frame(0x8a, b"")].concat().repeat(20);
    pinging.send(&pings).await;
    assert_eq!(pinging.closed().await.code, 4004);

    let mut page = server.page("bob", "t").opens().await;
    let long = json!({"type": "activity", "more": "x".repeat(60_000)});
    page.refused(json!({"type": "unknown", "more": "x".repeat(34_000)}), "badrequest").await;
    page.refused(long, "ratelimited").await;
}

#[tokio::test]
async fn acknowledgements_of_what_was_sent_cost_an_honest_page_nothing() {
    let server = Server::with(&[
        ("limits.visitor_messages_per_second", "1"),
        ("limits.visitor_messages_burst", "3"),
    ]);
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    for number in 0..100 {
        let sent = agent.signal("ada", json!(number)).await;
        assert_eq!(page.gets(json!(number)).await, sent);
        agent.outcome(&sent, "delivered").await;
    }
    page.ok(json!({"type": "activity"})).await;
    assert_eq!(limited(&server, "visitor_message"), 0.0);
    // What was not sent is counted as anything else.
    let made_up = json!({"type": "ack", "ids": ["0190163d8694739b8a8c1e7ee7a2b3c4"]});
    let mut refused = 0;
    for _ in 0..4 {
        refused += u32::from(page.ask(made_up.clone()).await["code"] == "ratelimited");
    }
    assert!(refused >= 2, "{refused}");
}

#[tokio::test]
async fn agents_have_a_limit_of_their_own() {
    let server = Server::with(&[
        ("limits.agent_messages_per_second", "1"),
        ("limits.agent_messages_burst", "4"),
    ]);
    let mut agent = server.agent().await;
    for _ in 0..3 {
        agent.ok(json!({"type": "lookup", "visitorid": "ada"})).await;
    }
    agent.refused(json!({"type": "lookup", "visitorid": "ada"}), "ratelimited").await;
    assert_eq!(limited(&server, "agent_message"), 1.0);
    for _ in 0..10 {
        agent.say(json!({"type": "lookup", "visitorid": "ada"})).await;
    }
    assert_eq!(agent.closed().await.code, 4004);
}

#[tokio::test]
async fn json_nests_to_a_depth_and_no_deeper() {
    let server = Server::start();
    let nested = |depth: usize| -> Value { (0..depth).fold(json!(0), |inner, _| json!([inner])) };
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    // The message itself is the first level.
    agent.signal("ada", nested(31)).await;
    page.gets(nested(31)).await;
    assert_eq!(agent.hear_a("signaloutcome").await["data"]["outcome"], "delivered");
    let deep = json!({"type": "signal", "visitorid": "ada", "data": nested(32)}).to_string();
    agent.say_text(&deep).await;
    let error = agent.hear_a("error").await;
    assert_eq!((&error["code"], &error["field"]), (&json!("toolarge"), &json!("message")));
    let signals = "/v1/groups/12345/visitors/ada/signals";
    let (status, _) = server.rest("POST", signals, Some(json!({"data": nested(31)}))).await;
    assert_eq!(status, 202);
    page.gets(nested(31)).await;
    let (status, problem) = server.rest("POST", signals, Some(json!({"data": nested(32)}))).await;
    assert_eq!(
        (status, &problem["code"], &problem["field"]),
        (413, &json!("toolarge"), &json!("body"))
    );
    assert_eq!(limited(&server, "depth"), 1.0);
}

#[tokio::test]
async fn the_words_of_a_failed_call_are_refused_whole_when_they_are_too_long() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let failed = |length: usize| {
        json!({"type": "failed", "id": "0190163d8694739b8a8c1e7ee7a2b3c4", "code": "exception",
            "msg": "x".repeat(length)})
    };
    page.ok(failed(1_000)).await;
    assert_eq!(page.refused(failed(1_001), "badrequest").await["field"], "msg");
}
