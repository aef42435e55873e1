//! How frames leave the queue to be written, and what happens to those that come back.

use std::{collections::VecDeque, mem};

use super::{
    Class,
    batch::Batch,
    entry::{Entry, Slot},
    queue::{Queue, clamp},
};
use crate::clock::Timestamp;

/// What was decided about frames while they were being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Taken {
    Nothing,
    Keep,
    DropStream,
    DropAll,
}

impl Queue {
    /// Hands over all there is to write.
    pub(super) fn take(&mut self) -> Batch {
        let mut entries = mem::take(&mut self.entries);
        let at = usize::from(self.first_is_fixed(&entries));
        for frame in mem::take(&mut self.control).into_iter().rev() {
            entries.insert(at, Entry { frame, slot: Slot::Of(Class::Control) });
        }
        self.taken = Taken::Keep;
        Batch::new(entries, mem::take(&mut self.begun) as usize)
    }

    /// Takes back what could not be written, and joins it with what was pushed meanwhile.
    pub(super) fn give_back(&mut self, batch: Batch, unflushed: bool, now: Timestamp) {
        let decided = mem::replace(&mut self.taken, Taken::Nothing);
        self.counts.bytes = self.counts.bytes.saturating_add(batch.written);
        self.counts.frames = self.counts.frames.saturating_add(batch.frames);
        if self.aborted {
            return;
        }
        self.frames = self.frames.saturating_sub(batch.freed.0);
        self.bytes = self.bytes.saturating_sub(clamp(batch.freed.1));
        self.unflushed = unflushed;
        if !batch.entries.is_empty() {
            self.begun = clamp(batch.begun);
            let mut newer = mem::replace(&mut self.entries, batch.entries);
            self.take_control_back();
            self.drop_outdated(decided, &newer);
            self.entries.append(&mut newer);
            if self.closing.is_some() {
                self.put_streams_last();
            }
        }
        self.reckon(batch.written, now);
    }

    /// Control frames that were not begun wait apart again, unless a newer one does.
    fn take_control_back(&mut self) {
        let at = usize::from(self.first_is_fixed(&self.entries));
        let is_control = |entry: &Entry| entry.slot == Slot::Of(Class::Control);
        while self.entries.get(at).is_some_and(is_control) {
            let Some(Entry { frame, .. }) = self.entries.remove(at) else { return };
            if !self.control.iter().any(|newer| newer.is_kind_of(&frame)) {
                self.control.push(frame);
            }
        }
    }

    /// Makes up for what pushes could not do while the frames were away.
    fn drop_outdated(&mut self, decided: Taken, newer: &VecDeque<Entry>) {
        match decided {
            Taken::DropAll => {
                self.control = Vec::new();
                self.discard(|_, entry| entry.is_data());
            }
            Taken::DropStream => self.drop_stream(self.entries.len()),
            Taken::Keep | Taken::Nothing => {}
        }
        let is_replaced = |entry: &Entry| {
            matches!(entry.slot, Slot::Of(Class::Latest(_)))
                && newer.iter().any(|newer| newer.slot == entry.slot)
        };
        let replaced = self.discard(|_, entry| is_replaced(entry));
        self.counts.replaced = self.counts.replaced.saturating_add(replaced);
    }

    /// Moves the deadline; [`super::Outbox::stalled_since`] says by what rule.
    fn reckon(&mut self, written: u64, now: Timestamp) {
        let written = u32::try_from(written).unwrap_or(u32::MAX);
        self.due = self.due.saturating_sub(written);
        if self.is_idle() {
            self.due = 0;
        } else if self.due == 0 {
            let frames = self.entries.iter().map(Entry::size);
            let control = self.control.iter().map(|frame| frame.bytes().len());
            let waiting = frames.chain(control).fold(0, usize::saturating_add);
            // At least 1: the stream itself may still hold bytes that it took.
            self.due = clamp(waiting).saturating_sub(self.begun).max(1);
            self.since = now;
        }
    }

    /// A decision about frames that may be away.
    pub(super) fn decide(&mut self, decision: Taken) {
        if self.taken != Taken::Nothing {
            self.taken = self.taken.max(decision);
        }
    }
}
