//! What visitors' pages ask for.

use std::{net::IpAddr, sync::Arc};

use super::{Chat, done, unexpected, view};
use crate::{
    chat::conversation::command::{Command, EndedBy, Reply, Saying, Voice},
    clock::Timestamp,
    model::{
        chat::ChatView,
        error::{ErrorCode, Problem},
        ids::{ButtonId, ChatId, GroupId, IdempotencyKey, SocketId, VisitorKey},
    },
    presence::visitor::command::Command as InPresence,
    telemetry::labels::Limited,
};

/// A page that wants to know of buttons, until this is dropped.
pub struct ButtonWatch {
    chat: Chat,
    group: GroupId,
    page: SocketId,
}

impl Drop for ButtonWatch {
    fn drop(&mut self) {
        if let Ok(floor) = self.chat.floor(&self.group) {
            floor.buttons.unwatch(self.page);
        }
    }
}

impl Chat {
    /// A page wants to know which buttons are enabled. `begin` gets those, before any change is told; then the page is
    /// told how the visitor's chat stands, if he has one.
    ///
    /// # Errors
    /// `group`.
    pub fn watch_buttons(
        &self,
        visitor: VisitorKey,
        page: SocketId,
        begin: impl FnOnce(Vec<ButtonId>),
    ) -> Result<ButtonWatch, Problem> {
        self.floor(&visitor.group)?.buttons.watch(page, begin);
        let watch = ButtonWatch { chat: self.clone(), group: visitor.group.clone(), page };
        let asks = InPresence::AskChat { socket: self.address(page) };
        self.0.shared.presence.command(visitor, asks, |_| ());
        Ok(watch)
    }

    /// A visitor at this address, as limits count it, begins a chat, or gets the one that he has. `unavailable` when
    /// nobody is there for this button; `toomany` when too many of his address wait, or of his group: what begins at the
    /// same moment may go a little beyond the latter.
    pub fn open(
        &self,
        visitor: VisitorKey,
        address: IpAddr,
        button: Option<ButtonId>,
        answer: impl FnOnce(Result<Arc<ChatView>, Problem>) + Send + 'static,
    ) {
        let floor = match self.floor(&visitor.group) {
            Ok(floor) => floor,
            Err(problem) => return answer(Err(problem)),
        };
        let shared = &self.0.shared;
        let mut place = None;
        if !shared.arrivals.has(&visitor) {
            let too_many = |sentence| Problem::new(ErrorCode::TooMany, sentence);
            if floor.board.count().waiting >= shared.most_waiting {
                return answer(Err(too_many("too many visitors of this group wait for an agent")));
            }
            place = shared.waiting_of_address.take((visitor.group.clone(), address));
            if place.is_none() {
                shared.metrics.limited.of(Limited::ChatOfAddress).inc();
                return answer(Err(too_many(
                    "too many visitors of this address wait for an agent",
                )));
            }
        }
        let available = floor.buttons.is_enabled(button.as_ref());
        let (chat, key) = (ChatId::generate(), visitor.clone());
        let (command, here) = (Command::Open { chat, button, available }, self.clone());
        self.submit(visitor, command, move |reply| {
            answer(here.began(&key, (chat, place), view(reply)));
        });
    }

    /// Says something. `answer` gets the message's number and time: of the first try, where this is another.
    pub fn say(
        &self,
        visitor: VisitorKey,
        saying: Saying,
        answer: impl FnOnce(Result<(u32, Timestamp), Problem>) + Send + 'static,
    ) {
        self.submit(visitor, Command::Say(Box::new(saying)), |reply| {
            answer(reply.and_then(|reply| match reply {
                Reply::Said { n, at } => Ok((n, at)),
                _ => Err(unexpected()),
            }));
        });
    }

    /// The visitor says something.
    pub fn visitor_says(
        &self,
        visitor: VisitorKey,
        text: Box<str>,
        id: IdempotencyKey,
        answer: impl FnOnce(Result<(u32, Timestamp), Problem>) + Send + 'static,
    ) {
        self.say(visitor, Saying { chat: None, by: Voice::Visitor, text, id: Some(id) }, answer);
    }

    /// The visitor closes his chat. Without one there is nothing to do.
    pub fn close(
        &self,
        visitor: VisitorKey,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        let command = Command::End { chat: None, by: EndedBy::Visitor };
        self.submit(visitor, command, |reply| answer(done(reply)));
    }

    /// The visitor answers an invitation.
    pub fn answer_invitation(
        &self,
        visitor: VisitorKey,
        accepted: bool,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.submit(visitor, Command::Answer { accepted }, |reply| answer(done(reply)));
    }

    /// The visitor is typing.
    pub fn visitor_types(&self, visitor: VisitorKey) {
        self.submit(visitor, Command::Typing { chat: None, by: Voice::Visitor }, |_| ());
    }
}
