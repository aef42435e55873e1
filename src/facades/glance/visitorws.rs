//! `/visitorws`: the socket that apps open (`glance.md` 7.3), in its words. Known from one public sample only.
//!
//! Each message of a client is an envelope: `{groupid, type, version, visitorid, data?}`, the first one of the type
//! `connect`. The server sends `{type, data}`.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::{Value, json};

use super::translate::{failure, id_text};
use crate::{
    model::{
        error::Problem,
        event::{EventKind, Visibility, VisitorError},
        json::{Json, check_depth, sentence},
        presence::PresenceUpdate,
        protocol::{
            Numbered, Unreadable,
            visitor::{Hello, SessionEnd, Signature, Terms, ToVisitor, VisitorMessage},
        },
    },
    sockets::{
        dialect::{Dialect, Said},
        framing::Frame,
        table::text,
    },
};

/// The dialect. These clients know no acknowledgements, so a signal counts as delivered once it is written.
pub static VISITORWS: Dialect = Dialect {
    path: "/visitorws",
    group_in_query: false,
    acknowledges: false,
    read,
    write,
    refusal: |_, problem| {
        let (_, body) = failure(problem);
        text(&json!({"type": "error", "data": body}))
    },
};

#[derive(Deserialize)]
struct Envelope<'a> {
    /// Also as REST spells it.
    #[serde(rename = "type", alias = "mtype", borrow)]
    kind: Cow<'a, str>,
    groupid: Option<Value>,
    visitorid: Option<Value>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "Json::present")]
    data: Option<Json>,
}

fn read(text: &str) -> Result<Said, Unreadable> {
    let unreadable = |problem| Unreadable { request: None, problem };
    check_depth(text.as_bytes(), "message").map_err(unreadable)?;
    convert(&envelope(text).map_err(unreadable)?).map_err(unreadable)
}

fn envelope(text: &str) -> Result<Envelope<'_>, Problem> {
    let whole = || Problem::field("message", "must be a JSON object with a type");
    // A list would be read as an object's fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err(whole());
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let envelope = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        if matches!(&*path, "." | "?") {
            whole()
        } else {
            Problem::field(path, sentence(error.inner()))
        }
    })?;
    deserializer.end().map_err(|_| whole())?;
    Ok(envelope)
}

fn convert(envelope: &Envelope<'_>) -> Result<Said, Problem> {
    let group = envelope.groupid.as_ref().map(|id| {
        let rule = || Problem::field("groupid", "must be a number");
        id_text(id).ok_or_else(rule)?.parse().map_err(|id| Problem::from(id).called("groupid"))
    });
    let message = match &*envelope.kind {
        "connect" => VisitorMessage::Hello(Box::new(hello(envelope)?)),
        "presence" => VisitorMessage::Presence(flat(envelope)?.unwrap_or_default()),
        "visibility" => {
            let Visible { visibility } = typed(envelope)?;
            VisitorMessage::Visibility(visibility)
        }
        "terms" => {
            let Terms { status } = typed(envelope)?;
            VisitorMessage::Report(EventKind::Terms { status })
        }
        "visitorsessionstart" => {
            let data = flat(envelope)?.unwrap_or_default();
            VisitorMessage::Report(EventKind::VisitorSessionStart(data))
        }
        "visitorsessionend" => {
            let SessionEnd { reason } = typed(envelope)?;
            VisitorMessage::Report(EventKind::VisitorSessionEnd { reason })
        }
        "visitorerror" => {
            let error: VisitorError = typed(envelope)?;
            error.check()?;
            VisitorMessage::Report(EventKind::VisitorError(error))
        }
        "disconnect" => VisitorMessage::Disconnect,
        _ => return Err(Problem::field("type", "is not a message that this socket takes")),
    };
    Ok(Said { group: group.transpose()?, message: Numbered { request: None, message } })
}

/// An app shows one page in one tab as long as it is connected.
fn hello(envelope: &Envelope<'_>) -> Result<Hello, Problem> {
    let visitorid = envelope.visitorid.as_ref();
    let visitorid = visitorid.ok_or_else(|| Problem::field("visitorid", "is missing"))?;
    // Of numbers beyond 64 bits digits are lost already: two visitors would be one.
    let visitorid = match visitorid {
        Value::String(text) => text.parse()?,
        Value::Number(number) if number.is_u64() || number.is_i64() => {
            number.to_string().parse()?
        }
        _ => return Err(Problem::field("visitorid", "must be text")),
    };
    let page = format!("app-{:016x}", rand::random::<u64>());
    Ok(Hello {
        ticket: None,
        visitorid,
        signature: envelope.signature.as_deref().map(Signature::from),
        from: None,
        tab: page.parse()?,
        page: page.parse()?,
        visible: true,
        listen: true,
        seen: Vec::new(),
        data: flat(envelope)?,
    })
}

#[derive(Deserialize)]
struct Visible {
    visibility: Visibility,
}

fn flat(envelope: &Envelope<'_>) -> Result<Option<PresenceUpdate>, Problem> {
    let Some(data) = &envelope.data else { return Ok(None) };
    let value = serde_json::from_str(data.text())
        .map_err(|_| Problem::field("data", "must be an object"))?;
    PresenceUpdate::from_json(value, "data").map(Some)
}

fn typed<T: serde::de::DeserializeOwned>(envelope: &Envelope<'_>) -> Result<T, Problem> {
    let data = envelope.data.as_ref().ok_or_else(|| Problem::field("data", "is missing"))?;
    serde_json::from_str(data.text()).map_err(|error| Problem::field("data", sentence(&error)))
}

/// These clients number nothing and wait for no answer but the first.
fn write(message: &ToVisitor) -> Option<Frame> {
    let frame = match message {
        ToVisitor::Welcome { visitorid, .. } => {
            json!({"type": "connected", "data": {"visitorid": visitorid}})
        }
        ToVisitor::Signal { data, .. } => json!({"type": "signal", "data": data}),
        ToVisitor::Invoke { func, args, .. } => {
            json!({"type": "invoke", "data": {"func": func, "args": args}})
        }
        ToVisitor::Blur => json!({"type": "blur"}),
        ToVisitor::Focus => json!({"type": "focus"}),
        // Their pages are not shown by us, do not chat, and subscribe to nothing.
        ToVisitor::Session { .. }
        | ToVisitor::Record { .. }
        | ToVisitor::Ask { .. }
        | ToVisitor::SessionEvent(_)
        | ToVisitor::Help(_)
        | ToVisitor::Button { .. }
        | ToVisitor::Chat { .. }
        | ToVisitor::ChatMessage { .. }
        | ToVisitor::Typing { .. }
        | ToVisitor::TopicMessage(_)
        | ToVisitor::Missed { .. }
        | ToVisitor::Ok(_) => return None,
    };
    Some(text(&frame))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(text: &str) -> String {
        read(text).unwrap_err().problem.field.unwrap()
    }

    #[test]
    fn the_sample_of_the_public_demo_is_read() {
        let connect = r#"{"groupid":21489,"type":"connect","version":"6.8.6.0","visitorid":"ada"}"#;
        let said = read(connect).unwrap();
        assert_eq!(said.group, Some("21489".parse().unwrap()));
        let VisitorMessage::Hello(hello) = said.message.message else { panic!("no hello") };
        assert_eq!(hello.visitorid.as_str(), "ada");
        let terms =
            r#"{"groupid":21489,"type":"terms","visitorid":"ada","data":{"status":"accepted"}}"#;
        assert!(matches!(
            read(terms).unwrap().message.message,
            VisitorMessage::Report(EventKind::Terms { .. })
        ));
        let start = r#"{"groupid":21489,"mtype":"visitorsessionstart","visitorid":"ada"}"#;
        assert!(read(start).is_ok());
    }

    #[test]
    fn a_visitor_id_that_is_a_number_is_taken_as_text() {
        let connect = r#"{"groupid":"21489","type":"connect","visitorid":7}"#;
        let VisitorMessage::Hello(hello) = read(connect).unwrap().message.message else {
            panic!("no hello")
        };
        assert_eq!(hello.visitorid.as_str(), "7");
        for lost in ["7.0", "100000000000000000001", "1e3"] {
            let connect = format!(r#"{{"groupid":1,"type":"connect","visitorid":{lost}}}"#);
            assert_eq!(field(&connect), "visitorid", "{lost}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(field("[]"), "message");
        assert_eq!(field(r#"{"type":"connect","groupid":1}"#), "visitorid");
        assert_eq!(field(r#"{"type":"connect","groupid":1,"visitorid":"a b"}"#), "visitorid");
        assert_eq!(field(r#"{"type":"connect","groupid":[],"visitorid":"a"}"#), "groupid");
        assert_eq!(field(r#"{"type":"terms","data":{"status":1}}"#), "data");
        assert_eq!(field(r#"{"type":"connect","groupid":1,"visitorid":["a"]}"#), "visitorid");
        assert_eq!(field(r#"{"type":"connect","groupid":"x","visitorid":"a"}"#), "groupid");
        let signed = r#"{"type":"connect","groupid":1,"visitorid":"a","signature":5}"#;
        assert_eq!(field(signed), "signature");
        assert_eq!(field(r#"{"type":5}"#), "type");
        assert_eq!(field(r#"["connect",1,"a"]"#), "message");
        assert_eq!(field(r#"{"type":"disconnect"} {}"#), "message");
        assert_eq!(field(r#"{"type":"other"}"#), "type");
        assert_eq!(field(&format!(r#"{{"type":"presence","data":{}"#, "[".repeat(99))), "message");
    }
}
