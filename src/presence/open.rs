//! Signals of this node's agents that have no outcome yet: where several nodes share the records, the word of an outcome can
//! be lost on its way here, or the record itself. So each is kept until its outcome is told, and asked for again when
//! something may have been lost. Pure: callers tell the time, and do what is said.

use std::collections::HashMap;

use super::visitor::command::Submission;
use crate::{
    clock::Timestamp,
    model::{
        ids::{SignalId, SocketAddress, VisitorKey},
        signal::Outcome,
    },
};

/// Signals that are kept at a time. Beyond, further ones are refused.
pub const MOST_OPEN: usize = 65_536;
/// Bytes of what they carry, likewise.
pub const MOST_OPEN_BYTES: usize = 32 << 20;
/// How long an outcome may take before it is asked for, in milliseconds: longer than nearly all signals live.
const LATE_MS: u64 = 20_000;
/// How long after its acceptance a signal may be submitted once more, in milliseconds. Its record remembers its outcome for
/// longer than that, and than an engine keeps a command; so nothing is delivered twice.
const SUBMITTED_MS: u64 = 40_000;

/// The table.
#[derive(Default)]
pub struct OpenSignals {
    by_id: HashMap<SignalId, Open>,
    bytes: usize,
    refused: u64,
}

struct Open {
    key: VisitorKey,
    submission: Submission,
    accepted: Timestamp,
    /// When its outcome was asked for last.
    asked: Timestamp,
    state: State,
}

enum State {
    /// The sender has no answer yet.
    Unanswered,
    /// Nor has he, but there is an outcome already.
    Ended(Outcome),
    /// It was accepted.
    Accepted,
}

/// There are as many as may be.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// How a signal's outcome is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Again {
    /// It is submitted once more under its id: a record that lost it takes it anew.
    Submit(VisitorKey, Submission),
    /// Its record is looked at.
    Look(VisitorKey, Submission),
}

impl OpenSignals {
    /// A signal is about to be submitted.
    ///
    /// # Errors
    /// There is no room for it: it is not to be submitted.
    pub fn begin(
        &mut self,
        key: &VisitorKey,
        submission: &Submission,
        now: Timestamp,
    ) -> Result<(), Full> {
        let bytes = submission.message.len();
        if self.by_id.len() >= MOST_OPEN || self.bytes + bytes > MOST_OPEN_BYTES {
            self.refused += 1;
            return Err(Full);
        }
        let (key, submission) = (key.clone(), submission.clone());
        let open = Open { key, submission, accepted: now, asked: now, state: State::Unanswered };
        self.put(open);
        Ok(())
    }

    /// Who sent it.
    #[must_use]
    pub fn sender(&self, id: SignalId) -> Option<SocketAddress> {
        self.by_id.get(&id)?.submission.sender
    }

    /// It was refused: nobody waits for an outcome.
    pub fn refused(&mut self, id: SignalId) {
        self.take(id);
    }

    /// It was accepted, and the sender is told so now: as the signal `id`, which is an earlier one where this was a retry, and
    /// which stands so. Gives the outcome that is to be told behind that, if it came before.
    pub fn answered(
        &mut self,
        submitted: SignalId,
        id: SignalId,
        outcome: Outcome,
    ) -> Option<Outcome> {
        let mut open = self.take(submitted)?;
        if outcome != Outcome::Held {
            // The answer says it.
            return None;
        }
        if let State::Ended(outcome) = open.state {
            return Some(outcome);
        }
        (open.submission.id, open.state) = (id, State::Accepted);
        self.take(id);
        self.put(open);
        None
    }

    /// It has its outcome. Gives what was submitted if the sender is to be told now, which is so once.
    pub fn settled(&mut self, id: SignalId, outcome: Outcome) -> Option<(VisitorKey, Submission)> {
        let open = self.by_id.get_mut(&id)?;
        match open.state {
            State::Accepted => self.take(id).map(|open| (open.key, open.submission)),
            State::Unanswered | State::Ended(_) => {
                open.state = State::Ended(outcome);
                None
            }
        }
    }

    /// What is to be asked for: all that was accepted after something `may_be_lost`, else what is late. What is over for
    /// another reason, because its sender is not there any more, is forgotten.
    pub fn ask_again(
        &mut self,
        may_be_lost: bool,
        is_there: impl Fn(&Submission) -> bool,
        now: Timestamp,
    ) -> Vec<Again> {
        let is_due = |open: &Open| {
            let is_late = now >= open.asked + LATE_MS;
            matches!(open.state, State::Accepted) && (may_be_lost || is_late)
        };
        let due = self.by_id.iter().filter(|(_, open)| is_due(open)).map(|(id, _)| *id);
        let mut due: Vec<SignalId> = due.collect();
        due.sort_unstable();
        let mut again = Vec::new();
        for id in due {
            let Some(open) = self.by_id.get_mut(&id) else { continue };
            if !is_there(&open.submission) {
                self.take(id);
                continue;
            }
            open.asked = now;
            let (key, submission) = (open.key.clone(), open.submission.clone());
            again.push(if now < open.accepted + SUBMITTED_MS {
                Again::Submit(key, submission)
            } else {
                Again::Look(key, submission)
            });
        }
        again
    }

    /// How many there are, and how many found no room.
    #[must_use]
    pub fn figures(&self) -> (usize, u64) {
        (self.by_id.len(), self.refused)
    }

    fn put(&mut self, open: Open) {
        self.bytes += open.submission.message.len();
        self.by_id.insert(open.submission.id, open);
    }

    fn take(&mut self, id: SignalId) -> Option<Open> {
        let open = self.by_id.remove(&id)?;
        self.bytes -= open.submission.message.len();
        Some(open)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{
        ids::{NodeId, SocketId},
        json::Json,
        signal::{Message, Target},
    };

    const START: Timestamp = Timestamp(1_000_000);

    fn key() -> VisitorKey {
        VisitorKey { group: "12345".parse().unwrap(), visitor: "ada".parse().unwrap() }
    }

    fn submission(id: SignalId) -> Submission {
        let node = NodeId { node: 1, incarnation: 1 };
        Submission {
            id,
            message: Message::Signal { data: Json::of(&"hello") },
            target: Target::Focus,
            key: None,
            sender: Some(SocketAddress { node, socket: SocketId(1) }),
        }
    }

    fn open(table: &mut OpenSignals) -> SignalId {
        let id = SignalId::generate();
        table.begin(&key(), &submission(id), START).unwrap();
        id
    }

    #[test]
    fn an_outcome_is_told_once_and_behind_the_answer() {
        let mut table = OpenSignals::default();
        let [early, late] = [open(&mut table), open(&mut table)];
        assert_eq!(table.settled(early, Outcome::Delivered), None, "he has no answer yet");
        assert_eq!(table.answered(early, early, Outcome::Held), Some(Outcome::Delivered));
        assert_eq!(table.settled(early, Outcome::Delivered), None, "again");
        assert_eq!(table.answered(late, late, Outcome::Held), None);
        assert_eq!(table.settled(late, Outcome::Expired), Some((key(), submission(late))));
        assert_eq!(table.settled(late, Outcome::Expired), None, "again");
        assert_eq!((table.figures(), table.bytes), ((0, 0), 0));
    }

    #[test]
    fn a_retry_goes_on_under_the_earlier_id() {
        let mut table = OpenSignals::default();
        let [first, again] = [open(&mut table), open(&mut table)];
        table.answered(first, first, Outcome::Held);
        assert_eq!(table.answered(again, first, Outcome::Held), None);
        assert_eq!(table.settled(again, Outcome::Delivered), None);
        assert!(table.settled(first, Outcome::Delivered).is_some());
        let known = open(&mut table);
        assert_eq!(table.answered(known, first, Outcome::Delivered), None, "the answer said it");
        assert_eq!((table.figures(), table.bytes), ((0, 0), 0));
    }

    #[test]
    fn what_is_late_or_may_be_lost_is_asked_for_as_long_as_somebody_waits() {
        let mut table = OpenSignals::default();
        let [accepted, _unanswered] = [open(&mut table), open(&mut table)];
        table.answered(accepted, accepted, Outcome::Held);
        let submit = [Again::Submit(key(), submission(accepted))];
        assert_eq!(table.ask_again(true, |_| true, START), submit);
        assert_eq!(table.ask_again(false, |_| true, START + (LATE_MS - 1)), []);
        assert_eq!(table.ask_again(false, |_| true, START + LATE_MS), submit);
        assert_eq!(table.ask_again(false, |_| true, START + LATE_MS), [], "asked already");
        let look = [Again::Look(key(), submission(accepted))];
        assert_eq!(table.ask_again(false, |_| true, START + 2 * LATE_MS), look);
        assert_eq!(table.ask_again(true, |_| false, START + 2 * LATE_MS), []);
        assert_eq!(table.figures(), (1, 0), "its sender is gone");
    }

    #[test]
    fn there_is_room_for_so_many() {
        let mut table = OpenSignals::default();
        for _ in 0..MOST_OPEN {
            open(&mut table);
        }
        let one_more = submission(SignalId::generate());
        assert_eq!(table.begin(&key(), &one_more, START), Err(Full));
        assert_eq!(table.figures(), (MOST_OPEN, 1));
    }

    #[derive(Clone, Copy, Debug)]
    enum Event {
        Begin,
        Answer(Outcome),
        Refuse,
        Settle,
        Lose,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            Just(Event::Begin),
            Just(Event::Answer(Outcome::Held)),
            Just(Event::Answer(Outcome::Delivered)),
            Just(Event::Refuse),
            Just(Event::Settle),
            Just(Event::Lose),
        ]
    }

    proptest! {
        /// Whatever comes in which order and how often: who was told that his signal is held is told its outcome exactly
        /// once, and nobody else is.
        #[test]
        fn who_waits_is_told_exactly_once(
            events in prop::collection::vec((0_usize..4, event()), 0..60),
        ) {
            let mut table = OpenSignals::default();
            let mut ids = [None; 4];
            // Of each: whether it was answered, whether as held, and how often its outcome was told.
            let mut told = [(false, false, 0_u32); 4];
            for (at, event) in events {
                match (event, ids[at]) {
                    (Event::Begin, None) => ids[at] = Some(open(&mut table)),
                    (Event::Answer(outcome), Some(id)) if !told[at].0 => {
                        let early = table.answered(id, id, outcome);
                        told[at] = (true, outcome == Outcome::Held, u32::from(early.is_some()));
                    }
                    (Event::Refuse, Some(id)) if !told[at].0 => {
                        table.refused(id);
                        told[at].0 = true;
                    }
                    (Event::Settle, Some(id)) => {
                        let now = table.settled(id, Outcome::Delivered).is_some();
                        told[at].2 += u32::from(now);
                    }
                    (Event::Lose, _) => drop(table.ask_again(true, |_| true, START)),
                    _ => {}
                }
            }
            // What nobody was told yet the records say in the end.
            for again in table.ask_again(true, |_| true, START) {
                let (Again::Submit(_, submission) | Again::Look(_, submission)) = again;
                let at = ids.iter().position(|id| *id == Some(submission.id)).unwrap();
                told[at].2 += u32::from(table.settled(submission.id, Outcome::Expired).is_some());
            }
            for (_, waits, times) in told {
                prop_assert_eq!(times, u32::from(waits));
            }
        }
    }
}
