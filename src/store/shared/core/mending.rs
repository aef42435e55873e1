//! Repair: what the server lost, those who know of it say once more.
//!
//! The server's data have a *mark*. Every question carries the mark that the node knows, and the server does nothing
//! under another one; so no transition is built on what was lost. When the mark is new, the node holds all commands
//! back and *restates* what it remembers: each record goes to the server under the version that it had, with the mark under
//! which that was written, and replaces earlier ones only. So the latest version that a survivor knows wins, in whatever order
//! they come. What a node ended lately it restates, too, as an end of that version.
//!
//! Of two versions that were written under one mark the higher one is the later. Of two that were not it is the one of the later
//! mark: versions go by the server's clock, and that of the server that took over may be behind, or the one before may have
//! gone on for those who could reach no other. So what was written under the new mark nobody replaces by what he remembers,
//! nor, after the next loss, by what he remembers from before the last one.
//!
//! Commands go on when the other nodes have restated what they know; see [`Core::mended`].

use std::mem::discriminant;

use super::{
    Action, Core, Work,
    lane::{Flight, Job, Known, Lane, Listed},
};
use crate::{
    clock::Timestamp,
    store::{
        Expect, Record, Which,
        shared::question::{Ask, Lists, Mark},
    },
};

/// Restatements that are under way at once.
const MOST_RESTATED: usize = 256;
/// How long a node remembers what it ended, in milliseconds. Longer than a server lags behind the one that it follows.
const REMEMBERED_MS: u64 = 15_000;

impl<R: Record> Core<R> {
    /// The server's data have this mark now: what was there before may be lost.
    pub(in crate::store::shared) fn mend(
        &mut self,
        mark: Mark,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        self.mark = mark;
        self.era += 1;
        (self.is_mending, self.is_restated) = (true, false);
        let lanes = self.lanes.iter().filter(|(_, lane)| lane.may_be_lost());
        let mut keys: Vec<R::Key> = lanes.map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        self.unverified = keys.iter().cloned().collect();
        self.to_restate = keys.into();
        self.restate_more(now, work);
    }

    /// Everybody has restated what he knows, or had time enough for it: commands go on. Of an `era` that is over nothing
    /// comes any more.
    pub(in crate::store::shared) fn mended(
        &mut self,
        era: u64,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        if era == self.era && self.is_restated {
            if std::mem::take(&mut self.is_mending) {
                self.spare(now);
            }
            self.resume(now, work);
        }
    }

    /// Begins as many restatements as may be under way, and says when the last one is done.
    pub(super) fn restate_more(&mut self, now: Timestamp, work: &mut Work<'_, R>) {
        while self.restating < MOST_RESTATED
            && let Some(key) = self.to_restate.pop_front()
        {
            // What is in flight is restated when it lands.
            let Some(lane) = self.take_out(&key) else {
                self.unverified.remove(&key);
                continue;
            };
            self.go_on(key, lane, now, work);
        }
        if self.is_mending && !self.is_restated && self.unverified.is_empty() {
            self.is_restated = true;
            work.out.push(Action::Restated(self.era));
        }
    }

    /// Restates a record, if that is to be done. Whether it is.
    pub(super) fn restates(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        work: &mut Work<'_, R>,
    ) -> bool {
        if lane.verified == self.era {
            return false;
        }
        let (version, written, row, lists) = match (&lane.known, &lane.ended) {
            (Some(known), _) if known.version != 0 => {
                let Ok(row) = known.record.written(Which::All) else { return false };
                let due = known.record.deadline(&self.rules);
                lane.listed = Listed::At(due);
                let holds = known.record.holders();
                let joins = known.record.listed(key);
                let lists = Lists { due: Some(due), holds, joins, ..Lists::default() };
                (known.version, known.written.clone(), Some(row), lists)
            }
            (_, Some((mark, version))) => (*version, mark.clone(), None, Lists::default()),
            _ => return false,
        };
        let ticket = self.ticket(key);
        lane.flight = Some(Flight::Restate { ticket });
        lane.asked_in = self.era;
        self.restating += 1;
        let (key, mark) = (key.clone(), self.mark.clone());
        let ask = Ask::Restate { ticket, key, mark, version, written, row, lists };
        work.out.push(Action::Ask(Box::new(ask)));
        true
    }

    /// The server has this version now, written under this mark, of a record that `is_there`.
    pub(super) fn restated(
        &mut self,
        lane: &mut Lane<R>,
        (version, written): (u64, Mark),
        is_there: bool,
        now: Timestamp,
    ) {
        lane.verified = lane.asked_in;
        let Some(known) = &lane.known else { return };
        if known.stamp() == Some((written, version)) {
            lane.is_stale = false;
            return;
        }
        let says = self.say_what_it_knew(lane, is_there, now);
        match is_there {
            true => (lane.is_stale, lane.listed) = (true, Listed::Unknown),
            // It was ended, and whoever did that knew more.
            false if says => lane.lose_sight(),
            false => lane.forget(),
        }
    }

    /// The others may have gone on without this node: what it holds comes back to the record, and to one that is there what
    /// was told by then. Whether there is something.
    fn say_what_it_knew(&self, lane: &mut Lane<R>, is_there: bool, now: Timestamp) -> bool {
        let is_of_use = lane.is_held || is_there;
        let Some(known) = lane.known.as_ref().filter(|_| is_of_use) else { return false };
        let Some(command) = R::holds(self.node, Some(&known.record)) else { return false };
        lane.waiting.push_front(unasked(command, now));
        true
    }

    /// The server has this version, or had it when it was asked. Where that has something of this node which is not so, the
    /// node says so before it does anything else. Whether it has to.
    pub(super) fn learn(
        &self,
        lane: &mut Lane<R>,
        known: Option<Known<R>>,
        now: Timestamp,
    ) -> bool {
        let denial = lane.denial(known.as_ref(), self.node, self.era);
        lane.learn(known, self.node);
        let Some(command) = denial else { return false };
        let says_so = |job: &Job<R>| {
            matches!(job, Job::Submit { command: other, .. }
                if discriminant(other) == discriminant(&command))
        };
        if !lane.waiting.front().is_some_and(says_so) {
            lane.waiting.push_front(unasked(command, now));
        }
        true
    }

    /// The server's list says that this node holds something of these records. Of those of which it knows nothing it says
    /// that it does not: who says again what the server lost may know an old version only.
    pub(in crate::store::shared) fn check_held(
        &mut self,
        keys: Vec<R::Key>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        for key in keys {
            let holds = |lane: &Lane<R>| lane.is_held || !lane.is_idle();
            if self.lanes.get(&key).is_some_and(holds) {
                continue;
            }
            let Some(command) = R::holds(self.node, None) else { return };
            // Those for whom there is no room are looked at again.
            self.enqueue(key, unasked(command, now), false, now, work);
        }
    }

    /// Remembers for a while that a record was ended under this version and mark.
    pub(super) fn remember_end(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        end: (Mark, u64),
        now: Timestamp,
    ) {
        lane.forget();
        if end.1 == 0 {
            // There was none.
            return;
        }
        lane.ended = Some(end.clone());
        self.ended.push_back((now, key.clone(), end));
        while self.ended.len() > self.remembers {
            self.forget_end();
        }
    }

    /// Forgets the ends that are long past. To be called now and then.
    pub(super) fn forget_ends(&mut self, now: Timestamp) {
        while self.has_old_ends(now) {
            self.forget_end();
        }
    }

    pub(super) fn has_old_ends(&self, now: Timestamp) -> bool {
        self.ended.front().is_some_and(|(at, ..)| *at + REMEMBERED_MS <= now)
    }

    fn forget_end(&mut self) {
        let Some((_, key, end)) = self.ended.pop_front() else { return };
        let Some(mut lane) = self.take_out(&key) else { return };
        if lane.ended.as_ref() == Some(&end) {
            lane.ended = None;
        }
        self.put_back(key, lane);
    }
}

/// A command of which nobody waits to hear.
fn unasked<R: Record>(command: R::Command, since: Timestamp) -> Job<R> {
    Job::Submit { expect: Expect::Any, command, sink: Box::new(|_| ()), since }
}
