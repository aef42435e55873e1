//! Where messages leave this node: sockets, and HTTP requests that wait.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use dashmap::DashMap;
use tokio::sync::{oneshot, watch};

use super::{
    answer::{Text, array},
    client::ClientId,
};
use crate::{
    model::ids::SocketId,
    sockets::{
        framing::Frame,
        outbox::{Class, Outbox},
    },
};

/// Requests are told from sockets, whose numbers are another table's, by this bit.
const REQUEST: u64 = 1 << 63;

/// How an HTTP request that waits is answered.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// With these messages.
    With(Vec<Text>),
    /// It was overtaken by a newer connect of the same client.
    Overtaken,
}

enum Line {
    Socket(Arc<Outbox>),
    Request(oneshot::Sender<Answered>),
}

/// The lines of this node. Bounded by the limits on sockets and on requests that wait.
#[derive(Default)]
pub(super) struct Lines {
    lines: DashMap<SocketId, Line>,
    /// Who connected last on a line.
    callers: DashMap<SocketId, ClientId>,
    next: AtomicU64,
    waiting: AtomicUsize,
    /// How often answers of other nodes, or this one's own, may have been missed.
    gaps: watch::Sender<u64>,
}

/// A line's place in the table, which ends when it is dropped.
pub(super) struct Entry {
    lines: Arc<Lines>,
    pub(super) id: SocketId,
}

impl Lines {
    /// An HTTP request that waits; `None` where `most` do so already.
    pub(super) fn request(
        self: &Arc<Self>,
        most: usize,
    ) -> Option<(Entry, oneshot::Receiver<Answered>)> {
        let room = |waiting: usize| (waiting < most).then_some(waiting + 1);
        self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).ok()?;
        let (sender, receiver) = oneshot::channel();
        let id = SocketId(REQUEST | self.next.fetch_add(1, Ordering::Relaxed));
        self.lines.insert(id, Line::Request(sender));
        Some((Entry { lines: Arc::clone(self), id }, receiver))
    }

    /// A socket with the number that the table of sockets gave it.
    pub(super) fn socket(self: &Arc<Self>, id: SocketId, outbox: Arc<Outbox>) -> Entry {
        self.lines.insert(id, Line::Socket(outbox));
        Entry { lines: Arc::clone(self), id }
    }

    /// A client connects on a line of this node.
    pub(super) fn connects(&self, at: SocketId, client: ClientId) {
        // What is gone meanwhile takes its caller along: so it is looked at while that cannot happen.
        let Some(_line) = self.lines.get(&at) else { return };
        self.callers.insert(at, client);
    }

    /// Who connected last on each line.
    pub(super) fn callers(&self) -> Vec<(SocketId, ClientId)> {
        self.callers.iter().map(|caller| (*caller.key(), *caller)).collect()
    }

    /// Answers may have been missed until now.
    pub(super) fn missed(&self) {
        self.gaps.send_modify(|gaps| *gaps += 1);
    }

    /// Changes each time that answers may have been missed, from now on.
    pub(super) fn gaps(&self) -> watch::Receiver<u64> {
        self.gaps.subscribe()
    }

    /// Requests that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Writes to a socket, or answers a request. What is gone gets nothing.
    pub(super) fn write(&self, to: SocketId, messages: Vec<Text>) {
        if to.0 & REQUEST != 0 {
            self.answer(to, Answered::With(messages));
        } else if !messages.is_empty()
            && let Some(line) = self.lines.get(&to)
            && let Line::Socket(outbox) = line.value()
        {
            let _ = outbox.push(Class::Reliable, Frame::text(array(&messages).as_bytes()));
        }
    }

    /// Answers a request.
    pub(super) fn answer(&self, to: SocketId, answered: Answered) {
        // Taken out first: its entry, which the answer ends, takes it out too. A socket stays for all else that it hears.
        let request = self.lines.remove_if(&to, |_, line| matches!(line, Line::Request(_)));
        if let Some((_, Line::Request(sender))) = request {
            let _ = sender.send(answered);
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.lines.lines.remove(&self.id);
        self.lines.callers.remove(&self.id);
        if self.id.0 & REQUEST != 0 {
            self.lines.waiting.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_answered_once_and_leaves() {
        let lines = Arc::new(Lines::default());
        let (entry, mut answered) = lines.request(1).unwrap();
        assert!(lines.request(1).is_none(), "no more than may wait");
        lines.write(entry.id, vec!["{}".into()]);
        lines.write(entry.id, vec!["late".into()]);
        assert_eq!(answered.try_recv(), Ok(Answered::With(vec!["{}".into()])));
        drop(entry);
        assert_eq!((lines.waiting(), lines.lines.len()), (0, 0));
        assert!(lines.request(1).is_some());
    }

    #[test]
    fn a_socket_stays_when_what_it_held_is_overtaken() {
        let lines = Arc::new(Lines::default());
        let outbox = Arc::new(Outbox::new(1_000));
        let entry = lines.socket(SocketId(7), Arc::clone(&outbox));
        lines.answer(entry.id, Answered::Overtaken);
        lines.write(entry.id, vec!["{}".into()]);
        assert_eq!(lines.lines.len(), 1);
        let waits = outbox.push(Class::Reliable, Frame::text(&[b'x'; 900]));
        assert!(waits.is_err(), "the frame is there, so there is no room for this one");
        drop(entry);
        assert!(lines.lines.is_empty());
    }
}
