//! Messages on their way to the engine. Those of a group go one after another; while some are on their way, others wait, and
//! then go together. So a group publishes as fast as its messages come, however long the way is.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{Arc, atomic::Ordering},
};

use super::{
    group::GroupHub,
    handle::{Shared, Topics},
    record::{Command, Place, Publication, Reply},
};
use crate::{
    model::{
        error::{ErrorCode, Problem},
        ids::GroupId,
    },
    store::{Applied, Engine as _, Expect, Refusal},
};

/// Most messages that go together.
const MOST_AT_ONCE: usize = 256;
/// No more go together when they have so many bytes.
const BYTES_AT_ONCE: usize = 256 * 1_024;
/// Most messages of a group that wait. Beyond, they are refused.
const MOST_WAITING: usize = 32_768;
/// Most bytes of them, likewise.
const BYTES_WAITING: usize = 16 * 1_024 * 1_024;

/// Told what became of a message, before anybody gets it.
pub(super) type Answer = Box<dyn FnOnce(Place) + Send>;

/// Messages of one group that wait.
#[derive(Default)]
pub(super) struct Queue {
    waiting: VecDeque<(Publication, Answer)>,
    bytes: usize,
    is_under_way: bool,
}

impl Queue {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A message waits. Gives it back when there is no room.
    fn push(&mut self, publication: Publication, answer: Answer) -> Result<(), Answer> {
        let bytes = self.bytes + publication.bytes();
        if self.waiting.len() >= MOST_WAITING || bytes > BYTES_WAITING && self.bytes > 0 {
            return Err(answer);
        }
        self.bytes = bytes;
        self.waiting.push_back((publication, answer));
        Ok(())
    }

    /// Those that go next. None while others are on their way, or when none wait.
    fn begin(&mut self) -> Option<Vec<(Publication, Answer)>> {
        if self.is_under_way || self.waiting.is_empty() {
            return None;
        }
        self.is_under_way = true;
        let mut bytes = 0;
        let mut next = Vec::new();
        while next.len() < MOST_AT_ONCE
            && bytes < BYTES_AT_ONCE
            && let Some((publication, answer)) = self.waiting.pop_front()
        {
            bytes += publication.bytes();
            next.push((publication, answer));
        }
        self.bytes -= bytes;
        Some(next)
    }
}

impl Topics {
    /// Publishes to topics of a group.
    pub(super) fn publish(&self, id: &GroupId, publication: Publication, answer: Answer) {
        let group = match self.shared.hub.group(id) {
            Ok(group) => group,
            Err(problem) => return answer(Err(problem)),
        };
        group.use_it();
        let pushed = group.queue.lock().push(publication, answer);
        match pushed {
            Ok(()) => self.go(id, group),
            Err(answer) => {
                self.shared.hub.metrics.topic_messages_refused.inc();
                answer(Err(Refusal::Overloaded.into()));
            }
        }
    }

    /// Brings to the engine what waits, unless something is on its way.
    fn go(&self, id: &GroupId, group: &GroupHub) {
        let Some(next) = group.queue.lock().begin() else { return };
        let (publications, answers): (Vec<_>, Vec<_>) = next.into_iter().unzip();
        let turn = Turn { shared: Arc::clone(&self.shared), group: id.clone() };
        let sink = Box::new(move |applied: Result<Applied<Reply>, Refusal>| {
            turn.count_faults(&applied);
            tell(answers, applied);
            // The next go when these are answered.
            drop(turn);
        });
        self.engine.submit(id.clone(), Expect::Any, Command::Publish(publications), sink);
    }
}

/// Tells each what became of his message, also when telling another one fails.
fn tell(answers: Vec<Answer>, applied: Result<Applied<Reply>, Refusal>) {
    let mut places = applied.map(|applied| applied.reply.into_iter());
    let mut fault = None;
    for answer in answers {
        let place = match &mut places {
            Ok(places) => places.next().unwrap_or_else(|| Err(Refusal::Fault.into())),
            Err(refusal) => Err(Problem::from(*refusal)),
        };
        fault = catch_unwind(AssertUnwindSafe(|| answer(place))).err().or(fault);
    }
    if let Some(fault) = fault {
        resume_unwind(fault);
    }
}

/// Some messages of a group are on their way. Whatever becomes of them, others follow when this is dropped.
struct Turn {
    shared: Arc<Shared>,
    group: GroupId,
}

impl Turn {
    /// Those that panicked without costing the others anything, which the engine has not seen.
    fn count_faults(&self, applied: &Result<Applied<Reply>, Refusal>) {
        let places = applied.as_ref().map(|applied| &*applied.reply).unwrap_or_default();
        let is_fault = |place: &&Place| {
            place.as_ref().is_err_and(|problem| problem.code == ErrorCode::Internal)
        };
        let faults = places.iter().filter(is_fault).count();
        if faults > 0
            && let Some(topics) = self.shared.topics()
        {
            topics.engine.stats().panics.fetch_add(faults as u64, Ordering::Relaxed);
            tracing::error!(group = %self.group, faults, "messages panicked, and are refused");
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let Ok(group) = self.shared.hub.group(&self.group) else { return };
        match self.shared.topics() {
            Some(topics) => {
                group.queue.lock().is_under_way = false;
                topics.go(&self.group, group);
            }
            None => {
                let left = std::mem::take(&mut *group.queue.lock());
                let left = left.waiting.into_iter();
                left.for_each(|(_, answer)| answer(Err(Refusal::Ending.into())));
            }
        }
    }
}
