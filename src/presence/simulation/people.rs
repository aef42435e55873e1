//! Who is there: visitors with their tabs and pages, and agents.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::{
    clock::Timestamp,
    model::{
        event::{Event, EventKind},
        ids::{IdempotencyKey, SignalId, SocketAddress, TabId, VisitorKey},
        signal::Outcome,
    },
    presence::visitor::effect::ToPage,
};

pub(super) struct Person {
    pub(super) key: VisitorKey,
    pub(super) tabs: Vec<Tab>,
    /// When the last page of his ended that had been welcomed.
    pub(super) last_there: Timestamp,
    /// Likewise of those that had only tried, too.
    pub(super) last_tried: Timestamp,
    /// Sockets whose farewell is on its way: he may be told gone at once.
    pub(super) farewells: BTreeSet<SocketAddress>,
    /// What was told of him last.
    pub(super) is_connected: bool,
    pub(super) newest: (u64, u64),
    /// The server lost what only those knew of him who are gone.
    pub(super) is_lost: bool,
    /// What watchers were told, only a node knew that came too late to say it, and then ended. Where he is they hear when
    /// he leaves next, or comes.
    pub(super) is_misreported: bool,
    /// That, or somebody came too late to say what he knew. Of whom that is so only this is looked at: who is there in the
    /// end, and that nobody stays who is gone.
    pub(super) is_damaged: bool,
}

/// A browser's tab, with what it keeps over page changes.
pub(super) struct Tab {
    pub(super) id: TabId,
    /// Signals that it has seen, and whether the server is known to know that.
    pub(super) seen: BTreeMap<SignalId, bool>,
    pub(super) page: Option<Page>,
    /// When it opens its next page, if it does.
    pub(super) opens: Option<Timestamp>,
}

pub(super) struct Page {
    pub(super) socket: SocketAddress,
    /// Where its node stands among the nodes.
    pub(super) at: usize,
    pub(super) began: Timestamp,
    /// When it was welcomed.
    pub(super) welcomed: Option<Timestamp>,
    /// Since when it gets signals: from its hello on, or since the server said yes when it asked later.
    pub(super) listens: Option<Timestamp>,
    /// Asks for that again then, because the server could not say so.
    pub(super) asks: Option<Timestamp>,
    pub(super) visible: bool,
    pub(super) has_focus: bool,
    /// What is on its way to it.
    pub(super) inbox: VecDeque<(Timestamp, ToPage)>,
    /// What it has seen and not acknowledged yet.
    pub(super) owed: Vec<(SignalId, Timestamp)>,
    /// What its hello told.
    pub(super) told: Vec<SignalId>,
}

pub(super) struct Agent {
    pub(super) socket: SocketAddress,
    pub(super) at: usize,
    /// By visitor.
    pub(super) watches: BTreeMap<usize, Watch>,
}

/// An agent's watch of one visitor.
#[derive(Default)]
pub(super) struct Watch {
    /// Whether events are passed to it.
    pub(super) has_begun: bool,
    pub(super) newest: (u64, u64),
    pub(super) is_connected: Option<bool>,
    /// Asks again then.
    pub(super) asks: Option<Timestamp>,
}

impl Watch {
    /// An event comes to it. No event is older than one that was told before, and none is told twice; the present state may
    /// be.
    pub(super) fn hear(&mut self, event: &Event) {
        let position = (event.epoch, event.sequence);
        let is_new = position > self.newest || event.present && position == self.newest;
        assert!(is_new, "{event:?} is told after {:?}", self.newest);
        self.newest = position;
        if let EventKind::VisitorConn { connected } = event.kind {
            self.is_connected = Some(connected);
        }
    }
}

/// A signal of an agent, with all tries to send it.
pub(super) struct Sent {
    pub(super) to: usize,
    pub(super) key: Option<IdempotencyKey>,
    pub(super) is_for_all: bool,
    pub(super) agent: usize,
    /// The id under which it was accepted.
    pub(super) accepted: Option<SignalId>,
    /// Each try, and how the record had it last.
    pub(super) tries: BTreeMap<SignalId, Try>,
    /// Tries again then.
    pub(super) again: Option<Timestamp>,
    /// Tabs whose handlers had it, with the pages.
    pub(super) handled: Vec<(TabId, SocketAddress)>,
    /// When and by which page it was acknowledged first.
    pub(super) acknowledged: Option<(Timestamp, SocketAddress)>,
}

#[derive(Default)]
pub(super) struct Try {
    pub(super) outcome: Option<Outcome>,
    /// When the transition was asked for by which the record had an outcome first.
    pub(super) ended: Timestamp,
    /// What somebody was told of it.
    pub(super) told: Option<Outcome>,
}

impl Person {
    pub(super) fn pages(&self) -> impl Iterator<Item = &Page> {
        self.tabs.iter().filter_map(|tab| tab.page.as_ref())
    }
}

impl Page {
    /// Whether it has to acknowledge now.
    pub(super) fn is_late(&self, now: Timestamp) -> bool {
        self.owed.first().is_some_and(|(_, since)| now.since(*since) >= 200)
    }
}
