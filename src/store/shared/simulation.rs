//! Several nodes' cores against one server, with every delay, cut and crash that a seed can draw: the same seed gives the
//! same run. `SEEDS` says how many, and `SEED` names one that failed.
//!
//! What must hold, whatever happens:
//! * a command that was answered as done was done once, one that was refused not at all, and one whose answer was lost at
//!   most once;
//! * what follows from a record's transitions reaches each node in the order of the versions, and at most once; who looks at
//!   the record sees what he was told before, and is told what came later;
//! * a node whose connection was never cut misses nothing that concerns it;
//! * every command of a node that lives is answered;
//! * when the server loses all, or the last transitions with every connection, each record is again what the node had that
//!   knew most of it, and nothing is lost that was answered as done, unless only those knew of it who are gone;
//! * a command that may be repeated has the effect of once, in its order, and one that ends something is never lost;
//! * what is due happens, even when the node that knew of it is gone; and what a node held that is gone is let go.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use rand::{RngExt as _, SeedableRng as _, rngs::SmallRng};

use super::{
    core::{Action, Core, MOST_IN_ALL, Work},
    figures::Counts,
    message,
    question::{Answer, Ask, Lists, Row, Target, Ticket},
    testing::{Command, Effect, Hearers, Journal, Reply},
};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{Applied, Expect, Reader, Record as _, Refusal, Stats},
};

const NODES: usize = 4;
const KEYS: u32 = 3;
/// So many transitions, at most, does a server lose that fails.
const MOST_LOST: usize = 4;

/// What the server has: records by key with their versions, and the list of times.
#[derive(Default)]
struct Server {
    data: Data,
    /// As they were before the last transitions.
    before: VecDeque<Data>,
    /// Its clock, by which it gives versions.
    versions: u64,
    mark: u64,
}

#[derive(Clone, Default)]
struct Data {
    /// Without a row the record was ended under that version, as somebody said after a loss.
    rows: BTreeMap<u32, (u64, Option<Written>)>,
    due: BTreeMap<u32, Timestamp>,
    held: BTreeSet<(NodeId, u32)>,
}

/// A row as the server has it.
type Written = Arc<[u8]>;

/// Who is told what, with the version that the server puts in front.
type Told = Vec<(Target, u64, Vec<u8>)>;

type Result = std::result::Result<Applied<Reply>, Refusal>;

/// What became of the commands, by their entries.
type Answers = Arc<Mutex<BTreeMap<u64, Result>>>;

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

/// What a node learnt, in this order.
type Log = Arc<Mutex<Vec<(u32, Learnt)>>>;

struct Node {
    id: NodeId,
    core: Core<Journal>,
    up: VecDeque<Ask<u32>>,
    answers: VecDeque<(Ticket, Answer)>,
    messages: VecDeque<Vec<u8>>,
    log: Log,
    was_cut: bool,
    /// The mark of the server's data, as far as it knows.
    mark: u64,
    /// Its so manieth mark, when it has restated what it knows.
    restated: Option<u64>,
    stats: Stats,
    counts: Counts,
}

impl Node {
    fn new(node: u32, incarnation: u64, most: usize, mark: u64) -> Self {
        let id = NodeId { node, incarnation };
        let mut node = Self {
            id,
            core: Core::new(id, Arc::new(()), most, 1),
            up: VecDeque::new(),
            answers: VecDeque::new(),
            messages: VecDeque::new(),
            log: Log::default(),
            was_cut: false,
            mark: u64::MAX,
            restated: None,
            stats: Stats::default(),
            counts: Counts::default(),
        };
        node.renew(mark, Timestamp(0));
        node
    }

    /// It learns what the server's data are marked with.
    fn renew(&mut self, mark: u64, now: Timestamp) {
        if std::mem::replace(&mut self.mark, mark) != mark {
            self.restated = None;
            self.with(|core, work| core.mend(mark.to_string().into(), now, work));
        }
    }

    fn has_restated(&self, mark: u64) -> bool {
        self.mark == mark && self.restated.is_some()
    }

    fn with(&mut self, act: impl FnOnce(&mut Core<Journal>, &mut Work<'_, Journal>)) {
        let mut out = Vec::new();
        let work = &mut Work { out: &mut out, stats: &self.stats, counts: &self.counts };
        act(&mut self.core, work);
        for action in out {
            match action {
                Action::Restated(era) => self.restated = Some(era),
                Action::Ask(ask) => self.up.push_back(ask),
                Action::Tell(sink, result) => sink(result),
                Action::Go(then) => then(),
                Action::Deliver(key, effects, _) => {
                    for effect in effects {
                        if let Effect::Written { entry, place, .. } = effect {
                            self.log.lock().unwrap().push((key, Learnt::Told(entry, place)));
                        }
                    }
                }
            }
        }
    }
}

struct World {
    random: SmallRng,
    now: Timestamp,
    server: Server,
    nodes: Vec<Node>,
    /// Incarnations that are gone, with what they did until then.
    gone: Vec<Node>,
    answers: Answers,
    /// How many records a node remembers.
    most: usize,
    /// Whether the server loses anything.
    loses: bool,
    /// Entries that only those knew of who are gone, when the server lost them.
    lost: BTreeSet<u64>,
    /// Of each entry: the record, who wrote it, and who should hear of it.
    written: BTreeMap<u64, (u32, NodeId, Hearers)>,
    held: Arc<Mutex<Held>>,
    incarnations: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = SmallRng::seed_from_u64(seed);
        // Who forgets cannot repair.
        let (most, loses) = if random.random() { (2, false) } else { (100, true) };
        let node = |node| Node::new(u32::try_from(node).unwrap(), 1, most, 0);
        let nodes = (0..NODES).map(node).collect();
        Self {
            random,
            most,
            loses,
            lost: BTreeSet::new(),
            now: Timestamp(1_000),
            server: Server::default(),
            nodes,
            gone: Vec::new(),
            answers: Answers::default(),
            written: BTreeMap::new(),
            held: Arc::default(),
            incarnations: 1,
        }
    }

    fn step(&mut self) {
        let at = self.random.random_range(0..NODES);
        match self.random.random_range(0..100) {
            0..18 => self.write(at),
            18..20 => self.look(at),
            20 => self.hold(at),
            21 => self.close(at),
            22..54 => self.serve(at),
            54 => self.lose_patience(at),
            55..73 => self.hear(at),
            73..92 => self.be_answered(at),
            92..95 => self.let_time_pass(),
            95..97 => self.sweep(at),
            97 => self.try_again(at),
            98 => self.cut(at),
            _ => match self.random.random_range(0..6) {
                0 if self.loses => self.flush(),
                1 if self.loses => self.fail_over(),
                2 => self.pause(at),
                _ => self.crash(at),
            },
        }
        if self.random.random_range(0..4) == 0 {
            self.renew(at);
            self.conclude(at);
        }
    }

    /// The node renews its lease, and learns what the mark is.
    fn renew(&mut self, at: usize) {
        let (mark, now) = (self.server.mark, self.now);
        self.nodes[at].renew(mark, now);
    }

    /// When all nodes have restated what they know, it goes on.
    fn conclude(&mut self, at: usize) {
        let mark = self.server.mark;
        if let Some(era) = self.nodes[at].restated
            && self.nodes.iter().all(|node| node.has_restated(mark))
        {
            let now = self.now;
            self.nodes[at].with(|core, work| core.mended(era, now, work));
        }
    }

    /// The server loses all.
    fn flush(&mut self) {
        self.lose(Data::default());
    }

    /// The server loses the last transitions, and everybody the connection to it. Another one goes on, whose clock is behind.
    fn fail_over(&mut self) {
        let number = self.random.random_range(0..=MOST_LOST);
        let mut left = self.server.data.clone();
        for _ in 0..number {
            left = self.server.before.pop_back().unwrap_or(left);
        }
        self.server.versions = left.rows.values().map(|(version, _)| *version).max().unwrap_or(0);
        for at in 0..NODES {
            self.break_off(at);
        }
        self.lose(left);
        for at in 0..NODES {
            // Before it asks anything it renews its lease.
            self.renew(at);
            self.nodes[at].with(|core, work| core.deaf(work));
        }
    }

    /// The server has this left.
    fn lose(&mut self, left: Data) {
        self.server.data = left;
        self.server.before.clear();
        self.server.mark += 1;
        self.note_what_is_lost();
    }

    /// Notes what nobody who is left knows, nor the server.
    fn note_what_is_lost(&mut self) {
        for key in 0..KEYS {
            let row = self.server.data.rows.get(&key);
            let row = row.and_then(|(version, row)| Some((*version, row.clone()?)));
            let row = row.map(|(version, row)| (version, serde_json::from_slice(&row).unwrap()));
            let mut best: (u64, Journal) = row.unwrap_or_default();
            for node in &self.nodes {
                if let Some((version, journal)) = node.core.knows(key)
                    && best.0 < version
                {
                    best = (version, journal);
                }
            }
            let of_key = self.written.iter().filter(|(_, (of, ..))| *of == key);
            let lost = of_key.filter(|(entry, _)| !best.1.entries.contains(entry));
            let lost: Vec<u64> = lost.map(|(entry, _)| *entry).collect();
            self.lost.extend(lost);
        }
    }

    /// A node sleeps beyond its lease. What it asked last comes through later; then it must begin anew.
    fn pause(&mut self, at: usize) {
        self.replace(at);
    }

    /// The server does the next thing that one asked for who is gone.
    fn serve_the_gone(&mut self) {
        for at in 0..self.gone.len() {
            while let Some(ask) = self.gone[at].up.pop_front() {
                let (_, tell) = self.server.answer(ask, self.gone[at].id);
                self.tell(tell);
            }
        }
    }

    fn write(&mut self, at: usize) {
        let entry = u64::try_from(self.written.len()).unwrap();
        let key = self.random.random_range(0..KEYS);
        let hearers = match self.random.random_range(0..3) {
            0 => Hearers::Here,
            1 => Hearers::Everyone,
            _ => {
                let nodes = self.nodes.iter().map(|node| node.id);
                Hearers::Nodes(nodes.filter(|_| self.random.random()).collect())
            }
        };
        let (answers, now) = (Arc::clone(&self.answers), self.now);
        let node = &mut self.nodes[at];
        self.written.insert(entry, (key, node.id, hearers.clone()));
        let command = Command::Write { entry, hearers };
        let sink = Box::new(move |result| {
            assert!(answers.lock().unwrap().insert(entry, result).is_none(), "answered twice");
        });
        node.with(|core, work| core.submit(key, Expect::Any, command, sink, now, work));
    }

    /// Somebody on the node reads; what he was told before and hears afterwards must fit to it.
    fn look(&mut self, at: usize) {
        let key = self.random.random_range(0..KEYS);
        let (now, node) = (self.now, &mut self.nodes[at]);
        let log = Arc::clone(&node.log);
        let reader: Reader<Journal> = Box::new(move |journal| {
            let found = journal.map(|journal| journal.map_or(0, |journal| journal.entries.len()));
            Box::new(move || {
                let found = found.into_iter().map(|number| (key, Learnt::Found(number)));
                log.lock().unwrap().extend(found);
            })
        });
        node.with(|core, work| core.read(key, reader, now, work));
    }

    /// The node waits no longer for an answer; what it asked for happens all the same.
    fn lose_patience(&mut self, at: usize) {
        let (now, node) = (self.now, &mut self.nodes[at]);
        if let Some(ticket) = node.up.back().map(Ask::ticket) {
            node.with(|core, work| core.answered(ticket, Answer::Away, now, work));
        }
    }

    /// Somebody on the node comes or goes.
    fn hold(&mut self, at: usize) {
        let key = self.random.random_range(0..KEYS);
        let (now, node) = (self.now, self.nodes[at].id);
        let hold: bool = self.random.random();
        let command = if hold { Command::Hold(node) } else { Command::LetGo(node) };
        let (held, place) = (Arc::clone(&self.held), (key, node));
        held.lock().unwrap().insert(place, Some(hold));
        let sink = Box::new(move |result: Result| {
            assert!(hold || result.is_ok(), "an end is not to be lost");
            if result.is_err() {
                held.lock().unwrap().insert(place, None);
            }
        });
        self.nodes[at].with(|core, work| core.submit(key, Expect::Any, command, sink, now, work));
    }

    /// A survivor looks for what ended nodes hold.
    fn let_go(&mut self, at: usize) {
        let ended: BTreeSet<NodeId> = self.gone.iter().map(|node| node.id).collect();
        let orphans = self.server.data.held.iter().filter(|(node, _)| ended.contains(node));
        let orphans: Vec<(NodeId, u32)> = orphans.copied().collect();
        let now = self.now;
        for (node, key) in orphans {
            if !self.journal(key).holders.contains(&node) {
                self.server.data.held.remove(&(node, key));
            } else if let Some(lost) = Journal::lost(node) {
                let sink = Box::new(|_| ());
                self.nodes[at]
                    .with(|core, work| core.submit(key, Expect::Any, lost, sink, now, work));
            }
        }
    }

    /// Now and then a record is about to take no more, which time alone brings about.
    fn close(&mut self, at: usize) {
        let key = self.random.random_range(0..KEYS);
        let command = Command::CloseAt(self.now + self.random.random_range(2_000..6_000));
        let now = self.now;
        let sink = Box::new(|_| ());
        self.nodes[at].with(|core, work| core.submit(key, Expect::Any, command, sink, now, work));
    }

    /// The server does the next thing that a node asked for.
    fn serve(&mut self, at: usize) {
        let Some(ask) = self.nodes[at].up.pop_front() else { return };
        let (answer, tell) = self.server.answer(ask, self.nodes[at].id);
        self.tell(tell);
        self.nodes[at].answers.push_back(answer);
    }

    fn tell(&mut self, tell: Told) {
        for (target, version, message) in tell {
            let message = [version.to_string().as_bytes(), b":", &message].concat();
            for node in &mut self.nodes {
                if target == Target::Everyone || target == Target::Node(node.id) {
                    node.messages.push_back(message.clone());
                }
            }
        }
    }

    /// The next answer reaches a node.
    fn be_answered(&mut self, at: usize) {
        let (now, node) = (self.now, &mut self.nodes[at]);
        if let Some((ticket, answer)) = node.answers.pop_front() {
            if answer == Answer::Lost {
                node.renew(self.server.mark, now);
            }
            node.with(|core, work| core.answered(ticket, answer, now, work));
        }
    }

    /// The next message reaches a node.
    fn hear(&mut self, at: usize) {
        let (now, node) = (self.now, &mut self.nodes[at]);
        if let Some(bytes) = node.messages.pop_front() {
            let message = message::decode(&bytes).unwrap();
            node.with(|core, work| core.heard(message, now, work));
        }
    }

    fn let_time_pass(&mut self) {
        self.now = self.now + self.random.random_range(1..500);
        let now = self.now;
        for node in &mut self.nodes {
            node.with(|core, work| core.run_due(now, work));
        }
    }

    fn sweep(&mut self, at: usize) {
        let (now, due) = (self.now, &self.server.data.due);
        let due: Vec<u32> =
            due.iter().filter(|(_, due)| **due <= now).map(|(key, _)| *key).collect();
        for key in due {
            self.nodes[at].with(|core, work| core.due(key, now, work));
        }
    }

    /// The connection breaks: some of what was asked is done all the same, no answer comes, and nothing is heard until the
    /// node has its channel again.
    fn cut(&mut self, at: usize) {
        self.break_off(at);
        self.renew(at);
        // What it asks for since then goes over the new connection.
        self.nodes[at].with(|core, work| core.deaf(work));
    }

    fn break_off(&mut self, at: usize) {
        for _ in 0..self.random.random_range(0..3) {
            self.serve(at);
        }
        let now = self.now;
        let node = &mut self.nodes[at];
        node.was_cut = true;
        let mut lost: Vec<Ticket> = node.up.drain(..).map(|ask| ask.ticket()).collect();
        lost.extend(node.answers.drain(..).map(|(ticket, _)| ticket));
        node.messages.clear();
        for ticket in lost {
            node.with(|core, work| core.answered(ticket, Answer::Away, now, work));
        }
    }

    /// The node finds out whether the server is back.
    fn try_again(&mut self, at: usize) {
        let now = self.now;
        self.nodes[at].with(|core, work| core.try_again(false, now, work));
    }

    /// A node ends without a word, and starts anew.
    fn crash(&mut self, at: usize) {
        for _ in 0..self.random.random_range(0..3) {
            self.serve(at);
        }
        self.nodes[at].up.clear();
        self.replace(at);
    }

    fn replace(&mut self, at: usize) {
        self.incarnations += 1;
        let node = u32::try_from(at).unwrap();
        let new = Node::new(node, self.incarnations, self.most, self.server.mark);
        let is_repaired = self.nodes.iter().all(|node| node.has_restated(self.server.mark));
        self.gone.push(std::mem::replace(&mut self.nodes[at], new));
        if !is_repaired {
            // It may have been the only one who knew.
            self.note_what_is_lost();
        }
    }

    /// Nothing breaks any more, and all that is under way comes to its end.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            for at in 0..NODES {
                let now = self.now;
                self.renew(at);
                self.conclude(at);
                self.nodes[at].with(|core, work| core.listen(work));
                self.nodes[at].with(|core, work| core.try_again(false, now, work));
                self.serve(at);
                self.hear(at);
                self.be_answered(at);
            }
            let quiet = |node: &Node| {
                node.up.is_empty()
                    && node.answers.is_empty()
                    && node.messages.is_empty()
                    && node.core.is_idle()
            };
            if self.nodes.iter().all(quiet) {
                return;
            }
        }
        panic!("the nodes do not come to rest");
    }

    fn journal(&self, key: u32) -> Journal {
        let row = self.server.data.rows.get(&key);
        row.and_then(|(_, row)| row.as_ref()).map_or_else(
            || Journal::vacant(&(), self.now),
            |row| serde_json::from_slice(row).unwrap(),
        )
    }

    fn check(&self) {
        let journals: Vec<Journal> = (0..KEYS).map(|key| self.journal(key)).collect();
        let answers = self.answers.lock().unwrap();
        for (entry, (key, by, hearers)) in &self.written {
            let entries = &journals[usize::try_from(*key).unwrap()].entries;
            let places: Vec<usize> =
                (1..).zip(entries).filter(|(_, other)| *other == entry).map(|(at, _)| at).collect();
            let answer = answers.get(entry);
            if self.lost.contains(entry) && places.is_empty() {
                continue;
            }
            match answer {
                Some(Ok(Applied { reply: Reply::Place(place), .. })) => {
                    assert_eq!(places, [*place], "{entry} was answered as done");
                }
                Some(Ok(_)) => assert!(places.is_empty(), "{entry} was refused"),
                Some(Err(Refusal::Away)) => assert!(places.len() <= 1, "{entry} was done twice"),
                Some(Err(refusal)) => panic!("{entry}: {refusal}"),
                None => {
                    assert!(self.gone.iter().any(|node| node.id == *by), "{entry} has no answer");
                    assert!(places.len() <= 1, "{entry} was done twice");
                }
            }
            let Some(&place) = places.first() else { continue };
            for node in self.nodes.iter().filter(|node| !node.was_cut) {
                let concerns = match hearers {
                    Hearers::Here => node.id == *by,
                    Hearers::Everyone => node.id.incarnation == 1,
                    Hearers::Nodes(nodes) => nodes.contains(&node.id),
                };
                let told = (*key, Learnt::Told(*entry, place));
                let heard = node.log.lock().unwrap().contains(&told);
                assert!(heard || !concerns, "{:?} did not hear of {entry}", node.id);
            }
        }
        for ((key, node), holds) in self.held.lock().unwrap().iter() {
            let is_there = self.nodes.iter().any(|other| other.id == *node);
            let journal = &journals[usize::try_from(*key).unwrap()];
            let is_so = holds.is_none_or(|holds| journal.holders.contains(node) == holds);
            assert!(is_so || !is_there, "{node:?} holds {key}: {holds:?}");
        }
        for node in self.nodes.iter().chain(&self.gone) {
            // The newest entry of each record that the node knows of.
            let mut newest = BTreeMap::new();
            for (key, learnt) in node.log.lock().unwrap().iter() {
                let entries = &journals[usize::try_from(*key).unwrap()].entries;
                let newest = newest.entry(*key).or_insert(0);
                match *learnt {
                    // What was lost since then has no place.
                    Learnt::Told(entry, _) if self.lost.contains(&entry) => {}
                    Learnt::Found(_) if !self.lost.is_empty() => {}
                    Learnt::Told(entry, place) => {
                        assert!(*newest < place, "{:?} heard of {entry} late or twice", node.id);
                        assert_eq!(entries[place - 1], entry);
                        *newest = place;
                    }
                    Learnt::Found(number) => {
                        assert!(*newest <= number, "{:?} saw less than it was told", node.id);
                        *newest = number;
                    }
                }
            }
        }
    }

    /// Nothing stays with those who are gone.
    fn check_that_they_let_go(&mut self) {
        self.let_go(0);
        self.settle();
        for key in 0..KEYS {
            for holder in self.journal(key).holders {
                assert!(self.nodes.iter().any(|node| node.id == holder), "{holder:?} is gone");
                assert!(
                    self.server.data.held.contains(&(holder, key)),
                    "{holder:?} is not on the list"
                );
            }
        }
    }

    /// Whoever is left cares for what is due.
    fn check_that_time_passes(&mut self) {
        self.now = self.now + 10_000;
        for _ in 0..2 {
            self.sweep(0);
            self.settle();
        }
        for key in 0..KEYS {
            let is_known = self.server.data.due.contains_key(&key);
            assert!(!is_known, "record {key} is due and nobody cares");
            assert_eq!(self.journal(key).deadline(&()), None, "no list knows of record {key}");
        }
    }
}

impl Server {
    /// What the two scripts do.
    fn answer(&mut self, ask: Ask<u32>, from: NodeId) -> ((Ticket, Answer), Told) {
        match ask {
            Ask::Probe { ticket } => {
                let word = message::encode::<Journal>(from, ticket, None, &[]);
                ((ticket, Answer::Said), vec![(Target::Node(from), 0, word)])
            }
            Ask::Look { ticket, mark, .. }
            | Ask::Replace { ticket, mark, .. }
            | Ask::Restate { ticket, mark, .. }
                if *mark != *self.mark.to_string() =>
            {
                ((ticket, Answer::Lost), Vec::new())
            }
            Ask::Look { ticket, key, .. } => {
                let (version, row) = self.row(key);
                let word = message::encode::<Journal>(from, ticket, Some(&key), &[]);
                let tell = vec![(Target::Node(from), version, word)];
                ((ticket, Answer::Found { version, row }), tell)
            }
            Ask::Replace { ticket, key, expected, row, lists, tell, .. } => {
                self.enlist(key, &lists);
                let (mut version, old) = self.row(key);
                if version != expected {
                    return ((ticket, Answer::Conflict { version, row: old }), Vec::new());
                }
                if row != Row::Same {
                    self.before.push_back(self.data.clone());
                    if self.before.len() > MOST_LOST {
                        self.before.pop_front();
                    }
                    let floor = self.data.rows.get(&key).map_or(0, |(version, _)| *version);
                    self.versions = floor.max(self.versions) + 1;
                    version = self.versions;
                }
                match row {
                    Row::Same => {}
                    Row::Gone => drop(self.data.rows.remove(&key)),
                    Row::New(row) => {
                        self.data.rows.insert(key, (version, Some(row.into())));
                    }
                }
                if lists.due == Some(None) {
                    self.data.due.remove(&key);
                }
                for node in lists.frees {
                    self.data.held.remove(&(node, key));
                }
                let tell = tell.into_iter().map(|(target, message)| (target, version, message));
                ((ticket, Answer::Replaced { version }), tell.collect())
            }
            Ask::Restate { ticket, key, version, row, lists, .. } => {
                self.enlist(key, &lists);
                let there = self.data.rows.entry(key).or_default();
                if there.0 < version {
                    *there = (version, row.map(Into::into));
                }
                let (version, is_there) = (there.0, there.1.is_some());
                ((ticket, Answer::Restated { version, is_there }), Vec::new())
            }
        }
    }

    fn row(&self, key: u32) -> (u64, Vec<u8>) {
        match self.data.rows.get(&key) {
            Some((version, Some(row))) => (*version, row.to_vec()),
            _ => (0, Vec::new()),
        }
    }

    fn enlist(&mut self, key: u32, lists: &Lists) {
        if let Some(Some(at)) = lists.due {
            self.data.due.insert(key, at);
        }
        self.data.held.extend(lists.holds.iter().map(|node| (*node, key)));
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    let steps = world.random.random_range(20..600);
    for _ in 0..steps {
        world.step();
    }
    world.serve_the_gone();
    world.settle();
    world.check();
    world.check_that_they_let_go();
    world.check_that_time_passes();
    world.check();
}

#[test]
fn whatever_breaks_each_command_is_done_once_and_heard_of_in_order() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let seeds = match number("SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("SEEDS").unwrap_or(2_000),
    };
    for seed in seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        if let Err(panic) = result {
            eprintln!("SEED={seed} repeats this");
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn what_waits_for_all_records_together_is_bounded() {
    let mut node = Node::new(1, 1, 2, 0);
    node.with(|core, work| core.mended(1, Timestamp(0), work));
    let answers = Answers::default();
    let submit = |node: &mut Node, key: u32, command| {
        let answers = Arc::clone(&answers);
        let sink = Box::new(move |result| {
            answers.lock().unwrap().insert(key.into(), result);
        });
        let now = Timestamp(1_000);
        node.with(|core, work| core.submit(key, Expect::Any, command, sink, now, work));
    };
    let write = |entry: u32| Command::Write { entry: entry.into(), hearers: Hearers::Here };
    let most = u32::try_from(MOST_IN_ALL / 2).unwrap();
    (0..most).for_each(|key| submit(&mut node, key, write(key)));
    assert!(answers.lock().unwrap().is_empty(), "each waits, and is looked for");
    submit(&mut node, most, write(most));
    assert_eq!(answers.lock().unwrap().get(&most.into()), Some(&Err(Refusal::Overloaded)));
    let mut last = Vec::new();
    node.core.end(&mut last);
    assert_eq!(last.len(), MOST_IN_ALL / 2, "at the end each is told");
    assert_eq!(node.core.under_way(), 0);
}
