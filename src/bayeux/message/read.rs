//! Reads messages: what breaks which rule.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};

use super::{Broken, MAX_MESSAGES, Message, MessageId, Subscription, Unreadable};
use crate::{
    bayeux::{
        channel::{self, Channel},
        fault::Fault,
    },
    model::json::{Json, check_depth},
};

/// Longest message id, in characters.
const MAX_ID: usize = 64;
/// Most fields of a message.
const MAX_FIELDS: usize = 32;
/// Most channels of one subscription, and most transports of one handshake.
const MAX_LIST: usize = 64;

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

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
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
    let name = name.filter(|name| name.len() <= channel::MAX_LENGTH);
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
    use crate::bayeux::message::{Acknowledged, Asked};

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
