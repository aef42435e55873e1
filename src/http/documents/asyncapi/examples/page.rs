//! What pages are sent.

use std::sync::Arc;

use super::{
    Example, example,
    values::{
        CHAT, EPOCH, NOW, SESSION, SIGNAL, agent, chat, comes, json, published, said, subscribed,
        told, topic_message,
    },
};
use crate::model::{
    cobrowse::{ConsentTo, Entered, UserId, ViewState},
    help::{HelpStatus, HelpTold},
    ids::InvalidId,
    protocol::{chats::ChatAnswer, visitor::ToVisitor},
};

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
        (Some("openchat"), ToVisitor::answer(23, |ok| ok.chat.chat = chat().ok())),
        (Some("say"), ToVisitor::answer(24, |ok| ok.chat = ChatAnswer::said(1, NOW))),
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
