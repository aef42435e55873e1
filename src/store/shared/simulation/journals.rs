//! Records that keep what was done to them: whatever breaks, each command is done once and heard of in order.
//!
//! What must hold:
//! * a command that was answered as done was done once, one that was refused not at all, and one whose answer was lost at
//!   most once;
//! * what follows from a record's transitions reaches each node in the order of the versions, and at most once; who looks at
//!   the record sees what he was told before, and is told what came later;
//! * a node whose connection was never cut misses nothing that concerns it;
//! * every command of a node that lives is answered;
//! * when the server loses all, or the last transitions with every connection, each record is again what the node had that
//!   knew most of it, and nothing is lost that was answered as done, unless only those knew of it who are gone;
//! * a command that may be repeated has the effect of once, in its order, and one that ends something is never lost;
//! * nobody who comes late replaces by what he remembers what was written since the loss;
//! * there are never more records than may be, and who is refused for that changed nothing;
//! * what is due happens, even when the node that knew of it is gone; and what a node held that is gone is let go.
//!
//! Here time stands beside the steps: it passes by draws of its own, however long a message takes.

mod checks;
mod questions;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rand::RngExt as _;

use super::{
    for_each_seed, random,
    server::{Came, Made},
    world::{Stage, World},
};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{
        Applied, Reader, Record as _, Refusal,
        shared::testing::{Command, Effect, Hearers, Journal, Reply},
    },
};

const NODES: usize = 4;
const KEYS: u32 = 3;
/// Records that there may be, where that matters.
const FEW: usize = 2;

type Result = std::result::Result<Applied<Reply>, Refusal>;

/// Of each record and node, whether it holds it; None when nobody knows.
type Held = BTreeMap<(u32, NodeId), Option<bool>>;

/// What a node learnt of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Learnt {
    /// It was told of an entry, and of its place.
    Told(u64, usize),
    /// It looked, and found so many entries.
    Found(usize),
}

/// What the nodes told and found out.
#[derive(Default)]
struct Said {
    /// What became of the commands, by their entries.
    answers: BTreeMap<u64, Result>,
    held: Held,
    /// Whether nodes go on before the others have said again what they know.
    is_impatient: bool,
    /// Entries that were in some version of a record.
    made: BTreeMap<u32, BTreeSet<u64>>,
    /// Of each record, under which mark it was written last, and its entries then.
    stands: BTreeMap<u32, (u64, Vec<u64>)>,
    /// Entries that only those knew of who are gone, when the server lost them, or who came too late.
    lost: BTreeSet<u64>,
    /// What each node learnt, in this order.
    learnt: BTreeMap<NodeId, Vec<(u32, Learnt)>>,
    is_traced: bool,
}

impl Said {
    /// Tells whoever repeats one seed what happens.
    fn trace(&self, what: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!("{}", what());
        }
    }

    /// A record has these entries now. What was written under one mark stays, until the server loses it.
    fn came(&mut self, made: &Made<u32>, entries: Vec<u64>) {
        let key = made.key;
        let ever = self.made.entry(key).or_default();
        ever.extend(&entries);
        match self.stands.get(&key) {
            Some((mark, before)) if *mark == made.mark => {
                assert!(entries.starts_with(before), "{before:?} became {entries:?}");
            }
            _ if self.is_impatient => {
                // Whoever knew more of it comes too late.
                self.lost.extend(ever.iter().filter(|entry| !entries.contains(entry)));
                let held = self.held.iter_mut().filter(|((of, _), _)| *of == key);
                held.for_each(|(_, holds)| *holds = None);
            }
            _ => {}
        }
        self.stands.insert(key, (made.mark, entries));
    }
}

impl<const IN_LEAVES: bool> Stage<Journal<IN_LEAVES>> for Said {
    fn made(&mut self, made: &Made<u32>, _: Timestamp, _: Timestamp) {
        match &made.row {
            Came::Same => {}
            Came::Gone => self.came(made, Vec::new()),
            Came::New(state) => self.came(made, Journal::<IN_LEAVES>::read(state).unwrap().entries),
        }
        self.trace(|| match &made.row {
            Came::Same => format!("{} stays as it is", made.key),
            Came::Gone => format!("{} is gone", made.key),
            Came::New(state) => format!("{} is {}", made.key, String::from_utf8_lossy(&state.row)),
        });
    }

    fn delivered(&mut self, node: NodeId, key: u32, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Written { entry, place, .. } = effect {
                self.learnt.entry(node).or_default().push((key, Learnt::Told(entry, place)));
            }
        }
    }
}

struct Play<const IN_LEAVES: bool> {
    world: World<Journal<IN_LEAVES>, Said>,
    /// Whether the server loses anything.
    loses: bool,
    /// Whether nodes go on before the others have said again what they know.
    is_impatient: bool,
    /// How many records there may be.
    most: usize,
    /// Of each entry: the record, who wrote it, and who should hear of it.
    written: BTreeMap<u64, (u32, NodeId, Hearers)>,
}

impl<const IN_LEAVES: bool> Play<IN_LEAVES> {
    fn new(seed: u64, is_impatient: bool) -> Self {
        let mut random = random(seed);
        // Who forgets cannot repair. What is said again counts, however many there are.
        let (remembers, most, loses) = match random.random_range(0..5) {
            0 if !is_impatient => (100, FEW, false),
            1 | 2 if !is_impatient => (2, 100, false),
            _ => (100, 100, true),
        };
        let is_traced = std::env::var_os("SEED").is_some();
        let said = Said { is_traced, is_impatient, ..Said::default() };
        let world = World::new(random, NODES, (remembers, most), (), said);
        Self { world, loses, is_impatient, most, written: BTreeMap::new() }
    }

    fn step(&mut self) {
        let world = &mut self.world;
        let at = world.random.random_range(0..NODES);
        match world.random.random_range(0..100) {
            0..18 => {
                self.write(at);
                assert!(self.world.server.number() <= self.most as u64, "too many records");
            }
            18..20 => self.look(at),
            20 => self.hold(at),
            21 => self.close(at),
            22..54 => world.serve(at),
            54 => world.lose_patience(at),
            55..73 => world.hear(at),
            73..92 => world.be_answered(at),
            92..95 => self.let_time_pass(),
            95..97 => world.sweep(at, world.now),
            97 => world.try_again(at),
            98 => world.cut(at),
            _ => match world.random.random_range(0..6) {
                0 if self.loses => {
                    world.flush();
                    self.note_what_is_lost();
                }
                1 if self.loses => {
                    world.fail_over();
                    self.note_what_is_lost();
                }
                // It sleeps beyond its lease. What it asked last comes through later; then it must begin anew.
                2 => self.begin_anew(at, World::replace),
                _ => self.begin_anew(at, World::crash),
            },
        }
        if self.world.random.random_range(0..4) == 0 {
            self.world.renew(at);
            if self.is_impatient || self.world.is_repaired() {
                self.world.conclude(at);
            }
        }
    }

    fn begin_anew(&mut self, at: usize, end: fn(&mut World<Journal<IN_LEAVES>, Said>, usize)) {
        self.world.stage.lock().trace(|| format!("{at} begins anew"));
        let is_repaired = self.world.is_repaired();
        end(&mut self.world, at);
        self.world.renew(at);
        if !is_repaired {
            // It may have been the only one who knew.
            self.note_what_is_lost();
        }
    }

    /// Notes what nobody who is left knows, nor the server.
    fn note_what_is_lost(&mut self) {
        for key in 0..KEYS {
            let versions = || format!("{key} may be lost: {}", self.world.versions(&key));
            self.world.stage.lock().trace(versions);
        }
        for key in 0..KEYS {
            let (_, journal) = self.world.server.record::<Journal<IN_LEAVES>>(&key);
            let mut best = (self.world.server.latest_version(&key), journal.unwrap_or_default());
            for node in &self.world.nodes {
                if let Some((version, journal)) = node.core.knows(key)
                    && best.0 < Some(version.clone())
                {
                    best = (Some(version), journal);
                }
            }
            let of_key = self.written.iter().filter(|(_, (of, ..))| *of == key);
            let lost = of_key.filter(|(entry, _)| !best.1.entries.contains(entry));
            self.world.stage.lock().lost.extend(lost.map(|(entry, _)| *entry));
        }
    }

    fn write(&mut self, at: usize) {
        let entry = u64::try_from(self.written.len()).unwrap();
        let world = &mut self.world;
        let key = world.random.random_range(0..KEYS);
        let hearers = match world.random.random_range(0..3) {
            0 => Hearers::Here,
            1 => Hearers::Everyone,
            _ => {
                let nodes = world.nodes.iter().map(|node| node.id);
                Hearers::Nodes(nodes.filter(|_| world.random.random()).collect())
            }
        };
        let said = Arc::clone(&world.stage);
        said.lock().trace(|| format!("{at} writes {entry} into {key}"));
        self.written.insert(entry, (key, world.nodes[at].id, hearers.clone()));
        let sink = Box::new(move |result| {
            let mut said = said.lock();
            said.trace(|| format!("{at} is told of {entry}: {result:?}"));
            assert!(said.answers.insert(entry, result).is_none(), "answered twice");
        });
        world.submit(at, key, Command::Write { entry, hearers }, sink);
    }

    /// Somebody on the node reads; what he was told before and hears afterwards must fit to it.
    fn look(&mut self, at: usize) {
        let world = &mut self.world;
        let key = world.random.random_range(0..KEYS);
        let (said, node) = (Arc::clone(&world.stage), world.nodes[at].id);
        let reader: Reader<Journal<IN_LEAVES>> = Box::new(move |journal| {
            let found = journal.map(|journal| journal.map_or(0, |journal| journal.entries.len()));
            Box::new(move || {
                let found = found.into_iter().map(|number| (key, Learnt::Found(number)));
                said.lock().learnt.entry(node).or_default().extend(found);
            })
        });
        world.read(at, key, reader);
    }

    /// Somebody on the node comes or goes.
    fn hold(&mut self, at: usize) {
        let world = &mut self.world;
        let key = world.random.random_range(0..KEYS);
        let node = world.nodes[at].id;
        let hold: bool = world.random.random();
        let command = if hold { Command::Hold(node) } else { Command::LetGo(node) };
        let (said, place) = (Arc::clone(&world.stage), (key, node));
        said.lock().held.insert(place, Some(hold));
        let sink = Box::new(move |result: Result| {
            assert!(hold || result.is_ok(), "an end is not to be lost");
            if result.is_err() {
                said.lock().held.insert(place, None);
            }
        });
        world.submit(at, key, command, sink);
    }

    /// Now and then a record is about to take no more, which time alone brings about.
    fn close(&mut self, at: usize) {
        let world = &mut self.world;
        let key = world.random.random_range(0..KEYS);
        let command = Command::CloseAt(world.now + world.random.random_range(2_000..6_000));
        world.submit(at, key, command, Box::new(|_| ()));
    }

    fn let_time_pass(&mut self) {
        self.world.now = self.world.now + self.world.random.random_range(1..500);
        (0..NODES).for_each(|at| self.world.run_due(at));
    }

    fn let_go(&mut self) {
        let ended: BTreeSet<NodeId> = self.world.gone.iter().map(|node| node.id).collect();
        self.world.let_go(0, |node| ended.contains(&node));
    }

    fn journal(&self, key: u32) -> Journal<IN_LEAVES> {
        self.world.record(&key).unwrap_or_default()
    }
}

fn run<const IN_LEAVES: bool>(seed: u64, is_impatient: bool) {
    let mut play = Play::<IN_LEAVES>::new(seed, is_impatient);
    let steps = play.world.random.random_range(20..600);
    for _ in 0..steps {
        play.step();
    }
    play.world.serve_the_gone();
    play.world.settle();
    play.check();
    play.check_that_they_let_go();
    play.check_that_time_passes();
    play.check();
}

#[test]
fn whatever_breaks_each_command_is_done_once_and_heard_of_in_order() {
    for_each_seed(2_000, |seed| run::<false>(seed, false));
}

#[test]
fn likewise_with_records_in_leaves() {
    for_each_seed(2_000, |seed| run::<true>(seed, false));
}

#[test]
fn who_comes_late_after_a_loss_undoes_nothing_that_was_written_since() {
    for_each_seed(1_000, |seed| run::<false>(seed, true));
}

#[test]
fn nor_in_records_in_leaves() {
    for_each_seed(1_000, |seed| run::<true>(seed, true));
}
