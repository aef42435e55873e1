//! The engine against a real server, which `VESTIBULE_TEST_REDIS` names (`tests/with-redis` starts one and names it).

use std::{
    net::{Shutdown, TcpListener, TcpStream},
    sync::atomic::{AtomicBool, Ordering},
};

use super::{
    testing::{Command, Effect, Hearers, Journal, Reply},
    *,
};
use crate::{
    clock::Timestamp,
    store::{Applied, Origin, Record as _, suite},
};

/// Short, so that a test need not wait for long; long enough for a machine that is busy.
const LEASE: Duration = Duration::from_millis(2_000);
/// How an end is noted.
const CLOSED: u64 = u64::MAX;
/// Likewise that a node let go: this and its number.
const LET_GO: u64 = 1_000_000;

/// A server's part that nobody else uses.
pub(super) fn server() -> Option<ServerUrl> {
    let Ok(url) = std::env::var("VESTIBULE_TEST_REDIS") else {
        eprintln!("VESTIBULE_TEST_REDIS is not set: not tried on Redis");
        return None;
    };
    let prefix = format!("test-{:032x}:", rand::random::<u128>());
    Some(ServerUrl::parse(&format!("{url}?prefix={prefix}")).unwrap())
}

struct Factory(String);

impl suite::Factory for Factory {
    type Engine = SharedEngine<suite::Counter>;
    fn engine(
        &self,
        clock: Clock,
        deliver: impl Deliver<suite::Counter, Self::Engine> + 'static,
    ) -> Self::Engine {
        let prefix = format!("test-{:032x}:", rand::random::<u128>());
        let server = ServerUrl::parse(&format!("{}?prefix={prefix}", self.0)).unwrap();
        let id = NodeId { node: 1, incarnation: 1 };
        let node = SharedNode::start(server, id, LEASE, clock).unwrap();
        SharedEngine::new(&node, 100, (), deliver)
    }
    fn settle(&self, engine: &Self::Engine) {
        engine.settle();
    }
}

#[test]
fn passes_the_suite() {
    if server().is_some() {
        suite::run(&Factory(std::env::var("VESTIBULE_TEST_REDIS").unwrap()));
    }
}

/// What one node heard.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<(u32, u64)>>>);

impl Deliver<Journal, SharedEngine<Journal>> for Notes {
    fn deliver(&self, _: &SharedEngine<Journal>, key: &u32, effects: &mut Vec<Effect>, _: Origin) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Written { entry, .. } => self.0.lock().push((*key, entry)),
                Effect::Closed => self.0.lock().push((*key, CLOSED)),
                Effect::LetGo(node) => self.0.lock().push((*key, LET_GO + u64::from(node.node))),
            }
        }
    }
}

impl Notes {
    fn of(&self, key: u32) -> Vec<u64> {
        self.0.lock().iter().filter(|(of, _)| *of == key).map(|(_, entry)| *entry).collect()
    }

    /// Waits until so much was heard of a record.
    fn wait_for(&self, key: u32, number: usize) -> Vec<u64> {
        let give_up = std::time::Instant::now() + Duration::from_secs(20);
        while self.of(key).len() < number {
            assert!(std::time::Instant::now() < give_up, "heard only {:?}", self.of(key));
            std::thread::yield_now();
        }
        self.of(key)
    }
}

struct Member {
    engine: SharedEngine<Journal>,
    standing: watch::Receiver<Standing>,
    notes: Notes,
    id: NodeId,
}

impl Member {
    fn new(server: &ServerUrl, node: u32, clock: &Clock) -> Self {
        let id = NodeId { node, incarnation: 1 };
        let shared = SharedNode::start(server.clone(), id, LEASE, clock.clone()).unwrap();
        let notes = Notes::default();
        let engine = SharedEngine::new(&shared, 100, (), notes.clone());
        let member = Self { engine, standing: shared.standing(), notes, id };
        // From the first answer on it hears its channels.
        member.read(0);
        member
    }

    fn submit(&self, key: u32, command: Command) -> Result<Applied<Reply>, Refusal> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let sink = Box::new(move |result| sender.send(result).unwrap());
        self.engine.submit(key, Expect::Any, command, sink);
        receiver.recv_timeout(Duration::from_secs(20)).expect("an answer")
    }

    fn write(&self, key: u32, entry: u64, hearers: Hearers) -> Result<Applied<Reply>, Refusal> {
        self.submit(key, Command::Write { entry, hearers })
    }

    fn read(&self, key: u32) -> Option<Journal> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.engine.read(
            key,
            Box::new(move |journal| {
                let journal = journal.unwrap().cloned();
                Box::new(move || sender.send(journal).unwrap())
            }),
        );
        receiver.recv_timeout(Duration::from_secs(20)).expect("a look")
    }
}

#[test]
fn what_follows_reaches_the_nodes_that_it_concerns() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two, three] = [1, 2, 3].map(|node| Member::new(&server, node, &clock));
    one.write(7, 1, Hearers::Here).unwrap();
    one.write(7, 2, Hearers::Nodes(vec![two.id])).unwrap();
    two.write(7, 3, Hearers::Nodes(vec![one.id, three.id])).unwrap();
    three.write(7, 4, Hearers::Everyone).unwrap();
    assert_eq!(one.notes.wait_for(7, 3), [1, 3, 4]);
    assert_eq!(two.notes.wait_for(7, 2), [2, 4]);
    assert_eq!(three.notes.wait_for(7, 2), [3, 4]);
    assert_eq!(two.read(7).unwrap().entries, [1, 2, 3, 4]);
}

#[test]
fn nodes_that_write_at_once_lose_nothing_and_hear_the_same() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let members = [1, 2, 3].map(|node| Member::new(&server, node, &clock));
    std::thread::scope(|scope| {
        for (at, member) in (0..).zip(&members) {
            scope.spawn(move || {
                for entry in 0..200 {
                    member.write(1, at * 1_000 + entry, Hearers::Everyone).unwrap();
                }
            });
        }
    });
    let heard = members.each_ref().map(|member| member.notes.wait_for(1, 600));
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0], heard[2]);
    assert_eq!(members[0].read(1).unwrap().entries, heard[0]);
}

#[test]
fn a_survivor_cares_for_what_is_due() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::new(&server, node, &clock));
    one.write(1, 1, Hearers::Here).unwrap();
    one.submit(1, Command::CloseAt(Timestamp(2_000))).unwrap();
    drop(one);
    clock.advance(1_000 + worker::OVERDUE_MS);
    assert_eq!(two.notes.wait_for(1, 1), [CLOSED]);
    assert_eq!(two.write(1, 2, Hearers::Here).unwrap().reply, Reply::Closed);
}

#[test]
fn a_connection_that_was_cut_comes_back_with_its_channels() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let wire = Wire::to(&server);
    let one = Member::new(&server, 1, &clock);
    let two = Member::new(&server.by(wire.port), 2, &clock);
    one.write(1, 1, Hearers::Nodes(vec![two.id])).unwrap();
    assert_eq!(two.notes.wait_for(1, 1), [1]);
    wire.cut();
    // Who asks meanwhile may hear that nobody knows; soon all is as before.
    let give_up = std::time::Instant::now() + Duration::from_secs(20);
    let mut entry = 10;
    while two.write(2, entry, Hearers::Here).is_err() {
        assert!(std::time::Instant::now() < give_up, "the connection does not come back");
        entry += 1;
    }
    one.write(1, 2, Hearers::Nodes(vec![two.id])).unwrap();
    assert_eq!(two.notes.wait_for(1, 2), [1, 2]);
    assert_eq!(two.notes.wait_for(2, 1), [entry], "what follows here, too");
}

#[test]
fn what_a_node_held_that_is_gone_is_let_go_by_a_survivor() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::new(&server, node, &clock));
    for key in 0..10 {
        one.submit(key, Command::Hold(one.id)).unwrap();
        one.submit(key, Command::Hold(two.id)).unwrap();
    }
    one.submit(3, Command::LetGo(one.id)).unwrap();
    assert_eq!(two.notes.wait_for(3, 1), [LET_GO + 1]);
    drop(one);
    for key in 0..10 {
        assert_eq!(two.notes.wait_for(key, 1), [LET_GO + 1], "once");
        assert_eq!(two.read(key).unwrap().holders(), [two.id]);
    }
}

#[test]
fn a_node_that_was_cut_off_for_too_long_does_no_more_harm() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let wire = Wire::to(&server);
    let two = Member::new(&server, 2, &clock);
    let mut one = Member::new(&server.by(wire.port), 1, &clock);
    one.submit(1, Command::Hold(one.id)).unwrap();
    wire.is_broken.store(true, Ordering::SeqCst);
    wire.cut();
    assert_eq!(two.notes.wait_for(1, 1), [LET_GO + 1]);
    wire.is_broken.store(false, Ordering::SeqCst);
    let give_up = std::time::Instant::now() + Duration::from_secs(20);
    while *one.standing.borrow_and_update() != Standing::Ended {
        assert!(std::time::Instant::now() < give_up, "nobody told it");
        std::thread::yield_now();
    }
    assert_eq!(one.submit(1, Command::Hold(one.id)), Err(Refusal::Away));
    assert!(two.read(1).is_none_or(|journal| journal.holders().is_empty()));
}

/// A way to the server that can be cut.
struct Wire {
    port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    /// Whoever connects is hung up on.
    is_broken: Arc<AtomicBool>,
}

impl Wire {
    fn to(server: &ServerUrl) -> Self {
        let to = server.address();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&streams);
        let is_broken = Arc::new(AtomicBool::new(false));
        let broken = Arc::clone(&is_broken);
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if broken.load(Ordering::SeqCst) {
                    continue;
                }
                let far = TcpStream::connect(&to).unwrap();
                all.lock().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                for (from, to) in [(&near, &far), (&far, &near)] {
                    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
            }
        });
        Self { port, streams, is_broken }
    }

    fn cut(&self) {
        for stream in self.streams.lock().drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}
