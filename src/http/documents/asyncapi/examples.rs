//! What the server sends, from real values.

use std::sync::Arc;

use serde::{Deserialize as _, Serialize};
use serde_json::value::RawValue;

use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatAgent, ChatMessage, ChatNews, ChatRow, ChatStatus, ChatView, Person, Speaker},
        cobrowse::{
            ConsentState, ConsentTo, Entered, MemberView, PageView, Permissions, Role,
            SessionEventKind, SessionOffer, SessionTold, UserId, ViewState,
        },
        error::{ErrorCode, Problem},
        event::{Event, EventKind, SessionEndReason, TermsStatus, Visibility, VisitorError},
        help::{HelpNews, HelpStatus, HelpTold},
        ids::{ChatId, HelpId, InvalidId, SessionId, SignalId},
        json::Json,
        list::Row,
        presence::{PresenceData, PresenceUpdate},
        protocol::{
            ErrorAnswer, GoAway,
            agent::{
                AgentOk, InvokeError, InvokeErrorParams, ListChange, ListRow, SignalOutcome,
                ToAgent,
            },
            chats::ChatsChange,
            stream::{Mark, MarkOf, Seat, StreamWelcome, ToStream},
            visitor::ToVisitor,
        },
        signal::{InvokeFailure, Outcome},
        topic::{Epoch, Position, TopicAnswer, TopicMessage},
        view::{TabView, VisitorView},
    },
};

const EPOCH: u64 = 1_700_000_000_000;
const NOW: Timestamp = Timestamp(EPOCH + 2_345);
const SESSION: SessionId = SessionId::from_u128(0x0190_163d_8694_739b_8a8c_1e7e_e7a2_b3c5);
const HELP: HelpId = HelpId::from_u128(0x0190_163d_8694_739b_8a8c_1e7e_e7a2_b3c6);
const CHAT: ChatId = ChatId::from_u128(0x0190_163d_8694_739b_8a8c_1e7e_e7a2_b3c7);
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
    let visitorid = "ada".parse()?;
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
                help: None,
                session: None,
                chat: None,
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
        (None, ToVisitor::Help(comes())),
        (None, ToVisitor::Button { button: "sales".parse()?, enabled: true }),
        (None, ToVisitor::Chat { chat: Some(chat()?) }),
        (None, ToVisitor::ChatMessage { chat: CHAT, message: said() }),
        (None, ToVisitor::Typing { name: Some("Ann".into()) }),
        (None, ToVisitor::Session { session: Some(SESSION) }),
        (
            Some("on"),
            ToVisitor::Record {
                epoch: 3,
                on: true,
                ticket: Some("eyJ0aWNrZXQiOnt9fQ.c2VhbA".into()),
            },
        ),
        (Some("off"), ToVisitor::Record { epoch: 3, on: false, ticket: None }),
        (None, ToVisitor::Ask { to: ConsentTo::View, agent: None }),
        (None, ToVisitor::SessionEvent(Box::new(told()))),
        (Some("a plain request"), ToVisitor::ok(2)),
        (
            Some("unique"),
            ToVisitor::answer(11, |ok| {
                (ok.uniqueid, ok.seconds) = (Some("123456".to_owned()), Some(300));
            }),
        ),
        (
            Some("askhelp"),
            ToVisitor::answer(20, |ok| {
                ok.help = Some(HelpTold { status: HelpStatus::Pending, agent: None, ..comes() });
            }),
        ),
        (
            Some("watchbuttons"),
            ToVisitor::answer(22, |ok| ok.enabled = "sales".parse().ok().map(|sales| vec![sales])),
        ),
        (Some("openchat"), ToVisitor::answer(23, |ok| ok.chat = chat().ok())),
        (Some("say"), ToVisitor::answer(24, |ok| (ok.n, ok.at) = (Some(1), Some(NOW)))),
        (Some("startsession"), ToVisitor::answer(14, |ok| ok.session = Some(SESSION))),
        (
            Some("enter"),
            ToVisitor::answer(15, |ok| {
                let (user, members, settings) = (UserId(1), vec![agent()], Arc::default());
                ok.epoch = Some(3);
                let (code, reference) = ("204816".parse().ok(), None);
                let (view, grace_ms) = (ViewState::Off, 60_000);
                ok.entered =
                    Some(Entered { user, view, members, code, reference, grace_ms, settings });
            }),
        ),
        (
            Some("identify"),
            ToVisitor::answer(13, |ok| (ok.visitorid, ok.epoch) = (Some(visitorid), Some(EPOCH))),
        ),
        (Some("publish"), ToVisitor::answer(40, |ok| ok.topics = Some(published()))),
        (Some("subscribe"), ToVisitor::answer(41, |ok| ok.topics = Some(subscribed()))),
        (None, ToVisitor::TopicMessage(topic_message()?)),
        (None, ToVisitor::Missed { subscription: 1 }),
    ];
    Ok(messages.iter().filter_map(|(name, message)| example(*name, message)).collect())
}

fn agent() -> MemberView {
    let (user, role, permissions) = (UserId(2), Role::Agent, Some(Permissions::ALL));
    MemberView { user, role, name: "Ann".into(), connected: true, permissions }
}

fn told() -> SessionTold {
    let event = SessionEventKind::Joined { member: agent() };
    SessionTold { session: SESSION, sequence: 7, time: NOW, event }
}

/// To the two ends of a stream.
pub fn to_stream() -> Vec<Example> {
    to_stream_checked().unwrap_or_default()
}

fn to_stream_checked() -> Result<Vec<Example>, InvalidId> {
    let (x, y) = (Some(120.5), Some(300.0));
    let mark = |mark| MarkOf { user: UserId(2), name: "Ann".into(), mark };
    let page = PageView {
        epoch: 3,
        tab: "t8Xq2".parse()?,
        url: "https://shop.example.com/cart".into(),
        title: "Basket".into(),
        shown: true,
    };
    let seat = Seat {
        user: UserId(2),
        visitorid: "ada".parse()?,
        view: ViewState::Off,
        consent: ConsentState::Asked,
        pages: vec![page],
        members: vec![agent()],
        permissions: Permissions::ALL,
        ticket: "eyJ0aWNrZXQiOnt9fQ.c2VhbA".to_owned(),
        assets: "8c6976e5b5410415bde908bd4dee15df".to_owned(),
    };
    let welcome = |role, epoch, max_message_bytes, seat| {
        let welcome = StreamWelcome { role, session: SESSION, epoch, max_message_bytes, seat };
        ToStream::Welcome(Box::new(welcome))
    };
    let sha256 = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae".to_owned();
    let own = [
        (Some("to a page"), welcome(Role::Customer, Some(3), Some(4_194_304), None)),
        (Some("to a viewer"), welcome(Role::Agent, None, None, Some(seat))),
        (None, ToStream::KeyFrame),
        (None, ToStream::Want { sha256 }),
        (None, ToStream::Gap { epoch: 3 }),
        (None, ToStream::Ok { request: 11 }),
    ];
    let (stroke, colour, done) = (1, "#e4572e".into(), false);
    let points = vec![[10.0, 20.0], [12.5, 24.0]];
    let marks = [
        mark(Mark::Cursor { x, y }),
        mark(Mark::Spotlight { x, y }),
        mark(Mark::Stroke { stroke, colour, points, done }),
    ];
    let own = own.iter().filter_map(|(name, message)| example(*name, message));
    let marks = marks.iter().filter_map(|mark| example(None, mark));
    Ok(own.chain(marks).chain(example(None, &ToVisitor::SessionEvent(Box::new(told())))).collect())
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
            Some("claimchat"),
            ok(AgentOk {
                request: 14,
                visitorid: Some("ada".parse()?),
                chat: Some(chat()?),
                ..AgentOk::default()
            }),
        ),
        (
            Some("all chats"),
            ToAgent::Chats(ChatsChange { reset: true, put: vec![chat_row()?], remove: Vec::new() }),
        ),
        (Some("one is another agent's"), ToAgent::Chats(ChatsChange::remove(vec![CHAT]))),
        (None, ToAgent::ChatMessage { chat: CHAT, visitorid: "ada".parse()?, message: said() }),
        (None, ToAgent::Typing { chat: CHAT, visitorid: "ada".parse()? }),
        (None, ToAgent::Available { buttons: ["sales".parse()?].into() }),
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
        (
            None,
            ToAgent::SessionOffer {
                visitorid: "ada".parse()?,
                data: SessionOffer {
                    session: SESSION,
                    from: "Ann".into(),
                    until: Timestamp(EPOCH + 600_000),
                },
            },
        ),
        (
            Some("publish"),
            ok(AgentOk { request: 40, topics: Some(published()), ..AgentOk::default() }),
        ),
        (
            Some("subscribe"),
            ok(AgentOk { request: 41, topics: Some(subscribed()), ..AgentOk::default() }),
        ),
        (None, ToAgent::TopicMessage(topic_message()?)),
        (None, ToAgent::Missed { subscription: 1 }),
        (None, ToAgent::Unsubscribed { subscription: 1 }),
    ];
    Ok(messages.iter().filter_map(|(name, message)| example(*name, message)).collect())
}

const PLACE: Position = Position { epoch: Epoch(0x0019_aa3f_0c2d), offset: 1_042 };

fn published() -> TopicAnswer {
    TopicAnswer { position: Some(PLACE), ..TopicAnswer::default() }
}

fn subscribed() -> TopicAnswer {
    TopicAnswer { subscription: Some(1), position: Some(PLACE), missed: false }
}

fn topic_message() -> Result<TopicMessage, InvalidId> {
    Ok(TopicMessage {
        subscription: 1,
        topic: "truck/0001/temperature".parse()?,
        data: json(r#"{"celsius":4.5}"#),
        at: NOW,
        epoch: Some(PLACE.epoch),
        offset: Some(PLACE.offset + 1),
        retained: false,
    })
}

fn comes() -> HelpTold {
    HelpTold { help: HELP, status: HelpStatus::Accepted, agent: Some("Ann".into()) }
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
        help: None,
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
        address: None,
        uniqueid: None,
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
        (
            None,
            false,
            EventKind::HelpRequest(HelpNews {
                help: HELP,
                status: HelpStatus::Pending,
                agent: None,
                text: Some("Which size fits a narrow hall?".into()),
            }),
        ),
        (
            None,
            false,
            EventKind::ChatStatus(ChatNews {
                chat: CHAT,
                status: ChatStatus::Open,
                button: Some("sales".parse()?),
                agent: Some("Ann".into()),
                reason: None,
            }),
        ),
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

fn said() -> Arc<ChatMessage> {
    let (from, text) = (Speaker::Visitor, "Does the stool come in oak?".into());
    Arc::new(ChatMessage { n: 1, at: NOW, from, name: None, text })
}

fn chat() -> Result<Arc<ChatView>, InvalidId> {
    Ok(Arc::new(ChatView {
        chat: CHAT,
        button: Some("sales".parse()?),
        status: ChatStatus::Open,
        agent: Some(ChatAgent { name: Some("Ann".into()) }),
        reason: None,
        messages: vec![said()],
    }))
}

fn chat_row() -> Result<ChatRow, InvalidId> {
    Ok(ChatRow {
        chat: CHAT,
        visitorid: "ada".parse()?,
        button: Some("sales".parse()?),
        status: ChatStatus::Open,
        began: NOW,
        since: NOW,
        agent: Some(Person { subject: "agent-7".into(), name: Some("Ann".into()) }),
        reason: None,
        messages: 1,
        last: Some("Does the stool come in oak?".into()),
    })
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
