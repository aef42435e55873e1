//! Nodes that find their server by a sentinel, when that one fails under load and its replica takes over: what visitors,
//! their watchers and agents notice of it.

use std::time::{Duration, Instant};

use super::scene::{Load, Scene};
use crate::support::sentinel::Pair;

/// Two nodes around a server with a replica.
async fn set() -> Option<Scene<Pair>> {
    if std::env::var_os("VESTIBULE_TEST_REDIS").is_none() {
        eprintln!("VESTIBULE_TEST_REDIS is not set: not tried with several nodes");
        return None;
    }
    let pair = Pair::start();
    let url = pair.url();
    Some(Scene::around(pair, &url).await)
}

#[tokio::test]
async fn what_was_accepted_before_a_replica_takes_over_is_delivered_once() {
    let Some(scene) = set().await else { return };
    fails_over(scene, "killed under load", async |_| {}).await;
}

/// As if the replica had been cut off just before.
#[tokio::test]
async fn what_was_accepted_before_a_replica_takes_over_without_it_is_delivered_once() {
    let Some(scene) = set().await else { return };
    let parts = async |pair: &Pair| {
        pair.part();
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    fails_over(scene, "killed under load, the last half second lost", parts).await;
}

async fn fails_over(mut scene: Scene<Pair>, what: &str, before: impl AsyncFnOnce(&Pair)) {
    let load = Load::begin(&mut scene);
    tokio::time::sleep(Duration::from_millis(500)).await;
    before(&scene.redis).await;
    scene.redis.kill();
    let killed = Instant::now();
    scene.redis.has_taken_over().await;
    let back = Instant::now();
    println!("{what}: its replica serves after {:?}", back - killed);
    scene.is_repaired(what, back).await;
    println!("{what}: all is right {:?} after the kill", killed.elapsed());
    load.end(&mut scene).await.is_sound(what);
    scene.is_whole(what, back).await;
    scene.nobody_leaves(what).await;
}
