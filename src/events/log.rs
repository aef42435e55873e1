//! The last events of one group, for readers who come back. Pure: bounded by count and bytes, the oldest go first.

use std::{collections::VecDeque, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    cursor::{Cursor, Place},
    filter::Filter,
    item::Item,
};

/// Most events that one read looks at, so that a filter which nothing passes does not hold the log up.
const LOOKED_AT: usize = 4_096;

/// How much a log keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Events.
    pub events: usize,
    /// Bytes, see [`Item::weight`].
    pub bytes: usize,
}

/// The log.
#[derive(Clone, Debug)]
pub struct Log {
    life: u64,
    bounds: Bounds,
    items: VecDeque<Arc<Item>>,
    bytes: usize,
    /// The number of events that were ever appended: the offset of the next.
    next: u64,
}

/// Events were missed for good: what a reader knows of the visitors is to be read anew, beside this cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Reset {
    /// Why.
    pub reason: ResetReason,
}

/// Why events were missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ResetReason {
    /// They are older than what is kept.
    Forgotten,
    /// The cursor belongs to a log that is gone: the service ended without saving it.
    Restarted,
}

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Events before these were missed; where the reader was set to.
    pub reset: Option<(Reset, Cursor)>,
    /// Events in their order, each with the place behind it.
    pub items: Vec<(Cursor, Arc<Item>)>,
    /// The place behind all that was looked at.
    pub cursor: Cursor,
    /// Whether there is more to read at once.
    pub more: bool,
}

impl Log {
    /// An empty log.
    #[must_use]
    pub fn new(life: u64, bounds: Bounds) -> Self {
        Self { life, bounds, items: VecDeque::new(), bytes: 0, next: 0 }
    }

    /// A log that goes on where another process left off: `next` events were appended, these are the last of them.
    #[must_use]
    pub fn restored(life: u64, next: u64, items: Vec<Arc<Item>>, bounds: Bounds) -> Self {
        let bytes = items.iter().map(|item| item.weight()).sum();
        let mut log = Self { life, bounds, items: items.into(), bytes, next };
        log.next = log.next.max(log.items.len() as u64);
        log.keep_bounds();
        log
    }

    /// Begins anew, as another log: what comes next does not follow what was there.
    pub fn renew(&mut self, life: u64) {
        *self = Self::new(life, self.bounds);
    }

    /// Appends an event.
    pub fn append(&mut self, item: Arc<Item>) {
        self.bytes += item.weight();
        self.items.push_back(item);
        self.next += 1;
        self.keep_bounds();
    }

    fn keep_bounds(&mut self) {
        while self.items.len() > self.bounds.events || self.bytes > self.bounds.bytes {
            let Some(oldest) = self.items.pop_front() else { return };
            self.bytes -= oldest.weight();
        }
    }

    /// Reads at most `limit` events that pass the filter.
    #[must_use]
    pub fn read(&self, place: Place, limit: usize, filter: &Filter) -> Batch {
        let first = self.next - self.items.len() as u64;
        let reset = |reason| Some((Reset { reason }, self.at(first)));
        let (begin, reset) = match place {
            Place::Start => (first, None),
            Place::Now => (self.next, None),
            Place::At(Cursor { life, offset }) if life != self.life || offset > self.next => {
                (first, reset(ResetReason::Restarted))
            }
            Place::At(Cursor { offset, .. }) if offset < first => {
                (first, reset(ResetReason::Forgotten))
            }
            Place::At(Cursor { offset, .. }) => (offset, None),
        };
        let mut items = Vec::new();
        let mut end = begin;
        let skipped = usize::try_from(begin - first).unwrap_or(usize::MAX);
        for item in self.items.iter().skip(skipped).take(LOOKED_AT) {
            if items.len() == limit {
                break;
            }
            end += 1;
            if filter.wants(item) {
                items.push((self.at(end), Arc::clone(item)));
            }
        }
        Batch { reset, items, cursor: self.at(end), more: end < self.next }
    }

    fn at(&self, offset: u64) -> Cursor {
        Cursor { life: self.life, offset }
    }

    /// Which log this is.
    #[must_use]
    pub fn life(&self) -> u64 {
        self.life
    }

    /// How many events were ever appended.
    #[must_use]
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The events that are kept.
    pub fn items(&self) -> impl ExactSizeIterator<Item = &Arc<Item>> {
        self.items.iter()
    }

    /// What they weigh, bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::events::item::tests::item;

    const LIFE: u64 = 7;

    fn bounds(events: usize) -> Bounds {
        Bounds { events, bytes: usize::MAX }
    }

    fn at(offset: u64) -> Place {
        Place::At(Cursor { life: LIFE, offset })
    }

    fn sequences(batch: &Batch) -> Vec<u64> {
        batch.items.iter().map(|(_, item)| item.id.sequence).collect()
    }

    #[test]
    fn a_reader_who_fell_behind_is_told_and_goes_on_with_the_oldest() {
        let mut log = Log::new(LIFE, bounds(3));
        (1..=5).for_each(|sequence| log.append(item("ada", 1, sequence)));
        let batch = log.read(at(1), 10, &Filter::ALL);
        let fresh = Cursor { life: LIFE, offset: 2 };
        assert_eq!(batch.reset, Some((Reset { reason: ResetReason::Forgotten }, fresh)));
        assert_eq!(sequences(&batch), [3, 4, 5]);
        assert_eq!(log.read(at(2), 10, &Filter::ALL).reset, None, "nothing was missed");
        for other in [Cursor { life: 8, offset: 4 }, Cursor { life: LIFE, offset: 6 }] {
            let batch = log.read(Place::At(other), 10, &Filter::ALL);
            assert_eq!(batch.reset, Some((Reset { reason: ResetReason::Restarted }, fresh)));
        }
    }

    #[test]
    fn bytes_are_bounded_too() {
        let weight = item("ada", 1, 1).weight();
        let mut log = Log::new(LIFE, Bounds { events: 100, bytes: 2 * weight });
        (1..=5).for_each(|sequence| log.append(item("ada", 1, sequence)));
        assert_eq!(sequences(&log.read(Place::Start, 10, &Filter::ALL)), [4, 5]);
        assert_eq!(log.bytes(), 2 * weight);
    }

    #[test]
    fn a_filter_that_nothing_passes_moves_on_all_the_same() {
        let mut log = Log::new(LIFE, bounds(10_000));
        (1..=5_000).for_each(|sequence| log.append(item("ada", 1, sequence)));
        let filter = Filter { visitor: Some("bob".parse().unwrap()), ..Filter::ALL };
        let batch = log.read(Place::Start, 10, &filter);
        assert!(batch.more && batch.items.is_empty());
        assert_eq!(batch.cursor.offset, LOOKED_AT as u64);
        let batch = log.read(Place::At(batch.cursor), 10, &filter);
        assert!(!batch.more && batch.cursor.offset == 5_000);
    }

    proptest! {
        /// Against all events that ever were: a reader gets each that he wants once, in order, or is told that some are
        /// gone, and then really lost what was older than all that is kept.
        #[test]
        fn nothing_is_missed_in_silence_and_nothing_comes_twice(
            kept in 1_usize..6,
            steps in prop::collection::vec((0_usize..4, 1_usize..4, any::<bool>()), 1..40),
        ) {
            let mut log = Log::new(LIFE, bounds(kept));
            let mut cursor = Cursor { life: LIFE, offset: 0 };
            let (mut told, mut seen) = (0_u64, 0_u64);
            for (appended, limit, restored) in steps {
                for _ in 0..appended {
                    told += 1;
                    log.append(item("ada", 1, told));
                }
                if restored {
                    let items = log.items().cloned().collect();
                    log = Log::restored(log.life(), log.next(), items, bounds(kept));
                }
                let batch = log.read(Place::At(cursor), limit, &Filter::ALL);
                let oldest = told - log.items().len() as u64;
                prop_assert_eq!(batch.reset.is_some(), seen < oldest);
                let from = seen.max(oldest);
                let to = told.min(from + limit as u64);
                prop_assert_eq!(sequences(&batch), (from + 1..=to).collect::<Vec<_>>());
                prop_assert_eq!(batch.more, to < told);
                for (behind, item) in &batch.items {
                    prop_assert_eq!(behind.offset, item.id.sequence);
                }
                (cursor, seen) = (batch.cursor, to);
            }
        }
    }
}
