//! One subscription of one socket, and how far it is with what was published before.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{hub::Subscriber, record::Reading, trie::Place};
use crate::model::topic::{Message, SubscribeWish, TopicFilter};

/// Not live yet: what is kept is read page by page, and what is published meanwhile is read there too.
const CATCHING_UP: u64 = u64::MAX;

/// What one socket or listener subscribed to.
#[derive(Debug)]
pub struct Subscription {
    /// Its number among those of its holder.
    pub id: u32,
    /// Who subscribed.
    pub of: Subscriber,
    /// What it chooses.
    pub filter: TopicFilter,
    /// Whether the subscriber's own messages are left out.
    pub no_local: bool,
    /// Whether of each topic only the newest unsent message counts.
    pub latest: bool,
    /// Kept messages up to this offset do not come live.
    live_after: AtomicU64,
    waiting: Mutex<Option<Reading>>,
    ended: AtomicBool,
    place: Mutex<Option<Place>>,
}

impl Subscription {
    /// One that is not in force yet.
    #[must_use]
    pub fn new(id: u32, of: Subscriber, wish: &SubscribeWish) -> Self {
        Self {
            id,
            of,
            filter: wish.filter.clone(),
            no_local: wish.no_local,
            latest: wish.latest,
            live_after: AtomicU64::new(CATCHING_UP),
            waiting: Mutex::new(None),
            ended: AtomicBool::new(false),
            place: Mutex::new(None),
        }
    }

    /// Whether it gets this message, which `from` has just published.
    #[must_use]
    pub fn takes(&self, message: &Message, from: Option<Subscriber>) -> bool {
        let is_own = self.no_local && from == Some(self.of);
        let is_news = message
            .position
            .is_none_or(|position| position.offset > self.live_after.load(Ordering::Acquire));
        is_news && !is_own
    }

    /// From now on what is published behind `offset` comes live.
    pub(super) fn go_live(&self, offset: u64) {
        self.live_after.store(offset, Ordering::Release);
    }

    /// A part is read; the next waits until the subscriber has room.
    pub(super) fn wait(&self, reading: Reading) {
        if !self.is_over() {
            *self.waiting.lock() = Some(reading);
        }
    }

    /// Where to read on, if that waits. Whoever takes it reads.
    pub(super) fn take_waiting(&self) -> Option<Reading> {
        self.waiting.lock().take()
    }

    /// Whether it was ended.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Puts it in force by `enter`, unless it was ended before.
    pub(super) fn enter(&self, enter: impl FnOnce() -> Place) {
        let mut place = self.place.lock();
        if !self.is_over() && place.is_none() {
            *place = Some(enter());
        }
    }

    /// Ends it; gives its place, if it was in force.
    pub(super) fn end(&self) -> Option<Place> {
        let mut place = self.place.lock();
        self.ended.store(true, Ordering::Release);
        self.take_waiting();
        place.take()
    }
}
