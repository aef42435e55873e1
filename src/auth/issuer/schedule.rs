use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
};

use crate::clock::Timestamp;

/// Most names of unknown keys that are remembered. Names beyond are asked for too, but never refused for good.
pub(super) const MOST_NAMES: usize = 1_024;

/// When an address is asked: at the start, then every `refresh_ms`; for an unknown key or after a failure no sooner
/// than `refetch_ms` after the last time, so that nobody can make us hammer an issuer with made-up key ids.
#[derive(Debug)]
pub(super) struct Schedule {
    refresh_ms: u64,
    refetch_ms: u64,
    last: Option<Timestamp>,
    next: Timestamp,
    under_way: bool,
    /// Names of keys that are not known, hashed, and what is known of that.
    pub(super) unknown: HashMap<u64, Unknown>,
    hasher: RandomState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unknown {
    /// Heard at this moment; no answer to a later question has come.
    Since(Timestamp),
    /// The answer to the last good question did not hold it.
    Missing,
}

impl Schedule {
    pub(super) fn new(refresh_ms: u64, refetch_ms: u64) -> Self {
        Self {
            refresh_ms,
            refetch_ms,
            last: None,
            next: Timestamp(0),
            under_way: false,
            unknown: HashMap::new(),
            hasher: RandomState::new(),
        }
    }

    /// Somebody needs a key that is not known. Whether an answer that may hold it is still to come.
    pub(super) fn want(&mut self, name: &str, now: Timestamp) -> bool {
        let name = self.hasher.hash_one(name);
        let soonest = self.last.map_or(now, |last| now.max(last + self.refetch_ms));
        let has_room = self.unknown.len() < MOST_NAMES;
        match self.unknown.get_mut(&name) {
            Some(Unknown::Missing) if now < soonest => return false,
            Some(Unknown::Since(_)) => {}
            Some(heard) => *heard = Unknown::Since(now),
            None if has_room => {
                self.unknown.insert(name, Unknown::Since(now));
            }
            None => {}
        }
        self.next = self.next.min(soonest);
        true
    }

    pub(super) fn begin(&mut self, now: Timestamp) -> bool {
        if self.under_way || now < self.next {
            return false;
        }
        (self.under_way, self.last) = (true, Some(now));
        self.next = now + self.refresh_ms;
        true
    }

    pub(super) fn end(&mut self, is_good: bool, began: Timestamp, now: Timestamp) {
        self.under_way = false;
        if !is_good {
            self.next = now + self.refetch_ms;
            return;
        }
        // Names that were missing before and that nobody has used since are forgotten.
        self.unknown.retain(|_, heard| matches!(heard, Unknown::Since(_)));
        let mut wanted_since = false;
        for heard in self.unknown.values_mut() {
            match heard {
                Unknown::Since(at) if *at > began => wanted_since = true,
                _ => *heard = Unknown::Missing,
            }
        }
        self.next = if wanted_since { began + self.refetch_ms } else { now + self.refresh_ms };
    }
}
