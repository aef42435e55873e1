//! One shard: records, their timers, and the jobs for them.

use std::{
    collections::{HashMap, VecDeque, hash_map},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    task::Waker,
};

use parking_lot::Mutex;

use super::{INBOX_LIMIT, MemoryEngine};
use crate::{
    clock::Timestamp,
    store::{Applied, Expect, Origin, Reader, Record, Refusal, Sink, Stats, timers::Timers},
};

pub(super) enum Job<R: Record> {
    Submit { key: R::Key, expect: Expect, command: R::Command, sink: Sink<R::Reply> },
    Read { key: R::Key, reader: Reader<R> },
    Tick { key: R::Key, at: Timestamp },
}

impl<R: Record> Job<R> {
    /// Tells the sender that there was no room.
    pub(super) fn refuse(self) {
        match self {
            Job::Submit { sink, .. } => sink(Err(Refusal::Overloaded)),
            Job::Read { reader, .. } => reader(Err(Refusal::Overloaded))(),
            Job::Tick { .. } => {}
        }
    }

    fn is_essential(&self) -> bool {
        match self {
            Job::Submit { command, .. } => R::is_essential(command),
            Job::Read { .. } => false,
            Job::Tick { .. } => true,
        }
    }
}

struct Entry<R> {
    record: R,
    version: u64,
    faults: u8,
    scheduled: Option<Timestamp>,
}

struct State<R: Record> {
    entries: HashMap<R::Key, Box<Entry<R>>>,
    timers: Timers<R::Key>,
    /// Versions are drawn from here, so that a key that comes back never repeats one.
    versions: u64,
    /// Jobs that came while one was under way; the one at work does them next.
    pending: VecDeque<Job<R>>,
    at_work: bool,
    /// Whether the records change no more.
    sealed: bool,
}

struct Inbox<R: Record> {
    jobs: VecDeque<Job<R>>,
    waker: Option<Waker>,
}

pub(super) struct Shard<R: Record> {
    state: Mutex<State<R>>,
    inbox: Mutex<Inbox<R>>,
    /// The number of the owner's thread; 0 while there is none, and any thread may call.
    owner: AtomicUsize,
}

impl<R: Record> Default for Shard<R> {
    fn default() -> Self {
        let state = State {
            entries: HashMap::new(),
            timers: Timers::default(),
            versions: 0,
            pending: VecDeque::new(),
            at_work: false,
            sealed: false,
        };
        let inbox = Inbox { jobs: VecDeque::new(), waker: None };
        Self { state: Mutex::new(state), inbox: Mutex::new(inbox), owner: AtomicUsize::new(0) }
    }
}

thread_local! {
    static THREAD_NUMBER: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    };
}

impl<R: Record> Shard<R> {
    pub(super) fn is_mine(&self) -> bool {
        let owner = self.owner.load(Ordering::Relaxed);
        owner == 0 || owner == THREAD_NUMBER.with(|number| *number)
    }

    pub(super) fn is_owned(&self) -> bool {
        self.owner.load(Ordering::Relaxed) != 0
    }

    pub(super) fn adopt(&self) {
        self.owner.store(THREAD_NUMBER.with(|number| *number), Ordering::Relaxed);
    }

    pub(super) fn records(&self) -> usize {
        self.state.lock().entries.len()
    }

    pub(super) fn timers(&self) -> usize {
        self.state.lock().timers.len()
    }

    pub(super) fn waiting(&self) -> usize {
        self.inbox.lock().jobs.len()
    }

    /// Leaves a job for the owner. Gives it back when there is no room.
    pub(super) fn leave(&self, job: Job<R>) -> Result<(), Job<R>> {
        let mut inbox = self.inbox.lock();
        if inbox.jobs.len() >= INBOX_LIMIT && !job.is_essential() {
            return Err(job);
        }
        inbox.jobs.push_back(job);
        let waker = inbox.waker.take();
        drop(inbox);
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// Does what waits now. What comes meanwhile, from here or elsewhere, is for the next turn.
    pub(super) fn drain(&self, engine: &MemoryEngine<R>, waker: &Waker) {
        let jobs = {
            let mut inbox = self.inbox.lock();
            if inbox.waker.as_ref().is_none_or(|old| !old.will_wake(waker)) {
                inbox.waker = Some(waker.clone());
            }
            std::mem::take(&mut inbox.jobs)
        };
        for job in jobs {
            self.run(engine, job);
        }
    }

    pub(super) fn run_due(&self, engine: &MemoryEngine<R>) {
        let now = engine.now();
        loop {
            let Some((at, key)) = self.state.lock().timers.pop_due(now) else { return };
            self.run(engine, Job::Tick { key, at });
        }
    }

    pub(super) fn for_each(&self, each: &mut impl FnMut(&R::Key, &R)) {
        for (key, entry) in &self.state.lock().entries {
            each(key, &entry.record);
        }
    }

    pub(super) fn look<T>(&self, key: &R::Key, reader: impl FnOnce(&R) -> T) -> Option<T> {
        self.state.lock().entries.get(key).map(|entry| reader(&entry.record))
    }

    pub(super) fn seal(&self) {
        self.state.lock().sealed = true;
    }

    pub(super) fn restore(&self, key: R::Key, record: R, deadline: Option<Timestamp>) {
        let mut state = self.state.lock();
        state.versions += 1;
        let version = state.versions;
        if let hash_map::Entry::Vacant(place) = state.entries.entry(key.clone()) {
            place.insert(Box::new(Entry { record, version, faults: 0, scheduled: deadline }));
            if let Some(at) = deadline {
                state.timers.push(at, key);
            }
        }
    }

    /// Does a job, and then those that came up meanwhile. The lock is free while effects are delivered, so that they
    /// may submit; what they submit here waits its turn, which keeps the order of effects.
    pub(super) fn run(&self, engine: &MemoryEngine<R>, job: Job<R>) {
        let mut state = self.state.lock();
        if state.at_work {
            state.pending.push_back(job);
            return;
        }
        state.at_work = true;
        let mut next = Some(job);
        let mut effects = Vec::new();
        while let Some(job) = next {
            match job {
                Job::Read { key, reader } => {
                    let record = state.entries.get(&key).map(|entry| &entry.record);
                    let read = catch_unwind(AssertUnwindSafe(|| reader(Ok(record))));
                    drop(state);
                    let read = read.and_then(|then| catch_unwind(AssertUnwindSafe(then)));
                    self.count_panic(engine, read.is_err());
                    state = self.state.lock();
                }
                Job::Tick { key, at } => {
                    let is_due = state.entries.get_mut(&key).is_some_and(|entry| {
                        let is_due = entry.scheduled == Some(at);
                        entry.scheduled = entry.scheduled.filter(|_| !is_due);
                        is_due
                    });
                    if is_due {
                        let result =
                            state.transit(engine, &key, Expect::Any, R::tick(), &mut effects);
                        drop(state);
                        drop(result);
                        self.deliver(engine, &key, &mut effects);
                        state = self.state.lock();
                    }
                }
                Job::Submit { key, expect, command, sink } => {
                    let result = state.transit(engine, &key, expect, command, &mut effects);
                    drop(state);
                    let told = catch_unwind(AssertUnwindSafe(|| sink(result)));
                    self.count_panic(engine, told.is_err());
                    self.deliver(engine, &key, &mut effects);
                    state = self.state.lock();
                }
            }
            next = state.pending.pop_front();
        }
        state.at_work = false;
    }

    fn deliver(&self, engine: &MemoryEngine<R>, key: &R::Key, effects: &mut Vec<R::Effect>) {
        if effects.is_empty() {
            return;
        }
        let deliver = &engine.inner.deliver;
        let delivered =
            catch_unwind(AssertUnwindSafe(|| deliver.deliver(engine, key, effects, Origin::Here)));
        self.count_panic(engine, delivered.is_err());
        effects.clear();
    }

    fn count_panic(&self, engine: &MemoryEngine<R>, panicked: bool) {
        if panicked {
            Stats::count(&engine.inner.stats.panics);
        }
    }
}

impl<R: Record> Entry<R> {
    /// Sets the record's timer. Whether the record says no more than none, and is to be dropped.
    fn settle(
        &mut self,
        timers: &mut Timers<R::Key>,
        key: &R::Key,
        rules: &R::Rules,
        now: Timestamp,
    ) -> bool {
        if self.record.is_vacant(rules, now) {
            return true;
        }
        if let Some(at) = self.record.deadline(rules)
            && self.scheduled.is_none_or(|scheduled| at < scheduled)
        {
            self.scheduled = Some(at);
            timers.push(at, key.clone());
        }
        false
    }
}

impl<R: Record> State<R> {
    fn transit(
        &mut self,
        engine: &MemoryEngine<R>,
        key: &R::Key,
        expect: Expect,
        command: R::Command,
        effects: &mut Vec<R::Effect>,
    ) -> Result<Applied<R::Reply>, Refusal> {
        if self.sealed {
            return Err(Refusal::Ending);
        }
        let (rules, now) = (&engine.inner.rules, engine.now());
        let is_full = self.entries.len() >= engine.inner.most_per_shard;
        if is_full && R::makes_a_record(&command) && !self.entries.contains_key(key) {
            Stats::count(&engine.inner.stats.full);
            return Err(Refusal::Full);
        }
        let place = self.entries.entry(key.clone());
        let version = match &place {
            hash_map::Entry::Occupied(entry) => entry.get().version,
            hash_map::Entry::Vacant(_) => 0,
        };
        if let Expect::Version(expected) = expect
            && expected != version
        {
            return Err(Refusal::Conflict { version });
        }
        let entry = place.or_insert_with(|| {
            let record = R::vacant(rules, now);
            Box::new(Entry { record, version: 0, faults: 0, scheduled: None })
        });
        Stats::count(&engine.inner.stats.commands);
        let checkpoint = entry.record.checkpoint();
        let record = &mut entry.record;
        let applied =
            catch_unwind(AssertUnwindSafe(|| record.apply(key, command, now, rules, effects)));
        let Ok(reply) = applied else {
            Stats::count(&engine.inner.stats.panics);
            effects.clear();
            entry.record.roll_back(checkpoint);
            entry.faults += 1;
            tracing::error!(kind = R::KIND, key = ?key, faults = entry.faults, "a command panicked");
            if entry.faults >= 2 {
                Stats::count(&engine.inner.stats.set_aside);
                entry.record.set_aside(effects);
                self.remove(key);
            } else if entry.settle(&mut self.timers, key, rules, now) {
                // If it was a timer that failed, time went on all the same.
                self.remove(key);
            }
            return Err(Refusal::Fault);
        };
        entry.record.stands();
        self.versions += 1;
        entry.version = self.versions;
        let version = entry.version;
        if entry.settle(&mut self.timers, key, rules, now) {
            self.remove(key);
        }
        Ok(Applied { reply, version })
    }

    fn remove(&mut self, key: &R::Key) {
        self.entries.remove(key);
        if self.entries.capacity() > 1024 && self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(self.entries.len() * 2);
        }
    }
}
