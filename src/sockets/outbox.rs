//! What waits to be written to one socket.
//!
//! ```text
//! any thread:        push(class, frame) ─┐ wakes the task, if it sleeps
//! the socket's task: poll_flush ─ takes all, writes without the lock, gives back what is left
//! ```
//!
//! Many pushes in one turn of the executor end in one write. Frames that are written at all are
//! written in the order of their pushes, because events carry sequence numbers and a receiver
//! drops what looks old; only control frames overtake, and a close puts streams last.
//! The lock is not held during the system call: under TLS that call also encrypts.

mod batch;
mod entry;
mod handover;
mod queue;
#[cfg(test)]
mod tests;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;

use self::queue::Queue;
use crate::{
    clock::Timestamp,
    model::close::{Close, CloseCode},
    sockets::framing::Frame,
};

/// What becomes of a frame when the outbox is full, and of those queued before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// A ping or pong: overtakes all data, outside the bound. Of each kind the newest is kept
    /// (RFC 6455, section 5.5.3 allows one pong for many pings).
    Control,
    /// A state of which only the newest value counts: takes the place of an unsent one of the same
    /// key, at the end of the queue. Where there is no room: as reliable.
    Latest(LatestKey),
    /// A part of a stream whose parts build on each other since the last key frame. Streams may fill
    /// three quarters of the bound. Where there is no room, unsent parts before the newest key frame are dropped; where that does not help, all
    /// are, and all that come, until a key frame fits.
    Stream {
        /// Whether this part needs no other before it.
        key_frame: bool,
    },
    /// Never dropped. Where there is no room even without the stream's frames, the outbox closes
    /// with [`CloseCode::Slow`].
    Reliable,
}

/// Tells states of one socket apart: the pusher's own numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LatestKey(pub u64);

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits to be written.
    Queued,
    /// It waits in the place of an older one, which is never sent.
    Replaced,
    /// The stream overflowed and the frame was dropped: send a key frame next.
    KeyFrameNeeded,
}

/// The outbox is closing or aborted, and takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the outbox is closed")]
pub struct Closed;

/// What happened since the last asking; see [`Outbox::take_counts`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Bytes written.
    pub bytes: u64,
    /// Frames written whole.
    pub frames: u32,
    /// Frames of [`Class::Latest`] that a newer one replaced.
    pub replaced: u32,
    /// Frames of [`Class::Stream`] that were dropped.
    pub dropped: u32,
    /// Whether the outbox closed because a frame that must not be dropped had no room.
    pub overflowed: bool,
}

/// The frames of one socket on their way out. Shared: any thread pushes, the socket's task writes.
#[derive(Debug)]
pub struct Outbox(Mutex<Shared>);

#[derive(Debug)]
struct Shared {
    queue: Queue,
    waker: Option<Waker>,
    /// Everything is written and the task waits for the waker. While the task runs, or waits until
    /// the peer takes more, a push has nobody to wake.
    asleep: bool,
}

impl Outbox {
    /// An empty outbox for data frames of `limit` bytes in all; each also counts 64 bytes, so that
    /// many small ones are bounded too.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        Self::with_head(limit, Bytes::new())
    }

    /// An outbox that first of all, before any frame, writes `head`: the answer to the handshake.
    #[must_use]
    pub fn with_head(limit: u32, head: Bytes) -> Self {
        Self(Mutex::new(Shared { queue: Queue::new(limit, head), waker: None, asleep: false }))
    }

    /// Queues a frame, and wakes the socket's task unless it is awake already.
    ///
    /// # Errors
    /// [`Closed`] once the outbox closes; also when this very frame makes it, see [`Class`].
    pub fn push(&self, class: Class, frame: Frame) -> Result<Pushed, Closed> {
        self.change(|queue| queue.push(class, frame))
    }

    /// Writes what is queued, streams last, then a close frame; takes no more pushes.
    /// With [`CloseCode::Slow`] what is queued is dropped instead. The first close counts.
    pub fn close(&self, close: Close) {
        self.change(|queue| queue.close(close));
    }

    /// Drops everything, and makes [`Outbox::poll_flush`] end with `ConnectionAborted`.
    pub fn abort(&self) {
        let waker = {
            let mut shared = self.0.lock();
            shared.queue.abort();
            shared.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The socket's task runs, and is going to call [`Outbox::poll_flush`] before it ends its turn: until then
    /// pushes, most of them its own, wake nobody.
    pub fn awake(&self) {
        self.0.lock().asleep = false;
    }

    /// Whether pushes are refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.lock().queue.is_closed()
    }

    /// The code that it was closed with; `None` while it is open, and when it was aborted before.
    #[must_use]
    pub fn close_code(&self) -> Option<CloseCode> {
        self.0.lock().queue.closing()
    }

    /// Whether no more than a quarter of the bound waits: who could send later does well to wait for that.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0.lock().queue.has_room()
    }

    /// Since when bytes wait that the peer does not take, for the write deadline.
    ///
    /// The deadline is not put off by progress as such, or a peer that takes a byte a second could
    /// hold memory for ever: it starts anew when the peer has taken as many bytes as were waiting
    /// when it started. So nothing waits longer than twice the deadline. Bytes that a TLS stream has
    /// taken but not sent count as waiting.
    #[must_use]
    pub fn stalled_since(&self) -> Option<Timestamp> {
        self.0.lock().queue.stalled_since()
    }

    /// The counts since the last call.
    #[must_use]
    pub fn take_counts(&self) -> Counts {
        self.0.lock().queue.take_counts()
    }

    /// Writes what is queued, as far as the peer takes it. For the one task that owns the socket:
    /// two at once would mix their bytes.
    ///
    /// `Pending`: there is nothing to write now; the task is woken when there is. `Ready(Ok)`: the
    /// close frame, with that code, has been written and flushed, and nothing follows.
    ///
    /// # Errors
    /// What the stream says; the outbox is aborted then. `ConnectionAborted` after an abort.
    pub fn poll_flush<W: AsyncWrite + ?Sized>(
        &self,
        context: &mut Context<'_>,
        stream: Pin<&mut W>,
        now: Timestamp,
    ) -> Poll<io::Result<CloseCode>> {
        let mut batch = {
            let mut shared = self.0.lock();
            if shared.queue.is_aborted() {
                return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
            }
            if shared.queue.is_idle() {
                return shared.rest(context);
            }
            shared.queue.take()
        };
        let progress = batch.poll_write(context, stream);

        let mut shared = self.0.lock();
        shared.queue.give_back(batch, progress.is_pending(), now);
        if shared.queue.is_aborted() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        match progress {
            Poll::Ready(Ok(())) if shared.queue.is_idle() => shared.rest(context),
            Poll::Ready(Ok(())) => {
                // Pushed during the write. Others have their turn first.
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Err(error)) => {
                shared.queue.abort();
                Poll::Ready(Err(error))
            }
            Poll::Pending => {
                shared.remember(context);
                Poll::Pending
            }
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let (result, waker) = {
            let mut shared = self.0.lock();
            let was_closed = shared.queue.is_closed();
            let result = change(&mut shared.queue);
            // A close ends what the socket takes part in, at once, even while its peer takes nothing.
            let closes = !was_closed && shared.queue.is_closed();
            let wake = closes || shared.asleep && !shared.queue.is_idle();
            shared.asleep &= !wake;
            (result, if wake { shared.waker.take() } else { None })
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }
}

impl Shared {
    /// Everything is written: sleeps, or ends when it was the close frame.
    fn rest(&mut self, context: &Context<'_>) -> Poll<io::Result<CloseCode>> {
        if let Some(code) = self.queue.closing() {
            return Poll::Ready(Ok(code));
        }
        self.remember(context);
        self.asleep = true;
        Poll::Pending
    }

    fn remember(&mut self, context: &Context<'_>) {
        if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            self.waker = Some(context.waker().clone());
        }
    }
}
