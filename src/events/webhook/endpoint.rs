//! One endpoint of a group. Those who publish put events into its queue, a runner takes them out.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, futures::Notified};

use super::{
    backoff::Backoff,
    queue::{Queue, Rules, Waiting},
};
use crate::{
    auth::{OutsideAddress, Signer},
    clock::Timestamp,
    events::item::Item,
    model::event::Kinds,
    settings::{Webhook, Webhooks},
};

/// How an endpoint is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct State {
    /// Whether so many tries in a row failed that it counts as down.
    pub down: bool,
    /// Whether it said that it is gone.
    pub gone: bool,
    /// How many events wait.
    pub waiting: usize,
    /// How long the oldest has been waiting, milliseconds.
    pub oldest_ms: u64,
}

/// One endpoint.
pub struct Endpoint {
    /// Its name within the group.
    pub id: Arc<str>,
    /// Its address. Printed without its query, which only the endpoint's owner should know.
    pub address: OutsideAddress,
    /// Which events it wants.
    pub kinds: Kinds,
    /// Signs what is posted.
    pub signer: Signer,
    queue: Mutex<Queue>,
    changed: Notify,
}

impl Endpoint {
    /// The endpoint that the settings describe, with nothing to post.
    #[must_use]
    pub fn new(webhook: &Webhook, rules: &Webhooks) -> Self {
        let backoff = Backoff { first_ms: rules.retry_first_ms, most_ms: rules.retry_most_ms };
        let rules = Rules {
            in_flight: rules.in_flight,
            events: rules.queue,
            bytes: rules.queue_bytes,
            backoff,
            give_up_ms: rules.give_up_ms,
        };
        Self {
            id: Arc::clone(&webhook.id),
            address: webhook.address.clone(),
            kinds: webhook.kinds,
            signer: webhook.signer.clone(),
            queue: Mutex::new(Queue::new(rules)),
            changed: Notify::new(),
        }
    }

    /// An event for it, if it wants that kind.
    pub fn offer(&self, item: &Arc<Item>, now: Timestamp) {
        if self.kinds.contains(item.kind) {
            let item = Arc::clone(item);
            self.change(|queue| queue.push(Waiting { item, since: now, tries: 0 }));
        }
    }

    /// Changes the queue, and wakes the runner.
    pub fn change<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let changed = change(&mut self.queue.lock());
        self.changed.notify_one();
        changed
    }

    /// Works on the queue as its runner.
    pub(super) fn work<T>(&self, work: impl FnOnce(&mut Queue) -> T) -> T {
        work(&mut self.queue.lock())
    }

    /// Completes when somebody else changed the queue. For the one runner.
    pub(super) fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// How it is doing.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> State {
        let queue = self.queue.lock();
        State {
            down: queue.is_down(),
            gone: queue.is_gone(),
            waiting: queue.len(),
            oldest_ms: queue.oldest().map_or(0, |since| now.since(since)),
        }
    }

    /// All that waits.
    #[must_use]
    pub fn waiting(&self) -> Vec<Waiting> {
        self.queue.lock().waiting()
    }
}
