//! What waits while the server is away: commands that must not be lost, and those that may be applied twice.

use super::{
    Core, Work,
    lane::{Job, Lane},
};
use crate::{
    clock::Timestamp,
    store::{Record, Refusal},
};

/// How long after an outage nothing ends that somebody's command may still keep, in milliseconds: longer than nodes take to
/// find out that the server is back, and to say again what they know.
const SPARED_MS: u64 = 2_500;

impl<R: Record> Core<R> {
    /// The records are or were out of reach, and commands of all nodes wait for them, one before the other. What is asked
    /// meanwhile may be done as soon as they are back, before this node knows of that.
    pub(super) fn spare(&mut self, now: Timestamp) {
        if let Some(rules) = R::spared(&self.rules, now + SPARED_MS) {
            self.rules = rules.into();
        }
    }

    /// The server gave no answer to the first job of a lane: it goes back to its place, if it may wait.
    pub(super) fn keep_or_refuse(&self, lane: &mut Lane<R>, job: Job<R>, work: &mut Work<'_, R>) {
        match job.outlasts() {
            Some(_) => lane.waiting.push_front(job),
            None => job.refuse(Refusal::Away, work.out),
        }
    }

    /// Goes on with the lanes that waited, when the server is back.
    pub(super) fn resume(&mut self, now: Timestamp, work: &mut Work<'_, R>) {
        while !self.is_away
            && !self.is_mending
            && let Some((key, lane)) = self.unpark()
        {
            self.go_on(key, lane, now, work);
        }
    }

    /// Whether [`Core::try_again`] has something to do now.
    pub(in crate::store::shared) fn has_to_try(&self, now: Timestamp) -> bool {
        self.is_mending || !self.parked.is_empty() || self.has_old_ends(now)
    }

    /// Tries whether the server is back, with the first lane that waits, and refuses those who have waited for too long; all
    /// of them where there is `no_hope`. To be called now and then.
    pub(in crate::store::shared) fn try_again(
        &mut self,
        no_hope: bool,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        for _ in 0..self.parked.len() {
            let Some((key, mut lane)) = self.unpark() else { break };
            let waiting = std::mem::take(&mut lane.waiting);
            for job in waiting {
                if no_hope || job.waits_until() <= now {
                    job.refuse(Refusal::Away, work.out);
                } else {
                    lane.waiting.push_back(job);
                }
            }
            self.go_on(key, lane, now, work);
        }
        self.forget_ends(now);
        if self.is_mending {
            self.is_away = false;
            self.restate_more(now, work);
        } else if let Some((key, lane)) = self.unpark() {
            self.spare(now);
            self.is_away = false;
            self.go_on(key, lane, now, work);
            self.is_away = !self.parked.is_empty();
        }
    }

    fn unpark(&mut self) -> Option<(R::Key, Lane<R>)> {
        let key = self.parked.pop_front()?;
        // It waits for somebody, so it is there.
        let mut lane = self.take_out(&key).unwrap_or_default();
        lane.is_parked = false;
        Some((key, lane))
    }
}
