//! The task of an engine's part: it takes jobs, answers and messages to the core, and does what that says.

mod looks;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};

use self::looks::{Done, Listed, POSTPONED_FOR, Postponed, UNSURE_FOR};
use super::{
    SharedEngine,
    core::{Action, Core, Work},
    ears::{Ears, Heard},
    engine::{Closing, EnginePart, Job},
    figures,
    gap::Gap,
    link::Link,
    links::Links,
    member::Marked,
    message,
    question::{Answer, Ask, Ticket},
    sweep::unless_well,
};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{Expect, Record, Stats},
};

/// How often a node looks for records that are due and that nobody cared for, in milliseconds.
const SWEEP_EVERY_MS: u64 = 1_000;
/// How often a command that waits for the server tries whether that is back.
const RETRY_EVERY: Duration = Duration::from_millis(100);
/// Longest sleep while no timer is due.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// What an engine's task goes on with.
pub(super) enum News<R: Record> {
    Answer(Ticket, Answer),
    /// With where it is said that one of them could not be seen to.
    Overdue(Vec<R::Key>, mpsc::Sender<()>),
    /// Likewise.
    Orphans(Vec<(R::Key, NodeId)>, mpsc::Sender<()>),
    /// Records of which the server's list says that this node holds something; dropped when they were looked at.
    Held(Vec<R::Key>, oneshot::Sender<()>),
    /// All nodes have restated what they know since the mark was new for the so manieth time.
    Restated(u64),
}

/// The life of an engine's part: takes jobs, answers and messages to the core, and does what it says, until nobody holds the
/// engine.
pub(super) async fn work<R: Record>(
    closing: Closing<R>,
    core: Core<R>,
    link: Rc<Link>,
    links: Rc<Links>,
    gap: Rc<Gap>,
) {
    let (engine, part) = (&closing.engine, Arc::clone(&closing.part));
    let (news, counts) = (Arc::clone(&part.news), Arc::clone(&part.counts));
    // As many as there are questions, which the core bounds.
    let (answers, mut answered) = mpsc::unbounded_channel();
    let ears = Arc::new(Ears::new(Arc::clone(&news), counts, links.len()));
    link.listen(R::KIND, &ears);
    let mut worker = Worker {
        is_held: R::lost(link.node()).is_some(),
        core,
        part: Arc::clone(&part),
        link,
        links,
        gap,
        answers,
        actions: Vec::new(),
        ended: Vec::new(),
        sweeping: Rc::default(),
        reading: Rc::default(),
        postponed: Vec::new(),
        settling: Vec::new(),
        ears: Arc::clone(&ears),
        was_cut: false,
        marked: None,
        unsure: None,
    };
    // The parts take turns, so that what else is asked waits behind one of them at most.
    let every = Duration::from_millis(SWEEP_EVERY_MS);
    let parts = u32::try_from(worker.links.len()).unwrap_or(u32::MAX);
    let number = u32::try_from(worker.link.part.number()).unwrap_or_default();
    let first = tokio::time::Instant::now() + every / parts * number;
    let mut sweep = tokio::time::interval_at(first, every);
    sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut retry = tokio::time::interval(RETRY_EVERY);
    retry.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // The first sweep is at once: what an ended node left behind is not to be met by those who come now.
    let (mut sweeps, mut tries) = (true, false);
    let mut marks = worker.link.marks();
    marks.mark_changed();
    let mut first_answered = None;
    loop {
        let Some(engine) = engine.upgrade().map(SharedEngine) else { return };
        if let Ok(true) = marks.has_changed() {
            let before = std::mem::replace(&mut worker.marked, marks.borrow_and_update().clone());
            if before.is_some() {
                worker.unsure = Some((Instant::now() + UNSURE_FOR, Instant::now()));
            }
            if let Some(marked) = &worker.marked {
                let mark = Arc::clone(&marked.mark);
                tracing::trace!(part = worker.link.part.number(), kind = R::KIND, "mends");
                worker.with(&engine, |core, now, work| core.mend(mark, now, work));
            }
        }
        while let Some(heard) = ears.take() {
            worker.hear(&engine, heard);
        }
        if std::mem::take(&mut worker.was_cut) {
            worker.with(&engine, |core, now, work| {
                core.deaf(now, work);
                core.missed(now, work);
            });
            worker.tell_of_a_gap(&engine);
        }
        while let Some(news) = first_answered.take().or_else(|| answered.try_recv().ok()) {
            worker.take_in(&engine, news);
        }
        for job in part.jobs() {
            worker.take(&engine, job);
        }
        worker.run_due(&engine);
        if std::mem::take(&mut sweeps) | worker.has_another_ended() {
            worker.with(&engine, |core, now, work| core.listen(now, work));
            worker.sweep(&engine);
            worker.check_what_is_held();
        }
        if std::mem::take(&mut tries) {
            let no_hope = worker.link.standing().is_final();
            worker.with(&engine, |core, now, work| core.try_again(no_hope, now, work));
        }
        worker.list_what_may_be(&engine);
        worker.tell_figures();
        if !worker.settling.is_empty()
            && worker.core.is_idle()
            && !part.has_jobs()
            && ears.is_empty()
        {
            worker.settling.drain(..).for_each(|settled| settled());
        }
        let nap = worker.nap(&engine);
        let has_to_try = worker.core.has_to_try(engine.0.clock.now());
        // While it sleeps it does not keep the engine.
        drop(engine);
        tokio::select! {
            biased;
            news = answered.recv() => first_answered = news,
            () = news.notified() => {}
            Ok(()) = marks.changed() => marks.mark_changed(),
            _ = sweep.tick() => sweeps = true,
            _ = retry.tick(), if has_to_try => tries = true,
            () = tokio::time::sleep(nap) => {}
        }
    }
}

/// Calls what others gave. Whether it did not panic.
pub(super) fn guarded(call: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(call)).is_ok()
}

struct Worker<R: Record> {
    core: Core<R>,
    part: Arc<EnginePart<R>>,
    link: Rc<Link>,
    links: Rc<Links>,
    gap: Rc<Gap>,
    answers: mpsc::UnboundedSender<News<R>>,
    actions: Vec<Action<R>>,
    /// Whether nodes hold something of these records.
    is_held: bool,
    /// The nodes that were known to have ended when last looked.
    ended: Vec<NodeId>,
    /// Kept by each sweep that is under way.
    sweeping: Rc<()>,
    /// Likewise by each who reads many.
    reading: Rc<()>,
    /// Looks at lists that wait until the server has again what it lost.
    postponed: Vec<Postponed<R>>,
    /// To be told when nothing is under way.
    settling: Vec<Box<dyn FnOnce() + Send>>,
    ears: Arc<Ears>,
    was_cut: bool,
    /// What the server's data are marked with.
    marked: Option<Marked>,
    /// Until when this node looks at what it is said to hold, and when it looks next.
    unsure: Option<(Instant, Instant)>,
}

impl<R: Record> Drop for Worker<R> {
    fn drop(&mut self) {
        let mut last = std::mem::take(&mut self.actions);
        self.core.end(&mut last);
        for action in last {
            match action {
                Action::Tell(sink, result) => guarded(|| sink(result)),
                Action::Go(then) => guarded(then),
                Action::Ask(_) | Action::Deliver(..) | Action::Restated(_) => true,
            };
        }
    }
}

impl<R: Record> Worker<R> {
    fn with(
        &mut self,
        engine: &SharedEngine<R>,
        act: impl FnOnce(&mut Core<R>, Timestamp, &mut Work<'_, R>),
    ) {
        let mut actions = std::mem::take(&mut self.actions);
        let counts = Arc::clone(&self.part.counts);
        let mut work = Work { out: &mut actions, stats: &engine.0.stats, counts: &counts };
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
            Job::ReadAll { keys, visit, done } => {
                self.read_all(engine, keys, visit, Done(Some(done)));
            }
            Job::List { name, visit, done } => {
                let done = Listed(Some(done));
                let too_late = Instant::now() + POSTPONED_FOR;
                self.postponed.push(Postponed { name, visit, done, too_late });
                self.list_what_may_be(engine);
            }
            Job::Settle(settled) => self.settling.push(settled),
            Job::Listen(name) => self.link.listen_to(R::KIND, name, &self.ears),
            Job::Unlisten(name) => self.link.unlisten(R::KIND, name),
        }
    }

    fn take_in(&mut self, engine: &SharedEngine<R>, news: News<R>) {
        match news {
            News::Answer(ticket, answer) => {
                self.with(engine, |core, now, work| core.answered(ticket, answer, now, work));
            }
            News::Overdue(keys, failed) => {
                for key in keys {
                    let sink = unless_well(&failed);
                    self.with(engine, |core, now, work| core.due(key, sink, now, work));
                }
            }
            News::Held(keys, _looked_at) => {
                self.with(engine, |core, now, work| core.check_held(keys, now, work));
            }
            News::Restated(era) => {
                self.with(engine, |core, now, work| core.mended(era, now, work));
            }
            News::Orphans(orphans, failed) => {
                for (key, node) in orphans {
                    let Some(command) = R::lost(node) else { continue };
                    let sink = unless_well(&failed);
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
            Action::Ask(ask) => return self.ask(*ask),
            Action::Restated(era) => return self.tell_the_others(era),
            Action::Tell(sink, result) => guarded(|| sink(result)),
            Action::Go(then) => guarded(then),
            Action::Deliver(key, mut effects, origin) => {
                guarded(|| engine.0.deliver.deliver(engine, &key, &mut effects, origin))
            }
        };
        if !done {
            Stats::count(&engine.0.stats.panics);
        }
    }

    fn ask(&self, ask: Ask<R::Key>) {
        let (link, answers) = (Rc::clone(&self.link), self.answers.clone());
        let counts = Arc::clone(&self.part.counts);
        tokio::task::spawn_local(async move {
            let (ticket, answer) = link.ask::<R>(ask, &counts).await;
            // When the engine is gone nobody waits.
            let _ = answers.send(News::Answer(ticket, answer));
        });
    }

    /// Says that this node has restated what it knows, and waits for the others.
    fn tell_the_others(&self, era: u64) {
        let Some(marked) = self.marked.clone() else { return };
        let part = self.link.part.number();
        tracing::trace!(part, kind = R::KIND, "has said again what it knows");
        let (link, answers) = (Rc::clone(&self.link), self.answers.clone());
        tokio::task::spawn_local(async move {
            link.restated(R::KIND, marked).await;
            let _ = answers.send(News::Restated(era));
        });
    }

    /// What this node shows may lack something.
    fn tell_of_a_gap(&self, engine: &SharedEngine<R>) {
        let engine = engine.downgrade();
        self.gap.tell(move || {
            let Some(engine) = engine.upgrade() else { return };
            if !guarded(|| engine.0.deliver.missed(&engine)) {
                Stats::count(&engine.0.stats.panics);
            }
        });
    }

    fn tell_figures(&self) {
        let counts = &self.part.counts;
        figures::set(&counts.under_way, self.core.under_way());
        figures::set(&counts.records, self.core.records());
        figures::set(&counts.timers, self.core.timers());
    }

    /// Whether a node has ended since this was asked last: what it held waits for no sweep.
    fn has_another_ended(&mut self) -> bool {
        let before = std::mem::replace(&mut self.ended, self.link.membership.ended());
        self.ended.iter().any(|node| !before.contains(node))
    }
}
