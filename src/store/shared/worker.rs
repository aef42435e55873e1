//! An engine's task: it takes jobs, answers and messages to the core, and does what that says.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::{Arc, Weak, atomic::Ordering},
    time::Duration,
};

use tokio::sync::mpsc;

use super::{
    Inner, Job, SharedEngine,
    core::{Action, Core, Work},
    link::{Ear, Heard, Link},
    message,
    question::{Answer, Ask, Ticket},
};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{Expect, Record, Stats, Visit},
};

/// How often a node looks for records that are due and that nobody cared for, in milliseconds.
const SWEEP_EVERY_MS: u64 = 1_000;
/// How late a record must be before others than the node that changed it last care for it, in milliseconds.
pub(super) const OVERDUE_MS: u64 = 1_500;
/// Records that are cared for in one sweep.
const SWEPT_AT_ONCE: usize = 256;
/// Longest sleep while no timer is due.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// What an engine's task goes on with.
enum News<R: Record> {
    Answer(Ticket, Answer),
    Overdue(Vec<R::Key>),
    Orphans(Vec<(R::Key, NodeId)>),
}

/// The life of an engine: takes jobs, answers and messages to the core, and does what it says, until nobody holds the engine.
pub(super) async fn work<R: Record>(engine: Weak<Inner<R>>, core: Core<R>, link: Rc<Link>) {
    let Some(news) = engine.upgrade().map(|inner| Arc::clone(&inner.news)) else { return };
    let (answers, mut answered) = mpsc::unbounded_channel();
    let (ear, mut heard) = mpsc::unbounded_channel();
    link.listen(R::KIND, &ear);
    let mut worker = Worker {
        core,
        link,
        answers,
        actions: Vec::new(),
        settling: Vec::new(),
        ear,
        was_cut: false,
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
        if std::mem::take(&mut worker.was_cut) {
            worker.with(&engine, |core, _, work| core.deaf(work));
            engine.0.deliver.missed(&engine);
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
        if !worker.settling.is_empty()
            && worker.core.is_idle()
            && engine.0.inbox.lock().is_empty()
            && heard.is_empty()
        {
            worker.settling.drain(..).for_each(|settled| settled());
        }
        engine.0.remembered.store(worker.core.remembered(), Ordering::Relaxed);
        engine.0.timers.store(worker.core.timers(), Ordering::Relaxed);
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
    /// To be told when nothing is under way.
    settling: Vec<Box<dyn FnOnce() + Send>>,
    /// For what is said to listeners.
    ear: Ear,
    was_cut: bool,
}

impl<R: Record> Worker<R> {
    fn with(
        &mut self,
        engine: &SharedEngine<R>,
        act: impl FnOnce(&mut Core<R>, Timestamp, &mut Work<'_, R>),
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
            Job::List { name, visit, done } => self.list(name, visit, done),
            Job::Settle(settled) => self.settling.push(settled),
            Job::Listen(name) => self.link.listen_to(R::KIND, name, &self.ear),
            Job::Unlisten(name) => self.link.unlisten(R::KIND, name),
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
            // Each channel says so; it is one cut.
            Heard::Again => self.was_cut = true,
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
            Action::Deliver(key, mut effects, origin) => catch_unwind(AssertUnwindSafe(|| {
                engine.0.deliver.deliver(engine, &key, &mut effects, origin);
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

    /// Each record that is listed there, as it is when the server looks.
    fn list(&self, name: String, visit: Visit<R>, done: Box<dyn FnOnce(bool) + Send>) {
        let link = Rc::clone(&self.link);
        tokio::task::spawn_local(async move { done(link.visit_listed::<R>(&name, visit).await) });
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
