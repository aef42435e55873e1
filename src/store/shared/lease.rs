//! A node's lease: as long as it renews that, it is one of the nodes, and what it holds is its own. A node that does not is
//! ended by another one: what it held is lost, and it must begin anew under a new incarnation. So a node that slept, or was
//! cut off, does no more harm when it comes back.
//!
//! Of the nodes of one number only one has a lease. A process that starts anew ends the one before it, which is silent then;
//! while another one of its number lives it gets none, and gives up.
//!
//! This file is pure; `renew.lua` is what the server does.

use std::time::{Duration, Instant};

use crate::model::ids::NodeId;

/// How long ended nodes are remembered, and what they held is looked for.
pub(super) const REMEMBERED: Duration = Duration::from_secs(3_600);

/// How it stands with this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has its lease, and renewed it when it tried last.
    Member,
    /// It has not, or does not know: the server is away.
    Away,
    /// It was ended. It stays so.
    Ended,
    /// Another process has its number, and lives. It stays so.
    Taken,
    /// The server is one of a cluster, and the address names a single one, or the other way round. It stays so.
    Misled,
}

impl Standing {
    /// Whether it will not change any more.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Standing::Ended | Standing::Taken | Standing::Misled)
    }
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
    namesake: Option<Namesake>,
}

/// Another node of this one's number, which had a lease when this one came.
struct Namesake {
    /// When its lease ends, in ms of the server's clock.
    until: u64,
    /// When that was heard of first.
    since: Instant,
    /// When the node itself was.
    met: Instant,
    /// Whether it renewed its lease since.
    lives: bool,
}

impl Lease {
    pub(crate) fn new(length: Duration) -> Self {
        Self {
            length,
            until: None,
            spares_until: None,
            is_ended: false,
            ended: Vec::new(),
            namesake: None,
        }
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
            None if self.gives_up(now) => Standing::Taken,
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

    /// Instead, the server says that another node of this one's number has a lease, until this moment of its clock.
    pub(super) fn is_taken(&mut self, asked: Instant, until: u64) {
        if self.until.is_some() {
            // A later one came while the server had lost this one's.
            self.is_ended = true;
            return;
        }
        let met = self.namesake.as_ref().map_or(asked, |namesake| namesake.met);
        let lives = match &self.namesake {
            Some(namesake) if namesake.until == until => return,
            namesake => namesake.is_some(),
        };
        self.namesake = Some(Namesake { until, since: asked, met, lives });
    }

    /// Whether another node of this one's number was met.
    pub(super) fn knows_a_namesake(&self) -> bool {
        self.namesake.is_some()
    }

    /// Whether a renewal that begins now may end an earlier node of this one's number: who has a lease may, and who has seen
    /// that it is silent, for a fifth of a lease.
    pub(super) fn may_end_a_namesake(&self, now: Instant) -> bool {
        let is_silent = |namesake: &Namesake| now >= namesake.since + self.length / 5;
        self.until.is_some() || self.namesake.as_ref().is_some_and(is_silent)
    }

    /// Whether another node of this one's number still renews its lease, after as long as one that is told to stop may take.
    fn gives_up(&self, now: Instant) -> bool {
        self.namesake.as_ref().is_some_and(|namesake| {
            namesake.lives && now >= namesake.met + self.length + self.length / 5
        })
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
    fn who_finds_its_number_taken_ends_a_silent_one_and_gives_way_to_a_living_one() {
        let second = Duration::from_secs(1);
        let (mut lease, start) = (Lease::new(LENGTH), Instant::now());
        assert!(!lease.may_end_a_namesake(start));
        lease.is_taken(start, 1_000);
        lease.is_taken(start + second, 1_000);
        assert!(!lease.may_end_a_namesake(start + second));
        assert!(lease.may_end_a_namesake(start + second * 2), "not a word for 2 s");
        lease.is_taken(start + second * 2, 1_500);
        assert!(!lease.may_end_a_namesake(start + second * 3), "it lives after all");
        assert_eq!(lease.standing(start + second * 11), Standing::Away, "it may be about to stop");
        assert_eq!(lease.standing(start + second * 12), Standing::Taken);
        lease.renewed(start + second * 12, true, Vec::new());
        assert_eq!(lease.standing(start + second * 12), Standing::Member, "it stopped");
        assert!(lease.may_end_a_namesake(start + second * 12));
        lease.is_taken(start + second * 13, 2_000);
        assert_eq!(lease.standing(start + second * 13), Standing::Ended, "a later one has it");
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
