//! A peer that takes what it is told to, and the frames that it got.

use std::{
    collections::VecDeque,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use tokio::io::AsyncWrite;

use crate::{clock::Timestamp, model::close::CloseCode, sockets::outbox::Outbox};

pub(in crate::sockets) const LIMIT: u32 = 1_000;

/// A stream that takes what the script says, and may do something at each write.
#[derive(Default)]
pub(in crate::sockets) struct Script {
    pub(in crate::sockets) out: Vec<u8>,
    /// How many bytes each write takes; 0 and the end of the script mean "not now".
    pub(in crate::sockets) takes: VecDeque<usize>,
    pub(in crate::sockets) vectors: bool,
    pub(in crate::sockets) writes: usize,
    pub(in crate::sockets) during: Option<Box<dyn FnMut() + Send>>,
    pub(in crate::sockets) flush_pending: bool,
}

impl Script {
    pub(in crate::sockets) fn takes(takes: impl Into<Vec<usize>>) -> Self {
        Self { takes: takes.into().into(), vectors: true, ..Self::default() }
    }

    fn take(&mut self, slices: &[&[u8]]) -> Poll<io::Result<usize>> {
        if let Some(during) = &mut self.during {
            during();
        }
        let Some(room @ 1..) = self.takes.pop_front() else { return Poll::Pending };
        self.writes += 1;
        let bytes = slices.concat();
        let taken = room.min(bytes.len());
        self.out.extend(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take(&[bytes])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        assert!(self.vectors);
        self.take(&slices.iter().map(|slice| &slice[..]).collect::<Vec<_>>())
    }

    fn is_write_vectored(&self) -> bool {
        self.vectors
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.flush_pending { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[derive(Default)]
pub(in crate::sockets) struct Wakes(pub(in crate::sockets) AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

pub(in crate::sockets) fn flush(
    outbox: &Outbox,
    script: &mut Script,
    now: u64,
) -> Poll<Result<CloseCode, io::ErrorKind>> {
    let mut context = Context::from_waker(Waker::noop());
    let result = outbox.poll_flush(&mut context, Pin::new(script), Timestamp(now));
    result.map_err(|error| error.kind())
}

/// The frames in `bytes`, whole; a torn one fails the test.
pub(in crate::sockets) fn payloads(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, second, rest @ ..] = bytes {
        let (size, rest) = match *second {
            126 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            short => (usize::from(short), rest),
        };
        frames.push((*first, rest[..size].to_vec()));
        bytes = &rest[size..];
    }
    assert!(bytes.is_empty());
    frames
}
