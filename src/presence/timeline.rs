//! Timelines: the newest things that happened to visitors' records, for whoever asks why.
//!
//! One ring for each part of the visitors, so that writers seldom meet. A ring is written on every transition and read
//! almost never, so it keeps no index: a reader looks through all of it. When it is full, what is oldest goes, whoever's
//! it is.

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
};

use parking_lot::Mutex;

use crate::{
    clock::Timestamp,
    model::{ids::SignalId, ids::VisitorKey, timeline::Entry},
};

/// Entries without a signal that are shown before the first of the signal that is asked for.
const CONTEXT: usize = 8;

/// What is remembered of all visitors.
pub struct Timelines {
    rings: Box<[Mutex<Ring>]>,
    hasher: RandomState,
    most_per_ring: usize,
}

#[derive(Default)]
struct Ring {
    entries: VecDeque<(VisitorKey, Entry)>,
    forgotten: Option<Timestamp>,
}

/// One visitor's timeline.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Oldest first.
    pub entries: Vec<Entry>,
    /// Whether older ones were left out.
    pub more: bool,
    /// When the newest thing that is forgotten happened, whoever's it was.
    pub forgotten: Option<Timestamp>,
}

impl Timelines {
    /// Nothing yet, in `rings` parts (at least one), for about `most` entries in all.
    #[must_use]
    pub fn new(rings: usize, most: usize) -> Self {
        let rings = rings.max(1);
        Self {
            rings: (0..rings).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            most_per_ring: most.div_ceil(rings),
        }
    }

    /// This happened to the record of `key`.
    pub fn add(&self, key: &VisitorKey, entry: Entry) {
        let Some(ring) = self.ring(key) else { return };
        let mut ring = ring.lock();
        while ring.entries.len() >= self.most_per_ring.max(1) {
            let oldest = ring.entries.pop_front();
            ring.forgotten = oldest.map(|(_, entry)| entry.time);
        }
        if self.most_per_ring == 0 {
            ring.forgotten = Some(entry.time);
        } else {
            ring.entries.push_back((key.clone(), entry));
        }
    }

    /// The newest of what is remembered of `key`, at most `limit` entries; of a signal: its own entries and what happened
    /// to the visitor's pages before and meanwhile.
    #[must_use]
    pub fn of(&self, key: &VisitorKey, signal: Option<SignalId>, limit: usize) -> Timeline {
        let Some(ring) = self.ring(key) else { return Timeline::default() };
        let (mut entries, forgotten) = {
            let ring = ring.lock();
            let own = ring.entries.iter().filter(|(of, _)| of == key);
            (own.map(|(_, entry)| entry.clone()).collect::<Vec<_>>(), ring.forgotten)
        };
        if let Some(signal) = signal {
            entries = about(entries, signal);
        }
        let left_out = entries.len().saturating_sub(limit);
        entries.drain(..left_out);
        Timeline { entries, more: left_out > 0, forgotten }
    }

    /// How many entries are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rings.iter().map(|ring| ring.lock().entries.len()).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn ring(&self, key: &VisitorKey) -> Option<&Mutex<Ring>> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default();
        self.rings.get(hash % self.rings.len())
    }
}

/// What of a visitor's timeline explains a signal.
fn about(entries: Vec<Entry>, signal: SignalId) -> Vec<Entry> {
    let is_own = |entry: &Entry| entry.note.signal() == Some(signal);
    let Some(first) = entries.iter().position(is_own) else { return Vec::new() };
    let last = entries.iter().rposition(is_own).unwrap_or(first);
    let before = entries.iter().take(first).rev().filter(|entry| entry.note.signal().is_none());
    let context = before.take(CONTEXT).count();
    let mut skip =
        entries.iter().take(first).filter(|entry| entry.note.signal().is_none()).count() - context;
    let until_then = entries.into_iter().take(last + 1);
    let kept = until_then.filter(|entry| match entry.note.signal() {
        Some(of) => of == signal,
        None if skip > 0 => {
            skip -= 1;
            false
        }
        None => true,
    });
    kept.collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::timeline::Note;

    fn key(visitor: u8) -> VisitorKey {
        VisitorKey {
            group: "12345".parse().unwrap(),
            visitor: format!("v{visitor}").parse().unwrap(),
        }
    }

    fn signal(number: u8) -> SignalId {
        SignalId::from_u128(number.into())
    }

    /// Signal 0 is none.
    fn entry(time: u64, number: u8) -> Entry {
        let note = match number {
            0 => Note::Returned,
            number => Note::SignalAccepted { signal: signal(number) },
        };
        Entry { time: Timestamp(time), note }
    }

    proptest! {
        #[test]
        fn a_timeline_is_the_newest_of_a_list_of_all(
            happened in prop::collection::vec((0_u8..4, 0_u8..3), 0..200),
            most in 0_usize..100,
            limit in 0_usize..50,
        ) {
            let timelines = Timelines::new(1, most);
            let mut all = Vec::new();
            for (time, (visitor, number)) in (0_u64..).zip(&happened) {
                timelines.add(&key(*visitor), entry(time, *number));
                all.push((*visitor, entry(time, *number)));
            }
            let kept = all.split_off(all.len().saturating_sub(most));
            prop_assert_eq!(timelines.len(), kept.len());
            for visitor in 0..4 {
                let own: Vec<_> = kept.iter().filter(|(of, _)| *of == visitor).collect();
                let own: Vec<_> = own.into_iter().map(|(_, entry)| entry.clone()).collect();
                let newest = own.len().saturating_sub(limit);
                let expected = Timeline {
                    entries: own[newest..].to_vec(),
                    more: newest > 0,
                    forgotten: all.last().map(|(_, entry)| entry.time),
                };
                prop_assert_eq!(timelines.of(&key(visitor), None, limit), expected);
                let of_signal = timelines.of(&key(visitor), Some(signal(1)), usize::MAX).entries;
                let is_own = |entry: &Entry| entry.note.signal() == Some(signal(1));
                let is_any = |entry: &Entry| entry.note.signal().is_none();
                prop_assert!(of_signal.iter().all(|entry| is_own(entry) || is_any(entry)));
                prop_assert_eq!(of_signal.last().map(is_own), own.iter().any(is_own).then_some(true));
                let count = |of: &[Entry]| of.iter().filter(|entry| is_own(entry)).count();
                prop_assert_eq!(count(&of_signal), count(&own), "all of the signal's");
                let before = of_signal.iter().take_while(|entry| is_any(entry)).count();
                let there = own.iter().take_while(|entry| !is_own(entry)).filter(|e| is_any(e));
                if !of_signal.is_empty() {
                    prop_assert_eq!(before, there.count().min(CONTEXT));
                }
            }
        }
    }
}
