//! What the server sends, from real values.

use std::sync::Arc;

use serde::{Deserialize as _, Serialize};
use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        event::{Event, EventKind, SessionEndReason, TermsStatus, Visibility, VisitorError},
        ids::{InvalidId, SignalId},
        json::Json,
        list::Row,
        presence::{PresenceData, PresenceUpdate},
        protocol::{
            ErrorAnswer, GoAway,
            agent::{
                AgentOk, InvokeError, InvokeErrorParams, ListChange, ListRow, SignalOutcome,
                ToAgent,
            },
            visitor::ToVisitor,
        },
        signal::{InvokeFailure, Outcome},
        view::{TabView, VisitorView},
    },
};

const EPOCH: u64 = 1_700_000_000_000;
const NOW: Timestamp = Timestamp(EPOCH + 2_345);
const SIGNAL: SignalId = SignalId::from_u128(0x0190_163d_8694_739b_8a8c_1e7e_e7a2_b3c4);

/// A message as it is sent.
pub struct Example {
    /// The word in `type`.
    pub kind: String,
    /// What sets it apart, where a message has several examples.
    pub name: Option<&'static str>,
    /// The JSON text.
    pub payload: Box<RawValue>,
}

fn example(name: Option<&'static str>, message: &impl Serialize) -> Option<Example> {
    #[derive(serde::Deserialize)]
    struct Kind {
        r#type: String,
    }
    let payload = serde_json::value::to_raw_value(message).ok()?;
    let Kind { r#type } = serde_json::from_str(payload.get()).ok()?;
    Some(Example { kind: r#type, name, payload })
}

fn json(text: &str) -> Json {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Json::deserialize(&mut deserializer).unwrap_or_else(|_| Json::null())
}

/// To pages.
pub fn to_page() -> Vec<Example> {
    to_page_checked().unwrap_or_default()
}

fn to_page_checked() -> Result<Vec<Example>, InvalidId> {
    let messages = [
        (
            None,
            ToVisitor::Welcome {
                socket: "0-1-2a".to_owned(),
                visitorid: "ada".parse()?,
                epoch: EPOCH,
                now: NOW,
                focus: true,
                terms: None,
            },
        ),
        (
            None,
            ToVisitor::Signal {
                id: SIGNAL,
                deadline: NOW + 4_500,
                data: json(r#"{"text":"May I help?"}"#),
            },
        ),
        (
            None,
            ToVisitor::Invoke {
                id: SIGNAL,
                deadline: NOW + 4_500,
                func: "GLANCE.Cobrowse.Visitor.showTerms".into(),
                args: Some(json(r#"{"sessionKey":"ada"}"#)),
            },
        ),
        (None, ToVisitor::Focus),
        (None, ToVisitor::Blur),
        (Some("a plain request"), ToVisitor::ok(2)),
        (
            Some("unique"),
            ToVisitor::Ok {
                request: 11,
                uniqueid: Some("123456".to_owned()),
                seconds: Some(300),
                visitorid: None,
                epoch: None,
            },
        ),
        (
            Some("identify"),
            ToVisitor::Ok {
                request: 13,
                uniqueid: None,
                seconds: None,
                visitorid: Some("ada".parse()?),
                epoch: Some(EPOCH),
            },
        ),
    ];
    Ok(messages.iter().filter_map(|(name, message)| example(*name, message)).collect())
}

/// To agents, besides events.
pub fn to_agent() -> Vec<Example> {
    to_agent_checked().unwrap_or_default()
}

fn to_agent_checked() -> Result<Vec<Example>, InvalidId> {
    let ok = |ok: AgentOk| ToAgent::Ok(ok);
    let params = InvokeErrorParams { id: SIGNAL, func: "GLANCE.Cobrowse.Visitor.showTerms".into() };
    let failure = InvokeFailure { code: "unknownfunction".into(), msg: "".into() };
    let messages = [
        (
            None,
            ToAgent::Welcome {
                socket: "0-1-2b".to_owned(),
                group: "12345".to_owned(),
                subject: "agent-7".to_owned(),
                name: Some("Grace".to_owned()),
                scope: "read signal invoke".to_owned(),
                expires: NOW + 3_600_000,
                now: NOW,
            },
        ),
        (
            Some("watch"),
            ok(AgentOk { request: 2, visitorid: Some("ada".parse()?), ..AgentOk::default() }),
        ),
        (
            Some("lookup"),
            ok(AgentOk {
                request: 4,
                visitorid: Some("ada".parse()?),
                visitor: Some(Some(view()?)),
                ..AgentOk::default()
            }),
        ),
        (
            Some("lookup of nobody"),
            ok(AgentOk { request: 4, visitor: Some(None), ..AgentOk::default() }),
        ),
        (
            Some("signal"),
            ok(AgentOk {
                request: 5,
                visitorid: Some("ada".parse()?),
                id: Some(SIGNAL),
                outcome: Some(Outcome::Held),
                ..AgentOk::default()
            }),
        ),
        (
            Some("renew"),
            ok(AgentOk { request: 1, expires: Some(NOW + 3_600_000), ..AgentOk::default() }),
        ),
        (
            Some("a list begins"),
            ToAgent::Rows(ListChange {
                list: 1,
                reset: true,
                count: 1,
                total: 12,
                remove: Vec::new(),
                put: vec![ListRow { at: 0, row: Arc::new(row()?) }],
                more: false,
            }),
        ),
        (
            Some("a list changes"),
            ToAgent::Rows(ListChange {
                list: 1,
                reset: false,
                count: 0,
                total: 11,
                remove: vec!["ada".parse()?],
                put: Vec::new(),
                more: false,
            }),
        ),
        (
            None,
            ToAgent::SignalOutcome {
                visitorid: "ada".parse()?,
                data: SignalOutcome { id: SIGNAL, outcome: Outcome::Delivered },
            },
        ),
        (
            None,
            ToAgent::VisitorError {
                visitorid: "ada".parse()?,
                data: InvokeError { failure, params },
            },
        ),
    ];
    Ok(messages.iter().filter_map(|(name, message)| example(*name, message)).collect())
}

fn data() -> PresenceData {
    let mut data = PresenceData::EMPTY;
    // Two short texts are within every limit.
    let _ = data.merge(&update());
    data
}

fn row() -> Result<Row, InvalidId> {
    Ok(Row {
        visitorid: "ada".parse()?,
        anonymous: false,
        epoch: EPOCH,
        sequence: 7,
        since: Timestamp(EPOCH),
        updated: NOW,
        sockets: 1,
        visibility: Some(Visibility::Visible),
        terms: None,
        data: data(),
    })
}

fn view() -> Result<VisitorView, InvalidId> {
    Ok(VisitorView {
        row: Row { terms: Some(TermsStatus::Accepted), ..row()? },
        group: "12345".parse()?,
        connected: true,
        tabs: vec![TabView {
            tab: "t8Xq2".parse()?,
            page: "p41Lz".parse()?,
            visible: true,
            focus: true,
            listening: true,
        }],
        held: 0,
    })
}

fn update() -> PresenceUpdate {
    [("url", "https://shop.example.com/cart"), ("title", "Basket")].into_iter().collect()
}

/// Events.
pub fn events() -> Vec<Example> {
    events_checked().unwrap_or_default()
}

fn events_checked() -> Result<Vec<Example>, InvalidId> {
    let kinds = [
        (None, false, EventKind::VisitorConn { connected: true }),
        (Some("the present state"), true, EventKind::VisitorConn { connected: true }),
        (None, false, EventKind::VisitorSock { connected: true, sockets: 1 }),
        (Some("the present state"), true, EventKind::VisitorSock { connected: true, sockets: 1 }),
        (None, false, EventKind::Presence(update())),
        (None, false, EventKind::Terms { status: TermsStatus::Accepted }),
        (None, false, EventKind::Visibility { visibility: Visibility::Hidden }),
        (None, false, EventKind::VisitorSessionStart(PresenceUpdate::default())),
        (None, false, EventKind::VisitorSessionEnd { reason: SessionEndReason::Visitor }),
        (
            None,
            false,
            EventKind::VisitorError(VisitorError {
                code: "conndrop".into(),
                msg: "Connection lost".into(),
                params: None,
            }),
        ),
        (None, false, EventKind::VisitorJoined { visitorid: "ada".parse()? }),
    ];
    let mut examples = Vec::new();
    for (sequence, (name, present, kind)) in (1..).zip(kinds) {
        let joined = matches!(kind, EventKind::VisitorJoined { .. });
        let visitorid = if joined { "~0123456789abcdef0123456789abcdef" } else { "ada" }.parse()?;
        let event = Event { visitorid, epoch: EPOCH, sequence, time: NOW, present, kind };
        examples.extend(example(name, &event));
    }
    Ok(examples)
}

/// To both.
pub fn to_all() -> Vec<Example> {
    let refused = Problem::field("data.cart", "must be a string or a number");
    let late = Problem::new(ErrorCode::RateLimited, "too many codes were tried; wait a moment");
    let errors = [
        (Some("an answer"), ErrorAnswer::new(Some(4), refused.clone())),
        (Some("without a number"), ErrorAnswer::new(None, refused)),
        (Some("worth another try"), ErrorAnswer::new(Some(6), late.retry_in(3_000))),
    ];
    let errors = errors.iter().filter_map(|(name, error)| example(*name, error));
    errors.chain(example(None, &GoAway { retry_ms: 250 })).collect()
}
