//! A frame that waits, and its place among others.

use super::Class;
use crate::sockets::framing::Frame;

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) frame: Frame,
    pub(super) slot: Slot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slot {
    /// Before all frames.
    Head,
    Of(Class),
    /// After all frames.
    Close,
}

impl Entry {
    /// Whether the bound counts it.
    pub(super) fn is_data(&self) -> bool {
        !matches!(self.slot, Slot::Head | Slot::Of(Class::Control) | Slot::Close)
    }

    pub(super) fn is_stream(&self) -> bool {
        matches!(self.slot, Slot::Of(Class::Stream { .. }))
    }

    /// Bytes held until it is written whole.
    pub(super) fn size(&self) -> usize {
        self.frame.bytes().len()
    }
}
