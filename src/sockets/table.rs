//! The sockets of this node by id, and how messages get to them.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use dashmap::DashMap;
use serde::Serialize;
use tokio::sync::Notify;

use super::{
    framing::Frame,
    outbox::{Class, LatestKey, Outbox},
};
use crate::{
    model::{
        event::Event,
        ids::SocketId,
        protocol::{agent::ToAgent, visitor::ToVisitor},
        signal::{Message, Outcome},
    },
    presence::{handle::Post, visitor::command::ToPage},
    telemetry::{Metrics, labels::SignalEnd},
};

/// Whether a page has the focus is a state: only the newest counts.
const FOCUS: LatestKey = LatestKey(0);

/// Every open socket's outbox. Bounded by the limit on sockets.
pub struct Sockets {
    outboxes: DashMap<SocketId, Arc<Outbox>>,
    next: AtomicU64,
    metrics: Metrics,
    emptied: Notify,
}

impl Sockets {
    /// No sockets.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { outboxes: DashMap::new(), next: AtomicU64::new(1), metrics, emptied: Notify::new() }
    }

    /// Enters a socket; it is taken out when the entry is dropped.
    pub fn enter(self: &Arc<Self>, outbox: Arc<Outbox>) -> Entry {
        let id = SocketId(self.next.fetch_add(1, Ordering::Relaxed));
        self.outboxes.insert(id, outbox);
        Entry { sockets: Arc::clone(self), id }
    }

    /// How many sockets are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.outboxes.len()
    }

    /// Whether no socket is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outboxes.is_empty()
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

    /// The outboxes of all sockets that are open now.
    #[must_use]
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.outboxes.iter().map(|outbox| Arc::clone(&outbox)).collect()
    }

    fn push(&self, to: SocketId, class: Class, frame: Frame) {
        // A socket that is gone or closing gets nothing: what matters waits in the record.
        if let Some(outbox) = self.outboxes.get(&to) {
            let _ = outbox.push(class, frame);
        }
    }
}

/// A socket's place in the table.
pub struct Entry {
    sockets: Arc<Sockets>,
    /// The socket's id.
    pub id: SocketId,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.sockets.outboxes.remove(&self.id);
        if self.sockets.is_empty() {
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
        match message {
            ToPage::Signal { id, deadline, message } => {
                let message = match message {
                    Message::Signal { data } => ToVisitor::Signal { id, deadline, data },
                    Message::Invoke { func, args } => {
                        ToVisitor::Invoke { id, deadline, func, args }
                    }
                };
                self.push(to, Class::Reliable, text(&message));
            }
            ToPage::Focus => self.push(to, Class::Latest(FOCUS), text(&ToVisitor::Focus)),
            ToPage::Blur => self.push(to, Class::Latest(FOCUS), text(&ToVisitor::Blur)),
            ToPage::Close(code) => {
                if let Some(outbox) = self.outboxes.get(&to) {
                    outbox.close(code.into());
                }
            }
        }
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
}
