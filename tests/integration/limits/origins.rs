//! Whose pages may come in.

use serde_json::json;

use super::{VISITOR, welcome};
use crate::support::{
    Raw, Server, Socket,
    server::{DESK, SHOP},
};

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
