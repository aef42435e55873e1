//! The figures of all visitors together.

use std::sync::atomic::{AtomicI64, Ordering};

use dashmap::DashMap;

use crate::{model::ids::GroupId, presence::visitor::Share};

/// Sums over all visitors, kept up with every change.
#[derive(Default)]
pub struct Figures {
    connected: AtomicI64,
    in_transit: AtomicI64,
    held: AtomicI64,
    asking: AtomicI64,
    /// Of each group: wishes for help that wait.
    pub(super) asking_by_group: DashMap<GroupId, i64>,
}

impl Figures {
    pub(super) fn add(&self, group: &GroupId, share: Share) {
        self.asking.fetch_add(share.asking, Ordering::Relaxed);
        if share.asking != 0 {
            *self.asking_by_group.entry(group.clone()).or_default() += share.asking;
        }
        self.connected.fetch_add(share.connected, Ordering::Relaxed);
        self.in_transit.fetch_add(share.in_transit, Ordering::Relaxed);
        self.held.fetch_add(share.held, Ordering::Relaxed);
    }

    /// The sums now.
    #[must_use]
    pub fn sums(&self) -> Share {
        Share {
            connected: self.connected.load(Ordering::Relaxed),
            in_transit: self.in_transit.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            asking: self.asking.load(Ordering::Relaxed),
        }
    }
}
