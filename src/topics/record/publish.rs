//! Messages are published: what is kept of each, and what goes for it.

use std::{
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::Arc,
};

use super::{Effect, GroupRules, GroupTopics, KeepLimits, Kept, Place, Publication, Reply};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        topic::Message,
    },
    store::Refusal,
};

impl GroupTopics {
    /// Publishes these by `publish`, in their order. One that panics there is undone and refused as `internal`, and costs the
    /// others nothing. But where each one does, the record may be broken: that panic goes on to the engine, which knows what
    /// becomes of such a one.
    pub(super) fn publish_all(
        &mut self,
        all: Vec<Publication>,
        effects: &mut Vec<Effect>,
        mut publish: impl FnMut(&mut Self, Publication, &mut Vec<Effect>) -> Place,
    ) -> Reply {
        let (mut reply, mut faults) = (Reply::with_capacity(all.len()), Vec::new());
        for one in all {
            let (before, told) = (self.waypoint(), effects.len());
            let place = catch_unwind(AssertUnwindSafe(|| publish(self, one, effects)));
            reply.push(place.unwrap_or_else(|fault| {
                self.go_back_to(before);
                effects.truncate(told);
                faults.push(fault);
                Err(Refusal::Fault.into())
            }));
        }
        match faults.pop() {
            Some(fault) if faults.len() + 1 == reply.len() => resume_unwind(fault),
            _ => reply,
        }
    }

    /// Publishes one message. On a problem nothing of it stays.
    pub(super) fn publish(
        &mut self,
        publication: Publication,
        now: Timestamp,
        group: &GroupRules,
        limits: &KeepLimits,
        effects: &mut Vec<Effect>,
    ) -> Place {
        let Publication { topic, data, retain, expiry_ms, from, is_visitor } = publication;
        let latest = group.is_latest(&topic);
        let clears = retain && data.text() == "null";
        let life = |longest: u64| now + expiry_ms.map_or(longest, |expiry| expiry.min(longest));
        let most = if latest { group.history.min(1) } else { group.history };
        let mut kept = Kept {
            message: Arc::new(Message { topic, data, at: now, position: None }),
            history: (most > 0).then(|| life(group.history_ms)),
            retained: (retain && !clears).then(|| life(limits.retained_ms)),
            latest,
            is_visitor,
        };
        if kept.retained.is_some() {
            self.check_room(&kept, limits)?;
        }
        let topic = kept.message.topic.clone();
        if kept.history.is_some() || retain {
            self.last += 1;
            Arc::make_mut(&mut kept.message).position = Some(self.position());
        }
        effects.push(Effect::Published { message: Arc::clone(&kept.message), from });
        if kept.history.is_some() || kept.retained.is_some() {
            self.keep(kept);
        }
        if clears {
            let old = self.topics.get(&topic).and_then(|standing| standing.retained);
            old.into_iter().for_each(|old| self.end_retained(old));
        }
        while self.topics.get(&topic).is_some_and(|standing| standing.history.len() > most) {
            let oldest = self.topics.get(&topic).and_then(|standing| standing.history.front());
            let Some(oldest) = oldest.copied() else { break };
            self.end_history(oldest);
        }
        while self.of_visitors.history_bytes > limits.of_visitors(limits.history_bytes) {
            let Some(oldest) = self.of_visitors.history.first().copied() else { break };
            self.end_history(oldest);
        }
        while self.history_bytes > limits.history_bytes {
            let Some(oldest) = self.history.first().copied() else { break };
            self.end_history(oldest);
        }
        while self.idle.len() > limits.topics {
            let Some((dropped, topic)) = self.idle.pop_first() else { break };
            self.forgotten = self.forgotten.max(dropped);
            self.touch_mark(&topic);
            self.mark(&topic, 0);
        }
        Ok(self.position())
    }

    /// Whether there is room for one more retained value.
    fn check_room(&self, kept: &Kept, limits: &KeepLimits) -> Result<(), Problem> {
        let standing = self.topics.get(&kept.message.topic);
        let old = standing.and_then(|standing| self.row.get(&standing.retained?));
        let all = (self.retained.len(), self.retained_bytes);
        room_for("a group", kept, old, all, (limits.topics, limits.retained_bytes))?;
        if !kept.is_visitor {
            return Ok(());
        }
        let old = old.filter(|old| old.is_visitor);
        let of_visitors = (self.of_visitors.retained, self.of_visitors.retained_bytes);
        let most = (limits.of_visitors(limits.topics), limits.of_visitors(limits.retained_bytes));
        room_for("the visitors of a group", kept, old, of_visitors, most)
    }
}

/// Whether those who have so many values of so many bytes have room for one more, in place of the old one of its topic.
fn room_for(
    whose: &str,
    kept: &Kept,
    old: Option<&Kept>,
    (topics, bytes): (usize, usize),
    (most_topics, most_bytes): (usize, usize),
) -> Result<(), Problem> {
    if topics + usize::from(old.is_none()) > most_topics {
        let sentence = format!("{whose} may have {most_topics} topics with a retained value");
        return Err(Problem::new(ErrorCode::TooMany, sentence));
    }
    if bytes + kept.bytes() - old.map_or(0, Kept::bytes) > most_bytes {
        let sentence = format!("the retained values of {whose} may have {most_bytes} bytes in all");
        return Err(Problem::new(ErrorCode::TooMany, sentence));
    }
    Ok(())
}
