//! The words in which a visitor's socket speaks. Our own are [`NATIVE`](crate::sockets::dialect::NATIVE); facades bring others, each at a path of its own.

use std::sync::{Arc, atomic::Ordering};

use super::{
    framing::Frame,
    outbox::{Class, Outbox},
    table::{Line, text},
};
use crate::model::{
    error::Problem,
    ids::{GroupId, SignalId},
    protocol::{
        ErrorAnswer, Numbered, Unreadable,
        visitor::{ToVisitor, VisitorMessage, VisitorOk},
    },
};

/// How messages are read and written at one path.
pub struct Dialect {
    /// The path.
    pub path: &'static str,
    /// Whether the group stands in the query of the address; else it stands in the first message.
    pub group_in_query: bool,
    /// Whether pages acknowledge signals. Those of clients that do not count as delivered once they are written.
    pub acknowledges: bool,
    /// Reads a message.
    pub read: fn(&str) -> Result<Said, Unreadable>,
    /// Writes a message; `None` for one that these clients do not know.
    pub write: fn(&ToVisitor) -> Option<Frame>,
    /// Writes that a message was refused.
    pub refusal: fn(Option<u64>, Problem) -> Frame,
}

/// What a client said.
#[derive(Debug, PartialEq, Eq)]
pub struct Said {
    /// The group that it named.
    pub group: Option<GroupId>,
    /// The message, with the number that its answer repeats.
    pub message: Numbered<VisitorMessage>,
}

/// Our own protocol, as `docs/protocol.md` has it.
pub static NATIVE: Dialect = Dialect {
    path: "/v1/visitor",
    group_in_query: true,
    acknowledges: true,
    read: |text| VisitorMessage::read(text).map(|message| Said { group: None, message }),
    write: |message| Some(text(message)),
    refusal: |request, problem| text(&ErrorAnswer::new(request, problem)),
};

/// Speaks to one page. Cheap to clone.
#[derive(Clone)]
pub struct Voice(pub Arc<Line>);

impl Voice {
    /// What waits to be written.
    #[must_use]
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// Sends a message.
    pub fn say(&self, message: &ToVisitor) {
        let mut marked = None;
        if let ToVisitor::Ok(ok) = message
            && self.0.lifecycle.is_degraded()
        {
            let ok = VisitorOk { degraded: true, ..(**ok).clone() };
            marked = Some(ToVisitor::Ok(Box::new(ok)));
        }
        let message = marked.as_ref().unwrap_or(message);
        if let Some(frame) = (self.0.dialect.write)(message) {
            let _ = self.outbox().push(Class::Reliable, frame);
        }
    }

    /// A request is done; without a number nobody waits for the word.
    pub fn done(&self, request: Option<u64>) {
        if let Some(request) = request {
            self.say(&ToVisitor::ok(request));
        }
    }

    /// A message was refused.
    pub fn refuse(&self, request: Option<u64>, problem: Problem) {
        let _ = self.outbox().push(Class::Reliable, (self.0.dialect.refusal)(request, problem));
    }

    /// Takes note of acknowledgements. Whether each is for a signal that was sent to this socket: those cost nothing, or an
    /// agent could use up what an honest page may say.
    #[must_use]
    pub fn is_owed(&self, acknowledgements: usize) -> bool {
        let count = u32::try_from(acknowledgements).unwrap_or(u32::MAX);
        let take = |owed: u32| owed.checked_sub(count);
        self.0.owed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    /// Signals that were written to a client that does not acknowledge.
    #[must_use]
    pub fn take_written(&self) -> Vec<SignalId> {
        if self.0.dialect.acknowledges {
            Vec::new()
        } else {
            std::mem::take(&mut *self.0.written.lock())
        }
    }
}
