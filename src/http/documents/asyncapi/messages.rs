//! The messages of both sockets, in both directions.

use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Object, RefOr, Schema},
};

use super::{
    examples::{self, Example},
    schema::{Request, alternatives, payload},
};
use crate::model::{
    cobrowse::SessionTold,
    event::{Event, EventKind},
    protocol::{
        ErrorAnswer, GoAway,
        agent::{AgentKind, ToAgent},
        shapes::{Named, Shape},
        stream::{Mark, MarkOf, StreamKind, ToStream},
        visitor::{ToVisitor, VisitorKind},
    },
};

/// A message of the document.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// What the channel calls it; the name, unless two messages share that.
    #[serde(skip)]
    pub key: String,
    /// The word in `type`.
    pub name: String,
    summary: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<Value>,
    /// How it looks.
    pub payload: Object,
    /// Messages as they are sent.
    pub examples: Vec<Shown>,
    /// Schemas that the payload may refer to.
    #[serde(skip)]
    pub named: Named,
}

/// An example in the document.
#[derive(Serialize)]
pub struct Shown {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'static str>,
    /// The message.
    pub payload: Box<RawValue>,
}

impl Message {
    fn new(kind: &str, summary: &str, payload: Object, examples: Vec<Shown>, named: Named) -> Self {
        let correlated = payload.properties.contains_key("request");
        Self {
            key: kind.to_owned(),
            name: kind.to_owned(),
            summary: summary.to_owned(),
            correlation_id: correlated.then(|| json!({"location": "$message.payload#/request"})),
            payload,
            examples,
            named,
        }
    }
}

/// What pages send.
pub fn from_page() -> Vec<Message> {
    let read = |kind: &VisitorKind| from_client(kind.as_str(), kind.meaning(), kind.shape());
    VisitorKind::ALL.iter().map(read).collect()
}

/// What agents send.
pub fn from_agent() -> Vec<Message> {
    let read = |kind: &AgentKind| from_client(kind.as_str(), kind.meaning(), kind.shape());
    AgentKind::ALL.iter().map(read).collect()
}

/// What pages that show, and agents who view, send.
pub fn from_stream() -> Vec<Message> {
    let read = |kind: &StreamKind| from_client(kind.as_str(), kind.meaning(), kind.shape());
    StreamKind::ALL.iter().map(read).collect()
}

/// What the server sends on a stream. What an agent shows comes to the page as he sent it, with who he is.
pub fn to_stream() -> Vec<Message> {
    let mut examples = examples::to_stream();
    let mut messages = of_enum::<ToStream>(&mut examples, |own| own);
    let RefOr::T(Schema::Object(told)) = SessionTold::schema() else { return messages };
    let mut named = Named::new();
    SessionTold::schemas(&mut named);
    let (kind, told) = ("sessionevent", payload("sessionevent", Request::AsTyped, told));
    let meaning = "Something happened in the session.";
    messages.push(Message::new(kind, meaning, told, take(&mut examples, kind), named));
    let of_agent = match MarkOf::schema() {
        RefOr::T(Schema::AllOf(all)) => all.items.into_iter().find_map(|item| match item {
            RefOr::T(Schema::Object(object)) => Some(object),
            _ => None,
        }),
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    };
    let of_agent = of_agent.unwrap_or_default();
    let mut marks = of_enum::<Mark>(&mut examples, |own| {
        let mut joined = of_agent.clone();
        joined.required.extend(own.required);
        joined.properties.extend(own.properties);
        joined
    });
    for mark in &mut marks {
        // An agent sends messages of the same `type`.
        mark.key = format!("{}.shown", mark.name);
    }
    for message in messages.iter_mut().filter(|message| message.name == "keyframe") {
        message.key = "keyframe.wanted".to_owned();
    }
    messages.extend(to_all());
    messages.extend(marks);
    messages
}

fn from_client(kind: &str, meaning: &str, shape: Shape) -> Message {
    let request = if kind == "hello" { Request::AsTyped } else { Request::Offered };
    let mut named = Named::new();
    shape.named(&mut named);
    let example = RawValue::from_string(shape.example.to_owned());
    let examples = example.into_iter().map(|payload| Shown { name: None, payload }).collect();
    Message::new(kind, meaning, payload(kind, request, shape.fields()), examples, named)
}

/// What the server sends to pages.
pub fn to_page() -> Vec<Message> {
    let mut messages = of_enum::<ToVisitor>(&mut examples::to_page(), |own| own);
    for message in messages.iter_mut().filter(|message| message.name == "typing") {
        // The page sends one of the same `type`.
        message.key = "typing.told".to_owned();
    }
    messages.extend(to_all());
    messages
}

/// What the server sends to agents.
pub fn to_agent() -> Vec<Message> {
    let mut messages = of_enum::<ToAgent>(&mut examples::to_agent(), |own| own);
    for message in messages.iter_mut().filter(|message| message.name == "visitorerror") {
        // An event has the same `type`.
        message.key = "visitorerror.invocation".to_owned();
    }
    for message in &mut messages {
        // The agent sends ones of the same `type`.
        if matches!(message.name.as_str(), "typing" | "available") {
            message.key = format!("{}.told", message.name);
        }
    }
    // Answers first, then what comes unasked.
    let unasked = messages.split_off(messages.len().min(2));
    messages.extend(to_all());
    messages.extend(events());
    messages.extend(unasked);
    messages
}

/// What both hear of.
fn to_all() -> [Message; 2] {
    let mut examples = examples::to_all();
    [
        of_struct::<ErrorAnswer>(
            "error",
            "A request was not carried out. Without `request`: something that came without a number, or that came along with \
             another message, was refused.",
            &mut examples,
        ),
        of_struct::<GoAway>(
            "goaway",
            "The server is about to close with 4000; come back after `retry_ms`.",
            &mut examples,
        ),
    ]
}

fn events() -> Vec<Message> {
    let RefOr::T(Schema::AllOf(all)) = Event::schema() else { return Vec::new() };
    let of_event = all.items.into_iter().find_map(|item| match item {
        RefOr::T(Schema::Object(object)) => Some(object),
        _ => None,
    });
    let of_event = of_event.unwrap_or_default();
    of_enum::<EventKind>(&mut examples::events(), |own| {
        let mut joined = of_event.clone();
        joined.required.extend(own.required);
        joined.properties.extend(own.properties);
        joined
    })
}

fn of_enum<T: ToSchema>(
    examples: &mut Vec<Example>,
    around: impl Fn(Object) -> Object,
) -> Vec<Message> {
    let mut named = Named::new();
    T::schemas(&mut named);
    let each = |(kind, meaning, own): (String, String, Object)| {
        let payload = payload(&kind, Request::AsTyped, around(own));
        Message::new(&kind, &meaning, payload, take(examples, &kind), named.clone())
    };
    alternatives(T::schema(), &named).into_iter().map(each).collect()
}

fn of_struct<T: ToSchema>(kind: &str, summary: &str, examples: &mut Vec<Example>) -> Message {
    let mut named = Named::new();
    T::schemas(&mut named);
    let own = match T::schema() {
        RefOr::T(Schema::Object(object)) => object,
        _ => Object::new(),
    };
    let payload = payload(kind, Request::AsTyped, own);
    Message::new(kind, summary, payload, take(examples, kind), named)
}

fn take(examples: &mut Vec<Example>, kind: &str) -> Vec<Shown> {
    let of_kind = examples.extract_if(.., |example| example.kind == kind);
    of_kind.map(|Example { name, payload, .. }| Shown { name, payload }).collect()
}
