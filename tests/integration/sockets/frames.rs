//! Rule 4: what comes in is judged before it is kept, and silence has deadlines.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Raw, Server,
    raw::{CLOSE, CONTINUES, PING, TEXT, TEXT_BEGINS, frame, head, hello},
    soon, until,
};

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
