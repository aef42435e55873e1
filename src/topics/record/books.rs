//! How messages come into the row and leave it, with all that is counted and found by.

use super::{GroupTopics, Kept};
use crate::clock::Timestamp;

impl GroupTopics {
    /// Enters a message that has its offset in the row and all indexes. A retained value takes the place of the old one.
    pub(super) fn keep(&mut self, kept: Kept) {
        let (offset, bytes) = (kept.offset(), kept.bytes());
        let standing = self.topics.entry(kept.message.topic.clone()).or_default();
        self.idle.remove(&standing.dropped);
        let mut replaced = None;
        if let Some(until) = kept.history {
            standing.history.push_back(offset);
            self.history.insert(offset);
            self.history_bytes += bytes;
            if kept.is_visitor {
                self.of_visitors.history.insert(offset);
                self.of_visitors.history_bytes += bytes;
            }
            self.expiries.insert((until, offset));
        }
        if let Some(until) = kept.retained {
            replaced = standing.retained.replace(offset);
            self.retained.insert(offset);
            self.retained_bytes += bytes;
            if kept.is_visitor {
                self.of_visitors.retained += 1;
                self.of_visitors.retained_bytes += bytes;
            }
            self.expiries.insert((until, offset));
        }
        self.row.insert(offset, kept);
        if let Some(old) = replaced {
            self.leave_retained(old);
        }
    }

    pub(super) fn end_history(&mut self, offset: u64) {
        let Some(kept) = self.row.get_mut(&offset) else { return };
        let Some(until) = kept.history.take() else { return };
        self.history_bytes -= kept.bytes();
        if kept.is_visitor {
            self.of_visitors.history.remove(&offset);
            self.of_visitors.history_bytes -= kept.bytes();
        }
        if kept.retained != Some(until) {
            self.expiries.remove(&(until, offset));
        }
        self.history.remove(&offset);
        if let Some(standing) = self.topics.get_mut(&kept.message.topic) {
            // Nearly always the first; a message with an expiry of its own may leave before those that are older.
            if standing.history.front() == Some(&offset) {
                standing.history.pop_front();
            } else {
                standing.history.retain(|other| *other != offset);
            }
        }
        self.drop_unless_kept(offset);
    }

    pub(super) fn end_retained(&mut self, offset: u64) {
        if let Some(kept) = self.row.get(&offset)
            && let Some(standing) = self.topics.get_mut(&kept.message.topic)
            && standing.retained == Some(offset)
        {
            standing.retained = None;
        }
        self.leave_retained(offset);
    }

    fn leave_retained(&mut self, offset: u64) {
        let Some(kept) = self.row.get_mut(&offset) else { return };
        let Some(until) = kept.retained.take() else { return };
        self.retained_bytes -= kept.bytes();
        if kept.is_visitor {
            self.of_visitors.retained -= 1;
            self.of_visitors.retained_bytes -= kept.bytes();
        }
        if kept.history != Some(until) {
            self.expiries.remove(&(until, offset));
        }
        self.retained.remove(&offset);
        self.drop_unless_kept(offset);
    }

    fn drop_unless_kept(&mut self, offset: u64) {
        let is_kept = |kept: &Kept| kept.history.is_some() || kept.retained.is_some();
        if self.row.get(&offset).is_none_or(is_kept) {
            return;
        }
        let Some(kept) = self.row.remove(&offset) else { return };
        let topic = &kept.message.topic;
        let Some(standing) = self.topics.get_mut(topic) else { return };
        // Of a state, older ones are no loss while there is a newer one.
        let has_newer =
            kept.latest && (standing.retained.max(standing.history.back().copied())) > Some(offset);
        if !has_newer && offset > standing.dropped {
            self.lossy.remove(&standing.dropped);
            standing.dropped = offset;
            self.lossy.insert(offset, topic.clone());
        }
        if standing.history.is_empty() && standing.retained.is_none() {
            if standing.dropped > 0 {
                self.idle.insert(standing.dropped, topic.clone());
            } else {
                self.topics.remove(topic);
            }
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
