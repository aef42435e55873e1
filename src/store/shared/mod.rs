//! The engine of several nodes, which keep their records on one server that they share.
//!
//! Any node works on any record. [`core`] is what a node does, pure; [`link`] asks the server, which is Redis or speaks its
//! protocol; [`message`] is what nodes hear of each other. This file is the thread that brings them together.
//!
//! A transition is one script on one key: is the version still the expected one, then put the new row in its place and
//! publish what follows. So it is made once, and whoever is told of it is told in the order of versions.

mod core;
mod lease;
mod link;
mod message;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, watch};

use self::{
    core::{Action, Answer, Ask, Core, Ticket, Work},
    link::{Heard, Link},
};
pub use self::{
    lease::Standing,
    link::{InvalidServerUrl, ServerUrl},
};
use super::{Deliver, Engine, Expect, INBOX_LIMIT, Reader, Record, Refusal, Sink, Stats, Visit};
use crate::{clock::Clock, model::ids::NodeId};

/// How often a node looks for records that are due and that nobody cared for, in milliseconds.
const SWEEP_EVERY_MS: u64 = 1_000;
/// How late a record must be before others than the node that changed it last care for it, in milliseconds.
const OVERDUE_MS: u64 = 1_500;
/// Records that are cared for in one sweep.
const SWEPT_AT_ONCE: usize = 256;
/// Longest sleep while no timer is due.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// This process as one of several nodes: its connection to the server, and the thread that all its engines work on.
#[derive(Clone)]
pub struct SharedNode(Arc<NodeInner>);

struct NodeInner {
    id: NodeId,
    clock: Clock,
    spawn: mpsc::UnboundedSender<Spawn>,
    standing: watch::Receiver<Standing>,
}

/// Begins something on the thread of the engines.
type Spawn = Box<dyn FnOnce(Rc<Link>) + Send>;

impl SharedNode {
    /// Begins the thread, which connects, and connects again whenever the connection was lost. A node that does not renew
    /// its `lease` (10 s in design section 5) is ended by the others.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(
        server: ServerUrl,
        id: NodeId,
        lease: Duration,
        clock: Clock,
    ) -> std::io::Result<Self> {
        let (tell_standing, standing) = watch::channel(Standing::Away);
        let (spawn, mut spawned) = mpsc::unbounded_channel::<Spawn>();
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "the engines cannot run"),
            };
            let tasks = tokio::task::LocalSet::new();
            tasks.block_on(&runtime, async move {
                let link = Rc::new(Link::new(&server, id, lease, tell_standing));
                let member = Rc::clone(&link);
                tokio::task::spawn_local(async move { member.stay_a_member().await });
                while let Some(begin) = spawned.recv().await {
                    begin(Rc::clone(&link));
                }
            });
        };
        std::thread::Builder::new().name("engines".to_owned()).spawn(run)?;
        Ok(Self(Arc::new(NodeInner { id, clock, spawn, standing })))
    }

    /// How it stands with this node, now and whenever that changes. A node that was ended must begin anew, under a new
    /// incarnation.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.0.standing.clone()
    }
}

/// The engine of one kind of record on this node. Cheap to clone.
pub struct SharedEngine<R: Record>(Arc<Inner<R>>);

struct Inner<R: Record> {
    inbox: Mutex<VecDeque<Job<R>>>,
    news: Arc<Notify>,
    stats: Stats,
    clock: Clock,
    deliver: Box<dyn Deliver<R, SharedEngine<R>>>,
    /// Keeps the thread.
    _node: SharedNode,
}

enum Job<R: Record> {
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
    /// Tells when nothing is under way and nothing is due.
    #[cfg(test)]
    Settle(std::sync::mpsc::Sender<()>),
}

impl<R: Record> Clone for SharedEngine<R> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<R: Record> SharedEngine<R> {
    /// An engine of `node` that remembers up to `most` records between two commands.
    pub fn new(
        node: &SharedNode,
        most: usize,
        rules: R::Rules,
        deliver: impl Deliver<R, Self> + 'static,
    ) -> Self
    where
        R::Rules: 'static,
    {
        let engine = Self(Arc::new(Inner {
            inbox: Mutex::default(),
            news: Arc::default(),
            stats: Stats::default(),
            clock: node.0.clock.clone(),
            deliver: Box::new(deliver),
            _node: node.clone(),
        }));
        let core = Core::new(node.0.id, rules, most);
        let weak = Arc::downgrade(&engine.0);
        let begin = Box::new(|link: Rc<Link>| {
            tokio::task::spawn_local(work(weak, core, link));
        });
        if node.0.spawn.send(begin).is_err() {
            tracing::error!(kind = R::KIND, "the engine cannot run");
        }
        engine
    }

    /// What the engine counts.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    fn leave(&self, job: Job<R>, is_essential: bool) -> Result<(), Job<R>> {
        let mut inbox = self.0.inbox.lock();
        if inbox.len() >= INBOX_LIMIT && !is_essential {
            Stats::count(&self.0.stats.refused);
            return Err(job);
        }
        inbox.push_back(job);
        drop(inbox);
        self.0.news.notify_one();
        Ok(())
    }

    #[cfg(test)]
    fn settle(&self) {
        let (sender, receiver) = std::sync::mpsc::channel();
        assert!(self.leave(Job::Settle(sender), true).is_ok());
        receiver.recv_timeout(Duration::from_secs(20)).expect("the engine settles");
    }
}

impl<R: Record> Engine<R> for SharedEngine<R> {
    fn submit(&self, key: R::Key, expect: Expect, command: R::Command, sink: Sink<R::Reply>) {
        let is_essential = R::is_essential(&command);
        if let Err(Job::Submit { sink, .. }) =
            self.leave(Job::Submit { key, expect, command, sink }, is_essential)
        {
            sink(Err(Refusal::Overloaded));
        }
    }

    fn read(&self, key: R::Key, reader: Reader<R>) {
        if let Err(Job::Read { reader, .. }) = self.leave(Job::Read { key, reader }, false) {
            reader(Err(Refusal::Overloaded))();
        }
    }

    fn read_all(&self, keys: Vec<R::Key>, visit: Visit<R>, done: Box<dyn FnOnce() + Send>) {
        if let Err(Job::ReadAll { done, .. }) =
            self.leave(Job::ReadAll { keys, visit, done }, false)
        {
            done();
        }
    }
}

/// What an engine's task goes on with.
enum News<R: Record> {
    Answer(Ticket, Answer),
    Overdue(Vec<R::Key>),
    Orphans(Vec<(R::Key, NodeId)>),
}

/// The life of an engine: takes jobs, answers and messages to the core, and does what it says, until nobody holds the engine.
async fn work<R: Record>(engine: Weak<Inner<R>>, core: Core<R>, link: Rc<Link>) {
    let Some(news) = engine.upgrade().map(|inner| Arc::clone(&inner.news)) else { return };
    let (answers, mut answered) = mpsc::unbounded_channel();
    let mut heard = link.listen(R::KIND);
    let mut worker = Worker {
        core,
        link,
        answers,
        actions: Vec::new(),
        #[cfg(test)]
        settling: Vec::new(),
    };
    let mut sweep = tokio::time::interval(Duration::from_millis(SWEEP_EVERY_MS));
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut sweeps = false;
    let (mut first_heard, mut first_answered) = (None, None);
    loop {
        let Some(engine) = engine.upgrade().map(SharedEngine) else { return };
        while let Some(message) = first_heard.take().or_else(|| heard.try_recv().ok()) {
            worker.hear(&engine, message);
        }
        while let Some(news) = first_answered.take().or_else(|| answered.try_recv().ok()) {
            worker.take_in(&engine, news);
        }
        let jobs = std::mem::take(&mut *engine.0.inbox.lock());
        for job in jobs {
            worker.take(&engine, job);
        }
        worker.run_due(&engine);
        if std::mem::take(&mut sweeps) {
            worker.with(&engine, |core, _, work| core.listen(work));
            worker.sweep(&engine);
        }
        #[cfg(test)]
        if worker.core.is_idle() && engine.0.inbox.lock().is_empty() && heard.is_empty() {
            for settled in worker.settling.drain(..) {
                let _ = settled.send(());
            }
        }
        let nap = worker.nap(&engine);
        // While it sleeps it does not keep the engine.
        drop(engine);
        tokio::select! {
            biased;
            message = heard.recv() => first_heard = message,
            news = answered.recv() => first_answered = news,
            () = news.notified() => {}
            _ = sweep.tick() => sweeps = true,
            () = tokio::time::sleep(nap) => {}
        }
    }
}

struct Worker<R: Record> {
    core: Core<R>,
    link: Rc<Link>,
    answers: mpsc::UnboundedSender<News<R>>,
    actions: Vec<Action<R>>,
    #[cfg(test)]
    settling: Vec<std::sync::mpsc::Sender<()>>,
}

impl<R: Record> Worker<R> {
    fn with(
        &mut self,
        engine: &SharedEngine<R>,
        act: impl FnOnce(&mut Core<R>, crate::clock::Timestamp, &mut Work<'_, R>),
    ) {
        let mut actions = std::mem::take(&mut self.actions);
        let mut work = Work { out: &mut actions, stats: &engine.0.stats };
        act(&mut self.core, engine.0.clock.now(), &mut work);
        for action in actions.drain(..) {
            self.perform(engine, action);
        }
        self.actions = actions;
    }

    fn take(&mut self, engine: &SharedEngine<R>, job: Job<R>) {
        match job {
            Job::Submit { key, expect, command, sink } => {
                self.with(engine, |core, now, work| {
                    core.submit(key, expect, command, sink, now, work);
                });
            }
            Job::Read { key, reader } => {
                self.with(engine, |core, now, work| core.read(key, reader, now, work));
            }
            Job::ReadAll { keys, visit, done } => self.read_all(keys, visit, done),
            #[cfg(test)]
            Job::Settle(settled) => self.settling.push(settled),
        }
    }

    fn take_in(&mut self, engine: &SharedEngine<R>, news: News<R>) {
        match news {
            News::Answer(ticket, answer) => {
                self.with(engine, |core, now, work| core.answered(ticket, answer, now, work));
            }
            News::Overdue(keys) => {
                for key in keys {
                    self.with(engine, |core, now, work| core.due(key, now, work));
                }
            }
            News::Orphans(orphans) => {
                for (key, node) in orphans {
                    let Some(command) = R::lost(node) else { return };
                    let sink = Box::new(|_| ());
                    self.with(engine, |core, now, work| {
                        core.submit(key, Expect::Any, command, sink, now, work);
                    });
                }
            }
        }
    }

    fn hear(&mut self, engine: &SharedEngine<R>, heard: Heard) {
        match heard {
            Heard::Message(bytes) => {
                if let Some(message) = message::decode(&bytes) {
                    self.with(engine, |core, now, work| core.heard(message, now, work));
                }
            }
            Heard::Again => self.with(engine, |core, _, work| core.deaf(work)),
        }
    }

    fn run_due(&mut self, engine: &SharedEngine<R>) {
        self.with(engine, |core, now, work| core.run_due(now, work));
    }

    fn nap(&self, engine: &SharedEngine<R>) -> Duration {
        let due = self.core.deadline();
        due.map_or(LONGEST_SLEEP, |at| Duration::from_millis(at.since(engine.0.clock.now())))
            .min(LONGEST_SLEEP)
    }

    fn perform(&self, engine: &SharedEngine<R>, action: Action<R>) {
        let done = match action {
            Action::Ask(ask) => return self.ask(ask),
            Action::Tell(sink, result) => catch_unwind(AssertUnwindSafe(|| sink(result))),
            Action::Go(then) => catch_unwind(AssertUnwindSafe(then)),
            Action::Deliver(key, mut effects) => catch_unwind(AssertUnwindSafe(|| {
                engine.0.deliver.deliver(engine, &key, &mut effects);
            })),
        };
        if done.is_err() {
            Stats::count(&engine.0.stats.panics);
        }
    }

    fn ask(&self, ask: Ask<R::Key>) {
        let (link, answers) = (Rc::clone(&self.link), self.answers.clone());
        tokio::task::spawn_local(async move {
            let (ticket, answer) = link.ask::<R>(ask).await;
            // When the engine is gone nobody waits.
            let _ = answers.send(News::Answer(ticket, answer));
        });
    }

    /// Cares for records whose time came, and whose node did nothing about it; and for what ended nodes left behind.
    fn sweep(&self, engine: &SharedEngine<R>) {
        let before = engine.0.clock.now() - OVERDUE_MS;
        let (link, answers) = (Rc::clone(&self.link), self.answers.clone());
        tokio::task::spawn_local(async move {
            let keys = link.overdue::<R>(before, SWEPT_AT_ONCE).await;
            if !keys.is_empty() {
                let _ = answers.send(News::Overdue(keys));
            }
            let orphans = link.orphans::<R>(SWEPT_AT_ONCE).await;
            if !orphans.is_empty() {
                let _ = answers.send(News::Orphans(orphans));
            }
        });
    }

    /// Each record as it is when the server looks; not one moment for all.
    fn read_all(&self, keys: Vec<R::Key>, mut visit: Visit<R>, done: Box<dyn FnOnce() + Send>) {
        let link = Rc::clone(&self.link);
        tokio::task::spawn_local(async move {
            for (key, record) in link.rows::<R>(keys).await {
                visit(&key, &record);
            }
            done();
        });
    }
}
