//! Events: what watchers are told of a visitor.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    chat::ChatNews,
    error::Problem,
    help::HelpNews,
    ids::{GroupId, InvalidId, VisitorId},
    json::Json,
    presence::PresenceUpdate,
};
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
    /// The visitor asks for help, or it stands otherwise with that.
    HelpRequest(HelpNews),
    /// The visitor's chat began, or stands otherwise.
    ChatStatus(ChatNews),
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

impl EventKind {
    /// The words in `type`; the one at place `n` belongs to the kind with the index `n`.
    pub const NAMES: [&'static str; 11] = [
        "visitorconn",
        "visitorsock",
        "presence",
        "terms",
        "visibility",
        "visitorsessionstart",
        "visitorsessionend",
        "visitorerror",
        "visitorjoined",
        "helprequest",
        "chatstatus",
    ];

    /// The kind's place in [`EventKind::NAMES`].
    #[must_use]
    pub const fn index(&self) -> usize {
        match self {
            Self::VisitorConn { .. } => 0,
            Self::VisitorSock { .. } => 1,
            Self::Presence(_) => 2,
            Self::Terms { .. } => 3,
            Self::Visibility { .. } => 4,
            Self::VisitorSessionStart(_) => 5,
            Self::VisitorSessionEnd { .. } => 6,
            Self::VisitorError(_) => 7,
            Self::VisitorJoined { .. } => 8,
            Self::HelpRequest(_) => 9,
            Self::ChatStatus(_) => 10,
        }
    }
}

/// A set of kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// Every kind.
    pub const ALL: Self = Self((1 << EventKind::NAMES.len()) - 1);

    /// The kinds of these names; all of them for none.
    ///
    /// # Errors
    /// A name that no kind has.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, InvalidId> {
        let mut kinds = 0;
        for name in names {
            let place = EventKind::NAMES.iter().position(|known| *known == name);
            let place = place.ok_or(InvalidId { what: "types", rule: "types of events" })?;
            kinds |= 1 << place;
        }
        Ok(if kinds == 0 { Self::ALL } else { Self(kinds) })
    }

    /// Whether this kind is among them.
    #[must_use]
    pub const fn contains(self, kind: usize) -> bool {
        self.0 >> kind & 1 == 1
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let named = EventKind::NAMES.into_iter().enumerate();
        named.filter_map(move |(place, name)| self.contains(place).then_some(name))
    }
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

/// Names one event of a group, the same over every channel: epoch, sequence and visitor id between colons, each `.` of
/// the visitor id written as a colon too, since a signed webhook's id should hold no full stop.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId {
    /// The event's epoch.
    pub epoch: u64,
    /// The event's sequence.
    pub sequence: u64,
    /// The visitor.
    pub visitor: VisitorId,
}

impl Event {
    /// The event's name within its group.
    #[must_use]
    pub fn id(&self) -> EventId {
        EventId { epoch: self.epoch, sequence: self.sequence, visitor: self.visitorid.clone() }
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:", self.epoch, self.sequence)?;
        for (place, part) in self.visitor.as_str().split('.').enumerate() {
            if place > 0 {
                f.write_char(':')?;
            }
            f.write_str(part)?;
        }
        Ok(())
    }
}

/// An event as back ends get it, over every channel alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupEvent {
    /// Names the event within its group; whoever has seen it may drop it.
    #[schema(example = "1700000000000:7:ada")]
    pub id: String,
    /// The group.
    pub group: GroupId,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{
        chat::ChatStatus,
        help::HelpStatus,
        ids::{ChatId, HelpId},
    };

    #[test]
    fn an_event_id_is_one_of_its_own_and_holds_no_full_stop() {
        let id = |visitor: &str, sequence| EventId {
            epoch: 1_700_000_000_000,
            sequence,
            visitor: visitor.parse().unwrap(),
        };
        assert_eq!(id("ada", 7).to_string(), "1700000000000:7:ada");
        assert_eq!(id("a.b.~c", 71).to_string(), "1700000000000:71:a:b:~c");
        assert_eq!(id(".", 7).to_string(), "1700000000000:7::");
    }

    #[test]
    fn a_kinds_name_is_the_word_in_its_type() {
        let kinds = [
            EventKind::VisitorConn { connected: true },
            EventKind::VisitorSock { connected: true, sockets: 1 },
            EventKind::Presence(PresenceUpdate::default()),
            EventKind::Terms { status: TermsStatus::Accepted },
            EventKind::Visibility { visibility: Visibility::Hidden },
            EventKind::VisitorSessionStart(PresenceUpdate::default()),
            EventKind::VisitorSessionEnd { reason: SessionEndReason::Agent },
            EventKind::VisitorError(VisitorError {
                code: "x".into(),
                msg: "".into(),
                params: None,
            }),
            EventKind::VisitorJoined { visitorid: "ada".parse().unwrap() },
            EventKind::HelpRequest(HelpNews {
                help: HelpId::from_u128(7),
                status: HelpStatus::Pending,
                agent: None,
                text: None,
            }),
            EventKind::ChatStatus(ChatNews {
                chat: ChatId::from_u128(7),
                status: ChatStatus::Waiting,
                button: None,
                agent: None,
                reason: None,
            }),
        ];
        for (place, kind) in kinds.iter().enumerate() {
            assert_eq!(kind.index(), place);
            assert_eq!(serde_json::to_value(kind).unwrap()["type"], EventKind::NAMES[place]);
        }
    }

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
