//! The clock of the server that all nodes share is put forward or back.

use std::time::{Duration, Instant};

use super::scene::{Load, Scene};
use crate::support::{redis::Redis, until};

/// How long a node has its lease without renewing it, in ms (design section 5); it renews it twice a second.
const LEASE_MS: i64 = 10_000;
/// A node is one of the nodes for so long before it ends others: a lease and a fifth.
const SPARES: Duration = Duration::from_secs(12);
/// Much longer than a lease, and than any grace.
const STEP_MS: i64 = 60_000;
/// When the first of all leases ends.
const FIRST_ENDS: &str =
    "tonumber(redis.call('ZRANGE', 'vestibule:nodes:leases', 0, 0, 'WITHSCORES')[2])";

#[tokio::test]
async fn a_server_whose_clock_is_put_forward_and_back_ends_no_node_and_no_visit() {
    let Some(redis) = Redis::with_a_clock().await else { return };
    let (begun, url) = (Instant::now(), redis.url());
    let mut scene = Scene::around(redis, &url).await;
    // Before, nobody would dare.
    tokio::time::sleep(SPARES.saturating_sub(begun.elapsed())).await;
    let load = Load::begin(&mut scene);
    for ahead in [STEP_MS, 0, -STEP_MS, 0, 2 * STEP_MS, -STEP_MS] {
        let redis = &scene.redis;
        let before = redis.time();
        redis.puts_its_clock_ahead(ahead);
        let now = redis.time();
        assert!((now - before).abs() > STEP_MS / 2, "it says another time");
        until("everybody to renew his lease", || redis.number(FIRST_ENDS) > now + LEASE_MS + 1_000)
            .await;
        for node in &scene.nodes {
            assert_eq!(node.get("/readyz").0, 200, "{ahead} ms ahead:\n{}", node.log());
            assert_eq!(node.figure("cluster_nodes"), 2.0, "{ahead} ms ahead:\n{}", node.log());
        }
    }
    load.end(&mut scene).await.is_sound("a clock that was put forward and back");
    // All sockets are the same ones.
    scene.is_whole("its clock was put forward and back", Instant::now()).await;
}
