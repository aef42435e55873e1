//! What comes from one address, which behind a proxy is what a trusted one says.

use super::{VISITOR, from, limited, told_when_to_come_back, welcome};
use crate::support::{
    Raw, Server,
    raw::{CLOSE, TEXT, frame, hello},
    server::SHOP,
    until,
};

#[tokio::test]
async fn sockets_at_a_time_are_limited_by_address() {
    let server = Server::with(&[("limits.sockets_per_address", "2")]);
    let first = server.page("ada", "t").opens().await;
    let second = server.agent().await;
    let mut third = Raw::visitor(&server).await;
    told_when_to_come_back(&third.closed().await, 4007, "toomany");
    assert_eq!(limited(&server, "socket_of_address"), 1.0);
    server.comes_to(r#"limiter_keys{limiter="sockets_by_address"}"#, 1.0).await;
    drop(second);
    // The place comes back with the socket's end.
    until("a free place", || server.figure(r#"sockets_open{kind="agent"}"#) == 0.0).await;
    let third = server.page("bob", "t").opens().await;
    drop((first, third));
    let freed = || server.figure(r#"limiter_keys{limiter="sockets_by_address"}"#) == 0.0;
    until("no place held", freed).await;
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
