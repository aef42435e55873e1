//! Visitors who come, leave, and become known, as far as chats are concerned.

use std::sync::{Arc, OnceLock, Weak};

use dashmap::DashSet;

use super::{Chat, Parts};
use crate::{
    chat::conversation::command::{Command, Reply},
    model::{
        event::{Event, EventKind},
        ids::{VisitorId, VisitorKey},
    },
    presence::{handle::Tap, visitor::Whereabouts},
    store::{Applied, Engine, Expect, Refusal},
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
        let whereabouts = match &event.kind {
            EventKind::VisitorConn { connected: true } => Whereabouts::Here,
            EventKind::VisitorConn { connected: false } => Whereabouts::Away,
            EventKind::VisitorJoined { visitorid } => Whereabouts::Joined(visitorid.clone()),
            _ => return,
        };
        if !self.visitors.contains(key) {
            return;
        }
        if let Some(chat) = self.chat.get().and_then(Weak::upgrade).map(Chat) {
            chat.follow(key.clone(), whereabouts);
        }
    }
}

impl Chat {
    /// Tells a chat that has just begun where its visitor is by now.
    pub(super) fn catch_up(&self, visitor: VisitorKey) {
        let (chat, key) = (self.clone(), visitor.clone());
        self.0.shared.presence.whereabouts(visitor, move |whereabouts| {
            if let Ok(whereabouts) = whereabouts {
                chat.follow(key, whereabouts);
            }
        });
    }

    /// The visitor's chat follows him.
    fn follow(&self, from: VisitorKey, whereabouts: Whereabouts) {
        let command = match whereabouts {
            Whereabouts::Here => Command::Present { present: true },
            Whereabouts::Away => Command::Present { present: false },
            Whereabouts::Joined(known) => return self.go_along(from, known),
        };
        self.0.conversations.submit(from, Expect::Any, command, Box::new(|_| ()));
    }

    /// The chat goes along to the known id. One that cannot is over: nobody would find it any more.
    fn go_along(&self, from: VisitorKey, known: VisitorId) {
        let (chat, before) = (self.clone(), from.clone());
        let join = Command::Join { known: known.clone() };
        let sink = Box::new(move |result| {
            let Ok(Reply::Joined(Some(running))) = super::plain(result) else { return };
            chat.0.shared.arrivals.has_chat(&before, false);
            let key = VisitorKey { group: before.group.clone(), visitor: known };
            let (inherit, again) = (Command::Inherit(running.clone()), chat.clone());
            let sink = Box::new(move |result: Result<Applied<Reply>, Refusal>| {
                if result.is_err() {
                    let strand = Command::Strand(running);
                    again.0.conversations.submit(before, Expect::Any, strand, Box::new(|_| ()));
                }
            });
            chat.0.conversations.submit(key, Expect::Any, inherit, sink);
        });
        self.0.conversations.submit(from, Expect::Any, join, sink);
    }
}
