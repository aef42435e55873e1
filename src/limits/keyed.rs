//! A pace for each of many keys, in bounded memory.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, Hash, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use parking_lot::Mutex;

use super::{Pace, Rate};
use crate::clock::Timestamp;

const SHARDS: usize = 16;
/// When somebody for whom there was no room should come back, in ms.
const FULL_RETRY_MS: u64 = 1_000;

/// What is remembered of a key. The default is what nothing is remembered of.
pub trait Meter: Default {
    /// Whether nothing is owed, so that the key may be forgotten.
    fn is_rested(&self, now: Timestamp) -> bool;
}

impl Meter for Pace {
    fn is_rested(&self, now: Timestamp) -> bool {
        Pace::is_rested(self, now)
    }
}

/// Limits how often each key may act. Remembers only keys that are not rested, and at most so many.
///
/// When there is no room left, keys that have rested meanwhile are forgotten. When all are active, a newcomer is refused
/// as if it were too fast, and counted: an active key is never forgotten, or a flood of made-up keys would lift the
/// limit for all.
pub struct Keyed<K, M = Pace> {
    rate: Rate,
    most_per_shard: usize,
    hasher: RandomState,
    shards: Box<[Mutex<HashMap<K, M>>]>,
    refused_full: AtomicU64,
}

impl<K: Eq + Hash + Clone, M: Meter> Keyed<K, M> {
    /// A limiter that remembers about `most` keys.
    #[must_use]
    pub fn new(rate: Rate, most: usize) -> Self {
        Self {
            rate,
            most_per_shard: most.div_ceil(SHARDS).max(1),
            hasher: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            refused_full: AtomicU64::new(0),
        }
    }

    /// The rate of each key.
    #[must_use]
    pub fn rate(&self) -> &Rate {
        &self.rate
    }

    /// Does something with what is remembered of `key`.
    ///
    /// # Errors
    /// Those of `act`; and in how many milliseconds to try again where nothing is remembered and there is no room for more.
    pub(super) fn on<T>(
        &self,
        key: &K,
        now: Timestamp,
        act: impl FnOnce(&mut M, &Rate) -> Result<T, u64>,
    ) -> Result<T, u64> {
        let Some(shard) = self.shard(key) else { return Err(FULL_RETRY_MS) };
        let mut meters = shard.lock();
        if let Some(meter) = meters.get_mut(key) {
            return act(meter, &self.rate);
        }
        if meters.len() >= self.most_per_shard {
            forget(&mut meters, now);
        }
        if meters.len() >= self.most_per_shard {
            self.refused_full.fetch_add(1, Ordering::Relaxed);
            return Err(FULL_RETRY_MS);
        }
        act(meters.entry(key.clone()).or_default(), &self.rate)
    }

    /// Forgets the keys that have rested.
    pub fn tidy(&self, now: Timestamp) {
        for shard in &self.shards {
            forget(&mut shard.lock(), now);
        }
    }

    fn shard(&self, key: &K) -> Option<&Mutex<HashMap<K, M>>> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or_default();
        self.shards.get(hash % SHARDS)
    }

    /// How many keys are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How often there was no room for a newcomer.
    #[must_use]
    pub fn refused_full(&self) -> u64 {
        self.refused_full.load(Ordering::Relaxed)
    }
}

impl<K: Eq + Hash + Clone> Keyed<K> {
    /// Takes one of what `key` may do now.
    ///
    /// # Errors
    /// In how many milliseconds to try again.
    pub fn take(&self, key: &K, now: Timestamp) -> Result<(), u64> {
        self.on(key, now, |pace, rate| pace.take(rate, 1, now))
    }

    /// Whether `key` may act now; takes nothing.
    ///
    /// # Errors
    /// In how many milliseconds to try again.
    pub fn ask(&self, key: &K, now: Timestamp) -> Result<(), u64> {
        let pace = self.shard(key).and_then(|shard| shard.lock().get(key).copied());
        pace.map_or(Ok(()), |pace| pace.fits(&self.rate, 1, now))
    }
}

fn forget<K: Eq + Hash, M: Meter>(meters: &mut HashMap<K, M>, now: Timestamp) {
    meters.retain(|_, meter| !meter.is_rested(now));
    if meters.capacity() > 256 && meters.len() < meters.capacity() / 4 {
        let len = meters.len();
        meters.shrink_to(len * 2);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn limiter(most: usize) -> Keyed<u32> {
        Keyed::new(Rate::per_second(NonZeroU32::new(2).unwrap()), most)
    }

    #[test]
    fn keys_count_apart() {
        let limiter = limiter(100);
        let now = Timestamp(1_000);
        for key in 0..10 {
            let passed = (0..5).filter(|_| limiter.take(&key, now).is_ok()).count();
            assert_eq!(passed, 2);
        }
        assert_eq!(limiter.take(&3, now), Err(500));
        assert_eq!(limiter.take(&3, now + 500), Ok(()));
    }

    #[test]
    fn made_up_keys_lift_nobodys_limit_and_take_no_more_memory() {
        let limiter = limiter(160);
        let mut now = Timestamp(1_000);
        assert_eq!((limiter.take(&0, now), limiter.take(&0, now)), (Ok(()), Ok(())));
        let admitted = (1..10_000).filter(|key| limiter.take(key, now).is_ok()).count();
        assert!(admitted < 160 && limiter.len() <= 160, "{admitted}");
        assert_eq!(limiter.refused_full(), 9_999 - admitted as u64);
        assert!(limiter.take(&0, now).is_err(), "the flood did not make it forget");
        // Once they have rested there is room for others.
        now = now + 1_000;
        assert!((20_000..20_100).filter(|key| limiter.take(key, now).is_ok()).count() > 50);
        limiter.tidy(now + 1_000);
        assert!(limiter.is_empty());
    }
}
