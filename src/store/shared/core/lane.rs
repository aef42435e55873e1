//! A record as one node works on it: who waits, and what is in flight.

use std::collections::VecDeque;

use super::{Action, Ticket};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{Expect, Reader, Record, Refusal, Sink, shared::question::Mark},
};

/// How long a command that may be repeated waits for a server that is away, in milliseconds: as long as a lease.
const KEPT_MS: u64 = 10_000;
/// How long others wait behind such a one, in milliseconds.
const PATIENCE_MS: u64 = 2_000;

pub(super) enum Job<R: Record> {
    Submit { expect: Expect, command: R::Command, sink: Sink<R::Reply>, since: Timestamp },
    Read { reader: Reader<R>, since: Timestamp },
    Tick { sink: Option<Sink<R::Reply>> },
}

impl<R: Record> Job<R> {
    pub(super) fn refuse(self, refusal: Refusal, out: &mut Vec<Action<R>>) {
        match self {
            Job::Submit { sink, .. } => out.push(Action::Tell(sink, Err(refusal))),
            Job::Read { reader, .. } => out.push(Action::Go(reader(Err(refusal)))),
            Job::Tick { sink } => {
                out.extend(sink.map(|sink| Action::Tell(sink, Err(refusal))));
            }
        }
    }

    /// Until when it waits for a server that is away, when it is the first of its lane. None when it does not.
    pub(super) fn outlasts(&self) -> Option<Timestamp> {
        match self {
            Job::Submit { command, .. } if R::is_essential(command) => Some(Timestamp(u64::MAX)),
            Job::Submit { expect: Expect::Any, command, since, .. }
                if R::is_repeatable(command) =>
            {
                Some(*since + KEPT_MS)
            }
            Job::Submit { .. } | Job::Read { .. } | Job::Tick { .. } => None,
        }
    }

    /// Until when it waits behind one that does.
    pub(super) fn waits_until(&self) -> Timestamp {
        match self {
            Job::Submit { since, .. } | Job::Read { since, .. } => {
                self.outlasts().unwrap_or(*since + PATIENCE_MS)
            }
            Job::Tick { .. } => Timestamp(u64::MAX),
        }
    }
}

/// A record as this node saw it last.
pub(super) struct Known<R> {
    pub(super) version: u64,
    /// The mark under which that was written.
    pub(super) written: Mark,
    pub(super) record: R,
    /// Of the row that the server has.
    pub(super) hash: u64,
}

impl<R: Record> Known<R> {
    /// The version, behind its mark; none of a record that was not written yet.
    pub(super) fn stamp(&self) -> Option<(Mark, u64)> {
        (self.version != 0).then(|| (self.written.clone(), self.version))
    }

    /// Whether the node holds something of it.
    pub(super) fn is_held_by(&self, node: NodeId) -> bool {
        self.record.holders().contains(&node)
    }
}

pub(super) enum Flight<R: Record> {
    /// The record is read.
    Look {
        ticket: Ticket,
        found: bool,
        heard: bool,
        reader: Option<(Reader<R>, Timestamp)>,
        /// What came behind the word, while the answer was on its way.
        later: Vec<Vec<R::Effect>>,
    },
    /// A transition.
    Write(Box<Write<R>>),
    /// The server is told what it may have lost.
    Restate { ticket: Ticket },
}

pub(super) struct Write<R: Record> {
    pub(super) ticket: Ticket,
    /// Under which it was asked for.
    pub(super) mark: Mark,
    /// To be done anew when others were faster.
    pub(super) command: R::Command,
    pub(super) expect: Expect,
    pub(super) outcome: Result<R::Reply, Refusal>,
    pub(super) sink: Option<Sink<R::Reply>>,
    /// When it was submitted.
    pub(super) since: Timestamp,
    /// What follows here.
    pub(super) effects: Vec<R::Effect>,
    /// What was known before it. None when nothing changed.
    pub(super) before: Option<R::Checkpoint>,
    pub(super) version: Option<u64>,
    pub(super) heard: bool,
    pub(super) is_gone: bool,
    pub(super) hash: u64,
    pub(super) tries: u32,
}

pub(super) struct Lane<R: Record> {
    pub(super) known: Option<Known<R>>,
    /// Whether the server may have a newer one than what is known.
    pub(super) is_stale: bool,
    /// Whether this node holds something of what is known.
    pub(super) is_held: bool,
    /// The era in which this node may have come to hold something that is not known: what puts it there may have been done.
    pub(super) in_doubt: Option<u64>,
    /// The version under which this node ended the record lately, and the mark.
    pub(super) ended: Option<(Mark, u64)>,
    /// The era in which the server had what is known.
    pub(super) verified: u64,
    /// The era of what is in flight.
    pub(super) asked_in: u64,
    pub(super) waiting: VecDeque<Job<R>>,
    pub(super) flight: Option<Flight<R>>,
    /// Whether what is known was read for the first of those who wait.
    pub(super) is_fresh: bool,
    pub(super) faults: u8,
    pub(super) scheduled: Option<Timestamp>,
    pub(super) listed: Listed,
    /// Whether it waits until the server is back.
    pub(super) is_parked: bool,
}

/// What the server's list of times says of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// This node has not read that.
    Unknown,
    /// Something else than is so.
    Wrong,
    /// This.
    At(Option<Timestamp>),
}

impl<R: Record> Default for Lane<R> {
    fn default() -> Self {
        Self {
            known: None,
            is_stale: false,
            is_held: false,
            in_doubt: None,
            ended: None,
            verified: 0,
            asked_in: 0,
            waiting: VecDeque::new(),
            flight: None,
            is_fresh: false,
            faults: 0,
            scheduled: None,
            listed: Listed::Unknown,
            is_parked: false,
        }
    }
}

impl<R: Record> Lane<R> {
    /// Whether nothing is lost when the lane is forgotten.
    pub(super) fn is_idle(&self) -> bool {
        self.flight.is_none() && self.waiting.is_empty()
    }

    /// Whether the server could lose something that this lane knows, or will know when its flight lands.
    pub(super) fn may_be_lost(&self) -> bool {
        self.known.is_some() || self.ended.is_some() || self.flight.is_some()
    }

    /// Knows nothing of the record any more.
    pub(super) fn forget(&mut self) {
        (self.known, self.is_stale, self.is_held) = (None, false, false);
        self.listed = Listed::Unknown;
    }

    /// Cannot read the record any more; what this node holds of it, it holds.
    pub(super) fn lose_sight(&mut self) {
        let is_held = self.is_held;
        self.forget();
        self.is_held = is_held;
    }

    /// The server has this, or had it when it was asked.
    pub(super) fn learn(&mut self, known: Option<Known<R>>, node: NodeId) {
        self.is_held = known.as_ref().is_some_and(|known| known.is_held_by(node));
        (self.known, self.is_stale, self.verified) = (known, false, self.asked_in);
        self.in_doubt = None;
    }

    /// What the node has to say of a version that has something of it which it never put there, or took back: others said
    /// an old one again. What may have been done in an earlier era is asked for once more, if it is still wanted.
    pub(super) fn denial(
        &self,
        known: Option<&Known<R>>,
        node: NodeId,
        era: u64,
    ) -> Option<R::Command> {
        let is_own = self.is_held || self.in_doubt == Some(era);
        let is_foreign = !is_own && known.is_some_and(|known| known.is_held_by(node));
        R::holds(node, None).filter(|_| is_foreign)
    }

    /// The transition that was in flight is not to count.
    pub(super) fn take_back(&mut self, before: Option<R::Checkpoint>) {
        let Some(known) = &mut self.known else { return };
        if let Some(before) = before {
            known.record.roll_back(before);
            known.hash = 0;
        }
        if known.version == 0 {
            self.forget();
        }
    }
}

/// A command on its way.
pub(super) struct Asked<R: Record> {
    pub(super) expect: Expect,
    pub(super) command: R::Command,
    pub(super) sink: Option<Sink<R::Reply>>,
    /// When it was submitted.
    pub(super) since: Timestamp,
    pub(super) tries: u32,
}
