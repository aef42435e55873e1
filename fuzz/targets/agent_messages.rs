//! Messages of agents.

use serde_json::Value;
use vestibule::model::{
    chat::{MAX_BUTTONS, MAX_SAID_BYTES},
    ids::ChatId,
    protocol::{
        Numbered,
        agent::{Addressee, AgentKind, AgentMessage},
        chats::AgentChat,
    },
    signal::{FUNCTION_NAMESPACE, Message},
    topic::TopicCall,
};

use super::messages::{numbered, passed_on, refused, reread, topic_call, visitor};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Numbered { request, message } = match AgentMessage::read(text) {
        Ok(read) => read,
        Err(unreadable) => return refused(&unreadable),
    };
    numbered(request);
    let said = reread(text);
    let kind = match &message {
        AgentMessage::Hello { token } => token_of(token, AgentKind::Hello, said.as_ref()),
        AgentMessage::Renew { token } => token_of(token, AgentKind::Renew, said.as_ref()),
        AgentMessage::Watch { to, since } => {
            let place = said.as_ref().map(|said| &said["since"]);
            if let (Some(since), Some(place)) = (since, place) {
                assert_eq!(place["epoch"], since.epoch);
                assert_eq!(place["sequence"], since.sequence);
            }
            to_whom(to, AgentKind::Watch, said.as_ref())
        }
        AgentMessage::List { list, query } => {
            numbered(Some(*list));
            assert_eq!(query.window.checked(), Ok(query.window), "a window within its bounds");
            AgentKind::List
        }
        AgentMessage::Unlist(list) => {
            numbered(Some(*list));
            AgentKind::Unlist
        }
        AgentMessage::Lookup(to) => to_whom(to, AgentKind::Lookup, said.as_ref()),
        AgentMessage::Unwatch(whom) => {
            visitor(whom, said.as_ref());
            AgentKind::Unwatch
        }
        AgentMessage::Send { to, message, .. } => {
            assert!(message.len() <= text.len());
            let kind = match message {
                Message::Signal { data } => {
                    passed_on(data);
                    AgentKind::Signal
                }
                Message::Invoke { func, args } => {
                    callable(func);
                    args.iter().for_each(passed_on);
                    AgentKind::Invoke
                }
            };
            to_whom(to, kind, said.as_ref())
        }
        AgentMessage::Help { visitor: whom, help, comes } => {
            visitor(whom, said.as_ref());
            assert!(said.as_ref().is_none_or(|said| said["help"] == help.to_string()));
            if *comes { AgentKind::ClaimHelp } else { AgentKind::DeclineHelp }
        }
        AgentMessage::Chat(asked) => chat(asked, said.as_ref()),
        AgentMessage::Topics(call) => {
            topic_call(call, said.as_ref());
            match **call {
                TopicCall::Publish(_) => AgentKind::Publish,
                TopicCall::Subscribe(_) => AgentKind::Subscribe,
                TopicCall::Unsubscribe(_) => AgentKind::Unsubscribe,
            }
        }
        AgentMessage::Disconnect => AgentKind::Disconnect,
    };
    if let Some(said) = &said {
        assert_eq!(said["type"], kind.as_str());
        assert_eq!(said["request"].as_u64(), request);
    }
}

fn chat(asked: &AgentChat, said: Option<&Value>) -> AgentKind {
    let of = |id: &ChatId, kind| {
        let named = said.and_then(|said| said["chat"].as_str());
        assert!(named.is_none_or(|named| named.eq_ignore_ascii_case(&id.to_string())));
        kind
    };
    let words = |text: &str| assert!(!text.trim().is_empty() && text.len() <= MAX_SAID_BYTES);
    match asked {
        AgentChat::Available(buttons) => {
            assert!(buttons.len() <= MAX_BUTTONS);
            AgentKind::Available
        }
        AgentChat::Watch => AgentKind::WatchChats,
        AgentChat::Read(id) => of(id, AgentKind::ReadChat),
        AgentChat::Claim(id) => of(id, AgentKind::ClaimChat),
        AgentChat::Release(id) => of(id, AgentKind::ReleaseChat),
        AgentChat::Say { chat, text, .. } => {
            words(text);
            of(chat, AgentKind::Say)
        }
        AgentChat::End(id) => of(id, AgentKind::EndChat),
        AgentChat::Invite { visitor: whom, text, .. } => {
            visitor(whom, said);
            words(text);
            AgentKind::InviteChat
        }
        AgentChat::Typing(id) => of(id, AgentKind::Typing),
    }
}

fn token_of(token: &str, kind: AgentKind, said: Option<&Value>) -> AgentKind {
    assert!(said.is_none_or(|said| said["token"] == token));
    kind
}

fn to_whom(to: &Addressee, kind: AgentKind, said: Option<&Value>) -> AgentKind {
    match to {
        Addressee::Visitor(whom) => visitor(whom, said),
        Addressee::Unique(code) => {
            assert!(said.is_none_or(|said| said["uniqueid"] == code.as_str()));
        }
    }
    kind
}

/// The page resolves own properties only; still no name that leads to what all objects share may reach it.
fn callable(func: &str) {
    let path = func.strip_prefix(FUNCTION_NAMESPACE).expect("a function of the namespace");
    let forbidden = ["", "__proto__", "constructor", "prototype"];
    assert!(path.split('.').all(|name| !forbidden.contains(&name)), "{func}");
    assert_ne!(path.split('.').next(), Some("Authorization"));
}
