//! Which record is due when, in this process. Each record has at most one entry that counts; an entry that no longer does is passed
//! over when its time comes.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::clock::Timestamp;

/// Entries by time, earliest first.
pub(super) struct Timers<K: Ord> {
    heap: BinaryHeap<Reverse<(Timestamp, K)>>,
}

impl<K: Ord> Default for Timers<K> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new() }
    }
}

impl<K: Ord> Timers<K> {
    pub(super) fn push(&mut self, at: Timestamp, key: K) {
        self.heap.push(Reverse((at, key)));
    }

    pub(super) fn len(&self) -> usize {
        self.heap.len()
    }

    /// When the earliest entry is due; it may no longer count.
    pub(super) fn first(&self) -> Option<Timestamp> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// The earliest entry, if it is due.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, K)> {
        if self.heap.peek().is_none_or(|Reverse((at, _))| *at > now) {
            if self.heap.capacity() > 1024 && self.heap.len() < self.heap.capacity() / 4 {
                self.heap.shrink_to(self.heap.len() * 2);
            }
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry)
    }
}
