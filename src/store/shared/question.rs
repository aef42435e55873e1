//! What a node asks of the server, and what that answers.

use std::sync::Arc;

use crate::{clock::Timestamp, model::ids::NodeId, store::Written};

/// Tells apart what a node asked for; never used twice in one incarnation.
pub(super) type Ticket = u64;

/// What the server's data are marked with, as long as nothing of them was lost. Of two marks the later one is the greater.
pub(super) type Mark = Arc<str>;

/// What a record is to be replaced by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Nothing changes; is the version still the one?
    Same,
    /// The record says no more than none.
    Gone,
    /// This row; of the leaves those that change.
    New(Written),
}

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask<K> {
    /// A word on this node's channel, after all that was said before.
    Probe { ticket: Ticket },
    /// The record, and a word on this node's channel after all that was said of the record before.
    Look {
        ticket: Ticket,
        key: K,
        mark: Mark,
        /// The version from which the node can go on with what changed, behind the mark under which it was written.
        known: Option<(Mark, u64)>,
    },
    /// A new version in place of `expected`, and only of that; then the messages go out. Two histories of the data may have given
    /// one number, so that the mark under which it was written belongs to a version; none where there is no record.
    Replace {
        ticket: Ticket,
        key: K,
        mark: Mark,
        expected: Option<(Mark, u64)>,
        row: Row,
        /// So many records there may be in the part before a new one is refused.
        most: Option<u64>,
        lists: Lists,
        /// To whom what is said. Among them this node, when something follows here.
        tell: Tell,
    },
    /// This version in place of an earlier one, or none. Of two versions that were written under one mark the higher one is the
    /// later, else the one that was written under the later mark.
    Restate {
        ticket: Ticket,
        key: K,
        mark: Mark,
        version: u64,
        /// The mark under which it was written.
        written: Mark,
        /// None when the record was ended under this version.
        row: Option<Written>,
        lists: Lists,
    },
}

#[cfg(test)]
impl<K> Ask<K> {
    pub(super) fn ticket(&self) -> Ticket {
        match self {
            Ask::Probe { ticket }
            | Ask::Look { ticket, .. }
            | Ask::Replace { ticket, .. }
            | Ask::Restate { ticket, .. } => *ticket,
        }
    }
}

/// What the lists beside the records are to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lists {
    /// When the record is due next, if that changed.
    pub(super) due: Option<Option<Timestamp>>,
    /// Nodes that hold something of the record, and did not before.
    pub(super) holds: Vec<NodeId>,
    /// Nodes that do no more.
    pub(super) frees: Vec<NodeId>,
    /// The name under which the record is listed, and was not before.
    pub(super) joins: Option<String>,
    /// The one under which it is no more.
    pub(super) quits: Option<String>,
}

/// Who is to hear what.
pub(super) type Tell = Vec<(Target, Vec<u8>)>;

/// Who hears a message.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    /// One node.
    Node(NodeId),
    /// All nodes that listen to a name.
    Listeners(String),
    /// All nodes.
    Everyone,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The record, or none under version 0; and the mark under which it was written.
    Found { version: u64, written: Mark, state: State },
    /// It has this version now.
    Replaced { version: u64 },
    /// The word is on its way.
    Said,
    /// It was another one: this, written under this mark.
    Conflict { version: u64, written: Mark, state: State },
    /// There are as many records as may be: nothing was done.
    Full,
    /// The server's data have another mark: nothing was done.
    Lost,
    /// The server has this version now, written under this mark; whether the record is there.
    Restated { version: u64, written: Mark, is_there: bool },
    /// No answer, so nobody knows whether it was done.
    Away,
}

/// What a record is now, for a node that may know an earlier version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The node knows it.
    Same,
    /// It has this row, and these leaves are others than the node knows.
    Changed(Written),
    /// All of it. Nothing under version 0.
    Whole(Written),
}
