//! What one node knows of one group's topics: its subscriptions, how fast it publishes, and what waits.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::{Mutex, RwLock};

use super::{
    figures::Figures, publishing::Queue, record::GroupRules, subscription::Subscription, trie::Trie,
};
use crate::{limits::Pace, model::topic::Position};

/// One group's topics on this node.
pub struct GroupHub {
    /// What the group wants kept.
    pub rules: GroupRules,
    pub(super) trie: RwLock<Trie<Arc<Subscription>>>,
    /// Those that are in force, and those that will be.
    pub(super) reserved: Mutex<usize>,
    pub(super) paces: Mutex<Paces>,
    /// The last kept message that this node heard of.
    pub(super) heard: Mutex<Option<Position>>,
    /// How often this node may have heard nothing for a while.
    gaps: AtomicU64,
    /// Messages that wait for the engine.
    pub(super) queue: Mutex<Queue>,
    /// Whether this node has had to do with what is kept of it.
    is_in_use: AtomicBool,
    /// What was kept when this was asked for last, where several nodes keep it.
    pub(super) kept: Mutex<Figures>,
}

impl GroupHub {
    /// Nobody has subscribed.
    pub(super) fn new(rules: GroupRules) -> Self {
        let (trie, reserved, paces, heard, gaps) = Default::default();
        let (queue, is_in_use, kept) = Default::default();
        Self { rules, trie, reserved, paces, heard, gaps, queue, is_in_use, kept }
    }

    /// How often this node may have heard nothing for a while.
    pub(super) fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Acquire)
    }

    /// From now on this node has to do with what is kept of it.
    pub(super) fn use_it(&self) {
        if !self.is_in_use.load(Ordering::Relaxed) {
            self.is_in_use.store(true, Ordering::Relaxed);
        }
    }

    /// There was a moment in which this node may have heard nothing.
    pub(super) fn count_gap(&self) {
        self.gaps.fetch_add(1, Ordering::AcqRel);
    }

    /// Whether this node has had to do with what is kept of it.
    pub(super) fn is_in_use(&self) -> bool {
        self.is_in_use.load(Ordering::Relaxed)
    }

    /// Whether all of its messages are kept for a time.
    pub(super) fn keeps(&self) -> bool {
        self.rules.history > 0
    }
}

#[derive(Default)]
pub(super) struct Paces {
    pub(super) all: Pace,
    pub(super) visitors: Pace,
}
