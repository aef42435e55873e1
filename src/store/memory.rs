//! The engine inside this process: records in shards, each worked on by one thread at a time.
//!
//! A shard belongs to a worker's thread, which calls it directly. Other threads leave jobs in its bounded inbox, which the
//! owner empties once a turn. Records live in the shard's handle, not in the actor that keeps it going: when that actor
//! dies, nothing is lost but its timers' punctuality until it is replaced.

mod shard;

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

use self::shard::{Job, Shard};
use super::{Deliver, Engine, Expect, Reader, Record, Sink, Stats, Visit};
use crate::clock::{Clock, Timestamp};

/// Most jobs that wait in one shard's inbox.
pub use super::INBOX_LIMIT;

/// What an engine counted, and what waits in its inboxes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineFigures {
    /// Jobs that wait.
    pub waiting: u64,
    /// See [`Stats::commands`].
    pub commands: u64,
    /// See [`Stats::panics`].
    pub panics: u64,
    /// See [`Stats::set_aside`].
    pub set_aside: u64,
    /// See [`Stats::refused`].
    pub refused: u64,
    /// See [`Stats::full`].
    pub full: u64,
    /// Transitions made anew, because another node was faster.
    pub conflicts: u64,
    /// Questions that the nodes' server did not answer in time.
    pub away: u64,
    /// Messages of other nodes that were dropped because the engine was too far behind.
    pub missed: u64,
    /// Records that are in this process' memory.
    pub remembered: u64,
}

impl EngineFigures {
    pub(in crate::store) fn of(stats: &Stats, waiting: usize) -> Self {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Stats { commands, panics, set_aside, refused, full } = stats;
        Self {
            waiting: waiting as u64,
            commands: read(commands),
            panics: read(panics),
            set_aside: read(set_aside),
            refused: read(refused),
            full: read(full),
            ..Self::default()
        }
    }
}

impl std::iter::Sum for EngineFigures {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            waiting: sum.waiting + one.waiting,
            commands: sum.commands + one.commands,
            panics: sum.panics + one.panics,
            set_aside: sum.set_aside + one.set_aside,
            refused: sum.refused + one.refused,
            full: sum.full + one.full,
            conflicts: sum.conflicts + one.conflicts,
            away: sum.away + one.away,
            missed: sum.missed + one.missed,
            remembered: sum.remembered + one.remembered,
        })
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::suite;

    struct Factory;

    impl suite::Factory for Factory {
        type Engine = MemoryEngine<suite::Counter>;
        fn engine(
            &self,
            clock: Clock,
            deliver: impl Deliver<suite::Counter, Self::Engine> + 'static,
        ) -> Self::Engine {
            MemoryEngine::new(3, usize::MAX, (), clock, deliver)
        }
        fn settle(&self, engine: &Self::Engine) {
            engine.settle();
        }
    }

    #[test]
    fn passes_the_suite() {
        suite::run(&Factory);
    }

    type Answers = std::sync::Arc<std::sync::Mutex<Vec<Result<u64, crate::store::Refusal>>>>;

    struct Nothing;
    impl Deliver<suite::Counter, MemoryEngine<suite::Counter>> for Nothing {
        fn deliver(
            &self,
            _: &MemoryEngine<suite::Counter>,
            _: &u32,
            effects: &mut Vec<suite::Effect>,
            _: crate::store::Origin,
        ) {
            effects.clear();
        }
    }

    fn engine(shards: usize) -> MemoryEngine<suite::Counter> {
        MemoryEngine::new(shards, usize::MAX, (), Clock::manual(Timestamp(1_000)), Nothing)
    }

    fn add(engine: &MemoryEngine<suite::Counter>, key: u32, answers: &Answers) {
        let answers = Arc::clone(answers);
        let sink = Box::new(move |result: Result<crate::store::Applied<u64>, _>| {
            answers.lock().unwrap().push(result.map(|applied| applied.reply));
        });
        engine.submit(key, Expect::Any, suite::Command::Add(1), sink);
    }

    /// An owner that does nothing: the thread that adopts the shards ends at once.
    fn adopted_by_nobody(engine: &MemoryEngine<suite::Counter>) {
        std::thread::scope(|scope| {
            scope.spawn(|| (0..engine.shards()).for_each(|index| engine.keep(index).adopt()));
        });
    }

    #[test]
    fn rule_4_8_an_inbox_is_bounded_and_refuses_what_is_too_much() {
        let engine = engine(1);
        adopted_by_nobody(&engine);
        let answers = Answers::default();
        for _ in 0..INBOX_LIMIT {
            add(&engine, 1, &answers);
        }
        assert!(answers.lock().unwrap().is_empty(), "they wait");
        add(&engine, 1, &answers);
        let refused = Err(crate::store::Refusal::Overloaded);
        assert_eq!(std::mem::take(&mut *answers.lock().unwrap()), [refused]);
        let (sender, receiver) = std::sync::mpsc::channel();
        let reader = move |found: Result<Option<&suite::Counter>, _>| -> crate::store::Afterwards {
            let is_refused = found.is_err();
            Box::new(move || sender.send(is_refused).unwrap())
        };
        engine.read(1, Box::new(reader));
        assert_eq!(receiver.try_recv(), Ok(true), "a reader is refused, not told of nobody");
        assert_eq!(engine.waiting(), INBOX_LIMIT);
        assert_eq!(engine.stats().refused.load(Ordering::Relaxed), 2);
        engine.settle();
        assert_eq!(answers.lock().unwrap().len(), INBOX_LIMIT);
        assert_eq!(engine.waiting(), 0);
    }

    /// Reads on and on, a turn for each part, and counts the turns.
    fn read_on(
        engine: &MemoryEngine<suite::Counter>,
        parts: u32,
        log: &Arc<std::sync::Mutex<Vec<u32>>>,
    ) {
        let (again, log) = (engine.clone(), Arc::clone(log));
        let reader = move |_: Result<Option<&suite::Counter>, _>| -> crate::store::Afterwards {
            Box::new(move || {
                log.lock().unwrap().push(parts);
                if parts > 1 {
                    read_on(&again, parts - 1, &log);
                }
            })
        };
        engine.read_later(1, Box::new(reader));
    }

    #[test]
    fn work_in_parts_lets_others_come_between() {
        let engine = engine(1);
        engine.keep(0).adopt();
        let (answers, log) = (Answers::default(), Arc::default());
        read_on(&engine, 3, &log);
        assert!(log.lock().unwrap().is_empty(), "not in the turn of who asks");
        add(&engine, 1, &answers);
        assert_eq!(answers.lock().unwrap().len(), 1, "what is not put off goes first");
        for turn in 1..=3 {
            engine.keep(0).drain(std::task::Waker::noop());
            assert_eq!(log.lock().unwrap().len(), turn, "one part in a turn");
        }
        assert_eq!(engine.waiting(), 0);
        read_on(&engine, 3, &log);
        engine.settle();
        assert_eq!(
            *log.lock().unwrap(),
            [3, 2, 1, 3, 2, 1],
            "and to the end when all is to be settled"
        );
    }

    #[test]
    fn rule_4_10_keys_are_spread_and_each_shard_is_worked_on_by_its_owner() {
        let engine = engine(4);
        let answers = Answers::default();
        for key in 0..400 {
            add(&engine, key, &answers);
        }
        for shard in &engine.inner.shards {
            assert!((50..=150).contains(&shard.records()), "{}", shard.records());
        }
        answers.lock().unwrap().clear();
        adopted_by_nobody(&engine);
        engine.keep(0).adopt();
        for key in 0..400 {
            add(&engine, key, &answers);
        }
        let here = engine.inner.shards.first().unwrap().records();
        assert_eq!(answers.lock().unwrap().len(), here, "those of this thread's shard at once");
        assert_eq!(engine.waiting(), 400 - here, "the others wait for their owners");
        engine.settle();
        assert_eq!(answers.lock().unwrap().len(), 400);
    }

    #[test]
    fn a_sealed_engine_changes_no_more() {
        let engine = engine(2);
        let answers = Answers::default();
        add(&engine, 1, &answers);
        engine.seal();
        add(&engine, 1, &answers);
        assert_eq!(*answers.lock().unwrap(), [Ok(1), Err(crate::store::Refusal::Ending)]);
        let mut records = 0;
        engine.for_each(|_, _| records += 1);
        assert_eq!(records, 1);
    }
}
