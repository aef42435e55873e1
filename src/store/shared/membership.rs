//! What a node knows of itself among the others, whichever part of the data it asks.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use super::{
    lease::{Lease, Standing},
    parts::Part,
};
use crate::{auth::Secret, clock::Clock, model::ids::NodeId};

/// What this node knows of itself and of the others; one for all of its links. The lease is renewed over the first of them.
pub(super) struct Membership {
    pub(super) node: NodeId,
    pub(super) lease: RefCell<Lease>,
    /// The nodes with a lease, at the last renewal.
    pub(super) members: RefCell<Vec<NodeId>>,
    /// When the last renewal that was granted was asked for.
    pub(super) renewed: Cell<Option<Instant>>,
    /// When everybody who is there has renewed its lease since leases were lost.
    pub(super) settles: Cell<Option<Instant>>,
    /// Whether the address leads to another kind of server than it says.
    pub(super) is_misled: Cell<bool>,
    standing: watch::Sender<Standing>,
    pub(super) clock: Clock,
    /// What all nodes have in common, by name; said again with every renewal, should the server have lost it.
    pub(super) secrets: RefCell<Vec<(String, Secret)>>,
    /// Tries to renew the lease that failed.
    pub(super) failures: Cell<u64>,
    /// Asks for the next one.
    pub(super) hurry: Notify,
    /// Told after each try of any link.
    pub(super) changed: Notify,
    /// Parts whose link was never there yet; and the first one while its last try failed. Meanwhile this node does not say that
    /// it is a member.
    missing: RefCell<BTreeSet<usize>>,
}

impl Membership {
    /// Of a node that has so many links.
    pub(super) fn new(
        node: NodeId,
        links: usize,
        lease: Duration,
        clock: Clock,
        standing: watch::Sender<Standing>,
    ) -> Self {
        Self {
            node,
            lease: RefCell::new(Lease::new(lease)),
            members: RefCell::default(),
            renewed: Cell::default(),
            settles: Cell::default(),
            is_misled: Cell::default(),
            standing,
            clock,
            secrets: RefCell::default(),
            failures: Cell::default(),
            hurry: Notify::new(),
            changed: Notify::new(),
            missing: RefCell::new((0..links).collect()),
        }
    }

    /// Tells how it stands with this node, and that a link has tried something.
    pub(super) fn tell(&self) -> Standing {
        let standing = self.standing();
        let told = match standing {
            // Though the lease goes on.
            Standing::Member if !self.missing.borrow().is_empty() => Standing::Away,
            standing => standing,
        };
        self.standing.send_if_modified(|last| std::mem::replace(last, told) != told);
        self.changed.notify_waiters();
        standing
    }

    pub(super) fn standing(&self) -> Standing {
        if self.is_misled.get() {
            return Standing::Misled;
        }
        self.lease.borrow().standing(Instant::now())
    }

    /// Whether it has never been one of the nodes.
    pub(super) fn is_new(&self) -> bool {
        self.renewed.get().is_none()
    }

    /// Whether a part's last try failed. Once all were there, only the part of the leases counts: who is refused because of
    /// another one would be so at any node.
    pub(super) fn is_missing(&self, part: Part, fails: bool) {
        let mut missing = self.missing.borrow_mut();
        match fails {
            true if part.is_first() => missing.insert(part.number()),
            true => false,
            false => missing.remove(&part.number()),
        };
    }

    /// The nodes whose leases ended.
    pub(super) fn ended(&self) -> Vec<NodeId> {
        self.lease.borrow().ended().to_vec()
    }

    /// Whether it is known which nodes had a lease at this moment. If not, asks for a renewal, which tells.
    pub(super) fn knows_all_of(&self, moment: Instant) -> bool {
        if self.renewed.get().is_none_or(|asked| asked < moment) {
            self.hurry.notify_one();
            return false;
        }
        self.settles.get().is_none_or(|settles| settles <= Instant::now())
    }

    /// Which nodes other than this one are to restate what they know of a part, beside those that had a lease before.
    pub(super) fn others(&self, before: &[NodeId]) -> Vec<NodeId> {
        let ended = self.ended();
        let mut others = [before, &*self.members.borrow()].concat();
        others.retain(|node| *node != self.node && !ended.contains(node));
        others.sort_unstable();
        others.dedup();
        others
    }

    /// Waits until this node has its lease. Whether it may still get one.
    pub(super) async fn has_joined(&self) -> bool {
        loop {
            let changed = self.changed.notified();
            match self.standing() {
                Standing::Member => return true,
                Standing::Ended | Standing::Taken | Standing::Misled => return false,
                Standing::Away => changed.await,
            }
        }
    }
}
