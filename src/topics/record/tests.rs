mod faults;
mod leaves;
mod model;

use proptest::prelude::*;

use super::*;
use crate::model::{
    error::ErrorCode,
    topic::{Resume, TopicFilter},
};

const ALL: Most = Most { bytes: usize::MAX, messages: usize::MAX };

fn group() -> GroupId {
    "12345".parse().unwrap()
}

fn rules(history: usize) -> Rules {
    let latest = vec!["cursor/#".parse().unwrap()];
    let wishes = GroupRules { history, history_ms: 1_000, latest };
    Rules {
        groups: [(group(), wishes)].into(),
        limits: KeepLimits {
            topics: 100,
            history_bytes: 1 << 20,
            retained_bytes: 1 << 20,
            retained_ms: 5_000,
            visitor_percent: 50,
        },
        nothing: GroupRules::default(),
    }
}

fn publication(topic: &str, data: u64, retain: bool, expiry_ms: Option<u64>) -> Publication {
    let from = Sender { node: NodeId { node: 0, incarnation: 1 }, client: 1, number: 0 };
    let data = if data == 0 { Json::null() } else { Json::of(&data) };
    Publication { topic: topic.parse().unwrap(), data, retain, expiry_ms, from, is_visitor: false }
}

struct Bench {
    record: GroupTopics,
    rules: Rules,
    now: Timestamp,
}

impl Bench {
    fn new(history: usize) -> Self {
        let (rules, now) = (rules(history), Timestamp(1_000));
        Self { record: GroupTopics::vacant(&rules, now), rules, now }
    }

    /// Applies a command that may still be undone.
    fn tries(&mut self, command: Command) -> Reply {
        self.record.apply(&group(), command, self.now, &self.rules, &mut Vec::new())
    }

    fn apply(&mut self, command: Command) -> Reply {
        let reply = self.tries(command);
        self.record.stands();
        reply
    }

    fn publish_one(&mut self, publication: Publication) -> Place {
        self.apply(Command::Publish(vec![publication])).remove(0)
    }

    fn publish(&mut self, topic: &str, data: u64, retain: bool) -> Place {
        self.publish_one(publication(topic, data, retain, None))
    }

    fn visitor_publishes(&mut self, topic: &str, data: u64, retain: bool) -> Place {
        let publication = publication(topic, data, retain, None);
        self.publish_one(Publication { is_visitor: true, ..publication })
    }

    /// What visitors have, told by looking at all that is kept.
    fn of_visitors(&self) -> (usize, usize, usize) {
        let row = || self.record.row.values().filter(|kept| kept.is_visitor);
        let history = row().filter(|kept| kept.history.is_some());
        let retained = row().filter(|kept| kept.retained.is_some());
        let bytes = history.clone().chain(retained.clone()).map(Kept::bytes).sum();
        (history.count(), retained.count(), bytes)
    }

    fn wait(&mut self, ms: u64) {
        self.now = self.now + ms;
        let _ = self.apply(Command::Tick);
    }

    fn read(&self, filter: &str, after: u64) -> (Vec<String>, bool) {
        let filter = filter.parse().unwrap();
        let epoch = self.record.epoch;
        let (reading, anew) = self.record.resume(Position { epoch, offset: after }.into());
        let page = self.record.page(&filter, reading, ALL);
        let text = |(message, _): &(Arc<Message>, bool)| message.data.text().to_owned();
        (page.messages.iter().map(text).collect(), page.missed || anew)
    }

    /// Page by page it is the same as at once; and once at most something is missing.
    fn read_pages(&self, filter: &TopicFilter, resume: Resume, most: usize) -> (Vec<u64>, bool) {
        let (mut values, mut told, mut next) = (Vec::new(), 0, Some(self.record.resume(resume).0));
        while let Some(reading) = next {
            let page = self.record.page(filter, reading, Most { messages: most, ..ALL });
            let value =
                |(message, _): &(Arc<Message>, bool)| message.data.text().parse().unwrap_or(0);
            values.extend(page.messages.iter().map(value));
            (told, next) = (told + u32::from(page.missed), page.more);
        }
        assert!(told < 2, "told {told} times");
        (values, told > 0)
    }

    fn retained(&self, filter: &str) -> Vec<String> {
        let page = self.record.retained(&filter.parse().unwrap(), None, usize::MAX);
        page.messages.iter().map(|message| message.data.text().to_owned()).collect()
    }
}

#[test]
fn a_value_stays_until_it_is_replaced_taken_away_or_over() {
    let mut bench = Bench::new(0);
    bench.publish("a/b", 1, true).unwrap();
    bench.publish("a/b", 2, false).unwrap();
    assert_eq!(bench.retained("a/#"), ["1"], "what is not retained does not touch it");
    bench.publish("a/b", 3, true).unwrap();
    bench.publish("a", 4, true).unwrap();
    assert_eq!(bench.retained("a/#"), ["4", "3"]);
    bench.publish("a", 0, true).unwrap();
    assert_eq!(bench.retained("#"), ["3"]);
    bench.wait(4_999);
    assert_eq!(bench.retained("#"), ["3"]);
    bench.wait(1);
    assert!(bench.retained("#").is_empty());
    assert_eq!(bench.record.kept(), (0, 0));
}

#[test]
fn who_comes_back_gets_what_he_missed_or_is_told() {
    let mut bench = Bench::new(2);
    for data in 1..=3 {
        bench.publish("a", data, false).unwrap();
    }
    bench.publish("b", 4, false).unwrap();
    assert_eq!(bench.read("a", 1), (vec!["2".into(), "3".into()], false));
    assert_eq!(bench.read("a", 0), (vec!["2".into(), "3".into()], true));
    assert_eq!(bench.read("b", 0), (vec!["4".into()], false), "what left was not for him");
    let other = Position { epoch: Epoch(1), offset: 3 };
    assert!(bench.record.resume(other.into()).1, "another row");
    let ahead = Position { offset: 5, ..bench.record.position() };
    assert!(bench.record.resume(ahead.into()).1, "a place that does not exist yet");
    bench.wait(1_000);
    assert_eq!(bench.read("a", 2), (vec![], true));
    assert_eq!(bench.read("a", 3), (vec![], false));
}

#[test]
fn of_a_state_only_the_newest_counts() {
    let mut bench = Bench::new(10);
    for data in 1..=3 {
        bench.publish("cursor/ann", data, false).unwrap();
    }
    assert_eq!(bench.read("#", 0), (vec!["3".into()], false));
    bench.wait(1_000);
    assert_eq!(bench.read("#", 0), (vec![], true), "and now not even that");
}

#[test]
fn one_too_many_is_refused_and_the_oldest_goes() {
    let mut bench = Bench::new(10);
    bench.rules.limits = KeepLimits {
        topics: 2,
        history_bytes: 3 * (MESSAGE_COST + 2),
        retained_bytes: 2 * (MESSAGE_COST + 4),
        ..bench.rules.limits
    };
    for data in 1..=4 {
        bench.publish("h", data, false).unwrap();
    }
    assert_eq!(bench.read("h", 1), (vec!["2".into(), "3".into(), "4".into()], false));
    assert!(bench.read("h", 0).1);
    bench.publish("a", 1, true).unwrap();
    bench.publish("b", 1, true).unwrap();
    let problem = bench.publish("c", 1, true).unwrap_err();
    assert_eq!(problem.code, ErrorCode::TooMany);
    assert!(problem.message.contains("2 topics"), "{problem}");
    bench.publish("a", 2, true).unwrap();
    let problem = bench.publish("a", 1_000_000, true).unwrap_err();
    assert!(problem.message.contains("bytes in all"), "{problem}");
    bench.publish("a", 0, true).unwrap();
    bench.publish("c", 1, true).unwrap();
    assert_eq!(bench.retained("#"), ["1", "1"]);
}

/// Whatever visitors do, half is there for agents.
#[test]
fn visitors_have_a_part_and_no_more() {
    let mut bench = Bench::new(10);
    bench.rules.limits =
        KeepLimits { topics: 4, history_bytes: 6 * (MESSAGE_COST + 2), ..bench.rules.limits };
    for data in 1..=3 {
        bench.publish("a", data, false).unwrap();
    }
    for data in 4..=9 {
        bench.visitor_publishes("v", data, false).unwrap();
    }
    assert_eq!(bench.read("a", 0), (["1", "2", "3"].map(str::to_owned).into(), false));
    assert_eq!(bench.read("v", 6).0, ["7", "8", "9"], "visitors' oldest went");
    let texts = |number: u64| format!("v/{number}");
    for number in 1..=2 {
        bench.visitor_publishes(&texts(number), 1, true).unwrap();
    }
    let problem = bench.visitor_publishes("v/3", 1, true).unwrap_err();
    assert_eq!(problem.code, ErrorCode::TooMany);
    assert!(problem.message.contains("the visitors of a group may have 2 topics"), "{problem}");
    bench.visitor_publishes("v/1", 2, true).unwrap();
    // An agent's value in the place of a visitor's is an agent's.
    bench.publish("v/1", 3, true).unwrap();
    bench.visitor_publishes("v/3", 1, true).unwrap();
    bench.publish("a", 1, true).unwrap();
    let problem = bench.publish("b", 1, true).unwrap_err();
    assert!(problem.message.contains("a group may have 4 topics"), "{problem}");
    bench.rules.limits.retained_bytes = bench.record.retained_bytes + 300;
    bench.rules.limits.topics = 100;
    let problem = bench.visitor_publishes("v/1", 10_u64.pow(18), true).unwrap_err();
    assert!(problem.message.contains("the visitors of a group"), "{problem}");
}

/// However much is kept, and however little of it is wanted.
#[test]
fn what_is_looked_at_for_a_page_is_bounded() {
    let mut bench = Bench::new(10);
    for number in 0..100 {
        bench.publish(&format!("t/{number}/{}", number % 50), number + 1, false).unwrap();
    }
    let start = Position { offset: 0, ..bench.record.position() };
    let rare: TopicFilter = "t/+/7".parse().unwrap();
    let (reading, _) = bench.record.resume(start.into());
    let page = bench.record.page(&rare, reading, ALL);
    assert_eq!((page.messages.len(), page.position.offset), (0, 4), "a part is looked at");
    assert_eq!(bench.read_pages(&rare, start.into(), 10), (vec![8, 58], false));
    // What few topics have is found without looking at others.
    for few in ["t/57/7", "t/57/+", "t/57/#"] {
        let page = bench.record.page(&few.parse().unwrap(), reading, ALL);
        assert_eq!((page.messages.len(), page.more), (1, None), "{few}");
    }
}

/// Who wants to know of too many topics is told that he missed something, rather than that all are asked.
#[test]
fn what_is_asked_for_losses_is_bounded() {
    let mut bench = Bench::new(1);
    bench.rules.limits.topics = 1_000;
    let start = bench.record.position().offset;
    for number in 0..100 {
        bench.publish(&format!("made/up/{number}"), 1, false).unwrap();
    }
    for number in 0..5 {
        bench.publish(&format!("a/{number}"), 1, false).unwrap();
    }
    bench.wait(1_000);
    assert!(bench.read("+/nothing", start).1, "nobody looked at all of them");
    assert!(!bench.read("a/+/nothing", start).1, "those that begin so are few");
    assert!(bench.read("a/+", start).1);
    assert!(!bench.read("+/nothing", bench.record.position().offset).1);
}

/// Made-up topics are forgotten in the end; then everybody is told.
#[test]
fn marks_of_topics_are_bounded() {
    let mut bench = Bench::new(1);
    for number in 0..300 {
        bench.publish(&format!("t/{number}"), 1, false).unwrap();
    }
    bench.wait(1_000);
    bench.publish("x", 1, false).unwrap();
    assert!(bench.record.topics.len() <= 101, "{}", bench.record.topics.len());
    assert_eq!(bench.read("x", 250), (vec!["1".into()], false));
    assert_eq!(bench.read("x", 100), (vec!["1".into()], true));
}

#[test]
fn a_command_that_fails_half_way_leaves_no_trace() {
    let mut bench = Bench::new(2);
    bench.publish("a", 1, true).unwrap();
    bench.publish("a", 2, false).unwrap();
    let checkpoint = bench.record.checkpoint();
    bench.tries(Command::Publish(vec![publication("a", 3, false, None)]));
    bench.record.roll_back(checkpoint);
    assert_eq!(bench.record.position().offset, 2);
    assert_eq!(bench.retained("a"), ["1"]);
    bench.publish("a", 4, false).unwrap();
    assert_eq!(bench.read("a", 2).0, ["4"]);
    assert_eq!(bench.read("a", 0), (["1", "2", "4"].map(str::to_owned).into(), false));
}
