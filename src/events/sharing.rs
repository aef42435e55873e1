//! Events of all nodes, for readers on any of them.
//!
//! A node tells the others of a group's events only as long as one of them wants that: a node with readers says so again
//! and again. One that has just started, or was cut off, does not know who does, and so tells of all until everybody has said
//! so again. When a node begins to hear, its log begins anew, because it missed what was before; likewise when it may have
//! missed something. Webhooks get each event from the node that it came from.

use std::sync::{
    Weak,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use bytes::Bytes;

use super::{
    hub::{Feed, Hub},
    item::Item,
};
use crate::{
    clock::Timestamp,
    model::{
        event::GroupEvent,
        ids::{GroupId, NodeId},
    },
    store::shared::post::{Courier, Receive},
};

/// How long a node's wish for events holds, in milliseconds.
const WANTED_MS: u64 = 60_000;
/// How often it says so again, in milliseconds.
const AGAIN_MS: u64 = 20_000;
/// How long it may take, at most, until a node's wish is heard, in milliseconds.
const ON_ITS_WAY_MS: u64 = 2_000;
/// How long a node goes on hearing events after its last reader asked, in milliseconds.
const READ_MS: u64 = 24 * 60 * 60_000;

/// The first byte of a letter: this node wants the events of the group that follows.
const WANTS: u8 = b'w';
/// Events of the group that follows were not sent.
const LOST: u8 = b'l';
/// An event, as back ends get it.
const EVENT: u8 = b'e';

/// What one group's events are to the other nodes, and theirs to this one. Times are milliseconds; 0 is never.
#[derive(Default)]
pub(super) struct Sharing {
    /// Until when another node wants them.
    wanted: AtomicU64,
    /// Until when this node has readers.
    read: AtomicU64,
    /// When it said so last.
    said: AtomicU64,
    /// When an event came that nobody was told, because nobody wanted it.
    kept: AtomicU64,
    /// Whether some were not sent, and nobody was told.
    has_lost: AtomicBool,
}

impl Sharing {
    /// An event came from a visitor's record here.
    pub(super) fn tell(&self, item: &Item, courier: &Courier, now: Timestamp) {
        if self.wanted.load(Ordering::Relaxed) <= now.0 {
            self.kept.store(now.0, Ordering::Relaxed);
        } else if !courier.send_to_all(letter(EVENT, &item.body)) {
            self.has_lost.store(true, Ordering::Relaxed);
        }
    }

    /// From now on all events are told, for as long as nobody may know that this node has to be told of a wish.
    pub(super) fn assume_readers(&self, now: Timestamp) {
        self.wanted.fetch_max(now.0 + WANTED_MS, Ordering::Relaxed);
    }

    /// Another node wants the group's events.
    fn is_wanted(&self, now: Timestamp) {
        let before = self.wanted.fetch_max(now.0 + WANTED_MS, Ordering::Relaxed);
        // What came while its wish was on its way it was not told.
        if before <= now.0 && self.kept.load(Ordering::Relaxed) + ON_ITS_WAY_MS > now.0 {
            self.has_lost.store(true, Ordering::Relaxed);
        }
    }

    fn says_again(&self, now: Timestamp) -> bool {
        let is_read = self.read.load(Ordering::Relaxed) > now.0;
        let said = self.said.load(Ordering::Relaxed);
        is_read && said + AGAIN_MS <= now.0 && {
            self.said.store(now.0, Ordering::Relaxed);
            true
        }
    }
}

/// Somebody reads the group's events on this node.
pub(super) fn read(feed: &Feed, group: &GroupId, courier: &Courier, now: Timestamp) {
    let before = feed.sharing().read.swap(now.0 + READ_MS, Ordering::Relaxed);
    if before <= now.0 {
        feed.renew();
    }
    if feed.sharing().says_again(now) {
        let _ = courier.send_to_all(letter(WANTS, group.as_str().as_bytes()));
    }
}

/// Takes what other nodes tell.
pub(super) struct Listener(pub(super) Weak<Hub>);

impl Receive for Listener {
    fn receive(&self, _: NodeId, letter: Bytes) {
        let Some((kind, rest)) = letter.split_first() else { return };
        let Ok(text) = std::str::from_utf8(rest) else { return };
        let Some(hub) = self.0.upgrade() else { return };
        let now = hub.clock().now();
        if *kind == EVENT {
            let Ok(GroupEvent { group, .. }) = serde_json::from_str(text) else { return };
            let item = Item::from_body(text);
            if let (Ok(feed), Some(item)) = (hub.feed(&group), item)
                && feed.sharing().read.load(Ordering::Relaxed) > now.0
            {
                feed.append(item);
            }
            return;
        }
        let Some(feed) = text.parse().ok().and_then(|group| hub.feed(&group).ok()) else {
            return;
        };
        match *kind {
            WANTS => {
                feed.sharing().is_wanted(now);
                hub.tell_of_losses();
            }
            LOST => feed.renew(),
            _ => {}
        }
    }

    fn missed(&self) {
        let Some(hub) = self.0.upgrade() else { return };
        let now = hub.clock().now();
        for (_, feed) in hub.feeds() {
            feed.renew();
            feed.sharing().assume_readers(now);
        }
    }

    fn turn(&self) {
        if let Some(hub) = self.0.upgrade() {
            hub.share_anew();
        }
    }
}

impl Hub {
    /// Says again what the other nodes are to know.
    fn share_anew(&self) {
        let (now, Some(courier)) = (self.clock().now(), self.courier()) else { return };
        let lost = courier.figures().1;
        let were_lost = self.letters_lost.swap(lost, Ordering::Relaxed) != lost;
        for (group, feed) in self.feeds() {
            if were_lost && feed.sharing().wanted.load(Ordering::Relaxed) > now.0 {
                feed.sharing().has_lost.store(true, Ordering::Relaxed);
            }
            if feed.sharing().says_again(now) {
                let _ = courier.send_to_all(letter(WANTS, group.as_str().as_bytes()));
            }
        }
        self.tell_of_losses();
    }

    /// Says of which groups others were not told all.
    fn tell_of_losses(&self) {
        let Some(courier) = self.courier() else { return };
        for (group, feed) in self.feeds() {
            if feed.sharing().has_lost.swap(false, Ordering::Relaxed)
                && !courier.send_to_all(letter(LOST, group.as_str().as_bytes()))
            {
                feed.sharing().has_lost.store(true, Ordering::Relaxed);
            }
        }
    }
}

fn letter(kind: u8, text: &[u8]) -> Bytes {
    [&[kind], text].concat().into()
}
