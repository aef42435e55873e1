//! What `explain` answers: how a visitor's record stands, and how it came to that.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    ids::{GroupId, PageId, SignalId, SocketAddress, TabId, VisitorId, as_text},
    timeline::{Entry, WaitCause},
};
use crate::clock::Timestamp;

/// A visitor's record and its timeline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Explanation {
    /// Who.
    pub visitorid: VisitorId,
    /// The group.
    pub group: GroupId,
    /// The node that answers and its start, as in the names of sockets.
    #[schema(example = "0-1")]
    pub node: String,
    /// When it answered, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub now: Timestamp,
    /// How the record stands; `null` when there is none.
    #[schema(required = true)]
    pub record: Option<RecordView>,
    /// What happened, oldest first.
    pub timeline: Vec<Entry>,
    /// Whether older entries were left out because of `limit`.
    pub more: bool,
    /// What happened before this moment may be forgotten; `null` when nothing has been forgotten since the service
    /// started. In Unix milliseconds.
    #[schema(required = true, value_type = Option<u64>)]
    pub forgotten: Option<Timestamp>,
}

/// How a record stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RecordView {
    /// Whether he counts as connected, and why.
    pub phase: PhaseWord,
    /// When that ends by itself, in Unix milliseconds.
    #[schema(required = true, value_type = Option<u64>)]
    pub until: Option<Timestamp>,
    /// The known visitor to whom an anonymous record leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub joined: Option<VisitorId>,
    /// The epoch of the newest event.
    pub epoch: u64,
    /// The sequence of the newest event.
    pub sequence: u64,
    /// When the record last heard of him, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub updated: Timestamp,
    /// His pages' sockets.
    pub sockets: Vec<SocketView>,
    /// Signals without an outcome, in their order.
    pub waiting: Vec<WaitingView>,
}

/// Whether a visitor counts as connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PhaseWord {
    /// The service lost its records: he may be in transit.
    Unknown,
    /// Not connected.
    Absent,
    /// Has a socket.
    Connected,
    /// Has none, and counts as connected until the grace is over.
    Transit,
    /// Goes on under a known id.
    Joined,
}

/// A page's socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SocketView {
    /// Its name.
    #[serde(with = "as_text")]
    #[schema(value_type = String, example = "0-1-2a")]
    pub socket: SocketAddress,
    /// The tab.
    pub tab: TabId,
    /// The page.
    pub page: PageId,
    /// Whether it can be seen.
    pub visible: bool,
    /// Whether it wants signals.
    pub listening: bool,
    /// Whether it gets them.
    pub focus: bool,
}

/// A signal without an outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WaitingView {
    /// Which.
    pub signal: SignalId,
    /// What it waits for; `null`: it was sent, and waits for an acknowledgement.
    #[schema(required = true)]
    pub cause: Option<WaitCause>,
    /// When it expires, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub until: Timestamp,
}
