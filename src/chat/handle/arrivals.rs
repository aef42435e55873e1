//! Visitors who come, leave, and become known, as far as chats are concerned.

use std::sync::{Arc, OnceLock, Weak};

use dashmap::DashSet;

use super::{Chat, Parts};
use crate::{
    chat::conversation::command::{Command, Reply},
    model::{
        event::{Event, EventKind},
        ids::VisitorKey,
    },
    presence::handle::Tap,
    store::{Engine, Expect},
};

/// Hears from presence of all visitors; most have no chat, and cost one look.
#[derive(Default)]
pub struct Arrivals {
    chat: OnceLock<Weak<Parts>>,
    /// Those who have one. Bounded by the limit on chats.
    visitors: DashSet<VisitorKey>,
}

impl Arrivals {
    pub(super) fn begin(&self, chat: &Chat) {
        let _ = self.chat.set(Arc::downgrade(&chat.0));
    }

    /// Whether the visitor has a chat.
    pub(super) fn has(&self, key: &VisitorKey) -> bool {
        self.visitors.contains(key)
    }

    /// The visitor has a chat, or none any more.
    pub(super) fn has_chat(&self, key: &VisitorKey, has: bool) {
        if has {
            self.visitors.insert(key.clone());
        } else {
            self.visitors.remove(key);
        }
    }
}

impl Tap for Arrivals {
    fn heard(&self, key: &VisitorKey, event: &Event) {
        let command = match &event.kind {
            EventKind::VisitorConn { connected } => Command::Present { present: *connected },
            EventKind::VisitorJoined { visitorid } => Command::Join { known: visitorid.clone() },
            _ => return,
        };
        if !self.visitors.contains(key) {
            return;
        }
        let Some(chat) = self.chat.get().and_then(Weak::upgrade).map(Chat) else { return };
        let known = match &command {
            Command::Join { known } => Some(known.clone()),
            _ => None,
        };
        let (again, from) = (chat.clone(), key.clone());
        let sink = Box::new(move |result| {
            if let (Some(visitor), Ok(Reply::Joined(Some(running)))) = (known, super::plain(result))
            {
                again.0.shared.arrivals.has_chat(&from, false);
                let key = VisitorKey { group: from.group, visitor };
                let command = Command::Inherit(running);
                again.0.conversations.submit(key, Expect::Any, command, Box::new(|_| ()));
            }
        });
        chat.0.conversations.submit(key.clone(), Expect::Any, command, sink);
    }
}
