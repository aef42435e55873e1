//! All groups' events: hears each once from presence, and hands it on.

use std::{
    collections::HashMap,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::Mutex;
use tokio::sync::{Notify, futures::Notified, watch};

use super::{
    cursor::Place,
    filter::Filter,
    item::Item,
    log::{Batch, Bounds, Log},
    sharing::{self, Sharing},
    webhook::endpoint::Endpoint,
};
use crate::{
    clock::Clock,
    model::{
        error::{ErrorCode, Problem},
        event::Event,
        ids::{GroupId, VisitorKey},
    },
    presence::handle::Tap,
    settings::Settings,
    store::shared::{SharedNode, post::Courier},
    telemetry::{Metrics, labels::StreamEnd},
};

/// One group's events.
pub struct Feed {
    log: Mutex<Log>,
    changed: Notify,
    streams: AtomicUsize,
    most_streams: usize,
    endpoints: Vec<Arc<Endpoint>>,
    metrics: Metrics,
    sharing: Sharing,
}

impl Feed {
    /// Reads at most `limit` events that pass the filter.
    #[must_use]
    pub fn read(&self, place: Place, limit: usize, filter: &Filter) -> Batch {
        let batch = self.log.lock().read(place, limit, filter);
        if batch.reset.is_some() {
            self.metrics.event_resets.inc();
        }
        batch
    }

    /// Completes with the next event. Made before a read, it misses none that comes after that.
    pub fn changed(&self) -> Notified<'_> {
        self.changed.notified()
    }

    /// Counts one reader more who stays, until the guard is dropped.
    ///
    /// # Errors
    /// `toomany`.
    pub fn open_stream(self: &Arc<Self>) -> Result<Streaming, Problem> {
        let taken = self.streams.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |open| {
            (open < self.most_streams).then_some(open + 1)
        });
        if taken.is_err() {
            let sentence = format!("a group may have {} streams at a time", self.most_streams);
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        self.metrics.event_streams_open.inc();
        Ok(Streaming { feed: Arc::clone(self), end: None })
    }

    /// The group's webhooks, in the order of the settings.
    #[must_use]
    pub fn endpoints(&self) -> &[Arc<Endpoint>] {
        &self.endpoints
    }

    pub(super) fn log(&self) -> &Mutex<Log> {
        &self.log
    }

    pub(super) fn sharing(&self) -> &Sharing {
        &self.sharing
    }

    /// What follows is another log: events were missed.
    pub(super) fn renew(&self) {
        self.log.lock().renew(rand::random());
        self.changed.notify_waiters();
    }

    /// An event came.
    pub(super) fn append(&self, item: Arc<Item>) {
        self.log.lock().append(item);
        self.changed.notify_waiters();
    }

    fn publish(&self, item: &Arc<Item>, clock: &Clock) {
        self.metrics.events_published.inc();
        self.append(Arc::clone(item));
        for endpoint in &self.endpoints {
            endpoint.offer(item, clock.now());
        }
    }
}

/// One open stream of a group.
pub struct Streaming {
    /// The group's events.
    pub feed: Arc<Feed>,
    /// Why it ended; `None` for one who waited for a single answer.
    pub end: Option<StreamEnd>,
}

impl Drop for Streaming {
    fn drop(&mut self) {
        self.feed.streams.fetch_sub(1, Ordering::Relaxed);
        self.feed.metrics.event_streams_open.dec();
        if let Some(end) = self.end {
            self.feed.metrics.event_streams_ended.of(end).inc();
        }
    }
}

/// All groups' events. The groups are those of the settings, so that finding one takes no lock.
pub struct Hub {
    feeds: HashMap<GroupId, Arc<Feed>>,
    clock: Clock,
    draining: watch::Sender<bool>,
    courier: OnceLock<Courier>,
    /// Letters that were lost, as far as it has been told of them.
    pub(super) letters_lost: AtomicU64,
}

impl Hub {
    /// Empty logs for the groups of the settings that want one.
    #[must_use]
    pub fn new(settings: &Settings, clock: Clock, metrics: &Metrics) -> Self {
        let events = &settings.events;
        let bounds = Bounds { events: events.history, bytes: events.history_bytes };
        let wanted = settings.groups.iter().filter(|group| group.events);
        let feeds = wanted.map(|group| {
            let endpoint = |webhook| Arc::new(Endpoint::new(webhook, &events.webhooks));
            let feed = Feed {
                log: Mutex::new(Log::new(rand::random(), bounds)),
                changed: Notify::new(),
                streams: AtomicUsize::new(0),
                most_streams: events.streams,
                endpoints: group.webhooks.iter().map(endpoint).collect(),
                metrics: metrics.clone(),
                sharing: Sharing::default(),
            };
            (group.id.clone(), Arc::new(feed))
        });
        Self {
            feeds: feeds.collect(),
            clock,
            draining: watch::Sender::new(false),
            courier: OnceLock::new(),
            letters_lost: AtomicU64::new(0),
        }
    }

    /// The events of a group.
    ///
    /// # Errors
    /// `notfound` when the group's settings switched them off.
    pub fn feed(&self, group: &GroupId) -> Result<&Arc<Feed>, Problem> {
        let off = || Problem::new(ErrorCode::NotFound, "this group's events are switched off");
        self.feeds.get(group).ok_or_else(off)
    }

    /// Likewise, for one who reads them: from now on this node hears the events of all nodes.
    ///
    /// # Errors
    /// As above.
    pub fn feed_to_read(&self, group: &GroupId) -> Result<&Arc<Feed>, Problem> {
        let feed = self.feed(group)?;
        if let Some(courier) = self.courier.get() {
            sharing::read(feed, group, courier, self.clock.now());
        }
        Ok(feed)
    }

    /// This node shares its events with the others.
    pub fn shares(self: &Arc<Self>, node: &SharedNode) {
        let now = self.clock.now();
        self.feeds().for_each(|(_, feed)| feed.sharing().assume_readers(now));
        let listener = sharing::Listener(Arc::downgrade(self));
        let _ = self.courier.set(Courier::new(node, "events", listener));
    }

    pub(super) fn courier(&self) -> Option<&Courier> {
        self.courier.get()
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// All groups that have events.
    pub fn feeds(&self) -> impl Iterator<Item = (&GroupId, &Arc<Feed>)> {
        self.feeds.iter()
    }

    /// Tells all streams to end.
    pub fn drain(&self) {
        self.draining.send_replace(true);
    }

    /// Becomes true when the streams are to end.
    #[must_use]
    pub fn draining(&self) -> watch::Receiver<bool> {
        self.draining.subscribe()
    }

    /// Brings the figures that are states, not counts, up to date.
    pub fn refresh_metrics(&self, metrics: &Metrics) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let (mut kept, mut bytes, mut waiting, mut oldest) = (0, 0, 0, 0);
        let now = self.clock.now();
        for feed in self.feeds.values() {
            let log = feed.log.lock();
            kept += log.items().len();
            bytes += log.bytes();
            drop(log);
            for endpoint in &feed.endpoints {
                let state = endpoint.state(now);
                waiting += state.waiting;
                oldest = oldest.max(state.oldest_ms);
            }
        }
        metrics.events_kept.set(gauge(kept));
        metrics.events_kept_bytes.set(gauge(bytes));
        metrics.webhooks_waiting.set(gauge(waiting));
        metrics.webhook_lag_seconds.set(i64::try_from(oldest / 1_000).unwrap_or(i64::MAX));
    }
}

impl Tap for Hub {
    fn heard(&self, key: &VisitorKey, event: &Event) {
        if let Some(feed) = self.feeds.get(&key.group)
            && let Some(item) = Item::new(&key.group, event)
        {
            feed.publish(&item, &self.clock);
            if let Some(courier) = self.courier.get() {
                feed.sharing().tell(&item, courier, self.clock.now());
            }
        }
    }
}
