//! Two nodes with visitors, watchers and lists, and a load of signals, which what the nodes share fails under.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use rand::RngExt as _;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle};

use crate::support::{List, SOON, Server, Socket};

/// Visitors of each of two nodes.
const EACH: usize = 20;
/// How many of them an agent on the other node watches.
const WATCHED: usize = 5;
/// How long after the server's return all is to be right again. On a machine that does nothing else, as VESTIBULE_TEST_QUIET
/// says it is, nothing is added to it.
const REPAIR: Duration = Duration::from_secs(2);
/// What a machine that is busy with other tests may take beyond that, however little it seems to take for a question.
const BUSY: Duration = Duration::from_secs(2);
/// Likewise, as a multiple of what it takes for the questions of [`Scene::are_there`] when all is well: in a repair about
/// ten follow one another, asked in turn by the nodes, and each node has twice as much to do for it.
const TURNS: u32 = 20;
/// How long after a failure a false leave is told at the latest: a grace of 5 s, the 2.5 s in which none ends, and some more.
const LEAVES: Duration = Duration::from_millis(8_500);

/// Two nodes around a server of their own, with visitors on each. An agent on each node watches some of the other's, and
/// has a list of all.
pub struct Scene<K> {
    /// Of the visitors, on the nodes by turns.
    pub pages: Vec<Socket>,
    pub watchers: [Socket; 2],
    readers: Vec<(Socket, List)>,
    pub nodes: [Server; 2],
    /// Ends when the nodes have ended well.
    pub redis: K,
}

impl<K> Scene<K> {
    /// Around what is at `url`, which `redis` keeps.
    pub async fn around(redis: K, url: &str) -> Self {
        let nodes = [0, 1].map(|number| Server::node(url, number, &[]));
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
        Self { pages, watchers, readers, nodes, redis }
    }

    /// All is as it was: every visitor is there for both nodes, and soon; nobody was told of a leave; and pages, watchers and
    /// lists hear all that is new.
    pub async fn is_whole(&mut self, what: &str, back: Instant) {
        self.is_repaired(what, back).await;
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

    /// All visitors are there for both nodes, as soon after the server's return as the nodes owe it, on a machine that is as
    /// fast as this one is now.
    pub async fn is_repaired(&self, what: &str, back: Instant) {
        self.are_there().await;
        let repaired = back.elapsed();
        let asked = Instant::now();
        self.are_there().await;
        let calm = asked.elapsed();
        println!(
            "{what}: all visitors are there {repaired:?} after the server's return, then within {calm:?}"
        );
        let is_quiet = std::env::var_os("VESTIBULE_TEST_QUIET").is_some();
        let most = if is_quiet { REPAIR } else { REPAIR + BUSY.max(calm * TURNS) };
        assert!(repaired < most, "{what}: {repaired:?}, then {calm:?}");
    }

    /// Nobody is told of as gone until the last grace has ended that may have begun before now.
    pub async fn nobody_leaves(&mut self, what: &str) {
        let end = Instant::now() + LEAVES;
        for watcher in &mut self.watchers {
            // What came to the second one meanwhile is there at once.
            let left = || end.saturating_duration_since(Instant::now()).max(BUSY / 10);
            while let Some(event) =
                watcher.hear_within(u64::try_from(left().as_millis()).unwrap()).await
            {
                assert_ne!(event["data"]["connected"], false, "{what}: {event}");
            }
        }
    }

    /// Both nodes are ready, and every visitor is there for both, as soon as they can say so. All are asked for at once, so
    /// that a busy machine's time for one question does not count so many times.
    pub async fn are_there(&self) {
        let client = reqwest::Client::new();
        let token = Server::token();
        let both = (0..2 * EACH).flat_map(|number| [(number, 0), (number, 1)]);
        let asked = both.map(|(number, node)| self.is_there(&client, &token, number, node));
        futures_util::future::join_all(asked).await;
        for node in &self.nodes {
            crate::support::until("a node", || node.get("/readyz").0 == 200).await;
        }
    }

    async fn is_there(&self, client: &reqwest::Client, token: &str, number: usize, node: usize) {
        let path = format!("/v1/groups/12345/visitors/{}", visitor(number));
        let end = Instant::now() + SOON;
        loop {
            let asked = self.nodes[node].rest_over(client, token, "GET", &path, None, &[]);
            let (status, view) = asked.await;
            if status == 200 {
                return assert_eq!(view["sockets"], 1, "{view}");
            }
            assert_eq!(status, 503, "{number} on {node}: {view}");
            assert!(Instant::now() < end, "{number} on {node}: {view}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Some of them are in each part of a cluster's data.
fn visitor(number: usize) -> String {
    format!("v{}", number * 101)
}

async fn open_list(node: &Server) -> (Socket, List) {
    let mut agent = node.agent().await;
    let query = json!({"sort": "visitorid", "limit": 100});
    let mut list = List::open(&mut agent, query).await;
    list.hear_until(&mut agent, |list| list.rows.len() == 2 * EACH).await;
    (agent, list)
}

/// Signals of the watchers to all visitors, as fast as they are answered.
pub struct Load {
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
pub struct Told {
    sent: Vec<Sent>,
    /// How often a page got each signal.
    got: HashMap<String, usize>,
    pub refused: usize,
}

impl Load {
    pub fn begin<K>(scene: &mut Scene<K>) -> Self {
        let stop = watch::Sender::new(false);
        let pages = std::mem::take(&mut scene.pages).into_iter();
        let pages = pages.map(|page| tokio::spawn(reads(page, stop.subscribe()))).collect();
        let senders = scene.readers.drain(..).map(|(agent, _)| agent);
        let senders = senders.map(|agent| tokio::spawn(sends(agent, stop.subscribe()))).collect();
        Self { stop, pages, senders }
    }

    /// No more signals are sent; those that were have their outcomes.
    pub async fn end<K>(self, scene: &mut Scene<K>) -> Told {
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
    pub fn is_sound(&self, what: &str) {
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
