//! Rules 1 to 10 of how sockets are served (design section 4). Those of the outbox, the inbox, panics and shards that
//! cannot be seen from outside have their tests beside the code.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use crate::support::{
    Raw, Server, Socket, Stop,
    raw::{CLOSE, CONTINUES, PING, TEXT, TEXT_BEGINS, frame, head, hello},
    server::{DESK, GROUP, SHOP},
    soon, until,
};

#[tokio::test]
async fn rule_4_1_sockets_are_taken_over_beside_an_app() {
    let server = Server::start();
    // One connection: first a request to the app, then an upgrade, with the hello right behind the handshake.
    let mut raw = Raw::connect(&server).await;
    let answer = raw.request("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    let mut raw = Raw::connect(&server).await;
    let handshake = Raw::handshake(&format!("/v1/visitor?group={GROUP}"), Some(SHOP));
    let both = [handshake.into_bytes(), hello("ada", "t")].concat();
    raw.send(&both).await;
    let answer = raw.request("").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert_eq!(raw.hear().await["type"], "welcome");
    assert_eq!(server.figure(r#"sockets_open{kind="visitor"}"#), 1.0);
    assert_eq!(server.get("/healthz").0, 200);
    raw.send(&frame(CLOSE, &1000_u16.to_be_bytes())).await;
    assert_eq!(raw.closed().await.code, 1000);
}

#[tokio::test]
async fn rule_4_2_every_other_upgrade_gets_a_proper_http_answer() {
    let server = Server::start();
    let upgrade = "host: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n";
    let key = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let version = "sec-websocket-version: 13\r\n";
    let socket = format!("/v1/visitor?group={GROUP}");
    for (line, headers, status, reason) in [
        ("GET /nowhere", [upgrade, version, key].concat(), 404, "path"),
        ("GET /healthz", [upgrade, version, key].concat(), 404, "path"),
        ("POST /v1/agent", [upgrade, version, key].concat(), 405, "method"),
        (&format!("GET {socket}"), [upgrade, key].concat(), 426, "version"),
        (
            &format!("GET {socket}"),
            [upgrade, key, "sec-websocket-version: 8\r\n"].concat(),
            426,
            "version",
        ),
        (&format!("GET {socket}"), [upgrade, version].concat(), 400, "malformed"),
        (
            &format!("GET {socket}"),
            [upgrade, version, "sec-websocket-key: x\r\n"].concat(),
            400,
            "malformed",
        ),
        ("CONNECT example.com:443", "host: example.com:443\r\n".to_owned(), 404, "path"),
        ("CONNECT /v1/visitor", [upgrade, version, key].concat(), 405, "method"),
    ] {
        let counter = format!(r#"upgrades_refused_total{{reason="{reason}"}}"#);
        let before = server.figure(&counter);
        let mut raw = Raw::connect(&server).await;
        let answer = raw.request(&format!("{line} HTTP/1.1\r\n{headers}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{line}: {answer}");
        assert_eq!(server.figure(&counter), before + 1.0, "{line}");
        match status {
            405 => assert!(answer.contains("allow: GET"), "{answer}"),
            426 => assert!(answer.contains("sec-websocket-version: 13"), "{answer}"),
            _ => {}
        }
        raw.ends().await;
    }
    // RFC 9110, section 7.8: a server may ignore an upgrade that it does not know. Java's client asks for this one
    // with every first request.
    let h2c = "host: x\r\nconnection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n\
               http2-settings: AAMAAABkAAQAAP__\r\n";
    for (path, status) in [("/healthz", 200), ("/nowhere", 404), (socket.as_str(), 404)] {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.request(&format!("GET {path} HTTP/1.1\r\n{h2c}\r\n")).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {answer}");
    }
}

async fn refused(server: &Server, path: &str, origin: Option<&str>) -> crate::support::Closed {
    let mut raw = Raw::connect(server).await;
    raw.upgrade(path, origin).await;
    raw.closed().await
}

#[tokio::test]
async fn rule_4_3_a_refused_socket_is_told_why_by_its_close() {
    let server = Server::with(&[("limits.max_sockets", "1")]);
    let path = format!("/v1/visitor?group={GROUP}");
    for origin in [None, Some("https://evil.example"), Some("null"), Some(DESK)] {
        let closed = refused(&server, &path, origin).await;
        assert_eq!((closed.code, &closed.reason), (4500, &json!({"code": "origin"})));
    }
    for path in ["/v1/visitor", "/v1/visitor?group=1", "/v1/visitor?group=x%00"] {
        let closed = refused(&server, path, Some(SHOP)).await;
        assert_eq!((closed.code, &closed.reason), (4501, &json!({"code": "group"})));
    }
    let _only = server.page("ada", "t").opens().await;
    let closed = refused(&server, &path, Some(SHOP)).await;
    assert_eq!((closed.code, closed.word()), (4001, "unready"));
    assert!(closed.reason["retry_ms"].as_u64().unwrap() >= 500, "{closed:?}");
    assert_eq!(server.figure("commands_total"), 1.0, "none of them reached the registry");
    assert_eq!(server.figure(r#"handshakes_total{result="closed"}"#), 8.0);
}

#[tokio::test]
async fn rule_4_3_handshakes_above_a_limit_are_closed_and_above_a_harder_one_refused() {
    let server = Server::with(&[
        ("limits.handshakes_per_second", "1"),
        ("limits.handshakes_per_second_hard", "2"),
    ]);
    let path = format!("/v1/visitor?group={GROUP}");
    let handshake = Raw::handshake(&path, Some(SHOP));
    let (mut closed, mut refused) = (0, 0);
    for _ in 0..20 {
        let mut raw = Raw::connect(&server).await;
        let answer = raw.request(&handshake).await;
        if answer.starts_with("HTTP/1.1 429 ") {
            assert!(answer.contains("retry-after: "), "{answer}");
            refused += 1;
            continue;
        }
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let Some((CLOSE, payload)) = raw.frame_now() else { continue };
        let reason: serde_json::Value = serde_json::from_slice(&payload[2..]).unwrap();
        assert_eq!(
            (&payload[..2], &reason["code"]),
            (&4004_u16.to_be_bytes()[..], &json!("ratelimited"))
        );
        assert!(reason["retry_ms"].as_u64().unwrap() >= 1_000, "{reason}");
        closed += 1;
    }
    assert!(closed >= 1 && refused >= 10, "{closed} closed, {refused} refused");
    assert_eq!(
        server.figure(r#"upgrades_refused_total{reason="ratelimited"}"#),
        f64::from(refused)
    );
}

#[tokio::test]
async fn rule_4_3_a_visitor_who_connects_too_often_is_told_when_to_come_back() {
    let server = Server::with(&[("limits.connects_per_second", "1")]);
    let _first = server.page("ada", "t").opens().await;
    let closed = server.page("ada", "u").greets().await.closed().await;
    assert_eq!((closed.code, closed.word()), (4004, "ratelimited"));
    assert!(closed.reason["retry_ms"].as_u64().unwrap() >= 1_000);
    server.page("bob", "t").opens().await.leave().await;
    let (_, ada) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
    assert_eq!(ada["sockets"], 1, "the refused page never came to be a socket of the visitor");
}

fn resident_kib(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn rule_4_4_a_declared_length_costs_no_memory() {
    let server = Server::start();
    let mut warm = Raw::visitor(&server).await;
    warm.send(&hello("ada", "t")).await;
    warm.hear().await;
    let before = resident_kib(&server);
    let mut all = Vec::new();
    for _ in 0..100 {
        let mut raw = Raw::visitor(&server).await;
        raw.send(&head(TEXT, 1 << 30)).await;
        all.push(raw);
    }
    for raw in &mut all {
        // A trickle, until the server has ended it.
        while raw.try_send(&[0; 64]).await && raw.frame_now().is_none() {}
    }
    let grown = resident_kib(&server).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB for {} sockets", all.len());
    let mut one = Raw::visitor(&server).await;
    one.send(&head(TEXT, 1 << 30)).await;
    assert_eq!(one.closed().await.code, 1009);
    warm.send(&frame(PING, b"alive")).await;
    assert_eq!(warm.frame().await.unwrap().1, b"alive");
}

#[tokio::test]
async fn rule_4_4_the_sum_of_fragments_is_limited() {
    let server = Server::with(&[("limits.frame_limit_bytes", "1024")]);
    let mut raw = Raw::visitor(&server).await;
    raw.send(&frame(TEXT_BEGINS, &[b'x'; 600])).await;
    raw.send(&head(CONTINUES, 425)).await;
    let closed = raw.closed().await;
    assert_eq!((closed.code, closed.word()), (1009, "toolarge"));
    // One that just fits, in pieces, with a ping in between.
    let hello = json!({"type": "hello", "visitorid": "ada", "tab": "t", "page": "p",
        "visible": true, "filler": "x".repeat(900)});
    let mut raw = Raw::visitor(&server).await;
    let hello = hello.to_string();
    let (first, second) = hello.as_bytes().split_at(500);
    raw.send(&frame(TEXT_BEGINS, first)).await;
    raw.send(&frame(PING, b"?")).await;
    assert_eq!(raw.frame().await, Some((0x8a, b"?".to_vec())));
    raw.send(&frame(CONTINUES | 0x80, second)).await;
    assert_eq!(raw.hear().await["type"], "welcome");
}

#[tokio::test]
async fn rule_4_4_hostile_bytes_end_their_own_socket_only() {
    let server = Server::start();
    let mut bystander = server.page("bob", "t").opens().await;
    let unmasked = vec![TEXT, 2, b'{', b'}'];
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("unmasked", unmasked, 1002),
        ("a reserved bit", frame(0xc1, b"{}"), 1002),
        ("an unknown opcode", frame(0x83, b""), 1002),
        ("a fragmented ping", frame(0x09, b""), 1002),
        ("a ping of 126 bytes", frame(PING, &[0; 126]), 1002),
        ("a continuation of nothing", frame(0x80, b"{}"), 1002),
        ("a length not in its shortest form", vec![TEXT, 0xfe, 0, 1, 0, 0, 0, 0, b'x'], 1002),
        ("a close of one byte", frame(CLOSE, &[3]), 1002),
        ("a close code that must not be sent", frame(CLOSE, &1005_u16.to_be_bytes()), 1002),
        ("text that is not UTF-8", frame(TEXT, &[0xff, 0xfe]), 1007),
        ("a binary message that is not UTF-8", frame(0x82, &[0xff]), 1007),
        ("half a character at the end", frame(TEXT, &[0xe2, 0x82]), 1007),
        ("a message over the limit", head(TEXT, 65_537), 1009),
        ("garbage", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello".to_vec(), 1002),
        ("not JSON", frame(TEXT, b"hello"), 4504),
        ("no hello", frame(TEXT, br#"{"type":"presence","data":{}}"#), 4504),
        ("a bad hello", frame(TEXT, br#"{"type":"hello","visitorid":"a b"}"#), 4504),
        ("deeply nested JSON", frame(TEXT, "[".repeat(60_000).as_bytes()), 4504),
    ];
    for (what, bytes, code) in cases {
        let mut raw = Raw::visitor(&server).await;
        raw.send(&bytes).await;
        assert_eq!(raw.closed().await.code, code, "{what}");
        bystander.ok(json!({"type": "activity"})).await;
    }
    // After a hello, wrong JSON is answered and the socket stays.
    let mut raw = Raw::visitor(&server).await;
    raw.send(&hello("ada", "t")).await;
    raw.hear().await;
    raw.send(&frame(TEXT, br#"{"type":"presence","request":1,"data":{"a":{}}}"#)).await;
    let error = raw.hear().await;
    assert_eq!((&error["code"], &error["field"]), (&json!("badrequest"), &json!("data.a")));
    raw.send(&frame(TEXT, "[".repeat(60_000).as_bytes())).await;
    assert_eq!(raw.hear().await["code"], "toolarge");
    raw.send(&frame(0x82, br#"{"type":"activity","request":2}"#)).await;
    assert_eq!(raw.hear().await, json!({"type": "ok", "request": 2}));
    // Its own unmasked frame ends it, and leaves the visitor in transit.
    raw.send(&[TEXT, 0]).await;
    assert_eq!(raw.closed().await.code, 1002);
    bystander.leave().await;
}

#[tokio::test]
async fn rule_4_4_a_closing_handshake_is_answered() {
    let server = Server::start();
    for (sent, half_close) in
        [(&1000_u16.to_be_bytes()[..], false), (&[][..], false), (&[][..], true)]
    {
        let mut raw = Raw::visitor(&server).await;
        raw.send(&hello("ada", "t")).await;
        raw.hear().await;
        // Frames behind a close frame are not read (RFC 6455, section 5.5.1).
        let both = [frame(CLOSE, sent), frame(TEXT, b"nonsense")].concat();
        raw.send(&both).await;
        if half_close {
            raw.half_close().await;
        }
        assert_eq!(raw.closed().await.code, 1000, "half-closed: {half_close}");
    }
    until("counted", || server.figure(r#"closes_total{code="normal"}"#) == 3.0).await;
    assert_eq!(server.figure("connections_lost_total"), 0.0);
}

#[tokio::test]
async fn rule_4_4_an_answer_reaches_a_client_that_has_said_all() {
    let server = Server::with(&[("server.workers", "1")]);
    let mut raw = Raw::visitor(&server).await;
    let activity = frame(TEXT, br#"{"type":"activity","request":1}"#);
    raw.send(&[hello("ada", "t"), activity].concat()).await;
    raw.half_close().await;
    assert_eq!(raw.hear().await["type"], "welcome");
    assert_eq!(raw.hear().await, json!({"type": "ok", "request": 1}));
    raw.ends().await;
}

#[tokio::test]
async fn rule_4_4_silence_has_deadlines() {
    let server = Server::with(&[
        ("limits.hello_timeout_ms", "300"),
        ("server.ping_min_ms", "200"),
        ("server.ping_max_ms", "250"),
    ]);
    let mut silent = Raw::visitor(&server).await;
    let mut dead = Raw::visitor(&server).await;
    dead.send(&hello("ada", "t")).await;
    let mut alive = server.page("bob", "t").opens().await;
    assert_eq!(silent.closed().await.code, 4005);
    // Never answers a ping.
    let closed = tokio::spawn(async move { dead.closed().await });
    alive.hears_nothing_for(1_500).await;
    assert_eq!(soon("the end of the dead", closed).await.unwrap().code, 4003);
    alive.leave().await;
}

#[tokio::test]
async fn rule_4_4_an_idle_server_is_idle() {
    let server = Server::start();
    let mut sockets = Vec::new();
    for visitor in 0..20 {
        sockets.push(server.page(&format!("v{visitor}"), "t").opens().await);
    }
    // Some are closing, and wait for a peer that does not close.
    let mut lingering = Vec::new();
    for _ in 0..20 {
        let mut raw = Raw::visitor(&server).await;
        raw.send(&frame(CLOSE, b"")).await;
        assert!(raw.frame().await.is_some());
        lingering.push(raw);
    }
    let ticks = || {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", server.pid())).unwrap();
        let fields: Vec<_> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    };
    let before = ticks();
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    // In hundredths of a second, of which two workers have two hundred.
    let used = ticks() - before;
    assert!(used <= 25, "{used} ticks of CPU time in a second without work");
}

#[tokio::test]
async fn rule_4_6_sigterm_runs_the_drain_to_its_end() {
    let mut server = Server::with(&[("limits.handshakes_per_second_total", "20")]);
    let mut visitors = Vec::new();
    for visitor in 0..10 {
        visitors.push(server.page(&format!("v{visitor}"), "t").opens().await);
    }
    let mut agent = server.agent().await;
    agent.watch("v0").await;
    // An idle connection of a client that keeps it must not hold the end up.
    let mut idle = Raw::connect(&server).await;
    idle.request("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let started = Instant::now();
    server.signal(Stop::Terminate);
    for socket in visitors.iter_mut().chain([&mut agent]) {
        let told = socket.hear_a("goaway").await;
        let closed = socket.closed().await;
        assert_eq!((closed.code, closed.word()), (4000, "goaway"));
        assert_eq!(closed.reason["retry_ms"], told["retry_ms"]);
        assert!(told["retry_ms"].as_u64().unwrap() <= 2_500, "well within the grace: {told}");
    }
    let status = server.ended();
    assert!(status.success(), "{status}");
    let took = started.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(server.log().contains("state is saved"), "{}", server.log());
}

#[tokio::test]
async fn rule_4_6_sigint_asks_nobody_to_wait() {
    let mut server = Server::with(&[("limits.handshakes_per_second_total", "10")]);
    let mut visitor = server.page("ada", "t").opens().await;
    server.signal(Stop::Interrupt);
    assert_eq!(visitor.hear_a("goaway").await["retry_ms"], 0);
    assert_eq!(visitor.closed().await.reason["retry_ms"], 0);
    assert!(server.ended().success());
}

#[tokio::test]
async fn rule_4_6_a_second_signal_ends_at_once() {
    let mut server = Server::start();
    // Does not close after the server, which therefore waits a second.
    let mut stubborn = Raw::visitor(&server).await;
    stubborn.send(&hello("ada", "t")).await;
    stubborn.hear().await;
    server.signal(Stop::Terminate);
    assert_eq!(stubborn.hear().await["type"], "goaway");
    assert!(stubborn.frame().await.is_some_and(|(first, _)| first == CLOSE));
    assert!(!server.has_ended());
    assert_eq!(server.get("/readyz").0, 503, "draining");
    assert_eq!(server.get("/healthz").0, 200);
    let closed = refused(&server, &format!("/v1/visitor?group={GROUP}"), Some(SHOP)).await;
    assert_eq!(closed.code, 4001);
    let started = Instant::now();
    server.signal(Stop::Terminate);
    assert_eq!(server.ended().code(), Some(130));
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
}

/// An agent's socket that asks for much and reads nothing.
async fn deaf_agent(server: &Server) -> Raw {
    let mut raw = Raw::connect_narrow(server).await;
    raw.upgrade("/v1/agent", None).await;
    let hello = json!({"type": "hello", "token": Server::token()});
    raw.send(&frame(TEXT, hello.to_string().as_bytes())).await;
    assert_eq!(raw.hear().await["type"], "welcome");
    raw
}

/// So many questions whose answers have 16 KiB each.
fn questions(count: u64) -> Vec<u8> {
    let question = |request| {
        let question = json!({"type": "lookup", "visitorid": "ada", "request": request});
        frame(TEXT, question.to_string().as_bytes())
    };
    (1..=count).flat_map(question).collect()
}

fn much_data() -> serde_json::Value {
    (0..15)
        .map(|n| (format!("k{n}"), "x".repeat(1_000).into()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test]
async fn rule_4_7_a_client_that_does_not_read_is_ended_and_others_notice_nothing() {
    let server = Server::with(&[
        ("limits.write_deadline_ms", "1000"),
        ("limits.outbox_limit_bytes", "100000000"),
    ]);
    let ada = server.page("ada", "t").telling(much_data()).opens().await;
    let mut others = Vec::new();
    for visitor in 0..1_000 {
        others.push(server.page(&format!("v{visitor}"), "t").opens().await);
    }
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("v0").await, Some(1));
    let mut deaf = deaf_agent(&server).await;
    deaf.send(&questions(1_500)).await;
    let ended = Instant::now() + Duration::from_secs(20);
    let mut slowest = Duration::ZERO;
    let mut rounds = 0_u32;
    while server.figure("write_deadline_exceeded_total") == 0.0 {
        assert!(Instant::now() < ended, "the deaf client was never ended");
        rounds += 1;
        for other in others.iter_mut().step_by(100) {
            let asked = Instant::now();
            other.ok(json!({"type": "activity"})).await;
            slowest = slowest.max(asked.elapsed());
        }
        let url = json!({"url": format!("https://shop.example/{rounds}")});
        others[0].ok(json!({"type": "presence", "data": url})).await;
        agent.event("presence", url).await;
    }
    assert!(rounds >= 3 && slowest < Duration::from_millis(500), "{rounds} rounds, {slowest:?}");
    // All of the thousand are still there.
    let mut asked = JoinSet::new();
    for mut other in others {
        asked.spawn(async move {
            other.ok(json!({"type": "activity"})).await;
        });
    }
    while let Some(asked) = asked.join_next().await {
        asked.unwrap();
    }
    deaf.ends().await;
    drop(ada);
}

#[tokio::test]
async fn rule_4_7_an_overflow_of_what_must_not_be_lost_closes_the_socket() {
    let server = Server::with(&[("limits.outbox_limit_bytes", "65536")]);
    let _ada = server.page("ada", "t").telling(much_data()).opens().await;
    let mut deaf = deaf_agent(&server).await;
    let questions = questions(20);
    // Until the kernel's buffers and then the outbox are full.
    let overflows = || server.figure(r#"outbox_overflows_total{class="reliable"}"#);
    let mut rounds = 0;
    while overflows() == 0.0 {
        deaf.send(&questions).await;
        rounds += 1;
        assert!(rounds < 200, "the outbox never overflowed");
    }
    // Begins to read at last, and learns why.
    let closed = deaf.closed().await;
    assert_eq!((closed.code, closed.word()), (4002, "slow"));
    until("counted", || server.figure(r#"closes_total{code="slow"}"#) == 1.0).await;
}

#[tokio::test]
async fn rule_4_10_visitors_on_all_threads_are_one_world() {
    let server = Server::with(&[("server.workers", "3")]);
    let mut agents = Vec::new();
    for _ in 0..3 {
        agents.push(server.agent().await);
    }
    let mut visitors = Vec::new();
    for number in 0..30 {
        let name = format!("v{number}");
        for agent in &mut agents {
            assert_eq!(agent.watch(&name).await, None);
        }
        let mut visitor = server.page(&name, "t").opens().await;
        assert_eq!(visitor.welcome["focus"], true);
        for agent in &mut agents {
            agent.event("visitorconn", json!({"connected": true})).await;
            agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
            let id = agent.signal(&name, json!(number)).await;
            // Whichever thread holds the record, nothing comes before the welcome and all in its order.
            assert_eq!(visitor.gets(json!(number)).await, id);
            agent.outcome(&id, "delivered").await;
        }
        visitors.push(visitor);
    }
    let (_, list) = server.rest("GET", "/v1/groups/12345/visitors", None).await;
    assert_eq!(list["visitors"].as_array().unwrap().len(), 30);
}

#[tokio::test]
async fn rule_4_10_the_welcome_comes_before_all_that_follows_from_it() {
    let server = Server::with(&[("server.workers", "3")]);
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    for round in 0..50 {
        drop(page);
        let sent = agent.signal("ada", json!(round)).await;
        // `opens` expects the welcome as the very first frame.
        page = server.page("ada", "t").opens().await;
        let got = page.gets(json!(round)).await;
        assert_eq!(got, sent);
        agent.outcome(&sent, "delivered").await;
    }
}

#[tokio::test]
async fn what_many_sockets_took_is_given_back() {
    let server =
        Server::with(&[("presence.grace_ms", "200"), ("presence.signal_window_ms", "200")]);
    let mut agent = server.agent().await;
    let mut sockets: Vec<Socket> = Vec::new();
    for visitor in 0..500 {
        let name = format!("v{visitor}");
        agent.ok(json!({"type": "watch", "visitorid": name})).await;
        sockets.push(server.page(&name, "t").telling(json!({"a": 1})).opens().await);
    }
    assert_eq!(server.figure("records"), 500.0);
    assert_eq!(server.figure("watchers"), 500.0);
    drop((sockets, agent));
    for gone in ["records", "visitors_connected", "visitors_in_transit", "timers", "watchers"] {
        until(gone, || server.figure(gone) == 0.0).await;
    }
    assert_eq!(server.figure("connections_lost_total"), 501.0);
}
