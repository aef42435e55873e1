//! Reading what is kept, page by page.

use std::{ops::Bound, sync::Arc};

use super::{GroupTopics, Kept};
use crate::model::topic::{Message, Position, Topic, TopicFilter};

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Offsets up to this one are read.
    after: u64,
    /// Of messages up to this offset only retained values are wanted.
    retained_to: u64,
}

/// A part of what a reader wants.
#[derive(Clone, Debug)]
pub struct Page {
    /// The messages in the order of the row, each with whether it is a retained value from before.
    pub messages: Vec<(Arc<Message>, bool)>,
    /// Whether messages for him left the row before he read them.
    pub missed: bool,
    /// How far he is now, if there is more.
    pub more: Option<Reading>,
    /// What he knows when he has read this.
    pub position: Position,
}

/// Retained values by topic.
#[derive(Clone, Debug)]
pub struct RetainedPage {
    /// In the order of their topics.
    pub messages: Vec<Arc<Message>>,
    /// Whether there are more behind the last one.
    pub more: bool,
}

impl GroupTopics {
    /// Where a new reader begins: with retained values if he wants them, or with the next message.
    #[must_use]
    pub fn begin(&self, retained: bool) -> Reading {
        let after = if retained { 0 } else { self.last };
        Reading { after, retained_to: self.last }
    }

    /// Where a reader goes on who knows all up to `position`. Whether he has missed something for certain, because the row
    /// is another one: then he begins anew, with retained values.
    #[must_use]
    pub fn resume(&self, position: Position) -> (Reading, bool) {
        if position.epoch != self.epoch || position.offset > self.last {
            return (self.begin(true), true);
        }
        (Reading { after: position.offset, retained_to: position.offset }, false)
    }

    /// Reads on, about `most_bytes` of messages and `most` of them, at least one of each.
    #[must_use]
    pub fn page(
        &self,
        filter: &TopicFilter,
        reading: Reading,
        most_bytes: usize,
        most: usize,
    ) -> Page {
        let missed = self.misses(filter, reading);
        let mut page = Page { messages: Vec::new(), missed, more: None, position: self.position() };
        let mut bytes = 0;
        for (offset, kept) in self.row.range(reading.after + 1..) {
            let is_retained = *offset <= reading.retained_to;
            if is_retained && kept.retained.is_none() || !filter.matches(&kept.message.topic) {
                continue;
            }
            if bytes >= most_bytes || page.messages.len() >= most {
                let read = page.messages.last().and_then(|(message, _)| message.position);
                page.position.offset = read.map_or(reading.after, |position| position.offset);
                page.more = Some(Reading { after: page.position.offset, ..reading });
                break;
            }
            bytes += kept.bytes();
            page.messages.push((Arc::clone(&kept.message), is_retained));
        }
        page
    }

    /// The place behind which all is news for this reader.
    #[must_use]
    pub fn start_of(&self, reading: Reading) -> Position {
        Position { offset: reading.retained_to, ..self.position() }
    }

    /// Whether messages that he has not read left the row.
    #[must_use]
    pub fn misses(&self, filter: &TopicFilter, reading: Reading) -> bool {
        self.has_dropped(filter, reading.after.max(reading.retained_to))
    }

    /// Whether messages behind `after` that the filter chooses left the row.
    fn has_dropped(&self, filter: &TopicFilter, after: u64) -> bool {
        self.forgotten > after
            || self.chosen(filter, None).any(|topic| {
                self.topics.get(topic).is_some_and(|standing| standing.dropped > after)
            })
    }

    /// Reads retained values in the order of their topics, behind the topic `after`.
    #[must_use]
    pub fn retained(
        &self,
        filter: &TopicFilter,
        after: Option<&Topic>,
        most: usize,
    ) -> RetainedPage {
        let value =
            |topic: &Topic| -> Option<&Kept> { self.row.get(&self.topics.get(topic)?.retained?) };
        let mut values = self.chosen(filter, after).filter_map(value);
        let messages = values.by_ref().take(most).map(|kept| Arc::clone(&kept.message)).collect();
        RetainedPage { messages, more: values.next().is_some() }
    }

    /// The topics that a filter chooses, behind `after`. Looks only at those with the filter's beginning.
    fn chosen<'a>(
        &'a self,
        filter: &'a TopicFilter,
        after: Option<&Topic>,
    ) -> impl Iterator<Item = &'a Topic> {
        let prefix = filter.prefix();
        let begins: Option<Topic> = prefix.parse().ok();
        let from = match (after, &begins) {
            (Some(after), Some(begins)) if *begins > *after => Bound::Included(begins),
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(begins)) => Bound::Included(begins),
            (None, None) => Bound::Unbounded,
        };
        let topics =
            self.topics.range::<Topic, _>((from, Bound::Unbounded)).map(|(topic, _)| topic);
        topics
            .take_while(move |topic| topic.as_str().starts_with(prefix))
            .filter(|topic| filter.matches(topic))
    }
}
