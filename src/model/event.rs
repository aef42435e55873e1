//! Events: what watchers are told of a visitor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{error::Problem, ids::VisitorId, json::Json, presence::PresenceUpdate};
use crate::clock::Timestamp;

/// Where the visitor stands with the terms and conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TermsStatus {
    /// The dialog is shown.
    Displayed,
    /// The visitor accepted.
    Accepted,
    /// The visitor declined.
    Declined,
}

/// Whether a page can be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Visibility {
    /// In front.
    Visible,
    /// In a background tab, minimised, or frozen. Hidden is not gone.
    Hidden,
}

impl From<bool> for Visibility {
    fn from(visible: bool) -> Self {
        if visible { Visibility::Visible } else { Visibility::Hidden }
    }
}

/// Why a co-browse session ended, as the visitor's page reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SessionEndReason {
    /// The agent ended it.
    Agent,
    /// The visitor ended it.
    Visitor,
    /// It broke.
    Error,
}

/// An error that the visitor's page reports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct VisitorError {
    /// The word that programs compare; at most 64 characters.
    pub code: Box<str>,
    /// The page's words; at most 1 KiB.
    #[serde(default)]
    pub msg: Box<str>,
    /// More, as JSON of at most 4 KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Value, nullable = false)]
    pub params: Option<Json>,
}

impl VisitorError {
    /// Checks the limits.
    ///
    /// # Errors
    /// Names the field that is too long.
    pub fn check(&self) -> Result<(), Problem> {
        if self.code.is_empty() || self.code.len() > 64 {
            return Err(Problem::field("data.code", "must have 1 to 64 bytes"));
        }
        if self.msg.len() > 1024 {
            return Err(Problem::field("data.msg", "must have at most 1024 bytes"));
        }
        if self.params.as_ref().is_some_and(|params| params.text().len() > 4096) {
            return Err(Problem::field("data.params", "must have at most 4096 bytes of JSON"));
        }
        Ok(())
    }
}

/// What happened, with its data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", content = "data", rename_all = "lowercase")]
pub enum EventKind {
    /// The visitor became connected, or stopped being so.
    VisitorConn {
        /// Which of the two.
        connected: bool,
    },
    /// One of the visitor's sockets opened or closed.
    VisitorSock {
        /// Which of the two.
        connected: bool,
        /// How many sockets the visitor has now.
        sockets: usize,
    },
    /// A presence update, as it was sent.
    Presence(PresenceUpdate),
    /// The terms dialog was shown, accepted or declined.
    Terms {
        /// Which of the three.
        status: TermsStatus,
    },
    /// The visitor came to have a visible page, or no longer has one.
    Visibility {
        /// Which of the two.
        visibility: Visibility,
    },
    /// A co-browse session started.
    VisitorSessionStart(PresenceUpdate),
    /// A co-browse session ended.
    VisitorSessionEnd {
        /// Why.
        reason: SessionEndReason,
    },
    /// The visitor's page reports an error.
    VisitorError(VisitorError),
    /// An anonymous visitor became known; the known record goes on under this id.
    VisitorJoined {
        /// The id under which the visitor is known from now on.
        visitorid: VisitorId,
    },
}

/// A place in the order of one visitor's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Position {
    /// The event's epoch.
    pub epoch: u64,
    /// The event's sequence in that epoch.
    pub sequence: u64,
}

impl Position {
    /// Before every event.
    pub const ORIGIN: Self = Self { epoch: 0, sequence: 0 };
}

/// What happened to one visitor. Epoch, then sequence, order the events of a visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// The visitor.
    pub visitorid: VisitorId,
    /// Unix milliseconds at which the visitor became connected; greater in each later presence.
    pub epoch: u64,
    /// Counts the events of an epoch from 1.
    pub sequence: u64,
    /// When it happened, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub time: Timestamp,
    /// True for the state that a watcher gets when it attaches: it repeats what is, under the sequence of the latest
    /// event.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub present: bool,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_event_reads_as_the_protocol_says() {
        let event = Event {
            visitorid: "ada".parse().unwrap(),
            epoch: 1_700_000_000_000,
            sequence: 7,
            time: Timestamp(1_700_000_000_123),
            present: false,
            kind: EventKind::VisitorConn { connected: true },
        };
        let expected = json!({"type": "visitorconn", "visitorid": "ada", "epoch": 1_700_000_000_000_u64,
            "sequence": 7, "time": 1_700_000_000_123_u64, "data": {"connected": true}});
        assert_eq!(serde_json::to_value(&event).unwrap(), expected);
        assert_eq!(serde_json::from_value::<Event>(expected).unwrap(), event);
    }
}
