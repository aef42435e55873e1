//! Lists of the visitors who are there: live ones for agents, pages for back ends.
//!
//! ```text
//! shards ─ row ─▶ inbox of the group ─▶ rows ─▶ views ─▶ queries ─ changes ─▶ agents' sockets
//!                 (newest of a visitor)  (one thread, paced: at most one round a group in `pace_ms`)
//! ```
//!
//! Presence tells each change of a visitor once; a shard's thread only leaves the new row in its group's inbox, where it
//! takes the place of an older one. A thread of its own takes the rows in, brings the views up to date and tells the
//! queries. So a change costs the shard the same whatever is asked for, and who reads slowly holds up nobody.
//!
//! * [`state`] is one group's lists, [`view`] the rows that pass one filter in one order, [`query`] what one reader
//!   knows: all pure,
//! * [`page`] is for who asks once.

mod ordered;
pub mod page;
pub mod query;
pub mod state;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
pub mod view;

use std::{
    collections::{HashMap, HashSet},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use parking_lot::{Condvar, Mutex};

use self::{
    page::{Page, PageQuery},
    state::{ListLimits, Size, State, Told},
};
use crate::{
    clock::{Clock, Timestamp},
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, SocketId, VisitorId, VisitorKey},
        list::{ListQuery, Row},
        protocol::agent::ListChange,
    },
    presence::handle::Tap,
    settings::Settings,
    telemetry::Metrics,
};

/// Most questions that wait for one group's lists; one more is refused with `unready`. Ends of lists always fit.
pub const MAX_WAITING: usize = 1_024;

/// One who reads a live list. Neither call waits.
pub trait Reader: Send + Sync {
    /// Whether he has read most of what he was told.
    fn is_ready(&self) -> bool;
    /// Tells him.
    fn tell(&self, change: ListChange);
}

/// Takes an answer; called once.
pub type Answer<T> = Box<dyn FnOnce(T) + Send>;

enum Job {
    Open {
        socket: SocketId,
        list: u64,
        query: ListQuery,
        reader: Arc<dyn Reader>,
        answer: Answer<Result<(), Problem>>,
    },
    Close {
        socket: SocketId,
        list: u64,
    },
    CloseAll {
        socket: SocketId,
    },
    Page {
        query: PageQuery,
        answer: Answer<Result<Page, Problem>>,
    },
}

#[derive(Default)]
struct Inbox {
    /// The newest row of each visitor that changed; bounded by their number.
    rows: HashMap<VisitorId, Option<Arc<Row>>>,
    jobs: Vec<Job>,
    /// When rows may next be told.
    next: Timestamp,
    /// Whether there is something to tell then.
    has_news: bool,
}

#[derive(Default)]
struct Group {
    inbox: Mutex<Inbox>,
    state: Mutex<State>,
}

/// All groups' lists. The groups are those of the settings.
pub struct Lists {
    groups: HashMap<GroupId, Group>,
    limits: ListLimits,
    pace_ms: u64,
    clock: Clock,
    metrics: Metrics,
    bell: Mutex<Bell>,
    rung: Condvar,
}

#[derive(Default)]
struct Bell {
    rung: bool,
    stop: bool,
}

impl Lists {
    /// Lists without rows. Nothing is told before [`Lists::start`].
    #[must_use]
    pub fn new(settings: &Settings, clock: Clock, metrics: Metrics) -> Self {
        let limits = &settings.limits;
        Self {
            groups: settings
                .groups
                .iter()
                .map(|group| (group.id.clone(), Group::default()))
                .collect(),
            limits: ListLimits {
                per_socket: limits.lists_per_socket,
                per_group: limits.lists_per_group,
            },
            pace_ms: limits.list_pace_ms,
            clock,
            metrics,
            bell: Mutex::default(),
            rung: Condvar::new(),
        }
    }

    /// Opens a live list, or lets one show something else. `answer` is called before the first change is told: with
    /// `toomany` when there are too many lists.
    pub fn open(
        &self,
        group: &GroupId,
        (socket, list): (SocketId, u64),
        query: ListQuery,
        reader: Arc<dyn Reader>,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.leave(group, Job::Open { socket, list, query, reader, answer: Box::new(answer) });
    }

    /// Ends a live list.
    pub fn close(&self, group: &GroupId, socket: SocketId, list: u64) {
        self.leave(group, Job::Close { socket, list });
    }

    /// Ends all live lists of a socket.
    pub fn close_all(&self, group: &GroupId, socket: SocketId) {
        self.leave(group, Job::CloseAll { socket });
    }

    /// Asks for a page.
    pub fn page(
        &self,
        group: &GroupId,
        query: PageQuery,
        answer: impl FnOnce(Result<Page, Problem>) + Send + 'static,
    ) {
        self.leave(group, Job::Page { query, answer: Box::new(answer) });
    }

    fn leave(&self, group: &GroupId, job: Job) {
        let Some(group) = self.groups.get(group) else {
            return job.refuse(Problem::new(ErrorCode::Group, "there is no such group"));
        };
        let mut inbox = group.inbox.lock();
        let is_end = matches!(job, Job::Close { .. } | Job::CloseAll { .. });
        if inbox.jobs.len() >= MAX_WAITING && !is_end {
            drop(inbox);
            self.metrics.list_questions_refused.inc();
            let sentence = "too many questions wait for the lists of this group";
            return job.refuse(Problem::new(ErrorCode::Unready, sentence).retry_in(1_000));
        }
        inbox.jobs.push(job);
        drop(inbox);
        self.ring();
    }

    fn ring(&self) {
        self.bell.lock().rung = true;
        self.rung.notify_one();
    }

    /// Does all that waits. Gives the moment at which there will be more to do, if nobody rings before.
    pub fn work(&self) -> Option<Timestamp> {
        let next = self.groups.values().filter_map(|group| self.work_on(group));
        next.min()
    }

    fn work_on(&self, group: &Group) -> Option<Timestamp> {
        let begun = self.clock.now();
        let (rows, jobs, is_due) = {
            let mut inbox = group.inbox.lock();
            let is_due = inbox.next <= begun;
            let has_news = inbox.has_news || !inbox.rows.is_empty();
            if inbox.jobs.is_empty() && !(is_due && has_news) {
                // From now on rows need not ring: the thread comes back for them.
                inbox.has_news = has_news;
                return has_news.then_some(inbox.next);
            }
            (std::mem::take(&mut inbox.rows), std::mem::take(&mut inbox.jobs), is_due)
        };
        let mut state = group.state.lock();
        let before = state.size();
        let worked =
            catch_unwind(AssertUnwindSafe(|| self.work_with(&mut state, rows, jobs, is_due)));
        if worked.is_err() {
            self.metrics.list_panics.inc();
            state.recover();
        }
        self.measure(before, state.size());
        let has_news = state.has_news();
        drop(state);
        let ended = self.clock.now();
        let mut inbox = group.inbox.lock();
        if is_due {
            // However much there is to tell, half of the time is left to others.
            inbox.next = ended + self.pace_ms.max(ended.since(begun));
        }
        inbox.has_news = has_news || !inbox.rows.is_empty();
        inbox.has_news.then_some(inbox.next)
    }

    fn work_with(
        &self,
        state: &mut State,
        rows: HashMap<VisitorId, Option<Arc<Row>>>,
        jobs: Vec<Job>,
        is_due: bool,
    ) {
        let begun = std::time::Instant::now();
        state.take(rows);
        for job in jobs {
            self.run(state, job);
        }
        if is_due {
            self.count(state.tell());
        }
        self.metrics.list_duration_seconds.observe(begun.elapsed().as_secs_f64());
    }

    fn run(&self, state: &mut State, job: Job) {
        match job {
            Job::Open { socket, list, query, reader, answer } => {
                let opened = state.open(socket, list, query, reader, self.limits);
                if opened.is_err() {
                    self.metrics.lists_refused.inc();
                }
                let is_open = opened.is_ok();
                answer(opened);
                if is_open {
                    self.count(state.begin(socket, list));
                }
            }
            Job::Close { socket, list } => state.close(socket, list),
            Job::CloseAll { socket } => state.close_all(socket),
            Job::Page { query, answer } => answer(Ok(state.page(&query))),
        }
    }

    fn count(&self, told: Told) {
        self.metrics.list_messages.inc_by(told.messages);
        self.metrics.lists_held_back.inc_by(told.held_back);
    }

    /// Starts the thread that works. It ends when the handle is dropped.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(self: &Arc<Self>) -> std::io::Result<Working> {
        let lists = Arc::clone(self);
        let thread =
            std::thread::Builder::new().name("lists".into()).spawn(move || lists.run_on())?;
        Ok(Working { lists: Arc::clone(self), thread: Some(thread) })
    }

    fn run_on(&self) {
        loop {
            let next = self.work();
            let mut bell = self.bell.lock();
            while !bell.rung && !bell.stop {
                let Some(next) = next else {
                    self.rung.wait(&mut bell);
                    continue;
                };
                let wait = Duration::from_millis(next.since(self.clock.now()));
                if wait.is_zero() || self.rung.wait_for(&mut bell, wait).timed_out() {
                    break;
                }
            }
            bell.rung = false;
            if bell.stop {
                return;
            }
        }
    }

    fn measure(&self, before: Size, now: Size) {
        let metrics = &self.metrics;
        for (gauge, before, now) in [
            (&metrics.lists_open, before.lists, now.lists),
            (&metrics.list_views, before.views, now.views),
            (&metrics.list_rows, before.rows, now.rows),
        ] {
            let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            gauge.inc_by(whole(now) - whole(before));
        }
    }
}

impl Tap for Lists {
    fn listed(&self, key: &VisitorKey, row: Option<&Arc<Row>>) {
        let Some(group) = self.groups.get(&key.group) else { return };
        let mut inbox = group.inbox.lock();
        let is_awaited = inbox.has_news || !inbox.rows.is_empty();
        inbox.rows.insert(key.visitor.clone(), row.cloned());
        drop(inbox);
        if !is_awaited {
            self.ring();
        }
    }

    fn replaced(
        &self,
        group: &GroupId,
        rows: &HashMap<VisitorId, Arc<Row>>,
        but: &HashSet<VisitorId>,
    ) {
        let Some(group) = self.groups.get(group) else { return };
        let known = group.state.lock().visitors();
        let mut inbox = group.inbox.lock();
        let known: HashSet<VisitorId> =
            known.into_iter().chain(inbox.rows.keys().cloned()).collect();
        let gone = known.into_iter().filter(|visitor| !rows.contains_key(visitor));
        let gone = gone.map(|visitor| (visitor, None));
        let there = rows.iter().map(|(visitor, row)| (visitor.clone(), Some(Arc::clone(row))));
        for (visitor, row) in gone.chain(there).filter(|(visitor, _)| !but.contains(visitor)) {
            inbox.rows.insert(visitor, row);
        }
        drop(inbox);
        self.ring();
    }
}

impl Job {
    fn refuse(self, problem: Problem) {
        match self {
            Job::Open { answer, .. } => answer(Err(problem)),
            Job::Page { answer, .. } => answer(Err(problem)),
            Job::Close { .. } | Job::CloseAll { .. } => {}
        }
    }
}

/// The thread that works on the lists.
pub struct Working {
    lists: Arc<Lists>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.lists.bell.lock().stop = true;
        self.lists.rung.notify_one();
        if let Some(thread) = self.thread.take() {
            // It catches its panics; there is nothing to learn from how it ended.
            let _ = thread.join();
        }
    }
}
