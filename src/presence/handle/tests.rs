//! Rule 9 of how sockets are served (design section 4): what a panic costs.

use std::{net::IpAddr, sync::atomic::Ordering};

use super::{
    testing::{Recorder, options, page},
    *,
};
use crate::{
    codes::Lead,
    model::{
        close::CloseCode,
        ids::{Code, SignalId},
        json::Json,
        signal::{Message, Target},
        timeline::PageEnd,
    },
    presence::visitor::{
        Share,
        command::{Departure, Submission},
    },
};

struct Bench {
    presence: Presence,
    recorder: Arc<Recorder>,
}

impl Bench {
    fn new() -> Self {
        Self::with_taps(Vec::new())
    }

    fn with_taps(taps: Vec<Arc<dyn Tap>>) -> Self {
        let recorder = Arc::new(Recorder::default());
        let presence = Presence::new(options(), Arc::clone(&recorder) as Arc<dyn Post>, taps);
        let watcher = SocketId(9);
        presence.watchers().open(watcher);
        presence.watch(Self::key(), watcher, None, |answer| answer.unwrap());
        recorder.told();
        Self { presence, recorder }
    }

    fn key() -> VisitorKey {
        VisitorKey { group: "12345".parse().unwrap(), visitor: "ada".parse().unwrap() }
    }

    fn connect(&self, socket: u64) {
        let connect = page(self.presence.address(SocketId(socket)));
        self.presence.connect(Self::key(), connect, |welcome| assert!(welcome.is_ok()));
    }

    fn signal(&self) {
        let submission = Submission {
            id: SignalId::generate(),
            message: Message::Signal { data: Json::of(&"held") },
            target: Target::Focus,
            key: None,
            sender: None,
        };
        self.presence.signal(Self::key(), submission, |answer| {
            assert_eq!(answer.unwrap().1, Outcome::Held);
        });
    }

    fn panic(&self) {
        self.presence.command(Self::key(), Command::Panic, |answer| {
            assert_eq!(answer.unwrap_err().code, ErrorCode::Internal);
        });
    }

    fn pass(&self, milliseconds: u64) {
        self.presence.clock().advance(milliseconds);
        self.presence.visitors().settle();
    }
}

#[test]
fn rule_4_9_a_panic_costs_one_command_and_nobody_sees_it() {
    let bench = Bench::new();
    bench.connect(1);
    let socket = bench.presence.address(SocketId(1));
    bench.presence.close(Bench::key(), socket, Departure::Gone, PageEnd::Lost);
    bench.signal();
    assert_eq!(bench.recorder.told(), ["conn true", "sock 1", "sock 0"]);
    bench.panic();
    assert_eq!(bench.recorder.told(), [""; 0], "a visitor in transit stays so");
    bench.pass(4_999);
    bench.connect(2);
    assert_eq!(bench.recorder.told(), ["sock 1", "2: signal \"held\""]);
    let stats = bench.presence.visitors().stats();
    assert_eq!(stats.panics.load(Ordering::Relaxed), 1);
    assert_eq!(stats.set_aside.load(Ordering::Relaxed), 0);
}

#[test]
fn rule_4_9_the_grace_still_ends_after_a_panic() {
    let bench = Bench::new();
    bench.connect(1);
    let socket = bench.presence.address(SocketId(1));
    bench.presence.close(Bench::key(), socket, Departure::Gone, PageEnd::Lost);
    bench.panic();
    bench.recorder.told();
    bench.pass(4_999);
    assert_eq!(bench.recorder.told(), [""; 0]);
    bench.pass(1);
    assert_eq!(bench.recorder.told(), ["conn false"]);
}

#[test]
fn rule_4_9_a_record_that_panics_twice_is_set_aside() {
    let bench = Bench::new();
    bench.connect(1);
    bench.panic();
    bench.recorder.told();
    bench.panic();
    let close = format!("1: close {}", CloseCode::Internal.as_str());
    assert_eq!(bench.recorder.told(), [close], "its pages come back to a fresh record");
    let stats = bench.presence.visitors().stats();
    assert_eq!(stats.set_aside.load(Ordering::Relaxed), 1);
    assert_eq!(bench.presence.visitors().records(), 0);
    bench.connect(2);
    assert_eq!(bench.recorder.told(), ["conn true", "sock 1"]);
}

/// Keeps the last row of each visitor.
#[derive(Default)]
struct Listing(Mutex<std::collections::BTreeMap<String, Arc<Row>>>);

impl Tap for Listing {
    fn listed(&self, key: &VisitorKey, row: Option<&Arc<Row>>) {
        let mut rows = self.0.lock();
        match row {
            Some(row) => rows.insert(key.visitor.to_string(), Arc::clone(row)),
            None => rows.remove(key.visitor.as_str()),
        };
    }
}

#[test]
fn lists_and_figures_are_told_of_every_change() {
    let listing = Arc::new(Listing::default());
    let bench = Bench::with_taps(vec![Arc::clone(&listing) as Arc<dyn Tap>]);
    let key = Bench::key();
    let row = || listing.0.lock().get("ada").cloned();
    let sums = |connected, in_transit, held| {
        assert_eq!(
            bench.presence.figures().sums(),
            Share { connected, in_transit, held, asking: 0 }
        );
    };
    bench.connect(1);
    assert_eq!(row().unwrap().sockets, 1);
    sums(1, 0, 0);
    let command = |command| bench.presence.command(Bench::key(), command, |_| ());
    let socket = bench.presence.address(SocketId(1));
    command(Command::Presence { socket, update: [("cart", "2")].into_iter().collect() });
    assert_eq!(row().unwrap().data.text(), r#"{"cart":"2"}"#);
    bench.presence.close(key.clone(), socket, Departure::Gone, PageEnd::Lost);
    assert_eq!(row().unwrap().sockets, 0);
    bench.signal();
    sums(1, 1, 1);
    bench.connect(2);
    sums(1, 0, 1);
    bench.panic();
    bench.panic();
    assert_eq!(row(), None, "a record that is set aside is in no list");
    sums(0, 0, 0);
}

/// What was answered to pages that asked for a unique id.
type Codes = Arc<Mutex<Vec<Result<Code, ErrorCode>>>>;

fn ask(bench: &Bench, kind: UniqueKind) -> Codes {
    let codes = Codes::default();
    let (socket, told) = (bench.presence.address(SocketId(1)), Arc::clone(&codes));
    bench.presence.unique(Bench::key(), socket, kind, move |answer| {
        told.lock().push(answer.map(|(code, _)| code).map_err(|problem| problem.code));
    });
    codes
}

fn code(codes: &Codes) -> Code {
    let codes = codes.lock();
    let [Ok(code)] = &codes[..] else { panic!("{codes:?}") };
    code.clone()
}

fn leads_to_ada(bench: &Bench, code: &Code) -> bool {
    let leads = Arc::new(Mutex::new(false));
    let told = Arc::clone(&leads);
    let (group, address) = (Bench::key().group, IpAddr::from([127, 0, 0, 1]));
    bench.presence.resolve(group, code.clone(), address, move |answer| {
        *told.lock() = answer.is_ok();
    });
    bench.presence.code_engine().settle();
    *leads.lock()
}

#[test]
fn pages_that_ask_at_once_get_the_same_code_and_only_one_is_left() {
    let bench = Bench::new();
    bench.connect(1);
    let engine = bench.presence.code_engine();
    // Codes are kept by a thread that is busy: both pages have asked before there is one.
    std::thread::scope(|scope| {
        scope.spawn(|| {
            (0..2).filter_map(|index| engine.keep(index)).for_each(|shard| shard.adopt())
        });
    });
    let asked = [ask(&bench, UniqueKind::Contact), ask(&bench, UniqueKind::Contact)];
    assert!(asked.iter().all(|codes| codes.lock().is_empty()));
    engine.settle();
    let [first, second] = asked.map(|codes| code(&codes));
    assert_eq!(first, second);
    assert!(leads_to_ada(&bench, &first));
    let mut living = Vec::new();
    engine.for_each(|key, record| {
        if matches!(record, CodeRecord::Living { .. }) {
            living.push(key.code.clone());
        }
    });
    assert_eq!(living, [first], "the other is spent");
}

#[test]
fn a_contact_code_that_leads_nowhere_is_replaced() {
    let bench = Bench::new();
    bench.connect(1);
    let dead = code(&ask(&bench, UniqueKind::Contact));
    let lead = Lead::Visitor(Bench::key().visitor);
    bench.presence.codes().release(Bench::key().group, dead.clone(), lead);
    let next = code(&ask(&bench, UniqueKind::Contact));
    assert_ne!(next, dead);
    assert!(leads_to_ada(&bench, &next));
}

#[test]
fn each_kind_of_code_keeps_its_length_and_life() {
    let bench = Bench::new();
    bench.connect(1);
    let address = IpAddr::from([127, 0, 0, 1]);
    let lookup = code(&ask(&bench, UniqueKind::Lookup { address }));
    let contact = code(&ask(&bench, UniqueKind::Contact));
    assert_eq!((lookup.as_str().len(), contact.as_str().len()), (4, 6));
    let told = Arc::new(Mutex::new(None));
    let (answer, socket) = (Arc::clone(&told), bench.presence.address(SocketId(1)));
    bench.presence.extend_unique(Bench::key(), socket, move |extended| {
        *answer.lock() = Some(extended.map_err(|problem| problem.code));
    });
    assert_eq!(*told.lock(), Some(Err(ErrorCode::NotFound)), "there is none to be reached by");
    bench.pass(300_000);
    bench.presence.code_engine().settle();
    let usual = code(&ask(&bench, UniqueKind::Usual));
    for living in [&usual, &lookup, &contact] {
        assert!(leads_to_ada(&bench, living), "{living:?}");
    }
}
