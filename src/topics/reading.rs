//! Reading what is kept of a group.

use super::{
    group::GroupHub,
    handle::Topics,
    record::{Command, GroupTopics, Most, Page, RetainedPage},
};
use crate::{
    model::{
        error::Problem,
        ids::GroupId,
        topic::{Position, Topic, TopicFilter},
    },
    store::{Afterwards, Engine as _, Expect, Reader, Refusal},
};

/// What one reads of what is kept.
#[derive(Clone, Debug)]
pub struct HistoryWish {
    /// Of which topics.
    pub filter: TopicFilter,
    /// Behind which place; `None` for all that is kept.
    pub after: Option<Position>,
    /// At most so many messages.
    pub most: usize,
}

impl Topics {
    /// Reads retained values in the order of their topics, behind the topic `after`.
    pub fn retained(
        &self,
        group: GroupId,
        filter: TopicFilter,
        after: Option<Topic>,
        most: usize,
        answer: impl FnOnce(Result<RetainedPage, Problem>) + Send + 'static,
    ) {
        self.read(group, move |record| record.retained(&filter, after.as_ref(), most), answer);
    }

    /// Reads what is kept behind a place, in the order in which it was published. With whether something is missing there.
    pub fn history(
        &self,
        group: GroupId,
        wish: HistoryWish,
        answer: impl FnOnce(Result<Page, Problem>) + Send + 'static,
    ) {
        let keeps = self.shared.hub.group(&group).is_ok_and(GroupHub::keeps);
        let (topics, of, after) = (self.clone(), group.clone(), wish.after);
        let look = move |record: &GroupTopics| {
            let place = after.unwrap_or(Position { offset: 0, ..record.position() });
            let (reading, anew) = record.resume(place.into());
            let most = Most { bytes: usize::MAX, messages: wish.most };
            let mut page = record.page(&wish.filter, reading, most);
            page.missed = after.is_some() && (page.missed || anew || !keeps);
            (page, wish)
        };
        self.read(group, look, move |looked| match looked {
            Ok((page, wish)) => topics.gather(of, wish, page, answer),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// Adds to what was read what comes behind it, as far as it is wanted.
    fn gather(
        &self,
        group: GroupId,
        wish: HistoryWish,
        mut page: Page,
        answer: impl FnOnce(Result<Page, Problem>) + Send + 'static,
    ) {
        let most = wish.most.saturating_sub(page.messages.len());
        let Some(reading) = page.more.filter(|_| most > 0) else { return answer(Ok(page)) };
        let (topics, of) = (self.clone(), group.clone());
        let look = move |record: &GroupTopics| {
            let most = Most { bytes: usize::MAX, messages: most };
            let more = record.page(&wish.filter, reading, most);
            page.messages.extend(more.messages);
            page.missed |= more.missed && wish.after.is_some();
            (Page { more: more.more, position: more.position, ..page }, wish)
        };
        self.read_later(group, look, move |looked| match looked {
            Ok((page, wish)) => topics.gather(of, wish, page, answer),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// Gives what `look` says of a group's record, which is begun where there is none. Nothing is published between the
    /// look and `answer`.
    pub(super) fn read<T: Send + 'static>(
        &self,
        group: GroupId,
        look: impl FnOnce(&GroupTopics) -> T + Send + 'static,
        answer: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) {
        if let Ok(group) = self.shared.hub.group(&group) {
            group.use_it();
        }
        self.engine.read(group.clone(), self.reader(group, look, answer));
    }

    /// The same, when those who wait already had their turn.
    pub(super) fn read_later<T: Send + 'static>(
        &self,
        group: GroupId,
        look: impl FnOnce(&GroupTopics) -> T + Send + 'static,
        answer: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) {
        self.engine.read_later(group.clone(), self.reader(group, look, answer));
    }

    fn reader<T: Send + 'static>(
        &self,
        of: GroupId,
        look: impl FnOnce(&GroupTopics) -> T + Send + 'static,
        answer: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) -> Reader<GroupTopics> {
        let again = self.clone();
        Box::new(move |record: Result<Option<&GroupTopics>, Refusal>| -> Afterwards {
            match record {
                Ok(Some(record)) => {
                    let looked = look(record);
                    Box::new(move || answer(Ok(looked)))
                }
                Ok(None) => Box::new(move || again.open(of, look, answer)),
                Err(refusal) => Box::new(move || answer(Err(refusal.into()))),
            }
        })
    }

    fn open<T: Send + 'static>(
        &self,
        group: GroupId,
        look: impl FnOnce(&GroupTopics) -> T + Send + 'static,
        answer: impl FnOnce(Result<T, Problem>) + Send + 'static,
    ) {
        let (again, of) = (self.clone(), group.clone());
        let sink = Box::new(move |opened: Result<_, Refusal>| match opened {
            Ok(_) => again.read(of, look, answer),
            Err(refusal) => answer(Err(refusal.into())),
        });
        self.engine.submit(group, Expect::Any, Command::Open, sink);
    }
}
