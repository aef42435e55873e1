//! Time: how long things last, when one of them is due, and what changes then.

use super::{Phase, Step, Visitor};
use crate::{
    clock::Timestamp,
    model::{event::EventKind, timeline::LeaveCause},
};

/// The times that the rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long after the last socket a visitor still counts as connected, in ms.
    pub grace_ms: u64,
    /// How long after the last listening socket a signal is still taken, and then waits, in ms.
    pub signal_window_ms: u64,
    /// How long a live page has to acknowledge a signal, in ms.
    pub ack_ms: u64,
    /// How long a visitor waits for help before nobody comes, in ms.
    pub help_ms: u64,
    /// Until this moment a visitor without a record may be in transit, because this service lost its records
    /// (design section 2.8). Zero when it lost none.
    pub unknown_until: Timestamp,
    /// How long after the time that it was applied at a transition may still be made, in ms. Zero where nobody else makes
    /// any.
    pub late_ms: u64,
    /// The records were out of reach until now: before this moment nobody leaves, since his next page may wait behind those
    /// who are told. Zero when they always were there.
    pub spared_until: Timestamp,
}

#[cfg(test)]
impl Rules {
    /// The times of the design, on a node that is alone.
    pub(crate) const USUAL: Self = Self {
        grace_ms: 5_000,
        signal_window_ms: 5_000,
        ack_ms: 5_000,
        help_ms: 60_000,
        unknown_until: Timestamp(0),
        late_ms: 0,
        spared_until: Timestamp(0),
    };
}

impl Visitor {
    /// When time alone will next change something.
    #[must_use]
    pub fn deadline(&self, rules: &Rules) -> Option<Timestamp> {
        let phase = match &self.phase {
            Phase::Transit { until } => Some(rules.spared_until.max(*until)),
            Phase::Unknown { until } | Phase::Left { until } | Phase::Joined { until, .. } => {
                Some(*until)
            }
            Phase::Absent | Phase::Connected => None,
        };
        // A record without a future is dropped by the tick at the end of its signal window.
        let window = match self.phase {
            Phase::Absent => self.listened.map(|at| at + rules.signal_window_ms),
            _ => None,
        };
        let signals = self.signals.deadline(self.is_listening());
        let dismissed = self.dismissed_until();
        [phase, window, signals, self.help_deadline(), dismissed].into_iter().flatten().min()
    }

    /// Whether the record says no more than no record at all.
    #[must_use]
    pub fn is_vacant(&self, rules: &Rules, now: Timestamp) -> bool {
        let idle = match self.phase {
            Phase::Absent => self.listened.is_none_or(|at| now >= at + rules.signal_window_ms),
            Phase::Unknown { .. } => !self.awaited,
            Phase::Left { .. }
            | Phase::Connected
            | Phase::Transit { .. }
            | Phase::Joined { .. } => false,
        };
        // A session, and a chat, outlast the grace, and always end.
        let shares = self.sharing.is_some() || self.chat.is_some();
        let is_held = !self.sockets.is_empty() || !self.dismissed.is_empty();
        idle && !shares && !is_held && self.signals.is_empty()
    }

    pub(super) fn let_time_pass(&mut self, step: &mut Step<'_>) {
        self.help_expires(step);
        match self.phase {
            Phase::Transit { until } if until.max(step.rules.spared_until) <= step.now => {
                self.leave(LeaveCause::Grace, step);
            }
            Phase::Unknown { until } if until <= step.now => {
                self.phase = Phase::Absent;
                if std::mem::take(&mut self.awaited) {
                    self.publish(EventKind::VisitorConn { connected: false }, step);
                    self.publish(EventKind::VisitorSock { connected: false, sockets: 0 }, step);
                }
            }
            Phase::Joined { until, .. } | Phase::Left { until } if until <= step.now => {
                self.phase = Phase::Absent;
            }
            _ => {}
        }
        if matches!(self.phase, Phase::Absent) {
            let window = step.rules.signal_window_ms;
            self.listened = self.listened.filter(|at| step.now < *at + window);
        }
        self.forget_old_dismissed(step.now);
        self.signals.expire(step);
        // A pin may have run out, and an expired signal no longer blocks those behind it.
        self.flush(step);
    }
}
