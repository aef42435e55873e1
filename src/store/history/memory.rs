//! The side in memory.

use parking_lot::Mutex;

use super::{ConsentLine, HistoryStore, Line, PastQuery, PastSession};
use crate::{
    clock::Timestamp,
    model::ids::{GroupId, SessionId},
    store::{revoked::Answer, saved::StorageError},
};

/// A history that is forgotten with the process.
#[derive(Debug, Default)]
pub struct MemoryHistory(pub(super) Mutex<Vec<Line>>);

impl MemoryHistory {
    pub(super) fn select<T>(&self, take: impl FnMut(&Line) -> Option<T>) -> Vec<T> {
        self.0.lock().iter().filter_map(take).collect()
    }

    fn past(&self, wanted: impl Fn(&PastSession) -> bool) -> Vec<PastSession> {
        self.select(|line| match line {
            Line::Session(past) if wanted(past) => Some(past.clone()),
            _ => None,
        })
    }
}

pub(super) fn at_once<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(Ok::<_, StorageError>(value)))
}

impl HistoryStore for MemoryHistory {
    fn put(&self, lines: Vec<Line>) -> Answer<'_, ()> {
        let mut kept = self.0.lock();
        for line in lines {
            if matches!(line, Line::Consent(_)) && kept.contains(&line) {
                continue;
            }
            kept.retain(|old| match (old, &line) {
                (Line::Session(old), Line::Session(new)) => {
                    (&old.group, old.session) != (&new.group, new.session)
                }
                (Line::Chat(old), Line::Chat(new)) => {
                    (&old.group, old.chat) != (&new.group, new.chat)
                }
                (Line::Said(old), Line::Said(new)) => {
                    (&old.group, old.chat, old.n) != (&new.group, new.chat, new.n)
                }
                _ => true,
            });
            kept.push(line);
        }
        at_once(())
    }

    fn session<'a>(
        &'a self,
        group: &'a GroupId,
        session: SessionId,
    ) -> Answer<'a, Option<PastSession>> {
        at_once(self.past(|past| past.group == *group && past.session == session).pop())
    }

    fn sessions(&self, query: PastQuery) -> Answer<'_, Vec<PastSession>> {
        let mut found = self.past(|past| {
            past.group == query.group
                && query.visitor.as_ref().is_none_or(|visitor| past.visitor == *visitor)
                && query.before.is_none_or(|before| past.session < before)
        });
        found.sort_by_key(|past| std::cmp::Reverse(past.session));
        found.truncate(query.limit);
        at_once(found)
    }

    fn consents<'a>(
        &'a self,
        group: &'a GroupId,
        session: SessionId,
    ) -> Answer<'a, Vec<ConsentLine>> {
        at_once(self.select(|line| match line {
            Line::Consent(line) if line.group == *group && line.session == session => {
                Some(line.clone())
            }
            _ => None,
        }))
    }

    fn forget_before(&self, sessions: Timestamp, consents: Timestamp) -> Answer<'_, ()> {
        self.0.lock().retain(|line| match line {
            Line::Session(past) => past.ended >= sessions,
            Line::Consent(line) => line.time >= consents,
            Line::Chat(_) | Line::Said(_) => true,
        });
        at_once(())
    }
}
