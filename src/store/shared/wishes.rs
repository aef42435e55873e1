//! What a connection is still to be told of channels: which to subscribe to, and which to leave. Pure.
//!
//! A channel waits once, whatever is wished of it and how often: a wish that the server was not told is taken back by the
//! opposite one. So no more wait than there are channels that are wanted, or that the connection may have.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// Wishes in their order, until the server has granted them.
#[derive(Default)]
pub(super) struct Wishes {
    next: u64,
    waiting: BTreeMap<u64, Wish>,
    /// By channel, the number of the only wish for it.
    numbers: HashMap<Arc<str>, u64>,
}

struct Wish {
    channel: Arc<str>,
    is_wanted: bool,
    /// Whether the server may have been told something of this channel that it has not answered.
    is_in_doubt: bool,
}

/// What the server is told in one go; each channel is there once.
#[derive(Debug, Default)]
pub(super) struct Round {
    numbers: Vec<u64>,
    pub(super) joins: Vec<Arc<str>>,
    pub(super) leaves: Vec<Arc<str>>,
}

impl Wishes {
    /// A channel is wanted that was not, or is no more.
    pub(super) fn wish(&mut self, channel: Arc<str>, is_wanted: bool) {
        let mut is_in_doubt = false;
        if let Some(number) = self.numbers.get(&channel)
            && let Some(before) = self.waiting.get(number)
        {
            if before.is_wanted == is_wanted {
                return;
            }
            is_in_doubt = before.is_in_doubt;
            self.waiting.remove(number);
            if !is_in_doubt {
                self.numbers.remove(&channel);
                return;
            }
        }
        self.numbers.insert(Arc::clone(&channel), self.next);
        self.waiting.insert(self.next, Wish { channel, is_wanted, is_in_doubt });
        self.next += 1;
    }

    /// The connection has all that is wanted now.
    pub(super) fn clear(&mut self) {
        self.waiting.clear();
        self.numbers.clear();
    }

    /// Tells apart the wishes until now from those that come.
    pub(super) fn until_now(&self) -> u64 {
        self.next
    }

    /// Whether the server has granted all wishes `until` then.
    pub(super) fn are_granted(&self, until: u64) -> bool {
        self.waiting.first_key_value().is_none_or(|(first, _)| *first >= until)
    }

    /// The first of the wishes `until` then, so many at most; none when all are granted.
    pub(super) fn round(&mut self, until: u64, most: usize) -> Option<Round> {
        let mut round = Round::default();
        for (number, wish) in self.waiting.range_mut(..until).take(most) {
            wish.is_in_doubt = true;
            round.numbers.push(*number);
            let told = if wish.is_wanted { &mut round.joins } else { &mut round.leaves };
            told.push(Arc::clone(&wish.channel));
        }
        (!round.numbers.is_empty()).then_some(round)
    }

    /// The server has answered. What was wished of its channels meanwhile stays to be told.
    pub(super) fn granted(&mut self, round: &Round) {
        for number in &round.numbers {
            if let Some(granted) = self.waiting.remove(number) {
                self.numbers.remove(&granted.channel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Toggle(u8),
        /// A round begins, for what was wished until now.
        Begin(usize),
        /// The server takes it, and its answer comes.
        Answer,
        /// The server takes it or not, and nobody hears its answer.
        Forget(bool),
        /// There is a new connection, which was told all.
        Connect,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            8 => (0..6u8).prop_map(Step::Toggle),
            4 => (1..4usize).prop_map(Step::Begin),
            3 => Just(Step::Answer),
            1 => any::<bool>().prop_map(Step::Forget),
            1 => Just(Step::Connect),
        ];
        proptest::collection::vec(step, 0..60)
    }

    /// A server that does as it is told, and what the node wants of it.
    #[derive(Default)]
    struct Model {
        wanted: BTreeSet<Arc<str>>,
        subscribed: BTreeSet<Arc<str>>,
        /// What any round of this connection was about, besides.
        told: BTreeSet<Arc<str>>,
    }

    impl Model {
        fn take(&mut self, round: &Round) {
            self.subscribed.extend(round.joins.iter().cloned());
            self.subscribed.retain(|channel| !round.leaves.contains(channel));
        }
    }

    proptest! {
        #[test]
        fn in_the_end_it_has_what_is_wanted(steps in steps()) {
            let (mut wishes, mut model) = (Wishes::default(), Model::default());
            let mut under_way: Option<Round> = None;
            for step in steps {
                match step {
                    Step::Toggle(number) => {
                        let channel: Arc<str> = number.to_string().into();
                        let is_wanted = !model.wanted.remove(&channel);
                        if is_wanted {
                            model.wanted.insert(Arc::clone(&channel));
                        }
                        wishes.wish(channel, is_wanted);
                    }
                    Step::Begin(most) if under_way.is_none() => {
                        let until = wishes.until_now();
                        under_way = wishes.round(until, most);
                        if let Some(round) = &under_way {
                            prop_assert!(round.joins.len() + round.leaves.len() <= most);
                            model.told.extend(round.joins.iter().chain(&round.leaves).cloned());
                        }
                    }
                    Step::Begin(_) => {}
                    Step::Answer => {
                        if let Some(round) = under_way.take() {
                            model.take(&round);
                            wishes.granted(&round);
                        }
                    }
                    Step::Forget(is_taken) => {
                        if let Some(round) = under_way.take()
                            && is_taken
                        {
                            model.take(&round);
                        }
                    }
                    Step::Connect => {
                        // What the last one answers is heard, too, and counts for nothing.
                        let late = under_way.take();
                        wishes.clear();
                        model.subscribed = model.wanted.clone();
                        model.told.clear();
                        late.iter().for_each(|round| wishes.granted(round));
                    }
                }
                let differing = model.wanted.symmetric_difference(&model.subscribed);
                let bound: BTreeSet<_> = differing.chain(&model.told).cloned().collect();
                prop_assert!(wishes.waiting.len() <= bound.len());
                prop_assert_eq!(wishes.waiting.len(), wishes.numbers.len());
            }
            if let Some(round) = under_way.take() {
                model.take(&round);
                wishes.granted(&round);
            }
            let until = wishes.until_now();
            while let Some(round) = wishes.round(until, 2) {
                model.take(&round);
                wishes.granted(&round);
            }
            prop_assert_eq!(model.wanted, model.subscribed);
        }

        /// Whoever asks waits for what was wished before, and for nothing that is wished later.
        #[test]
        fn who_asks_waits_for_what_was_wished_before(
            before in proptest::collection::vec(0..6u8, 0..10),
            later in proptest::collection::vec(0..6u8, 0..10),
        ) {
            let mut wishes = Wishes::default();
            let mut wanted = BTreeSet::new();
            let mut toggle = |wishes: &mut Wishes, number: u8| {
                let is_wanted = !wanted.remove(&number) && wanted.insert(number);
                wishes.wish(number.to_string().into(), is_wanted);
                is_wanted
            };
            let mut last = BTreeMap::new();
            for number in before {
                last.insert(number, toggle(&mut wishes, number));
            }
            let until = wishes.until_now();
            let changed: BTreeSet<u8> = later.iter().copied().collect();
            for number in later {
                toggle(&mut wishes, number);
            }
            let mut joined = BTreeSet::new();
            while let Some(round) = wishes.round(until, 3) {
                prop_assert!(round.leaves.is_empty(), "nothing of it was there");
                joined.extend(round.joins.iter().map(|channel| channel.parse::<u8>().unwrap()));
                wishes.granted(&round);
            }
            last.retain(|number, is_wanted| *is_wanted && !changed.contains(number));
            prop_assert_eq!(joined, last.into_keys().collect::<BTreeSet<u8>>());
        }
    }

    fn channels(numbers: std::ops::Range<u32>) -> impl Iterator<Item = Arc<str>> {
        numbers.map(|number| number.to_string().into())
    }

    #[test]
    fn an_opposite_wish_takes_back_one_that_was_not_told() {
        let mut wishes = Wishes::default();
        channels(0..1_000).for_each(|channel| wishes.wish(channel, false));
        channels(0..1_000).for_each(|channel| wishes.wish(channel, true));
        let until = wishes.until_now();
        assert!(wishes.round(until, 512).is_none());
    }

    #[test]
    fn what_is_wished_while_the_server_is_told_the_opposite_is_told_next() {
        let mut wishes = Wishes::default();
        wishes.wish("a".into(), true);
        let until = wishes.until_now();
        let round = wishes.round(until, 512).unwrap();
        wishes.wish("a".into(), false);
        wishes.granted(&round);
        assert!(wishes.round(until, 512).is_none(), "that is a later one");
        let until = wishes.until_now();
        let next = wishes.round(until, 512).unwrap();
        assert_eq!((next.joins, next.leaves), (vec![], vec!["a".into()]));
    }

    #[test]
    fn what_was_wished_since_a_new_connection_is_not_granted_by_the_last_one() {
        let mut wishes = Wishes::default();
        wishes.wish("a".into(), true);
        let until = wishes.until_now();
        let round = wishes.round(until, 512).unwrap();
        wishes.clear();
        wishes.wish("b".into(), true);
        wishes.granted(&round);
        let until = wishes.until_now();
        assert_eq!(wishes.round(until, 512).unwrap().joins, vec![Arc::<str>::from("b")]);
    }
}
