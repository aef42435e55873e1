//! How much a soak does, and for how long.

use std::time::Duration;

/// How hard the soak is.
#[derive(Clone)]
pub struct Plan {
    /// Page changes and signals to be made at least.
    pub changes: usize,
    pub signals: usize,
    /// How long it goes on at least.
    pub time: Duration,
    pub seed: u64,
    pub visitors: usize,
    pub agents: usize,
    /// Page changes, and signals, a second.
    pub rate: f64,
    /// Visits ended on purpose, a second; after one of two a new visitor takes the place.
    pub leaves_per_second: f64,
    /// Waits until the records have forgotten outcomes, and compares memory with what it was after a round before.
    pub is_thorough: bool,
}

impl Plan {
    pub fn full() -> Self {
        let is_thorough = true;
        Self {
            changes: 10_000,
            signals: 10_000,
            time: Duration::ZERO,
            seed: 1,
            visitors: 400,
            agents: 8,
            rate: 200.0,
            leaves_per_second: 2.0,
            is_thorough,
        }
    }

    /// Half an hour with 5,000 visitors, of whom the average one stays for two minutes. Memory must stay flat.
    pub fn long() -> Self {
        Self {
            changes: 0,
            signals: 0,
            time: Duration::from_secs(30 * 60),
            visitors: 5_000,
            agents: 50,
            rate: 100.0,
            leaves_per_second: 40.0,
            ..Self::full()
        }
    }

    /// For every build: about a tenth, and without the long waits.
    pub fn short() -> Self {
        Self {
            changes: 1_000,
            signals: 1_000,
            visitors: 100,
            agents: 4,
            is_thorough: false,
            ..Self::full()
        }
    }

    /// A tenth of it, before memory is looked at for the first time. Nobody leaves.
    pub(super) fn warm_up(&self) -> Self {
        Self {
            changes: self.changes / 10,
            signals: self.signals / 10,
            time: Duration::ZERO,
            leaves_per_second: 0.0,
            seed: self.seed ^ 0x5eed,
            ..self.clone()
        }
    }
}
