//! How often somebody may ask in vain where a code leads.

use std::{net::IpAddr, sync::Arc};

use crate::{
    clock::Timestamp,
    limits::{Keyed, Rate, Tries, client_key},
    model::{
        error::{ErrorCode, Problem},
        ids::GroupId,
    },
    telemetry::labels::Limiter,
};

/// How many wrong guesses are allowed, and how many askers are remembered.
#[derive(Clone, Copy, Debug)]
pub struct GuessLimits {
    /// Of one address.
    pub per_address: Rate,
    /// Of all agents of a group together.
    pub per_group: Rate,
    /// Addresses, and groups, that are remembered at a time.
    pub remembered: usize,
}

/// Counts wrong guesses. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Guesses(Arc<Counted>);

struct Counted {
    by_address: Keyed<IpAddr, Tries>,
    by_group: Keyed<GroupId, Tries>,
}

/// One guess. It counts as wrong, unless somebody says that it was right before he drops it.
#[must_use = "it counts as wrong when it is dropped"]
pub struct Guess {
    counted: Arc<Counted>,
    address: IpAddr,
    group: GroupId,
    begun: Timestamp,
    is_right: bool,
}

impl Guesses {
    /// Nobody has guessed yet.
    #[must_use]
    pub fn new(limits: &GuessLimits) -> Self {
        Self(Arc::new(Counted {
            by_address: Keyed::new(limits.per_address, limits.remembered),
            by_group: Keyed::new(limits.per_group, limits.remembered),
        }))
    }

    /// Begins a guess. As long as nobody knows whether it is right, it takes the place of a wrong one.
    ///
    /// # Errors
    /// `ratelimited` when there were too many wrong ones, or would be if all that are under way were wrong.
    pub fn admit(
        &self,
        address: IpAddr,
        group: &GroupId,
        now: Timestamp,
    ) -> Result<Guess, Problem> {
        let Counted { by_address, by_group } = &*self.0;
        let address = client_key(address);
        let begun = by_address.begin(&address, now).and_then(|()| {
            // One that the group has no room for is none of the address either.
            by_group.begin(group, now).inspect_err(|_| by_address.end(&address, now, true))
        });
        begun.map_err(|retry_ms| {
            let sentence = "too many codes were tried; wait a moment";
            Problem::new(ErrorCode::RateLimited, sentence).retry_in(retry_ms)
        })?;
        let (counted, group) = (Arc::clone(&self.0), group.clone());
        Ok(Guess { counted, address, group, begun: now, is_right: false })
    }

    /// Forgets whoever has the full allowance again.
    pub fn tidy(&self, now: Timestamp) {
        self.0.by_address.tidy(now);
        self.0.by_group.tidy(now);
    }

    /// How many keys each limiter remembers, and how many newcomers found no room.
    #[must_use]
    pub fn fill(&self) -> [(Limiter, usize, u64); 2] {
        let (address, group) = (&self.0.by_address, &self.0.by_group);
        [
            (Limiter::Guesses, address.len(), address.refused_full()),
            (Limiter::GuessesByGroup, group.len(), group.refused_full()),
        ]
    }
}

impl Guess {
    /// The code led to where it was to lead: the guess costs nothing.
    pub fn was_right(mut self) {
        self.is_right = true;
    }
}

impl Drop for Guess {
    fn drop(&mut self) {
        self.counted.by_address.end(&self.address, self.begun, self.is_right);
        self.counted.by_group.end(&self.group, self.begun, self.is_right);
    }
}
