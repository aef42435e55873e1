//! What the pure parts cost: the record's transitions, the memory engine around them, frames and messages.
//!
//! `cargo bench --bench core`

// A benchmark stops at the first surprise.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

use std::{num::NonZeroU32, ops::ControlFlow, sync::Arc};

use divan::{Bencher, black_box};
use vestibule::{
    clock::{Clock, Timestamp},
    events::hub::Hub,
    limits::Rate,
    lists::{
        self,
        page::PageQuery,
        state::{ListLimits, Size, State},
    },
    model::{
        event::{Event, EventKind, Visibility},
        ids::{NodeId, SignalId, SocketAddress, SocketId, VisitorId, VisitorKey},
        json::{self, Json},
        list::{Filter, ListQuery, Row, Window},
        protocol::{
            agent::{AgentMessage, ListChange, ToAgent},
            visitor::VisitorMessage,
        },
        signal::{Message, Target},
        timeline::PageEnd,
    },
    presence::{
        handle::Tap as _,
        visitor::{
            Rules, Visitor,
            command::{Command, Connect, Departure, Submission},
            effect::Effect,
        },
    },
    settings::{self, Sources},
    sockets::{
        framing::{Frame, Reader},
        traffic::Traffic,
    },
    store::{Deliver, Engine as _, Expect, Origin, memory::MemoryEngine},
    telemetry::Metrics,
};

const RULES: Rules = Rules {
    grace_ms: 5_000,
    signal_window_ms: 5_000,
    ack_ms: 5_000,
    help_ms: 60_000,
    unknown_until: Timestamp(0),
    late_ms: 0,
    spared_until: Timestamp(0),
};
/// Longer than a record remembers outcomes.
const LATER_MS: u64 = 61_000;

fn main() {
    divan::main();
}

fn socket(number: u64) -> SocketAddress {
    SocketAddress { node: NodeId { node: 0, incarnation: 1 }, socket: SocketId(number) }
}

fn connect(number: u64) -> Command {
    let VisitorMessage::Hello(mut hello) = VisitorMessage::read(HELLO).unwrap().message else {
        unreachable!()
    };
    Command::Connect(Box::new(Connect {
        socket: socket(number),
        tab: hello.tab,
        page: hello.page,
        accepted: Timestamp(1_000),
        visible: hello.visible,
        listening: hello.listen,
        seen: Vec::new(),
        data: hello.data.take(),
        from: None,
    }))
}

fn submission() -> (SignalId, Command) {
    let id = SignalId::generate();
    let message = Message::Signal { data: Json::of(&"x".repeat(150)) };
    let sender = Some(socket(9));
    let submission = Submission { id, message, target: Target::Focus, key: None, sender };
    (id, Command::Signal(Box::new(submission)))
}

const HELLO: &str = r#"{"type":"hello","visitorid":"ada","tab":"tab-1","page":"page-1","visible":true,"listen":true,"seen":[],"data":{"url":"https://shop.example/p/1","title":"A page of the shop","browser":"chrome","browserver":"130","platform":"linux"}}"#;
const SIGNAL: &str = r#"{"type":"signal","request":7,"visitorid":"ada","data":{"text":"Would you like some help with that? Would you like some help with that? Would you like some help with that?"}}"#;
const ACK: &str = r#"{"type":"ack","ids":["01936d1e-7c5a-7f0e-8f6e-0d5f9d2f6a11"],"request":3}"#;

/// A record alone, with a clock of its own.
struct Alone {
    visitor: Visitor,
    id: VisitorId,
    now: Timestamp,
    effects: Vec<Effect>,
    sockets: u64,
}

impl Alone {
    fn connected() -> Self {
        let now = Timestamp(1_700_000_000_000);
        let mut alone = Self {
            visitor: Visitor::vacant(&RULES, now),
            id: "ada".parse().unwrap(),
            now,
            effects: Vec::new(),
            sockets: 1,
        };
        alone.apply(connect(1));
        alone
    }

    fn apply(&mut self, command: Command) {
        self.effects.clear();
        black_box(self.visitor.apply(&self.id, command, self.now, &RULES, &mut self.effects));
    }

    fn page_change(&mut self) {
        self.apply(Command::Close {
            socket: socket(self.sockets),
            departure: Departure::Gone,
            cause: PageEnd::Lost,
        });
        self.sockets += 1;
        self.apply(connect(self.sockets));
    }

    fn signal(&mut self) {
        let (id, command) = submission();
        self.apply(command);
        self.apply(Command::Acknowledge { ids: vec![id] });
    }
}

#[divan::bench]
fn record_page_change(bencher: Bencher) {
    let mut alone = Alone::connected();
    bencher.bench_local(|| alone.page_change());
}

/// Nothing is remembered of signals before.
#[divan::bench]
fn record_signal_and_ack(bencher: Bencher) {
    let mut alone = Alone::connected();
    bencher.bench_local(|| {
        alone.now = alone.now + LATER_MS;
        alone.signal();
    });
}

/// As many outcomes are remembered as can be.
#[divan::bench]
fn record_signal_and_ack_after_1024(bencher: Bencher) {
    let mut alone = Alone::connected();
    (0..1024).for_each(|_| alone.signal());
    bencher.bench_local(|| alone.signal());
}

struct Nowhere;

impl Deliver<Visitor, MemoryEngine<Visitor>> for Nowhere {
    fn deliver(
        &self,
        _: &MemoryEngine<Visitor>,
        _: &VisitorKey,
        effects: &mut Vec<Effect>,
        _: Origin,
    ) {
        black_box(&effects);
        effects.clear();
    }
}

fn engine() -> (MemoryEngine<Visitor>, VisitorKey) {
    let clock = Clock::manual(Timestamp(1_700_000_000_000));
    let engine = MemoryEngine::new(1, usize::MAX, RULES, clock, Nowhere);
    let key = |visitor: usize| VisitorKey {
        group: "12345".parse().unwrap(),
        visitor: format!("v{visitor}").parse().unwrap(),
    };
    for visitor in 0..10_000 {
        engine.submit(key(visitor), Expect::Any, connect(1), Box::new(|_| ()));
    }
    (engine, key(5_000))
}

/// The engine's own share: a command that changes almost nothing, among 10,000 records.
#[divan::bench]
fn engine_submit(bencher: Bencher) {
    let (engine, key) = engine();
    bencher.bench_local(|| {
        let command = Command::Activity { socket: socket(1) };
        engine.submit(key.clone(), Expect::Any, command, Box::new(|_| ()));
    });
}

#[divan::bench]
fn engine_signal_and_ack(bencher: Bencher) {
    let (engine, key) = engine();
    bencher.bench_local(|| {
        let (id, command) = submission();
        engine.submit(key.clone(), Expect::Any, command, Box::new(|_| ()));
        let command = Command::Acknowledge { ids: vec![id] };
        engine.submit(key.clone(), Expect::Any, command, Box::new(|_| ()));
    });
}

/// What back ends cost where nobody reads: an event is encoded and kept.
fn hub(more: &[(&str, &str)]) -> (Hub, VisitorKey, Event) {
    let environment = [
        ("VESTIBULE_AUTH__SIGNING_KEY", "a key that only this benchmark knows"),
        ("VESTIBULE_GROUPS__0__ID", "12345"),
    ];
    let owned = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
    let environment = environment.iter().chain(more).map(owned).collect();
    let settings = settings::load(&Sources { environment, ..Sources::default() }).unwrap();
    let hub = Hub::new(&settings, Clock::system(), &Metrics::new());
    let VisitorMessage::Hello(hello) = VisitorMessage::read(HELLO).unwrap().message else {
        unreachable!()
    };
    let key = VisitorKey { group: "12345".parse().unwrap(), visitor: hello.visitorid };
    let event = Event {
        visitorid: key.visitor.clone(),
        epoch: 1_700_000_000_000,
        sequence: 7,
        time: Timestamp(1_700_000_000_123),
        present: false,
        kind: EventKind::Presence(hello.data.unwrap()),
    };
    (hub, key, event)
}

#[divan::bench]
fn event_presence_kept(bencher: Bencher) {
    let (hub, key, event) = hub(&[]);
    bencher.bench_local(|| hub.heard(&key, black_box(&event)));
}

#[divan::bench]
fn event_sock_kept(bencher: Bencher) {
    let (hub, key, event) = hub(&[]);
    let event = Event { kind: EventKind::VisitorSock { connected: true, sockets: 1 }, ..event };
    bencher.bench_local(|| hub.heard(&key, black_box(&event)));
}

/// Likewise, where the group's settings switch events off.
#[divan::bench]
fn event_switched_off(bencher: Bencher) {
    let (hub, key, event) = hub(&[("VESTIBULE_GROUPS__0__EVENTS", "false")]);
    bencher.bench_local(|| hub.heard(&key, black_box(&event)));
}

/// Likewise, where it also waits for a webhook, whose oldest event gives way.
#[divan::bench]
fn event_sock_for_a_webhook(bencher: Bencher) {
    let (hub, key, event) = hub(&[
        ("VESTIBULE_GROUPS__0__WEBHOOKS__0__URL", "https://a.example"),
        ("VESTIBULE_GROUPS__0__WEBHOOKS__0__SECRETS", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    ]);
    let event = Event { kind: EventKind::VisitorSock { connected: true, sockets: 1 }, ..event };
    bencher.bench_local(|| hub.heard(&key, black_box(&event)));
}

fn masked(text: &str) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&key);
    frame.extend(text.bytes().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// One frame, unmasked in place and checked to be UTF-8; with the copy that brings it into the buffer.
#[divan::bench]
fn reader_frame(bencher: Bencher) {
    let frame = masked(SIGNAL);
    let mut scratch = frame.clone();
    let mut reader = Reader::new(65_536);
    bencher.bench_local(|| {
        scratch.copy_from_slice(&frame);
        reader
            .read(&mut scratch, |message| {
                black_box(message);
                ControlFlow::Continue(())
            })
            .unwrap();
    });
}

#[divan::bench]
fn encode_frame(bencher: Bencher) {
    bencher.bench_local(|| Frame::text(black_box(SIGNAL.as_bytes())));
}

/// What a socket's limit on messages costs each message.
#[divan::bench]
fn count_message(bencher: Bencher) {
    let rate = Rate::per_second(NonZeroU32::MAX);
    let mut traffic = Traffic::default();
    let mut now = Timestamp(1_700_000_000_000);
    bencher.bench_local(|| {
        now = now + 1;
        traffic.take(black_box(&rate), black_box(SIGNAL.len()), now).is_ok()
    });
}

/// What the limit on JSON's depth costs each message: the usual one, and one that must be looked at closely.
#[divan::bench(args = [SIGNAL.to_owned(), "[[1],".repeat(20)])]
fn check_depth(bencher: Bencher, text: &String) {
    bencher.bench_local(|| json::check_depth(black_box(text.as_bytes()), "message").is_ok());
}

#[divan::bench]
fn parse_signal(bencher: Bencher) {
    bencher.bench_local(|| AgentMessage::read(black_box(SIGNAL)));
}

#[divan::bench]
fn parse_ack(bencher: Bencher) {
    bencher.bench_local(|| VisitorMessage::read(black_box(ACK)));
}

#[divan::bench]
fn parse_hello(bencher: Bencher) {
    bencher.bench_local(|| VisitorMessage::read(black_box(HELLO)));
}

/// An agent who reads all that he is told.
struct Listener;

impl lists::Reader for Listener {
    fn is_ready(&self) -> bool {
        true
    }

    fn tell(&self, change: ListChange) {
        black_box(serde_json::to_vec(&ToAgent::Rows(change)).unwrap());
    }
}

const VISITORS: usize = 10_000;

fn row(number: usize, updated: u64) -> (VisitorId, Option<Arc<Row>>) {
    let data = format!(
        r#"{{"url":"https://shop.example.com/p/{}","title":"Product {number}","browser":"Firefox","platform":"Linux","language":"en","cart":{},"plan":"gold"}}"#,
        number % 500,
        number % 97,
    );
    let row = Row {
        visitorid: format!("visitor-{number}").parse().unwrap(),
        anonymous: false,
        epoch: 1_700_000_000_000,
        sequence: updated,
        since: Timestamp(1_700_000_000_000 + number as u64),
        updated: Timestamp(updated),
        sockets: 1,
        visibility: Some(Visibility::Visible),
        terms: None,
        help: None,
        data: serde_json::from_str(&data).unwrap(),
    };
    (row.visitorid.clone(), Some(Arc::new(row)))
}

/// A group of 10,000 visitors and 50 agents, who look at the first 50 rows of lists that are all different.
fn lists() -> State {
    let mut state = State::default();
    state.take((0..VISITORS).map(|number| row(number, 0)));
    let limits = ListLimits { per_socket: 1, per_group: 50 };
    for agent in 0..50 {
        let filter = match agent % 5 {
            0 => format!(r#"{{"updated":{{"after":{agent}}}}}"#),
            1 => format!(r#"{{"url":{{"contains":"/p/{agent}"}}}}"#),
            2 => format!(r#"{{"data.cart":{{"gte":{agent}}}}}"#),
            3 => format!(r#"{{"text":"product 1{agent}"}}"#),
            _ => format!(r#"{{"visitorid":{{"prefix":"visitor-{}"}}}}"#, 1 + agent / 5),
        };
        let sort = ["-since", "-updated", "data.cart"][agent % 3];
        let query = ListQuery {
            filter: Filter::from_json(&serde_json::from_str(&filter).unwrap()).unwrap(),
            sort: sort.parse().unwrap(),
            window: Window::default(),
        };
        let socket = SocketId(agent as u64);
        state.open(socket, 1, query, Arc::new(Listener), limits).unwrap();
        state.begin(socket, 1);
    }
    assert_eq!(state.size(), Size { lists: 50, views: 50, rows: VISITORS });
    state
}

/// One change of one visitor among 10,000, taken into 50 different lists.
#[divan::bench]
fn list_change_into_50_of_10000(bencher: Bencher) {
    let mut state = lists();
    let mut time = 0;
    bencher.bench_local(|| {
        time += 1;
        state.take([row(time * 7_919 % VISITORS, time as u64)]);
    });
}

/// A round: 200 changes are taken in, and 50 agents are told.
#[divan::bench]
fn list_round_of_200_changes(bencher: Bencher) {
    let mut state = lists();
    let mut time = 0;
    bencher.bench_local(|| {
        state.take((0..200).map(|_| {
            time += 1;
            row(time * 7_919 % VISITORS, time as u64)
        }));
        state.tell()
    });
}

/// Making the row itself, which the two above do too.
#[divan::bench]
fn list_row_alone(bencher: Bencher) {
    bencher.bench_local(|| row(black_box(7), 7));
}

/// What a change costs the shard's thread: the row is left for the thread of the lists.
#[divan::bench]
fn list_offer(bencher: Bencher) {
    let settings = settings::load(&Sources::default()).unwrap();
    let lists = lists::Lists::new(&settings, Clock::system(), Metrics::new());
    let group = settings.groups.iter().next().unwrap().id.clone();
    let rows: Vec<_> = (0..VISITORS).map(|number| row(number, 0)).collect();
    let keys = rows
        .iter()
        .map(|(visitor, _)| VisitorKey { group: group.clone(), visitor: visitor.clone() });
    let keys: Vec<_> = keys.collect();
    let mut number = 0;
    bencher.bench_local(|| {
        number = (number + 7_919) % VISITORS;
        lists.listed(&keys[number], rows[number].1.as_ref());
    });
}

/// A page of a filtered list by REST, of 10,000 visitors.
#[divan::bench]
fn list_page_filtered(bencher: Bencher) {
    let mut state = State::default();
    state.take((0..VISITORS).map(|number| row(number, 0)));
    let filter = Filter::from_query([("data.cart[gte]", "50")]).unwrap();
    let sort = "-data.cart".parse().unwrap();
    let query = PageQuery { filter, sort, limit: 100, ..PageQuery::default() };
    bencher.bench_local(|| state.page(black_box(&query)));
}
