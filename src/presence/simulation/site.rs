//! Hears what nodes and server do, and brings it to pages and agents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::people::{Agent, Page, Person, Sent};
use crate::{
    clock::Timestamp,
    model::{
        event::Event,
        ids::{NodeId, SignalId, SocketAddress, VisitorKey},
        signal::Outcome,
    },
    presence::visitor::{Rules, Visitor, command::Reply, effect::Effect},
    store::{
        Applied, Refusal,
        shared::simulation::{Made, Stage},
    },
};

/// The answer to a command.
pub(super) type Answer = Result<Applied<Reply>, Refusal>;

/// What an answer is for.
#[derive(Clone, Debug)]
pub(super) enum Asked {
    Connect(SocketAddress),
    Listen(SocketAddress),
    Acknowledge(SocketAddress, Vec<SignalId>),
    Close(usize, SocketAddress),
    Attach { agent: usize, person: usize, socket: SocketAddress },
    Signal { number: usize, id: SignalId, since: Timestamp },
    Other,
}

pub(super) struct Site {
    pub(super) rules: Rules,
    pub(super) now: Timestamp,
    pub(super) people: Vec<Person>,
    pub(super) agents: Vec<Agent>,
    pub(super) sent: Vec<Sent>,
    pub(super) number_by_id: BTreeMap<SignalId, usize>,
    pub(super) answers: VecDeque<(Asked, Answer)>,
    /// Nodes that do nothing for anybody.
    pub(super) dead: BTreeSet<NodeId>,
    /// When something broke last that shows beyond the one who is there: until then, whoever waits may wait longer.
    pub(super) troubled: Timestamp,
    /// Likewise of single nodes: asleep, or cut off.
    pub(super) troubled_nodes: BTreeMap<usize, Timestamp>,
    is_traced: bool,
}

impl Site {
    pub(super) fn new(rules: Rules, now: Timestamp) -> Self {
        Self {
            rules,
            now,
            people: Vec::new(),
            agents: Vec::new(),
            sent: Vec::new(),
            number_by_id: BTreeMap::new(),
            answers: VecDeque::new(),
            dead: BTreeSet::new(),
            troubled: now,
            troubled_nodes: BTreeMap::new(),
            is_traced: std::env::var_os("SEED").is_some(),
        }
    }

    /// Tells whoever repeats one seed what happens.
    pub(super) fn trace(&self, what: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!("{} {}", self.now.0, what());
        }
    }

    pub(super) fn page(&mut self, socket: SocketAddress) -> Option<&mut Page> {
        let tabs = self.people.iter_mut().flat_map(|person| &mut person.tabs);
        tabs.filter_map(|tab| tab.page.as_mut()).find(|page| page.socket == socket)
    }

    /// From now on a node does nothing for anybody, and its pages are not there, whether they know it or not.
    pub(super) fn died(&mut self, node: NodeId) {
        if !self.dead.insert(node) {
            return;
        }
        for person in &mut self.people {
            let is_there = |page: &Page| page.socket.node == node && page.welcomed.is_some();
            if person.pages().any(is_there) {
                person.last_there = self.now;
            }
        }
    }

    /// Whether no page has anything to do.
    pub(super) fn is_quiet(&self) -> bool {
        let mut pages = self.people.iter().flat_map(Person::pages);
        pages.all(|page| page.inbox.is_empty() && page.owed.is_empty())
    }

    pub(super) fn person(&self, key: &VisitorKey) -> usize {
        self.people.iter().position(|person| person.key == *key).unwrap()
    }

    fn watched(&mut self, node: NodeId, person: usize, event: &Event) {
        if self.people[person].is_damaged {
            return;
        }
        let agents = self.agents.iter_mut().filter(|agent| agent.socket.node == node);
        let watches = agents.filter_map(|agent| agent.watches.get_mut(&person));
        watches.filter(|watch| watch.has_begun).for_each(|watch| watch.hear(event));
    }

    /// An answer comes. A watcher gets events from here on; what others make of theirs has time.
    pub(super) fn answered(&mut self, asked: Asked, answer: Answer) {
        let Asked::Attach { agent, person, socket } = asked else {
            return self.answers.push_back((asked, answer));
        };
        let asks = self.now + 500;
        let agent = &mut self.agents[agent];
        let is_same = agent.socket == socket;
        if let Some(watch) = agent.watches.get_mut(&person).filter(|_| is_same) {
            watch.has_begun |= answer.is_ok();
            watch.asks = answer.is_err().then_some(asks);
        }
    }

    /// Somebody is told what became of a signal.
    pub(super) fn told(&mut self, id: SignalId, outcome: Outcome) {
        let Some(number) = self.number_by_id.get(&id) else { return };
        let sent = &mut self.sent[*number];
        if self.people[sent.to].is_damaged {
            return;
        }
        let told = &mut sent.tries.entry(id).or_default().told;
        if outcome != Outcome::Held {
            assert!(told.is_none_or(|told| told == outcome), "{id}: {told:?}, then {outcome:?}");
            *told = Some(outcome);
        }
    }
}

impl Stage<Visitor> for Site {
    fn delivered(&mut self, node: NodeId, key: VisitorKey, effects: Vec<Effect>) {
        let (now, person) = (self.now, self.person(&key));
        for effect in effects {
            match effect {
                Effect::Page { to, message } if to.node == node => {
                    self.trace(|| format!("{to} is to get {message:?}"));
                    if let Some(page) = self.page(to) {
                        page.inbox.push_back((now, message));
                    }
                }
                Effect::Publish(event) => self.watched(node, person, &event),
                Effect::Present { to, event } if to.node == node => {
                    let is_damaged = self.people[person].is_damaged;
                    let agent = self.agents.iter_mut().find(|agent| agent.socket == to);
                    let watch = agent.and_then(|agent| agent.watches.get_mut(&person));
                    if let Some(watch) = watch.filter(|_| !is_damaged) {
                        watch.hear(&event);
                    }
                }
                Effect::Settled { to, id, outcome } if to.is_none_or(|to| to.node == node) => {
                    self.told(id, outcome);
                }
                _ => {}
            }
        }
    }

    fn made(&mut self, made: &Made<VisitorKey>, asked: Timestamp, now: Timestamp) {
        self.now = now;
        self.check_made(made, asked);
    }
}
