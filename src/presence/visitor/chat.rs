//! The visitor's chat, as far as his pages know it: each learns how it stands when it connects, and whatever happens in it.
//! The rules are the chat's own record.

use std::sync::Arc;

use super::{
    Phase, Step, Visitor,
    command::Reply,
    effect::{Effect, ToPage},
};
use crate::model::{
    chat::{ChatMessage, ChatView},
    event::EventKind,
    ids::SocketAddress,
};

impl Visitor {
    /// His chat stands so; `said` is what was said, where nothing else changed.
    pub(super) fn chat_stands(
        &mut self,
        view: Arc<ChatView>,
        said: Option<Arc<ChatMessage>>,
        (news, turn): (bool, u64),
        step: &mut Step<'_>,
    ) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        let is_late = self.chat_turn.is_some_and(|(of, last)| of == view.chat && turn <= last);
        if is_late && said.is_none() {
            return Reply::Done;
        }
        let told = match said {
            Some(message) => ToPage::ChatMessage { chat: view.chat, message },
            None => ToPage::Chat(Arc::clone(&view)),
        };
        self.tell_all(&told, step);
        if is_late {
            return Reply::Done;
        }
        self.chat_turn = Some((view.chat, turn));
        if news {
            self.publish(EventKind::ChatStatus(view.news()), step);
        }
        self.chat = (!view.is_over()).then_some(view);
        Reply::Done
    }

    /// The agent of his chat is typing.
    pub(super) fn chat_typing(&self, name: Option<Box<str>>, step: &mut Step<'_>) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        self.tell_all(&ToPage::ChatTyping { name }, step);
        Reply::Done
    }

    /// A page asks how it stands.
    pub(super) fn ask_chat(&self, socket: SocketAddress, step: &mut Step<'_>) {
        if let (Some(chat), Some(_)) = (&self.chat, self.socket(socket)) {
            let message = ToPage::Chat(Arc::clone(chat));
            step.effects.push(Effect::Page { to: socket, message });
        }
    }

    fn tell_all(&self, told: &ToPage, step: &mut Step<'_>) {
        let pages = self.sockets().map(|to| Effect::Page { to, message: told.clone() });
        step.effects.extend(pages);
    }
}
