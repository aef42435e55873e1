//! What it costs to find the subscriptions that choose a topic, among few and among a million; and to read what is kept.
//!
//! `cargo bench --bench topics`

// A benchmark stops at the first surprise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::{fs, num::NonZeroU32, sync::Arc};

use divan::{Bencher, black_box};
use vestibule::{
    clock::{Clock, Timestamp},
    limits::Rate,
    model::{
        close::CloseCode,
        ids::{GroupId, NodeId, SocketId},
        json::Json,
        topic::{Party, Position, PublishWish, Rights, SubscribeWish, Topic, TopicFilter},
    },
    store::{Record as _, place},
    telemetry::Metrics,
    topics::{
        client::Client,
        handle::{Options, Topics},
        hub::HubLimits,
        post::{Post, Subscriber, Target},
        record::{Command, GroupRules, GroupTopics, KeepLimits, Most, Publication, Rules, Sender},
        subscription::Subscription,
        trie::{Place, Trie},
    },
};

// As in the product.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SIZES: [u64; 4] = [1_000, 10_000, 100_000, 1_000_000];

/// Of every ten subscriptions eight are to one truck's temperature, one to all of a truck, and one to any one thing of it.
fn filter(number: u64) -> TopicFilter {
    let truck = number / 10;
    let text = match number % 10 {
        8 => format!("truck/{truck}/#"),
        9 => format!("truck/{truck}/+"),
        which => format!("truck/{truck}/wheel/{which}/temperature"),
    };
    text.parse().unwrap()
}

fn subscription(number: u64) -> Arc<Subscription> {
    let id = u32::try_from(number % 100).unwrap();
    let wish = SubscribeWish {
        filter: filter(number),
        no_local: false,
        latest: false,
        retained: true,
        resume: None,
    };
    Arc::new(Subscription::new(id, Subscriber::Socket(SocketId(number / 100)), &wish))
}

fn trie(size: u64) -> Trie<Arc<Subscription>> {
    let mut trie = Trie::default();
    for number in 0..size {
        trie.insert(&filter(number), subscription(number));
    }
    trie
}

fn found(trie: &Trie<Arc<Subscription>>, topic: &Topic) -> usize {
    let mut found = 0;
    trie.matches(topic, |subscription| {
        black_box(subscription);
        found += 1;
    });
    found
}

fn main() {
    tell_memory();
    divan::main();
}

/// Resident memory by a million subscriptions, all that belongs to each included.
fn tell_memory() {
    let resident = || -> u64 {
        let pages = fs::read_to_string("/proc/self/statm").unwrap();
        pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
    };
    let before = resident();
    let trie = trie(1_000_000);
    let bytes = (resident() - before) / 1_000_000;
    println!("{} subscriptions, {} nodes: {bytes} bytes each", trie.len(), trie.nodes());
}

/// A topic that two of all subscriptions choose.
#[divan::bench(args = SIZES)]
fn find_few_of(bencher: Bencher<'_, '_>, size: u64) {
    let trie = trie(size);
    let topics: Vec<Topic> = (0..1_000_u64)
        .map(|n| format!("truck/{}/wheel/3/temperature", n * 7_919 % (size / 10)).parse().unwrap())
        .collect();
    let mut next = 0;
    bencher.bench_local(|| {
        next = (next + 1) % topics.len();
        assert_eq!(found(&trie, &topics[next]), 2);
    });
}

/// A topic that nobody chooses.
#[divan::bench(args = SIZES)]
fn find_none_of(bencher: Bencher<'_, '_>, size: u64) {
    let trie = trie(size);
    let topic: Topic = "boat/7/wheel/3/temperature".parse().unwrap();
    bencher.bench_local(|| assert_eq!(found(&trie, black_box(&topic)), 0));
}

/// A topic that so many of a million choose.
#[divan::bench(args = [1, 10, 100, 1_000, 10_000])]
fn find_so_many_of_a_million(bencher: Bencher<'_, '_>, many: u64) {
    let mut trie = trie(1_000_000);
    let topic: TopicFilter = "news/today".parse().unwrap();
    for number in 0..many {
        trie.insert(&topic, subscription(number));
    }
    let topic: Topic = topic.as_str().parse().unwrap();
    bencher.bench_local(|| assert_eq!(found(&trie, black_box(&topic)) as u64, many));
}

/// One subscription begins and ends.
#[divan::bench(args = SIZES)]
fn begin_and_end_among(bencher: Bencher<'_, '_>, size: u64) {
    let mut trie = trie(size);
    let mut number = size;
    bencher
        .with_inputs(|| {
            number += 1;
            (filter(number), subscription(number))
        })
        .bench_local_values(|(filter, subscription)| {
            let place: Place = trie.insert(&filter, subscription);
            assert!(trie.remove(place).is_some());
        });
}

/// What the work would be without the tree: a comparison with each.
#[divan::bench(args = [1_000, 10_000, 100_000])]
fn compare_with_each_of(bencher: Bencher<'_, '_>, size: u64) {
    let filters: Vec<TopicFilter> = (0..size).map(filter).collect();
    let topic: Topic = "truck/7/wheel/3/temperature".parse().unwrap();
    bencher.bench_local(|| {
        let found = filters.iter().filter(|filter| filter.matches(black_box(&topic))).count();
        assert_eq!(found, 2);
    });
}

/// So many kept messages, each of a topic of its own.
fn record(kept: u64) -> GroupTopics {
    let group: GroupId = "12345".parse().unwrap();
    let wishes = GroupRules { history: 100, history_ms: 300_000, latest: Vec::new() };
    let limits = KeepLimits {
        topics: 10_000,
        history_bytes: usize::MAX,
        retained_bytes: usize::MAX,
        retained_ms: 86_400_000,
        visitor_percent: 50,
    };
    let groups = [(group.clone(), wishes.clone())].into();
    let (rules, now) = (Rules { groups, limits, nothing: wishes }, Timestamp(1_000));
    let mut record = GroupTopics::vacant(&rules, now);
    let from = Sender { node: NodeId { node: 0, incarnation: 1 }, client: 1, number: 0 };
    for number in 0..kept {
        let topic = format!("truck/{number}/temperature").parse().unwrap();
        let (data, expiry_ms) = (Json::of(&number), None);
        let publication =
            Publication { topic, data, retain: false, expiry_ms, from, is_visitor: false };
        let command = Command::Publish(vec![publication]);
        record.apply(&group, command, now, &rules, &mut Vec::new());
        record.stands();
    }
    record
}

/// The first page for one who comes back and knows nothing: all that one turn does for him.
fn read_a_page(bencher: Bencher<'_, '_>, kept: u64, filter: &str) {
    let record = record(kept);
    let filter: TopicFilter = filter.parse().unwrap();
    let start = Position { offset: 0, ..record.position() };
    let most = Most { bytes: 65_536, messages: 512 };
    bencher.bench_local(|| {
        let (reading, _) = record.resume(start.into());
        record.page(black_box(&filter), reading, most)
    });
}

const KEPT: [u64; 3] = [1_000, 10_000, 100_000];

#[divan::bench(args = KEPT)]
fn read_one_topic_of(bencher: Bencher<'_, '_>, kept: u64) {
    read_a_page(bencher, kept, "truck/7/temperature");
}

#[divan::bench(args = KEPT)]
fn read_few_topics_of(bencher: Bencher<'_, '_>, kept: u64) {
    read_a_page(bencher, kept, "truck/7/#");
}

/// Chooses none of them, which nobody can tell without looking.
#[divan::bench(args = KEPT)]
fn read_nothing_of(bencher: Bencher<'_, '_>, kept: u64) {
    read_a_page(bencher, kept, "truck/+/speed");
}

#[divan::bench(args = KEPT)]
fn read_everything_of(bencher: Bencher<'_, '_>, kept: u64) {
    read_a_page(bencher, kept, "#");
}

/// Sockets that take everything.
struct Nowhere;

impl Post for Nowhere {
    fn message(&self, _: &[Target], text: &str) {
        black_box(text);
    }
    fn missed(&self, _: SocketId, _: u32) {}
    fn unsubscribed(&self, _: SocketId, _: u32) {}
    fn has_room(&self, _: SocketId) -> bool {
        true
    }
    fn close(&self, _: SocketId, _: CloseCode) {}
}

/// An agent of a group that keeps the last so many messages of each topic, with one subscriber.
fn publisher(history: usize) -> (Client, Client) {
    let group: GroupId = "12345".parse().unwrap();
    let rate = Rate::per_second(NonZeroU32::new(u32::MAX).unwrap());
    let options = Options {
        place: place::Place::alone(NodeId { node: 0, incarnation: 1 }, 1, Clock::system()),
        groups: [(group.clone(), GroupRules { history, history_ms: 300_000, latest: Vec::new() })]
            .into(),
        keep: KeepLimits {
            topics: 10_000,
            history_bytes: 4 << 20,
            retained_bytes: 4 << 20,
            retained_ms: 86_400_000,
            visitor_percent: 50,
        },
        limits: HubLimits {
            per_socket: 100,
            per_group: 100,
            publishes: rate,
            visitor_publishes: rate,
            payload_bytes: 32_768,
            page_bytes: 65_536,
        },
    };
    let topics = Topics::new(options, Arc::new(Nowhere), Metrics::new());
    let client =
        |socket| topics.client(group.clone(), Some(SocketId(socket)), Party::Agent, Rights::all());
    let (publisher, subscriber) = (client(1), client(2));
    let filter = "truck/#".parse().unwrap();
    let wish =
        SubscribeWish { filter, no_local: false, latest: false, retained: false, resume: None };
    subscriber.subscribe(wish, |answer| assert!(answer.is_ok()));
    (publisher, subscriber)
}

/// One message to one of a thousand topics, all of which keep what they may.
fn publish_one(bencher: Bencher<'_, '_>, history: usize, retain: bool) {
    let (publisher, _subscriber) = publisher(history);
    let topics: Vec<Topic> =
        (0..1_000).map(|number| format!("truck/{number}/temperature").parse().unwrap()).collect();
    let data = Json::of(&"x".repeat(100));
    let mut number = 0;
    let mut publish = || {
        number += 1;
        let (topic, data) = (topics[number % topics.len()].clone(), data.clone());
        publisher.publish(PublishWish { topic, data, retain, expiry_ms: None }, |answer| {
            assert!(answer.is_ok());
        });
    };
    (0..100_000).for_each(|_| publish());
    bencher.bench_local(publish);
}

#[divan::bench]
fn publish_what_is_not_kept(bencher: Bencher<'_, '_>) {
    publish_one(bencher, 0, false);
}

#[divan::bench(args = [1, 10, 100])]
fn publish_and_keep(bencher: Bencher<'_, '_>, history: usize) {
    publish_one(bencher, history, false);
}

#[divan::bench(args = [0, 10])]
fn publish_a_value_and_keep(bencher: Bencher<'_, '_>, history: usize) {
    publish_one(bencher, history, true);
}
