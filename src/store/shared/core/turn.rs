//! A lane's turn: what is complete ends, and what waits begins.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{
    Action, Core, Work,
    lane::{Asked, Flight, Job, Known, Lane},
};
use crate::{
    clock::Timestamp,
    store::{Applied, Expect, Origin, Reader, Record, Stats, shared::question::Ask},
};

impl<R: Record> Core<R> {
    /// Ends what is complete, begins what comes next, and puts the lane back.
    pub(super) fn go_on(
        &mut self,
        key: R::Key,
        mut lane: Lane<R>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        loop {
            if lane.flight.is_some() && !self.land(&key, &mut lane, now, work) {
                break;
            }
            if self.restates(&key, &mut lane, work) {
                break;
            }
            let waits = |job: &Job<R>| self.is_mending || self.is_away && job.outlasts().is_some();
            if lane.waiting.front().is_some_and(waits) {
                if !std::mem::replace(&mut lane.is_parked, true) {
                    self.parked.push_back(key.clone());
                }
                break;
            }
            let Some(job) = lane.waiting.pop_front() else { break };
            match job {
                Job::Read { reader, since } => {
                    self.look(&key, &mut lane, Some((reader, since)), work);
                }
                job if (lane.known.is_none() || lane.is_stale) && !lane.is_fresh => {
                    lane.waiting.push_front(job);
                    self.look(&key, &mut lane, None, work);
                }
                Job::Submit { expect, command, sink, since } => {
                    let write = Asked { expect, command, sink: Some(sink), since, tries: 0 };
                    self.write(&key, &mut lane, write, now, work);
                }
                Job::Tick { sink } => {
                    let (expect, command) = (Expect::Any, R::tick());
                    let write = Asked { expect, command, sink, since: now, tries: 0 };
                    self.write(&key, &mut lane, write, now, work);
                }
            }
        }
        self.put_back(key, lane);
    }

    /// Takes a lane out, to work on it.
    pub(super) fn take_out(&mut self, key: &R::Key) -> Option<Lane<R>> {
        let lane = self.lanes.remove(key)?;
        self.waiting -= lane.waiting.len();
        Some(lane)
    }

    /// Puts a lane back, unless nothing is lost with it.
    pub(super) fn put_back(&mut self, key: R::Key, lane: Lane<R>) {
        if lane.flight.is_none() && (lane.verified == self.era || !lane.may_be_lost()) {
            self.unverified.remove(&key);
        }
        let keeps = !lane.is_idle()
            || lane.is_held
            || lane.ended.is_some()
            || lane.scheduled.is_some()
            || lane.faults > 0
            || (lane.known.is_some() && self.lanes.len() < self.remembers);
        if keeps {
            self.waiting += lane.waiting.len();
            self.lanes.insert(key, lane);
        }
    }

    pub(super) fn look(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        reader: Option<(Reader<R>, Timestamp)>,
        work: &mut Work<'_, R>,
    ) {
        let ticket = self.ticket(key);
        let later = Vec::new();
        lane.flight = Some(Flight::Look { ticket, found: false, heard: false, reader, later });
        lane.asked_in = self.era;
        let known = lane.known.as_ref().filter(|_| R::HAS_LEAVES).and_then(Known::stamp);
        let (key, mark) = (key.clone(), self.mark.clone());
        let ask = Ask::Look { ticket, key, mark, known };
        work.out.push(Action::Ask(Box::new(ask)));
    }

    /// Whether what is in flight has landed: the answer is there, and so is the word on the channel.
    pub(super) fn land(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) -> bool {
        match lane.flight.take() {
            Some(Flight::Look { ticket, found: true, heard: true, reader, later }) => {
                self.flights.remove(&ticket);
                match reader {
                    Some((reader, _)) => {
                        let record = lane.known.as_ref().map(|known| &known.record);
                        match catch_unwind(AssertUnwindSafe(|| reader(Ok(record)))) {
                            Ok(then) => work.out.push(Action::Go(then)),
                            Err(_) => Stats::count(&work.stats.panics),
                        }
                    }
                    None => lane.is_fresh = true,
                }
                self.deliver(key, later, work);
                true
            }
            Some(Flight::Write(write)) if write.version.is_some() && write.heard => {
                self.flights.remove(&write.ticket);
                let version = write.version.unwrap_or_default();
                if write.is_gone {
                    self.remember_end(key, lane, (write.mark, version), now);
                } else if let Some(known) = &mut lane.known {
                    if known.version != version {
                        known.written = write.mark;
                    }
                    (known.version, known.hash) = (version, write.hash);
                    known.record.stands();
                    lane.is_held = known.is_held_by(self.node);
                    (lane.ended, lane.in_doubt) = (None, None);
                }
                (lane.is_fresh, lane.verified) = (false, lane.asked_in);
                if write.is_gone {
                    lane.faults = 0;
                }
                self.schedule(key, lane);
                let result = write.outcome.map(|reply| Applied { reply, version });
                work.out.extend(write.sink.map(|sink| Action::Tell(sink, result)));
                if !write.effects.is_empty() {
                    work.out.push(Action::Deliver(key.clone(), write.effects, Origin::Here));
                }
                true
            }
            flight => {
                lane.flight = flight;
                false
            }
        }
    }

    pub(super) fn deliver(&self, key: &R::Key, later: Vec<Vec<R::Effect>>, work: &mut Work<'_, R>) {
        let later = later.into_iter().filter(|effects| !effects.is_empty());
        let told = |effects| Action::Deliver(key.clone(), effects, Origin::Elsewhere);
        work.out.extend(later.map(told));
    }
}
