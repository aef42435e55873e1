//! Nodes, their ways to the server, and what breaks. Which records they keep, what happens to these and what must hold is
//! the part of whoever simulates; see [`Stage`].

use std::sync::Arc;

use parking_lot::Mutex;
use rand::{SeedableRng as _, rngs::SmallRng};

use super::{
    node::{Node, Said},
    server::{Made, Server},
};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{
        Expect, Reader, Record, Sink,
        shared::{
            core::{Action, Core, Work},
            message,
            question::{Answer, Target, Ticket},
        },
    },
};

/// Hears what the nodes and the server do.
pub(crate) trait Stage<R: Record>: Send {
    /// What follows from a transition has come to a node.
    fn delivered(&mut self, node: NodeId, key: R::Key, effects: Vec<R::Effect>);

    /// The server has made a transition, for which a node asked at this moment.
    fn made(&mut self, _made: &Made<R::Key>, _asked: Timestamp, _now: Timestamp) {}
}

pub(crate) struct World<R: Record, S> {
    pub(crate) random: SmallRng,
    pub(crate) now: Timestamp,
    pub(crate) server: Server<R::Key>,
    pub(crate) nodes: Vec<Node<R>>,
    /// Incarnations that are gone, with what they did until then.
    pub(crate) gone: Vec<Node<R>>,
    pub(crate) stage: Arc<Mutex<S>>,
    rules: Arc<R::Rules>,
    /// How many records a node remembers.
    remembers: usize,
    /// How many there may be.
    most: usize,
    incarnations: u64,
}

impl<R: Record, S: Stage<R>> World<R, S> {
    pub(crate) fn new(
        random: SmallRng,
        nodes: usize,
        (remembers, most): (usize, usize),
        rules: R::Rules,
        stage: S,
    ) -> Self {
        let mut world = Self {
            random,
            now: Timestamp(1_000_000),
            server: Server::new(),
            nodes: Vec::new(),
            gone: Vec::new(),
            stage: Arc::new(Mutex::new(stage)),
            rules: Arc::new(rules),
            remembers,
            most,
            incarnations: 0,
        };
        for at in 0..nodes {
            let node = world.node(at);
            world.nodes.push(node);
            world.renew(at);
        }
        world
    }

    pub(super) fn node(&mut self, at: usize) -> Node<R> {
        self.incarnations += 1;
        let node = u32::try_from(at).unwrap();
        let id = NodeId { node, incarnation: self.incarnations };
        Node::new(id, Arc::clone(&self.rules), (self.remembers, self.most))
    }

    /// A node's core acts, and what it wants to be done is done.
    pub(super) fn with(
        &mut self,
        at: usize,
        act: impl FnOnce(&mut Core<R>, Timestamp, &mut Work<'_, R>),
    ) {
        let (now, node) = (self.now, &mut self.nodes[at]);
        for action in node.act(|core, work| act(core, now, work), now) {
            match action {
                Action::Tell(sink, result) => sink(result),
                Action::Go(then) => then(),
                Action::Deliver(key, effects, _) => {
                    self.stage.lock().delivered(node.id, key, effects);
                }
                Action::Ask(_) | Action::Restated(_) => {}
            }
        }
    }

    pub(crate) fn submit(
        &mut self,
        at: usize,
        key: R::Key,
        command: R::Command,
        sink: Sink<R::Reply>,
    ) {
        self.with(at, |core, now, work| core.submit(key, Expect::Any, command, sink, now, work));
    }

    pub(crate) fn read(&mut self, at: usize, key: R::Key, reader: Reader<R>) {
        self.with(at, |core, now, work| core.read(key, reader, now, work));
    }

    /// The node listens to a name from its next question on.
    pub(crate) fn listen(&mut self, at: usize, name: String) {
        let node = &mut self.nodes[at];
        node.names.insert(name.clone());
        node.up.push_back((self.now, Said::Listen(name)));
    }

    pub(crate) fn unlisten(&mut self, at: usize, name: String) {
        let node = &mut self.nodes[at];
        node.names.remove(&name);
        node.up.push_back((self.now, Said::Unlisten(name)));
    }

    /// The node learns what the server's data are marked with.
    pub(crate) fn renew(&mut self, at: usize) {
        let (mark, node) = (self.server.mark, &mut self.nodes[at]);
        if std::mem::replace(&mut node.mark, mark) != mark {
            node.restated = None;
            let mark = self.server.mark();
            self.with(at, |core, now, work| core.mend(mark, now, work));
        }
    }

    /// A node that has restated what it knows goes on.
    pub(crate) fn conclude(&mut self, at: usize) {
        if let Some((era, _)) = self.nodes[at].restated {
            self.with(at, |core, now, work| core.mended(era, now, work));
        }
    }

    /// Since when a node has restated what it knows under the server's mark.
    pub(crate) fn restated(&self, at: usize) -> Option<Timestamp> {
        let node = &self.nodes[at];
        node.restated.filter(|_| node.mark == self.server.mark).map(|(_, at)| at)
    }

    /// Whether all nodes have restated what they know under the server's mark.
    pub(crate) fn is_repaired(&self) -> bool {
        self.nodes.iter().all(|node| node.has_restated(self.server.mark))
    }

    /// The server does the next thing that a node asked for.
    pub(crate) fn serve(&mut self, at: usize) {
        let Some((asked, said)) = self.nodes[at].up.pop_front() else { return };
        if let Some(answer) = self.hear_out(said, self.nodes[at].id, asked) {
            self.nodes[at].answers.push_back((self.now, answer));
        }
    }

    fn hear_out(
        &mut self,
        said: Said<R::Key>,
        from: NodeId,
        asked: Timestamp,
    ) -> Option<(Ticket, Answer)> {
        let ask = match said {
            Said::Ask(ask) => *ask,
            Said::Listen(name) => {
                self.server.listeners.entry(name).or_default().insert(from);
                return None;
            }
            Said::Unlisten(name) => {
                self.server.listeners.entry(name).or_default().remove(&from);
                return None;
            }
        };
        let served = self.server.answer::<R>(ask, from, self.now);
        if let Some(made) = &served.made {
            self.stage.lock().made(made, asked, self.now);
        }
        for (target, message) in served.told {
            let listeners = match &target {
                Target::Listeners(name) => self.server.listeners.get(name),
                _ => None,
            };
            for node in &mut self.nodes {
                let hears = match &target {
                    Target::Node(id) => *id == node.id,
                    Target::Everyone => true,
                    Target::Listeners(_) => listeners.is_some_and(|all| all.contains(&node.id)),
                };
                if hears {
                    node.messages.push_back((self.now, message.clone()));
                }
            }
        }
        Some(served.answer)
    }

    /// The server does what those asked for who are gone.
    pub(crate) fn serve_the_gone(&mut self) {
        for at in 0..self.gone.len() {
            while let Some((asked, said)) = self.gone[at].up.pop_front() {
                self.hear_out(said, self.gone[at].id, asked);
            }
        }
    }

    /// The next answer reaches a node.
    pub(crate) fn be_answered(&mut self, at: usize) {
        let Some((_, (ticket, answer))) = self.nodes[at].answers.pop_front() else { return };
        if answer == Answer::Lost {
            self.renew(at);
        }
        self.with(at, |core, now, work| core.answered(ticket, answer, now, work));
    }

    /// The next message reaches a node.
    pub(crate) fn hear(&mut self, at: usize) {
        if let Some((_, bytes)) = self.nodes[at].messages.pop_front() {
            let message = message::decode(&bytes).unwrap();
            self.with(at, |core, now, work| core.heard(message, now, work));
        }
    }

    /// The node waits no longer for an answer; what it asked for happens all the same.
    pub(crate) fn lose_patience(&mut self, at: usize) {
        let last = self.nodes[at].up.back();
        if let Some((_, Said::Ask(ask))) = last {
            let ticket = ask.ticket();
            self.with(at, |core, now, work| core.answered(ticket, Answer::Away, now, work));
        }
    }

    /// Timers of all nodes.
    pub(crate) fn run_due(&mut self, at: usize) {
        self.with(at, |core, now, work| core.run_due(now, work));
    }

    /// A node looks for what is due.
    pub(crate) fn sweep(&mut self, at: usize, before: Timestamp) {
        let due = self.server.data.due.iter().filter(|(_, due)| **due <= before);
        let due: Vec<R::Key> = due.map(|(key, _)| key.clone()).collect();
        for key in due {
            self.with(at, |core, now, work| core.due(key, Box::new(|_| ()), now, work));
        }
    }

    /// A survivor looks for what ended nodes hold.
    pub(crate) fn let_go(&mut self, at: usize, is_ended: impl Fn(NodeId) -> bool) {
        let orphans = self.server.data.held.iter().filter(|(node, _)| is_ended(*node));
        let orphans: Vec<(NodeId, R::Key)> = orphans.cloned().collect();
        for (node, key) in orphans {
            let record = self.record(&key);
            if record.is_none_or(|record| !record.holders().contains(&node)) {
                self.server.data.held.remove(&(node, key));
            } else if let Some(lost) = R::lost(node) {
                self.submit(at, key, lost, Box::new(|_| ()));
            }
        }
    }

    /// A node looks at what the server's list says that it holds.
    pub(crate) fn check_held(&mut self, at: usize) {
        let id = self.nodes[at].id;
        let held = self.server.data.held.iter().filter(|(node, _)| *node == id);
        let keys: Vec<R::Key> = held.map(|(_, key)| key.clone()).collect();
        self.with(at, |core, now, work| core.check_held(keys, now, work));
    }

    /// The record as the server has it.
    pub(crate) fn record(&self, key: &R::Key) -> Option<R> {
        self.server.record(key).1
    }

    /// The node finds out whether the server is back.
    pub(crate) fn try_again(&mut self, at: usize) {
        self.with(at, |core, now, work| core.try_again(false, now, work));
    }

    /// What the server's data are marked with.
    pub(crate) fn mark(&self) -> u64 {
        self.server.mark
    }

    /// Whether a node listens to a name.
    pub(crate) fn listens(&self, at: usize, name: &str) -> bool {
        self.nodes[at].names.contains(name)
    }

    /// The node asks for a word once more, if it waits for one.
    pub(crate) fn listen_again(&mut self, at: usize) {
        self.with(at, |core, now, work| core.listen(now, work));
    }

    /// Whether the latest version of a record is known neither to the server nor to anybody who is left.
    pub(crate) fn is_damaged(&self, key: &R::Key) -> bool {
        let Some((latest, is_gone)) = self.server.latest.get(key) else { return false };
        let known = self.nodes.iter().map(|node| node.core.known_version(key));
        let known = known.fold(self.server.latest_version(key), Option::max);
        // Of a record that has ended nobody needs to know anything.
        known.as_ref() < Some(latest) && (known.is_some() || !is_gone)
    }

    /// Whether a node knows anything of a record.
    pub(crate) fn knows(&self, at: usize, key: &R::Key) -> bool {
        self.nodes[at].core.known_version(key).is_some()
    }

    /// Who knows which version of a record, for whoever traces a run.
    pub(crate) fn versions(&self, key: &R::Key) -> String {
        let known = self.nodes.iter().map(|node| node.core.known_version(key));
        let known: Vec<_> = known.collect();
        format!(
            "{:?}, {:?}, {known:?}",
            self.server.latest.get(key),
            self.server.record::<R>(key).0
        )
    }

    /// What was said to the server, by it or about it and is older than `before` goes on its way.
    pub(crate) fn hurry(&mut self, at: usize, before: Timestamp) {
        let is_late = |waits: Option<Timestamp>| waits.is_some_and(|since| since <= before);
        while is_late(self.nodes[at].up.front().map(|(since, _)| *since)) {
            self.serve(at);
        }
    }

    /// Likewise what comes to a node.
    pub(crate) fn catch_up(&mut self, at: usize, before: Timestamp) {
        let is_late = |waits: Option<Timestamp>| waits.is_some_and(|since| since <= before);
        while is_late(self.nodes[at].answers.front().map(|(since, _)| *since)) {
            self.be_answered(at);
        }
        while is_late(self.nodes[at].messages.front().map(|(since, _)| *since)) {
            self.hear(at);
        }
    }

    /// Since when a node waits for the server to do what it asked for first.
    pub(crate) fn asked(&self, at: usize) -> Option<Timestamp> {
        self.nodes[at].up.front().map(|(since, _)| *since)
    }

    /// Whether nothing is under way.
    pub(crate) fn is_quiet(&self) -> bool {
        self.nodes.iter().all(Node::is_quiet)
    }

    /// Nothing breaks any more, and all that is under way comes to its end, in no time.
    pub(crate) fn settle(&mut self) {
        for _ in 0..10_000 {
            for at in 0..self.nodes.len() {
                self.renew(at);
                if self.is_repaired() {
                    self.conclude(at);
                }
                self.with(at, |core, now, work| core.listen(now, work));
                self.try_again(at);
                self.serve(at);
                self.hear(at);
                self.be_answered(at);
            }
            if self.is_quiet() {
                return;
            }
        }
        panic!("the nodes do not come to rest");
    }
}

/// The random numbers of a seed.
pub(crate) fn random(seed: u64) -> SmallRng {
    SmallRng::seed_from_u64(seed)
}
