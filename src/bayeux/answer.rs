//! Messages to clients, as their JSON text: written once, and shared by all who get them.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    channel::Channel,
    fault::Fault,
    message::{Message, MessageId, TimeSync},
};
use crate::{model::json::Json, settings::Errors};

/// A message to a client.
pub type Text = Arc<str>;

/// The only version there is (Bayeux 1.0, section 3.1).
pub const VERSION: &str = "1.0";

/// What a client is to do after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reconnect {
    /// Connect again.
    Retry,
    /// Shake hands again. Official clients take this only with an answer that says that something failed.
    Handshake,
    /// Nothing.
    None,
}

/// Advice. Its parts always come together: clients put it in the place of what they were advised before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// What to do.
    pub reconnect: Reconnect,
    /// After how many milliseconds.
    pub interval: u64,
    /// How long the server holds a connect, in milliseconds.
    pub timeout: u64,
    /// The browser has too many connects that are held.
    #[serde(rename = "multiple-clients", skip_serializing_if = "std::ops::Not::not")]
    pub multiple_clients: bool,
}

impl Advice {
    /// Connect again at once.
    #[must_use]
    pub fn retry(timeout: u64) -> Self {
        Self { reconnect: Reconnect::Retry, interval: 0, timeout, multiple_clients: false }
    }

    /// Shake hands again at once.
    #[must_use]
    pub fn handshake(timeout: u64) -> Self {
        Self { reconnect: Reconnect::Handshake, ..Self::retry(timeout) }
    }

    /// Stop.
    #[must_use]
    pub fn stop() -> Self {
        Self { reconnect: Reconnect::None, ..Self::retry(0) }
    }
}

/// The answer to a message.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer<'a> {
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a MessageId>,
    successful: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subscription: Option<&'a Json>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum_version: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    supported_connection_types: Option<&'static [&'static str]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<Advice>,
    #[serde(skip_serializing_if = "ExtAnswer::is_empty")]
    ext: ExtAnswer,
}

/// What extensions answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ExtAnswer {
    /// The acknowledgement extension's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ack: Option<AckAnswer>,
    /// The time extension's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timesync: Option<Time>,
}

impl ExtAnswer {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The acknowledgement extension's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum AckAnswer {
    /// To a handshake: it is on.
    On(bool),
    /// To a connect: the batch that this answer is.
    Batch(u64),
}

/// The time extension's answer, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Time {
    /// When the client sent its message, by its clock.
    pub tc: i64,
    /// When the message came, by ours.
    pub ts: i64,
    /// How long the answer took.
    pub p: i64,
    /// How far the client's guess of our time was out; not for clients that do not guess.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub a: Option<i64>,
}

/// A client's guess that is nearer than this, in milliseconds, need not be corrected.
const NEAR_MS: i64 = 25;

impl Time {
    /// The answer to a message that came at `now`; `None` where the client's guess is near enough.
    #[must_use]
    pub fn answer(asked: TimeSync, now: u64) -> Option<Self> {
        let TimeSync { tc, l, o } = asked;
        let ts = i64::try_from(now).unwrap_or(i64::MAX);
        let a = l.map(|l| tc.saturating_add(o).saturating_add(l).saturating_sub(ts));
        let is_near = l != Some(0) && a.is_some_and(|a| a.saturating_abs() < NEAR_MS);
        (!is_near).then_some(Self { tc, ts, p: 0, a })
    }
}

impl<'a> Answer<'a> {
    /// The message was carried out.
    #[must_use]
    pub fn done(channel: &'a str, id: Option<&'a MessageId>) -> Self {
        Self { channel, id, successful: true, ..Self::default() }
    }

    /// It was not.
    #[must_use]
    pub fn failed(
        channel: &'a str,
        id: Option<&'a MessageId>,
        fault: &Fault,
        errors: Errors,
    ) -> Self {
        Self { channel, id, error: Some(fault.text(errors)), ..Self::default() }
    }

    /// The answer to `message`: it was carried out, or not.
    #[must_use]
    pub fn to(message: &'a Message, done: Result<(), &Fault>, errors: Errors) -> Self {
        let (channel, id) = (message.channel.as_str(), message.id.as_ref());
        let answer = match done {
            Ok(()) => Self::done(channel, id),
            Err(fault) => Self::failed(channel, id, fault, errors),
        };
        let subscription = message.subscription.as_ref();
        Self { subscription: subscription.map(|subscription| &subscription.written), ..answer }
    }

    /// With advice.
    #[must_use]
    pub fn advised(self, advice: Advice) -> Self {
        Self { advice: Some(advice), ..self }
    }

    /// With the words of extensions.
    #[must_use]
    pub fn extended(self, ext: ExtAnswer) -> Self {
        Self { ext, ..self }
    }

    /// The answer to a handshake: who the client is, and how it may connect.
    #[must_use]
    pub fn welcome(self, client: &'a str, transports: &'static [&'static str]) -> Self {
        Self { client_id: Some(client), ..self.offer(transports) }
    }

    /// Likewise, to one that failed: how it might have connected.
    #[must_use]
    pub fn offer(self, transports: &'static [&'static str]) -> Self {
        Self {
            version: Some(VERSION),
            minimum_version: Some(VERSION),
            supported_connection_types: Some(transports),
            ..self
        }
    }

    /// As it is sent.
    #[must_use]
    pub fn text(&self) -> Text {
        text(self)
    }
}

/// Marks an answer as given while the server that the nodes share is away: `degraded` in its `ext`. Other messages stay as they
/// are.
#[must_use]
pub fn marked(message: Text) -> Text {
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(&message) else {
        return message;
    };
    if !fields.contains_key("successful") {
        return message;
    }
    let ext = fields.entry("ext").or_insert_with(|| Map::new().into());
    if let Value::Object(ext) = ext {
        ext.insert("degraded".to_owned(), true.into());
    }
    text(&fields)
}

/// A message of a channel: always with `data`, by which clients tell it from an answer, and without an id, with which one
/// of them drops it.
#[must_use]
pub fn event(channel: &Channel, data: &Json) -> Text {
    #[derive(Serialize)]
    struct Event<'a> {
        channel: &'a Channel,
        data: &'a Json,
    }
    text(&Event { channel, data })
}

fn text(message: &impl Serialize) -> Text {
    // Our own types always have a JSON form.
    serde_json::to_string(message).unwrap_or_else(|_| "{}".into()).into()
}

/// Messages as they travel: an array.
#[must_use]
pub fn array(messages: &[Text]) -> String {
    let length = messages.iter().map(|message| message.len() + 1).sum::<usize>();
    let mut array = String::with_capacity(length + 1);
    array.push('[');
    for (at, message) in messages.iter().enumerate() {
        if at > 0 {
            array.push(',');
        }
        array.push_str(message);
    }
    array.push(']');
    array
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_never_has_data_and_an_event_always() {
        let channel: Channel = "/a".parse().unwrap();
        assert_eq!(&*event(&channel, &Json::null()), r#"{"channel":"/a","data":null}"#);
        let answer = Answer::done("/a", None).text();
        assert_eq!(&*answer, r#"{"channel":"/a","successful":true}"#);
        assert_eq!(
            array(&[answer.clone(), answer]),
            r#"[{"channel":"/a","successful":true},{"channel":"/a","successful":true}]"#
        );
        assert_eq!(array(&[]), "[]");
    }

    #[test]
    fn answers_are_marked_and_events_are_not() {
        let channel: Channel = "/a".parse().unwrap();
        let heard = event(&channel, &serde_json::from_str(r#"{"successful":true}"#).unwrap());
        assert_eq!(marked(heard.clone()), heard);
        let ext = ExtAnswer { ack: Some(AckAnswer::Batch(3)), timesync: None };
        let answer = Answer::done("/meta/connect", None).extended(ext).text();
        let fields: Value = serde_json::from_str(&marked(answer)).unwrap();
        let expected = serde_json::json!({
            "channel": "/meta/connect", "successful": true, "ext": {"ack": 3, "degraded": true},
        });
        assert_eq!(fields, expected);
        let bare = marked(Answer::failed("/a", None, &Fault::Unready, Errors::Classic).text());
        assert_eq!(serde_json::from_str::<Value>(&bare).unwrap()["ext"]["degraded"], true);
    }

    #[test]
    fn advice_comes_whole() {
        let answer = Answer::done("/meta/connect", None).advised(Advice::retry(30_000)).text();
        assert_eq!(
            &*answer,
            r#"{"channel":"/meta/connect","successful":true,"advice":{"reconnect":"retry","interval":0,"timeout":30000}}"#
        );
    }

    #[test]
    fn time_is_told_where_the_guess_is_far() {
        let asked = |l, o| TimeSync { tc: 1_000, l, o };
        assert_eq!(
            Time::answer(asked(None, 0), 1_500),
            Some(Time { tc: 1_000, ts: 1_500, p: 0, a: None })
        );
        assert_eq!(Time::answer(asked(Some(0), 500), 1_500).unwrap().a, Some(0), "the first time");
        assert_eq!(Time::answer(asked(Some(10), 480), 1_500), None);
        assert_eq!(Time::answer(asked(Some(10), 100), 1_500).unwrap().a, Some(-390));
        assert!(Time::answer(TimeSync { tc: i64::MAX, l: Some(i64::MAX), o: 1 }, 0).is_some());
    }
}
