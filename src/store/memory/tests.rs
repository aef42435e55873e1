use std::sync::atomic::Ordering;

use super::*;
use crate::store::suite;

struct Factory;

impl suite::Factory for Factory {
    type Engine = MemoryEngine<suite::Counter>;
    fn engine(
        &self,
        clock: Clock,
        deliver: impl Deliver<suite::Counter, Self::Engine> + 'static,
    ) -> Self::Engine {
        MemoryEngine::new(3, usize::MAX, (), clock, deliver)
    }
    fn settle(&self, engine: &Self::Engine) {
        engine.settle();
    }
}

#[test]
fn passes_the_suite() {
    suite::run(&Factory);
}

type Answers = std::sync::Arc<std::sync::Mutex<Vec<Result<u64, crate::store::Refusal>>>>;

struct Nothing;
impl Deliver<suite::Counter, MemoryEngine<suite::Counter>> for Nothing {
    fn deliver(
        &self,
        _: &MemoryEngine<suite::Counter>,
        _: &u32,
        effects: &mut Vec<suite::Effect>,
        _: crate::store::Origin,
    ) {
        effects.clear();
    }
}

fn engine(shards: usize) -> MemoryEngine<suite::Counter> {
    MemoryEngine::new(shards, usize::MAX, (), Clock::manual(Timestamp(1_000)), Nothing)
}

fn add(engine: &MemoryEngine<suite::Counter>, key: u32, answers: &Answers) {
    let answers = Arc::clone(answers);
    let sink = Box::new(move |result: Result<crate::store::Applied<u64>, _>| {
        answers.lock().unwrap().push(result.map(|applied| applied.reply));
    });
    engine.submit(key, Expect::Any, suite::Command::Add(1), sink);
}

/// An owner that does nothing: the thread that adopts the shards ends at once.
fn adopted_by_nobody(engine: &MemoryEngine<suite::Counter>) {
    std::thread::scope(|scope| {
        scope.spawn(|| (0..engine.shards()).for_each(|index| engine.keep(index).adopt()));
    });
}

#[test]
fn rule_4_8_an_inbox_is_bounded_and_refuses_what_is_too_much() {
    let engine = engine(1);
    adopted_by_nobody(&engine);
    let answers = Answers::default();
    for _ in 0..INBOX_LIMIT {
        add(&engine, 1, &answers);
    }
    assert!(answers.lock().unwrap().is_empty(), "they wait");
    add(&engine, 1, &answers);
    let refused = Err(crate::store::Refusal::Overloaded);
    assert_eq!(std::mem::take(&mut *answers.lock().unwrap()), [refused]);
    let (sender, receiver) = std::sync::mpsc::channel();
    let reader = move |found: Result<Option<&suite::Counter>, _>| -> crate::store::Afterwards {
        let is_refused = found.is_err();
        Box::new(move || sender.send(is_refused).unwrap())
    };
    engine.read(1, Box::new(reader));
    assert_eq!(receiver.try_recv(), Ok(true), "a reader is refused, not told of nobody");
    assert_eq!(engine.waiting(), INBOX_LIMIT);
    assert_eq!(engine.stats().refused.load(Ordering::Relaxed), 2);
    engine.settle();
    assert_eq!(answers.lock().unwrap().len(), INBOX_LIMIT);
    assert_eq!(engine.waiting(), 0);
}

/// Reads on and on, a turn for each part, and counts the turns.
fn read_on(
    engine: &MemoryEngine<suite::Counter>,
    parts: u32,
    log: &Arc<std::sync::Mutex<Vec<u32>>>,
) {
    let (again, log) = (engine.clone(), Arc::clone(log));
    let reader = move |_: Result<Option<&suite::Counter>, _>| -> crate::store::Afterwards {
        Box::new(move || {
            log.lock().unwrap().push(parts);
            if parts > 1 {
                read_on(&again, parts - 1, &log);
            }
        })
    };
    engine.read_later(1, Box::new(reader));
}

#[test]
fn work_in_parts_lets_others_come_between() {
    let engine = engine(1);
    engine.keep(0).adopt();
    let (answers, log) = (Answers::default(), Arc::default());
    read_on(&engine, 3, &log);
    assert!(log.lock().unwrap().is_empty(), "not in the turn of who asks");
    add(&engine, 1, &answers);
    assert_eq!(answers.lock().unwrap().len(), 1, "what is not put off goes first");
    for turn in 1..=3 {
        engine.keep(0).drain(std::task::Waker::noop());
        assert_eq!(log.lock().unwrap().len(), turn, "one part in a turn");
    }
    assert_eq!(engine.waiting(), 0);
    read_on(&engine, 3, &log);
    engine.settle();
    assert_eq!(
        *log.lock().unwrap(),
        [3, 2, 1, 3, 2, 1],
        "and to the end when all is to be settled"
    );
}

#[test]
fn rule_4_10_keys_are_spread_and_each_shard_is_worked_on_by_its_owner() {
    let engine = engine(4);
    let answers = Answers::default();
    for key in 0..400 {
        add(&engine, key, &answers);
    }
    for shard in &engine.inner.shards {
        assert!((50..=150).contains(&shard.records()), "{}", shard.records());
    }
    answers.lock().unwrap().clear();
    adopted_by_nobody(&engine);
    engine.keep(0).adopt();
    for key in 0..400 {
        add(&engine, key, &answers);
    }
    let here = engine.inner.shards.first().unwrap().records();
    assert_eq!(answers.lock().unwrap().len(), here, "those of this thread's shard at once");
    assert_eq!(engine.waiting(), 400 - here, "the others wait for their owners");
    engine.settle();
    assert_eq!(answers.lock().unwrap().len(), 400);
}

#[test]
fn a_sealed_engine_changes_no_more() {
    let engine = engine(2);
    let answers = Answers::default();
    add(&engine, 1, &answers);
    engine.seal();
    add(&engine, 1, &answers);
    assert_eq!(*answers.lock().unwrap(), [Ok(1), Err(crate::store::Refusal::Ending)]);
    let mut records = 0;
    engine.for_each(|_, _| records += 1);
    assert_eq!(records, 1);
}
