//! The server that all nodes share fails, or a node is paused: what visitors, their watchers and agents notice of it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::scene::{Load, Scene};
use crate::support::{
    SOON, Server, Socket,
    redis::{Redis, free_port},
};

#[tokio::test]
async fn a_server_that_comes_back_empty_after_3_s_has_lost_nothing() {
    let Some(mut scene) = set().await else { return };
    scene.redis.kill();
    tokio::time::sleep(Duration::from_secs(3)).await;
    scene.redis.start_again().await;
    let back = Instant::now();
    scene.is_whole("killed for 3 s, back empty", back).await;
}

#[tokio::test]
async fn a_server_that_is_away_makes_nodes_unready_at_once_and_nobody_leave() {
    let Some(mut scene) = set().await else { return };
    scene.redis.kill();
    let killed = Instant::now();
    for node in &scene.nodes {
        while node.get("/readyz").0 == 200 {
            assert!(killed.elapsed() < Duration::from_secs(5), "long before the end of the lease");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(node.get("/healthz").0, 200);
        assert!(is_marked(node), "answers say so");
    }
    println!("killed: unready after {:?}", killed.elapsed());
    let refused = scene.nodes[0].rest("GET", "/v1/groups/12345/visitors/v0", None).await;
    assert_eq!((refused.0, &refused.1["code"]), (503, &json!("unready")), "{refused:?}");
    assert_eq!(refused.1["degraded"], true, "{refused:?}");
    // Sockets are served as far as that goes without records.
    let cart = json!({"type": "presence", "data": {"cart": 1}});
    let refused = scene.pages[0].refused(cart, "unready").await;
    let done = scene.pages[0].ok(json!({"type": "watchbuttons"})).await;
    let unwatch = json!({"type": "unwatch", "visitorid": "nobody"});
    let told = [refused, done, scene.watchers[0].ok(unwatch.clone()).await];
    assert!(told.iter().all(|answer| answer["degraded"] == true), "{told:?}");
    tokio::time::sleep(Duration::from_secs(11).saturating_sub(killed.elapsed())).await;
    scene.redis.start_again().await;
    let back = Instant::now();
    scene.is_whole("killed for a lease, back empty", back).await;
    for node in &scene.nodes {
        assert_eq!(node.get("/readyz").0, 200);
        assert!(!is_marked(node));
    }
    let done = scene.watchers[0].ok(unwatch).await;
    assert_eq!(done["degraded"], Value::Null);
}

#[tokio::test]
async fn agents_are_told_when_the_server_is_away_and_when_it_is_back() {
    let Some(redis) = Redis::start().await else { return };
    let node = Server::node(&redis.url(), 0, &[]);
    let mut shown = node.shown("ada").await;
    let mut agent = node.agent().await;
    let mut late = Socket::open(&node, "/v1/agent", None).await;
    redis.pause();
    assert!(agent.outage().await && shown.viewer.outage().await, "nobody asked");
    late.say(json!({"type": "hello", "token": Server::token()})).await;
    late.hear_a("welcome").await;
    assert!(late.outage().await, "who comes in the middle of it hears of it, too");
    redis.resume();
    for told in [&mut agent, &mut late, &mut shown.viewer] {
        while told.outage().await {}
    }
    crate::support::until("the node", || node.get("/readyz").0 == 200).await;
    let mut calm = node.agent().await;
    calm.ok(json!({"type": "unwatch", "visitorid": "nobody"})).await;
    shown.page.ok(json!({"type": "watchbuttons"})).await;
    shown.stream.ok(json!({"type": "noasset", "asset": 1})).await;
    for untold in [&calm, &shown.page, &shown.stream] {
        assert!(untold.outages.is_empty(), "visitors, and agents when all is well");
    }
}

/// Whether a node's answers by HTTP are marked.
fn is_marked(node: &Server) -> bool {
    let answer = node.exchange("GET /v1/about HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    answer.to_lowercase().contains("\r\nvestibule-degraded: true\r\n")
}

#[tokio::test]
async fn what_was_accepted_before_a_flush_is_delivered_once() {
    let Some(mut scene) = set().await else { return };
    let load = Load::begin(&mut scene);
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..3 {
        scene.redis.does("FLUSHALL");
        tokio::time::sleep(Duration::from_millis(700)).await;
    }
    let back = Instant::now();
    load.end(&mut scene).await.is_sound("flushed three times under load");
    scene.is_whole("flushed under load", back).await;
}

#[tokio::test]
async fn what_was_accepted_before_the_server_is_killed_is_delivered_once() {
    let Some(mut scene) = set().await else { return };
    let load = Load::begin(&mut scene);
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.redis.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        scene.redis.start_again().await;
    }
    let back = Instant::now();
    tokio::time::sleep(Duration::from_secs(1)).await;
    load.end(&mut scene).await.is_sound("killed three times under load");
    scene.is_whole("killed under load", back).await;
}

#[tokio::test]
async fn a_server_that_is_slow_for_1_500_ms_refuses_nothing() {
    let Some(mut scene) = set().await else { return };
    let load = Load::begin(&mut scene);
    tokio::time::sleep(Duration::from_millis(300)).await;
    scene.redis.pause();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    scene.redis.resume();
    let back = Instant::now();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let told = load.end(&mut scene).await;
    told.is_sound("slow for 1.5 s under load");
    assert_eq!(told.refused, 0);
    scene.is_whole("slow for 1.5 s", back).await;
}

#[tokio::test]
async fn a_server_without_memory_refuses_changes_and_keeps_what_there_is() {
    let Some(mut scene) = set().await else { return };
    scene.redis.does("CONFIG SET maxmemory-policy noeviction");
    scene.redis.does("CONFIG SET maxmemory 1");
    for page in [0, 1] {
        let data = json!({"type": "presence", "data": {"cart": 1}});
        scene.pages[page].refused(data, "unready").await;
    }
    // As soon as a node could not renew its lease it does not trust what it reads either.
    for node in &scene.nodes {
        let end = Instant::now() + SOON;
        loop {
            let (status, view) = node.rest("GET", "/v1/groups/12345/visitors/v0", None).await;
            if status != 200 {
                break assert_eq!((status, &view["code"]), (503, &json!("unready")), "{view}");
            }
            assert!(Instant::now() < end, "it still reads");
        }
    }
    scene.redis.does("CONFIG SET maxmemory 0");
    let back = Instant::now();
    scene.is_whole("without memory", back).await;
}

#[tokio::test]
async fn what_was_said_to_pages_of_a_node_that_was_cut_off_is_said_again() {
    let Some(redis) = Redis::start().await else { return };
    let [first, second] = [0, 1].map(|number| Server::node(&redis.url(), number, &[]));
    let mut agent = second.agent().await;
    let mut page = first.page("ada", "t").opens().await;
    let other = second.page("ada", "u").opens().await;
    page.hear_a("blur").await;
    assert_eq!(agent.watch("ada").await, Some(2));
    // The node hears nothing of what the other one, which comes back at once, has to say.
    first.pause();
    for kind in ["normal", "pubsub"] {
        redis.say(&format!("CLIENT KILL TYPE {kind}"));
    }
    drop(other);
    // The agent's node was cut off, too, so it looks at the visitor anew, before or after it hears of that.
    let mut has_looked = false;
    let mut hear = async |agent: &mut Socket| {
        let told = agent.hear().await;
        has_looked |= told["type"] == "visitorsock" && told["present"] == true;
        told
    };
    while hear(&mut agent).await["data"] != json!({"connected": false, "sockets": 1}) {}
    let id = agent.signal("ada", json!("hello")).await;
    first.resume();
    page.hear_a("focus").await;
    page.hear_a("session").await;
    assert_eq!(page.gets(json!("hello")).await, id);
    while hear(&mut agent).await["data"] != json!({"id": id, "outcome": "delivered"}) {}
    assert!(has_looked);
}

#[tokio::test]
async fn a_node_that_slept_for_longer_than_its_lease_begins_anew() {
    let Some(redis) = Redis::start().await else { return };
    let address = format!("127.0.0.1:{}", free_port());
    let first = Server::node(&redis.url(), 0, &[("server.bind", &address)]);
    let second = Server::node(&redis.url(), 1, &[]);
    let mut agent = second.agent().await;
    let mut pages = Vec::new();
    for name in ["ada", "bob"] {
        pages.push(first.page(name, "t").telling(json!({"cart": 1})).opens().await);
        assert_eq!(agent.watch(name).await, Some(1));
    }
    let [mut ghost, mut bob] = <[Socket; 2]>::try_from(pages).ok().unwrap();
    first.pause();
    let paused = Instant::now();
    let mut ada = second.page("ada", "t").opens().await;
    assert_eq!(ada.welcome["epoch"], ghost.welcome["epoch"], "the same presence goes on");
    agent.event("visitorsock", json!({"connected": true, "sockets": 2})).await;
    agent.event("visitorsock", json!({"connected": false, "sockets": 1})).await;
    // What the ghost says waits in its node's socket until that wakes up.
    ghost.say(json!({"type": "presence", "data": {"cart": 99}, "request": 1})).await;
    agent.event_within(14, "visitorsock", json!({"connected": false, "sockets": 0})).await;
    let lost_after = paused.elapsed();
    agent.event_within(7, "visitorconn", json!({"connected": false})).await;
    let gone_after = paused.elapsed();
    // The other node has just come, so it spares everybody for a lease and a fifth.
    let most = Duration::from_secs(10 + 2 + 5 + 2);
    assert!(gone_after < most, "{lost_after:?}, {gone_after:?}");

    first.resume();
    let woken = Instant::now();
    // His page is to come back, and finds the node anew, or another one.
    let closed = bob.closed().await;
    assert_eq!(closed.code, 4000, "{closed:?}");
    drop((ghost, bob));
    let is_ready = || first.try_get("/readyz").is_ok_and(|(status, _)| status == 200);
    let is_anew = || first.log().matches("one of several nodes").count() == 2;
    crate::support::until("the node", || is_anew() && is_ready()).await;
    let ready_after = woken.elapsed();
    // Nothing that it did in its sleep counts.
    for node in [&first, &second] {
        let (_, view) = node.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
        let found = (&view["data"], &view["epoch"]);
        assert_eq!(found, (&json!({"cart": 1}), &ada.welcome["epoch"]), "{view}");
    }
    let mut bob = first.page("bob", "t").opens().await;
    agent.event("visitorconn", json!({"connected": true})).await;
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    let mut near = first.agent().await;
    for (page, name, sender) in [(&mut ada, "ada", &mut near), (&mut bob, "bob", &mut agent)] {
        let id = sender.signal(name, json!("hello")).await;
        assert_eq!(page.gets(json!("hello")).await, id);
        sender.outcome(&id, "delivered").await;
    }
    println!(
        "paused: lost after {lost_after:?}, gone after {gone_after:?}, ready {ready_after:?} after it woke"
    );
}

/// Two nodes around a server that may fail.
async fn set() -> Option<Scene<Redis>> {
    let redis = Redis::start().await?;
    let url = redis.url();
    Some(Scene::around(redis, &url).await)
}
