//! What waits, in the order of writing, and the policy of each class. No waking, no writing.

use std::{collections::VecDeque, mem};

use bytes::Bytes;

use super::{
    Class, Closed, Counts, Pushed,
    entry::{Entry, Slot},
    handover::Taken,
};
use crate::{
    clock::Timestamp,
    model::close::{Close, CloseCode},
    sockets::framing::Frame,
};

/// What a data frame costs beside its bytes: its entry, and a share of the allocations.
const FRAME_COST: u64 = 64;
/// Of the bound, the part that a stream leaves free: a quarter. Streams to slow peers are always at
/// their bound, and must not make the next reliable frame the one too many.
const STREAM_LEAVES: u32 = 4;

#[derive(Debug)]
pub(super) struct Queue {
    /// Data frames in the order of their pushes; before them what is begun, behind them the close.
    pub(super) entries: VecDeque<Entry>,
    /// At most one frame of each kind.
    pub(super) control: Vec<Frame>,
    pub(super) counts: Counts,
    /// When the deadline began, if `due` is not 0.
    pub(super) since: Timestamp,
    /// Bytes that waited then and that the peer has not taken yet.
    pub(super) due: u32,
    /// Bytes of the first entry that are written.
    pub(super) begun: u32,
    /// Data frames here and taken, and their bytes.
    pub(super) frames: u32,
    pub(super) bytes: u32,
    pub(super) limit: u32,
    pub(super) taken: Taken,
    pub(super) closing: Option<CloseCode>,
    pub(super) key_frame_needed: bool,
    pub(super) unflushed: bool,
    pub(super) aborted: bool,
}

impl Queue {
    pub(super) fn new(limit: u32, head: Bytes) -> Self {
        let mut entries = VecDeque::new();
        if !head.is_empty() {
            entries.push_back(Entry { frame: Frame::raw(head), slot: Slot::Head });
        }
        Self {
            entries,
            control: Vec::new(),
            counts: Counts::default(),
            since: Timestamp(0),
            due: 0,
            begun: 0,
            frames: 0,
            bytes: 0,
            limit,
            taken: Taken::Nothing,
            closing: None,
            key_frame_needed: false,
            unflushed: false,
            aborted: false,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        u64::from(self.bytes) + u64::from(self.frames) * FRAME_COST <= u64::from(self.limit / 4)
    }

    pub(super) fn push(&mut self, class: Class, frame: Frame) -> Result<Pushed, Closed> {
        if self.is_closed() {
            return Err(Closed);
        }
        if class == Class::Control {
            return Ok(self.push_control(frame));
        }
        if let Class::Stream { key_frame } = class
            && !self.make_stream_room(key_frame, &frame)
        {
            self.counts.dropped = self.counts.dropped.saturating_add(1);
            return Ok(Pushed::KeyFrameNeeded);
        }
        let replaced = match class {
            Class::Latest(_) => self.discard(|_, entry| entry.slot == Slot::Of(class)),
            _ => 0,
        };
        self.counts.replaced = self.counts.replaced.saturating_add(replaced);
        if !self.fits(&frame, self.limit) {
            self.drop_stream(self.entries.len());
            self.key_frame_needed = true;
        }
        if !self.fits(&frame, self.limit) {
            self.counts.overflowed = true;
            self.close(CloseCode::Slow.into());
            return Err(Closed);
        }
        self.frames = self.frames.saturating_add(1);
        self.bytes = self.bytes.saturating_add(clamp(frame.bytes().len()));
        self.entries.push_back(Entry { frame, slot: Slot::Of(class) });
        Ok(if replaced > 0 { Pushed::Replaced } else { Pushed::Queued })
    }

    fn push_control(&mut self, frame: Frame) -> Pushed {
        if let Some(old) = self.control.iter_mut().find(|old| old.is_kind_of(&frame)) {
            *old = frame;
            return Pushed::Replaced;
        }
        self.control.push(frame);
        Pushed::Queued
    }

    /// Whether a part of the stream may be queued, after what it makes useless is dropped.
    fn make_stream_room(&mut self, key_frame: bool, frame: &Frame) -> bool {
        if self.key_frame_needed && !key_frame {
            return false;
        }
        let limit = self.limit - self.limit / STREAM_LEAVES;
        let newest = Slot::Of(Class::Stream { key_frame: true });
        if !self.fits(frame, limit) {
            let superseded = match key_frame {
                true => Some(self.entries.len()),
                false => self.entries.iter().rposition(|entry| entry.slot == newest),
            };
            self.drop_stream(superseded.unwrap_or_default());
        }
        self.key_frame_needed = !self.fits(frame, limit);
        if self.key_frame_needed {
            self.drop_stream(self.entries.len());
        }
        !self.key_frame_needed
    }

    pub(super) fn close(&mut self, close: Close) {
        if self.is_closed() {
            return;
        }
        self.closing = Some(close.code);
        if close.code == CloseCode::Slow {
            // It would only wait for a peer that does not read, and the close frame behind it.
            self.discard(|_, entry| entry.is_data());
            self.control = Vec::new();
            self.decide(Taken::DropAll);
        }
        self.entries.push_back(Entry { frame: Frame::close(close), slot: Slot::Close });
        self.put_streams_last();
    }

    pub(super) fn abort(&mut self) {
        self.aborted = true;
        self.entries = VecDeque::new();
        self.control = Vec::new();
        (self.frames, self.bytes, self.begun, self.due) = (0, 0, 0, 0);
    }

    /// So that the others have the best chance if the peer is slow or leaves. Those keep their order: a receiver goes on
    /// behind the last that it got, whichever class that had.
    pub(super) fn put_streams_last(&mut self) {
        let at = usize::from(self.first_is_fixed(&self.entries));
        let waiting = self.entries.make_contiguous().get_mut(at..).unwrap_or_default();
        waiting.sort_by_key(|entry| match entry.slot {
            Slot::Of(Class::Stream { .. }) => 1,
            Slot::Head | Slot::Of(_) => 0,
            Slot::Close => 2,
        });
    }

    pub(super) fn drop_stream(&mut self, before: usize) {
        let dropped = self.discard(|index, entry| index < before && entry.is_stream());
        self.counts.dropped = self.counts.dropped.saturating_add(dropped);
        self.decide(Taken::DropStream);
    }

    /// Removes data frames that are not begun; gives their number.
    pub(super) fn discard(&mut self, mut is_doomed: impl FnMut(usize, &Entry) -> bool) -> u32 {
        let (mut index, mut frames, mut bytes) = (0, 0u32, 0usize);
        let fixed = usize::from(self.first_is_fixed(&self.entries));
        self.entries.retain(|entry| {
            let doomed = index >= fixed && is_doomed(index, entry);
            index += 1;
            if doomed {
                frames = frames.saturating_add(1);
                bytes = bytes.saturating_add(entry.size());
            }
            !doomed
        });
        self.frames = self.frames.saturating_sub(frames);
        self.bytes = self.bytes.saturating_sub(clamp(bytes));
        frames
    }

    /// Whether the first entry must stay the first.
    pub(super) fn first_is_fixed(&self, entries: &VecDeque<Entry>) -> bool {
        self.begun > 0 || entries.front().is_some_and(|entry| entry.slot == Slot::Head)
    }

    fn fits(&self, frame: &Frame, limit: u32) -> bool {
        let frames = u64::from(self.frames).saturating_add(1);
        let bytes = u64::from(self.bytes).saturating_add(frame.bytes().len() as u64);
        frames.saturating_mul(FRAME_COST).saturating_add(bytes) <= u64::from(limit)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.entries.is_empty() && self.control.is_empty() && !self.unflushed
    }

    pub(super) fn is_closed(&self) -> bool {
        self.aborted || self.closing.is_some()
    }

    pub(super) fn is_aborted(&self) -> bool {
        self.aborted
    }

    pub(super) fn closing(&self) -> Option<CloseCode> {
        self.closing
    }

    pub(super) fn stalled_since(&self) -> Option<Timestamp> {
        (self.due > 0).then_some(self.since)
    }

    pub(super) fn take_counts(&mut self) -> Counts {
        mem::take(&mut self.counts)
    }
}

pub(super) fn clamp(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
