//! What clients ask of topics, over sockets and over HTTP alike.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Epoch, Position, Topic, TopicFilter};
use crate::model::{error::Problem, json::Json};

/// Longest life of a message that a publisher may ask for, in seconds: a year.
pub const MAX_EXPIRY_SECONDS: u64 = 365 * 24 * 60 * 60;

/// What somebody wants to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishWish {
    /// Where to.
    pub topic: Topic,
    /// Any JSON.
    pub data: Json,
    /// Whether it becomes the topic's retained value; `null` takes the value away.
    pub retain: bool,
    /// How long it is kept at most, in ms.
    pub expiry_ms: Option<u64>,
}

/// What somebody wants to subscribe to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeWish {
    /// Which topics.
    pub filter: TopicFilter,
    /// Whether his own messages are left out.
    pub no_local: bool,
    /// Whether of each topic only the newest unsent message counts.
    pub latest: bool,
    /// Whether retained values come at the beginning.
    pub retained: bool,
    /// What he knows of an earlier subscription.
    pub resume: Option<Resume>,
}

/// Where an earlier subscription was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TopicResume)]
pub struct Resume {
    /// Which row of offsets.
    pub epoch: Epoch,
    /// The number of the last message before this place, retained values from before left out.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    pub offset: u64,
    /// Of retained values from before, the number of the last one that came; 0 if none did. Those behind it, up to `offset`,
    /// come first. Missing if all came, or none were wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, maximum = 9_007_199_254_740_991_u64)]
    pub retained: Option<u64>,
}

impl From<Position> for Resume {
    fn from(Position { epoch, offset }: Position) -> Self {
        Self { epoch, offset, retained: None }
    }
}

/// What a socket wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicCall {
    /// To publish.
    Publish(PublishWish),
    /// To subscribe.
    Subscribe(SubscribeWish),
    /// To end a subscription.
    Unsubscribe(u32),
}

/// What the answer to a call says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct TopicAnswer {
    /// The subscription's number, after `subscribe`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub subscription: Option<u32>,
    /// After `publish`: where the message stands, if it is kept. After `subscribe`: the place behind which its messages stand.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub position: Option<Position>,
    /// After `subscribe` with `resume`: whether messages since then are lost.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub missed: bool,
}

/// An expiry in seconds as milliseconds.
///
/// # Errors
/// `badrequest` on the field `expiry`.
pub fn expiry_ms(seconds: Option<u64>) -> Result<Option<u64>, Problem> {
    match seconds {
        Some(seconds) if !(1..=MAX_EXPIRY_SECONDS).contains(&seconds) => {
            let rule = format!("must be 1 to {MAX_EXPIRY_SECONDS} seconds");
            Err(Problem::field("expiry", rule))
        }
        seconds => Ok(seconds.map(|seconds| seconds * 1_000)),
    }
}
