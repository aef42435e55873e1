//! The engine of several nodes, which keep their records on one server that they share.
//!
//! Any node works on any record. [`core`] is what a node does, pure; [`question`] what it asks of the server, [`link`] how
//! that is said to Redis or what speaks its protocol, and [`way`] how it gets there, to where [`url`] says; [`message`] is
//! what nodes hear of each other, with their [`ears`], and [`lease`] says which of them are there, which [`member`] sees to;
//! [`post`] carries what no record says. [`worker`] brings them together, on one thread.
//!
//! A transition is one script on one key: is the version still the expected one, then put the new row in its place and
//! publish what follows. So it is made once, and whoever is told of it is told in the order of versions.

mod core;
mod ears;
mod figures;
mod lease;
mod link;
mod listing;
mod member;
mod message;
pub mod post;
mod question;
#[cfg(test)]
pub(crate) mod simulation;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod url;
mod way;
mod worker;

use std::{
    collections::VecDeque,
    rc::Rc,
    sync::{Arc, Weak},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use self::{
    core::Core,
    figures::{Counts, Traffic},
    link::Link,
};
pub use self::{
    figures::NodeFigures,
    lease::Standing,
    url::{InvalidServerUrl, ServerUrl},
};
use super::{
    Deliver, Engine, Expect, INBOX_LIMIT, Reader, Record, Refusal, Sink, Stats, Visit,
    memory::EngineFigures,
};
use crate::{auth::Secret, clock::Clock, model::ids::NodeId};

/// How long after a node applied a command the server may still make what comes of it, by the clock of any node, in
/// milliseconds: as long as a node waits for an answer, and what their clocks differ.
pub const LATE_MS: u64 = 2_500;

/// This process as one of several nodes: its connection to the server, and the thread that all its engines work on.
#[derive(Clone)]
pub struct SharedNode(Arc<NodeInner>);

struct NodeInner {
    id: NodeId,
    clock: Clock,
    spawn: mpsc::UnboundedSender<Spawn>,
    standing: watch::Receiver<Standing>,
    traffic: Arc<Traffic>,
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
        let traffic = Arc::<Traffic>::default();
        let carried = Arc::clone(&traffic);
        let time = clock.clone();
        let run = move || {
            let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return tracing::error!(%error, "the engines cannot run"),
            };
            let tasks = tokio::task::LocalSet::new();
            tasks.block_on(&runtime, async move {
                let link = Link::new(&server, id, lease, time, tell_standing, carried);
                let link = Rc::new(link);
                let member = Rc::clone(&link);
                tokio::task::spawn_local(async move { member.stay_a_member().await });
                while let Some(begin) = spawned.recv().await {
                    begin(Rc::clone(&link));
                }
            });
        };
        std::thread::Builder::new().name("engines".to_owned()).spawn(run)?;
        Ok(Self(Arc::new(NodeInner { id, clock, spawn, standing, traffic })))
    }

    /// A secret that all nodes have in common, under this name. Waits for the server.
    pub async fn secret(&self, name: &'static str) -> Secret {
        self.on_the_thread(async move |link| link.secret(name).await)
            .await
            .unwrap_or_else(Secret::generate)
    }

    /// Says to the others that this node ends. Its engines do nothing more.
    pub async fn leave(&self) {
        self.on_the_thread(async |link| link.leave().await).await;
    }

    /// One whose thread has ended.
    #[cfg(test)]
    fn nowhere() -> Self {
        let (spawn, standing) = (mpsc::unbounded_channel().0, watch::channel(Standing::Ended).1);
        let id = NodeId { node: 0, incarnation: 0 };
        Self(Arc::new(NodeInner {
            id,
            clock: Clock::system(),
            spawn,
            standing,
            traffic: Arc::default(),
        }))
    }

    async fn on_the_thread<T: Send + 'static>(
        &self,
        act: impl AsyncFnOnce(Rc<Link>) -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = oneshot::channel();
        let begin = Box::new(|link: Rc<Link>| {
            tokio::task::spawn_local(async move {
                let _ = sender.send(act(link).await);
            });
        });
        self.0.spawn.send(begin).ok()?;
        receiver.await.ok()
    }

    /// How it stands with this node, now and whenever that changes. A node that was ended must begin anew, under a new
    /// incarnation.
    #[must_use]
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.0.standing.clone()
    }

    /// What its connection carried since the start.
    #[must_use]
    pub fn figures(&self) -> NodeFigures {
        self.0.traffic.figures()
    }
}

/// The engine of one kind of record on this node. Cheap to clone.
pub struct SharedEngine<R: Record>(Arc<Inner<R>>);

struct Inner<R: Record> {
    inbox: Mutex<Inbox<R>>,
    news: Arc<Notify>,
    stats: Stats,
    counts: Arc<Counts>,
    clock: Clock,
    rules: Arc<R::Rules>,
    deliver: Box<dyn Deliver<R, SharedEngine<R>>>,
    /// Keeps the thread.
    _node: SharedNode,
}

struct Inbox<R: Record> {
    jobs: VecDeque<Job<R>>,
    /// Nobody takes anything out of it any more.
    is_closed: bool,
}

impl<R: Record> Inbox<R> {
    fn close(&mut self) -> VecDeque<Job<R>> {
        self.is_closed = true;
        std::mem::take(&mut self.jobs)
    }
}

impl<R: Record> Drop for Inner<R> {
    fn drop(&mut self) {
        self.inbox.get_mut().close().into_iter().for_each(|job| job.refuse(Refusal::Ending));
    }
}

/// Closes an engine's inbox when its task ends, however that comes about, so that nobody waits for ever.
struct Closing<R: Record>(Weak<Inner<R>>);

impl<R: Record> Drop for Closing<R> {
    fn drop(&mut self) {
        let Some(engine) = self.0.upgrade() else { return };
        tracing::error!(kind = R::KIND, "the engine has ended while it is in use");
        let left = engine.inbox.lock().close();
        left.into_iter().for_each(|job| job.refuse(Refusal::Ending));
    }
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
        let under_way = figures::read(&self.0.counts.under_way);
        let under_way = usize::try_from(under_way).unwrap_or(usize::MAX);
        let waiting = self.0.inbox.lock().jobs.len().saturating_add(under_way);
        let counts = &self.0.counts;
        EngineFigures {
            conflicts: figures::read(&counts.conflicts),
            away: figures::read(&counts.away),
            missed: figures::read(&counts.missed),
            ..EngineFigures::of(self.stats(), waiting)
        }
    }

    /// How many records this node remembers.
    #[must_use]
    pub fn records(&self) -> usize {
        usize::try_from(figures::read(&self.0.counts.records)).unwrap_or(usize::MAX)
    }

    /// How many timers wait on this node.
    #[must_use]
    pub fn timers(&self) -> usize {
        usize::try_from(figures::read(&self.0.counts.timers)).unwrap_or(usize::MAX)
    }

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
        let rules = Arc::new(rules);
        let engine = Self(Arc::new(Inner {
            inbox: Mutex::new(Inbox { jobs: VecDeque::new(), is_closed: false }),
            news: Arc::default(),
            stats: Stats::default(),
            counts: Arc::default(),
            clock: node.0.clock.clone(),
            rules: Arc::clone(&rules),
            deliver: Box::new(deliver),
            _node: node.clone(),
        }));
        let core = Core::new(node.0.id, rules, most);
        let closing = Closing(Arc::downgrade(&engine.0));
        let begin = Box::new(|link: Rc<Link>| {
            tokio::task::spawn_local(worker::work(closing, core, link));
        });
        // Where there is no thread any more, what cannot begin closes the inbox.
        drop(node.0.spawn.send(begin));
        engine
    }

    /// What the engine counts.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.0.stats
    }

    fn leave(&self, job: Job<R>, is_essential: bool) {
        let mut inbox = self.0.inbox.lock();
        let refusal = match () {
            () if inbox.is_closed => Refusal::Ending,
            () if inbox.jobs.len() >= INBOX_LIMIT && !is_essential => Refusal::Overloaded,
            () => {
                inbox.jobs.push_back(job);
                drop(inbox);
                return self.0.news.notify_one();
            }
        };
        drop(inbox);
        if refusal == Refusal::Overloaded {
            Stats::count(&self.0.stats.refused);
        }
        job.refuse(refusal);
    }

    /// Calls `then` when nothing waits and nothing is under way.
    pub(in crate::store) fn when_idle(&self, then: Box<dyn FnOnce() + Send>) {
        self.leave(Job::Settle(then), true);
    }

    #[cfg(test)]
    pub(in crate::store) fn settle(&self) {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.when_idle(Box::new(move || {
            let _ = sender.send(());
        }));
        receiver.recv_timeout(Duration::from_secs(20)).expect("the engine settles");
    }
}

impl<R: Record> Engine<R> for SharedEngine<R> {
    fn submit(&self, key: R::Key, expect: Expect, command: R::Command, sink: Sink<R::Reply>) {
        let is_essential = R::is_essential(&command);
        self.leave(Job::Submit { key, expect, command, sink }, is_essential);
    }

    fn read(&self, key: R::Key, reader: Reader<R>) {
        self.leave(Job::Read { key, reader }, false);
    }

    fn read_all(&self, keys: Vec<R::Key>, visit: Visit<R>, done: Box<dyn FnOnce() + Send>) {
        self.leave(Job::ReadAll { keys, visit, done }, false);
    }

    fn list(&self, name: String, visit: Visit<R>, done: Box<dyn FnOnce(bool) + Send>) {
        self.leave(Job::List { name, visit, done }, false);
    }

    fn listen(&self, name: String) {
        self.leave(Job::Listen(name), true);
    }

    fn unlisten(&self, name: String) {
        self.leave(Job::Unlisten(name), true);
    }
}
