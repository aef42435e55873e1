//! What comes on a node's channels of one kind of record, until the engine has its turn.
//!
//! Bounded: an engine that is too far behind loses what comes, as if the channel had been cut, until it has worked through
//! what it has; then it is told so, and finds out what it missed.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::figures::{self, Counts};

/// Messages that wait for a turn of the engine.
pub(super) const MOST_MESSAGES: usize = 65_536;
/// Bytes of these.
const MOST_BYTES: usize = 64 << 20;
/// Of these, what there is room for in each part of the data, however many there are.
const LONGEST_BYTES: usize = 16 << 20;

/// What comes on a channel of this node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message.
    Message(Vec<u8>),
    /// Something was lost before this.
    Again,
}

pub(super) struct Ears {
    heard: Mutex<Waiting>,
    news: Arc<Notify>,
    counts: Arc<Counts>,
    most_messages: usize,
    most_bytes: usize,
}

#[derive(Default)]
struct Waiting {
    heard: VecDeque<Heard>,
    bytes: usize,
    is_overrun: bool,
}

impl Ears {
    /// `news` is told whenever something comes. Where the data are in several `parts` they share what may wait, but for a
    /// few long messages.
    pub(super) fn new(news: Arc<Notify>, counts: Arc<Counts>, parts: usize) -> Self {
        let parts = parts.max(1);
        let most_bytes = (MOST_BYTES / parts).max(LONGEST_BYTES);
        Self {
            heard: Mutex::default(),
            news,
            counts,
            most_messages: MOST_MESSAGES / parts,
            most_bytes,
        }
    }

    pub(super) fn hear(&self, heard: Heard) {
        let mut waiting = self.heard.lock();
        let bytes = match &heard {
            Heard::Message(bytes) => bytes.len(),
            Heard::Again => 0,
        };
        let is_full =
            waiting.heard.len() >= self.most_messages || waiting.bytes + bytes > self.most_bytes;
        if is_full && !waiting.is_overrun {
            tracing::warn!("the engine is too far behind and loses messages");
        }
        waiting.is_overrun |= is_full;
        if waiting.is_overrun {
            figures::add(&self.counts.missed, 1);
            return;
        }
        waiting.bytes += bytes;
        waiting.heard.push_back(heard);
        drop(waiting);
        self.news.notify_one();
    }

    /// What came next.
    pub(super) fn take(&self) -> Option<Heard> {
        let mut waiting = self.heard.lock();
        match waiting.heard.pop_front() {
            Some(Heard::Message(bytes)) => {
                waiting.bytes -= bytes.len();
                Some(Heard::Message(bytes))
            }
            None if std::mem::take(&mut waiting.is_overrun) => Some(Heard::Again),
            other => other,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        let waiting = self.heard.lock();
        waiting.heard.is_empty() && !waiting.is_overrun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(number: usize) -> Heard {
        Heard::Message(number.to_string().into_bytes())
    }

    #[test]
    fn who_is_too_far_behind_hears_the_first_without_a_gap_and_then_that_there_is_one() {
        let ears = Ears::new(Arc::default(), Arc::default(), 1);
        (0..MOST_MESSAGES + 3).for_each(|number| ears.hear(word(number)));
        assert_eq!(ears.take(), Some(word(0)));
        ears.hear(word(0));
        for number in 1..MOST_MESSAGES {
            assert_eq!(ears.take(), Some(word(number)), "what came since then is behind the gap");
        }
        assert_eq!(ears.take(), Some(Heard::Again));
        assert_eq!(ears.take(), None);
        assert_eq!(figures::read(&ears.counts.missed), 4);
        ears.hear(word(7));
        assert_eq!(ears.take(), Some(word(7)), "and all is as before");
    }

    #[test]
    fn long_messages_count_by_their_bytes() {
        let ears = Ears::new(Arc::default(), Arc::default(), 1);
        (0..3).for_each(|_| ears.hear(Heard::Message(vec![0; MOST_BYTES / 2])));
        let heard: Vec<Heard> = std::iter::from_fn(|| ears.take()).collect();
        assert_eq!(heard.len(), 3);
        assert_eq!(heard.last(), Some(&Heard::Again));
    }
}
