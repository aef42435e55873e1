//! What several examples are made of.

use std::sync::Arc;

use serde::Deserialize as _;

use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatAgent, ChatMessage, ChatRow, ChatStatus, ChatView, Person, Speaker},
        cobrowse::{MemberView, Permissions, Role, SessionEventKind, SessionTold, UserId},
        event::{TermsStatus, Visibility},
        help::{HelpStatus, HelpTold},
        ids::{ChatId, HelpId, InvalidId, SessionId, SignalId},
        json::Json,
        list::Row,
        presence::{PresenceData, PresenceUpdate},
        topic::{Epoch, Position, TopicAnswer, TopicMessage},
        view::{TabView, VisitorView},
    },
};

pub(super) const EPOCH: u64 = 1_700_000_000_000;
pub(super) const NOW: Timestamp = Timestamp(EPOCH + 2_345);
pub(super) const SESSION: SessionId =
    SessionId::from_u128(0x0190_163d_8694_739b_8a8c_1e7e_e7a2_b3c5);
pub(super) const HELP: HelpId = HelpId::from_u128(0x0190_163d_8694_739b_8a8c_1e7e_e7a2_b3c6);
pub(super) const CHAT: ChatId = ChatId::from_u128(0x0190_163d_8694_739b_8a8c_1e7e_e7a2_b3c7);
pub(super) const SIGNAL: SignalId = SignalId::from_u128(0x0190_163d_8694_739b_8a8c_1e7e_e7a2_b3c4);

pub(super) fn json(text: &str) -> Json {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Json::deserialize(&mut deserializer).unwrap_or_else(|_| Json::null())
}

pub(super) fn agent() -> MemberView {
    let (user, role, permissions) = (UserId(2), Role::Agent, Some(Permissions::ALL));
    MemberView { user, role, name: "Ann".into(), connected: true, permissions }
}

pub(super) fn told() -> SessionTold {
    let event = SessionEventKind::Joined { member: agent() };
    SessionTold { session: SESSION, sequence: 7, time: NOW, event }
}

pub(super) const PLACE: Position = Position { epoch: Epoch(0x0019_aa3f_0c2d), offset: 1_042 };

pub(super) fn published() -> TopicAnswer {
    TopicAnswer { position: Some(PLACE), ..TopicAnswer::default() }
}

pub(super) fn subscribed() -> TopicAnswer {
    TopicAnswer { subscription: Some(1), position: Some(PLACE), missed: false }
}

pub(super) fn topic_message() -> Result<TopicMessage, InvalidId> {
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

pub(super) fn comes() -> HelpTold {
    HelpTold { help: HELP, status: HelpStatus::Accepted, agent: Some("Ann".into()) }
}

pub(super) fn data() -> PresenceData {
    let mut data = PresenceData::EMPTY;
    // Two short texts are within every limit.
    let _ = data.merge(&update());
    data
}

pub(super) fn row() -> Result<Row, InvalidId> {
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

pub(super) fn view() -> Result<VisitorView, InvalidId> {
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

pub(super) fn update() -> PresenceUpdate {
    [("url", "https://shop.example.com/cart"), ("title", "Basket")].into_iter().collect()
}

pub(super) fn said() -> Arc<ChatMessage> {
    let (from, text) = (Speaker::Visitor, "Does the stool come in oak?".into());
    Arc::new(ChatMessage { n: 1, at: NOW, from, name: None, text })
}

pub(super) fn chat() -> Result<Arc<ChatView>, InvalidId> {
    Ok(Arc::new(ChatView {
        chat: CHAT,
        button: Some("sales".parse()?),
        status: ChatStatus::Open,
        agent: Some(ChatAgent { name: Some("Ann".into()) }),
        reason: None,
        messages: vec![said()],
    }))
}

pub(super) fn chat_row() -> Result<ChatRow, InvalidId> {
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
