//! Sockets with bounds like real ones: what is too much ends them.

use std::collections::VecDeque;

use super::*;

/// What may wait for one socket, in bytes; a quarter is "room".
const LIMIT: usize = 8_192;
/// What the outbox counts for a frame beside its text.
const FRAME: usize = 74;

#[derive(Default)]
struct Line {
    /// Texts that wait, the first one being written.
    waiting: VecDeque<String>,
    bytes: usize,
    is_closed: bool,
}

/// One socket of each number.
#[derive(Default)]
struct Lines(Mutex<HashMap<SocketId, Line>>);

impl Lines {
    /// The socket takes up to `most` frames.
    fn take(&self, socket: SocketId, most: usize) -> Vec<Value> {
        let mut lines = self.0.lock();
        let line = lines.entry(socket).or_default();
        let taken: Vec<_> = line.waiting.drain(..most.min(line.waiting.len())).collect();
        line.bytes -= taken.iter().map(|text| text.len() + FRAME).sum::<usize>();
        taken.iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    fn push(&self, socket: SocketId, text: String) {
        let mut lines = self.0.lock();
        let line = lines.entry(socket).or_default();
        line.bytes += text.len() + FRAME;
        line.is_closed |= line.bytes > LIMIT;
        line.waiting.push_back(text);
    }
}

impl Post for Lines {
    fn message(&self, to: &[Target], text: &str) {
        to.iter().for_each(|target| self.push(target.socket, text.to_owned()));
    }

    fn missed(&self, to: SocketId, subscription: u32) {
        self.push(to, format!(r#"{{"missed":{subscription}}}"#));
    }

    fn unsubscribed(&self, _: SocketId, _: u32) {}

    fn has_room(&self, to: SocketId) -> bool {
        self.0.lock().get(&to).is_none_or(|line| line.bytes <= LIMIT / 4)
    }

    fn close(&self, to: SocketId, _: CloseCode) {
        self.0.lock().entry(to).or_default().is_closed = true;
    }
}

#[derive(Clone, Debug)]
enum Step {
    Subscribe {
        filter: &'static str,
        resumes: bool,
    },
    /// The socket takes some frames.
    Takes(usize),
}

/// Names that are as long in JSON as they can be, too.
const TOPICS: [&str; 4] = ["a/x", "a/\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}", "b", "c/d/e"];

fn backlog() -> impl Strategy<Value = Vec<(&'static str, usize, bool)>> {
    let message = (prop::sample::select(&TOPICS[..]), 0..LIMIT / 4 - 2, any::<bool>());
    prop::collection::vec(message, 0..40)
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let filter = prop::sample::select(vec!["#", "a/#", "a/x", "+", "c/+/e", "nobody/#"]);
    let subscribe =
        (filter, any::<bool>()).prop_map(|(filter, resumes)| Step::Subscribe { filter, resumes });
    prop::collection::vec(
        prop_oneof![3 => subscribe, 1 => (0..4_usize).prop_map(Step::Takes)],
        1..20,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// With any number of subscriptions and any backlog, however much he takes at a time.
    #[test]
    fn who_reads_at_all_catches_up(backlog in backlog(), steps in steps(), at_a_time in 1..4_usize) {
        let lines = Arc::new(Lines::default());
        let post = Arc::clone(&lines) as Arc<dyn Post>;
        let limits = HubLimits {
            per_socket: 20,
            payload_bytes: LIMIT / 4,
            page_bytes: LIMIT / 4,
            ..hub_limits()
        };
        let topics = topics_with(1_000, limits, post);
        let publisher = client(&topics, 0);
        let mut kept = Vec::new();
        for (number, (topic, size, retain)) in backlog.into_iter().enumerate() {
            let data = Json::of(&"x".repeat(size));
            let wish = PublishWish { topic: topic.parse().unwrap(), data, retain, expiry_ms: None };
            publisher.publish(wish, |answer| assert!(answer.is_ok()));
            kept.push((topic, number as u64 + 1, retain));
        }
        let epoch = Epoch(1_000);
        let reader = client(&topics, 1);
        let socket = SocketId(1);
        let (mut expected, mut heard) = (HashMap::new(), HashMap::<u64, Vec<u64>>::new());
        let mut takes = |most: usize| -> Result<usize, TestCaseError> {
            let frames = lines.take(socket, most);
            for frame in &frames {
                prop_assert_eq!(&frame["missed"], &Value::Null);
                let (id, offset) = (frame["subscription"].as_u64(), frame["offset"].as_u64());
                heard.entry(id.unwrap()).or_default().push(offset.unwrap());
            }
            if !frames.is_empty() {
                reader.written();
            }
            prop_assert!(!lines.0.lock()[&socket].is_closed, "closed as too slow");
            Ok(frames.len())
        };
        for step in steps {
            match step {
                Step::Subscribe { filter, resumes } => {
                    let resume = resumes.then_some(Position { epoch, offset: 0 });
                    let subscribed = subscribe(&reader, filter, resume);
                    let filter: TopicFilter = filter.parse().unwrap();
                    let is_value = |topic: &str, offset: u64| {
                        let retained = kept.iter().filter(|(other, _, retain)| *other == topic && *retain);
                        retained.map(|(_, offset, _)| *offset).max() == Some(offset)
                    };
                    let chosen = kept.iter().filter(|(topic, offset, _)| {
                        filter.matches(&topic.parse().unwrap()) && (resumes || is_value(topic, *offset))
                    });
                    let offsets: Vec<u64> = chosen.map(|(_, offset, _)| *offset).collect();
                    if !offsets.is_empty() {
                        expected.insert(u64::from(subscribed.id), offsets);
                    }
                }
                Step::Takes(most) => drop(takes(most)?),
            }
        }
        while takes(at_a_time)? > 0 {}
        prop_assert_eq!(heard, expected);
    }
}
