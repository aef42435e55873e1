//! Nodes that are lost, and what becomes of those who were there.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Server, Stop};

#[tokio::test]
async fn who_was_on_a_killed_node_comes_back_elsewhere_or_leaves_in_time() {
    let Some([mut first, second]) = Server::nodes() else { return };
    let mut agent = second.agent().await;
    let ada = first.page("ada", "t").opens().await;
    let bob = first.page("bob", "t").opens().await;
    assert_eq!((agent.watch("ada").await, agent.watch("bob").await), (Some(1), Some(1)));
    first.signal(Stop::Kill);
    let killed = Instant::now();
    assert!(!first.ended().success());
    drop((ada, bob));
    let sent = agent.signal("ada", json!("sent")).await;
    // One comes back before anybody knows that his socket is gone; the ghost goes without a word of a leave.
    let mut ada = second.page("ada", "t").opens().await;
    agent.event("visitorsock", json!({"connected": true, "sockets": 2})).await;
    agent.event("visitorsock", json!({"connected": false, "sockets": 1})).await;
    assert_eq!(ada.gets(json!("sent")).await, sent);
    agent.outcome(&sent, "delivered").await;
    // The other one within the grace that the node's end gives him.
    agent.event_within(15, "visitorsock", json!({"connected": false, "sockets": 0})).await;
    assert!(killed.elapsed() > Duration::from_secs(5), "the lease had not ended");
    let held = agent.signal("bob", json!("held")).await;
    let mut bob = second.page("bob", "t").opens().await;
    assert_eq!(bob.gets(json!("held")).await, held);
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    agent.outcome(&held, "delivered").await;
}
