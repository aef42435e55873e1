//! Rules 1 to 3: connections are taken over, and who may not come in is told so.

use serde_json::json;

use super::refused;
use crate::support::{
    Raw, Server,
    raw::{CLOSE, frame, hello},
    server::{DESK, GROUP, SHOP},
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
    server.comes_to(r#"sockets_open{kind="visitor"}"#, 1.0).await;
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
        server.comes_to(&counter, before + 1.0).await;
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
    // None of them reached the registry.
    server.comes_to("commands_total", 1.0).await;
    server.comes_to(r#"handshakes_total{result="closed"}"#, 8.0).await;
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
