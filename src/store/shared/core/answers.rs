//! What a node makes of the server's answers.

use super::{
    Action, Core, MOST_DOUBTFUL, Ticket, Work,
    lane::{Flight, Job, Listed, Write},
};
use crate::{
    clock::Timestamp,
    store::{
        Record, Refusal, Stats,
        shared::{figures, question::Answer},
    },
};

impl<R: Record> Core<R> {
    /// The server's answer to what was asked under `ticket`.
    pub(in crate::store::shared) fn answered(
        &mut self,
        ticket: Ticket,
        answer: Answer,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        if self.probe == Some(ticket) && answer == Answer::Away {
            (self.probe, self.is_deaf) = (None, true);
            return;
        }
        let Some(key) = self.flights.get(&ticket).cloned() else { return };
        let Some(mut lane) = self.take_out(&key) else { return };
        let was_away = std::mem::replace(&mut self.is_away, answer == Answer::Away);
        if self.is_away {
            figures::add(&work.counts.away, 1);
        }
        if self.is_away || was_away {
            self.spare(now);
        }
        match (lane.flight.take(), answer) {
            (
                Some(Flight::Look { ticket, heard, reader, later, .. }),
                Answer::Found { version, written, state },
            ) => match self.understand(&key, lane.known.take(), (version, written), state) {
                Ok(known) => {
                    self.learn(&mut lane, known, now);
                    lane.flight = Some(Flight::Look { ticket, found: true, heard, reader, later });
                }
                Err(refusal) => {
                    self.flights.remove(&ticket);
                    lane.lose_sight();
                    let reader = reader.map(|(reader, since)| Job::Read { reader, since });
                    let job = reader.or_else(|| lane.waiting.pop_front());
                    job.into_iter().for_each(|job| job.refuse(refusal, work.out));
                    self.deliver(&key, later, work);
                }
            },
            (Some(Flight::Look { ticket, reader, later, .. }), answer) => {
                self.flights.remove(&ticket);
                let reader = reader.map(|(reader, since)| Job::Read { reader, since });
                let job = reader.or_else(|| lane.waiting.pop_front());
                if answer == Answer::Lost {
                    self.is_mending = true;
                    job.into_iter().for_each(|job| lane.waiting.push_front(job));
                } else {
                    job.into_iter().for_each(|job| self.keep_or_refuse(&mut lane, job, work));
                }
                self.deliver(&key, later, work);
            }
            (Some(Flight::Write(mut write)), Answer::Replaced { version }) => {
                write.version = Some(version);
                lane.flight = Some(Flight::Write(write));
            }
            (Some(Flight::Write(mut write)), Answer::Conflict { version, written, state }) => {
                self.flights.remove(&ticket);
                figures::add(&work.counts.conflicts, 1);
                lane.listed = Listed::Unknown;
                // What changed is told from where the transition began.
                if R::HAS_LEAVES {
                    lane.take_back(write.before.take());
                }
                match self.understand(&key, lane.known.take(), (version, written), state) {
                    Ok(known) => {
                        let denies = self.learn(&mut lane, known, now);
                        if self.is_mending || denies {
                            let Write { expect, command, sink, since, .. } = *write;
                            let job = sink.map(|sink| Job::Submit { expect, command, sink, since });
                            let place = usize::from(denies);
                            job.into_iter().for_each(|job| lane.waiting.insert(place, job));
                        } else {
                            self.once_more(&key, &mut lane, *write, version, now, work);
                        }
                    }
                    Err(refusal) => {
                        lane.lose_sight();
                        let tell = write.sink.map(|sink| Action::Tell(sink, Err(refusal)));
                        work.out.extend(tell);
                    }
                }
            }
            (Some(Flight::Write(write)), Answer::Full) => {
                self.flights.remove(&ticket);
                Stats::count(&work.stats.full);
                lane.take_back(write.before);
                (lane.is_fresh, lane.listed) = (false, Listed::Unknown);
                let refusal = Err(Refusal::Full);
                work.out.extend(write.sink.map(|sink| Action::Tell(sink, refusal)));
            }
            (Some(Flight::Write(write)), answer) => {
                self.flights.remove(&ticket);
                let Write { before, effects, expect, command, sink, since, .. } = *write;
                let would_hold =
                    lane.known.as_ref().is_some_and(|known| known.is_held_by(self.node));
                lane.take_back(before);
                lane.listed = Listed::Unknown;
                // Time that could not pass passes by the server's list.
                let job = sink.map(|sink| Job::Submit { expect, command, sink, since });
                if answer == Answer::Lost {
                    self.is_mending = true;
                    job.into_iter().for_each(|job| lane.waiting.push_front(job));
                } else {
                    lane.is_stale = lane.known.is_some();
                    if would_hold {
                        lane.in_doubt = Some(lane.asked_in);
                    }
                    if !effects.is_empty() {
                        self.doubtful.push_back((ticket, key.clone(), effects));
                        if self.doubtful.len() > MOST_DOUBTFUL {
                            self.doubtful.pop_front();
                        }
                    }
                    job.into_iter().for_each(|job| self.keep_or_refuse(&mut lane, job, work));
                }
            }
            (Some(Flight::Restate { ticket }), answer) => {
                self.flights.remove(&ticket);
                self.restating -= 1;
                match answer {
                    Answer::Restated { version, written, is_there } => {
                        self.restated(&mut lane, (version, written), is_there, now);
                    }
                    _ => {
                        // Once more, when the server is back.
                        self.to_restate.push_back(key.clone());
                        return self.put_back(key, lane);
                    }
                }
            }
            (None, _) => {}
        }
        self.go_on(key, lane, now, work);
        self.restate_more(now, work);
        self.resume(now, work);
    }
}
