//! Messages that clients send: a JSON array of objects, or one object alone (Bayeux 1.0, section 3).
//!
//! What cannot be read at all is [`Unreadable`], and gets no Bayeux answer. A message that can be read but breaks a rule is
//! [`Broken`]: it is answered, and those beside it are carried out.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use super::{channel::Channel, fault::Fault};
use crate::model::json::{Json, check_depth};

/// Most messages of one request or frame.
pub const MAX_MESSAGES: usize = 128;
/// Longest message id, in characters.
const MAX_ID: usize = 64;
/// Most fields of a message.
const MAX_FIELDS: usize = 32;
/// Most channels of one subscription, and most transports of one handshake.
const MAX_LIST: usize = 64;

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

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Reads the messages of a request or frame.
///
/// # Errors
/// See [`Unreadable`].
pub fn read(text: &[u8]) -> Result<Vec<Result<Message, Broken>>, Unreadable> {
    check_depth(text, "messages").map_err(|_| Unreadable::Deep)?;
    let is_array = text.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let parts: Vec<&RawValue> = if is_array {
        serde_json::from_slice(text).map_err(|_| Unreadable::Malformed)?
    } else {
        vec![serde_json::from_slice(text).map_err(|_| Unreadable::Malformed)?]
    };
    match parts.len() {
        0 => return Err(Unreadable::Empty),
        1..=MAX_MESSAGES => {}
        _ => return Err(Unreadable::Many),
    }
    parts.into_iter().map(message).collect()
}

impl Message {
    /// What carries it out on another node: all but what belongs to a handshake or a connect, in a form that [`read`] reads.
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

type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

fn message(part: &RawValue) -> Result<Result<Message, Broken>, Unreadable> {
    let fields: Fields<'_> = serde_json::from_str(part.get()).map_err(|_| Unreadable::Malformed)?;
    let id = match raw(&fields, "id").map(message_id) {
        None => Ok(None),
        Some(Some(id)) => Ok(Some(id)),
        Some(None) => Err(Fault::IdInvalid),
    };
    let known = id.clone().ok().flatten();
    let channel = raw(&fields, "channel");
    let name = channel.and_then(|raw| serde_json::from_str::<Box<str>>(raw.get()).ok());
    let name = name.filter(|name| name.len() <= super::channel::MAX_LENGTH);
    let read = id.and_then(|id| {
        if fields.len() > MAX_FIELDS {
            let rule = "must have at most 32 fields".into();
            return Err(Fault::Field { name: "message", rule });
        }
        let channel = match (&name, channel) {
            (Some(name), _) => name.parse::<Channel>().map_err(|_| Fault::ChannelInvalid)?,
            (None, Some(_)) => return Err(Fault::ChannelInvalid),
            (None, None) => return Err(Fault::ChannelMissing),
        };
        fill(&fields, channel, id)
    });
    Ok(read.map_err(|fault| Broken { channel: name, id: known, fault }))
}

fn fill(fields: &Fields<'_>, channel: Channel, id: Option<MessageId>) -> Result<Message, Fault> {
    let subscription = match raw(fields, "subscription") {
        None => None,
        Some(written) => {
            let names = match typed(fields, "subscription", "must be a channel, or a list of them")?
            {
                Some(OneOrMany::One(name)) => vec![name],
                Some(OneOrMany::Many(names)) => names,
                None => Vec::new(),
            };
            if names.len() > MAX_LIST {
                let rule = "must have at most 64 channels".into();
                return Err(Fault::Field { name: "subscription", rule });
            }
            let channels = names.iter().map(|name| name.parse().ok()).collect();
            Some(Subscription { written: Json::of(&written), channels })
        }
    };
    let transports: Vec<Box<str>> =
        typed(fields, "supportedConnectionTypes", "must be a list of names")?.unwrap_or_default();
    if transports.len() > MAX_LIST {
        let rule = "must have at most 64 names".into();
        return Err(Fault::Field { name: "supportedConnectionTypes", rule });
    }
    Ok(Message {
        channel,
        id,
        client: typed(fields, "clientId", "must be text")?,
        data: fields.get("data").map(Json::of),
        advice: typed(fields, "advice", "must be an object with numbers of milliseconds")?
            .unwrap_or_default(),
        ext: typed(fields, "ext", "must be an object as its extensions say")?.unwrap_or_default(),
        subscription,
        transport: typed(fields, "connectionType", "must be text")?,
        transports,
        version: typed(fields, "version", "must be text")?,
    })
}

/// A field's text; `null` is as good as none.
fn raw<'a>(fields: &Fields<'a>, name: &str) -> Option<&'a RawValue> {
    fields.get(name).copied().filter(|raw| raw.get() != "null")
}

fn typed<T: DeserializeOwned>(
    fields: &Fields<'_>,
    name: &'static str,
    rule: &'static str,
) -> Result<Option<T>, Fault> {
    let wrong = |_| Fault::Field { name, rule: rule.into() };
    raw(fields, name).map(|raw| serde_json::from_str(raw.get()).map_err(wrong)).transpose()
}

/// Letters and digits, or a whole number.
fn message_id(raw: &RawValue) -> Option<MessageId> {
    let value: Value = serde_json::from_str(raw.get()).ok()?;
    let good = match &value {
        Value::String(text) => {
            (1..=MAX_ID).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        }
        Value::Number(number) => number.is_u64(),
        _ => false,
    };
    good.then_some(MessageId(value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one(text: &str) -> Result<Message, Broken> {
        let mut read = read(text.as_bytes()).unwrap();
        assert_eq!(read.len(), 1);
        read.remove(0)
    }

    #[test]
    fn an_array_and_a_lone_object_are_read() {
        let text = r#"{"channel":"/meta/connect","id":"7","clientId":"c","connectionType":"websocket",
            "advice":{"timeout":0},"ext":{"ack":-1,"other":[1]},"data":null,"unknown":true}"#;
        let message = one(text).unwrap();
        assert_eq!(message, one(&format!(" [{text}]")).unwrap());
        assert_eq!(message.channel.as_str(), "/meta/connect");
        assert_eq!(message.client.as_deref(), Some("c"));
        assert_eq!(message.advice, Asked { timeout: Some(0) });
        assert_eq!(message.ext.ack.and_then(Acknowledged::batch), Some(0));
        assert_eq!(message.data.as_ref().map(Json::text), Some("null"), "null is data");
    }

    #[test]
    fn ids_are_repeated_as_they_came() {
        for id in [r#""a1""#, "12"] {
            let message = one(&format!(r#"{{"channel":"/a","id":{id}}}"#)).unwrap();
            assert_eq!(serde_json::to_string(&message.id).unwrap(), id);
        }
        for id in [r#""""#, r#""a-b""#, "1.5", "-1", "[]", "true", &format!("{:?}", "x".repeat(65))]
        {
            let broken = one(&format!(r#"{{"channel":"/a","id":{id}}}"#)).unwrap_err();
            assert_eq!((broken.fault, broken.id), (Fault::IdInvalid, None), "{id}");
        }
    }

    #[test]
    fn what_breaks_a_rule_says_which() {
        let fault = |text: &str| one(text).unwrap_err().fault;
        assert_eq!(fault("{}"), Fault::ChannelMissing);
        assert_eq!(fault(r#"{"channel":null}"#), Fault::ChannelMissing);
        assert_eq!(fault(r#"{"channel":7}"#), Fault::ChannelInvalid);
        assert_eq!(fault(r#"{"channel":"meta"}"#), Fault::ChannelInvalid);
        for (field, value) in [
            ("clientId", "7"),
            ("advice", r#"{"timeout":-1}"#),
            ("ext", r#"{"ack":"yes"}"#),
            ("subscription", "7"),
            ("supportedConnectionTypes", r#""websocket""#),
            ("version", "1.0"),
        ] {
            let text = format!(r#"{{"channel":"/a","id":"1","{field}":{value}}}"#);
            let broken = one(&text).unwrap_err();
            assert!(matches!(broken.fault, Fault::Field { name, .. } if name == field), "{text}");
            assert_eq!(broken.channel.as_deref(), Some("/a"));
            assert!(broken.id.is_some());
        }
    }

    #[test]
    fn what_is_no_message_is_unreadable() {
        for text in ["", "[", "7", "\"x\"", "[1]", "[[]]", "null", "[{}", "[{}] x", "{\"a\":}"] {
            assert_eq!(read(text.as_bytes()), Err(Unreadable::Malformed), "{text}");
        }
        assert_eq!(read(b" [ ]"), Err(Unreadable::Empty));
        let many = format!("[{}]", vec!["{}"; MAX_MESSAGES + 1].join(","));
        assert_eq!(read(many.as_bytes()), Err(Unreadable::Many));
        let deep = format!("{}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(read(deep.as_bytes()), Err(Unreadable::Deep));
    }

    #[test]
    fn a_subscription_keeps_its_form() {
        let several = one(r#"{"channel":"/meta/subscribe","subscription":["/a","b"]}"#).unwrap();
        let several = several.subscription.unwrap();
        assert_eq!(several.written.text(), r#"["/a","b"]"#);
        assert_eq!(several.channels, [Some("/a".parse().unwrap()), None]);
    }

    #[test]
    fn what_another_node_carries_out_is_what_came() {
        for text in [
            r#"{"channel":"/a","id":7,"clientId":"c","data":{"n":[1,null]},"ext":{"retain":true}}"#,
            r#"{"channel":"/a","clientId":"c","data":null}"#,
            r#"{"channel":"/meta/subscribe","id":"1","clientId":"c","subscription":["/a","b"]}"#,
        ] {
            let message = one(text).unwrap();
            assert_eq!(one(&message.text()), Ok(message));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
