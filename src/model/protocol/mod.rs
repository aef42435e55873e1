//! The native sockets' messages, as `docs/protocol.md` lists them. Text from outside becomes one of these types here, and
//! nowhere else.

/// The messages that one side of a socket takes, in one list: the parser and the documents both go by it, so that
/// neither knows a message that the other does not.
macro_rules! kinds {
    ($(#[$doc:meta])* $name:ident { $($(#[doc = $meaning:literal])+ $kind:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[doc = $meaning])+ $kind,)* }

        impl $name {
            /// Every kind, in the order of the protocol's table.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The word in `type`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $text,)* }
            }

            /// What it says, for the documents.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$kind => concat!($($meaning),+).trim(),)* }
            }

            fn of(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$kind),)* _ => None }
            }
        }
    };
}

pub mod agent;
pub mod chats;
pub mod shapes;
pub mod stream;
mod topics;
pub mod visitor;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::Problem,
    json::{Json, check_depth, sentence},
    signal::Target,
};

/// The greatest `request` number: JavaScript's greatest safe integer.
pub const MAX_REQUEST: u64 = (1 << 53) - 1;
/// Most signal ids in one message.
pub const MAX_IDS: usize = 64;

/// Every field that a client's message can have. Which are needed depends on `type`.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    request: Option<u64>,
    #[serde(borrow)]
    visitorid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    from: Option<Cow<'a, str>>,
    #[serde(borrow)]
    uniqueid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    tab: Option<Cow<'a, str>>,
    #[serde(borrow)]
    page: Option<Cow<'a, str>>,
    visible: Option<bool>,
    listen: Option<bool>,
    #[serde(borrow)]
    seen: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    ids: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    code: Option<Cow<'a, str>>,
    #[serde(borrow)]
    msg: Option<Cow<'a, str>>,
    visibility: Option<super::event::Visibility>,
    #[serde(default, deserialize_with = "Json::present")]
    data: Option<Json>,
    #[serde(borrow)]
    token: Option<Cow<'a, str>>,
    #[serde(borrow)]
    func: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "Json::present")]
    args: Option<Json>,
    target: Option<Target>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    since: Option<super::event::Position>,
    list: Option<u64>,
    #[serde(default, deserialize_with = "Json::present")]
    filter: Option<Json>,
    #[serde(borrow)]
    sort: Option<Cow<'a, str>>,
    window: Option<super::list::Window>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow)]
    session: Option<Cow<'a, str>>,
    #[serde(borrow)]
    url: Option<Cow<'a, str>>,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
    agreed: Option<bool>,
    withcode: Option<bool>,
    lookup: Option<bool>,
    contact: Option<bool>,
    #[serde(borrow)]
    to: Option<Cow<'a, str>>,
    given: Option<bool>,
    paused: Option<bool>,
    #[serde(borrow)]
    ticket: Option<Cow<'a, str>>,
    x: Option<f32>,
    y: Option<f32>,
    stroke: Option<u32>,
    #[serde(borrow)]
    colour: Option<Cow<'a, str>>,
    points: Option<Vec<[f32; 2]>>,
    done: Option<bool>,
    #[serde(borrow)]
    text: Option<Cow<'a, str>>,
    asset: Option<u32>,
    #[serde(borrow)]
    help: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reference: Option<Cow<'a, str>>,
    #[serde(borrow)]
    reportingid: Option<Cow<'a, str>>,
    #[serde(borrow)]
    sha256: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content_type: Option<Cow<'a, str>>,
    bytes: Option<u64>,
    #[serde(borrow)]
    chat: Option<Cow<'a, str>>,
    #[serde(borrow)]
    button: Option<Cow<'a, str>>,
    #[serde(borrow)]
    buttons: Option<Vec<Cow<'a, str>>>,
    accepted: Option<bool>,
    digits: Option<u8>,
    topic: Option<Cow<'a, str>>,
    retain: Option<bool>,
    expiry: Option<u64>,
    nolocal: Option<bool>,
    latest: Option<bool>,
    retained: Option<bool>,
    resume: Option<super::topic::Resume>,
    subscription: Option<u32>,
}

/// A message that could not be read: which request it was, as far as that is known, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The message's `request`.
    pub request: Option<u64>,
    /// What was wrong with it.
    pub problem: Problem,
}

/// A message with the number that its answer repeats.
#[derive(Debug, PartialEq, Eq)]
pub struct Numbered<T> {
    /// The message's `request`.
    pub request: Option<u64>,
    /// The message.
    pub message: T,
}

fn read<'a, T>(
    text: &'a str,
    convert: impl FnOnce(Fields<'a>) -> Result<T, Problem>,
) -> Result<Numbered<T>, Unreadable> {
    if let Err(problem) = check_depth(text.as_bytes(), "message") {
        return Err(Unreadable { request: None, problem });
    }
    let fields: Fields<'a> = match serde_json::from_str(text) {
        Ok(fields) => fields,
        Err(error) => {
            let (request, problem) = (number(text), explain(text, &error));
            return Err(Unreadable { request, problem });
        }
    };
    let request = fields.request;
    if request.is_some_and(|request| !(1..=MAX_REQUEST).contains(&request)) {
        let problem = Problem::field("request", "must be a whole number from 1 to 2^53-1");
        return Err(Unreadable { request: None, problem });
    }
    match convert(fields) {
        Ok(message) => Ok(Numbered { request, message }),
        Err(problem) => Err(Unreadable { request, problem }),
    }
}

/// The number of a message of which something else is wrong.
fn number(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Number {
        request: u64,
    }
    let number = serde_json::from_str::<Number>(text).ok()?.request;
    (1..=MAX_REQUEST).contains(&number).then_some(number)
}

/// Parses once more, slowly, to find the field that is wrong.
fn explain(text: &str, error: &serde_json::Error) -> Problem {
    if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
        return Problem::field("message", "must be one JSON object");
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let located = serde_path_to_error::deserialize::<_, Fields<'_>>(&mut deserializer);
    match located.err().map(|located| (located.path().to_string(), located.into_inner())) {
        Some((path, error)) if path != "." => Problem::field(path, sentence(&error)),
        _ => Problem::field("message", sentence(error)),
    }
}

impl<'a> Fields<'a> {
    fn required<T>(field: Option<T>, name: &'static str) -> Result<T, Problem> {
        field.ok_or_else(|| Problem::field(name, "is missing"))
    }

    fn parsed<T: std::str::FromStr<Err = super::ids::InvalidId>>(
        field: Option<&Cow<'a, str>>,
        name: &'static str,
    ) -> Result<T, Problem> {
        let text = Self::required(field, name)?;
        text.parse().map_err(|invalid: super::ids::InvalidId| {
            Problem::field(name, format!("must be {}", invalid.rule))
        })
    }

    /// A text of at most `most` bytes.
    fn text(
        field: Option<&Cow<'a, str>>,
        name: &'static str,
        most: usize,
    ) -> Result<Box<str>, Problem> {
        let text = Self::required(field, name)?;
        if text.len() > most {
            return Err(Problem::field(name, format!("must have at most {most} bytes")));
        }
        Ok(text.as_ref().into())
    }

    fn ids(
        field: Option<&Vec<Cow<'a, str>>>,
        name: &'static str,
    ) -> Result<Vec<super::ids::SignalId>, Problem> {
        let texts = field.map(Vec::as_slice).unwrap_or_default();
        if texts.len() > MAX_IDS {
            return Err(Problem::field(name, format!("must have at most {MAX_IDS} ids")));
        }
        texts.iter().map(|text| Self::parsed(Some(text), name)).collect()
    }

    fn unknown(&self) -> Problem {
        Problem::field("type", "is not a message that this socket takes")
    }
}

/// The answer to a request that was not carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename = "error", tag = "type")]
pub struct ErrorAnswer {
    /// The request's number, if it had one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub request: Option<u64>,
    /// What went wrong, in the word that programs compare.
    pub code: super::error::ErrorCode,
    /// Which field broke a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// A sentence for people.
    pub msg: String,
    /// When trying again makes sense, in milliseconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_ms: Option<u64>,
    /// Whether it was refused because the server that the nodes share is away.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub degraded: bool,
}

impl ErrorAnswer {
    /// The answer that tells `problem`.
    #[must_use]
    pub fn new(request: Option<u64>, problem: Problem) -> Self {
        let Problem { code, field, message, retry_ms, degraded } = problem;
        Self { request, code, field, msg: message, retry_ms, degraded }
    }
}

/// The server is about to close the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename = "goaway", tag = "type")]
pub struct GoAway {
    /// When this client should come back, in milliseconds.
    pub retry_ms: u64,
}
