//! The frames that are being written, while the lock is free.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::AsyncWrite;

use super::entry::{Entry, Slot};

/// Frames in one vectored write. More do not pay: the kernel copies them one by one.
const SLICES: usize = 32;
/// For streams that do not vector: frames are joined up to this many bytes, so that many small
/// ones do not become as many system calls or TLS records.
const JOINED: usize = 4_096;

/// Everything that a queue held, in the order of writing; and what was written of it.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) entries: VecDeque<Entry>,
    /// Bytes of the first entry that are written.
    pub(super) begun: usize,
    pub(super) written: u64,
    pub(super) frames: u32,
    /// Of the frames written those that count against the bound, and their bytes.
    pub(super) freed: (u32, usize),
}

impl Batch {
    pub(super) fn new(entries: VecDeque<Entry>, begun: usize) -> Self {
        Self { entries, begun, written: 0, frames: 0, freed: (0, 0) }
    }

    /// Ready when all is written and flushed.
    pub(super) fn poll_write<W: AsyncWrite + ?Sized>(
        &mut self,
        context: &mut Context<'_>,
        mut stream: Pin<&mut W>,
    ) -> Poll<io::Result<()>> {
        while !self.entries.is_empty() {
            let first = self.slices().next().unwrap_or_default();
            let written = ready!(if self.entries.len() == 1 {
                stream.as_mut().poll_write(context, first)
            } else if stream.is_write_vectored() {
                self.vectored(context, stream.as_mut())
            } else if first.len() >= JOINED {
                stream.as_mut().poll_write(context, first)
            } else {
                self.joined(context, stream.as_mut())
            })?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.advance(written);
        }
        stream.poll_flush(context)
    }

    fn vectored<W: AsyncWrite + ?Sized>(
        &self,
        context: &mut Context<'_>,
        stream: Pin<&mut W>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); SLICES];
        for (slot, bytes) in slices.iter_mut().zip(self.slices()) {
            *slot = IoSlice::new(bytes);
        }
        let used = slices.get(..self.entries.len()).unwrap_or(&slices);
        stream.poll_write_vectored(context, used)
    }

    fn joined<W: AsyncWrite + ?Sized>(
        &self,
        context: &mut Context<'_>,
        stream: Pin<&mut W>,
    ) -> Poll<io::Result<usize>> {
        let mut joined = [0; JOINED];
        let mut room = joined.as_mut_slice();
        for bytes in self.slices() {
            // A frame may be cut here: what matters is the order of bytes.
            let (to, rest) = room.split_at_mut(bytes.len().min(room.len()));
            to.copy_from_slice(bytes.get(..to.len()).unwrap_or_default());
            room = rest;
            if room.is_empty() {
                break;
            }
        }
        let free = room.len();
        stream.poll_write(context, joined.get(..JOINED - free).unwrap_or_default())
    }

    /// What remains of each frame.
    fn slices(&self) -> impl Iterator<Item = &[u8]> {
        let offsets = std::iter::once(self.begun).chain(std::iter::repeat(0));
        let frames = self.entries.iter().map(|entry| &entry.frame.bytes()[..]);
        frames.zip(offsets).map(|(bytes, offset)| bytes.get(offset..).unwrap_or_default())
    }

    fn advance(&mut self, mut written: usize) {
        self.written = self.written.saturating_add(written as u64);
        while let Some(first) = self.entries.front() {
            let size = first.frame.bytes().len();
            let left = size.saturating_sub(self.begun);
            if written < left {
                self.begun += written;
                return;
            }
            if first.is_data() {
                self.freed = (self.freed.0.saturating_add(1), self.freed.1.saturating_add(size));
            }
            self.frames = self.frames.saturating_add(u32::from(first.slot != Slot::Head));
            written -= left;
            self.begun = 0;
            self.entries.pop_front();
        }
    }
}
