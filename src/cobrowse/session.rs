//! One co-browse session, and every rule of it (design section 7), as a pure function: [`Session::apply`] takes a command
//! and the time, changes the session and says what follows.
//!
//! A session is one visitor's. It is *active* while he and an agent are there; a connection that is lost counts as there
//! for a while, so that page changes, reloads and restarts end nothing. Nothing is recorded unless the visitor has agreed,
//! has not paused, and an agent is there to see it.
//!
//! * [`command`] names what can happen and what follows from it,
//! * [`policy`] says how a session goes,
//! * `open`: a session that has not ended: what time brings it, and what is told,
//! * `visitor`: the visitor's pages, and which of them is shown,
//! * `consent`: what he agrees to,
//! * `seats`: agents and controllers who come, are waited for, and go,
//! * `view`: the session as readers see it.

pub mod command;
mod consent;
#[cfg(test)]
mod model_test;
mod open;
pub mod policy;
mod record;
#[cfg(test)]
mod scene;
mod seats;
#[cfg(test)]
mod tests;
mod view;
mod visitor;

use serde::{Deserialize, Serialize};

use self::{
    command::{Command, Effect, Reply},
    open::Open,
};
pub use self::{
    policy::Policy,
    view::{Part, SessionView, Shown, Stream, Summary},
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::EndReason,
        error::{ErrorCode, Problem},
        ids::NodeId,
    },
};

/// How long an ended session still answers, in milliseconds. Then only the history knows of it.
pub const ENDED_MEMORY_MS: u64 = 60_000;
/// How long what an end leads to elsewhere may take, in milliseconds, before it is said again: whoever was to see to it may
/// have ended, too.
const CONCLUDED_MS: u64 = 5_000;
/// Most pages of the visitor in a session at a time. One more is refused.
pub const MAX_PAGES: usize = 32;
/// Most visits of pages that a session remembers; further ones are counted.
pub const MAX_VISITS: usize = 1_000;
/// Most agents and controllers who come into a session over its life. One more is refused.
pub const MAX_PARTS: usize = 64;
/// Most opened links that a session remembers; each is good for five minutes only.
pub const MAX_LINKS: usize = 256;
/// Most questions to the visitor in a session. One more is refused.
pub const MAX_QUESTIONS: u32 = 100;
/// Longest text with which a session is ended, in characters; what is longer is cut.
pub const MAX_TEXT: usize = 200;

/// A co-browse session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session(State);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// There is none.
    Vacant,
    Open(Box<Open>),
    /// It ended; answers until this moment.
    Ended {
        summary: Box<Summary>,
        until: Timestamp,
        /// When it is said again how it ended, unless it is known that all is done that this leads to.
        #[serde(default)]
        owed: Option<Timestamp>,
    },
}

/// What one `apply` works with, so that its parts need few arguments.
struct Step<'a> {
    now: Timestamp,
    effects: &'a mut Vec<Effect>,
}

/// An end that a part of the session has come to.
struct End {
    reason: EndReason,
    text: Option<Box<str>>,
}

impl From<EndReason> for End {
    fn from(reason: EndReason) -> Self {
        Self { reason, text: None }
    }
}

impl Session {
    /// No session.
    #[must_use]
    pub fn vacant() -> Self {
        Self(State::Vacant)
    }

    /// The nodes of the visitor's pages, of his stream, and of those who are seated; each once.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        match &self.0 {
            State::Open(open) => open.nodes(),
            State::Vacant | State::Ended { .. } => Vec::new(),
        }
    }

    /// What is shown; `None` when the session does not run.
    #[must_use]
    pub fn shown(&self) -> Option<Shown> {
        match &self.0 {
            State::Open(open) => Some(open.what_is_shown()),
            State::Vacant | State::Ended { .. } => None,
        }
    }

    /// Applies a command at `now`, which must not be earlier than in the call before. What was due by then happens
    /// first, in its order and as of its time, so that late timers change nothing but the moment of telling. Only that
    /// the session was away goes before it: time stood still for those who come back.
    pub fn apply(&mut self, command: Command, now: Timestamp, effects: &mut Vec<Effect>) -> Reply {
        let mut step = Step { now, effects };
        if let (State::Open(open), Command::Restored { node, before }) = (&mut self.0, &command) {
            open.restored(*node, *before, &mut step);
        }
        self.let_time_pass(&mut step);
        let open = match (&mut self.0, command) {
            (State::Vacant, Command::Create(create)) => {
                self.0 = State::Open(Box::new(Open::new(*create, &mut step)));
                return Reply::Done;
            }
            (State::Ended { owed, .. }, Command::Concluded) => {
                *owed = None;
                return Reply::Done;
            }
            (_, Command::Tick | Command::Restored { .. } | Command::Concluded) => {
                return Reply::Done;
            }
            (State::Open(_), Command::Create(_)) => {
                return refused(ErrorCode::TooMany, "the session is there already");
            }
            (State::Open(open), command) => open.apply(command, &mut step),
            // Whoever leaves what is over has what he wants.
            (
                _,
                Command::Leave { .. }
                | Command::Gone { .. }
                | Command::NodeLost { .. }
                | Command::End { .. },
            ) => return Reply::Done,
            (State::Vacant, _) => return refused(ErrorCode::NotFound, "there is no such session"),
            (State::Ended { .. }, _) => return refused(ErrorCode::NotFound, "the session is over"),
        };
        match open {
            Ok(reply) => reply,
            Err(end) => {
                self.end(end, &mut step);
                Reply::Done
            }
        }
    }

    /// When time alone will next change something.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.0 {
            State::Vacant => None,
            State::Open(open) => Some(open.next_due().0),
            State::Ended { until, owed, .. } => Some(owed.map_or(*until, |at| at.min(*until))),
        }
    }

    /// Whether there is no session, or it is over and forgotten.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        matches!(self.0, State::Vacant)
    }

    fn let_time_pass(&mut self, step: &mut Step<'_>) {
        let now = step.now;
        loop {
            match &mut self.0 {
                State::Open(open) => {
                    let (at, due) = open.next_due();
                    if at > now {
                        break;
                    }
                    step.now = at;
                    if let Err(end) = open.happens(due, step) {
                        self.end(end, step);
                    }
                }
                State::Ended { summary, until, owed } => {
                    let is_over = *until <= now;
                    if owed.take_if(|at| is_over || *at <= now).is_some() {
                        step.effects.push(Effect::Ended(summary.clone()));
                        *owed = Some(now + CONCLUDED_MS);
                    }
                    if is_over {
                        self.0 = State::Vacant;
                    }
                    break;
                }
                State::Vacant => break,
            }
        }
        step.now = now;
    }

    fn end(&mut self, end: End, step: &mut Step<'_>) {
        if let State::Open(open) = std::mem::replace(&mut self.0, State::Vacant) {
            let nodes = open.nodes();
            let summary = Box::new(open.end(end, step));
            step.effects.push(Effect::Ended(summary.clone()));
            step.effects.push(Effect::Over { nodes });
            let (until, owed) = (step.now + ENDED_MEMORY_MS, Some(step.now + CONCLUDED_MS));
            self.0 = State::Ended { summary, until, owed };
        }
    }
}

fn refused(code: ErrorCode, sentence: impl Into<String>) -> Reply {
    Reply::Refused(Problem::new(code, sentence.into()))
}
