//! The engine against a real server, which `VESTIBULE_TEST_REDIS` names (`tests/with-redis` starts one and names it).

mod bound;
mod clock;
mod cluster;
mod failover;
mod late;
mod nodes;

use std::{
    net::TcpListener,
    sync::atomic::{AtomicBool, Ordering},
};

use parking_lot::Mutex;

pub(super) use self::nodes::server;
use self::nodes::{CLOSED, LEASE, LET_GO, Member, Notes, Wire, flush, nowhere};
use super::{
    engine::Closing,
    testing::{Command, Effect, Hearers, Journal, Reply},
    *,
};
use crate::{
    clock::Timestamp,
    store::{Applied, Deliver, Engine as _, Expect, Origin, Record as _, Refusal, suite},
};

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
        SharedEngine::new(&node, 1_000, (), deliver)
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
    assert_eq!(two.read(7).unwrap().unwrap().entries, [1, 2, 3, 4]);
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
    assert_eq!(members[0].read(1).unwrap().unwrap().entries, heard[0]);
}

#[test]
fn a_survivor_cares_for_what_is_due() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::new(&server, node, &clock));
    one.write(1, 1, Hearers::Here).unwrap();
    one.submit(1, Command::CloseAt(Timestamp(2_000))).unwrap();
    drop(one);
    clock.advance(1_000 + sweep::OVERDUE_MS);
    assert_eq!(two.notes.wait_for(1, 1), [CLOSED]);
    assert_eq!(two.write(1, 2, Hearers::Here).unwrap().reply, Reply::Closed);
}

#[test]
fn what_is_overdue_after_an_outage_of_all_nodes_is_cared_for_without_a_pause() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let one = Member::new(&server, 1, &clock);
    // More than a dozen batches.
    let many = 3_500;
    let (sender, taken) = std::sync::mpsc::channel();
    for key in 0..many {
        let sender = sender.clone();
        let sink = Box::new(move |result: Result<_, _>| sender.send(result.is_ok()).unwrap());
        one.engine.submit(key, Expect::Any, Command::CloseAt(Timestamp(2_000)), sink);
    }
    drop(sender);
    assert_eq!(taken.iter().filter(|is_taken| *is_taken).count(), many as usize);
    drop(one);
    clock.advance(1_000 + sweep::OVERDUE_MS);
    let begun = std::time::Instant::now();
    let two = Member::new(&server, 2, &clock);
    let ended = || two.notes.0.lock().iter().filter(|(_, entry)| *entry == CLOSED).count();
    while ended() < many as usize {
        assert!(begun.elapsed() < Duration::from_secs(10), "{} in {:?}", ended(), begun.elapsed());
        std::thread::sleep(Duration::from_millis(10));
    }
    println!("{many} overdue records in {:?}", begun.elapsed());
    two.engine.settle();
    assert_eq!(ended(), many as usize, "each once");
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
        assert_eq!(two.read(key).unwrap().unwrap().holders(), [two.id]);
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
    assert!(two.read(1).unwrap().is_none_or(|journal| journal.holders().is_empty()));
}

#[test]
fn a_number_that_is_taken_is_given_to_who_comes_when_its_owner_is_silent() {
    let Some(server) = server() else { return };
    // A living node that is not heard of for a fifth of this would count as silent.
    let lease = Duration::from_secs(10);
    let begin = |incarnation| {
        let id = NodeId { node: 1, incarnation };
        SharedNode::start(server.clone(), id, lease, Clock::system()).unwrap()
    };
    let joins = |node: &SharedNode| {
        let mut standing = node.standing();
        let joined = async move {
            let joined = standing.wait_for(|standing| *standing != Standing::Away).await;
            joined.map(|standing| *standing).unwrap()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(40), joined).await.expect("a decision")
        })
    };
    let first = begin(10);
    assert_eq!(joins(&first), Standing::Member);
    // Neither a later nor an earlier one ends a living one.
    std::thread::scope(|scope| {
        for incarnation in [20, 5] {
            let (joins, begin) = (&joins, &begin);
            scope.spawn(move || {
                assert_eq!(joins(&begin(incarnation)), Standing::Taken, "{incarnation}");
            });
        }
    });
    assert_eq!(joins(&first), Standing::Member);
    drop(first);
    let silent = std::time::Instant::now();
    let again = begin(30);
    assert_eq!(joins(&again), Standing::Member);
    assert!(silent.elapsed() < lease, "it need not wait for the end of the lease");
}

/// What was asked of an engine, by what it was told.
struct Waiting(std::sync::mpsc::Receiver<(&'static str, Option<Refusal>)>);

impl Waiting {
    /// Somebody who submits, one who reads and one who reads many.
    fn on(engine: &SharedEngine<Journal>) -> Self {
        let (told, waiting) = std::sync::mpsc::channel();
        let [submitted, read, done] = [told.clone(), told.clone(), told];
        let sink = Box::new(move |result: Result<Applied<Reply>, _>| {
            submitted.send(("submitted", result.err())).unwrap();
        });
        let id = NodeId { node: 1, incarnation: 1 };
        engine.submit(1, Expect::Any, Command::Hold(id), sink);
        engine.read(
            1,
            Box::new(move |found| {
                let refusal = found.err();
                Box::new(move || read.send(("read", refusal)).unwrap())
            }),
        );
        let done = move || done.send(("all read", None)).unwrap();
        engine.read_all(vec![1], Box::new(|_, _| ()), Box::new(done));
        Self(waiting)
    }

    fn told(self) -> Vec<(&'static str, Option<Refusal>)> {
        let told = || self.0.recv_timeout(Duration::from_secs(20)).ok();
        let mut told: Vec<_> = std::iter::from_fn(told).collect();
        told.sort_unstable_by_key(|(what, _)| *what);
        told
    }
}

/// A server that is not there.
#[test]
fn whoever_waits_is_told_when_the_engine_ends() {
    let id = NodeId { node: 1, incarnation: 1 };
    let node = SharedNode::start(nowhere(), id, LEASE, Clock::system()).unwrap();
    let engine = SharedEngine::new(&node, 100, (), Notes::default());
    let waiting = Waiting::on(&engine);
    drop((engine, node));
    let told = waiting.told();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[1..].iter().all(|(_, refusal)| refusal.is_some()), "{told:?}");
}

#[test]
fn an_engine_whose_task_is_gone_refuses_at_once() {
    let id = NodeId { node: 1, incarnation: 1 };
    let node = SharedNode::start(nowhere(), id, LEASE, Clock::system()).unwrap();
    let engine: SharedEngine<Journal> = SharedEngine::new(&node, 100, (), Notes::default());
    let waiting = Waiting::on(&engine);
    let part = Arc::clone(&engine.0.parts[0]);
    drop(Closing { engine: Arc::downgrade(&engine.0), part });
    let late = Waiting::on(&engine).told();
    let ending = Some(Refusal::Ending);
    assert_eq!(late, [("all read", None), ("read", ending), ("submitted", ending)]);
    drop((engine, node));
    assert_eq!(waiting.told().len(), 3);
}

#[test]
fn what_is_refused_and_what_is_made_anew_is_counted() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::new(&server, node, &clock));
    one.write(1, 1, Hearers::Everyone).unwrap();
    two.notes.wait_for(1, 1);
    two.write(1, 2, Hearers::Here).unwrap();
    one.write(1, 3, Hearers::Here).unwrap();
    let figures = one.engine.figures();
    assert_eq!((figures.conflicts, figures.away, figures.missed), (1, 0, 0));
    assert!(one.engine.figures().remembered >= 1);
    let sent = one.node.figures();
    assert!(sent.commands >= 5 && sent.bytes_sent > 40 * sent.commands, "{sent:?}");
    assert!(sent.messages >= 3 && sent.bytes_heard > 20 * sent.messages, "{sent:?}");
}

/// Longer than a lease, and than anybody waits for an answer.
#[test]
fn an_end_outlasts_an_outage_and_keeps_its_place() {
    let Some(server) = server() else { return };
    let clock = Clock::system();
    let wire = Wire::to(&server);
    let one = Member::new(&server.by(wire.port), 1, &clock);
    one.submit(1, Command::Hold(one.id)).unwrap();
    one.write(1, 1, Hearers::Here).unwrap();
    wire.is_broken.store(true, Ordering::SeqCst);
    wire.cut();
    let (sender, ended) = std::sync::mpsc::channel();
    let told = move |result: Result<Applied<Reply>, Refusal>| sender.send(result).unwrap();
    one.engine.submit(1, Expect::Any, Command::LetGo(one.id), Box::new(told));
    assert_eq!(one.write(1, 2, Hearers::Here), Err(Refusal::Away), "it waits for a while");
    assert!(one.read(1).is_err(), "so does who reads");
    assert!(ended.try_recv().is_err(), "the end waits for as long as it takes");
    wire.is_broken.store(false, Ordering::SeqCst);
    ended.recv_timeout(Duration::from_secs(20)).expect("an answer").unwrap();
    let journal = one.read(1).unwrap().unwrap();
    assert_eq!((journal.entries.as_slice(), journal.holders()), (&[1][..], vec![]));
    assert!(one.engine.figures().away > 0);
}

#[test]
fn what_the_server_loses_the_nodes_say_again() {
    let Some(server) = server() else { return };
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::new(&server, node, &clock));
    let late = Timestamp(50_000);
    for key in 0..50 {
        one.write(key, 1, Hearers::Everyone).unwrap();
        two.notes.wait_for(key, 1);
        two.submit(key, Command::Hold(two.id)).unwrap();
        two.write(key, 2, Hearers::Nodes(vec![one.id])).unwrap();
        one.notes.wait_for(key, 2);
    }
    two.submit(7, Command::CloseAt(late)).unwrap();
    // Ended for good: a node that knew it before does not bring it back.
    one.submit(90, Command::Hold(one.id)).unwrap();
    assert_eq!(two.read(90).unwrap().unwrap().holders(), [one.id]);
    one.submit(90, Command::LetGo(one.id)).unwrap();
    flush(&server);
    let lost = std::time::Instant::now();
    // Whoever asks first finds it out.
    assert_eq!(one.write(8, 3, Hearers::Here).unwrap().reply, Reply::Place(3));
    assert_eq!(two.submit(9, Command::LetGo(two.id)).unwrap().reply, Reply::Done);
    println!("repaired in {:?}", lost.elapsed());
    for key in (0..50).filter(|key| ![8, 9].contains(key)) {
        let journal = one.read(key).unwrap().unwrap();
        assert_eq!((journal.entries.as_slice(), journal.holders()), (&[1, 2][..], vec![two.id]));
    }
    assert_eq!(one.read(8).unwrap().unwrap().entries, [1, 2, 3]);
    assert_eq!(one.read(9).unwrap().unwrap().holders(), []);
    assert_eq!(one.read(90).unwrap().map(|journal| journal.entries), None);
    // The lists are there, too: what was due is cared for, and what a node held is let go when it is gone.
    drop(two);
    clock.advance(60_000);
    let mut heard = one.notes.wait_for(7, 4);
    heard.sort_unstable();
    assert_eq!(heard, [1, 2, LET_GO + 2, CLOSED]);
    assert_eq!(one.notes.wait_for(30, 3), [1, 2, LET_GO + 2]);
}
