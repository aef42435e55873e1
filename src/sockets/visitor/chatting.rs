//! The visitor's chat, from his page's side.

use super::{Door, VisitorSocket, done};
use crate::{
    model::{
        ids::{ButtonId, IdempotencyKey, VisitorKey},
        protocol::{
            chats::{ChatAnswer, VisitorChat},
            visitor::ToVisitor,
        },
    },
    telemetry::labels::Limited,
};

impl VisitorSocket {
    pub(super) fn chat(&mut self, visitor: VisitorKey, asked: VisitorChat, request: Option<u64>) {
        let chat = &self.service.chat;
        match asked {
            VisitorChat::WatchButtons => self.watch_buttons(visitor, request),
            VisitorChat::Open { button } => self.open_chat(visitor, button, request),
            VisitorChat::Say { text, id } => self.say_in_chat(visitor, &text, id, request),
            VisitorChat::Close => chat.close(visitor, done(self.voice.clone(), request)),
            VisitorChat::Answer { accepted } => {
                chat.answer_invitation(visitor, accepted, done(self.voice.clone(), request));
            }
            VisitorChat::Typing => {
                chat.visitor_types(visitor);
                self.voice.done(request);
            }
        }
    }

    fn watch_buttons(&mut self, visitor: VisitorKey, request: Option<u64>) {
        let voice = self.voice.clone();
        // One that was there before ends first: with its end the page is told nothing more.
        self.buttons = None;
        let watch = self.service.chat.watch_buttons(visitor, self.entry.id, |enabled| {
            if let Some(request) = request {
                voice.say(&ToVisitor::answer(request, |ok| ok.enabled = Some(enabled)));
            }
        });
        match watch {
            Ok(watch) => self.buttons = Some(Box::new(watch)),
            Err(problem) => voice.refuse(request, problem),
        }
    }

    fn open_chat(&self, visitor: VisitorKey, button: Option<ButtonId>, request: Option<u64>) {
        let voice = self.voice.clone();
        let now = self.service.clock().now();
        if let Err(problem) = self.service.admission.chat(&visitor, now) {
            self.service.metrics.limited.of(Limited::Chat).inc();
            return voice.refuse(request, problem);
        }
        self.service.chat.open(visitor, *self.place.key(), button, move |opened| {
            match (opened, request) {
                (Ok(view), Some(request)) => {
                    voice.say(&ToVisitor::answer(request, |ok| ok.chat = view.into()));
                }
                (Ok(_), None) => {}
                (Err(problem), _) => voice.refuse(request, problem),
            }
        });
    }

    /// What the visitor says, less what must not be seen.
    fn say_in_chat(
        &self,
        visitor: VisitorKey,
        text: &str,
        id: IdempotencyKey,
        request: Option<u64>,
    ) {
        let voice = self.voice.clone();
        let Door::Group(group) = &self.door else { return };
        let now = self.service.clock().now();
        if let Err(problem) = self.service.admission.chat_message(&visitor, now) {
            self.service.metrics.limited.of(Limited::ChatMessage).inc();
            return voice.refuse(request, problem);
        }
        let text = group.cobrowse.masking.text(text).map_or_else(|| text.into(), String::into);
        self.service.chat.visitor_says(visitor, text, id, move |said| match (said, request) {
            (Ok((n, at)), Some(request)) => {
                voice.say(&ToVisitor::answer(request, |ok| ok.chat = ChatAnswer::said(n, at)));
            }
            (Ok(_), None) => {}
            (Err(problem), _) => voice.refuse(request, problem),
        });
    }
}
