//! What goes into the queue, what it says to do, and what came of that.

use std::sync::Arc;

use crate::{
    clock::Timestamp,
    events::{item::Item, webhook::backoff::Backoff},
};

/// What an endpoint is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Requests at a time, 1 or more.
    pub in_flight: usize,
    /// Events that wait.
    pub events: usize,
    /// Bytes that wait, see [`Item::weight`].
    pub bytes: usize,
    /// The pauses between tries.
    pub backoff: Backoff,
    /// How old an event may get before it is given up, milliseconds.
    pub give_up_ms: u64,
}

/// Why an event became a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was tried until it was too old.
    Failed,
    /// The endpoint was down until it was too old.
    Down,
    /// The endpoint said that it is gone.
    Gone,
    /// More waited than may.
    Overflow,
}

impl Cause {
    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Down => "down",
            Self::Gone => "gone",
            Self::Overflow => "overflow",
        }
    }
}

/// An event that is not tried any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dead {
    /// The event.
    pub item: Arc<Item>,
    /// Why.
    pub cause: Cause,
    /// How often it was tried.
    pub tries: u32,
    /// What the last try met; empty when there was none.
    pub error: Box<str>,
}

/// An event to post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The event.
    pub item: Arc<Item>,
    /// The number of this try, from 1.
    pub number: u32,
    /// Tells this event's place in the queue from every other there ever was.
    pub ticket: u64,
}

/// What the owner of the queue does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Posts this, and tells [`Queue::finish`](super::Queue::finish) what came of it.
    Post(Attempt),
    /// Waits for this moment, or for a change.
    Wait(Option<Timestamp>),
}

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A status of 200 to 299.
    Delivered,
    /// Anything else.
    Failed {
        /// What, in few words.
        error: Box<str>,
        /// The pause that the endpoint asks for.
        retry_ms: Option<u64>,
    },
    /// The status 410.
    Gone,
}

/// An event that waits, as it is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// The event.
    pub item: Arc<Item>,
    /// Since when it waits.
    pub since: Timestamp,
    /// How often it was tried.
    pub tries: u32,
}
