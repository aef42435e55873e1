//! Messages that clients send: a JSON array of objects, or one object alone (Bayeux 1.0, section 3).
//!
//! What cannot be read at all is [`Unreadable`], and gets no Bayeux answer. A message that can be read but breaks a rule is
//! [`Broken`]: it is answered, and those beside it are carried out.

mod read;

use serde::Deserialize;
use serde_json::Value;

pub use self::read::read;
use super::{channel::Channel, fault::Fault};
use crate::model::json::Json;

/// Most messages of one request or frame.
pub const MAX_MESSAGES: usize = 128;

/// Why a request or frame holds no messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is no JSON array of objects.
    #[error("must be a JSON array of messages")]
    Malformed,
    /// It nests too deep.
    #[error("must not nest deeper than 32 levels")]
    Deep,
    /// There is no message in it.
    #[error("must hold at least one message")]
    Empty,
    /// There are too many.
    #[error("must hold at most {MAX_MESSAGES} messages")]
    Many,
}

/// The id of a message, to be repeated as it came.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, Deserialize)]
#[serde(transparent)]
pub struct MessageId(Value);

/// A message that can be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub channel: Channel,
    /// Its id.
    pub id: Option<MessageId>,
    /// Who says that he sends it.
    pub client: Option<Box<str>>,
    /// What it holds.
    pub data: Option<Json>,
    /// What the client would like of the answer to a connect.
    pub advice: Asked,
    /// What extensions say.
    pub ext: Ext,
    /// The channels of a subscription; `None` where there is none.
    pub subscription: Option<Subscription>,
    /// The transport of a connect.
    pub transport: Option<Box<str>>,
    /// The transports that the client knows.
    pub transports: Vec<Box<str>>,
    /// The version that the client speaks.
    pub version: Option<Box<str>>,
}

/// A message that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Where it was to go, as far as that can be read.
    pub channel: Option<Box<str>>,
    /// Its id.
    pub id: Option<MessageId>,
    /// What is wrong.
    pub fault: Fault,
}

/// What a client asks for by `advice`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// How long to hold the connect, in milliseconds.
    pub timeout: Option<u64>,
}

/// What a client says by `ext`. What nobody here knows is ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Ext {
    /// In a handshake: whether the client acknowledges. In a connect: the last batch that it has.
    pub ack: Option<Acknowledged>,
    /// The clock of the client.
    pub timesync: Option<TimeSync>,
    /// A token of ours.
    pub token: Option<String>,
    /// In a message for a channel: whether it becomes the retained value of its topic.
    pub retain: bool,
}

/// The acknowledgement extension's word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Acknowledged {
    /// In a handshake.
    Wanted(bool),
    /// In a connect: the last batch that came; -1 before the first.
    Batch(i64),
    /// In a handshake that may bring messages already.
    Enabled {
        /// Whether the client acknowledges.
        enabled: bool,
    },
}

impl Acknowledged {
    /// Whether a handshake asks for acknowledgements.
    #[must_use]
    pub fn is_wanted(self) -> bool {
        matches!(self, Self::Wanted(true) | Self::Enabled { enabled: true })
    }

    /// The last batch that a client has.
    #[must_use]
    pub fn batch(self) -> Option<u64> {
        match self {
            Self::Batch(batch) => Some(u64::try_from(batch).unwrap_or_default()),
            Self::Wanted(_) | Self::Enabled { .. } => None,
        }
    }
}

/// The time extension's word, in milliseconds of the client's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct TimeSync {
    /// When the message was sent.
    pub tc: i64,
    /// How long messages take, as far as the client knows.
    pub l: Option<i64>,
    /// How far the clocks are apart, as far as the client knows.
    #[serde(default)]
    pub o: i64,
}

/// The channels of a subscription, and how they were written, since the answer repeats that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// As it came.
    pub written: Json,
    /// Each of them, or that it is none.
    pub channels: Vec<Option<Channel>>,
}

impl Message {
    /// What carries it out on another node: all but what belongs to a handshake or a connect, in a form that [`read()`] reads.
    #[must_use]
    pub fn text(&self) -> String {
        #[derive(serde::Serialize)]
        struct Written<'a> {
            channel: &'a Channel,
            id: Option<&'a MessageId>,
            #[serde(rename = "clientId")]
            client: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            data: Option<&'a Json>,
            subscription: Option<&'a Json>,
            ext: Retain,
        }
        #[derive(serde::Serialize)]
        struct Retain {
            retain: bool,
        }
        let written = Written {
            channel: &self.channel,
            id: self.id.as_ref(),
            client: self.client.as_deref(),
            data: self.data.as_ref(),
            subscription: self.subscription.as_ref().map(|subscription| &subscription.written),
            ext: Retain { retain: self.ext.retain },
        };
        // Our own types always have a JSON form.
        serde_json::to_string(&written).unwrap_or_default()
    }
}
