//! Nodes around a Redis Cluster of three masters, of which one fails or gives slots away: what visitors, their watchers and
//! agents notice of it.

use std::time::{Duration, Instant};

use super::scene::{Load, Scene};
use crate::support::{SOON, redis_cluster::Cluster, until};

/// Two nodes around a cluster whose masters have so many replicas each.
async fn set(replicas: usize) -> Option<Scene<Cluster>> {
    if std::env::var_os("VESTIBULE_TEST_REDIS").is_none() {
        eprintln!("VESTIBULE_TEST_REDIS is not set: not tried with several nodes");
        return None;
    }
    let cluster = Cluster::start(replicas, None);
    let url = cluster.url();
    Some(Scene::around(cluster, &url).await)
}

#[tokio::test]
async fn what_was_accepted_before_a_master_is_lost_is_delivered_once() {
    let Some(mut scene) = set(1).await else { return };
    let load = Load::begin(&mut scene);
    // Each of the masters in turn, so that leases and all records were on one of them.
    for lost in 0..Cluster::MASTERS {
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.redis.kill(lost);
        let killed = Instant::now();
        let replica = lost + Cluster::MASTERS;
        let is_lost = |at| at <= lost;
        until_it_serves(&scene.redis, first_slot(lost), replica, is_lost).await;
        let back = Instant::now();
        is_soon(&scene, &format!("master {lost} killed under load"), back - killed, back).await;
    }
    let back = Instant::now();
    load.end(&mut scene).await.is_sound("three masters killed under load, each with a replica");
    scene.is_whole("masters lost under load", back).await;
}

#[tokio::test]
async fn what_was_accepted_before_a_master_comes_back_empty_is_delivered_once() {
    let Some(mut scene) = set(0).await else { return };
    let load = Load::begin(&mut scene);
    for lost in 0..Cluster::MASTERS {
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.redis.kill(lost);
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.redis.start_again(lost);
        let started = Instant::now();
        until_it_serves(&scene.redis, first_slot(lost), lost, |_| false).await;
        let back = Instant::now();
        is_soon(&scene, &format!("master {lost} back empty under load"), back - started, back)
            .await;
    }
    let back = Instant::now();
    load.end(&mut scene).await.is_sound("three masters killed under load, without replicas");
    scene.is_whole("masters back empty under load", back).await;
}

#[tokio::test]
async fn what_was_accepted_before_a_master_is_paused_is_delivered_once() {
    let Some(mut scene) = set(1).await else { return };
    let load = Load::begin(&mut scene);
    tokio::time::sleep(Duration::from_millis(500)).await;
    // Its connections stay, so that nobody is told.
    scene.redis.pause(0);
    let paused = Instant::now();
    let replica = Cluster::MASTERS;
    until_it_serves(&scene.redis, first_slot(0), replica, |at| at == 0).await;
    let back = Instant::now();
    is_soon(&scene, "master 0 paused under load", back - paused, back).await;
    scene.redis.resume(0);
    // Whatever it believes when it wakes up.
    let role = || scene.redis.ask(0, "INFO replication");
    until("it follows", || role().is_some_and(|role| role.contains("role:slave"))).await;
    let back = Instant::now();
    load.end(&mut scene).await.is_sound("a master paused under load");
    scene.is_whole("a master paused and back", back).await;
}

#[tokio::test]
async fn slots_that_move_under_load_lose_nothing() {
    let Some(mut scene) = set(0).await else { return };
    let load = Load::begin(&mut scene);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let slots = scene.redis.slots_in_use(0);
    assert!(!slots.is_empty(), "some of the parts are there");
    let moved = Instant::now();
    for slot in &slots {
        scene.redis.move_slot(*slot, 0, 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    scene.are_there().await;
    println!("{} slots moved under load in {:?}", slots.len(), moved.elapsed());
    let back = Instant::now();
    load.end(&mut scene).await.is_sound("slots moved under load");
    scene.is_whole("slots moved under load", back).await;
}

/// The first slot that a master has at the start.
fn first_slot(master: usize) -> u16 {
    u16::try_from(master * 16_384 / Cluster::MASTERS).unwrap()
}

/// Waits until all servers but some believe that all slots are served, and this one by `master`. They are not asked so often
/// that the load has no turn.
async fn until_it_serves(cluster: &Cluster, slot: u16, master: usize, but: impl Fn(usize) -> bool) {
    let end = Instant::now() + SOON;
    while !cluster.all_see(slot, master, &but) {
        assert!(Instant::now() < end, "{master} does not serve");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// All visitors are there, soon after the cluster serves all slots again.
async fn is_soon(scene: &Scene<Cluster>, what: &str, away: Duration, back: Instant) {
    println!("{what}: served again after {away:?}");
    scene.is_repaired(what, back).await;
}
