//! The generic cell rate algorithm (ITU-T I.371, in the form of a virtual schedule), in whole nanoseconds.

use std::num::NonZeroU32;

use crate::clock::Timestamp;

const SECOND_NS: u64 = 1_000_000_000;
const MS_NS: u64 = 1_000_000;

/// So many a second, with so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    interval_ns: u64,
    tolerance_ns: u64,
}

impl Rate {
    /// `count` a second, and as many at once.
    #[must_use]
    pub fn per_second(count: NonZeroU32) -> Self {
        Self::with_interval(SECOND_NS / u64::from(count.get()), count)
    }

    /// `count` a minute, and as many at once.
    #[must_use]
    pub fn per_minute(count: NonZeroU32) -> Self {
        Self::with_interval(60 * SECOND_NS / u64::from(count.get()), count)
    }

    /// The same rate with `burst` at once.
    #[must_use]
    pub fn with_burst(self, burst: NonZeroU32) -> Self {
        Self::with_interval(self.interval_ns, burst)
    }

    /// So many hundredths of it (at least 1), at once, too.
    #[must_use]
    pub fn part(self, percent: u8) -> Self {
        let interval_ns = self.interval_ns.saturating_mul(100) / u64::from(percent.max(1));
        Self { interval_ns, tolerance_ns: self.tolerance_ns.max(interval_ns) }
    }

    fn with_interval(interval_ns: u64, burst: NonZeroU32) -> Self {
        let interval_ns = interval_ns.max(1);
        Self { interval_ns, tolerance_ns: interval_ns.saturating_mul(burst.get().into()) }
    }

    /// What may pass in `ms` by somebody who starts rested and never stops.
    #[must_use]
    pub fn within_ms(&self, ms: u64) -> u64 {
        self.tolerance_ns.saturating_add(ms.saturating_mul(MS_NS)) / self.interval_ns
    }
}

/// How far one limited thing is ahead of its rate. The default is rested.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// When all that was taken is paid for.
    paid_ns: u64,
}

impl Pace {
    /// Takes `cost` out of what is left; a cost above the burst counts as the whole burst.
    ///
    /// # Errors
    /// In how many milliseconds there is enough. Nothing is taken then.
    pub fn take(&mut self, rate: &Rate, cost: u32, now: Timestamp) -> Result<(), u64> {
        let cost_ns = rate.interval_ns.saturating_mul(cost.into()).min(rate.tolerance_ns);
        self.paid_ns = self.paid_after(rate, cost_ns, now)?;
        Ok(())
    }

    /// Whether `cost` is left; takes nothing. A cost above the burst never is.
    ///
    /// # Errors
    /// In how many milliseconds there is enough.
    pub fn fits(&self, rate: &Rate, cost: u32, now: Timestamp) -> Result<(), u64> {
        let cost_ns = rate.interval_ns.saturating_mul(cost.into());
        self.paid_after(rate, cost_ns, now).map(|_| ())
    }

    /// Takes one, whether or not it is left.
    pub fn charge(&mut self, rate: &Rate, now: Timestamp) {
        let now_ns = now.0.saturating_mul(MS_NS);
        self.paid_ns = self.paid_ns.max(now_ns).saturating_add(rate.interval_ns);
    }

    fn paid_after(&self, rate: &Rate, cost_ns: u64, now: Timestamp) -> Result<u64, u64> {
        let now_ns = now.0.saturating_mul(MS_NS);
        let paid_ns = self.paid_ns.max(now_ns).saturating_add(cost_ns);
        let latest_ns = now_ns.saturating_add(rate.tolerance_ns);
        if paid_ns > latest_ns {
            return Err((paid_ns - latest_ns).div_ceil(MS_NS));
        }
        Ok(paid_ns)
    }

    /// Whether nothing is owed, so that a new pace would say the same.
    #[must_use]
    pub fn is_rested(&self, now: Timestamp) -> bool {
        self.paid_ns <= now.0.saturating_mul(MS_NS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn rate(count: u32, burst: u32) -> Rate {
        let number = |number| NonZeroU32::new(number).unwrap();
        Rate::per_second(number(count)).with_burst(number(burst))
    }

    #[test]
    fn a_burst_passes_and_then_the_rate() {
        let rate = rate(10, 3);
        let mut pace = Pace::default();
        let now = Timestamp(1_700_000_000_000);
        for _ in 0..3 {
            assert_eq!(pace.take(&rate, 1, now), Ok(()));
        }
        assert_eq!(pace.take(&rate, 1, now), Err(100));
        assert_eq!(pace.take(&rate, 1, now + 99), Err(1));
        assert_eq!(pace.take(&rate, 1, now + 100), Ok(()));
        assert_eq!(pace.take(&rate, 3, now + 100), Err(300));
        assert!(!pace.is_rested(now + 399) && pace.is_rested(now + 400));
        // More than the burst could never pass; it takes all.
        assert_eq!(pace.take(&rate, 1_000, now + 400), Ok(()));
        assert_eq!(pace.take(&rate, 1, now + 400), Err(100));
    }

    #[test]
    fn a_part_is_a_part_of_the_rate_and_of_the_burst() {
        let part = rate(1_000, 2_000).part(25);
        assert_eq!((part.within_ms(0), part.within_ms(1_000)), (500, 750));
        assert_eq!(rate(1, 1).part(10).within_ms(0), 1, "some time all can have one");
        assert_eq!(rate(7, 9).part(100), rate(7, 9));
    }

    #[test]
    fn what_passes_in_a_time_is_known_beforehand() {
        let guesses = Rate::per_minute(NonZeroU32::new(20).unwrap());
        let mut pace = Pace::default();
        let hour = (0..3_600_000_u64).step_by(100);
        let passed = hour.filter(|ms| pace.take(&guesses, 1, Timestamp(*ms)).is_ok()).count();
        assert_eq!(passed as u64, guesses.within_ms(3_600_000 - 100));
        assert_eq!(guesses.within_ms(3_600_000), 1_220);
    }

    proptest! {
        /// A bucket in floating point, as the textbooks have it.
        #[test]
        fn it_is_a_token_bucket(
            count in 1..500_u32,
            burst in 1..50_u32,
            steps in prop::collection::vec((0..200_u64, 1..4_u32), 1..200),
        ) {
            let rate = rate(count, burst);
            let (mut pace, mut now) = (Pace::default(), Timestamp(1_000));
            let (mut tokens, mut then) = (f64::from(burst), now);
            let per_ms = 1e6 / (1_000_000_000 / u64::from(count)) as f64;
            for (pause, cost) in steps {
                now = now + pause;
                tokens = (tokens + now.since(then) as f64 * per_ms).min(f64::from(burst));
                then = now;
                let cost_tokens = f64::from(cost.min(burst));
                // Within rounding either answer is right.
                prop_assume!((tokens - cost_tokens).abs() > 1e-6);
                match pace.take(&rate, cost, now) {
                    Ok(()) => {
                        prop_assert!(tokens > cost_tokens);
                        tokens -= cost_tokens;
                    }
                    Err(retry_ms) => {
                        prop_assert!(tokens < cost_tokens);
                        let exact = (cost_tokens - tokens) / per_ms;
                        prop_assert!((retry_ms as f64 - exact) < 1.01 && retry_ms as f64 > exact - 0.01);
                    }
                }
            }
        }

        /// Who waits as long as he is told, passes.
        #[test]
        fn the_wait_is_enough(count in 1..1_000_u32, burst in 1..10_u32, taken in 1..30) {
            let rate = rate(count, burst);
            let mut pace = Pace::default();
            let mut now = Timestamp(5);
            for _ in 0..taken {
                if let Err(retry_ms) = pace.take(&rate, 1, now) {
                    now = now + retry_ms;
                    prop_assert_eq!(pace.take(&rate, 1, now), Ok(()));
                }
            }
        }
    }
}
