//! What an engine and a node count, for metrics.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What a node's connection to the server carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeFigures {
    /// Commands sent. A script counts as one.
    pub commands: u64,
    /// Bytes of these.
    pub bytes_sent: u64,
    /// Messages that came on the node's channels.
    pub messages: u64,
    /// Bytes of these.
    pub bytes_heard: u64,
    /// How often the channels of a part of the data were there again after a cut.
    pub cuts: u64,
    /// Parts of the data whose server does not answer now. One server has all in one part.
    pub parts_away: u64,
    /// Nodes that have a lease, this one among them.
    pub nodes: u64,
    /// Bytes of letters of all kinds that wait to be sent.
    pub letter_bytes: u64,
    /// Letters that were refused, or that nobody knows to have been sent.
    pub letters_lost: u64,
    /// Letters of other nodes, and words of cuts, that were dropped because this one was too far behind.
    pub letters_missed: u64,
}

/// The engine's own counters, and what it last said of itself.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) conflicts: AtomicU64,
    pub(super) away: AtomicU64,
    pub(super) missed: AtomicU64,
    pub(super) under_way: AtomicU64,
    /// Records that the node remembers.
    pub(super) records: AtomicU64,
    /// Records that the server has, as far as the node knows.
    pub(super) there: AtomicU64,
    pub(super) timers: AtomicU64,
}

/// The connection's counters.
#[derive(Default)]
pub(super) struct Traffic {
    pub(super) commands: AtomicU64,
    pub(super) bytes_sent: AtomicU64,
    pub(super) messages: AtomicU64,
    pub(super) bytes_heard: AtomicU64,
    pub(super) cuts: AtomicU64,
    pub(super) parts_away: AtomicU64,
    pub(super) nodes: AtomicU64,
    pub(super) letter_bytes: AtomicU64,
    pub(super) letters_lost: AtomicU64,
    /// Of those who hear letters.
    pub(super) letters: Arc<Counts>,
}

impl Traffic {
    pub(super) fn figures(&self) -> NodeFigures {
        let Self { commands, bytes_sent, messages, bytes_heard, cuts, parts_away, nodes, .. } =
            self;
        NodeFigures {
            commands: read(commands),
            bytes_sent: read(bytes_sent),
            messages: read(messages),
            bytes_heard: read(bytes_heard),
            cuts: read(cuts),
            parts_away: read(parts_away),
            nodes: read(nodes),
            letter_bytes: read(&self.letter_bytes),
            letters_lost: read(&self.letters_lost),
            letters_missed: read(&self.letters.missed),
        }
    }
}

pub(super) fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

pub(super) fn add(counter: &AtomicU64, number: usize) {
    counter.fetch_add(number as u64, Ordering::Relaxed);
}

pub(super) fn subtract(gauge: &AtomicU64, number: usize) {
    gauge.fetch_sub(number as u64, Ordering::Relaxed);
}

pub(super) fn set(gauge: &AtomicU64, number: usize) {
    gauge.store(number as u64, Ordering::Relaxed);
}
