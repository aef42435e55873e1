//! How messages come into the row and leave it, with all that is counted and found by.
//!
//! [`GroupTopics::enter`], [`GroupTopics::leave`] and [`GroupTopics::mark`] keep the books, whatever that means to anybody;
//! the others say what it means, and note what they touch.

use super::{GroupTopics, Kept};
use crate::{clock::Timestamp, model::topic::Topic};

impl GroupTopics {
    /// Has a message that has its offset, and was not there, in the row and all indexes. A topic has one value: the last that
    /// entered.
    pub(super) fn enter(&mut self, kept: Kept) {
        let (offset, bytes) = (kept.offset(), kept.bytes());
        let standing = self.topics.entry(kept.message.topic.clone()).or_default();
        self.idle.remove(&standing.dropped);
        if let Some(until) = kept.history {
            // Nearly always behind all others.
            let place = match standing.history.back() {
                Some(last) if *last > offset => {
                    standing.history.partition_point(|other| *other < offset)
                }
                _ => standing.history.len(),
            };
            standing.history.insert(place, offset);
            self.history.insert(offset);
            self.history_bytes += bytes;
            if kept.is_visitor {
                self.of_visitors.history.insert(offset);
                self.of_visitors.history_bytes += bytes;
            }
            self.expiries.insert((until, offset));
        }
        if let Some(until) = kept.retained {
            standing.retained = Some(offset);
            self.retained.insert(offset);
            self.retained_bytes += bytes;
            if kept.is_visitor {
                self.of_visitors.retained += 1;
                self.of_visitors.retained_bytes += bytes;
            }
            self.expiries.insert((until, offset));
        }
        self.row.insert(offset, kept);
    }

    /// Takes a message out of the row and all indexes, if it is there.
    pub(super) fn leave(&mut self, offset: u64) -> Option<Kept> {
        let kept = self.row.remove(&offset)?;
        let bytes = kept.bytes();
        if kept.history.is_some() {
            self.history.remove(&offset);
            self.history_bytes -= bytes;
            if kept.is_visitor {
                self.of_visitors.history.remove(&offset);
                self.of_visitors.history_bytes -= bytes;
            }
        }
        if kept.retained.is_some() {
            self.retained.remove(&offset);
            self.retained_bytes -= bytes;
            if kept.is_visitor {
                self.of_visitors.retained -= 1;
                self.of_visitors.retained_bytes -= bytes;
            }
        }
        for until in [kept.history, kept.retained].into_iter().flatten() {
            self.expiries.remove(&(until, offset));
        }
        let topic = &kept.message.topic;
        if let Some(standing) = self.topics.get_mut(topic) {
            if kept.history.is_some() {
                // Nearly always the first; a message with an expiry of its own may leave before those that are older.
                if standing.history.front() == Some(&offset) {
                    standing.history.pop_front();
                } else {
                    standing.history.retain(|other| *other != offset);
                }
            }
            if standing.retained == Some(offset) {
                standing.retained = None;
            }
            if standing.history.is_empty() && standing.retained.is_none() {
                let dropped = standing.dropped;
                if dropped > 0 {
                    self.idle.insert(dropped, topic.clone());
                } else {
                    self.topics.remove(topic);
                }
            }
        }
        Some(kept)
    }

    /// Has the topic remember this as the newest offset that left it; 0 for none.
    pub(super) fn mark(&mut self, topic: &Topic, dropped: u64) {
        let standing = self.topics.entry(topic.clone()).or_default();
        let is_idle = standing.history.is_empty() && standing.retained.is_none();
        self.lossy.remove(&standing.dropped);
        self.idle.remove(&standing.dropped);
        standing.dropped = dropped;
        if dropped > 0 {
            self.lossy.insert(dropped, topic.clone());
            if is_idle {
                self.idle.insert(dropped, topic.clone());
            }
        } else if is_idle {
            self.topics.remove(topic);
        }
    }

    /// Keeps a message that has its offset. A retained value takes the place of the old one.
    pub(super) fn keep(&mut self, kept: Kept) {
        let standing = self.topics.get(&kept.message.topic);
        let replaced = standing.and_then(|standing| standing.retained);
        let replaced = replaced.filter(|_| kept.retained.is_some());
        self.touch(kept.offset());
        self.enter(kept);
        replaced.into_iter().for_each(|old| self.end_retained(old));
    }

    pub(super) fn end_history(&mut self, offset: u64) {
        self.end_part(offset, |kept| kept.history = None);
    }

    pub(super) fn end_retained(&mut self, offset: u64) {
        self.end_part(offset, |kept| kept.retained = None);
    }

    /// What `end` ends is over; the message leaves if nothing else keeps it.
    fn end_part(&mut self, offset: u64, end: impl FnOnce(&mut Kept)) {
        self.touch(offset);
        let Some(mut kept) = self.leave(offset) else { return };
        end(&mut kept);
        if kept.history.is_some() || kept.retained.is_some() {
            return self.enter(kept);
        }
        let topic = &kept.message.topic;
        let newest = self
            .topics
            .get(topic)
            .and_then(|standing| standing.retained.max(standing.history.back().copied()));
        // Of a state, older ones are no loss while there is a newer one.
        let is_loss = !kept.latest || newest <= Some(offset);
        let dropped = self.topics.get(topic).map_or(0, |standing| standing.dropped);
        if is_loss && offset > dropped {
            self.touch_mark(topic);
            self.mark(topic, offset);
        }
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some((until, offset)) =
            self.expiries.first().copied().filter(|(until, _)| *until <= now)
        {
            self.expiries.pop_first();
            let Some(kept) = self.row.get(&offset) else { continue };
            let (history, retained) = (kept.history == Some(until), kept.retained == Some(until));
            if history {
                self.end_history(offset);
            }
            if retained {
                self.end_retained(offset);
            }
        }
    }
}
