//! Processes that have the same name among the nodes: by mistake, or because one was started anew.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Server, Stop, nodes::cluster_url};

const REFUSAL: &str = "vestibule: cluster.node_name: another living process has the name \"n0\"; \
                       each node needs its own";

#[tokio::test]
async fn a_second_living_process_of_a_name_does_not_start_and_disturbs_nobody() {
    let Some(url) = cluster_url() else { return };
    let [first, other] = [0, 1].map(|number| Server::node(&url, number, &[]));
    let mut agent = other.agent().await;
    let mut page = first.page("ada", "t").opens().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    let name = [("cluster.engine", "redis"), ("cluster.url", &*url), ("cluster.node_name", "n0")];
    assert_eq!(Server::begins(&name).refused().await, REFUSAL);
    page.ok(json!({"type": "presence", "data": {"cart": 1}})).await;
    agent.event("presence", json!({"cart": 1})).await;
    let id = agent.signal("ada", json!("hello")).await;
    assert_eq!(page.gets(json!("hello")).await, id);
    agent.outcome(&id, "delivered").await;
    assert_eq!(first.get("/readyz").0, 200);
}

#[tokio::test]
async fn a_node_that_was_killed_and_started_again_at_once_ends_the_one_before_it() {
    let Some(url) = cluster_url() else { return };
    let [first, other] = [0, 1].map(|number| Server::node(&url, number, &[]));
    let mut agent = other.agent().await;
    let page = first.page("ada", "t").opens().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    let epoch = page.welcome["epoch"].clone();
    let killed = Instant::now();
    let first = first.restarted(Stop::Kill);
    drop(page);
    agent.event("visitorsock", json!({"connected": false, "sockets": 0})).await;
    let lost_after = killed.elapsed();
    assert!(lost_after < Duration::from_secs(9), "{lost_after:?}: not by the end of its lease");
    let page = first.page("ada", "t").opens().await;
    assert_eq!(page.welcome["epoch"], epoch, "the same presence goes on");
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    println!("killed and started again at once: sockets lost after {lost_after:?}");
}

#[tokio::test]
async fn a_node_whose_name_was_taken_while_it_slept_gives_way() {
    let Some(url) = cluster_url() else { return };
    let mut first = Server::node(&url, 0, &[]);
    first.pause();
    let second = Server::node(&url, 0, &[]);
    let mut page = second.page("ada", "t").opens().await;
    first.resume();
    let woken = Instant::now();
    while !first.has_ended() {
        assert!(woken.elapsed() < Duration::from_secs(25), "it goes on:\n{}", first.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!first.ended().success());
    assert!(first.log().ends_with(&format!("{REFUSAL}\n")), "{}", first.log());
    page.ok(json!({"type": "presence", "data": {"cart": 1}})).await;
    assert_eq!(second.get("/readyz").0, 200);
}
