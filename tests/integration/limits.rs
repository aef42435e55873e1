//! What one stranger can do, and what he is told beyond it. Each limit is set low here and met over the real server.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Closed, Raw, Server, Socket,
    raw::{CLOSE, PING, TEXT, frame, hello},
    server::{API_KEY, DESK, GROUP, SHOP},
    until,
};

const VISITOR: &str = "/v1/visitor?group=12345";

fn limited(server: &Server, what: &str) -> f64 {
    server.figure(&format!(r#"limited_total{{what="{what}"}}"#))
}

/// A handshake that names its client by a header, as a proxy writes it.
async fn from(server: &Server, header: &str, path: &str) -> Raw {
    let mut raw = Raw::connect(server).await;
    let handshake = Raw::handshake(path, Some(SHOP));
    let handshake = handshake.replacen("\r\n", &format!("\r\n{header}\r\n"), 1);
    raw.send(handshake.as_bytes()).await;
    let answer = raw.request("").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    raw
}

async fn welcome(mut raw: Raw, visitor: &str) -> Raw {
    raw.send(&hello(visitor, visitor)).await;
    assert_eq!(raw.hear().await["type"], "welcome");
    raw
}

fn told_when_to_come_back(closed: &Closed, number: u16, word: &str) {
    assert_eq!((closed.code, closed.word()), (number, word), "{closed:?}");
    assert!(closed.reason["retry_ms"].as_u64().unwrap() >= 1_000, "{closed:?}");
}

#[tokio::test]
async fn sockets_at_a_time_are_limited_by_address() {
    let server = Server::with(&[("limits.sockets_per_address", "2")]);
    let first = server.page("ada", "t").opens().await;
    let second = server.agent().await;
    let mut third = Raw::visitor(&server).await;
    told_when_to_come_back(&third.closed().await, 4007, "toomany");
    assert_eq!(limited(&server, "socket_of_address"), 1.0);
    assert_eq!(server.figure(r#"limiter_keys{limiter="sockets_by_address"}"#), 1.0);
    drop(second);
    // The place comes back with the socket's end.
    until("a free place", || server.figure(r#"sockets_open{kind="agent"}"#) == 0.0).await;
    let third = server.page("bob", "t").opens().await;
    drop((first, third));
    let freed = || server.figure(r#"limiter_keys{limiter="sockets_by_address"}"#) == 0.0;
    until("no place held", freed).await;
}

#[tokio::test]
async fn a_visitor_has_so_many_sockets_and_no_more() {
    let server = Server::start();
    let mut pages = Vec::new();
    for tab in 0..64 {
        pages.push(server.page("ada", &format!("t{tab}")).opens().await);
    }
    let closed = server.page("ada", "one-more").greets().await.closed().await;
    assert_eq!((closed.code, closed.word()), (4007, "toomany"));
    // The same tab takes its own place.
    server.page("ada", "t0").opens().await;
}

#[tokio::test]
async fn the_word_of_a_trusted_proxy_counts_and_nobody_elses() {
    let one = [("limits.sockets_per_address", "1")];
    // Not trusted: all are the peer, whatever they write.
    let server = Server::with(&one);
    let _first = from(&server, "x-forwarded-for: 203.0.113.1", VISITOR).await;
    let mut second = from(&server, "x-forwarded-for: 203.0.113.2", VISITOR).await;
    assert_eq!(second.closed().await.code, 4007);

    let server = Server::with(&[one[0], ("server.trusted_proxies", "127.0.0.0/8,10.0.0.1")]);
    let first = from(&server, "x-forwarded-for: 203.0.113.1", VISITOR).await;
    let mut first = welcome(first, "ada").await;
    let mut forged = from(&server, "x-forwarded-for: 198.51.100.9, 203.0.113.1", VISITOR).await;
    assert_eq!(forged.closed().await.code, 4007, "what he wrote himself does not count");
    let mut far = from(&server, "x-forwarded-for: 203.0.113.1, 10.0.0.1", VISITOR).await;
    assert_eq!(far.closed().await.code, 4007, "a second trusted hop is followed");
    let mut other_header = from(&server, "forwarded: for=203.0.113.1", VISITOR).await;
    other_header.send(&hello("bob", "t")).await;
    assert_eq!(other_header.hear().await["type"], "welcome", "the header of the settings counts");
    let _v6 = from(&server, "x-forwarded-for: 2001:db8::1", VISITOR).await;
    let mut neighbour = from(&server, "x-forwarded-for: [2001:db8::ffff]:443", VISITOR).await;
    assert_eq!(neighbour.closed().await.code, 4007, "a /64 is one client");
    let _other = from(&server, "x-forwarded-for: 2001:db8:0:1::1", VISITOR).await;
    first.send(&frame(TEXT, br#"{"type":"activity","request":1}"#)).await;
    assert_eq!(first.hear().await["type"], "ok");

    let server = Server::with(&[
        one[0],
        ("server.trusted_proxies", "127.0.0.1"),
        ("server.forwarded_header", "forwarded"),
    ]);
    let _first = from(&server, "forwarded: for=203.0.113.1;proto=https", VISITOR).await;
    let mut again = from(&server, "forwarded: for=\"203.0.113.1:4711\"", VISITOR).await;
    assert_eq!(again.closed().await.code, 4007);
}

#[tokio::test]
async fn handshakes_are_counted_by_the_clients_behind_a_proxy() {
    let server = Server::with(&[
        ("server.trusted_proxies", "127.0.0.1"),
        ("limits.handshakes_per_second", "1"),
    ]);
    for client in 1..20 {
        let raw = from(&server, &format!("x-forwarded-for: 203.0.113.{client}"), VISITOR).await;
        welcome(raw, &format!("v{client}")).await;
    }
    let mut closed = 0;
    for _ in 0..4 {
        let mut raw = from(&server, "x-forwarded-for: 203.0.113.99", VISITOR).await;
        raw.send(&hello("eve", "t")).await;
        let (first, payload) = raw.frame().await.unwrap();
        if first == CLOSE {
            assert_eq!(payload[..2], 4004_u16.to_be_bytes());
            closed += 1;
        }
    }
    assert!(closed >= 2, "{closed}");
    assert_eq!(limited(&server, "handshake"), f64::from(closed));
}

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
async fn watches_are_limited_as_the_settings_say() {
    let server =
        Server::with(&[("limits.watches_per_socket", "2"), ("limits.watchers_per_visitor", "1")]);
    let (mut first, mut second) = (server.agent().await, server.agent().await);
    first.watch("ada").await;
    first.watch("bob").await;
    first.refused(json!({"type": "watch", "visitorid": "eve"}), "toomany").await;
    second.refused(json!({"type": "watch", "visitorid": "ada"}), "toomany").await;
    second.watch("eve").await;
}

#[tokio::test]
async fn a_socket_goes_by_so_many_ids_only() {
    let server = Server::with(&[("limits.identities_per_socket", "3")]);
    let mut page = server.page("v0", "t").opens().await;
    for known in ["v1", "v2"] {
        page.ok(json!({"type": "identify", "visitorid": known})).await;
    }
    page.ok(json!({"type": "identify", "visitorid": "v2"})).await;
    page.refused(json!({"type": "identify", "visitorid": "v3"}), "toomany").await;
    assert_eq!(limited(&server, "identity"), 1.0);
    let (_, visitor) = server.rest("GET", "/v1/groups/12345/visitors/v2", None).await;
    assert_eq!(visitor["sockets"], 1, "the page stays who it was");
}

#[tokio::test]
async fn made_up_visitors_fill_no_more_than_their_share_of_memory() {
    let server = Server::with(&[("limits.max_records", "8"), ("server.workers", "1")]);
    let mut pages = Vec::new();
    for visitor in 0..8 {
        pages.push(server.page(&format!("v{visitor}"), "t").opens().await);
    }
    let closed = server.page("one-more", "t").greets().await.closed().await;
    told_when_to_come_back(&closed, 4001, "unready");
    assert_eq!((server.figure("records"), server.figure("records_full_total")), (8.0, 1.0));
    // Who is there already is not shut out: another page of his, or one that comes back.
    server.page("v0", "u").opens().await;
    drop(pages.remove(1));
    pages.push(server.page("v1", "t").opens().await);
    // An agent's look at somebody who is not there makes no record.
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("nobody").await, None);
    // Codes have a bound alike.
    for (number, page) in pages.iter_mut().enumerate() {
        page.ok(json!({"type": "unique"})).await;
        assert_eq!(server.figure("code_records"), (number + 1) as f64);
    }
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
    let deep = json!({"type": "signal", "visitorid": "ada", "data": nested(32)}).to_string();
    agent.say_text(&deep).await;
    assert_eq!(agent.hear_a("signaloutcome").await["data"]["outcome"], "delivered");
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
async fn requests_are_limited_by_address_and_by_subject() {
    let server = Server::with(&[
        ("limits.requests_per_second", "5"),
        ("server.trusted_proxies", "127.0.0.1"),
    ]);
    let list = "/v1/groups/12345/visitors";
    let ask = async |client: &str| {
        let url = format!("http://{}{list}", server.address());
        let client = reqwest::Client::new().get(url).header("x-forwarded-for", client);
        client.header("origin", DESK).bearer_auth(Server::token()).send().await.unwrap()
    };
    let mut limited_answer = None;
    for _ in 0..20 {
        let answer = ask("203.0.113.1").await;
        if answer.status() == 429 {
            limited_answer = Some(answer);
            break;
        }
    }
    let answer = limited_answer.expect("twenty at once are too many");
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["access-control-allow-origin"], DESK, "the page's script sees it");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "ratelimited");
    assert!(problem["retry_ms"].as_u64().unwrap() <= 200, "{problem}");
    assert_eq!(ask("203.0.113.2").await.status(), 200, "another client has his own");
    assert_eq!(server.get("/healthz").0, 200);
    assert!(limited(&server, "request") >= 1.0);
    drop(server);

    let server = Server::with(&[("limits.requests_per_second_per_subject", "3")]);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(server.rest("GET", list, None).await.0);
    }
    assert!(statuses.starts_with(&[200, 200, 200]) && statuses.contains(&429), "{statuses:?}");
    assert!(limited(&server, "request_of_subject") >= 1.0);
    // Another subject, through another door, is not touched.
    let wish = json!({"group": GROUP, "subject": "other"});
    let (status, token) = server.rest_as(API_KEY, "POST", "/v1/tokens", Some(wish), &[]).await;
    assert_eq!(status, 201);
    let token = token["token"].as_str().unwrap();
    assert_eq!(server.rest_as(token, "GET", list, None, &[]).await.0, 200);
}

#[tokio::test]
async fn heads_of_requests_are_bounded_in_time_size_and_number() {
    let server = Server::with(&[("limits.head_timeout_ms", "500")]);
    let mut slow = Raw::connect(&server).await;
    slow.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    let started = Instant::now();
    let answer = slow.request("x: y").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    slow.ends().await;

    let mut many = Raw::connect(&server).await;
    let headers: String = (0..97).map(|n| format!("x{n}: y\r\n")).collect();
    let answer = many.request(&format!("GET /healthz HTTP/1.1\r\n{headers}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let mut large = Raw::connect(&server).await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(200_000));
    let _ = large.try_send(head.as_bytes()).await;
    large.ends().await;
    assert_eq!(server.get("/healthz").0, 200);
}

#[tokio::test]
async fn connections_at_a_time_are_limited_by_address_but_not_those_of_proxies() {
    let server = Server::with(&[("limits.connections_per_address", "3")]);
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.request("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        open.push(raw);
    }
    let mut fourth = Raw::connect(&server).await;
    fourth.ends().await;
    // One that becomes a socket counts there.
    let mut visitor = open.pop().unwrap();
    visitor.skip_body(r#"{"status":"ok"}"#).await;
    visitor.upgrade(VISITOR, Some(SHOP)).await;
    let mut visitor = welcome(visitor, "ada").await;
    assert_eq!(limited(&server, "connection"), 1.0);
    visitor.send(&frame(TEXT, br#"{"type":"activity","request":1}"#)).await;
    assert_eq!(visitor.hear().await["type"], "ok");
    drop((open, visitor));
    drop(server);

    let server = Server::with(&[
        ("limits.connections_per_address", "1"),
        ("server.trusted_proxies", "127.0.0.1"),
    ]);
    let mut open = Vec::new();
    for _ in 0..5 {
        let mut raw = Raw::connect(&server).await;
        raw.request("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        open.push(raw);
    }
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

/// Origins as attackers write them, at all doors that judge origins.
#[tokio::test]
async fn only_the_exact_origin_opens_a_door() {
    let server = Server::start();
    for (origin, is_ours) in [
        (SHOP, true),
        ("HTTPS://SHOP.example", true),
        ("https://shop.example:443", true),
        ("null", false),
        ("https://shop.example.", false),
        ("https://shop.example:8443", false),
        ("http://shop.example", false),
        ("https://shop.example.evil.example", false),
        ("https://evil-shop.example", false),
        ("https://sub.shop.example", false),
        ("https://shop.example@evil.example", false),
        ("https://evil.example/https://shop.example", false),
        ("https://shop.example/", false),
        ("https://shop.example#", false),
        ("https://shop.example, https://evil.example", false),
        ("https://shop.example\thttps://evil.example", false),
        ("https://shop%2eexample", false),
        ("https://shop.ex\u{e4}mple", false),
        ("file://", false),
        ("*", false),
        ("", false),
    ] {
        let mut raw = Raw::connect(&server).await;
        raw.upgrade(VISITOR, Some(origin)).await;
        if is_ours {
            welcome(raw, "ada").await;
        } else {
            assert_eq!(raw.closed().await.code, 4500, "{origin:?}");
        }
    }
    // Two headers are no origin, whichever comes first.
    for second in [SHOP, "https://evil.example"] {
        let handshake = Raw::handshake(VISITOR, Some("https://evil.example"));
        let twice = handshake.replacen("\r\n", &format!("\r\norigin: {second}\r\n"), 1);
        let mut raw = Raw::connect(&server).await;
        raw.send(twice.as_bytes()).await;
        let answer = raw.request("").await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert_eq!(raw.closed().await.code, 4500, "{second}");
    }
    for (origin, is_ours) in [
        (DESK, true),
        (SHOP, false),
        ("null", false),
        ("https://desk.example.", false),
        ("https://desk.example:8443", false),
        ("https://desk.example.evil.example", false),
        ("https://desk.example@evil.example", false),
    ] {
        let url = format!("http://{}/v1/groups/12345/visitors", server.address());
        let request = reqwest::Client::new().get(url).header("origin", origin);
        let answer = request.bearer_auth(Server::token()).send().await.unwrap();
        let allowed = answer.headers().get("access-control-allow-origin").cloned();
        assert_eq!(answer.status().as_u16(), if is_ours { 200 } else { 403 }, "{origin}");
        assert_eq!(allowed.is_some(), is_ours, "{origin}: {allowed:?}");
        let mut agent = Socket::open(&server, "/v1/agent", Some(origin)).await;
        agent.say(json!({"type": "hello", "token": Server::token()})).await;
        match agent.next_or_close().await {
            Ok(welcome) => assert!(is_ours && welcome["type"] == "welcome", "{origin}"),
            Err(closed) => assert!(!is_ours && closed.code == 4500, "{origin}: {closed:?}"),
        }
    }
}
