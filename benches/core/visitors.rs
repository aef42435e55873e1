//! A visitor's record: its transitions alone, and in the memory engine.

use divan::{Bencher, black_box};
use vestibule::{
    clock::{Clock, Timestamp},
    model::{
        ids::{NodeId, SignalId, SocketAddress, SocketId, VisitorId, VisitorKey},
        json::Json,
        signal::{Message, Target},
        timeline::PageEnd,
    },
    presence::visitor::{
        Rules, Visitor,
        command::{Command, Connect, Departure, Submission},
        effect::Effect,
    },
    store::{Deliver, Engine as _, Expect, Origin, memory::MemoryEngine},
};

use crate::hello;

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

fn socket(number: u64) -> SocketAddress {
    SocketAddress { node: NodeId { node: 0, incarnation: 1 }, socket: SocketId(number) }
}

fn connect(number: u64) -> Command {
    let hello = hello();
    Command::Connect(Box::new(Connect {
        socket: socket(number),
        tab: hello.tab,
        page: hello.page,
        accepted: Timestamp(1_000),
        visible: hello.visible,
        listening: hello.listen,
        seen: Vec::new(),
        data: hello.data,
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
