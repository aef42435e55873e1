//! One subscription of one socket, and how far it is with what was published before.

use std::sync::{
    Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use parking_lot::Mutex;

use super::{catching_up::CatchingUp, post::Subscriber, record::Reading, trie::Place};
use crate::model::topic::{Epoch, Message, Position, SubscribeWish, TopicFilter};

/// Not live yet: what is kept is read page by page, and what is published meanwhile is read there too.
const CATCHING_UP: u64 = u64::MAX;
/// Whichever row begins next.
const ANY_ROW: Epoch = Epoch(0);

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
    /// In the row that began with this. Changes together with it, between two messages of the group.
    row: AtomicU64,
    /// Where it reads what is kept, by turns with others of its holder.
    pub(super) catching_up: Weak<CatchingUp>,
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
            row: AtomicU64::new(ANY_ROW.0),
            catching_up: Weak::new(),
            waiting: Mutex::new(None),
            ended: AtomicBool::new(false),
            place: Mutex::new(None),
        }
    }

    /// The same, which reads what is kept there.
    pub(super) fn reading_in(self, catching_up: Weak<CatchingUp>) -> Self {
        Self { catching_up, ..self }
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

    /// From now on what is published behind this place comes live.
    pub(super) fn go_live(&self, Position { epoch, offset }: Position) {
        self.row.store(epoch.0, Ordering::Release);
        self.live_after.store(offset, Ordering::Release);
    }

    /// Likewise what is published in a row that has not begun yet.
    pub(super) fn go_live_anew(&self) {
        self.go_live(Position { epoch: ANY_ROW, offset: 0 });
    }

    /// How far it is, if it is live: all messages up to there were given to it. `heard` is what this node heard of without
    /// a gap.
    pub(super) fn reach(&self, heard: Option<Position>) -> Option<Position> {
        let offset = self.live_after.load(Ordering::Acquire);
        let epoch = Epoch(self.row.load(Ordering::Acquire));
        let own = (offset != CATCHING_UP).then_some(Position { epoch, offset })?;
        let heard = heard.filter(|heard| heard.epoch == epoch && heard.offset > offset);
        Some(heard.unwrap_or(own))
    }

    /// It reads what is kept behind this place before more comes live.
    pub(super) fn fall_behind(&self, place: Position) -> Reading {
        self.live_after.store(CATCHING_UP, Ordering::Release);
        Reading::behind(place)
    }

    /// Whether nothing is missing between how far it is and this place.
    pub(super) fn has_come_to(&self, place: Position, heard: Option<Position>) -> bool {
        self.reach(heard).is_none_or(|reach| {
            let is_same = reach.epoch == place.epoch && reach.offset >= place.offset;
            is_same || reach.epoch == ANY_ROW && place.offset == 0
        })
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
