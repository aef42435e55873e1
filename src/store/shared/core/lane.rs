//! A record as one node works on it: who waits, and what is in flight.

use std::collections::VecDeque;

use super::{Action, Ticket};
use crate::{
    clock::Timestamp,
    store::{Expect, Reader, Record, Refusal, Sink},
};

/// How long a command that may be repeated waits for a server that is away, in milliseconds: as long as a lease.
const KEPT_MS: u64 = 10_000;
/// How long others wait behind such a one, in milliseconds.
const PATIENCE_MS: u64 = 2_000;

pub(super) enum Job<R: Record> {
    Submit { expect: Expect, command: R::Command, sink: Sink<R::Reply>, since: Timestamp },
    Read { reader: Reader<R>, since: Timestamp },
    Tick,
}

impl<R: Record> Job<R> {
    pub(super) fn refuse(self, refusal: Refusal, out: &mut Vec<Action<R>>) {
        match self {
            Job::Submit { sink, .. } => out.push(Action::Tell(sink, Err(refusal))),
            Job::Read { reader, .. } => out.push(Action::Go(reader(Err(refusal)))),
            Job::Tick => {}
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
            Job::Submit { .. } | Job::Read { .. } | Job::Tick => None,
        }
    }

    /// Until when it waits behind one that does.
    pub(super) fn waits_until(&self) -> Timestamp {
        match self {
            Job::Submit { since, .. } | Job::Read { since, .. } => {
                self.outlasts().unwrap_or(*since + PATIENCE_MS)
            }
            Job::Tick => Timestamp(u64::MAX),
        }
    }
}

/// A record as this node saw it last.
pub(super) struct Known<R> {
    pub(super) version: u64,
    pub(super) record: R,
    /// Of the row that the server has.
    pub(super) hash: u64,
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
}

pub(super) struct Write<R: Record> {
    pub(super) ticket: Ticket,
    /// To be done anew when others were faster. `None` when time alone passes.
    pub(super) command: R::Command,
    pub(super) expect: Expect,
    pub(super) outcome: Result<R::Reply, Refusal>,
    pub(super) sink: Option<Sink<R::Reply>>,
    /// When it was submitted.
    pub(super) since: Timestamp,
    /// What follows here.
    pub(super) effects: Vec<R::Effect>,
    pub(super) version: Option<u64>,
    pub(super) heard: bool,
    pub(super) is_gone: bool,
    pub(super) hash: u64,
    pub(super) tries: u32,
}

pub(super) struct Lane<R: Record> {
    pub(super) known: Option<Known<R>>,
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
