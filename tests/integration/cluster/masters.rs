//! Nodes around a Redis Cluster of three masters, of which one fails or gives slots away: what visitors, their watchers and
//! agents notice of it.

use std::time::{Duration, Instant};

use super::scene::{Load, Scene};
use crate::support::{redis_cluster::Cluster, until};

/// Two nodes around a cluster whose masters have so many replicas each.
async fn set(replicas: usize) -> Option<Scene<Cluster>> {
    if std::env::var_os("VESTIBULE_TEST_REDIS").is_none() {
        eprintln!("VESTIBULE_TEST_REDIS is not set: not tried with several nodes");
        return None;
    }
    let cluster = Cluster::start(replicas);
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
        let slot = first_slot(lost);
        let others = (lost + 1) % Cluster::MASTERS + Cluster::MASTERS;
        scene.redis.kill(lost);
        let killed = Instant::now();
        let replica = lost + Cluster::MASTERS;
        until("the replica", || scene.redis.master_of(slot, others) == Some(replica)).await;
        let taken_over = killed.elapsed();
        scene.are_there().await;
        println!(
            "master {lost} killed under load: its replica took over after {taken_over:?}, all visitors are there after {:?}",
            killed.elapsed()
        );
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
        let slot = first_slot(lost);
        until("the master", || scene.redis.master_of(slot, lost) == Some(lost)).await;
        let back = started.elapsed();
        scene.are_there().await;
        println!(
            "master {lost} back empty under load: it serves {back:?} after its start, all visitors are there after {:?}",
            started.elapsed()
        );
    }
    let back = Instant::now();
    load.end(&mut scene).await.is_sound("three masters killed under load, without replicas");
    scene.is_whole("masters back empty under load", back).await;
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
