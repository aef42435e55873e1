//! What breaks: ways to the server, nodes, and the server itself.

use rand::RngExt as _;

use super::{
    node::Said,
    server::MOST_LOST,
    world::{Stage, World},
};
use crate::store::{
    Record,
    shared::question::{Answer, Ticket},
};

impl<R: Record, S: Stage<R>> World<R, S> {
    /// The connection breaks, and is there again at once.
    pub(crate) fn cut(&mut self, at: usize) {
        self.break_off(at);
        self.mend_the_way(at);
    }

    /// The connection breaks: some of what was asked is done all the same, no answer comes, and nothing is heard.
    pub(crate) fn break_off(&mut self, at: usize) {
        for _ in 0..self.random.random_range(0..3) {
            self.serve(at);
        }
        let node = &mut self.nodes[at];
        node.was_cut = true;
        node.messages.clear();
        for listeners in self.server.listeners.values_mut() {
            listeners.remove(&node.id);
        }
        let asked = node.up.drain(..).filter_map(|(_, said)| match said {
            Said::Ask(ask) => Some(ask.ticket()),
            Said::Listen(_) | Said::Unlisten(_) => None,
        });
        let mut lost: Vec<Ticket> = asked.collect();
        lost.extend(node.answers.drain(..).map(|(_, (ticket, _))| ticket));
        for ticket in lost {
            self.with(at, |core, now, work| core.answered(ticket, Answer::Away, now, work));
        }
    }

    /// What a node without a connection asks for has no answer.
    pub(crate) fn ask_in_vain(&mut self, at: usize) {
        for _ in 0..self.nodes[at].up.len() {
            if let Some((_, Said::Ask(ask))) = self.nodes[at].up.pop_front() {
                let ticket = ask.ticket();
                self.with(at, |core, now, work| core.answered(ticket, Answer::Away, now, work));
            }
        }
    }

    /// The node has a connection again. Before it asks anything it renews its lease, and hears its channels.
    pub(crate) fn mend_the_way(&mut self, at: usize) {
        self.renew(at);
        let node = &self.nodes[at];
        for name in &node.names {
            self.server.listeners.entry(name.clone()).or_default().insert(node.id);
        }
        self.with(at, |core, now, work| {
            core.deaf(now, work);
            core.missed(now, work);
        });
    }

    /// A node ends without a word, and starts anew.
    pub(crate) fn crash(&mut self, at: usize) {
        for _ in 0..self.random.random_range(0..3) {
            self.serve(at);
        }
        self.nodes[at].up.clear();
        self.replace(at);
    }

    /// A node is gone, and another incarnation of it begins, which knows the server's mark when it has renewed its lease. What
    /// it asked last may come through later.
    pub(crate) fn replace(&mut self, at: usize) {
        let new = self.node(at);
        let old = std::mem::replace(&mut self.nodes[at], new);
        for listeners in self.server.listeners.values_mut() {
            listeners.remove(&old.id);
        }
        self.gone.push(old);
    }

    /// The server loses the last transitions, and nobody a connection. The clock of the one that goes on is so far behind.
    pub(crate) fn lose_the_last(&mut self, behind_ms: u64) {
        let number = self.random.random_range(1..=MOST_LOST);
        let left = self.server.without_the_last(number);
        self.server.go_on_with(left, behind_ms * 1_000);
    }

    /// The server loses all.
    pub(crate) fn flush(&mut self) {
        self.server.lose_all();
    }

    /// The server loses the last transitions, and everybody the connection to it. What the clock of the one that goes on
    /// says is of no use.
    pub(crate) fn fail_over(&mut self) {
        let number = self.random.random_range(0..=MOST_LOST);
        let left = self.server.without_the_last(number);
        for at in 0..self.nodes.len() {
            self.break_off(at);
        }
        self.server.go_on_with(left, u64::MAX);
        for at in 0..self.nodes.len() {
            self.mend_the_way(at);
        }
    }
}
