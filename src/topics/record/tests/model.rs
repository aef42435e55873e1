//! Random lives of a group, told by looking at all that was ever published.

use super::*;

/// What the rules say, told by looking at all that was ever published.
#[derive(Default)]
struct Model {
    all: Vec<Told>,
}

#[derive(Clone)]
struct Told {
    topic: Topic,
    data: u64,
    history: bool,
    history_until: Timestamp,
    retained: bool,
    retained_until: Timestamp,
    latest: bool,
}

impl Model {
    fn expire(&mut self, now: Timestamp) {
        for told in &mut self.all {
            told.history &= told.history_until > now;
            told.retained &= told.retained_until > now;
        }
    }

    fn publish(&mut self, publication: &Publication, data: u64, now: Timestamp, rules: &Rules) {
        let group_rules = rules.of(&group());
        let latest = publication.topic.as_str().starts_with("cursor");
        let life = |longest: u64| now + publication.expiry_ms.unwrap_or(longest).min(longest);
        if publication.retain {
            self.all
                .iter_mut()
                .filter(|told| told.topic == publication.topic)
                .for_each(|told| told.retained = false);
        }
        self.all.push(Told {
            topic: publication.topic.clone(),
            data,
            history: true,
            history_until: life(group_rules.history_ms),
            retained: publication.retain && data != 0,
            retained_until: life(rules.limits.retained_ms),
            latest,
        });
        let most = if latest { 1 } else { group_rules.history };
        let mut of_topic: Vec<_> = self
            .all
            .iter_mut()
            .filter(|told| told.topic == publication.topic && told.history)
            .collect();
        let excess = of_topic.len().saturating_sub(most);
        of_topic.iter_mut().take(excess).for_each(|told| told.history = false);
    }

    /// Retained values among these messages.
    fn values(&self, filter: &TopicFilter, range: std::ops::Range<usize>) -> Vec<u64> {
        let some = self.all.get(range).unwrap_or_default().iter();
        let values = some.filter(|told| told.retained && filter.matches(&told.topic));
        values.map(|told| told.data).collect()
    }

    fn read(&self, filter: &TopicFilter, after: usize) -> (Vec<u64>, bool) {
        let of_filter: Vec<_> =
            self.all.iter().skip(after).filter(|told| filter.matches(&told.topic)).collect();
        let kept = |told: &&&Told| told.history || told.retained;
        let messages = of_filter.iter().filter(kept).map(|told| told.data).collect();
        (messages, of_filter.iter().any(|told| !kept(&told) && !told.latest))
    }
}

#[derive(Clone, Debug)]
pub(super) enum Step {
    Publish {
        topic: &'static str,
        data: u64,
        retain: bool,
        expiry_ms: Option<u64>,
        is_visitor: bool,
    },
    Wait(u64),
    Save,
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let topic = prop::sample::select(vec!["a", "a/b", "a/b/c", "b", "cursor/x", "$x"]);
    let publish = (topic, 0..9_u64, any::<bool>(), prop::option::of(1..2_000_u64), any::<bool>());
    prop_oneof![
        6 => publish.prop_map(|(topic, data, retain, expiry_ms, is_visitor)| Step::Publish { topic, data, retain, expiry_ms, is_visitor }),
        2 => (1..1_500_u64).prop_map(Step::Wait),
        1 => Just(Step::Save),
    ]
}

proptest! {
    #[test]
    fn it_keeps_what_the_rules_say(history in 1..4_usize, steps in prop::collection::vec(step(), 1..40), most in 1..4_usize) {
        let mut bench = Bench::new(history);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Publish { topic, data, retain, expiry_ms, is_visitor } => {
                    let publication = Publication { is_visitor, ..publication(topic, data, retain, expiry_ms) };
                    let position = bench.publish_one(publication.clone()).unwrap();
                    model.publish(&publication, data, bench.now, &bench.rules);
                    prop_assert_eq!(position.offset, model.all.len() as u64);
                }
                Step::Wait(ms) => {
                    bench.wait(ms);
                    model.expire(bench.now);
                }
                Step::Save => {
                    let text = serde_json::to_string(&bench.record).unwrap();
                    bench.record = serde_json::from_str(&text).unwrap();
                }
            }
            prop_assert!(bench.record.deadline(&bench.rules).is_none_or(|at| at > bench.now));
            for filter in ["#", "a/#", "a/+", "b", "cursor/+", "$x"] {
                let chosen: TopicFilter = filter.parse().unwrap();
                for after in 0..=model.all.len() {
                    let place = Position { offset: after as u64, ..bench.record.position() };
                    let (texts, missed) = bench.read_pages(&chosen, place.into(), most);
                    let (expected, lost) = model.read(&chosen, after);
                    prop_assert_eq!(&texts, &expected, "{} after {}", filter, after);
                    // A state that is over counts as missed only where none newer came.
                    if lost || !model.all.iter().any(|told| told.latest) {
                        prop_assert_eq!(missed, lost, "{} after {}", filter, after);
                    }
                    // One who was cut off before all retained values had come.
                    let resume = Resume { retained: Some(after as u64 / 2), ..place.into() };
                    let mut rest = model.values(&chosen, after / 2..after);
                    rest.extend(expected);
                    prop_assert_eq!(bench.read_pages(&chosen, resume, most), (rest, missed));
                }
                let mut retained: Vec<_> = model.all.iter().filter(|told| told.retained && chosen.matches(&told.topic)).collect();
                retained.sort_by_key(|told| told.topic.clone());
                let retained: Vec<_> = retained.iter().map(|told| told.data.to_string()).collect();
                prop_assert_eq!(bench.retained(filter), retained);
            }
            let of_visitors = &bench.record.of_visitors;
            let counted = (of_visitors.history.len(), of_visitors.retained, bench.record.visitor_bytes());
            prop_assert_eq!(counted, bench.of_visitors());
            let (messages, bytes) = bench.record.kept();
            prop_assert_eq!(messages == 0, bytes == 0);
            prop_assert_eq!(bench.record.topics.len(), bench.record.idle.len() + {
                bench.record.topics.values().filter(|standing| !standing.history.is_empty() || standing.retained.is_some()).count()
            });
        }
    }
}
