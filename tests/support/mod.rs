//! What the tests speak with: the real server as a child process, well-behaved clients, and hostile ones.

pub mod bayeux;
pub mod client;
pub mod cobrowse;
pub mod issuer;
pub mod link;
pub mod list;
pub mod mint;
pub mod nodes;
pub mod postgres;
pub mod raw;
pub mod receiver;
pub mod redis;
pub mod redis_cluster;
pub mod router;
pub mod routes;
pub mod sentinel;
pub mod server;
pub mod sse;
pub mod tls;

use std::time::Duration;

pub use self::{
    client::{Closed, Socket},
    list::List,
    raw::Raw,
    server::{Server, Stop},
};

/// How long anything may take that is to happen at once.
pub const SOON: Duration = Duration::from_secs(30);

/// Waits for `what`, or fails the test.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(SOON, future)
        .await
        .unwrap_or_else(|_| panic!("{what} did not come within {SOON:?}"))
}

/// Asks again and again until `holds`, or fails the test. For states that no event tells of.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = tokio::time::Instant::now() + SOON;
    while !holds() {
        assert!(tokio::time::Instant::now() < end, "{what} did not come about within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
