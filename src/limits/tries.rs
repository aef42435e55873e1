//! A limit on what goes wrong, of which one learns only afterwards.

use std::hash::Hash;

use super::{Keyed, Pace, Rate, keyed::Meter};
use crate::clock::Timestamp;

/// How many tries of one key went wrong of late, and how many have no answer yet.
///
/// A try takes its place before it begins, and holds it until it is known how it went: however many begin at once, no more
/// are under way than could all go wrong. One that went wrong then counts as of when it began, and one that went right as
/// if it had never been. It gives back what it took and nothing else, so that right ones in between gain nothing.
#[derive(Debug, Default)]
pub struct Tries {
    wrong: Pace,
    open: u32,
}

impl Tries {
    fn begin(&mut self, rate: &Rate, now: Timestamp) -> Result<(), u64> {
        // Those under way may go wrong yet, so that they all have to fit.
        let open = self.open.saturating_add(1);
        self.wrong.fits(rate, open, now)?;
        self.open = open;
        Ok(())
    }

    fn end(&mut self, rate: &Rate, begun: Timestamp, is_right: bool) {
        self.open = self.open.saturating_sub(1);
        if !is_right {
            self.wrong.charge(rate, begun);
        }
    }
}

impl Meter for Tries {
    fn is_rested(&self, now: Timestamp) -> bool {
        self.open == 0 && self.wrong.is_rested(now)
    }
}

impl<K: Eq + Hash + Clone> Keyed<K, Tries> {
    /// Begins a try of `key`. Whoever may, tells [`Keyed::end`] how it went, whatever happens.
    ///
    /// # Errors
    /// In how many milliseconds to try again.
    pub fn begin(&self, key: &K, now: Timestamp) -> Result<(), u64> {
        self.on(key, now, |tries, rate| tries.begin(rate, now))
    }

    /// A try that began at `begun` has ended.
    pub fn end(&self, key: &K, begun: Timestamp, is_right: bool) {
        // Its key is remembered as long as it is under way.
        let _ = self.on(key, begun, |tries, rate| {
            tries.end(rate, begun, is_right);
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use proptest::{prelude::*, sample::Index};

    use super::*;

    const START: Timestamp = Timestamp(1_700_000_000_000);

    fn rate(count: u32, burst: u32) -> Rate {
        let number = |number| NonZeroU32::new(number).unwrap();
        Rate::per_second(number(count)).with_burst(number(burst))
    }

    #[test]
    fn no_more_are_under_way_than_may_all_go_wrong() {
        let tries = Keyed::<u32, Tries>::new(rate(1, 20), 100);
        let begun = (0..1_000).filter(|_| tries.begin(&7, START).is_ok()).count();
        assert_eq!(begun, 20);
        // However long they take: what is under way does not come back by waiting.
        assert!(tries.begin(&7, START + 3_600_000).is_err());
        tries.tidy(START + 3_600_000);
        assert_eq!(tries.len(), 1, "nor is it forgotten");
        tries.end(&7, START, true);
        assert_eq!(tries.begin(&7, START), Ok(()));
        (0..20).for_each(|_| tries.end(&7, START, false));
        assert_eq!(tries.begin(&7, START), Err(1_000));
        tries.tidy(START + 20_000);
        assert!(tries.is_empty());
    }

    #[test]
    fn right_ones_in_between_lift_nothing() {
        let tries = Keyed::<u32, Tries>::new(rate(1, 20), 100);
        let mut wrong = 0;
        for now in (0..60_000).map(|ms| START + ms) {
            for is_right in [true, false, true] {
                if tries.begin(&7, now).is_ok() {
                    tries.end(&7, now, is_right);
                    wrong += u64::from(!is_right);
                }
            }
        }
        assert_eq!(wrong, rate(1, 20).within_ms(59_999));
    }

    /// One try, as the model keeps it.
    #[derive(Clone, Copy)]
    struct Told {
        begun: Timestamp,
        /// None while it is under way.
        right: Option<bool>,
    }

    /// What a bucket admits that is filled anew for each question: with all tries that ever were in the order in which
    /// they began, those under way taken for wrong, and those that went right left out.
    fn admits(rate: &Rate, told: &[Told], now: Timestamp) -> bool {
        let mut bucket = Pace::default();
        for Told { begun, right } in told {
            if *right != Some(true) {
                bucket.charge(rate, *begun);
            }
        }
        bucket.take(rate, 1, now).is_ok()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Begin,
        End(Index, bool),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            1 => (0..400_u64).prop_map(Step::Wait),
            4 => Just(Step::Begin),
            3 => (any::<Index>(), any::<bool>()).prop_map(|(which, right)| Step::End(which, right)),
        ];
        prop::collection::vec(step, 1..300)
    }

    proptest! {
        /// Whatever is under way and in whatever order it ends, nobody gets more than he would if it had been known
        /// beforehand which tries go right; and where nothing is under way and they ended in their order, not less.
        #[test]
        fn only_wrong_ones_count(count in 1..50_u32, burst in 1..12_u32, steps in steps()) {
            let rate = rate(count, burst);
            let tries = Keyed::<u32, Tries>::new(rate, 100);
            let (mut now, mut told) = (START, Vec::<Told>::new());
            let (mut latest, mut in_order) = (START, true);
            for step in steps {
                match step {
                    Step::Wait(ms) => now = now + ms,
                    Step::Begin => {
                        let expected = admits(&rate, &told, now);
                        let begun = tries.begin(&7, now).is_ok();
                        prop_assert!(expected || !begun, "one too many");
                        let is_quiet = told.iter().all(|told| told.right.is_some());
                        if is_quiet && in_order {
                            prop_assert_eq!(begun, expected);
                        }
                        if begun {
                            told.push(Told { begun: now, right: None });
                        }
                    }
                    Step::End(which, is_right) => {
                        let mut open: Vec<_> = told.iter_mut().filter(|told| told.right.is_none()).collect();
                        if open.is_empty() {
                            continue;
                        }
                        let ended = which.get_mut(&mut open);
                        ended.right = Some(is_right);
                        if !is_right {
                            in_order &= ended.begun >= latest;
                            latest = latest.max(ended.begun);
                        }
                        tries.end(&7, ended.begun, is_right);
                    }
                }
            }
            // In no time at all did more go wrong than the rate lets pass.
            let wrong: Vec<_> = told.iter().filter(|told| told.right != Some(true)).collect();
            for (at, first) in wrong.iter().enumerate() {
                for (more, last) in wrong.iter().skip(at).enumerate() {
                    prop_assert!(more < rate.within_ms(last.begun.since(first.begun)) as usize);
                }
            }
        }
    }
}
