//! A node's lease: as long as it renews that, it is one of the nodes, and what it holds is its own. A node that does not is
//! ended by another one: what it held is lost, and it must begin anew under a new incarnation. So a node that slept, or was
//! cut off, does no more harm when it comes back.
//!
//! This file is pure; `renew.lua` is what the server does.

use std::time::{Duration, Instant};

use crate::model::ids::NodeId;

/// How long ended nodes are remembered, and what they held is looked for.
pub(super) const REMEMBERED: Duration = Duration::from_secs(3_600);

/// How it stands with this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has its lease.
    Member,
    /// It has not, or does not know.
    Away,
    /// It was ended. It stays so.
    Ended,
}

/// What a node knows of its lease and of others'.
pub(crate) struct Lease {
    length: Duration,
    /// Until when it has been granted, at least.
    until: Option<Instant>,
    /// Before this nobody else is ended: they could not renew theirs either.
    spares_until: Option<Instant>,
    is_ended: bool,
    ended: Vec<NodeId>,
}

impl Lease {
    pub(crate) fn new(length: Duration) -> Self {
        Self { length, until: None, spares_until: None, is_ended: false, ended: Vec::new() }
    }

    pub(crate) fn length(&self) -> Duration {
        self.length
    }

    /// How long after a renewal the next one is due. Short beside the lease, because with it a node finds out whether the
    /// server has lost something.
    pub(crate) fn renews_every(&self) -> Duration {
        self.length / 20
    }

    pub(crate) fn standing(&self, now: Instant) -> Standing {
        match self.until {
            _ if self.is_ended => Standing::Ended,
            Some(until) if now < until => Standing::Member,
            _ => Standing::Away,
        }
    }

    /// Whether a renewal that begins now may end others. After the server was away it may not for a lease and a fifth.
    pub(crate) fn may_end_others(&mut self, now: Instant) -> bool {
        if self.standing(now) != Standing::Member {
            self.spares_until = Some(now + self.length + self.length / 5);
        }
        self.spares_until.is_none_or(|until| until <= now)
    }

    /// The server was away.
    pub(crate) fn was_away(&mut self, now: Instant) {
        self.spares_until = Some(now + self.length + self.length / 5);
    }

    /// The server's answer to a renewal that was asked for at `asked`.
    pub(crate) fn renewed(&mut self, asked: Instant, granted: bool, ended: Vec<NodeId>) {
        if granted {
            self.until = Some(asked + self.length);
            self.ended = ended;
        } else {
            self.is_ended = true;
        }
    }

    /// The nodes whose leases ended.
    pub(crate) fn ended(&self) -> &[NodeId] {
        &self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(10);

    #[test]
    fn a_lease_runs_from_the_question_not_from_the_answer() {
        let (mut lease, start) = (Lease::new(LENGTH), Instant::now());
        assert_eq!(lease.standing(start), Standing::Away);
        lease.renewed(start, true, Vec::new());
        assert_eq!(lease.standing(start + LENGTH - Duration::from_millis(1)), Standing::Member);
        assert_eq!(lease.standing(start + LENGTH), Standing::Away);
    }

    #[test]
    fn who_was_ended_stays_so() {
        let (mut lease, start) = (Lease::new(LENGTH), Instant::now());
        lease.renewed(start, false, Vec::new());
        lease.renewed(start, true, Vec::new());
        assert_eq!(lease.standing(start), Standing::Ended);
    }

    #[test]
    fn nobody_is_ended_while_nobody_could_renew() {
        let (mut lease, start) = (Lease::new(LENGTH), Instant::now());
        assert!(!lease.may_end_others(start), "it has just come");
        lease.renewed(start, true, Vec::new());
        assert!(!lease.may_end_others(start + Duration::from_secs(5)));
        lease.renewed(start + Duration::from_secs(5), true, Vec::new());
        let later = start + Duration::from_secs(12);
        assert!(lease.may_end_others(later));
        lease.was_away(later);
        assert!(!lease.may_end_others(later + Duration::from_secs(1)));
        lease.renewed(later + Duration::from_secs(1), true, Vec::new());
        lease.renewed(later + Duration::from_secs(9), true, Vec::new());
        assert!(lease.may_end_others(later + Duration::from_secs(12)));
    }
}
