//! Rule 6: a stop runs to its end.

use super::refused;
use crate::support::{
    Raw, Server, Stop,
    raw::{CLOSE, hello},
    server::{GROUP, SHOP},
    until,
};

/// Sockets that do not close are waited for longer than any test waits for anything.
const PATIENT: (&str, &str) = ("server.farewell_ms", "600000");

#[tokio::test]
async fn rule_4_6_sigterm_runs_the_drain_to_its_end() {
    let mut server = Server::with(&[("limits.handshakes_per_second_total", "20"), PATIENT]);
    let mut visitors = Vec::new();
    for visitor in 0..10 {
        visitors.push(server.page(&format!("v{visitor}"), "t").opens().await);
    }
    let mut agent = server.agent().await;
    agent.watch("v0").await;
    // An idle connection of a client that keeps it must not hold the end up: for 75 s it may be idle.
    let mut idle = Raw::connect(&server).await;
    idle.request("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    server.signal(Stop::Terminate);
    for socket in visitors.iter_mut().chain([&mut agent]) {
        let told = socket.hear_a("goaway").await;
        let closed = socket.closed().await;
        assert_eq!((closed.code, closed.word()), (4000, "goaway"));
        assert_eq!(closed.reason["retry_ms"], told["retry_ms"]);
        assert!(told["retry_ms"].as_u64().unwrap() <= 2_500, "well within the grace: {told}");
    }
    // All have closed, so nobody is waited for.
    let status = server.ended();
    assert!(status.success(), "{status}");
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
    let mut server = Server::with(&[PATIENT]);
    // Does not close after the server, which therefore waits.
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
    server.signal(Stop::Terminate);
    assert_eq!(server.ended().code(), Some(130), "whatever is not done yet");
}

/// Where other nodes serve on, whoever comes to an ending one is to try the next address at once.
#[tokio::test]
async fn an_ending_node_refuses_connections_while_others_are_there() {
    let Some([mut first, mut second]) = Server::nodes_with(&[PATIENT]) else { return };
    let mut stubborn = Raw::visitor(&first).await;
    stubborn.send(&hello("ada", "t")).await;
    stubborn.hear().await;
    let mut kept = Raw::connect(&first).await;
    let health = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    assert!(kept.request(health).await.starts_with("HTTP/1.1 200"));
    kept.skip_body(r#"{"status":"ok"}"#).await;
    until("each knows of the other", || first.figure("cluster_nodes") == 2.0).await;
    first.signal(Stop::Terminate);
    assert_eq!(stubborn.hear().await["type"], "goaway");
    let error = first.try_get("/healthz").unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    let answer = kept.request("GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n").await.to_lowercase();
    assert!(answer.starts_with("http/1.1 503"), "{answer}");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    assert!(!first.has_ended(), "it waits for who does not close");
    assert!(stubborn.frame().await.is_some_and(|(first, _)| first == CLOSE));
    drop((stubborn, kept));
    assert!(first.ended().success());
    // The last one has nobody to leave its visitors to.
    let mut stubborn = Raw::visitor(&second).await;
    stubborn.send(&hello("ada", "t")).await;
    stubborn.hear().await;
    until("it is alone", || second.figure("cluster_nodes") == 1.0).await;
    second.signal(Stop::Terminate);
    assert_eq!(stubborn.hear().await["type"], "goaway");
    assert_eq!(second.get("/readyz").0, 503, "draining");
    let closed = refused(&second, &format!("/v1/visitor?group={GROUP}"), Some(SHOP)).await;
    assert_eq!(closed.code, 4001);
    assert!(closed.reason["retry_ms"].as_u64().unwrap() <= 100, "{:?}", closed.reason);
    drop(stubborn);
    assert!(second.ended().success());
}

/// Whoever knows the address may have told the server something that has to be saved.
#[test]
fn rule_4_6_signals_are_heard_before_the_address_is_told() {
    for _ in 0..5 {
        let server = Server::start();
        let status = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
        // SIGINT is 2 and SIGTERM 15, counted from 1.
        assert_eq!(caught & (1 << 1 | 1 << 14), 1 << 1 | 1 << 14, "{caught:x}");
    }
}
