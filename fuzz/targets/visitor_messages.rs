//! Messages of pages, in our own protocol.

use vestibule::model::{
    chat::MAX_SAID_BYTES,
    event::EventKind,
    protocol::{
        MAX_IDS, Numbered,
        chats::VisitorChat,
        visitor::{MAX_FAILURE_BYTES, MAX_TITLE_BYTES, MAX_URL_BYTES, VisitorKind, VisitorMessage},
    },
    topic::TopicCall,
};

use super::messages::{numbered, refused, reread, topic_call, update, visitor};

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Numbered { request, message } = match VisitorMessage::read(text) {
        Ok(read) => read,
        Err(unreadable) => return refused(&unreadable),
    };
    numbered(request);
    let said = reread(text);
    if let Some(said) = &said {
        assert_eq!(said["type"], kind(&message).as_str());
        assert_eq!(said["request"].as_u64(), request);
    }
    accepted(&message, said.as_ref());
}

/// What holds for every message that is read, in whatever words.
pub fn accepted(message: &VisitorMessage, said: Option<&serde_json::Value>) {
    match message {
        VisitorMessage::Hello(hello) => {
            visitor(&hello.visitorid, said);
            assert!(hello.seen.len() <= MAX_IDS);
            assert!(hello.from.as_ref().is_none_or(|from| from.is_anonymous()));
            hello.data.iter().for_each(update);
        }
        VisitorMessage::Presence(data)
        | VisitorMessage::Report(EventKind::VisitorSessionStart(data)) => update(data),
        VisitorMessage::Ack(ids) => assert!((1..=MAX_IDS).contains(&ids.len())),
        VisitorMessage::Failed(_, failure) => assert!(failure.msg.len() <= MAX_FAILURE_BYTES),
        VisitorMessage::Report(EventKind::VisitorError(error)) => assert_eq!(error.check(), Ok(())),
        VisitorMessage::Identify { known, .. } => visitor(known, said),
        VisitorMessage::Enter { page, .. } | VisitorMessage::Navigate(page) => {
            assert!(page.url.len() <= MAX_URL_BYTES && page.title.len() <= MAX_TITLE_BYTES);
        }
        VisitorMessage::Chat(VisitorChat::Say { text, .. }) => {
            assert!(!text.trim().is_empty() && text.len() <= MAX_SAID_BYTES);
        }
        VisitorMessage::Topics(call) => topic_call(call, said),
        VisitorMessage::Listen
        | VisitorMessage::Chat(_)
        | VisitorMessage::Visibility(_)
        | VisitorMessage::Activity
        | VisitorMessage::Report(_)
        | VisitorMessage::Unique { .. }
        | VisitorMessage::ExtendUnique
        | VisitorMessage::StartSession { .. }
        | VisitorMessage::Message(_)
        | VisitorMessage::Consent { .. }
        | VisitorMessage::Pause { .. }
        | VisitorMessage::EndSession { .. }
        | VisitorMessage::AskHelp { .. }
        | VisitorMessage::CancelHelp
        | VisitorMessage::Disconnect => {}
    }
}

fn kind(message: &VisitorMessage) -> VisitorKind {
    match message {
        VisitorMessage::Hello(_) => VisitorKind::Hello,
        VisitorMessage::Listen => VisitorKind::Listen,
        VisitorMessage::Presence(_) => VisitorKind::Presence,
        VisitorMessage::Visibility(_) => VisitorKind::Visibility,
        VisitorMessage::Activity => VisitorKind::Activity,
        VisitorMessage::Ack(_) => VisitorKind::Ack,
        VisitorMessage::Failed(..) => VisitorKind::Failed,
        VisitorMessage::Report(EventKind::Terms { .. }) => VisitorKind::Terms,
        VisitorMessage::Report(EventKind::VisitorSessionStart(_)) => VisitorKind::SessionStart,
        VisitorMessage::Report(EventKind::VisitorSessionEnd { .. }) => VisitorKind::SessionEnd,
        VisitorMessage::Report(EventKind::VisitorError(_)) => VisitorKind::Error,
        VisitorMessage::Report(other) => panic!("pages do not report {other:?}"),
        VisitorMessage::Unique { .. } => VisitorKind::Unique,
        VisitorMessage::ExtendUnique => VisitorKind::ExtendUnique,
        VisitorMessage::Identify { .. } => VisitorKind::Identify,
        VisitorMessage::StartSession { .. } => VisitorKind::StartSession,
        VisitorMessage::Enter { .. } => VisitorKind::Enter,
        VisitorMessage::Message(_) => VisitorKind::Message,
        VisitorMessage::Navigate(_) => VisitorKind::Navigate,
        VisitorMessage::Consent { .. } => VisitorKind::Consent,
        VisitorMessage::Pause { .. } => VisitorKind::Pause,
        VisitorMessage::EndSession { .. } => VisitorKind::EndSession,
        VisitorMessage::AskHelp { .. } => VisitorKind::AskHelp,
        VisitorMessage::CancelHelp => VisitorKind::CancelHelp,
        VisitorMessage::Chat(asked) => match asked {
            VisitorChat::WatchButtons => VisitorKind::WatchButtons,
            VisitorChat::Open { .. } => VisitorKind::OpenChat,
            VisitorChat::Say { .. } => VisitorKind::Say,
            VisitorChat::Close => VisitorKind::CloseChat,
            VisitorChat::Answer { .. } => VisitorKind::AnswerInvitation,
            VisitorChat::Typing => VisitorKind::Typing,
        },
        VisitorMessage::Topics(call) => match **call {
            TopicCall::Publish(_) => VisitorKind::Publish,
            TopicCall::Subscribe(_) => VisitorKind::Subscribe,
            TopicCall::Unsubscribe(_) => VisitorKind::Unsubscribe,
        },
        VisitorMessage::Disconnect => VisitorKind::Disconnect,
    }
}
