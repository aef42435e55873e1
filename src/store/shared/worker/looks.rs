//! Looks at many records: those of a list, those that somebody names, and those that nobody cared for.

use std::{
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{News, Worker, guarded};
use crate::store::{
    Record, Stats, Visit,
    shared::{engine::SharedEngine, sweep::Sweep},
};

/// How long after the server lost something a node looks at what it is said to hold, and how often. By then everybody has said
/// again what he knows, or has been ended.
pub(super) const UNSURE_FOR: Duration = Duration::from_secs(25);
const CHECKS_EVERY: Duration = Duration::from_secs(5);
/// Questions for many records that are under way. Beyond, they are answered with none.
const MOST_READING: usize = 1_024;
/// How long a look at a list waits until the server has again what it lost. Longer than a node waits for others.
pub(super) const POSTPONED_FOR: Duration = Duration::from_secs(3);

/// Called once, at the latest when it is dropped.
pub(super) struct Done(pub(super) Option<Box<dyn FnOnce() + Send>>);

impl Drop for Done {
    fn drop(&mut self) {
        if let Some(done) = self.0.take() {
            guarded(done);
        }
    }
}

/// Likewise, with whether all was seen.
pub(super) struct Listed(pub(super) Option<Box<dyn FnOnce(bool) + Send>>);

impl Listed {
    fn say(&mut self, is_seen: bool) {
        if let Some(done) = self.0.take() {
            guarded(|| done(is_seen));
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        self.say(false);
    }
}

/// A look at all records of a list, before it has begun.
pub(super) struct Postponed<R: Record> {
    pub(super) name: String,
    pub(super) visit: Visit<R>,
    pub(super) done: Listed,
    pub(super) too_late: Instant,
}

impl<R: Record> Worker<R> {
    /// Cares for records whose time came, and whose node did nothing about it; and for what ended nodes left behind.
    pub(super) fn sweep(&self, engine: &SharedEngine<R>) {
        if Rc::strong_count(&self.sweeping) > 1 {
            return;
        }
        let sweep = Sweep::new(&self.link, &engine.0.clock, self.is_held, &self.answers);
        let (link, counts) = (Rc::clone(&self.link), Arc::clone(&self.part.counts));
        let sweeping = Rc::clone(&self.sweeping);
        tokio::task::spawn_local(async move {
            // What others made and ended. Where the server does not say, what is known stays.
            let _ = link.there::<R>(&counts).await;
            sweep.run().await;
            drop(sweeping);
        });
    }

    /// Who said again what the server lost may have known an old version only, of somebody who is not here any more.
    pub(super) fn check_what_is_held(&mut self) {
        let now = Instant::now();
        let Some((until, next)) = self.unsure.filter(|_| !self.core.is_mending()) else { return };
        if now >= until || R::holds(self.link.node(), None).is_none() {
            self.unsure = None;
        } else if now >= next {
            self.unsure = Some((until, now + CHECKS_EVERY));
            let (link, answers) = (Rc::clone(&self.link), self.answers.clone());
            tokio::task::spawn_local(async move {
                link.each_held::<R>(async |keys| {
                    let (looked_at, done) = oneshot::channel();
                    if answers.send(News::Held(keys, looked_at)).is_ok() {
                        let _ = done.await;
                    }
                })
                .await;
            });
        }
    }

    /// Begins what was postponed, unless the nodes are about to say again what the server lost.
    pub(super) fn list_what_may_be(&mut self, engine: &SharedEngine<R>) {
        if self.core.is_mending() {
            let now = Instant::now();
            // Whoever is dropped is told that he saw nothing.
            self.postponed.retain(|postponed| now < postponed.too_late);
            return self.postponed.truncate(MOST_READING);
        }
        for postponed in std::mem::take(&mut self.postponed) {
            self.list(engine, postponed);
        }
    }

    /// Each record that is listed there, as it is when the server looks.
    fn list(&self, engine: &SharedEngine<R>, postponed: Postponed<R>) {
        if Rc::strong_count(&self.reading) > MOST_READING {
            return Stats::count(&engine.0.stats.refused);
        }
        let Postponed { name, visit, mut done, .. } = postponed;
        let (link, reading) = (Rc::clone(&self.link), Rc::clone(&self.reading));
        let mark = self.marked.as_ref().map(|marked| Arc::clone(&marked.mark));
        tokio::task::spawn_local(async move {
            // What was lost meanwhile was not seen.
            let is_seen = link.visit_listed::<R>(&name, visit).await && link.has_mark(mark).await;
            done.say(is_seen);
            drop(reading);
        });
    }

    /// Each record as it is when the server looks; not one moment for all.
    pub(super) fn read_all(
        &self,
        engine: &SharedEngine<R>,
        keys: Vec<R::Key>,
        mut visit: Visit<R>,
        done: Done,
    ) {
        if Rc::strong_count(&self.reading) > MOST_READING {
            return Stats::count(&engine.0.stats.refused);
        }
        let (links, reading) = (Rc::clone(&self.links), Rc::clone(&self.reading));
        tokio::task::spawn_local(async move {
            for (key, record) in links.rows::<R>(keys).await {
                guarded(|| visit(&key, &record));
            }
            drop((reading, done));
        });
    }
}
