//! The leaves in which a server keeps a group's messages: `m` and its offset for each message, `t` and its name for each topic
//! that lost something; in the row stands where the numbers end. And what a command changed of that, which is written, or
//! undone.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Checkpoint, GroupTopics, Kept};
use crate::{
    model::topic::{Epoch, Topic},
    store::{Leaf, Record as _, Written},
};

/// What few changes need stays allotted.
const SMALL: usize = 64;

/// What stands in the row.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct End {
    epoch: Epoch,
    last: u64,
    forgotten: u64,
}

/// What a command changed: messages by their offsets and topics' marks, each as it was before. Of one that was changed more
/// than once the first counts.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    messages: Vec<(u64, Option<Kept>)>,
    marks: Vec<(Topic, u64)>,
}

impl Touched {
    /// The next command begins.
    pub(super) fn forget(&mut self) {
        if self.messages.capacity().max(self.marks.capacity()) > SMALL {
            *self = Self::default();
        }
        self.messages.clear();
        self.marks.clear();
    }
}

/// A place on the way of a command.
#[derive(Clone, Copy)]
pub(super) struct Waypoint {
    end: Checkpoint,
    messages: usize,
    marks: usize,
}

fn message_leaf(offset: u64, kept: Option<&Kept>) -> serde_json::Result<Leaf> {
    Ok((format!("m{offset}"), kept.map(serde_json::to_vec).transpose()?))
}

fn mark_leaf(topic: &Topic, dropped: u64) -> Leaf {
    (format!("t{topic}"), (dropped > 0).then(|| dropped.to_string().into()))
}

impl GroupTopics {
    /// The message of this offset is about to change, to come or to leave.
    pub(super) fn touch(&mut self, offset: u64) {
        self.touched.messages.push((offset, self.row.get(&offset).cloned()));
    }

    /// What the topic remembers is about to change.
    pub(super) fn touch_mark(&mut self, topic: &Topic) {
        let dropped = self.dropped(topic);
        self.touched.marks.push((topic.clone(), dropped));
    }

    /// The newest offset that left the topic; 0 for none.
    fn dropped(&self, topic: &Topic) -> u64 {
        self.topics.get(topic).map_or(0, |standing| standing.dropped)
    }

    pub(super) fn end(&self) -> End {
        End { epoch: self.epoch, last: self.last, forgotten: self.forgotten }
    }

    pub(super) fn all_leaves(&self) -> serde_json::Result<Vec<Leaf>> {
        let messages = self.row.iter().map(|(offset, kept)| message_leaf(*offset, Some(kept)));
        let marks = self.lossy.iter().map(|(dropped, topic)| Ok(mark_leaf(topic, *dropped)));
        messages.chain(marks).collect()
    }

    pub(super) fn changed_leaves(&self) -> serde_json::Result<Vec<Leaf>> {
        let Touched { messages, marks } = &self.touched;
        let messages: BTreeSet<u64> = messages.iter().map(|(offset, _)| *offset).collect();
        let messages =
            messages.into_iter().map(|offset| message_leaf(offset, self.row.get(&offset)));
        let marks: BTreeSet<&Topic> = marks.iter().map(|(topic, _)| topic).collect();
        let marks = marks.into_iter().map(|topic| Ok(mark_leaf(topic, self.dropped(topic))));
        messages.chain(marks).collect()
    }

    /// All that the last command changed is again as it was, but for the end of the row.
    pub(super) fn undo(&mut self) {
        let Touched { messages, marks } = std::mem::take(&mut self.touched);
        self.put_back(messages, marks);
    }

    /// How far the command is.
    pub(super) fn waypoint(&self) -> Waypoint {
        let Touched { messages, marks } = &self.touched;
        Waypoint { end: self.checkpoint(), messages: messages.len(), marks: marks.len() }
    }

    /// All that was changed since is again as it was then.
    pub(super) fn go_back_to(&mut self, Waypoint { end, messages, marks }: Waypoint) {
        (self.last, self.forgotten) = (end.last, end.forgotten);
        let messages = self.touched.messages.drain(messages..).collect();
        let marks = self.touched.marks.drain(marks..).collect();
        self.put_back(messages, marks);
    }

    fn put_back(&mut self, messages: Vec<(u64, Option<Kept>)>, marks: Vec<(Topic, u64)>) {
        // The first that is noted of each is what there was.
        self.put_in_place(messages.into_iter().rev().collect(), marks.into_iter().rev().collect());
    }

    /// Takes over what a server has of the row, and of the leaves that differ.
    pub(super) fn take_over(&mut self, changed: &Written) -> serde_json::Result<()> {
        let end: End = serde_json::from_slice(&changed.row)?;
        (self.epoch, self.last, self.forgotten) = (end.epoch, end.last, end.forgotten);
        let (mut messages, mut marks) = (BTreeMap::new(), BTreeMap::new());
        let wrong = |name: &str| serde::de::Error::custom(format!("{name} is no leaf of topics"));
        for (name, leaf) in &changed.leaves {
            let leaf = leaf.as_deref();
            if let Some(offset) = name.strip_prefix('m') {
                let offset = offset.parse::<u64>().map_err(|_| wrong(name))?;
                messages.insert(offset, leaf.map(serde_json::from_slice).transpose()?);
            } else if let Some(topic) = name.strip_prefix('t') {
                let topic = topic.parse::<Topic>().map_err(|_| wrong(name))?;
                let dropped = leaf.map(serde_json::from_slice).transpose()?;
                marks.insert(topic, dropped.unwrap_or(0));
            } else {
                return Err(wrong(name));
            }
        }
        self.put_in_place(messages, marks);
        self.touched.forget();
        Ok(())
    }

    /// Has these messages and marks as they are given; the others stay.
    fn put_in_place(&mut self, messages: BTreeMap<u64, Option<Kept>>, marks: BTreeMap<Topic, u64>) {
        for offset in messages.keys() {
            self.leave(*offset);
        }
        messages.into_values().flatten().for_each(|kept| self.enter(kept));
        for (topic, dropped) in marks {
            self.mark(&topic, dropped);
        }
    }
}
