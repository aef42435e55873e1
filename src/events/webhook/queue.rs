//! What waits for one endpoint, as a pure machine: it takes the time and a random number, and says what to post next.
//!
//! * A visitor's events go one after another, in their order; those of different visitors go beside each other.
//! * An event that failed is tried again after a pause, and until then its visitor's later events wait. When it is too old
//!   it is given up: it becomes a dead letter, and the next has its turn.
//! * Where many in a row fail, it is the endpoint that is down: then one at a time is tried, with pauses of their own, and
//!   what is too old is given up without a try.
//! * An endpoint that says that it is gone (410) gets nothing more, until somebody has dead letters sent again.
//! * Beyond the bound the oldest event that is not under way becomes a dead letter.

mod step;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
};

pub use self::step::{Attempt, Cause, Dead, Outcome, Rules, Step, Waiting};
use crate::{clock::Timestamp, model::ids::VisitorId};

/// Failures in a row after which the endpoint counts as down.
const DOWN_AFTER: u32 = 5;

struct Entry {
    waiting: Waiting,
    order: u64,
    error: Box<str>,
}

/// One visitor's events.
#[derive(Default)]
struct Lane {
    entries: VecDeque<Entry>,
    /// When the first may be posted.
    due: Timestamp,
    posting: bool,
}

/// The queue.
pub struct Queue {
    rules: Rules,
    lanes: HashMap<VisitorId, Lane>,
    /// The lanes of which nothing is under way, by the time at which their first is due.
    due: BTreeSet<(Timestamp, u64, VisitorId)>,
    /// All lanes, by the place of their first in the queue.
    heads: BTreeMap<u64, VisitorId>,
    orders: u64,
    events: usize,
    bytes: usize,
    posting: usize,
    failures: u32,
    paused_until: Timestamp,
    gone: bool,
    dead: Vec<Dead>,
    lost: u64,
}

impl Queue {
    /// An empty queue.
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            lanes: HashMap::new(),
            due: BTreeSet::new(),
            heads: BTreeMap::new(),
            orders: 0,
            events: 0,
            bytes: 0,
            posting: 0,
            failures: 0,
            paused_until: Timestamp(0),
            gone: false,
            dead: Vec::new(),
            lost: 0,
        }
    }

    /// Takes an event in, at the end of its visitor's.
    pub fn push(&mut self, waiting: Waiting) {
        if self.gone {
            return self.bury(waiting, Cause::Gone, "the endpoint is gone".into());
        }
        let weight = waiting.item.weight();
        while self.events >= self.rules.events || self.bytes + weight > self.rules.bytes {
            if !self.drop_oldest() {
                return self.bury(waiting, Cause::Overflow, "".into());
            }
        }
        self.events += 1;
        self.bytes += weight;
        self.orders += 1;
        let (order, visitor) = (self.orders, waiting.item.visitor().clone());
        let lane = self.lanes.entry(visitor.clone()).or_default();
        lane.entries.push_back(Entry { waiting, order, error: "".into() });
        if lane.entries.len() == 1 {
            self.heads.insert(order, visitor.clone());
            self.due.insert((lane.due, order, visitor));
        }
    }

    /// What is to be done at `now`.
    pub fn step(&mut self, now: Timestamp) -> Step {
        self.expire(now);
        let most = if self.is_down() { 1 } else { self.rules.in_flight };
        if self.gone || self.posting >= most {
            return Step::Wait(None);
        }
        let Some((due, _, visitor)) = self.due.first().cloned() else { return Step::Wait(None) };
        let at = due.max(self.paused_until);
        if at > now {
            return Step::Wait(Some(at));
        }
        self.due.pop_first();
        let Some(lane) = self.lanes.get_mut(&visitor) else { return Step::Wait(Some(now)) };
        let Some(first) = lane.entries.front_mut() else { return Step::Wait(Some(now)) };
        lane.posting = true;
        self.posting += 1;
        first.waiting.tries += 1;
        let (item, number) = (Arc::clone(&first.waiting.item), first.waiting.tries);
        Step::Post(Attempt { item, number, ticket: first.order })
    }

    /// Takes in what came of the try with this ticket, of an event of this visitor. `dice` is a random number.
    pub fn finish(
        &mut self,
        visitor: &VisitorId,
        ticket: u64,
        outcome: Outcome,
        now: Timestamp,
        dice: u64,
    ) {
        let is_posted = |lane: &&mut Lane| {
            lane.posting && lane.entries.front().is_some_and(|first| first.order == ticket)
        };
        let Some(lane) = self.lanes.get_mut(visitor).filter(is_posted) else { return };
        lane.posting = false;
        self.posting -= 1;
        match outcome {
            Outcome::Delivered => {
                self.failures = 0;
                self.paused_until = Timestamp(0);
                lane.due = Timestamp(0);
                self.take_first(visitor);
            }
            Outcome::Failed { error, retry_ms } => {
                self.failures = self.failures.saturating_add(1);
                if let Some(retry_ms) = retry_ms {
                    let pause = retry_ms.min(self.rules.backoff.most_ms);
                    self.paused_until = self.paused_until.max(now + pause);
                }
                if self.failures >= DOWN_AFTER {
                    let pause = self.rules.backoff.pause(self.failures - DOWN_AFTER + 1, dice);
                    self.paused_until = self.paused_until.max(now + pause);
                }
                let Some(first) = lane.entries.front_mut() else { return };
                first.error = error;
                lane.due = now + self.rules.backoff.pause(first.waiting.tries, dice);
                if now.since(first.waiting.since) >= self.rules.give_up_ms {
                    lane.due = Timestamp(0);
                    self.give_up_first(visitor, Cause::Failed);
                } else {
                    self.due.insert((lane.due, first.order, visitor.clone()));
                }
            }
            Outcome::Gone => {
                self.gone = true;
                while let Some((_, visitor)) = self.heads.first_key_value() {
                    let visitor = visitor.clone();
                    self.give_up_first(&visitor, Cause::Gone);
                }
            }
        }
    }

    /// Whether so many tries in a row failed that the endpoint counts as down.
    #[must_use]
    pub fn is_down(&self) -> bool {
        self.failures >= DOWN_AFTER
    }

    /// Whether the endpoint said that it is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// Forgets that the endpoint was gone or down.
    pub fn revive(&mut self) {
        self.gone = false;
        self.failures = 0;
        self.paused_until = Timestamp(0);
    }

    /// How many more events there is room for.
    #[must_use]
    pub fn room(&self) -> usize {
        self.rules.events - self.events
    }

    /// How many events wait, those under way included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events == 0
    }

    /// Since when the oldest waits.
    #[must_use]
    pub fn oldest(&self) -> Option<Timestamp> {
        let (_, visitor) = self.heads.first_key_value()?;
        Some(self.lanes.get(visitor)?.entries.front()?.waiting.since)
    }

    /// The events that became dead letters since the last asking, and the number of those that were lost because
    /// nobody asked for too long.
    pub fn take_dead(&mut self) -> (Vec<Dead>, u64) {
        (std::mem::take(&mut self.dead), std::mem::take(&mut self.lost))
    }

    /// All events that wait, in the order in which they came.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        let entries = self.lanes.values().flat_map(|lane| &lane.entries);
        let mut all: Vec<_> = entries.map(|entry| (entry.order, &entry.waiting)).collect();
        all.sort_by_key(|(order, _)| *order);
        all.into_iter().map(|(_, waiting)| waiting.clone()).collect()
    }

    /// While the endpoint is down, gives up what is too old.
    fn expire(&mut self, now: Timestamp) {
        while self.is_down() {
            let mut idle = self.heads.values().filter(|visitor| !self.is_posting(visitor));
            let Some(visitor) = idle.next().cloned() else { return };
            let since = self.lanes.get(&visitor).and_then(|lane| lane.entries.front());
            let since = since.map_or(now, |first| first.waiting.since);
            if now.since(since) < self.rules.give_up_ms {
                return;
            }
            self.give_up_first(&visitor, Cause::Down);
        }
    }

    fn is_posting(&self, visitor: &VisitorId) -> bool {
        self.lanes.get(visitor).is_some_and(|lane| lane.posting)
    }

    /// Makes room. Whether there was anything that is not under way.
    fn drop_oldest(&mut self) -> bool {
        let mut idle = self.heads.values().filter(|visitor| !self.is_posting(visitor));
        let oldest = idle.next().cloned();
        if let Some(visitor) = &oldest {
            self.give_up_first(visitor, Cause::Overflow);
        }
        oldest.is_some()
    }

    fn give_up_first(&mut self, visitor: &VisitorId, cause: Cause) {
        if let Some(Entry { waiting, error, .. }) = self.take_first(visitor) {
            self.bury(waiting, cause, error);
        }
    }

    fn bury(&mut self, waiting: Waiting, cause: Cause, error: Box<str>) {
        if self.dead.len() >= self.rules.events {
            self.lost += 1;
            return;
        }
        self.dead.push(Dead { item: waiting.item, cause, tries: waiting.tries, error });
    }

    /// Takes a visitor's first event out, and lets his next have its turn.
    fn take_first(&mut self, visitor: &VisitorId) -> Option<Entry> {
        let lane = self.lanes.get_mut(visitor)?;
        let first = lane.entries.pop_front()?;
        self.events -= 1;
        self.bytes -= first.waiting.item.weight();
        self.heads.remove(&first.order);
        // Under way when the endpoint said that it is gone: what comes of it matters no more.
        if std::mem::take(&mut lane.posting) {
            self.posting -= 1;
        }
        self.due.remove(&(lane.due, first.order, visitor.clone()));
        match lane.entries.front() {
            Some(next) => {
                self.heads.insert(next.order, visitor.clone());
                self.due.insert((lane.due, next.order, visitor.clone()));
            }
            None => {
                self.lanes.remove(visitor);
            }
        }
        Some(first)
    }
}
