//! What agents are sent, besides events.

use std::sync::Arc;

use super::{
    Example, example,
    values::{
        CHAT, EPOCH, NOW, SESSION, SIGNAL, chat, chat_row, published, row, said, subscribed,
        topic_message, view,
    },
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::SessionOffer,
        ids::InvalidId,
        protocol::{
            agent::{
                AgentOk, InvokeError, InvokeErrorParams, ListChange, ListRow, SignalOutcome,
                ToAgent,
            },
            chats::ChatsChange,
        },
        signal::{InvokeFailure, Outcome},
    },
};

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
                chat: chat()?.into(),
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
        (None, ToAgent::Degraded { degraded: true }),
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
