//! What is published, and where it stands among all that its group keeps.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::ToSchema;

use super::Topic;
use crate::{
    clock::Timestamp,
    model::{
        ids::InvalidId,
        json::{Json, sentence},
    },
};

/// Tells one row of offsets from another: a new one begins where the old one was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ToSchema)]
#[schema(value_type = String, pattern = "^[0-9a-f]{1,16}$", example = "19aa3f0c2d1")]
pub struct Epoch(pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

impl std::str::FromStr for Epoch {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let is_plain = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(text, 16).ok().filter(|_| is_plain);
        let rule = "1 to 16 lower-case hexadecimal digits";
        number.map(Self).ok_or(InvalidId { what: "epoch", rule })
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::model::ids::as_text::deserialize(deserializer)
    }
}

/// A place in the order of a group's kept messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TopicPosition)]
pub struct Position {
    /// Which row of offsets.
    pub epoch: Epoch,
    /// The number of the last message before this place; 0 is before all.
    #[schema(maximum = 9_007_199_254_740_991_u64)]
    pub offset: u64,
}

/// A message as it was published.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// Where to.
    pub topic: Topic,
    /// Any JSON.
    pub data: Json,
    /// When the server took it.
    pub at: Timestamp,
    /// Its place, if it is or was kept.
    pub position: Option<Position>,
}

impl Message {
    /// What subscribers share of its text, behind the number of their subscription.
    #[must_use]
    pub fn shared_text(&self, retained: bool) -> String {
        let Position { epoch, offset } =
            self.position.unwrap_or(Position { epoch: Epoch(0), offset: 0 });
        let position = self.position.is_some();
        let body = Body {
            topic: &self.topic,
            data: &self.data,
            at: self.at,
            epoch: position.then_some(epoch),
            offset: position.then_some(offset),
            retained,
        };
        serde_json::to_string(&body).unwrap_or_else(|error| {
            tracing::error!(error = sentence(&error), "a topic's message could not be written");
            "{}".to_owned()
        })
    }

    /// The text for one subscription, from what all share.
    #[must_use]
    pub fn text_for(subscription: u32, shared: &str) -> String {
        let fields = shared.strip_prefix('{').unwrap_or(shared);
        format!(r#"{{"type":"topicmessage","subscription":{subscription},{fields}"#)
    }
}

#[derive(Serialize)]
struct Body<'a> {
    topic: &'a Topic,
    data: &'a Json,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<Epoch>,
    #[serde(skip_serializing_if = "Option::is_none")]
    offset: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    retained: bool,
}

/// A message of a topic, once for each of the socket's subscriptions that choose it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct TopicMessage {
    /// For which subscription.
    pub subscription: u32,
    /// Where it was published to.
    pub topic: Topic,
    /// What was published.
    #[schema(value_type = Value)]
    pub data: Json,
    /// When the server took it, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub at: Timestamp,
    /// With `offset`: the place to `resume` behind, of messages that are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub epoch: Option<Epoch>,
    /// Grows from message to message of the group.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub offset: Option<u64>,
    /// Whether it was published before the subscription began, and is the topic's retained value.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub retained: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_makes_the_documented_message() {
        let position = Some(Position { epoch: Epoch(0x1f), offset: 7 });
        for (position, retained) in [(position, true), (position, false), (None, false)] {
            let message = Message {
                topic: "a/\"b".parse().unwrap(),
                data: Json::of(&serde_json::json!({"x": [1, null]})),
                at: Timestamp(5),
                position,
            };
            let documented = TopicMessage {
                subscription: 12,
                topic: message.topic.clone(),
                data: message.data.clone(),
                at: message.at,
                epoch: position.map(|position| position.epoch),
                offset: position.map(|position| position.offset),
                retained,
            };
            let text = Message::text_for(12, &message.shared_text(retained));
            let mut sent: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(sent["type"].take(), "topicmessage");
            sent.as_object_mut().unwrap().remove("type");
            assert_eq!(sent, serde_json::to_value(&documented).unwrap());
        }
    }

    #[test]
    fn epochs_are_read_as_they_are_written() {
        assert_eq!("1f".parse(), Ok(Epoch(0x1f)));
        for wrong in ["", "1F", "+1", "0x1", "12345678901234567"] {
            assert!(wrong.parse::<Epoch>().is_err(), "{wrong:?}");
        }
    }
}
