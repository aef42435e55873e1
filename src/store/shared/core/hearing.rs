//! What a node makes of the messages on its channels, its own and others'.

use std::mem::discriminant;

use super::{
    Action, Core, Ticket, Work,
    lane::{Flight, Job, Lane, Listed},
};
use crate::{
    clock::Timestamp,
    store::{
        Expect, Origin, Record, Written,
        shared::{
            message::{MarkedRow, Message},
            question::{Ask, State},
        },
    },
};

impl<R: Record> Core<R> {
    /// A message came on a channel of this node.
    pub(in crate::store::shared) fn heard(
        &mut self,
        message: Message<R>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let Message { from, ticket, key, version, effects, row } = message;
        let Some(key) = key else {
            if from == self.node && self.probe == Some(ticket) {
                self.hears_again(ticket, now, work);
            }
            return;
        };
        if from != self.node {
            self.learn_by_hearing(&key, version, row);
            return self.heard_of_another(key, version, effects, now, work);
        }
        if let Some(at) = self.doubtful.iter().position(|(doubted, ..)| *doubted == ticket) {
            let made = self.doubtful.remove(at);
            work.out
                .extend(made.map(|(_, key, effects)| Action::Deliver(key, effects, Origin::Here)));
            return;
        }
        // The word of a transition says that it was made, whenever its answer comes.
        self.heard_of(ticket, Some(version), now, work);
    }

    /// Another node's transition says what came of it: a command that starts from there needs no look. Under another mark than
    /// the one that this node knows it may be lost already.
    fn learn_by_hearing(&mut self, key: &R::Key, version: u64, row: Option<MarkedRow>) {
        let Some(MarkedRow { row, .. }) = row.filter(|row| *row.mark == *self.mark) else { return };
        let (node, era, mark) = (self.node, self.era, self.mark.clone());
        // What was not said again yet is all that is left of it, should the others have gone on without it.
        let is_idle = |lane: &Lane<R>| {
            lane.flight.is_none()
                && (lane.verified == era || !lane.may_be_lost())
                && lane.known.as_ref().is_none_or(|known| known.version < version)
        };
        if !self.lanes.get(key).is_some_and(is_idle) {
            return;
        }
        let state = State::Whole(Written { row, leaves: Vec::new() });
        if let Ok(known) = self.understand(key, None, (version, mark), state)
            && let Some(lane) = self.lanes.get_mut(key)
            && lane.denial(known.as_ref(), node, era).is_none()
        {
            lane.asked_in = era;
            lane.learn(known, node);
            // Whoever wrote that sees to what time changes in it.
            (lane.listed, lane.scheduled) = (Listed::Unknown, None);
        }
    }

    fn heard_of_another(
        &mut self,
        key: R::Key,
        version: u64,
        effects: Vec<R::Effect>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let mut is_overtaken = None;
        if let Some(lane) = self.lanes.get_mut(&key) {
            let known = lane.known.as_ref().map_or(0, |known| known.version);
            match &mut lane.flight {
                // Somebody looks at what was before it, and is not there yet.
                Some(Flight::Look { heard: true, later, .. }) => return later.push(effects),
                // A word of what was before would have come before: it was lost.
                Some(Flight::Look { found: true, ticket, .. }) if known < version => {
                    is_overtaken = Some(*ticket);
                }
                Some(Flight::Write(write)) if write.version.is_some_and(|own| own < version) => {
                    is_overtaken = Some(write.ticket);
                }
                // Whoever wrote that sees to what time changes in it; should he be gone, the list of times says so.
                None | Some(Flight::Restate { .. }) if known < version => {
                    (lane.is_stale, lane.listed) = (lane.known.is_some(), Listed::Unknown);
                    lane.scheduled = None;
                }
                _ => {}
            }
        }
        if let Some(ticket) = is_overtaken {
            self.heard_of(ticket, None, now, work);
        }
        if !effects.is_empty() {
            work.out.push(Action::Deliver(key, effects, Origin::Elsewhere));
        }
    }

    /// The channel was cut and is there again. Of those who wait for a word on it some wait in vain; which, that shows as soon
    /// as a word comes through.
    pub(in crate::store::shared) fn deaf(&mut self, now: Timestamp, work: &mut Work<'_, R>) {
        self.is_deaf = false;
        self.spare(now);
        self.tickets += 1;
        self.probe = Some(self.tickets);
        work.out.push(Action::Ask(Box::new(Ask::Probe { ticket: self.tickets })));
        // Others may have written what this node did not hear of. That shows when it writes; what it knows may still be
        // all that is left of the record.
        for lane in self.lanes.values_mut().filter(|lane| lane.flight.is_none()) {
            lane.listed = Listed::Unknown;
        }
    }

    /// Words of others for what this node holds were lost, too: the records say them once more.
    pub(in crate::store::shared) fn missed(&mut self, now: Timestamp, work: &mut Work<'_, R>) {
        let held = self.lanes.iter().filter(|(_, lane)| lane.is_held);
        let mut keys: Vec<R::Key> = held.map(|(key, _)| key.clone()).collect();
        keys.sort_unstable();
        for key in keys {
            let Some(command) = R::missed(self.node) else { return };
            let waits = |job: &Job<R>| {
                matches!(job, Job::Submit { command: other, .. }
                    if discriminant(other) == discriminant(&command))
            };
            // After a cut that was followed by another one.
            if self.lanes.get(&key).is_some_and(|lane| lane.waiting.iter().any(waits)) {
                continue;
            }
            let sink = Box::new(|_| ());
            let job = Job::Submit { expect: Expect::Any, command, sink, since: now };
            self.enqueue(key, job, true, now, work);
        }
    }

    /// Asks once more for a word, when the last question had no answer. To be called now and then.
    pub(in crate::store::shared) fn listen(&mut self, now: Timestamp, work: &mut Work<'_, R>) {
        if self.is_deaf {
            self.deaf(now, work);
        }
    }

    /// What was answered before the probe was heard, and not heard of, was said while nobody heard it.
    fn hears_again(&mut self, probe: Ticket, now: Timestamp, work: &mut Work<'_, R>) {
        self.probe = None;
        let is_answered = |key: &R::Key| match &self.lanes.get(key)?.flight {
            Some(Flight::Look { found, .. }) => found.then_some(()),
            Some(Flight::Write(write)) => write.version.map(drop),
            Some(Flight::Restate { .. }) | None => None,
        };
        let lost = self
            .flights
            .iter()
            .filter(|(ticket, key)| **ticket < probe && is_answered(key).is_some());
        let mut lost: Vec<Ticket> = lost.map(|(ticket, _)| *ticket).collect();
        lost.sort_unstable();
        for ticket in lost {
            self.heard_of(ticket, None, now, work);
        }
    }

    fn heard_of(
        &mut self,
        ticket: Ticket,
        version: Option<u64>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let Some(key) = self.flights.get(&ticket).cloned() else { return };
        let Some(mut lane) = self.take_out(&key) else { return };
        match &mut lane.flight {
            Some(Flight::Look { heard, .. }) => *heard = true,
            Some(Flight::Write(write)) => {
                write.heard = true;
                write.version = write.version.or(version);
            }
            Some(Flight::Restate { .. }) | None => {}
        }
        self.go_on(key, lane, now, work);
    }
}
