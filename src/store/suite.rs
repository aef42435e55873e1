//! What every engine must do, run against each.

use std::sync::{Arc, Mutex, mpsc};

use serde::{Deserialize, Serialize};

use super::{Applied, Deliver, Engine, Expect, Origin, Record, Refusal, Route};
use crate::clock::{Clock, Timestamp};

/// Makes engines for the suite.
pub trait Factory: Sync {
    /// The engine under test.
    type Engine: Engine<Counter>;
    /// A fresh engine.
    fn engine(
        &self,
        clock: Clock,
        deliver: impl Deliver<Counter, Self::Engine> + 'static,
    ) -> Self::Engine;
    /// Lets the engine work through what waits and is due.
    fn settle(&self, engine: &Self::Engine);
}

/// The simplest record with a life: a number that ends at a deadline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counter {
    value: u64,
    ends: Option<Timestamp>,
    ends_badly: bool,
}

/// What can happen to a counter.
#[derive(Clone)]
pub enum Command {
    /// Adds, and tells the sum.
    Add(u64),
    /// Sets the end of its life.
    EndAt(Timestamp),
    /// Adds to another counter by way of an effect.
    AddTo(u32, u64),
    /// Half-changes the counter, then panics.
    Panic,
    /// Makes the next end of its life panic.
    EndBadly,
    /// Lets time pass.
    Tick,
}

/// What follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// The sum now.
    Sum(u64),
    /// The counter ended.
    Ended,
    /// Add to another.
    AddTo(u32, u64),
    /// The record was set aside.
    SetAside,
}

impl Record for Counter {
    const KIND: &'static str = "counter";
    type Key = u32;
    type Command = Command;
    type Reply = u64;
    type Effect = Effect;
    type Rules = ();
    type Checkpoint = Self;

    fn vacant((): &(), _: Timestamp) -> Self {
        Self { value: 0, ends: None, ends_badly: false }
    }

    fn apply(
        &mut self,
        _: &u32,
        command: Command,
        now: Timestamp,
        (): &(),
        effects: &mut Vec<Effect>,
    ) -> u64 {
        if self.ends.is_some_and(|ends| ends <= now) {
            assert!(!self.ends_badly, "asked to");
            (self.value, self.ends) = (0, None);
            effects.push(Effect::Ended);
        }
        match command {
            Command::Add(amount) => {
                self.value += amount;
                effects.push(Effect::Sum(self.value));
            }
            Command::EndAt(at) => self.ends = Some(at),
            Command::EndBadly => self.ends_badly = true,
            Command::AddTo(other, amount) => {
                effects.push(Effect::AddTo(other, amount));
                effects.push(Effect::Sum(self.value));
            }
            Command::Panic => {
                self.value = 999_999;
                effects.push(Effect::Sum(self.value));
                panic!("asked to");
            }
            Command::Tick => {}
        }
        self.value
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, (): &()) -> Option<Timestamp> {
        self.ends
    }

    fn is_vacant(&self, (): &(), _: Timestamp) -> bool {
        self.value == 0 && self.ends.is_none()
    }

    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
    }

    fn set_aside(&self, effects: &mut Vec<Effect>) {
        effects.push(Effect::SetAside);
    }

    fn route(_: &u32, _: &Effect) -> Route {
        Route::Here
    }

    fn makes_a_record(command: &Command) -> bool {
        matches!(command, Command::Add(_))
    }

    fn is_essential(_: &Command) -> bool {
        false
    }
}

type Log = Arc<Mutex<Vec<(u32, Effect)>>>;

struct Recorder(Log);

impl<E: Engine<Counter>> Deliver<Counter, E> for Recorder {
    fn deliver(&self, engine: &E, key: &u32, effects: &mut Vec<Effect>, _: Origin) {
        for effect in effects.drain(..) {
            if let Effect::AddTo(other, amount) = effect {
                engine.submit(other, Expect::Any, Command::Add(amount), Box::new(|_| ()));
            }
            self.0.lock().unwrap().push((*key, effect));
        }
    }
}

struct Bench<'a, F: Factory> {
    factory: &'a F,
    engine: F::Engine,
    clock: Clock,
    log: Log,
}

impl<'a, F: Factory> Bench<'a, F> {
    fn new(factory: &'a F) -> Self {
        let clock = Clock::manual(Timestamp(1_000));
        let log = Log::default();
        let engine = factory.engine(clock.clone(), Recorder(Arc::clone(&log)));
        Self { factory, engine, clock, log }
    }

    fn submit(&self, key: u32, expect: Expect, command: Command) -> Result<Applied<u64>, Refusal> {
        let (sender, receiver) = mpsc::channel();
        let sink = Box::new(move |result| sender.send(result).unwrap());
        self.engine.submit(key, expect, command, sink);
        self.factory.settle(&self.engine);
        receiver.try_recv().expect("the sink is called once")
    }

    fn add(&self, key: u32, amount: u64) -> Applied<u64> {
        self.submit(key, Expect::Any, Command::Add(amount)).unwrap()
    }

    fn effects(&self, key: u32) -> Vec<Effect> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|(of, _)| *of == key).map(|(_, effect)| effect.clone()).collect()
    }
}

/// Runs the whole suite.
pub fn run(factory: &impl Factory) {
    commands_apply_in_order_and_effects_follow(factory);
    a_version_is_compared_before_it_is_replaced(factory);
    concurrent_commands_are_all_applied(factory);
    deadlines_come_without_a_command(factory);
    a_vacant_record_starts_anew_under_a_new_version(factory);
    effects_may_submit_commands(factory);
    a_panic_costs_one_command(factory);
    many_records_are_read_in_the_order_of_the_question(factory);
    a_reader_may_go_on_with_what_it_found(factory);
    nothing_comes_between_a_look_and_what_follows(factory);
    a_tick_that_panics_is_tried_again(factory);
}

fn commands_apply_in_order_and_effects_follow(factory: &impl Factory) {
    let bench = Bench::new(factory);
    assert_eq!(bench.add(1, 2).reply, 2);
    assert_eq!(bench.add(1, 3).reply, 5);
    assert_eq!(bench.add(2, 7).reply, 7);
    assert_eq!(bench.effects(1), [Effect::Sum(2), Effect::Sum(5)]);
}

fn a_version_is_compared_before_it_is_replaced(factory: &impl Factory) {
    let bench = Bench::new(factory);
    let first = bench.submit(1, Expect::Version(0), Command::Add(1)).unwrap();
    let again = bench.submit(1, Expect::Version(0), Command::Add(1));
    assert_eq!(again, Err(Refusal::Conflict { version: first.version }));
    let second = bench.submit(1, Expect::Version(first.version), Command::Add(1)).unwrap();
    assert!(second.version > first.version);
    assert_eq!(second.reply, 2, "the refused command changed nothing");
    assert_eq!(bench.effects(1).len(), 2, "and had no effect");
}

fn concurrent_commands_are_all_applied(factory: &impl Factory) {
    let bench = Bench::new(factory);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for n in 0..1_000 {
                    bench.engine.submit(n % 7, Expect::Any, Command::Add(1), Box::new(|_| ()));
                }
            });
        }
    });
    factory.settle(&bench.engine);
    for key in 0..7 {
        let sums = bench.effects(key);
        let expected: Vec<_> = (1..=sums.len() as u64).map(Effect::Sum).collect();
        assert_eq!(sums, expected, "each effect once, in the order of the transitions");
    }
    assert_eq!(bench.log.lock().unwrap().len(), 4_000);
}

fn deadlines_come_without_a_command(factory: &impl Factory) {
    let bench = Bench::new(factory);
    bench.add(1, 1);
    bench.submit(1, Expect::Any, Command::EndAt(Timestamp(1_500))).unwrap();
    bench.submit(1, Expect::Any, Command::EndAt(Timestamp(1_200))).unwrap();
    bench.clock.advance(199);
    factory.settle(&bench.engine);
    assert_eq!(bench.effects(1), [Effect::Sum(1)]);
    bench.clock.advance(1);
    factory.settle(&bench.engine);
    assert_eq!(bench.effects(1), [Effect::Sum(1), Effect::Ended]);
    bench.clock.advance(1_000);
    factory.settle(&bench.engine);
    assert_eq!(bench.effects(1).len(), 2, "an entry that no longer counts is passed over");
}

fn a_vacant_record_starts_anew_under_a_new_version(factory: &impl Factory) {
    let bench = Bench::new(factory);
    let first = bench.add(1, 1);
    bench.submit(1, Expect::Any, Command::EndAt(Timestamp(1_000))).unwrap();
    bench.clock.advance(1);
    factory.settle(&bench.engine);
    let anew = bench.submit(1, Expect::Version(0), Command::Add(5)).unwrap();
    assert_eq!(anew.reply, 5);
    assert!(anew.version > first.version);
}

fn effects_may_submit_commands(factory: &impl Factory) {
    let bench = Bench::new(factory);
    for key in 0..8 {
        bench.submit(key, Expect::Any, Command::AddTo(key, 3)).unwrap();
        let effects = [Effect::AddTo(key, 3), Effect::Sum(0), Effect::Sum(3)];
        assert_eq!(bench.effects(key), effects, "after the effects of the first");
    }
}

fn a_panic_costs_one_command(factory: &impl Factory) {
    let bench = Bench::new(factory);
    bench.add(1, 4);
    assert_eq!(bench.submit(1, Expect::Any, Command::Panic), Err(Refusal::Fault));
    assert_eq!(bench.add(1, 1).reply, 5, "the record is as it was");
    assert_eq!(bench.submit(1, Expect::Any, Command::Panic), Err(Refusal::Fault));
    assert_eq!(bench.effects(1), [Effect::Sum(4), Effect::Sum(5), Effect::SetAside]);
    assert_eq!(bench.add(1, 1).reply, 1, "a record that panics twice is set aside");
}

fn many_records_are_read_in_the_order_of_the_question(factory: &impl Factory) {
    let bench = Bench::new(factory);
    for key in [5, 3, 9] {
        bench.add(key, u64::from(key));
    }
    let (sender, receiver) = mpsc::channel();
    let done = sender.clone();
    let visit = Box::new(move |key: &u32, counter: &Counter| {
        sender.send((*key, counter.value)).unwrap();
    });
    bench.engine.read_all(vec![9, 4, 3], visit, Box::new(move || done.send((0, 0)).unwrap()));
    factory.settle(&bench.engine);
    assert_eq!(receiver.into_iter().collect::<Vec<_>>(), [(9, 9), (3, 3), (0, 0)]);
}

fn a_reader_may_go_on_with_what_it_found(factory: &impl Factory) {
    let bench = Bench::new(factory);
    bench.add(1, 4);
    let (sender, receiver) = mpsc::channel();
    let engine = bench.engine.clone();
    bench.engine.read(
        1,
        Box::new(move |counter| {
            let value = counter.unwrap().map(|counter| counter.value).unwrap_or_default();
            Box::new(move || {
                let sink = Box::new(move |result| sender.send(result).unwrap());
                engine.submit(1, Expect::Any, Command::Add(value), sink);
            })
        }),
    );
    factory.settle(&bench.engine);
    let sum: Result<Applied<u64>, Refusal> = receiver.try_recv().expect("the sink is called");
    assert_eq!(sum.unwrap().reply, 8);
}

/// Whoever tells somebody what he has seen tells him before the next change is told.
fn nothing_comes_between_a_look_and_what_follows(factory: &impl Factory) {
    let bench = Bench::new(factory);
    bench.add(1, 4);
    let (engine, log) = (bench.engine.clone(), Arc::clone(&bench.log));
    let (sender, receiver) = mpsc::channel();
    bench.engine.read(
        1,
        Box::new(move |_| {
            // From another thread, while the record is looked at.
            let other = std::thread::spawn(move || {
                engine.submit(1, Expect::Any, Command::Add(1), Box::new(|_| ()));
            });
            Box::new(move || {
                other.join().unwrap();
                sender.send(log.lock().unwrap().len()).unwrap();
            })
        }),
    );
    factory.settle(&bench.engine);
    assert_eq!(receiver.try_recv(), Ok(1), "what was submitted meanwhile came first");
    assert_eq!(bench.effects(1), [Effect::Sum(4), Effect::Sum(5)]);
}

/// Time goes on for a record whose timer failed, and a second failure ends it: nobody stays connected for ever.
fn a_tick_that_panics_is_tried_again(factory: &impl Factory) {
    let bench = Bench::new(factory);
    bench.add(1, 4);
    bench.submit(1, Expect::Any, Command::EndAt(Timestamp(1_200))).unwrap();
    bench.submit(1, Expect::Any, Command::EndBadly).unwrap();
    bench.clock.advance(200);
    factory.settle(&bench.engine);
    factory.settle(&bench.engine);
    assert_eq!(bench.effects(1), [Effect::Sum(4), Effect::SetAside]);
    assert_eq!(bench.add(1, 1).reply, 1);
}
