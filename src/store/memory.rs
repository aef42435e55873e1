//! The engine inside this process: records in shards, each worked on by one thread at a time.
//!
//! A shard belongs to a worker's thread, which calls it directly. Other threads leave jobs in its bounded inbox, which the
//! owner empties once a turn. Records live in the shard's handle, not in the actor that keeps it going: when that actor
//! dies, nothing is lost but its timers' punctuality until it is replaced.

mod figures;
mod shard;
#[cfg(test)]
mod tests;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{Arc, Weak},
};

pub use self::figures::EngineFigures;
use self::shard::{Job, Shard};
use super::{Deliver, Engine, Expect, Reader, Record, Sink, Stats, Visit};
use crate::clock::{Clock, Timestamp};

/// Most jobs that wait in one shard's inbox.
pub use super::INBOX_LIMIT;

/// Keeps one shard of one engine going; what the shard's owner thread calls.
pub trait Keep: Send + Sync {
    /// Makes the calling thread the owner.
    fn adopt(&self);
    /// Works through what is in the inbox now; `waker` is woken when there is more, at once or later.
    fn drain(&self, waker: &std::task::Waker);
    /// Runs the timers that are due.
    fn run_due(&self);
}

/// The memory engine for records of one kind.
pub struct MemoryEngine<R: Record> {
    inner: Arc<Inner<R>>,
}

struct Inner<R: Record> {
    shards: Box<[Shard<R>]>,
    hasher: RandomState,
    /// Keys spread evenly, so that each shard has its part of the bound.
    most_per_shard: usize,
    rules: R::Rules,
    clock: Clock,
    stats: Stats,
    deliver: Box<dyn Deliver<R, MemoryEngine<R>>>,
}

impl<R: Record> Clone for MemoryEngine<R> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

/// An engine that somebody else keeps.
pub struct WeakEngine<R: Record>(Weak<Inner<R>>);

impl<R: Record> WeakEngine<R> {
    /// The engine, while it is there.
    #[must_use]
    pub fn upgrade(&self) -> Option<MemoryEngine<R>> {
        self.0.upgrade().map(|inner| MemoryEngine { inner })
    }
}

impl<R: Record> MemoryEngine<R> {
    /// For those that the engine's own delivery keeps alive, or they would keep each other.
    #[must_use]
    pub fn downgrade(&self) -> WeakEngine<R> {
        WeakEngine(Arc::downgrade(&self.inner))
    }

    /// An engine without records, in `shards` shards (at least one), for about `most` records.
    pub fn new(
        shards: usize,
        most: usize,
        rules: R::Rules,
        clock: Clock,
        deliver: impl Deliver<R, Self> + 'static,
    ) -> Self {
        let most_per_shard = most.div_ceil(shards.max(1));
        let shards = (0..shards.max(1)).map(|_| Shard::default()).collect();
        let deliver = Box::new(deliver);
        let (hasher, stats) = (RandomState::new(), Stats::default());
        Self {
            inner: Arc::new(Inner { shards, hasher, most_per_shard, rules, clock, stats, deliver }),
        }
    }

    /// What the engine counts.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.inner.stats
    }

    /// Its figures now.
    #[must_use]
    pub fn figures(&self) -> EngineFigures {
        let remembered = self.records() as u64;
        EngineFigures { remembered, ..EngineFigures::of(self.stats(), self.waiting()) }
    }

    /// The settings that its records work by.
    #[must_use]
    pub fn rules(&self) -> &R::Rules {
        &self.inner.rules
    }

    /// How many records there are now.
    #[must_use]
    pub fn records(&self) -> usize {
        self.inner.shards.iter().map(Shard::records).sum()
    }

    /// How many timers wait.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.inner.shards.iter().map(Shard::timers).sum()
    }

    /// How many jobs wait in inboxes now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inner.shards.iter().map(Shard::waiting).sum()
    }

    /// How many shards there are.
    #[must_use]
    pub fn shards(&self) -> usize {
        self.inner.shards.len()
    }

    /// The keeper's handle to shard `index`, modulo the number of shards.
    #[must_use]
    pub fn keep(&self, index: usize) -> Box<dyn Keep> {
        Box::new(Keeper { engine: self.clone(), index: index % self.shards() })
    }

    /// Calls `each` with every record, for saving them. Other threads' jobs wait meanwhile.
    pub fn for_each(&self, mut each: impl FnMut(&R::Key, &R)) {
        for shard in &self.inner.shards {
            shard.for_each(&mut each);
        }
    }

    /// Refuses all commands from now on, so that what is saved next is what was said last.
    pub fn seal(&self) {
        self.inner.shards.iter().for_each(Shard::seal);
    }

    /// Puts a saved record in place, unless its key has one already.
    pub fn restore(&self, key: R::Key, record: R) {
        let deadline = record.deadline(&self.inner.rules);
        self.shard(&key).restore(key, record, deadline);
    }

    /// Works through all that waits and is due on the calling thread; for tests and for the last turn before the end.
    pub fn settle(&self) {
        for shard in &self.inner.shards {
            while shard.waiting() > 0 {
                shard.drain(self, std::task::Waker::noop());
            }
            shard.run_due(self);
        }
    }

    fn shard(&self, key: &R::Key) -> &Shard<R> {
        if let [only] = &*self.inner.shards {
            return only;
        }
        let hash = usize::try_from(self.inner.hasher.hash_one(key) >> 32).unwrap_or_default();
        let index = hash % self.inner.shards.len();
        // There is at least one shard, and the index is below their number.
        self.inner.shards.get(index).unwrap_or_else(|| unreachable!("shard {index}"))
    }

    fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    fn hand_over(&self, shard: &Shard<R>, job: Job<R>) {
        if shard.is_mine() {
            shard.run(self, job);
        } else {
            self.leave(shard, job);
        }
    }

    fn leave(&self, shard: &Shard<R>, job: Job<R>) {
        if let Err(job) = shard.leave(job) {
            Stats::count(&self.inner.stats.refused);
            job.refuse();
        }
    }
}

impl<R: Record> Engine<R> for MemoryEngine<R> {
    fn submit(&self, key: R::Key, expect: Expect, command: R::Command, sink: Sink<R::Reply>) {
        let shard = self.shard(&key);
        self.hand_over(shard, Job::Submit { key, expect, command, sink });
    }

    fn read(&self, key: R::Key, reader: Reader<R>) {
        let shard = self.shard(&key);
        self.hand_over(shard, Job::Read { key, reader });
    }

    fn read_later(&self, key: R::Key, reader: Reader<R>) {
        let shard = self.shard(&key);
        let job = Job::Read { key, reader };
        if shard.is_owned() {
            self.leave(shard, job);
        } else {
            shard.run(self, job);
        }
    }

    fn read_all(&self, keys: Vec<R::Key>, mut visit: Visit<R>, done: Box<dyn FnOnce() + Send>) {
        for key in keys {
            self.shard(&key).look(&key, |record| visit(&key, record));
        }
        done();
    }

    fn list(&self, name: String, mut visit: Visit<R>, done: Box<dyn FnOnce(bool) + Send>) {
        self.for_each(|key, record| {
            if record.listed(key).as_deref() == Some(&*name) {
                visit(key, record);
            }
        });
        done(true);
    }

    fn weakly(&self) -> impl FnOnce() -> Option<Self> + 'static {
        let engine = self.downgrade();
        move || engine.upgrade()
    }
}

struct Keeper<R: Record> {
    engine: MemoryEngine<R>,
    index: usize,
}

impl<R: Record> Keeper<R> {
    fn with(&self, act: impl FnOnce(&Shard<R>)) {
        if let Some(shard) = self.engine.inner.shards.get(self.index) {
            act(shard);
        }
    }
}

impl<R: Record> Keep for Keeper<R> {
    fn adopt(&self) {
        self.with(Shard::adopt);
    }

    fn drain(&self, waker: &std::task::Waker) {
        self.with(|shard| shard.drain(&self.engine, waker));
    }

    fn run_due(&self) {
        self.with(|shard| shard.run_due(&self.engine));
    }
}
