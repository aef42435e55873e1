//! An engine as others hold it: jobs go to the part of the records that they are for.

use std::{
    collections::VecDeque,
    rc::Rc,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{
    SharedNode,
    core::Core,
    figures::{self, Counts},
    gap::Gap,
    links::{Links, part_of},
    worker,
};
use crate::{
    clock::Clock,
    store::{
        Deliver, Engine, Expect, INBOX_LIMIT, Reader, Record, Refusal, Sink, Stats, Visit,
        memory::EngineFigures,
    },
};

/// The engine of one kind of record on this node. Cheap to clone.
pub struct SharedEngine<R: Record>(pub(super) Arc<Inner<R>>);

pub(super) struct Inner<R: Record> {
    pub(super) parts: Vec<Arc<EnginePart<R>>>,
    pub(super) stats: Stats,
    pub(super) clock: Clock,
    rules: Arc<R::Rules>,
    pub(super) deliver: Box<dyn Deliver<R, SharedEngine<R>>>,
    /// Keeps the thread.
    _node: SharedNode,
}

/// What has to do with the records of one part.
pub(super) struct EnginePart<R: Record> {
    inbox: Mutex<Inbox<R>>,
    pub(super) news: Arc<Notify>,
    pub(super) counts: Arc<Counts>,
}

struct Inbox<R: Record> {
    jobs: VecDeque<Job<R>>,
    /// Nobody takes anything out of it any more.
    is_closed: bool,
}

impl<R: Record> EnginePart<R> {
    fn new() -> Self {
        let inbox = Mutex::new(Inbox { jobs: VecDeque::new(), is_closed: false });
        Self { inbox, news: Arc::default(), counts: Arc::default() }
    }

    /// What came since the last time.
    pub(super) fn jobs(&self) -> VecDeque<Job<R>> {
        std::mem::take(&mut self.inbox.lock().jobs)
    }

    pub(super) fn has_jobs(&self) -> bool {
        !self.inbox.lock().jobs.is_empty()
    }

    /// Takes no more, and refuses what is there.
    fn close(&self) {
        let left = {
            let mut inbox = self.inbox.lock();
            inbox.is_closed = true;
            std::mem::take(&mut inbox.jobs)
        };
        left.into_iter().for_each(|job| job.refuse(Refusal::Ending));
    }
}

impl<R: Record> Drop for Inner<R> {
    fn drop(&mut self) {
        self.parts.iter().for_each(|part| part.close());
    }
}

/// Closes a part's inbox when its task ends, however that comes about, so that nobody waits for ever.
pub(super) struct Closing<R: Record> {
    pub(super) engine: Weak<Inner<R>>,
    pub(super) part: Arc<EnginePart<R>>,
}

impl<R: Record> Drop for Closing<R> {
    fn drop(&mut self) {
        if self.engine.strong_count() > 0 {
            tracing::error!(kind = R::KIND, "the engine has ended while it is in use");
            self.part.close();
        }
    }
}

pub(super) enum Job<R: Record> {
    Submit {
        key: R::Key,
        expect: Expect,
        command: R::Command,
        sink: Sink<R::Reply>,
    },
    Read {
        key: R::Key,
        reader: Reader<R>,
    },
    ReadAll {
        keys: Vec<R::Key>,
        visit: Visit<R>,
        done: Box<dyn FnOnce() + Send>,
    },
    List {
        name: String,
        visit: Visit<R>,
        done: Box<dyn FnOnce(bool) + Send>,
    },
    /// Tells when nothing is under way.
    Settle(Box<dyn FnOnce() + Send>),
    /// Hear what is said to the listeners of a name.
    Listen(String),
    Unlisten(String),
}

impl<R: Record> Job<R> {
    /// Tells the one who waits, whatever he makes of it.
    fn refuse(self, refusal: Refusal) {
        match self {
            Job::Submit { sink, .. } => worker::guarded(|| sink(Err(refusal))),
            Job::Read { reader, .. } => worker::guarded(|| reader(Err(refusal))()),
            Job::ReadAll { done, .. } => worker::guarded(done),
            Job::List { done, .. } => worker::guarded(|| done(false)),
            Job::Settle(then) => worker::guarded(then),
            Job::Listen(_) | Job::Unlisten(_) => true,
        };
    }
}

impl<R: Record> Clone for SharedEngine<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// An engine that somebody else keeps.
pub struct WeakSharedEngine<R: Record>(Weak<Inner<R>>);

impl<R: Record> WeakSharedEngine<R> {
    /// The engine, while it is there.
    #[must_use]
    pub fn upgrade(&self) -> Option<SharedEngine<R>> {
        self.0.upgrade().map(SharedEngine)
    }
}

impl<R: Record> SharedEngine<R> {
    /// For those that the engine's own delivery keeps alive, or they would keep each other.
    #[must_use]
    pub fn downgrade(&self) -> WeakSharedEngine<R> {
        WeakSharedEngine(Arc::downgrade(&self.0))
    }

    /// The settings that its records work by.
    #[must_use]
    pub fn rules(&self) -> &R::Rules {
        &self.0.rules
    }

    /// What it has in common with other engines of its figures now.
    #[must_use]
    pub fn figures(&self) -> EngineFigures {
        let inboxes = self.0.parts.iter().map(|part| part.inbox.lock().jobs.len());
        let waiting =
            inboxes.sum::<usize>().saturating_add(self.counted(|counts| &counts.under_way));
        let sum = |of: fn(&Counts) -> &AtomicU64| self.counted(of) as u64;
        EngineFigures {
            conflicts: sum(|counts| &counts.conflicts),
            away: sum(|counts| &counts.away),
            missed: sum(|counts| &counts.missed),
            remembered: sum(|counts| &counts.records),
            ..EngineFigures::of(self.stats(), waiting)
        }
    }

    /// How many records there are on the server: a second old at most, where other nodes made or ended some.
    #[must_use]
    pub fn records(&self) -> usize {
        self.counted(|counts| &counts.there)
    }

    /// How many timers wait on this node.
    #[must_use]
    pub fn timers(&self) -> usize {
        self.counted(|counts| &counts.timers)
    }

    /// One of the counters, of all parts.
    fn counted(&self, of: fn(&Counts) -> &AtomicU64) -> usize {
        let sum = self.0.parts.iter().map(|part| figures::read(of(&part.counts))).sum::<u64>();
        usize::try_from(sum).unwrap_or(usize::MAX)
    }

    /// An engine of `node`, for about `most` records on the server, of which the node remembers as many as it works on.
    pub fn new(
        node: &SharedNode,
        most: usize,
        rules: R::Rules,
        deliver: impl Deliver<R, Self> + 'static,
    ) -> Self
    where
        R::Rules: 'static,
    {
        let rules = Arc::new(rules);
        let engine = Self(Arc::new(Inner {
            parts: (0..node.0.parts).map(|_| Arc::new(EnginePart::new())).collect(),
            stats: Stats::default(),
            clock: node.0.clock.clone(),
            rules: Arc::clone(&rules),
            deliver: Box::new(deliver),
            _node: node.clone(),
        }));
        let of = |part: &Arc<EnginePart<R>>| Closing {
            engine: Arc::downgrade(&engine.0),
            part: Arc::clone(part),
        };
        let closings: Vec<Closing<R>> = engine.0.parts.iter().map(of).collect();
        let id = node.0.id;
        let begin = Box::new(move |links: Rc<Links>| {
            let gap = Gap::of(links.len());
            for (closing, link) in closings.into_iter().zip(links.all()) {
                let core = Core::new(id, Arc::clone(&rules), most, links.len());
                let (link, links, gap) = (Rc::clone(link), Rc::clone(&links), Rc::clone(&gap));
                tokio::task::spawn_local(worker::work(closing, core, link, links, gap));
            }
        });
        // Where there is no thread any more, what cannot begin closes the inboxes.
        drop(node.0.spawn.send(begin));
        engine
    }

    /// What the engine counts.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    fn part(&self, key: &R::Key) -> Option<&Arc<EnginePart<R>>> {
        self.0.parts.get(part_of(R::KIND, key, self.0.parts.len()))
    }

    fn leave(&self, part: Option<&Arc<EnginePart<R>>>, job: Job<R>, is_essential: bool) {
        let Some(part) = part else { return };
        let mut inbox = part.inbox.lock();
        let most = INBOX_LIMIT / self.0.parts.len().max(1);
        let refusal = match () {
            () if inbox.is_closed => Refusal::Ending,
            () if inbox.jobs.len() >= most && !is_essential => Refusal::Overloaded,
            () => {
                inbox.jobs.push_back(job);
                drop(inbox);
                return part.news.notify_one();
            }
        };
        drop(inbox);
        if refusal == Refusal::Overloaded {
            Stats::count(&self.0.stats.refused);
        }
        job.refuse(refusal);
    }

    /// To the part of this record, or to all where none is named.
    fn leave_with(&self, of: Option<&R::Key>, job: impl Fn() -> Job<R>) {
        match of {
            Some(key) => self.leave(self.part(key), job(), true),
            None => self.0.parts.iter().for_each(|part| self.leave(Some(part), job(), true)),
        }
    }

    /// Calls `then` when nothing waits and nothing is under way, in no part.
    pub(in crate::store) fn when_idle(&self, then: Box<dyn FnOnce() + Send>) {
        let before = self.0.stats.commands.load(Ordering::Relaxed);
        // An engine whose node was ended is never idle any more, and who waits for that must not keep it.
        let engine = self.downgrade();
        let settled = Each::of(self.0.parts.len(), move |_| {
            // What one part did last may have begun something in another one.
            let has_more = |engine: &Self| {
                engine.0.parts.len() > 1
                    && engine.0.stats.commands.load(Ordering::Relaxed) != before
            };
            match engine.upgrade().filter(has_more) {
                Some(engine) => engine.when_idle(then),
                None => then(),
            }
        });
        for part in &self.0.parts {
            let settled = Arc::clone(&settled);
            self.leave(Some(part), Job::Settle(Box::new(move || settled.done(true))), true);
        }
    }

    #[cfg(test)]
    pub(in crate::store) fn settle(&self) {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.when_idle(Box::new(move || {
            let _ = sender.send(());
        }));
        receiver.recv_timeout(std::time::Duration::from_secs(20)).expect("the engine settles");
    }
}

impl<R: Record> Engine<R> for SharedEngine<R> {
    fn submit(&self, key: R::Key, expect: Expect, command: R::Command, sink: Sink<R::Reply>) {
        let is_essential = R::is_essential(&command);
        let part = self.part(&key);
        self.leave(part, Job::Submit { key, expect, command, sink }, is_essential);
    }

    fn read(&self, key: R::Key, reader: Reader<R>) {
        let part = self.part(&key);
        self.leave(part, Job::Read { key, reader }, false);
    }

    fn read_all(&self, keys: Vec<R::Key>, visit: Visit<R>, done: Box<dyn FnOnce() + Send>) {
        // Any part can ask for all.
        self.leave(self.0.parts.first(), Job::ReadAll { keys, visit, done }, false);
    }

    fn list(&self, name: String, visit: Visit<R>, done: Box<dyn FnOnce(bool) + Send>) {
        let each = Each::of(self.0.parts.len(), done);
        let visit = Arc::new(Mutex::new(visit));
        for part in &self.0.parts {
            let (name, visit, each) = (name.clone(), Arc::clone(&visit), Arc::clone(&each));
            let visit = Box::new(move |key: &R::Key, record: &R| (*visit.lock())(key, record));
            let done = Box::new(move |is_seen| each.done(is_seen));
            self.leave(Some(part), Job::List { name, visit, done }, false);
        }
    }

    fn listen(&self, name: String, of: Option<&R::Key>) {
        self.leave_with(of, || Job::Listen(name.clone()));
    }

    fn unlisten(&self, name: String, of: Option<&R::Key>) {
        self.leave_with(of, || Job::Unlisten(name.clone()));
    }

    fn weakly(&self) -> impl FnOnce() -> Option<Self> + 'static {
        let engine = self.downgrade();
        move || engine.upgrade()
    }
}

/// Goes on with whether all was well.
type Then = Box<dyn FnOnce(bool) + Send>;

/// Goes on when each of several has said whether it did well, with whether all did.
struct Each {
    left: AtomicUsize,
    is_well: AtomicBool,
    then: Mutex<Option<Then>>,
}

impl Each {
    fn of(number: usize, then: impl FnOnce(bool) + Send + 'static) -> Arc<Self> {
        let (left, is_well) = (AtomicUsize::new(number), AtomicBool::new(true));
        Arc::new(Self { left, is_well, then: Mutex::new(Some(Box::new(then))) })
    }

    fn done(&self, is_well: bool) {
        self.is_well.fetch_and(is_well, Ordering::SeqCst);
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            let then = self.then.lock().take();
            then.into_iter().for_each(|then| then(self.is_well.load(Ordering::SeqCst)));
        }
    }
}
