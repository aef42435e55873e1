//! What lists and figures say of a visitor, and when that changes.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Phase, Visitor, effect::Effect};
use crate::{
    clock::Timestamp,
    model::{ids::VisitorId, list::Row},
};

/// What one visitor adds to the figures of the service.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Visitors who are connected.
    pub connected: i64,
    /// Those of them who are in transit.
    pub in_transit: i64,
    /// Signals that wait.
    pub held: i64,
    /// Wishes for help that wait.
    pub asking: i64,
}

impl std::ops::Sub for Share {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            connected: self.connected - other.connected,
            in_transit: self.in_transit - other.in_transit,
            held: self.held - other.held,
            asking: self.asking - other.asking,
        }
    }
}

/// How a visitor stands in lists and figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// What changes with every change of his row; `None` while he is in no list. All that a row says is told to watchers
    /// too, and so takes a new sequence, except the time.
    pub row: Option<(u64, u64, Timestamp)>,
    /// What he adds to the figures.
    pub share: Share,
}

impl Visitor {
    /// The visitor as lists show him; `None` when he is not there.
    #[must_use]
    pub fn row(&self, visitor: &VisitorId) -> Option<Row> {
        self.is_connected().then(|| Row {
            visitorid: visitor.clone(),
            anonymous: visitor.is_anonymous(),
            epoch: self.epoch,
            sequence: self.sequence,
            since: self.since,
            updated: self.updated,
            sockets: u32::try_from(self.sockets.len()).unwrap_or(u32::MAX),
            visibility: self.visibility,
            terms: self.terms,
            help: self.help_view(),
            data: self.data.clone(),
        })
    }

    /// What the visitor adds to the figures.
    #[must_use]
    pub fn share(&self) -> Share {
        Share {
            connected: i64::from(self.is_connected()),
            in_transit: i64::from(matches!(self.phase, Phase::Transit { .. })),
            held: i64::try_from(self.signals.waiting()).unwrap_or(i64::MAX),
            asking: i64::from(self.help_deadline().is_some()),
        }
    }

    pub(super) fn standing(&self) -> Standing {
        let row = self.is_connected().then_some((self.epoch, self.sequence, self.updated));
        Standing { row, share: self.share() }
    }

    /// Tells lists and figures, if there is anything to tell.
    pub(super) fn standing_changed(
        &self,
        before: Standing,
        visitor: &VisitorId,
        effects: &mut Vec<Effect>,
    ) {
        let now = self.standing();
        if now.row != before.row {
            effects.push(Effect::Listed(self.row(visitor).map(Arc::new)));
        }
        if now.share != before.share {
            effects.push(Effect::Counted(now.share - before.share));
        }
    }
}
