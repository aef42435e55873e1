//! Who may open a socket, and how fast. Costs little, and comes before everything that costs more.

use std::{net::IpAddr, num::NonZeroU32};

use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota};

use crate::{
    model::{
        close::{Close, CloseCode},
        ids::VisitorKey,
    },
    settings::Settings,
};

/// Most addresses or visitors that are remembered each; beyond, those with their full allowance are forgotten.
const MOST_KEYS: usize = 100_000;
/// When a client that came too fast should come back, in ms.
const RETRY_MS: u64 = 1_000;

/// Counts handshakes by address, by visitor and in all.
pub struct Admission {
    by_address: DefaultKeyedRateLimiter<IpAddr>,
    by_address_hard: DefaultKeyedRateLimiter<IpAddr>,
    by_visitor: DefaultKeyedRateLimiter<VisitorKey>,
    total: DefaultDirectRateLimiter,
}

/// How a handshake may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it wants to.
    Admit,
    /// It is taken and closed at once, so that a browser's script learns why.
    Close(Close),
    /// It gets a plain HTTP refusal: so many come that even that is too much work.
    Refuse,
}

impl Admission {
    /// The limits of the settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let limits = &settings.limits;
        let quota = |rate: NonZeroU32| Quota::per_second(rate).allow_burst(rate);
        Self {
            by_address: DefaultKeyedRateLimiter::keyed(quota(limits.handshakes_per_second)),
            by_address_hard: DefaultKeyedRateLimiter::keyed(quota(
                limits.handshakes_per_second_hard,
            )),
            by_visitor: DefaultKeyedRateLimiter::keyed(quota(limits.connects_per_second)),
            total: DefaultDirectRateLimiter::direct(quota(limits.handshakes_per_second_total)),
        }
    }

    /// Judges a handshake from `address`.
    pub fn handshake(&self, address: IpAddr) -> Verdict {
        if self.by_address_hard.check_key(&address).is_err() {
            return Verdict::Refuse;
        }
        if self.by_address.check_key(&address).is_err() || self.total.check().is_err() {
            return Verdict::Close(too_fast());
        }
        Verdict::Admit
    }

    /// Judges a hello in the name of a visitor.
    ///
    /// # Errors
    /// How to close the socket when the visitor connects too often.
    pub fn hello(&self, visitor: &VisitorKey) -> Result<(), Close> {
        self.by_visitor.check_key(visitor).map_err(|_| too_fast())
    }

    /// Forgets whoever has the full allowance again, where many are remembered.
    pub fn tidy(&self) {
        for limiter in [&self.by_address, &self.by_address_hard] {
            if limiter.len() > MOST_KEYS / 10 {
                limiter.retain_recent();
                limiter.shrink_to_fit();
            }
        }
        if self.by_visitor.len() > MOST_KEYS / 10 {
            self.by_visitor.retain_recent();
            self.by_visitor.shrink_to_fit();
        }
    }
}

/// The wish to come back later, spread so that those who were refused together do not return together.
fn too_fast() -> Close {
    let spread = rand::random::<u64>() % RETRY_MS;
    Close::from(CloseCode::RateLimited).retry_in(RETRY_MS + spread)
}
