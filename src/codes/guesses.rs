//! How often somebody may ask where a code leads.

use std::{net::IpAddr, num::NonZeroU32};

use governor::{DefaultKeyedRateLimiter, Quota};

use crate::model::{
    error::{ErrorCode, Problem},
    ids::GroupId,
};

/// Questions that one address may ask at once; as many come back a minute.
pub const PER_ADDRESS: u32 = 20;
/// Questions that all of a group may ask at once; as many come back a minute.
pub const PER_GROUP: u32 = 600;
/// Most addresses remembered; beyond, those with full allowance are forgotten first.
const MOST_ADDRESSES: usize = 50_000;

/// Counts guesses.
pub struct Guesses {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    by_group: DefaultKeyedRateLimiter<GroupId>,
}

impl Default for Guesses {
    fn default() -> Self {
        let quota = |count| Quota::per_minute(NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN));
        Self {
            by_address: DefaultKeyedRateLimiter::keyed(quota(PER_ADDRESS)),
            by_group: DefaultKeyedRateLimiter::keyed(quota(PER_GROUP)),
        }
    }
}

impl Guesses {
    /// Counts one guess.
    ///
    /// # Errors
    /// `ratelimited` when there were too many.
    pub fn admit(&self, address: IpAddr, group: &GroupId) -> Result<(), Problem> {
        if self.by_address.len() > MOST_ADDRESSES {
            self.by_address.retain_recent();
        }
        let is_full = self.by_address.len() > 2 * MOST_ADDRESSES;
        if is_full
            || self.by_address.check_key(&address).is_err()
            || self.by_group.check_key(group).is_err()
        {
            let sentence = "too many codes were tried; wait a moment";
            return Err(Problem::new(ErrorCode::RateLimited, sentence).retry_in(3_000));
        }
        Ok(())
    }
}
