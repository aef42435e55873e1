//! The server that all nodes share fails, or a node is paused: what visitors, their watchers and agents notice of it.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::support::{
    List, SOON, Server, Socket,
    redis::{Redis, free_port},
};

/// Visitors of each of two nodes.
const EACH: usize = 20;
/// How many of them an agent on the other node watches.
const WATCHED: usize = 5;
/// How long after the server's return all is to be right again: 2 s, and as much for a machine that is busy with other tests.
const REPAIR: Duration = Duration::from_secs(4);

#[tokio::test]
async fn a_server_that_comes_back_empty_after_3_s_has_lost_nothing() {
    let Some(mut scene) = Scene::set().await else { return };
    scene.redis.kill();
    tokio::time::sleep(Duration::from_secs(3)).await;
    scene.redis.start_again().await;
    let back = Instant::now();
    scene.is_whole("killed for 3 s, back empty", back).await;
}

#[tokio::test]
async fn a_server_that_is_away_makes_nodes_unready_at_once_and_nobody_leave() {
    let Some(mut scene) = Scene::set().await else { return };
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

/// Whether a node's answers by HTTP are marked.
fn is_marked(node: &Server) -> bool {
    let answer = node.exchange("GET /v1/about HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    answer.to_lowercase().contains("\r\nvestibule-degraded: true\r\n")
}

#[tokio::test]
async fn what_was_accepted_before_a_flush_is_delivered_once() {
    let Some(mut scene) = Scene::set().await else { return };
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
    let Some(mut scene) = Scene::set().await else { return };
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
    let Some(mut scene) = Scene::set().await else { return };
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
    let Some(mut scene) = Scene::set().await else { return };
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

/// Two nodes around a server of their own, with visitors on each. An agent on each node watches some of the other's, and
/// has a list of all.
struct Scene {
    /// Of the visitors `v0`, `v1` and so on, on the nodes by turns.
    pages: Vec<Socket>,
    watchers: [Socket; 2],
    readers: Vec<(Socket, List)>,
    nodes: [Server; 2],
    /// Ends when the nodes have ended well.
    redis: Redis,
}

impl Scene {
    async fn set() -> Option<Self> {
        let redis = Redis::start().await?;
        let nodes = [0, 1].map(|number| Server::node(&redis.url(), number, &[]));
        let mut pages = Vec::new();
        for number in 0..2 * EACH {
            let page = nodes[number % 2].page(&visitor(number), "t");
            pages.push(page.telling(json!({"cart": 0})).opens().await);
        }
        let mut watchers = [nodes[0].agent().await, nodes[1].agent().await];
        for number in 0..2 * WATCHED {
            assert_eq!(watchers[(number + 1) % 2].watch(&visitor(number)).await, Some(1));
        }
        let mut readers = Vec::new();
        for node in &nodes {
            readers.push(open_list(node).await);
        }
        Some(Self { pages, watchers, readers, nodes, redis })
    }

    /// All is as it was: every visitor is there for both nodes, and soon; nobody was told of a leave; and pages, watchers and
    /// lists hear all that is new.
    async fn is_whole(&mut self, what: &str, back: Instant) {
        for (number, node) in (0..2 * EACH).flat_map(|number| [(number, 0), (number, 1)]) {
            self.is_there(number, node).await;
        }
        let repaired = back.elapsed();
        println!("{what}: all visitors are there {repaired:?} after the server's return");
        assert!(repaired < REPAIR, "{repaired:?}");
        for number in 0..2 * EACH {
            let data = json!({"type": "presence", "data": {"cart": 7}});
            self.pages[number].ok(data).await;
        }
        for (number, watcher) in self.watchers.iter_mut().enumerate() {
            let mut expected: HashSet<String> =
                (0..2 * WATCHED).filter(|of| (of + 1) % 2 == number).map(visitor).collect();
            while !expected.is_empty() {
                let event = watcher.hear().await;
                assert_ne!(event["data"]["connected"], false, "{what}: {event}");
                if event["data"] == json!({"cart": 7}) {
                    expected.remove(event["visitorid"].as_str().unwrap());
                }
            }
        }
        for number in 0..2 * EACH {
            let sender = &mut self.watchers[(number + 1) % 2];
            let id = sender.signal(&visitor(number), json!({"hello": number})).await;
            let page = &mut self.pages[number];
            loop {
                let message = page.hear().await;
                if message["type"] == "signal" && message["id"] == id.as_str() {
                    page.ok(json!({"type": "ack", "ids": [id]})).await;
                    break;
                }
            }
            loop {
                let told = sender.hear().await;
                assert_ne!(told["data"]["connected"], false, "{what}: {told}");
                if told["type"] == "signaloutcome" && told["data"]["id"] == id.as_str() {
                    assert_eq!(told["data"]["outcome"], "delivered", "{what}: {told}");
                    break;
                }
            }
        }
        let is_new = |list: &List| {
            list.rows.len() == 2 * EACH && list.rows.iter().all(|row| row["data"]["cart"] == 7)
        };
        for (reader, list) in &mut self.readers {
            list.hear_until(reader, is_new).await;
        }
        for node in &self.nodes {
            let (_agent, list) = open_list(node).await;
            assert!(is_new(&list), "{what}: {list:?}");
        }
    }

    async fn is_there(&self, number: usize, node: usize) {
        let path = format!("/v1/groups/12345/visitors/{}", visitor(number));
        let end = Instant::now() + SOON;
        loop {
            let (status, view) = self.nodes[node].rest("GET", &path, None).await;
            if status == 200 {
                return assert_eq!(view["sockets"], 1, "{view}");
            }
            assert_eq!(status, 503, "{number} on {node}: {view}");
            assert!(Instant::now() < end, "{number} on {node}: {view}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn visitor(number: usize) -> String {
    format!("v{number}")
}

async fn open_list(node: &Server) -> (Socket, List) {
    let mut agent = node.agent().await;
    let query = json!({"sort": "visitorid", "limit": 100});
    let mut list = List::open(&mut agent, query).await;
    list.hear_until(&mut agent, |list| list.rows.len() == 2 * EACH).await;
    (agent, list)
}

/// Signals of the watchers to all visitors, as fast as they are answered.
struct Load {
    stop: watch::Sender<bool>,
    pages: Vec<JoinHandle<(Socket, Vec<Value>)>>,
    senders: Vec<JoinHandle<(Socket, Sent)>>,
}

/// What a sender heard.
#[derive(Default)]
struct Sent {
    accepted: Vec<Value>,
    outcomes: Vec<Value>,
    refused: usize,
    leaves: usize,
}

impl Sent {
    fn take_in(&mut self, message: &Value) {
        self.leaves += usize::from(message["data"]["connected"] == false);
        if message["type"] == "signaloutcome" {
            self.outcomes.push(message["data"].clone());
        }
    }
}

/// What all heard.
struct Told {
    sent: Vec<Sent>,
    /// How often a page got each signal.
    got: HashMap<String, usize>,
    refused: usize,
}

impl Load {
    fn begin(scene: &mut Scene) -> Self {
        let stop = watch::Sender::new(false);
        let pages = std::mem::take(&mut scene.pages).into_iter();
        let pages = pages.map(|page| tokio::spawn(reads(page, stop.subscribe()))).collect();
        let senders = scene.readers.drain(..).map(|(agent, _)| agent);
        let senders = senders.map(|agent| tokio::spawn(sends(agent, stop.subscribe()))).collect();
        Self { stop, pages, senders }
    }

    /// No more signals are sent; those that were have their outcomes.
    async fn end(self, scene: &mut Scene) -> Told {
        self.stop.send_replace(true);
        let mut told = Told { sent: Vec::new(), got: HashMap::new(), refused: 0 };
        for sender in self.senders {
            let (agent, sent) = sender.await.unwrap();
            told.refused += sent.refused;
            told.sent.push(sent);
            drop(agent);
        }
        drop(self.stop);
        for page in self.pages {
            let (page, ids) = page.await.unwrap();
            scene.pages.push(page);
            for id in ids {
                *told.got.entry(id.as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
        for node in &scene.nodes {
            scene.readers.push(open_list(node).await);
        }
        told
    }
}

impl Told {
    /// What was accepted came to its page, and was told delivered once.
    fn is_sound(&self, what: &str) {
        let accepted: usize = self.sent.iter().map(|sent| sent.accepted.len()).sum();
        let twice = self.got.values().filter(|times| **times > 1).count();
        println!(
            "{what}: {accepted} accepted, {} refused, {twice} sent to the page again",
            self.refused
        );
        assert!(accepted > 30, "{what}: only {accepted}");
        for sent in &self.sent {
            assert_eq!(sent.leaves, 0, "{what}");
            for id in &sent.accepted {
                let outcomes: Vec<_> =
                    sent.outcomes.iter().filter(|outcome| outcome["id"] == *id).collect();
                assert_eq!(outcomes.len(), 1, "{what}: {id}: {outcomes:?}");
                assert_eq!(outcomes[0]["outcome"], "delivered", "{what}: {id}");
                assert!(self.got.contains_key(id.as_str().unwrap()), "{what}: {id} never came");
            }
        }
    }
}

/// A page that acknowledges what it gets, until the load is over and nobody holds its sender any more.
async fn reads(mut page: Socket, stop: watch::Receiver<bool>) -> (Socket, Vec<Value>) {
    let mut ids = Vec::new();
    while stop.has_changed().is_ok() {
        let Some(message) = page.hear_within(50).await else { continue };
        if message["type"] == "signal" {
            let id = message["id"].clone();
            page.say(json!({"type": "ack", "ids": [id]})).await;
            ids.push(id);
        }
    }
    (page, ids)
}

/// An agent who sends signals until he is to stop, then waits for their outcomes.
async fn sends(mut agent: Socket, stop: watch::Receiver<bool>) -> (Socket, Sent) {
    let mut sent = Sent::default();
    while !*stop.borrow() {
        let to = visitor(rand::rng().random_range(0..2 * EACH));
        let answer = agent.ask(json!({"type": "signal", "visitorid": to, "data": "hello"})).await;
        match answer["type"].as_str() {
            Some("ok") => sent.accepted.push(answer["id"].clone()),
            _ => {
                assert!(answer["code"] == "unready" || answer["code"] == "toomany", "{answer}");
                sent.refused += 1;
            }
        }
        while let Some(message) = agent.hear_within(2).await {
            sent.take_in(&message);
        }
    }
    let end = Instant::now() + SOON;
    while sent.outcomes.len() < sent.accepted.len() && Instant::now() < end {
        if let Some(message) = agent.hear_within(100).await {
            sent.take_in(&message);
        }
    }
    (agent, sent)
}
