//! Where messages leave for sockets, and in which class.

use std::sync::Arc;

use bytes::Bytes;

use super::{Sockets, text};
use crate::{
    chat, cobrowse,
    model::{
        close::CloseCode,
        cobrowse::{ConsentTo, MemberView, SessionOffer, SessionTold},
        event::Event,
        help::HelpStatus,
        ids::{ButtonId, GroupId, SocketId, VisitorId},
        protocol::{
            agent::ToAgent,
            stream::{Mark, MarkOf, ToStream},
            visitor::ToVisitor,
        },
        signal::{Message, Outcome},
    },
    presence::{handle::Post, visitor::effect::ToPage},
    sockets::{
        dialect::NATIVE,
        framing::Frame,
        outbox::{Class, LatestKey, Pushed},
    },
    telemetry::labels::SignalEnd,
    topics,
};

/// Whether a page has the focus is a state: only the newest counts.
const FOCUS: LatestKey = LatestKey(0);
/// So is which session the visitor has.
const SESSION: LatestKey = LatestKey(1);
/// That somebody types is over soon.
const TYPING: LatestKey = LatestKey(4);
/// So is that a stream has a gap, and that a key frame is needed.
const GAP: LatestKey = LatestKey(2);
const KEY_FRAME: LatestKey = LatestKey(3);
/// From here on: where agents' cursors and spotlights are.
const MARKS: u64 = 16;

impl Post for Sockets {
    fn page(&self, to: SocketId, message: ToPage) {
        let Some(line) = self.lines.get(&to) else { return };
        match message {
            ToPage::Signal { id, deadline, message } => {
                let message = match message {
                    Message::Signal { data } => ToVisitor::Signal { id, deadline, data },
                    Message::Invoke { func, args } => {
                        ToVisitor::Invoke { id, deadline, func, args }
                    }
                };
                line.signal(id, &message);
            }
            ToPage::Focus => line.page(Class::Latest(FOCUS), &ToVisitor::Focus),
            ToPage::Blur => line.page(Class::Latest(FOCUS), &ToVisitor::Blur),
            ToPage::Session(session) => {
                line.page(Class::Latest(SESSION), &ToVisitor::Session { session });
            }
            ToPage::Help(told) => line.page(Class::Reliable, &ToVisitor::Help(told)),
            ToPage::Chat(view) => {
                line.page(Class::Reliable, &ToVisitor::Chat { chat: Some(view) });
            }
            ToPage::ChatMessage { chat, message } => {
                line.page(Class::Reliable, &ToVisitor::ChatMessage { chat, message });
            }
            ToPage::ChatTyping { name } => {
                line.page(Class::Latest(TYPING), &ToVisitor::Typing { name });
            }
            ToPage::Close(code) => line.outbox.close(code.into()),
        }
    }

    fn has(&self, agent: SocketId) -> bool {
        self.lines.contains_key(&agent)
    }

    fn event(&self, watchers: &[SocketId], event: &Event) {
        if watchers.is_empty() {
            return;
        }
        let frame = text(event);
        for watcher in watchers {
            self.push(*watcher, Class::Reliable, frame.clone());
        }
    }

    fn agent(&self, to: SocketId, message: &ToAgent) {
        self.push(to, Class::Reliable, text(message));
    }

    fn settled(&self, outcome: Outcome) {
        let end = match outcome {
            Outcome::Delivered => SignalEnd::Delivered,
            Outcome::Expired => SignalEnd::Expired,
            Outcome::Refused => SignalEnd::Refused,
            Outcome::Held => return,
        };
        self.metrics.signals.of(end).inc();
    }

    fn helped(&self, status: HelpStatus) {
        self.metrics.help_requests.of(status).inc();
    }
}

impl cobrowse::handle::Post for Sockets {
    fn told(&self, to: &[SocketId], told: SessionTold) {
        if to.is_empty() {
            return;
        }
        let message = ToVisitor::SessionEvent(Box::new(told));
        let frame = text(&message);
        for socket in to {
            let Some(line) = self.lines.get(socket) else {
                // Taken out first: who hears of his end goes out of the table.
                let hear = self.ears.get(socket).map(|hear| Arc::clone(&hear));
                if let (Some(hear), ToVisitor::SessionEvent(told)) = (hear, &message) {
                    hear(told);
                }
                continue;
            };
            if std::ptr::eq(line.dialect, &raw const NATIVE) {
                let _ = line.outbox.push(Class::Reliable, frame.clone());
            } else {
                line.page(Class::Reliable, &message);
            }
        }
    }

    fn record(&self, to: SocketId, epoch: u32, ticket: Option<String>) {
        if let Some(line) = self.lines.get(&to) {
            let on = ticket.is_some();
            line.page(Class::Reliable, &ToVisitor::Record { epoch, on, ticket });
        }
    }

    fn ask(&self, to: SocketId, consent: ConsentTo, agent: Option<MemberView>) {
        if let Some(line) = self.lines.get(&to) {
            line.page(Class::Reliable, &ToVisitor::Ask { to: consent, agent });
        }
    }

    fn offer(&self, group: &GroupId, to: &str, visitorid: VisitorId, data: SessionOffer) {
        let frame = text(&ToAgent::SessionOffer { visitorid, data });
        for socket in self.bearers.of(group, to) {
            self.push(socket, Class::Reliable, frame.clone());
        }
    }
}

impl chat::handle::Post for Sockets {
    fn button(&self, to: &mut dyn Iterator<Item = SocketId>, button: &ButtonId, enabled: bool) {
        let message = ToVisitor::Button { button: button.clone(), enabled };
        let frame = text(&message);
        to.for_each(|page| self.push(page, Class::Reliable, frame.clone()));
    }

    fn agents(&self, to: &[SocketId], message: &ToAgent) {
        if to.is_empty() {
            return;
        }
        let frame = text(message);
        to.iter().for_each(|agent| self.push(*agent, Class::Reliable, frame.clone()));
    }
}

impl topics::post::Post for Sockets {
    fn message(&self, to: &[topics::post::Target], text: &str) {
        let frame = Frame::text(text.as_bytes());
        for target in to {
            let class = target.latest.map_or(Class::Reliable, |key| Class::Latest(LatestKey(key)));
            self.push(target.socket, class, frame.clone());
        }
    }

    fn missed(&self, to: SocketId, subscription: u32) {
        self.push(to, Class::Reliable, text(&ToAgent::Missed { subscription }));
    }

    fn unsubscribed(&self, to: SocketId, subscription: u32) {
        self.push(to, Class::Reliable, text(&ToAgent::Unsubscribed { subscription }));
    }

    fn has_room(&self, to: SocketId) -> bool {
        self.lines.get(&to).is_some_and(|line| line.outbox.has_room())
    }

    fn close(&self, to: SocketId, code: CloseCode) {
        if let Some(line) = self.lines.get(&to) {
            line.outbox.close(code.into());
        }
    }
}

impl cobrowse::channel::StreamPost for Sockets {
    fn part(&self, to: &[SocketId], key_frame: bool, part: &Bytes) -> Vec<SocketId> {
        let frame = Frame::binary(part);
        let is_slow = |socket: &SocketId| {
            let line = self.lines.get(socket)?;
            let pushed = line.outbox.push(Class::Stream { key_frame }, frame.clone());
            (pushed == Ok(Pushed::KeyFrameNeeded)).then_some(*socket)
        };
        to.iter().filter_map(is_slow).collect()
    }

    fn gap(&self, to: SocketId, epoch: u32) {
        self.push(to, Class::Latest(GAP), text(&ToStream::Gap { epoch }));
    }

    fn key_frame(&self, to: SocketId) {
        self.push(to, Class::Latest(KEY_FRAME), text(&ToStream::KeyFrame));
    }

    fn want(&self, to: SocketId, sha256: [u8; 32]) {
        let sha256 = sha256.iter().map(|byte| format!("{byte:02x}")).collect();
        self.push(to, Class::Reliable, text(&ToStream::Want { sha256 }));
    }

    fn mark(&self, to: SocketId, mark: &MarkOf) {
        let place = match mark.mark {
            Mark::Cursor { .. } => 0,
            Mark::Spotlight { .. } => 1,
            Mark::Stroke { .. } => return self.push(to, Class::Reliable, text(mark)),
        };
        // Only where it is now counts: of each agent.
        let key = LatestKey(MARKS + 2 * u64::from(mark.user.0) + place);
        self.push(to, Class::Latest(key), text(mark));
    }

    fn end(&self, to: SocketId) {
        if let Some(line) = self.lines.get(&to) {
            line.outbox.close(CloseCode::SessionOver.into());
        }
    }
}
