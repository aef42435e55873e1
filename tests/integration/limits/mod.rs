//! What one stranger can do, and what he is told beyond it. Each limit is set low here and met over the real server.

mod addresses;
mod messages;
mod numbers;
mod origins;
mod requests;

use crate::support::{Closed, Raw, Server, raw::hello, server::SHOP};

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
