//! How long to wait before the next try: exponential, with full jitter, so that many who failed together do not come
//! back together.

/// The pauses' first and greatest ceiling, milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The ceiling of the pause after the first failure.
    pub first_ms: u64,
    /// No ceiling is above this.
    pub most_ms: u64,
}

impl Backoff {
    /// The pause after so many failures, 1 or more: any number from 0 to the ceiling, which doubles each time. `dice` is
    /// a random number.
    #[must_use]
    pub fn pause(self, failures: u32, dice: u64) -> u64 {
        let doubled = 1_u64.checked_shl(failures.saturating_sub(1)).unwrap_or(u64::MAX);
        let ceiling = self.first_ms.saturating_mul(doubled).min(self.most_ms);
        dice % ceiling.saturating_add(1).max(1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_pause_stays_below_a_ceiling_that_doubles(failures in 1_u32..100, dice: u64) {
            let backoff = Backoff { first_ms: 1_000, most_ms: 300_000 };
            let ceiling = if failures < 10 { 1_000 << (failures - 1) } else { 300_000 };
            prop_assert!(backoff.pause(failures, dice) <= ceiling.min(300_000));
            prop_assert_eq!(backoff.pause(failures, ceiling.min(300_000)), ceiling.min(300_000));
        }
    }
}
