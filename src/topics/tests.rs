mod narrow;
mod outage;
mod publishing;

use std::{
    collections::{HashMap, HashSet},
    num::NonZeroU32,
    sync::Arc,
};

use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::Value;

use super::{
    client::{Client, Subscribed},
    handle::{Options, Topics},
    hub::HubLimits,
    post::{Post, Target},
    record::{GroupRules, KeepLimits},
};
use crate::{
    clock::{Clock, Timestamp},
    limits::Rate,
    model::{
        close::CloseCode,
        error::{ErrorCode, Problem},
        ids::{GroupId, NodeId, SocketId},
        json::Json,
        topic::{Epoch, Party, Position, PublishWish, Resume, Rights, SubscribeWish, TopicFilter},
    },
    store::place::Place,
    telemetry::Metrics,
};

/// Sockets that take everything, and say of themselves whether they have room.
#[derive(Default)]
struct Sockets {
    sent: Mutex<HashMap<SocketId, Vec<Value>>>,
    full: Mutex<HashSet<SocketId>>,
    /// After so many frames a socket is full.
    full_after: Mutex<HashMap<SocketId, usize>>,
    /// Texts that were made, whoever they were for.
    texts: Mutex<usize>,
}

impl Sockets {
    fn take(&self, socket: SocketId) -> Vec<Value> {
        self.sent.lock().remove(&socket).unwrap_or_default()
    }
}

impl Post for Sockets {
    fn message(&self, to: &[Target], text: &str) {
        *self.texts.lock() += 1;
        for target in to {
            let message = serde_json::from_str(text).unwrap();
            self.sent.lock().entry(target.socket).or_default().push(message);
        }
    }

    fn missed(&self, to: SocketId, _: u32) {
        self.sent.lock().entry(to).or_default().push("missed".into());
    }

    fn unsubscribed(&self, to: SocketId, _: u32) {
        self.sent.lock().entry(to).or_default().push("unsubscribed".into());
    }

    fn has_room(&self, to: SocketId) -> bool {
        let sent = self.sent.lock().get(&to).map_or(0, Vec::len);
        let is_full = self.full_after.lock().get(&to).is_some_and(|most| sent >= *most);
        !is_full && !self.full.lock().contains(&to)
    }

    fn close(&self, to: SocketId, _: CloseCode) {
        panic!("{to:?} is closed");
    }
}

fn group() -> GroupId {
    "12345".parse().unwrap()
}

fn hub_limits() -> HubLimits {
    HubLimits {
        per_socket: 10,
        per_group: 100,
        publishes: Rate::per_second(NonZeroU32::new(1_000_000).unwrap()),
        visitor_publishes: Rate::per_second(NonZeroU32::new(1_000_000).unwrap()),
        payload_bytes: 1_000,
        // Two messages or three: what waits comes in many parts.
        page_bytes: 600,
    }
}

fn topics_with(history: usize, limits: HubLimits, post: Arc<dyn Post>) -> Topics {
    let node = NodeId { node: 0, incarnation: 1 };
    let place = Place::alone(node, 2, Clock::manual(Timestamp(1_000)));
    topics_at(place, history, limits, post)
}

fn topics_at(place: Place, history: usize, limits: HubLimits, post: Arc<dyn Post>) -> Topics {
    let latest = vec!["state/#".parse().unwrap()];
    let rules = GroupRules { history, history_ms: 60_000, latest };
    let options = Options {
        place,
        groups: [(group(), rules)].into(),
        keep: KeepLimits {
            topics: 100,
            history_bytes: 1 << 20,
            retained_bytes: 1 << 20,
            retained_ms: 60_000,
            visitor_percent: 50,
        },
        limits,
    };
    Topics::new(options, post, Metrics::new())
}

fn bench(history: usize) -> (Topics, Arc<Sockets>) {
    let sockets = Arc::new(Sockets::default());
    let post = Arc::clone(&sockets) as Arc<dyn Post>;
    (topics_with(history, hub_limits(), post), sockets)
}

/// Topics whose engine does nothing before it is made to: the thread that adopts it ends at once.
fn sleeping() -> (Topics, Arc<Sockets>) {
    let (topics, sockets) = bench(10);
    let adopt = || (0..2).for_each(|shard| topics.engine().keep(shard).unwrap().adopt());
    std::thread::scope(|scope| drop(scope.spawn(adopt)));
    (topics, sockets)
}

fn client(topics: &Topics, socket: u64) -> Client {
    topics.client(group(), Some(SocketId(socket)), Party::Agent, Rights::all())
}

fn subscribe(client: &Client, filter: &str, resume: Option<Position>) -> Subscribed {
    subscribe_from(client, filter, resume.map(Resume::from))
}

fn subscribe_from(client: &Client, filter: &str, resume: Option<Resume>) -> Subscribed {
    let wish = SubscribeWish {
        filter: filter.parse().unwrap(),
        no_local: false,
        latest: false,
        retained: true,
        resume,
    };
    let (sender, receiver) = std::sync::mpsc::channel();
    client.subscribe(wish, move |answer: Result<_, Problem>| sender.send(answer.unwrap()).unwrap());
    receiver.try_recv().expect("an answer at once: nobody else has the engine")
}

fn publish(client: &Client, topic: &str, data: usize, retain: bool) {
    let (topic, data) = (topic.parse().unwrap(), Json::of(&data));
    client.publish(PublishWish { topic, data, retain, expiry_ms: None }, |answer| {
        answer.unwrap();
    });
}

/// Sockets number their subscriptions alike, so nearly all receivers of a message share one text.
#[test]
fn a_message_is_encoded_once_for_all_with_one_number() {
    let (topics, sockets) = bench(10);
    let clients: Vec<_> = (0..50).map(|socket| client(&topics, socket)).collect();
    for client in &clients {
        assert_eq!(subscribe(client, "a", None).id, 1);
    }
    subscribe(&clients[0], "#", None);
    publish(&clients[1], "a", 1, false);
    assert_eq!(*sockets.texts.lock(), 2);
    let heard: usize = (0..50).map(|socket| sockets.take(SocketId(socket)).len()).sum();
    assert_eq!(heard, 51);
}

#[test]
fn whoever_goes_leaves_nothing_behind() {
    let (topics, _) = bench(10);
    let ann = client(&topics, 1);
    let first = subscribe(&ann, "a", None);
    subscribe(&ann, "b", None);
    ann.unsubscribe(first.id);
    ann.unsubscribe(first.id);
    assert_eq!(topics.shared.hub.subscriptions(), 1);
    drop(ann);
    assert_eq!(topics.shared.hub.subscriptions(), 0);
    assert!(topics.shared.seats.is_empty());
}

/// Who was not told his number yet could not know which of his subscriptions is meant.
#[test]
fn a_subscription_that_is_not_allowed_any_more_before_it_began_is_refused() {
    let (topics, sockets) = sleeping();
    let mut ann = client(&topics, 1);
    let answers = Arc::new(Mutex::new(Vec::new()));
    for filter in ["a", "b"] {
        let wish = SubscribeWish {
            filter: filter.parse().unwrap(),
            no_local: false,
            latest: false,
            retained: true,
            resume: None,
        };
        let answers = Arc::clone(&answers);
        ann.subscribe(wish, move |answer| {
            let told = answer.map(|subscribed| subscribed.id);
            answers.lock().push(told.map_err(|problem| (problem.code, problem.field)));
        });
    }
    let only_b = ["b".parse().unwrap()].into_iter().collect();
    ann.change_rights(Rights { publish: Rights::all().publish, subscribe: only_b });
    topics.engine().settle();
    let refused = Err((ErrorCode::Scope, Some("filter".into())));
    assert_eq!(*answers.lock(), [refused, Ok(2)]);
    publish(&ann, "a", 1, false);
    publish(&ann, "b", 2, false);
    topics.engine().settle();
    let told = sockets.take(SocketId(1));
    assert_eq!(told.last().unwrap()["data"], 2);
    assert!(told.iter().all(|message| message["topic"] != "a"), "{told:?}");
}

/// A message that nobody keeps goes past the record, on its publisher's thread.
#[test]
fn who_is_told_that_he_has_subscribed_misses_nothing_from_then_on() {
    let (topics, sockets) = bench(0);
    let (ann, elsewhere) = (client(&topics, 1), topics.clone());
    let (sender, published) = std::sync::mpsc::channel();
    let wish = SubscribeWish {
        filter: "a".parse().unwrap(),
        no_local: false,
        latest: false,
        retained: true,
        resume: None,
    };
    ann.subscribe(wish, move |answer| {
        assert!(answer.is_ok());
        let (done, is_done) = std::sync::mpsc::channel();
        sender
            .send(std::thread::spawn(move || {
                publish(&client(&elsewhere, 0), "a", 1, false);
                let _ = done.send(());
            }))
            .unwrap();
        // Time enough to be lost.
        let _ = is_done.recv_timeout(std::time::Duration::from_millis(200));
    });
    published.recv().unwrap().join().unwrap();
    let heard = sockets.take(SocketId(1));
    assert_eq!(heard.iter().map(|message| &message["data"]).collect::<Vec<_>>(), [1]);
}

/// Where nothing is kept but values, whoever still reads them learns at once that one is taken away.
#[test]
fn a_value_that_is_taken_away_is_told_to_who_still_catches_up() {
    let (topics, sockets) = bench(0);
    let publisher = client(&topics, 0);
    for topic in 0..6 {
        publish(&publisher, &format!("t/{topic}"), topic, true);
    }
    let (reader, socket) = (client(&topics, 1), SocketId(1));
    sockets.full_after.lock().insert(socket, 1);
    subscribe(&reader, "t/#", None);
    let mut told = sockets.take(socket);
    assert!((1..5).contains(&told.len()), "some came, others wait: {told:?}");
    sockets.full.lock().insert(socket);
    for (topic, data) in [("t/0", Json::null()), ("t/5", Json::null()), ("t/4", Json::of(&44))] {
        let topic = topic.parse().unwrap();
        let wish = PublishWish { topic, data, retain: true, expiry_ms: None };
        publisher.publish(wish, |answer| assert!(answer.is_ok()));
    }
    sockets.full.lock().clear();
    sockets.full_after.lock().clear();
    reader.written();
    told.extend(sockets.take(socket));
    let mut known = std::collections::BTreeMap::new();
    for message in told {
        let topic = message["topic"].as_str().unwrap().to_owned();
        match message["data"].as_u64() {
            Some(data) => known.insert(topic, data),
            None => known.remove(&topic),
        };
    }
    let expected = [("t/1", 1), ("t/2", 2), ("t/3", 3), ("t/4", 44)];
    assert_eq!(known, expected.map(|(topic, data)| (topic.to_owned(), data)).into());
}

/// One who is cut off before all retained values came says how far he was, and gets the rest.
#[test]
fn values_that_did_not_come_before_a_cut_come_after_it() {
    for history in [0, 10] {
        let (topics, sockets) = bench(history);
        let publisher = client(&topics, 0);
        for topic in 0..6 {
            publish(&publisher, &format!("t/{topic}"), topic, true);
        }
        let first = client(&topics, 1);
        sockets.full_after.lock().insert(SocketId(1), 1);
        let position = subscribe(&first, "#", None).position;
        let heard = sockets.take(SocketId(1));
        assert!((1..6).contains(&heard.len()), "{}", heard.len());
        let retained = heard.last().unwrap()["offset"].as_u64();
        drop(first);
        publish(&publisher, "t/5", 55, true);
        let Position { epoch, offset } = position;
        let subscribed =
            subscribe_from(&client(&topics, 2), "#", Some(Resume { epoch, offset, retained }));
        assert_eq!((subscribed.position, subscribed.missed), (position, history == 0));
        let rest = sockets.take(SocketId(2));
        let values = heard.iter().chain(&rest).map(|message| message["data"].as_u64().unwrap());
        assert_eq!(values.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 55]);
        assert_eq!(rest.last().unwrap()["retained"], Value::Null, "this is news");
    }
}

/// All that publishing did not drop, each once and in order, whatever comes between.
#[derive(Clone, Debug)]
enum Step {
    Publish {
        topic: &'static str,
        retain: bool,
    },
    /// The socket takes nothing, or everything.
    Full(bool),
    /// It has written something.
    Written,
    /// It is cut off, and comes back.
    Cut,
}

fn step() -> impl Strategy<Value = Step> {
    let topic = prop::sample::select(vec!["a/x", "a/y", "b"]);
    prop_oneof![
        5 => (topic, any::<bool>()).prop_map(|(topic, retain)| Step::Publish { topic, retain }),
        2 => any::<bool>().prop_map(Step::Full),
        2 => Just(Step::Written),
        2 => Just(Step::Cut),
    ]
}

/// One who reads, and remembers where he is.
struct Reader {
    client: Option<Client>,
    socket: u64,
    position: Position,
    heard: Vec<u64>,
}

impl Reader {
    fn hear(&mut self, sockets: &Sockets) {
        for message in sockets.take(SocketId(self.socket)) {
            assert_eq!(message["retained"], Value::Null, "{message}");
            self.heard.push(message["data"].as_u64().unwrap());
            self.position.offset = message["offset"].as_u64().unwrap();
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(steps in prop::collection::vec(step(), 1..80)) {
        let (topics, sockets) = bench(1_000);
        let publisher = client(&topics, 0);
        let first = client(&topics, 1);
        let position = subscribe(&first, "a/#", None).position;
        let mut reader = Reader { client: Some(first), socket: 1, position, heard: Vec::new() };
        let mut expected = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish { topic, retain } => {
                    publish(&publisher, topic, number, retain);
                    expected.extend((topic != "b").then_some(number as u64));
                }
                Step::Full(true) => drop(sockets.full.lock().insert(SocketId(reader.socket))),
                Step::Full(false) => drop(sockets.full.lock().remove(&SocketId(reader.socket))),
                Step::Written => {
                    reader.hear(&sockets);
                    reader.client.iter().for_each(Client::written);
                }
                Step::Cut => {
                    reader.hear(&sockets);
                    reader.client = None;
                    reader.socket += 1;
                    let next = client(&topics, reader.socket);
                    // The new socket is as full as the old one was.
                    if sockets.full.lock().contains(&SocketId(reader.socket - 1)) {
                        sockets.full.lock().insert(SocketId(reader.socket));
                    }
                    let subscribed = subscribe(&next, "a/#", Some(reader.position));
                    prop_assert!(!subscribed.missed);
                    prop_assert_eq!(subscribed.position, reader.position);
                    reader.client = Some(next);
                }
            }
        }
        sockets.full.lock().clear();
        reader.client.iter().for_each(Client::written);
        reader.hear(&sockets);
        prop_assert_eq!(reader.heard, expected);
    }
}
