//! A node whose way to the server is cut for longer than its lease, and then is whole again: the others end it, and it begins
//! anew in the same process.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    SOON, Server, Socket,
    link::Link,
    redis::{Redis, free_port},
};

const ROUNDS: usize = 2;
const GRACE_MS: u64 = 2_000;
/// How long after a cut a false leave is told at the latest: a grace, the 2.5 s in which none ends, and some more.
const LEAVES_MS: u64 = GRACE_MS + 3_500;

/// The next event is of this visitor.
async fn told(agent: &mut Socket, visitor: &str, kind: &str, data: Value) {
    let event = agent.event(kind, data).await;
    assert_eq!(event["visitorid"], visitor, "{event}");
}

async fn is_ready(node: &Server, is_ready: bool) {
    let answers = || node.try_get("/readyz").is_ok_and(|(status, _)| (status == 200) == is_ready);
    patiently("readiness", answers).await;
}

/// For what a node does anew from its start on, which takes a busy machine long.
async fn patiently(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + 4 * SOON;
    while !holds() {
        assert!(Instant::now() < end, "{what} did not come about");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_node_that_was_cut_off_for_longer_than_its_lease_begins_anew_and_leaves_nothing_behind() {
    let Some(redis) = Redis::start().await else { return };
    let link = Link::to(redis.port());
    // Its pages come back to the port that they know.
    let address = format!("127.0.0.1:{}", free_port());
    let url = format!("redis://127.0.0.1:{}", link.port());
    let grace_ms = GRACE_MS.to_string();
    let grace = ("presence.grace_ms", &*grace_ms);
    let first = Server::node(&url, 0, &[("server.bind", &address), grace]);
    let second = Server::node(&redis.url(), 1, &[grace]);
    let mut agent = second.agent().await;
    // What only the first use begins has begun.
    let mut round = Round { first: &first, second: &second, agent: &mut agent, link: &link };
    round.meets(&mut first.agent().await).await;
    let before = (link.connections(), redis.connections(), first.threads());
    for number in 1..=ROUNDS {
        round.goes(number).await;
    }
    // What was begun for the old lease ends with it, if not at once.
    let connections = || (link.connections(), redis.connections());
    let end = Instant::now() + SOON;
    while connections() != (before.0, before.1) {
        let (before, threads) = ((before.0, before.1), (&before.2, first.threads()));
        assert!(
            Instant::now() < end,
            "connections {before:?}, now {:?}; threads {threads:?}",
            connections()
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let is_back = || first.threads().len() <= before.2.len();
    let end = Instant::now() + SOON;
    while !is_back() {
        assert!(Instant::now() < end, "threads before {:?}, now {:?}", before.2, first.threads());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    println!(
        "connections {}, of all nodes {}, threads {}: as before",
        before.0,
        before.1,
        before.2.len()
    );
}

struct Round<'a> {
    first: &'a Server,
    second: &'a Server,
    /// On the second one.
    agent: &'a mut Socket,
    link: &'a Link,
}

impl Round<'_> {
    /// A visitor of the first node is watched and signalled from both.
    async fn meets(&mut self, near: &mut Socket) {
        let mut eve = self.first.page("eve", "t").opens().await;
        for agent in [near, &mut *self.agent] {
            assert_eq!(agent.watch("eve").await, Some(1));
            let id = agent.signal("eve", json!("hello")).await;
            assert_eq!(eve.gets(json!("hello")).await, id);
            agent.outcome(&id, "delivered").await;
            agent.ok(json!({"type": "unwatch", "visitorid": "eve"})).await;
        }
        eve.leave().await;
    }

    async fn goes(&mut self, number: usize) {
        let Self { first, second, agent, link } = self;
        let mut ghost = first.page("ada", "t").telling(json!({"cart": 1})).opens().await;
        let mut bob = first.page("bob", "t").telling(json!({"cart": 1})).opens().await;
        let mut near = first.agent().await;
        for name in ["ada", "bob"] {
            assert_eq!(agent.watch(name).await, Some(1));
        }
        link.cut();
        let cut = Instant::now();
        is_ready(first, false).await;
        ghost.say(json!({"type": "presence", "data": {"cart": 99}, "request": 1})).await;
        // One comes back elsewhere before anybody knows that his socket is gone.
        let mut ada = second.page("ada", "t").opens().await;
        assert_eq!(ada.welcome["epoch"], ghost.welcome["epoch"], "the same presence goes on");
        let sockets = |connected, sockets| json!({"connected": connected, "sockets": sockets});
        told(agent, "ada", "visitorsock", sockets(true, 2)).await;
        told(agent, "ada", "visitorsock", sockets(false, 1)).await;
        // The other one does not hear that his socket is none any more.
        told(agent, "bob", "visitorsock", sockets(false, 0)).await;
        let lost_after = cut.elapsed();
        told(agent, "bob", "visitorconn", json!({"connected": false})).await;
        let gone_after = cut.elapsed();
        link.mend();
        let mended = Instant::now();
        for socket in [&mut bob, &mut near] {
            let closed = socket.closed().await;
            assert_eq!(closed.code, 4000, "{closed:?}");
        }
        drop((ghost, bob, near));
        let begun = || first.log().matches("one of several nodes").count();
        patiently("the node anew", || begun() == 1 + number).await;
        is_ready(first, true).await;
        let ready_after = mended.elapsed();
        let mut bob = first.page("bob", "t").opens().await;
        told(agent, "bob", "visitorconn", json!({"connected": true})).await;
        told(agent, "bob", "visitorsock", sockets(true, 1)).await;
        // Nothing counts that the ghost said meanwhile.
        for node in [&**first, &**second] {
            let (_, view) = node.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
            let found = (&view["data"], &view["epoch"], &view["sockets"]);
            assert_eq!(found, (&json!({"cart": 1}), &ada.welcome["epoch"], &json!(1)), "{view}");
        }
        let mut near = first.agent().await;
        for (page, name, sender) in [(&mut ada, "ada", &mut near), (&mut bob, "bob", &mut **agent)]
        {
            let id = sender.signal(name, json!("hello")).await;
            assert_eq!(page.gets(json!("hello")).await, id);
            sender.outcome(&id, "delivered").await;
        }
        if number == ROUNDS {
            agent.hears_nothing_for(LEAVES_MS).await;
        }
        for (page, name) in [(ada, "ada"), (bob, "bob")] {
            page.leave().await;
            told(agent, name, "visitorsock", sockets(false, 0)).await;
            told(agent, name, "visitorconn", json!({"connected": false})).await;
            agent.ok(json!({"type": "unwatch", "visitorid": name})).await;
        }
        println!(
            "cut {number}: lost after {lost_after:?}, gone after {gone_after:?}, ready {ready_after:?} after the mending"
        );
    }
}
