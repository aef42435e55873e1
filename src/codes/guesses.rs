//! How often somebody may ask where a code leads.

use std::net::IpAddr;

use crate::{
    clock::Timestamp,
    limits::{Keyed, Rate, client_key},
    model::{
        error::{ErrorCode, Problem},
        ids::GroupId,
    },
    telemetry::labels::Limiter,
};

/// How many questions are allowed, and how many askers are remembered.
#[derive(Clone, Copy, Debug)]
pub struct GuessLimits {
    /// Of one address.
    pub per_address: Rate,
    /// Of all agents of a group together.
    pub per_group: Rate,
    /// Addresses, and groups, that are remembered at a time.
    pub remembered: usize,
}

/// Counts guesses.
pub struct Guesses {
    by_address: Keyed<IpAddr>,
    by_group: Keyed<GroupId>,
}

impl Guesses {
    /// Nobody has guessed yet.
    #[must_use]
    pub fn new(limits: &GuessLimits) -> Self {
        Self {
            by_address: Keyed::new(limits.per_address, limits.remembered),
            by_group: Keyed::new(limits.per_group, limits.remembered),
        }
    }

    /// Counts one guess.
    ///
    /// # Errors
    /// `ratelimited` when there were too many.
    pub fn admit(&self, address: IpAddr, group: &GroupId, now: Timestamp) -> Result<(), Problem> {
        let by_address = self.by_address.take(&client_key(address), now);
        by_address.and_then(|()| self.by_group.take(group, now)).map_err(|retry_ms| {
            let sentence = "too many codes were tried; wait a moment";
            Problem::new(ErrorCode::RateLimited, sentence).retry_in(retry_ms)
        })
    }

    /// Forgets whoever has the full allowance again.
    pub fn tidy(&self, now: Timestamp) {
        self.by_address.tidy(now);
        self.by_group.tidy(now);
    }

    /// How many keys each limiter remembers, and how many newcomers found no room.
    #[must_use]
    pub fn fill(&self) -> [(Limiter, usize, u64); 2] {
        let (address, group) = (&self.by_address, &self.by_group);
        [
            (Limiter::Guesses, address.len(), address.refused_full()),
            (Limiter::GuessesByGroup, group.len(), group.refused_full()),
        ]
    }
}
