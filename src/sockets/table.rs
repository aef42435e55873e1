//! The sockets of this node by id, and how messages get to them.

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use bytes::Bytes;
use dashmap::DashMap;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;

use super::{
    bearers::{Bearers, Borne},
    dialect::{Dialect, NATIVE},
    framing::Frame,
    guest::GUEST,
    outbox::{Class, LatestKey, Outbox, Pushed},
    service::Lifecycle,
};
use crate::{
    chat, cobrowse,
    model::{
        close::CloseCode,
        cobrowse::{ConsentTo, MemberView, SessionOffer, SessionTold},
        event::Event,
        help::HelpStatus,
        ids::{ButtonId, GroupId, SignalId, SocketId, VisitorId},
        protocol::{
            agent::ToAgent,
            stream::{Mark, MarkOf, ToStream},
            visitor::ToVisitor,
        },
        signal::{Message, Outcome},
    },
    presence::{handle::Post, visitor::command::ToPage},
    telemetry::{
        Metrics,
        labels::{HelpState, SignalEnd, SocketKind},
    },
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

/// The way to one socket.
pub struct Line {
    /// What waits to be written.
    pub outbox: Arc<Outbox>,
    /// The words that it takes, where it is a visitor's.
    pub dialect: &'static Dialect,
    /// Signals that were sent and not yet acknowledged by this socket.
    pub owed: AtomicU32,
    /// Signals to a client that does not acknowledge.
    pub written: Mutex<Vec<SignalId>>,
    /// Whether answers are to be marked as degraded.
    pub lifecycle: Lifecycle,
}

impl Line {
    /// A line to a socket that opens.
    #[must_use]
    pub fn new(outbox: Arc<Outbox>, dialect: &'static Dialect, lifecycle: &Lifecycle) -> Arc<Self> {
        let (owed, written) = (AtomicU32::new(0), Mutex::default());
        Arc::new(Self { outbox, dialect, owed, written, lifecycle: lifecycle.clone() })
    }

    /// Whether whoever listens there understands our own messages.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        std::ptr::eq(self.dialect, &raw const GUEST)
    }

    fn page(&self, class: Class, message: &ToVisitor) {
        if let Some(frame) = (self.dialect.write)(message) {
            let _ = self.outbox.push(class, frame);
        }
    }

    fn signal(&self, id: SignalId, message: &ToVisitor) {
        if self.dialect.acknowledges {
            self.owed.fetch_add(1, Ordering::Relaxed);
        } else {
            // Before the frame, whose writing acknowledges it.
            self.written.lock().push(id);
        }
        self.page(Class::Reliable, message);
    }
}

/// What hears of a session. Must not wait.
pub type Hear = Arc<dyn Fn(&SessionTold) + Send + Sync>;

/// The lines to all open sockets. Bounded by the limit on sockets.
pub struct Sockets {
    lines: DashMap<SocketId, Arc<Line>>,
    /// How many these are: each handshake and each end asks, and the map would lock all its parts to say so.
    open: AtomicUsize,
    bearers: Arc<Bearers>,
    next: AtomicU64,
    /// Those who take part in sessions without a socket of ours.
    ears: DashMap<SocketId, Hear>,
    metrics: Metrics,
    emptied: Notify,
}

impl Sockets {
    /// No sockets.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self {
            lines: DashMap::new(),
            open: AtomicUsize::new(0),
            bearers: Arc::default(),
            next: AtomicU64::new(1),
            ears: DashMap::new(),
            metrics,
            emptied: Notify::new(),
        }
    }

    /// Enters a socket; it is taken out when the entry is dropped.
    pub fn enter(self: &Arc<Self>, line: Arc<Line>, kind: SocketKind) -> Entry {
        let id = SocketId(self.next.fetch_add(1, Ordering::Relaxed));
        self.open.fetch_add(1, Ordering::SeqCst);
        self.lines.insert(id, line);
        self.metrics.sockets_open.of(kind).inc();
        Entry { sockets: Arc::clone(self), id, kind }
    }

    /// Lets `hear` hear what a session tells to the id that is given back, until that is dropped.
    pub fn listen(self: &Arc<Self>, hear: Hear) -> Ear {
        let id = SocketId(self.next.fetch_add(1, Ordering::Relaxed));
        self.ears.insert(id, hear);
        Ear { sockets: Arc::clone(self), id }
    }

    /// How many sockets are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    /// Whether no socket is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Waits until no socket is open.
    pub async fn emptied(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.is_empty() {
                return;
            }
            emptied.await;
        }
    }

    /// The lines to all sockets that are open now.
    #[must_use]
    pub fn lines(&self) -> Vec<Arc<Line>> {
        self.lines.iter().map(|line| Arc::clone(&line)).collect()
    }

    fn push(&self, to: SocketId, class: Class, frame: Frame) {
        // A socket that is gone or closing gets nothing: what matters waits in the record.
        if let Some(line) = self.lines.get(&to) {
            let _ = line.outbox.push(class, frame);
        }
    }
}

/// Hears of a session in the place of a socket.
pub struct Ear {
    sockets: Arc<Sockets>,
    /// The id that it goes by.
    pub id: SocketId,
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.sockets.ears.remove(&self.id);
    }
}

/// A socket's place in the table.
pub struct Entry {
    sockets: Arc<Sockets>,
    /// The socket's id.
    pub id: SocketId,
    kind: SocketKind,
}

impl Entry {
    /// The socket is this agent's from now on, until what is given back is dropped.
    #[must_use]
    pub fn borne_by(&self, group: GroupId, subject: &str) -> Borne {
        self.sockets.bearers.enter(group, subject.into(), self.id)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.sockets.lines.remove(&self.id);
        self.sockets.metrics.sockets_open.of(self.kind).dec();
        if self.sockets.open.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.sockets.emptied.notify_waiters();
        }
    }
}

/// The text frame of a message. Our own types always have a JSON form.
pub fn text(message: &impl Serialize) -> Frame {
    let text = serde_json::to_vec(message).unwrap_or_else(|error| {
        tracing::error!(%error, "a message could not be written as JSON");
        b"{}".to_vec()
    });
    Frame::text(&text)
}

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
        let state = match status {
            HelpStatus::Pending => HelpState::Pending,
            HelpStatus::Accepted => HelpState::Accepted,
            HelpStatus::Unavailable => HelpState::Unavailable,
            HelpStatus::Canceled => HelpState::Canceled,
        };
        self.metrics.help_requests.of(state).inc();
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
