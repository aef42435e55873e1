//! The sockets of this node by id, and how messages get to them.

mod posts;

use std::sync::{
    Arc,
    atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

use dashmap::DashMap;
use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;

use super::{
    bearers::{Bearers, Borne},
    dialect::Dialect,
    framing::Frame,
    guest::GUEST,
    lifecycle::Lifecycle,
    outbox::{Class, Outbox},
};
use crate::{
    model::{
        cobrowse::SessionTold,
        ids::{GroupId, SignalId, SocketId},
        protocol::visitor::ToVisitor,
    },
    telemetry::{Metrics, labels::SocketKind},
};

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
