//! Presence (design section 2), as an agent sees it.

use serde_json::json;

use crate::support::{
    Server,
    server::{DESK, GROUP},
    until,
};

const QUICK: [(&str, &str); 2] =
    [("presence.grace_ms", "400"), ("presence.signal_window_ms", "400")];

fn socket(connected: bool, sockets: u64) -> serde_json::Value {
    json!({"connected": connected, "sockets": sockets})
}

#[tokio::test]
async fn a_visitor_comes_and_is_gone_after_the_grace() {
    let server = Server::with(&QUICK);
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("ada").await, None);
    let page = server.page("ada", "t").opens().await;
    let came = agent.event("visitorconn", json!({"connected": true})).await;
    let opened = agent.event("visitorsock", socket(true, 1)).await;
    assert_eq!(came["epoch"], page.welcome["epoch"]);
    assert_eq!((&came["sequence"], &opened["sequence"]), (&json!(1), &json!(2)));
    let gone = std::time::Instant::now();
    drop(page);
    agent.event("visitorsock", socket(false, 0)).await;
    // The figure follows the event; on a busy machine it may come after the grace.
    until("the figure", || {
        server.figure("visitors_in_transit") == 1.0 || gone.elapsed().as_millis() >= 398
    })
    .await;
    let left = agent.event("visitorconn", json!({"connected": false})).await;
    // The server counts whole milliseconds.
    assert!(gone.elapsed().as_millis() >= 398, "{:?}", gone.elapsed());
    assert_eq!((&left["epoch"], &left["sequence"]), (&came["epoch"], &json!(4)));
    let again = server.page("ada", "t").opens().await;
    assert!(again.welcome["epoch"].as_u64() > came["epoch"].as_u64());
    agent.event("visitorconn", json!({"connected": true})).await;
}

#[tokio::test]
async fn a_page_change_a_reload_and_a_second_tab_are_no_arrival() {
    let server = Server::with(&QUICK);
    let mut agent = server.agent().await;
    let first = server.page("ada", "t").opens().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    // A page change: by a close frame, then by a broken connection.
    first.goes().await;
    agent.event("visitorsock", socket(false, 0)).await;
    let second = server.page("ada", "t").opens().await;
    agent.event("visitorsock", socket(true, 1)).await;
    drop(second);
    agent.event("visitorsock", socket(false, 0)).await;
    let third = server.page("ada", "t").opens().await;
    agent.event("visitorsock", socket(true, 1)).await;
    // A reload whose new page is there before the old one is noticed to be gone.
    let mut fourth = server.page("ada", "t").opens().await;
    agent.event("visitorsock", socket(true, 2)).await;
    agent.event("visitorsock", socket(false, 1)).await;
    // A second tab comes, and the first goes.
    let mut other = server.page("ada", "u").opens().await;
    agent.event("visitorsock", socket(true, 2)).await;
    fourth.hear_a("blur").await;
    drop((third, fourth));
    agent.event("visitorsock", socket(false, 1)).await;
    agent.hears_nothing_for(900).await;
    other.ok(json!({"type": "activity"})).await;
}

#[tokio::test]
async fn another_page_with_the_same_tab_id_takes_the_place() {
    let server = Server::start();
    let mut first = server.page("ada", "t").opens().await;
    let _second = server.page("ada", "t").opens().await;
    let closed = first.closed().await;
    assert_eq!((closed.code, closed.word()), (4006, "superseded"));
}

#[tokio::test]
async fn an_explicit_disconnect_has_no_grace() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let (first, second) =
        (server.page("ada", "t").opens().await, server.page("ada", "u").opens().await);
    assert_eq!(agent.watch("ada").await, Some(2));
    first.leave().await;
    agent.event("visitorsock", socket(false, 1)).await;
    second.leave().await;
    agent.event("visitorsock", socket(false, 0)).await;
    agent.event("visitorconn", json!({"connected": false})).await;
    assert_eq!(agent.watch("ada").await, None);
}

#[tokio::test]
async fn the_focus_follows_what_the_visitor_looks_at() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut a = server.page("ada", "a").opens().await;
    let mut b = server.page("ada", "b").opens().await;
    assert!(a.welcome["focus"] == true && b.welcome["focus"] == true);
    a.hear_a("blur").await;
    a.ok(json!({"type": "activity"})).await;
    a.hear_a("focus").await;
    b.hear_a("blur").await;
    agent.signal("ada", json!(1)).await;
    a.gets(json!(1)).await;
    // Visible beats hidden, whatever was active last.
    a.ok(json!({"type": "visibility", "visibility": "hidden"})).await;
    a.hear_a("blur").await;
    b.hear_a("focus").await;
    a.ok(json!({"type": "activity"})).await;
    agent.signal("ada", json!(2)).await;
    b.gets(json!(2)).await;
    // A page that came hidden does not take it, and a report-only page never has it.
    let c = server.page("ada", "c").hidden().opens().await;
    let mut d = server.page("ada", "d").reporting_only().opens().await;
    assert!(c.welcome["focus"] == false && d.welcome["focus"] == false);
    d.ok(json!({"type": "listen"})).await;
    d.hear_a("focus").await;
    b.hear_a("blur").await;
    drop(d);
    b.hear_a("focus").await;
    // To all of them, one outcome.
    let all = json!({"type": "signal", "visitorid": "ada", "data": 3, "target": "all"});
    agent.ok(all).await;
    for page in [&mut a, &mut b] {
        page.gets(json!(3)).await;
    }
}

#[tokio::test]
async fn visibility_is_told_when_it_changes() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut a = server.page("ada", "a").hidden().opens().await;
    agent.watch("ada").await;
    let _b = server.page("ada", "b").opens().await;
    agent.event("visitorsock", socket(true, 2)).await;
    agent.event("visibility", json!({"visibility": "visible"})).await;
    a.ok(json!({"type": "visibility", "visibility": "visible"})).await;
    agent.hears_nothing_for(100).await;
    let (_, ada) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
    assert_eq!(ada["visibility"], "visible");
}

#[tokio::test]
async fn presence_data_is_merged_within_its_limits() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page =
        server.page("ada", "t").telling(json!({"url": "https://a/?q", "cart": 3})).opens().await;
    agent.watch("ada").await;
    let update = json!({"cart": 4.5, "step": "pay"});
    page.ok(json!({"type": "presence", "data": update})).await;
    agent.event("presence", update).await;
    let path = "/v1/groups/12345/visitors/ada";
    let merged = json!({"url": "https://a/?q", "cart": 4.5, "step": "pay"});
    assert_eq!(server.rest("GET", path, None).await.1["data"], merged);
    let many: serde_json::Map<_, _> = (0..62).map(|n| (format!("k{n}"), json!(n))).collect();
    let long: serde_json::Map<_, _> =
        (0..20).map(|n| (format!("k{n}"), json!("x".repeat(900)))).collect();
    for (data, code, field) in [
        (json!({"a": {"b": 1}}), "badrequest", "data.a"),
        (json!({"a": null}), "badrequest", "data.a"),
        (json!({"a": true}), "badrequest", "data.a"),
        (json!([]), "badrequest", "data"),
        (json!({"": 1}), "toolarge", "data."),
        (json!({"k".repeat(65): 1}), "toolarge", &format!("data.{}…", "k".repeat(64))),
        (json!({"a": "x".repeat(1025)}), "toolarge", "data.a"),
        (json!(many), "toolarge", "data"),
        (json!(long), "toolarge", "data"),
    ] {
        let error = page.refused(json!({"type": "presence", "data": data}), code).await;
        assert_eq!(error["field"], field, "{error}");
    }
    assert_eq!(server.rest("GET", path, None).await.1["data"], merged, "nothing is cut silently");
    agent.hears_nothing_for(100).await;
    // What comes with a hello is refused alike, and the page connects without it.
    let mut other = server.page("bob", "t").telling(json!({"a": "x".repeat(1025)})).greets().await;
    assert_eq!(other.closed().await.code, 4504);
}

#[tokio::test]
async fn a_group_strips_query_strings() {
    let server = Server::start();
    let data = json!({"url": "https://a/b?token=1#x", "referrer": "https://c/?d", "note": "e?f"});
    let page = server.page("ada", "t").of_group("777", "https://other.example").telling(data);
    let mut page = page.opens().await;
    let token = Server::token_of("777", "read", 60);
    let path = "/v1/groups/777/visitors/ada";
    let ada = server.rest_as(&token, "GET", path, None, &[]).await.1;
    let stripped = json!({"url": "https://a/b", "referrer": "https://c/", "note": "e?f"});
    assert_eq!(ada["data"], stripped);
    page.ok(json!({"type": "presence", "data": {"url": "https://a/c?x"}})).await;
    let ada = server.rest_as(&token, "GET", path, None, &[]).await.1;
    assert_eq!(ada["data"]["url"], "https://a/c");
}

#[tokio::test]
async fn what_a_page_reports_reaches_the_watchers() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    agent.watch("ada").await;
    for (kind, data) in [
        ("terms", json!({"status": "displayed"})),
        ("terms", json!({"status": "accepted"})),
        ("visitorsessionstart", json!({"sessionkey": "1"})),
        ("visitorsessionend", json!({"reason": "agent"})),
        ("visitorerror", json!({"code": "x", "msg": "y", "params": {"z": [1]}})),
    ] {
        page.ok(json!({"type": kind, "data": data})).await;
        agent.event(kind, data).await;
    }
    for (kind, data, field) in [
        ("terms", json!({"status": "maybe"}), "data.status"),
        ("visitorsessionend", json!({"reason": 1}), "data.reason"),
        ("visitorerror", json!({"code": "x".repeat(65)}), "data.code"),
    ] {
        let error = page.refused(json!({"type": kind, "data": data}), "badrequest").await;
        assert_eq!(error["field"], field);
    }
    let next = server.page("ada", "t").opens().await;
    assert_eq!(next.welcome["terms"], "accepted", "the next page knows where the visitor stands");
}

#[tokio::test]
async fn an_anonymous_visitor_becomes_known_without_a_leave() {
    let anonymous = format!("~{}", "0123456789abcdef".repeat(2));
    for workers in ["1", "3"] {
        let server = Server::with(&[("server.workers", workers), QUICK[0], QUICK[1]]);
        let mut agent = server.agent().await;
        let mut page = server.page(&anonymous, "t").telling(json!({"cart": 1})).opens().await;
        page.ok(json!({"type": "terms", "data": {"status": "accepted"}})).await;
        assert_eq!(agent.watch(&anonymous).await, Some(1));
        let held = agent.signal(&anonymous, json!("before")).await;
        let signal = page.hear_a("signal").await;
        assert_eq!(signal["id"], held.as_str());
        // Said in one breath: nothing that follows the wish may fall between the two ids.
        page.say(json!({"type": "identify", "visitorid": "ada", "request": 101})).await;
        page.say(json!({"type": "presence", "data": {"cart": 2}, "request": 102})).await;
        page.say(json!({"type": "ack", "ids": [held], "request": 103})).await;
        let mut answered = Vec::new();
        while answered.len() < 3 {
            let message = page.hear().await;
            if message["request"].is_u64() {
                assert_eq!(message["type"], "ok", "{message}");
                answered.push(message);
            }
        }
        assert_eq!(answered[0]["visitorid"], "ada");
        let joined = agent.event("visitorjoined", json!({"visitorid": "ada"})).await;
        assert_eq!(joined["visitorid"], anonymous.as_str());
        // The watch has moved. Whatever the agent hears of the known visitor, it is never that he is away. An
        // acknowledgement that overtook its signal is given again, as the SDK does for what it has seen.
        loop {
            tokio::select! {
                message = page.hear() => if message["id"] == held.as_str() {
                    page.say(json!({"type": "ack", "ids": [held]})).await;
                },
                message = agent.hear() => {
                    let away = json!({"connected": false});
                    assert_ne!(message["data"], away, "workers {workers}: {message}");
                    if message["data"] == json!({"id": held, "outcome": "delivered"}) {
                        break;
                    }
                }
            }
        }
        // What followed the wish is told either of the old id, or of the new one.
        while let Some(message) = agent.hear_within(200).await {
            assert_ne!(message["data"], json!({"connected": false}), "{message}");
        }
        let (_, ada) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
        assert_eq!((&ada["terms"], &ada["data"]["cart"]), (&json!("accepted"), &json!(2)));
        // To the old id is to the new one.
        let late = agent.signal(&anonymous, json!("late")).await;
        loop {
            let message = page.hear().await;
            if message["id"] == late.as_str() {
                break;
            }
        }
        page.ok(json!({"type": "ack", "ids": [late]})).await;
        agent.outcome(&late, "delivered").await;
        agent.hears_nothing_for(600).await;
        page.leave().await;
        agent.event("visitorsock", socket(false, 0)).await;
        agent.event("visitorconn", json!({"connected": false})).await;
    }
}

#[tokio::test]
async fn a_page_that_identifies_and_is_gone_is_in_transit() {
    let anonymous = format!("~{}", "0123456789abcdef".repeat(2));
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page(&anonymous, "t").opens().await;
    agent.watch(&anonymous).await;
    page.say(json!({"type": "identify", "visitorid": "ada"})).await;
    drop(page);
    agent.event("visitorjoined", json!({"visitorid": "ada"})).await;
    let _next = server.page("ada", "t").opens().await;
    loop {
        let message = agent.hear().await;
        assert_ne!(message["data"], json!({"connected": false}), "{message}");
        if message["data"] == socket(true, 1) {
            break;
        }
    }
}

#[tokio::test]
async fn somebody_else_at_the_same_page_is_another_visitor() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    assert_eq!(agent.watch("bob").await, None);
    let ok = page.ok(json!({"type": "identify", "visitorid": "bob"})).await;
    assert_eq!(ok["visitorid"], "bob");
    let mut seen = Vec::new();
    for _ in 0..4 {
        let message = agent.hear().await;
        let one = [&message["visitorid"], &message["type"], &message["data"]["connected"]];
        seen.push(one.map(ToString::to_string).join(" "));
    }
    seen.sort_unstable();
    let expected = [
        r#""ada" "visitorconn" false"#,
        r#""ada" "visitorsock" false"#,
        r#""bob" "visitorconn" true"#,
        r#""bob" "visitorsock" true"#,
    ];
    assert_eq!(seen, expected);
    page.ok(json!({"type": "identify", "visitorid": "bob"})).await;
}

#[tokio::test]
async fn a_page_of_an_agents_origin_is_no_visitor() {
    let server = Server::start();
    let path = format!("/v1/visitor?group={GROUP}");
    let mut socket = crate::support::Socket::open(&server, &path, Some(DESK)).await;
    assert_eq!(socket.closed().await.code, 4500);
}
