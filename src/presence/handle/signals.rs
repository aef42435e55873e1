//! Signals: how they come in, and how their outcomes get back to the agents of this node.

use std::sync::Arc;

use super::{Presence, Shared, plain, unexpected};
use crate::{
    model::{
        error::{ErrorCode, Problem},
        ids::{SignalId, SocketId, VisitorId, VisitorKey},
        protocol::agent::{SignalOutcome, ToAgent},
        signal::{InvokeFailure, Outcome},
    },
    presence::{
        open::{Again, Full},
        visitor::{
            Visitor, Whereabouts,
            command::{Command, Reply, Submission},
        },
    },
    store::{Afterwards, Engine, Expect, Refusal},
};

impl Presence {
    /// Somebody sends a signal. `answer` gets its id (of the earlier one for a retry) and its outcome so far.
    pub fn signal(
        &self,
        key: VisitorKey,
        submission: Submission,
        answer: impl FnOnce(Result<(SignalId, Outcome), Problem>) + Send + 'static,
    ) {
        let (shared, of, signal) = (Arc::clone(&self.shared), key.clone(), submission.id);
        let refused = move |shared: &Shared, of: &VisitorKey, problem: &Problem| {
            shared.post.settled(Outcome::Refused);
            shared.refused(of, signal, problem.code);
        };
        let begun = match (&shared.open, submission.sender) {
            (Some(open), Some(_)) => open.lock().begin(&key, &submission, shared.clock.now()),
            _ => Ok(()),
        };
        if let Err(Full) = begun {
            let sentence = "too many signals of agents wait for their outcomes";
            let problem = Problem::new(ErrorCode::Unready, sentence).retry_in(1_000);
            refused(&shared, &of, &problem);
            return answer(Err(problem));
        }
        self.submit(key, Command::Signal(Box::new(submission)), move |reply| {
            let taken = match reply {
                Ok(Reply::Signal { id, outcome }) => Ok((id, outcome)),
                Ok(_) => Err(unexpected()),
                Err(problem) => {
                    refused(&shared, &of, &problem);
                    Err(problem)
                }
            };
            let Some(open) = &shared.open else { return answer(taken) };
            let Ok((id, outcome)) = taken else {
                open.lock().refused(signal);
                return answer(taken);
            };
            let sender = open.lock().sender(signal);
            let early = open.lock().answered(signal, id, outcome);
            answer(taken);
            if let (Some(outcome), Some(sender)) = (early, sender) {
                shared.post.settled(outcome);
                shared.tell(&of.visitor, sender.socket, id, outcome);
            }
        });
    }

    /// What became of a signal; `notfound` when the record does not know it any more.
    pub fn outcome(
        &self,
        key: VisitorKey,
        id: SignalId,
        answer: impl FnOnce(Result<(Outcome, Option<InvokeFailure>), Problem>) + Send + 'static,
    ) {
        self.read(
            key,
            move |visitor| visitor.and_then(|visitor| visitor.outcome(id)),
            move |outcome| {
                answer(outcome.and_then(|outcome| {
                    let sentence = "no outcome is remembered for this signal";
                    outcome.ok_or_else(|| Problem::new(ErrorCode::NotFound, sentence))
                }));
            },
        );
    }

    /// Asks for outcomes that are late. To be called now and then.
    pub fn ask_for_late_outcomes(&self) {
        self.shared.ask_for_outcomes(&self.visitors, false);
    }

    /// Signals of this node's agents without an outcome that are kept, and those that found no room. None where the process
    /// is alone.
    #[must_use]
    pub fn open_signals(&self) -> (usize, u64) {
        self.shared.open.as_ref().map(|open| open.lock().figures()).unwrap_or_default()
    }
}

impl Shared {
    /// The record says that a signal of an agent here ended so.
    pub(super) fn settled(
        &self,
        visitor: &VisitorId,
        to: SocketId,
        id: SignalId,
        outcome: Outcome,
    ) {
        let is_told = match &self.open {
            None => true,
            Some(open) => open.lock().settled(id, outcome).is_some(),
        };
        if is_told {
            self.post.settled(outcome);
            self.tell(visitor, to, id, outcome);
        }
    }

    fn tell(&self, visitor: &VisitorId, to: SocketId, id: SignalId, outcome: Outcome) {
        let (visitorid, data) = (visitor.clone(), SignalOutcome { id, outcome });
        self.post.agent(to, &ToAgent::SignalOutcome { visitorid, data });
    }

    /// The agent asked for a visitor who goes by another id now; there the signal ended so, or was refused.
    pub(super) fn forwarded(
        &self,
        asked_for: &VisitorId,
        submission: &Submission,
        outcome: Outcome,
    ) {
        match submission.sender {
            Some(sender) if sender.node == self.node => {
                self.settled(asked_for, sender.socket, submission.id, outcome);
            }
            _ => self.post.settled(outcome),
        }
    }

    /// Asks for outcomes of signals, where something `may_be_lost`, or that are late.
    pub(super) fn ask_for_outcomes<E: Engine<Visitor>>(
        self: &Arc<Self>,
        engine: &E,
        may_be_lost: bool,
    ) {
        let Some(open) = &self.open else { return };
        let is_there = |submission: &Submission| {
            submission.sender.is_some_and(|sender| self.post.has(sender.socket))
        };
        let due = open.lock().ask_again(may_be_lost, is_there, self.clock.now());
        for again in due {
            match again {
                Again::Submit(key, submission) => self.submit_again(engine, key, submission),
                Again::Look(key, submission) => {
                    self.look_for_outcome(engine, key.clone(), key.visitor, submission);
                }
            }
        }
    }

    fn submit_again<E: Engine<Visitor>>(
        self: &Arc<Self>,
        engine: &E,
        key: VisitorKey,
        submission: Submission,
    ) {
        let (shared, asked_for) = (Arc::clone(self), key.visitor.clone());
        let command = Command::Signal(Box::new(submission.clone()));
        let sink = Box::new(move |result| match plain(result) {
            Ok(Reply::Signal { outcome: Outcome::Held, .. }) => {}
            Ok(Reply::Signal { outcome, .. }) => {
                shared.forwarded(&asked_for, &submission, outcome);
            }
            // It is asked for once more.
            Err(problem) if problem.code == ErrorCode::Unready => {}
            Ok(_) | Err(_) => shared.forwarded(&asked_for, &submission, Outcome::Refused),
        });
        engine.submit(key, Expect::Any, command, sink);
    }

    /// Looks at the record of a signal that is so old that it may have been forgotten; where the visitor goes by another id
    /// now, there. A signal of which no record knows any more has expired: it waits no longer, and its page has not taken it
    /// within the time for which outcomes are remembered.
    fn look_for_outcome<E: Engine<Visitor>>(
        self: &Arc<Self>,
        engine: &E,
        key: VisitorKey,
        asked_for: VisitorId,
        submission: Submission,
    ) {
        let (shared, engine_then, group) = (Arc::clone(self), engine.clone(), key.group.clone());
        let (id, is_first) = (submission.id, key.visitor == asked_for);
        let reader = move |found: Result<Option<&Visitor>, Refusal>| -> Afterwards {
            let found = found
                .map(|visitor| visitor.map(|visitor| (visitor.outcome(id), visitor.whereabouts())));
            Box::new(move || match found {
                Err(_) | Ok(Some((Some((Outcome::Held, _)), _))) => {}
                Ok(Some((Some((outcome, _)), _))) => {
                    shared.forwarded(&asked_for, &submission, outcome);
                }
                Ok(Some((None, Whereabouts::Joined(known)))) if is_first => {
                    let key = VisitorKey { group, visitor: known };
                    shared.look_for_outcome(&engine_then, key, asked_for, submission);
                }
                Ok(_) => shared.forwarded(&asked_for, &submission, Outcome::Expired),
            })
        };
        engine.read(key, Box::new(reader));
    }
}
