//! Reading what is kept, page by page.
//!
//! A page is bounded in what it holds and in what is looked at for it, however much is kept. A filter that can choose only
//! few topics is answered from those; for others the row is walked.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Bound, sync::Arc};

use super::{GroupTopics, Kept, MESSAGE_COST, Standing};
use crate::model::topic::{Epoch, Message, Position, Resume, Topic, TopicFilter};

/// Most places of the row that are looked at for one page. So few in tests that they come there.
const PLACES: usize = if cfg!(test) { 4 } else { 4_096 };
/// Most topics that are read one by one.
const FEW: usize = if cfg!(test) { 2 } else { 16 };
/// Most topics that are asked for what they lost. Where more may have lost something, who comes back is told that he did.
const MARKS: usize = if cfg!(test) { 32 } else { 16_384 };

/// How far a reader is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// In the row that began with this.
    epoch: Epoch,
    /// Offsets up to this one are read.
    after: u64,
    /// Of messages up to this offset only retained values are wanted.
    retained_to: u64,
    /// Messages behind this offset come to him otherwise.
    until: u64,
    /// He was told that he missed something, when this was the last offset.
    told: u64,
}

impl Reading {
    /// All behind a place.
    #[must_use]
    pub fn behind(Position { epoch, offset }: Position) -> Self {
        Self { epoch, after: offset, retained_to: offset, until: u64::MAX, told: 0 }
    }
}

/// The most that a page may hold.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// About so many bytes, as they are sent; the last message may pass the bound.
    pub bytes: usize,
    /// So many messages.
    pub messages: usize,
}

impl Most {
    /// Nothing: to learn whether there is anything to read.
    pub const NOTHING: Self = Self { bytes: 0, messages: 0 };
}

/// A part of what a reader wants.
#[derive(Clone, Debug)]
pub struct Page {
    /// The messages in the order of the row, each with whether it is a retained value from before.
    pub messages: Vec<(Arc<Message>, bool)>,
    /// Whether messages for him left the row before he read them, and he was not told yet.
    pub missed: bool,
    /// How far he is now, if there may be more.
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
        Reading { after, retained_to: self.last, ..Reading::behind(self.position()) }
    }

    /// Where a reader goes on. Whether he has missed something for certain, because the row is another one: then he begins
    /// anew, with retained values.
    #[must_use]
    pub fn resume(&self, resume: Resume) -> (Reading, bool) {
        let Resume { epoch, offset, retained } = resume;
        if epoch != self.epoch || offset > self.last {
            return (self.begin(true), true);
        }
        let after = retained.unwrap_or(offset).min(offset);
        (Reading { after, ..Reading::behind(Position { epoch, offset }) }, false)
    }

    /// The same reader, to whom all that is published from now on comes without his reading it here.
    #[must_use]
    pub fn until_now(&self, reading: Reading) -> Reading {
        Reading { until: self.last, ..reading }
    }

    /// Reads on. Whoever read in another row, which was lost, begins with this one.
    #[must_use]
    pub fn page(&self, filter: &TopicFilter, reading: Reading, most: Most) -> Page {
        let is_lost = reading.epoch != self.epoch || reading.retained_to > self.last;
        let start = Position { offset: 0, ..self.position() };
        let reading = if is_lost { Reading::behind(start) } else { reading };
        let missed = is_lost || self.misses(filter, reading);
        let mut page = Page { messages: Vec::new(), missed, more: None, position: self.position() };
        let (mut bytes, mut places, mut read) = (0, 0, reading.after);
        for (offset, kept) in self.places(filter, reading) {
            places += 1;
            let is_chosen = filter.matches(&kept.message.topic);
            let is_full = bytes >= most.bytes || page.messages.len() >= most.messages;
            if places > PLACES || is_chosen && is_full {
                let told = if missed { self.last } else { reading.told };
                page.position.offset = read;
                page.more = Some(Reading { after: read, told, ..reading });
                break;
            }
            read = offset;
            if is_chosen {
                bytes += kept.sent_bytes();
                page.messages.push((Arc::clone(&kept.message), offset <= reading.retained_to));
            }
        }
        page
    }

    /// The place behind which all is news for this reader.
    #[must_use]
    pub fn start_of(&self, reading: Reading) -> Position {
        Position { offset: reading.retained_to, ..self.position() }
    }

    /// Whether messages left the row that he has not read, and has not been told of.
    #[must_use]
    pub fn misses(&self, filter: &TopicFilter, reading: Reading) -> bool {
        // To whom news comes otherwise, nothing is lost here.
        if reading.until < u64::MAX {
            return false;
        }
        let known = reading.after.max(reading.retained_to).max(reading.told);
        if self.forgotten > known {
            return true;
        }
        if let Some(few) = self.few(filter) {
            return few.iter().any(|standing| standing.dropped > known);
        }
        let mut lossy = self.lossy.range((Bound::Excluded(known), Bound::Unbounded)).rev();
        if lossy.by_ref().take(MARKS).any(|(_, topic)| filter.matches(topic)) {
            return true;
        }
        if lossy.next().is_none() {
            return false;
        }
        // Those that begin as the filter does may be fewer.
        let mut alike = self.beginning(filter, None);
        let is_lost = |(topic, standing): (&Topic, &Standing)| {
            standing.dropped > known && filter.matches(topic)
        };
        alike.by_ref().take(MARKS).any(is_lost) || alike.next().is_some()
    }

    /// The messages that are to be looked at for this reader, in their order.
    fn places<'a>(
        &'a self,
        filter: &TopicFilter,
        reading: Reading,
    ) -> Box<dyn Iterator<Item = (u64, &'a Kept)> + 'a> {
        let Reading { after, retained_to, until, .. } = reading;
        let news =
            (Bound::Excluded(after.max(retained_to)), Bound::Included(until.max(retained_to)));
        let place = |offset: u64| Some((offset, self.row.get(&offset)?));
        if let Some(few) = self.few(filter) {
            let streams = few.into_iter().flat_map(|standing| standing.places(reading)).collect();
            return Box::new(merged(streams).filter_map(place));
        }
        let values = (Bound::Excluded(after), Bound::Included(retained_to.max(after)));
        let values = self.retained.range(values).copied().filter_map(place);
        Box::new(values.chain(self.row.range(news).map(|(offset, kept)| (*offset, kept))))
    }

    /// All topics that a filter can choose, where they are few.
    fn few(&self, filter: &TopicFilter) -> Option<Vec<&Standing>> {
        if let Ok(topic) = filter.as_str().parse::<Topic>() {
            return Some(self.topics.get(&topic).into_iter().collect());
        }
        let mut beginning: Vec<_> = self.beginning(filter, None).take(FEW + 1).collect();
        if beginning.len() > FEW {
            return None;
        }
        beginning.retain(|(topic, _)| filter.matches(topic));
        Some(beginning.into_iter().map(|(_, standing)| standing).collect())
    }

    /// Reads retained values in the order of their topics, behind the topic `after`.
    #[must_use]
    pub fn retained(
        &self,
        filter: &TopicFilter,
        after: Option<&Topic>,
        most: usize,
    ) -> RetainedPage {
        let chosen = self.beginning(filter, after).filter(|(topic, _)| filter.matches(topic));
        let mut values = chosen.filter_map(|(_, standing)| self.row.get(&standing.retained?));
        let messages = values.by_ref().take(most).map(|kept| Arc::clone(&kept.message)).collect();
        RetainedPage { messages, more: values.next().is_some() }
    }

    /// The topics that begin as a filter does, behind `after`; those that it chooses are among them.
    fn beginning<'a>(
        &'a self,
        filter: &TopicFilter,
        after: Option<&Topic>,
    ) -> impl Iterator<Item = (&'a Topic, &'a Standing)> {
        let prefix = filter.prefix();
        let begins: Option<Topic> = prefix.parse().ok();
        let from = match (after, &begins) {
            (Some(after), Some(begins)) if *begins > *after => Bound::Included(begins),
            (Some(after), _) => Bound::Excluded(after),
            (None, Some(begins)) => Bound::Included(begins),
            (None, None) => Bound::Unbounded,
        };
        let topics = self.topics.range::<Topic, _>((from, Bound::Unbounded));
        topics.take_while(move |(topic, _)| topic.as_str().starts_with(prefix))
    }
}

impl Standing {
    /// The offsets of this topic that a reader wants: those of its history, and that of its value where it is not among them.
    fn places(&self, reading: Reading) -> [Box<dyn Iterator<Item = u64> + '_>; 2] {
        let Reading { after, retained_to, until, .. } = reading;
        let begin = self.history.partition_point(|offset| *offset <= after.max(retained_to));
        let news = self.history.range(begin..).copied();
        let value = self.retained.filter(|offset| match *offset <= retained_to {
            true => *offset > after,
            false => *offset > after && self.history.binary_search(offset).is_err(),
        });
        let to_the_end = move |offset: &u64| *offset <= until.max(retained_to);
        [Box::new(news.take_while(to_the_end)), Box::new(value.into_iter().filter(to_the_end))]
    }
}

impl Kept {
    /// At least what it takes to send it; in JSON a topic may be six times as long.
    fn sent_bytes(&self) -> usize {
        let Message { topic, data, .. } = &*self.message;
        let escaped = topic.as_str().bytes().filter(|byte| matches!(byte, 0..0x20 | b'"' | b'\\'));
        data.text().len() + topic.as_str().len() + 5 * escaped.count() + MESSAGE_COST
    }
}

/// What several rows of numbers hold, in one order.
fn merged<'a>(mut streams: Vec<impl Iterator<Item = u64> + 'a>) -> impl Iterator<Item = u64> + 'a {
    let heads = streams
        .iter_mut()
        .enumerate()
        .filter_map(|(which, stream)| Some(Reverse((stream.next()?, which))));
    let mut heads: BinaryHeap<_> = heads.collect();
    std::iter::from_fn(move || {
        let Reverse((number, which)) = heads.pop()?;
        let next = streams.get_mut(which).and_then(Iterator::next);
        heads.extend(next.map(|next| Reverse((next, which))));
        Some(number)
    })
}
