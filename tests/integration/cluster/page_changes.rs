//! Visitors who change pages, each time on any node, while agents of all nodes send them signals and watch them. The long
//! form is `make page-changes`.

use std::{
    cell::Cell,
    collections::HashMap,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use rand::RngExt as _;
use serde_json::{Value, json};

use crate::support::{Closed, SOON, Server, Socket};

const VISITORS: usize = 40;
const GRACE: Duration = Duration::from_secs(3);
/// A page that stays for so long outlasts the grace of the change before: a leave that is told falsely is told by then.
const REST: Duration = Duration::from_secs(4);
/// How long other pages stay at most, in milliseconds.
const STAY: u64 = 200;
/// How long a sender pauses at most, in milliseconds.
const PAUSE: u64 = 30;

#[tokio::test]
async fn page_changes_that_land_anywhere_are_no_leaves_and_lose_no_signal() {
    let changes: usize = std::env::var("VESTIBULE_TEST_PAGE_CHANGES")
        .map_or(400, |number| number.parse().expect("a number of page changes"));
    let Some(nodes) = Server::nodes_with::<3>(&[
        ("presence.grace_ms", &GRACE.as_millis().to_string()),
        // A machine that stands still makes nobody miss a signal.
        ("presence.signal_window_ms", "60000"),
        ("presence.ack_ms", "60000"),
    ]) else {
        return;
    };
    let mut visitors = Vec::new();
    for number in 0..VISITORS {
        visitors.push(Visitor::comes(&nodes, number).await);
    }
    let mut agents = Vec::new();
    for node in &nodes {
        let mut agent = node.agent().await;
        for number in 0..VISITORS {
            assert_eq!(agent.watch(&name(number)).await, Some(1));
        }
        agents.push(agent);
    }
    let (changing, sending) = (Cell::new(VISITORS), Cell::new(agents.len()));
    let times = |number| changes / VISITORS + usize::from(number < changes % VISITORS);
    let visits = visitors.iter_mut().enumerate().map(|(number, visitor)| {
        let (changing, sending) = (&changing, &sending);
        let nodes = &nodes;
        async move {
            for _ in 0..times(number) {
                visitor.changes(nodes).await;
            }
            changing.set(changing.get() - 1);
            visitor.stays(nodes, || sending.get() > 0).await;
        }
    });
    let sent = agents.iter_mut().map(|agent| {
        let (changing, sending) = (&changing, &sending);
        async move {
            let sent = sends(agent, || changing.get() > 0).await;
            sending.set(sending.get() - 1);
            sent
        }
    });
    let (_, sent) = tokio::join!(join_all(visits), join_all(sent));
    is_sound(&visitors, &sent);
    for visitor in &visitors {
        let path = format!("/v1/groups/12345/visitors/{}", visitor.name);
        let (_, view) = any(&nodes).rest("GET", &path, None).await;
        assert_eq!((&view["sockets"], &view["epoch"]), (&json!(1), &visitor.epoch), "{view}");
    }
}

fn name(number: usize) -> String {
    format!("v{number}")
}

fn any(nodes: &[Server; 3]) -> &Server {
    &nodes[rand::rng().random_range(0..3)]
}

struct Visitor {
    name: String,
    /// How often his page was told that a newer one has its tab, as nodes do whose clocks differ: then it takes another.
    superseded: usize,
    /// `None` between two pages.
    page: Option<Socket>,
    epoch: Value,
    /// How often a page of his got each signal.
    got: HashMap<String, usize>,
    /// What his page got: the next one says so.
    seen: Vec<String>,
    changes: usize,
    /// Changes that took longer than the grace: after such a one a leave is true.
    slow: usize,
    /// How often he had left, by what his pages were told.
    had_left: usize,
    slowest: Duration,
}

impl Visitor {
    async fn comes(nodes: &[Server; 3], number: usize) -> Self {
        let mut visitor = Self {
            name: name(number),
            superseded: 0,
            page: None,
            epoch: Value::Null,
            got: HashMap::new(),
            seen: Vec::new(),
            changes: 0,
            slow: 0,
            had_left: 0,
            slowest: Duration::ZERO,
        };
        let page = visitor.opens(nodes).await;
        visitor.epoch = page.welcome["epoch"].clone();
        visitor.page = Some(page);
        visitor
    }

    /// Opens a page on any node, which says what the last one had seen.
    async fn opens(&mut self, nodes: &[Server; 3]) -> Socket {
        let seen = std::mem::take(&mut self.seen);
        let seen: Vec<_> = seen.iter().map(String::as_str).collect();
        loop {
            let tab = format!("t{}", self.superseded);
            let mut page = any(nodes).page(&self.name, &tab).having_seen(&seen).greets().await;
            match page.next_or_close().await {
                Ok(welcome) => {
                    assert_eq!(welcome["type"], "welcome", "{welcome}");
                    page.welcome = welcome;
                    return page;
                }
                Err(closed) => self.is_superseded(&closed),
            }
        }
    }

    fn is_superseded(&mut self, closed: &Closed) {
        assert_eq!(closed.code, 4006, "{closed:?}");
        self.superseded += 1;
    }

    /// Stays on his page for a while, then goes to another one.
    async fn changes(&mut self, nodes: &[Server; 3]) {
        let stay = match rand::rng().random_range(0..8) {
            0 => REST,
            _ => Duration::from_millis(rand::rng().random_range(0..STAY)),
        };
        self.reads(nodes, Instant::now() + stay, false).await;
        let page = self.page.take().unwrap();
        let begun = Instant::now();
        match rand::rng().random_range(0..3) {
            0 => {
                drop(page);
                self.comes_to(nodes, begun).await;
            }
            1 => {
                page.goes().await;
                self.comes_to(nodes, begun).await;
            }
            _ => {
                self.comes_to(nodes, begun).await;
                drop(page);
            }
        }
        self.changes += 1;
    }

    /// The next page comes in place of the one that he had until then.
    async fn comes_to(&mut self, nodes: &[Server; 3], begun: Instant) {
        let page = self.opens(nodes).await;
        let took = begun.elapsed();
        self.slowest = self.slowest.max(took);
        self.slow += usize::from(took >= GRACE);
        self.had_left += usize::from(page.welcome["epoch"] != self.epoch);
        self.epoch = page.welcome["epoch"].clone();
        self.page = Some(page);
    }

    /// Stays on his last page.
    async fn stays(&mut self, nodes: &[Server; 3], is_on: impl Fn() -> bool) {
        while is_on() {
            if !self.seen.is_empty() {
                let ack = json!({"type": "ack", "ids": std::mem::take(&mut self.seen)});
                self.page.as_mut().unwrap().say(ack).await;
            }
            self.reads(nodes, Instant::now() + Duration::from_millis(50), true).await;
        }
    }

    /// Takes signals. Not each is acknowledged on a page that will go.
    async fn reads(&mut self, nodes: &[Server; 3], until: Instant, is_last: bool) {
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let left = u64::try_from(left.as_millis()).unwrap();
            let message = match self.page.as_mut().unwrap().heard_within(left).await {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(closed) => {
                    let begun = Instant::now();
                    self.is_superseded(&closed);
                    self.comes_to(nodes, begun).await;
                    continue;
                }
            };
            if message["type"] != "signal" {
                continue;
            }
            let id = message["id"].as_str().unwrap().to_owned();
            if is_last || rand::rng().random_range(0..4) > 0 {
                let ack = json!({"type": "ack", "ids": [id]});
                self.page.as_mut().unwrap().say(ack).await;
            }
            *self.got.entry(id.clone()).or_default() += 1;
            self.seen.push(id);
        }
    }
}

/// What an agent sent and heard.
#[derive(Default)]
struct Sent {
    accepted: Vec<String>,
    refused: usize,
    outcomes: HashMap<String, Vec<Value>>,
    /// By visitor.
    leaves: HashMap<String, usize>,
}

impl Sent {
    async fn hears(&mut self, agent: &mut Socket, until: Instant) {
        while let Some(left) = until.checked_duration_since(Instant::now()) {
            let left = u64::try_from(left.as_millis()).unwrap();
            let Some(message) = agent.hear_within(left).await else { return };
            let data = &message["data"];
            if message["type"] == "signaloutcome" {
                let id = data["id"].as_str().unwrap().to_owned();
                self.outcomes.entry(id).or_default().push(data["outcome"].clone());
            } else if message["type"] == "visitorconn" && data["connected"] == false {
                let visitor = message["visitorid"].as_str().unwrap().to_owned();
                *self.leaves.entry(visitor).or_default() += 1;
            }
        }
    }
}

/// Sends signals to any visitor until all have made their changes; then hears for as long as leaves may be told of, and until
/// all outcomes are there.
async fn sends(agent: &mut Socket, is_on: impl Fn() -> bool) -> Sent {
    let mut sent = Sent::default();
    while is_on() {
        let to = name(rand::rng().random_range(0..VISITORS));
        let answer = agent.ask(json!({"type": "signal", "visitorid": to, "data": "hello"})).await;
        if answer["type"] == "ok" {
            sent.accepted.push(answer["id"].as_str().unwrap().to_owned());
        } else {
            assert_eq!(answer["code"], "toomany", "{answer}");
            sent.refused += 1;
        }
        let pause = Duration::from_millis(rand::rng().random_range(0..PAUSE));
        sent.hears(agent, Instant::now() + pause).await;
    }
    sent.hears(agent, Instant::now() + REST).await;
    let end = Instant::now() + SOON;
    while sent.outcomes.len() < sent.accepted.len() && Instant::now() < end {
        sent.hears(agent, Instant::now() + Duration::from_millis(50)).await;
    }
    sent
}

fn is_sound(visitors: &[Visitor], sent: &[Sent]) {
    let sum = |of: fn(&Visitor) -> usize| visitors.iter().map(of).sum::<usize>();
    let (changes, slow) = (sum(|visitor| visitor.changes), sum(|visitor| visitor.slow));
    let accepted: usize = sent.iter().map(|sent| sent.accepted.len()).sum();
    let refused: usize = sent.iter().map(|sent| sent.refused).sum();
    let leaves: usize = sent.iter().flat_map(|sent| sent.leaves.values()).sum();
    let slowest = visitors.iter().map(|visitor| visitor.slowest).max().unwrap();
    let superseded = sum(|visitor| visitor.superseded);
    println!(
        "{changes} page changes, the slowest in {slowest:?}, {slow} longer than the grace, {superseded} superseded by the \
         page before: {leaves} leaves told of; {accepted} signals accepted, {refused} refused"
    );
    assert!(slow * 4 <= changes, "too slow a machine: {slow} of {changes}, up to {slowest:?}");
    for visitor in visitors {
        for sent in sent {
            let leaves = sent.leaves.get(&visitor.name).copied().unwrap_or_default();
            assert!(leaves <= visitor.slow, "{leaves} leaves told of {}", visitor.name);
        }
        assert!(visitor.had_left <= visitor.slow, "{} came anew", visitor.name);
    }
    let mut got: HashMap<&str, usize> = HashMap::new();
    for (id, times) in visitors.iter().flat_map(|visitor| &visitor.got) {
        *got.entry(id).or_default() += times;
    }
    for sent in sent {
        assert!(!sent.accepted.is_empty(), "nothing was sent");
        for id in &sent.accepted {
            assert_eq!(got.remove(id.as_str()), Some(1), "{id} came so often");
            let outcomes = sent.outcomes.get(id).map(Vec::as_slice);
            assert_eq!(outcomes, Some(&[json!("delivered")][..]), "{id}");
        }
    }
    assert_eq!(got, HashMap::new(), "came, and were not accepted");
}
