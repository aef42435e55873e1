//! What one node does for the records of one kind, as a pure machine: it is told jobs, answers and messages, and says what
//! is to be done. It does no I/O and reads no clock, so that a simulator can run several of them against each other.
//!
//! Each record that a node works on has a *lane*: jobs wait in it, and at most one transition is *in flight*. A transition
//! starts from the version that the node knows. When the server has another one, it answers with that, and the command is
//! applied anew.
//!
//! What follows from a transition on this node is carried out when the node hears of it on its own channel, between the
//! messages of other nodes: so each node acts on a record's effects in the order of its versions, whoever made them. Answers
//! come by another way than messages, sooner or later than these.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    hash::{BuildHasher, RandomState},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::Ordering,
};

use super::message::{self, Message};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{
        Afterwards, Applied, Expect, Reader, Record, Refusal, Route, Sink, Stats, timers::Timers,
    },
};

/// How often a command is applied anew because others were faster, before it is refused.
const MOST_TRIES: u32 = 64;
/// Jobs that wait for one record. Beyond, commands are refused as overloaded, except essential ones.
const MOST_WAITING: usize = 4_096;
/// Transitions of which it is unknown whether they were made, and whose effects wait for a word of them.
const MOST_DOUBTFUL: usize = 4_096;

/// Tells apart what a node asked for; never used twice in one incarnation.
pub(super) type Ticket = u64;

/// What a record is to be replaced by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Row {
    /// Nothing changes; is the version still the one?
    Same,
    /// The record says no more than none.
    Gone,
    /// This.
    New(Vec<u8>),
}

/// What is asked of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask<K> {
    /// A word on this node's channel, after all that was said before.
    Probe { ticket: Ticket },
    /// The record, and a word on this node's channel after all that was said of the record before.
    Look { ticket: Ticket, key: K },
    /// A new version in place of `expected`, and only of that; then the messages go out.
    Replace {
        ticket: Ticket,
        key: K,
        expected: u64,
        row: Row,
        lists: Lists,
        /// To whom what is said. Among them this node, when something follows here.
        tell: Tell,
    },
}

#[cfg(test)]
impl<K> Ask<K> {
    pub(super) fn ticket(&self) -> Ticket {
        match self {
            Ask::Probe { ticket } | Ask::Look { ticket, .. } | Ask::Replace { ticket, .. } => {
                *ticket
            }
        }
    }
}

/// What the lists beside the records are to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lists {
    /// When the record is due next, if that changed.
    pub(super) due: Option<Option<Timestamp>>,
    /// Nodes that hold something of the record, and did not before.
    pub(super) holds: Vec<NodeId>,
    /// Nodes that do no more.
    pub(super) frees: Vec<NodeId>,
}

/// Who is to hear what.
pub(super) type Tell = Vec<(Target, Vec<u8>)>;

/// Who hears a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Target {
    /// One node.
    Node(NodeId),
    /// All nodes.
    Everyone,
}

/// What the server answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// The record, or none under version 0.
    Found { version: u64, row: Vec<u8> },
    /// It has this version now.
    Replaced { version: u64 },
    /// The word is on its way.
    Said,
    /// It was another one: this.
    Conflict { version: u64, row: Vec<u8> },
    /// No answer, so nobody knows whether it was done.
    Away,
}

/// What a node is to do, in this order.
pub(super) enum Action<R: Record> {
    /// Ask the server; its answer goes to [`Core::answered`].
    Ask(Ask<R::Key>),
    /// Tell the one who submitted.
    Tell(Sink<R::Reply>, Result<Applied<R::Reply>, Refusal>),
    /// Do what a reader wants.
    Go(Afterwards),
    /// Deliver what follows here.
    Deliver(R::Key, Vec<R::Effect>),
}

enum Job<R: Record> {
    Submit { expect: Expect, command: R::Command, sink: Sink<R::Reply> },
    Read { reader: Reader<R> },
    Tick,
}

impl<R: Record> Job<R> {
    fn refuse(self, refusal: Refusal, out: &mut Vec<Action<R>>) {
        match self {
            Job::Submit { sink, .. } => out.push(Action::Tell(sink, Err(refusal))),
            Job::Read { reader } => out.push(Action::Go(reader(Err(refusal)))),
            Job::Tick => {}
        }
    }
}

/// A record as this node saw it last.
struct Known<R> {
    version: u64,
    record: R,
    /// Of the row that the server has.
    hash: u64,
}

enum Flight<R: Record> {
    /// The record is read.
    Look {
        ticket: Ticket,
        found: bool,
        heard: bool,
        reader: Option<Reader<R>>,
        /// What came behind the word, while the answer was on its way.
        later: Vec<Vec<R::Effect>>,
    },
    /// A transition.
    Write(Box<Write<R>>),
}

struct Write<R: Record> {
    ticket: Ticket,
    /// To be done anew when others were faster. `None` when time alone passes.
    command: R::Command,
    expect: Expect,
    outcome: Result<R::Reply, Refusal>,
    sink: Option<Sink<R::Reply>>,
    /// What follows here.
    effects: Vec<R::Effect>,
    version: Option<u64>,
    heard: bool,
    is_gone: bool,
    hash: u64,
    tries: u32,
}

struct Lane<R: Record> {
    known: Option<Known<R>>,
    waiting: VecDeque<Job<R>>,
    flight: Option<Flight<R>>,
    /// Whether what is known was read for the first of those who wait.
    is_fresh: bool,
    faults: u8,
    scheduled: Option<Timestamp>,
    listed: Listed,
}

/// What the server's list of times says of a record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Listed {
    /// This node has not read that.
    Unknown,
    /// Something else than is so.
    Wrong,
    /// This.
    At(Option<Timestamp>),
}

impl<R: Record> Default for Lane<R> {
    fn default() -> Self {
        Self {
            known: None,
            waiting: VecDeque::new(),
            flight: None,
            is_fresh: false,
            faults: 0,
            scheduled: None,
            listed: Listed::Unknown,
        }
    }
}

impl<R: Record> Lane<R> {
    /// Whether nothing is lost when the lane is forgotten.
    fn is_idle(&self) -> bool {
        self.flight.is_none() && self.waiting.is_empty()
    }
}

/// A node's part in the records of one kind.
pub(super) struct Core<R: Record> {
    node: NodeId,
    rules: R::Rules,
    /// Records that are remembered between two jobs.
    most: usize,
    lanes: HashMap<R::Key, Lane<R>>,
    flights: HashMap<Ticket, R::Key>,
    /// What follows from transitions whose answer did not come.
    doubtful: VecDeque<(Ticket, R::Key, Vec<R::Effect>)>,
    timers: Timers<R::Key>,
    tickets: Ticket,
    /// Asked for since the channel was cut.
    probe: Option<Ticket>,
    /// Whether it should be asked for once more.
    is_deaf: bool,
    hasher: RandomState,
}

impl<R: Record> Core<R> {
    pub(super) fn new(node: NodeId, rules: R::Rules, most: usize) -> Self {
        Self {
            node,
            rules,
            most,
            lanes: HashMap::new(),
            flights: HashMap::new(),
            doubtful: VecDeque::new(),
            timers: Timers::default(),
            tickets: 0,
            probe: None,
            is_deaf: false,
            hasher: RandomState::new(),
        }
    }

    /// Whether nothing is under way and nothing waits.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        self.probe.is_none()
            && !self.is_deaf
            && self.flights.is_empty()
            && self.lanes.values().all(Lane::is_idle)
    }

    /// When the first timer is due.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.timers.first()
    }

    pub(super) fn submit(
        &mut self,
        key: R::Key,
        expect: Expect,
        command: R::Command,
        sink: Sink<R::Reply>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let is_essential = R::is_essential(&command);
        self.enqueue(key, Job::Submit { expect, command, sink }, is_essential, now, work);
    }

    pub(super) fn read(
        &mut self,
        key: R::Key,
        reader: Reader<R>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        self.enqueue(key, Job::Read { reader }, false, now, work);
    }

    /// The server's list says that time changes this record now.
    pub(super) fn due(&mut self, key: R::Key, now: Timestamp, work: &mut Work<'_, R>) {
        let lane = self.lanes.entry(key.clone()).or_default();
        if lane.waiting.iter().any(|job| matches!(job, Job::Tick)) {
            return;
        }
        lane.listed = Listed::Wrong;
        self.enqueue(key, Job::Tick, true, now, work);
    }

    /// Lets time pass for the records that are due by this node's own timers.
    pub(super) fn run_due(&mut self, now: Timestamp, work: &mut Work<'_, R>) {
        while let Some((at, key)) = self.timers.pop_due(now) {
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            if lane.scheduled == Some(at) {
                lane.scheduled = None;
                self.enqueue(key, Job::Tick, true, now, work);
            }
        }
    }

    /// The server's answer to what was asked under `ticket`.
    pub(super) fn answered(
        &mut self,
        ticket: Ticket,
        answer: Answer,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        if self.probe == Some(ticket) && answer == Answer::Away {
            (self.probe, self.is_deaf) = (None, true);
            return;
        }
        let Some(key) = self.flights.get(&ticket).cloned() else { return };
        let Some(mut lane) = self.lanes.remove(&key) else { return };
        match (lane.flight.take(), answer) {
            (
                Some(Flight::Look { ticket, heard, reader, later, .. }),
                Answer::Found { version, row },
            ) => match self.read_row(&key, version, &row) {
                Ok(known) => {
                    lane.known = known;
                    lane.flight = Some(Flight::Look { ticket, found: true, heard, reader, later });
                }
                Err(refusal) => {
                    self.flights.remove(&ticket);
                    lane.known = None;
                    let reader = reader.map(|reader| Job::Read { reader });
                    let job = reader.or_else(|| lane.waiting.pop_front());
                    job.into_iter().for_each(|job| job.refuse(refusal, work.out));
                    self.deliver(&key, later, work);
                }
            },
            (Some(Flight::Look { ticket, reader, later, .. }), _) => {
                self.flights.remove(&ticket);
                let reader = reader.map(|reader| Job::Read { reader });
                let job = reader.or_else(|| lane.waiting.pop_front());
                job.into_iter().for_each(|job| job.refuse(Refusal::Away, work.out));
                self.deliver(&key, later, work);
            }
            (Some(Flight::Write(mut write)), Answer::Replaced { version }) => {
                write.version = Some(version);
                lane.flight = Some(Flight::Write(write));
            }
            (Some(Flight::Write(write)), Answer::Conflict { version, row }) => {
                self.flights.remove(&ticket);
                lane.listed = Listed::Unknown;
                match self.read_row(&key, version, &row) {
                    Ok(known) => {
                        lane.known = known;
                        self.once_more(&key, &mut lane, *write, version, now, work);
                    }
                    Err(refusal) => {
                        lane.known = None;
                        let tell = write.sink.map(|sink| Action::Tell(sink, Err(refusal)));
                        work.out.extend(tell);
                    }
                }
            }
            (Some(Flight::Write(write)), _) => {
                self.flights.remove(&ticket);
                lane.known = None;
                lane.listed = Listed::Unknown;
                if !write.effects.is_empty() {
                    self.doubtful.push_back((ticket, key.clone(), write.effects));
                    if self.doubtful.len() > MOST_DOUBTFUL {
                        self.doubtful.pop_front();
                    }
                }
                // Time that could not pass passes by the server's list.
                work.out.extend(write.sink.map(|sink| Action::Tell(sink, Err(Refusal::Away))));
            }
            (None, _) => {}
        }
        self.go_on(key, lane, now, work);
    }

    /// A message came on a channel of this node.
    pub(super) fn heard(&mut self, message: Message<R>, now: Timestamp, work: &mut Work<'_, R>) {
        let Message { from, ticket, key, version, effects } = message;
        let Some(key) = key else {
            if from == self.node && self.probe == Some(ticket) {
                self.hears_again(ticket, now, work);
            }
            return;
        };
        if from != self.node {
            return self.heard_of_another(key, version, effects, now, work);
        }
        if let Some(at) = self.doubtful.iter().position(|(doubted, ..)| *doubted == ticket) {
            let made = self.doubtful.remove(at);
            work.out.extend(made.map(|(_, key, effects)| Action::Deliver(key, effects)));
            return;
        }
        // The word of a transition says that it was made, whenever its answer comes.
        self.heard_of(ticket, Some(version), now, work);
    }

    fn heard_of_another(
        &mut self,
        key: R::Key,
        version: u64,
        effects: Vec<R::Effect>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let mut is_overtaken = None;
        if let Some(lane) = self.lanes.get_mut(&key) {
            let known = lane.known.as_ref().map_or(0, |known| known.version);
            match &mut lane.flight {
                // Somebody looks at what was before it, and is not there yet.
                Some(Flight::Look { heard: true, later, .. }) => return later.push(effects),
                // A word of what was before would have come before: it was lost.
                Some(Flight::Look { found: true, ticket, .. }) if known < version => {
                    is_overtaken = Some(*ticket);
                }
                Some(Flight::Write(write)) if write.version.is_some_and(|own| own < version) => {
                    is_overtaken = Some(write.ticket);
                }
                None if lane.known.is_some() && known < version => {
                    (lane.known, lane.listed) = (None, Listed::Unknown);
                }
                _ => {}
            }
        }
        if let Some(ticket) = is_overtaken {
            self.heard_of(ticket, None, now, work);
        }
        if !effects.is_empty() {
            work.out.push(Action::Deliver(key, effects));
        }
    }

    /// The channel was cut and is there again. Of those who wait for a word on it some wait in vain; which, that shows as soon
    /// as a word comes through.
    pub(super) fn deaf(&mut self, work: &mut Work<'_, R>) {
        self.is_deaf = false;
        self.tickets += 1;
        self.probe = Some(self.tickets);
        work.out.push(Action::Ask(Ask::Probe { ticket: self.tickets }));
        // Others may have written what this node did not hear of.
        for lane in self.lanes.values_mut().filter(|lane| lane.flight.is_none()) {
            (lane.known, lane.listed) = (None, Listed::Unknown);
        }
    }

    /// Asks once more for a word, when the last question had no answer. To be called now and then.
    pub(super) fn listen(&mut self, work: &mut Work<'_, R>) {
        if self.is_deaf {
            self.deaf(work);
        }
    }

    /// What was answered before the probe was heard, and not heard of, was said while nobody heard it.
    fn hears_again(&mut self, probe: Ticket, now: Timestamp, work: &mut Work<'_, R>) {
        self.probe = None;
        let is_answered = |key: &R::Key| match &self.lanes.get(key)?.flight {
            Some(Flight::Look { found, .. }) => found.then_some(()),
            Some(Flight::Write(write)) => write.version.map(drop),
            None => None,
        };
        let lost = self
            .flights
            .iter()
            .filter(|(ticket, key)| **ticket < probe && is_answered(key).is_some());
        let mut lost: Vec<Ticket> = lost.map(|(ticket, _)| *ticket).collect();
        lost.sort_unstable();
        for ticket in lost {
            self.heard_of(ticket, None, now, work);
        }
    }

    fn heard_of(
        &mut self,
        ticket: Ticket,
        version: Option<u64>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let Some(key) = self.flights.get(&ticket).cloned() else { return };
        let Some(mut lane) = self.lanes.remove(&key) else { return };
        match &mut lane.flight {
            Some(Flight::Look { heard, .. }) => *heard = true,
            Some(Flight::Write(write)) => {
                write.heard = true;
                write.version = write.version.or(version);
            }
            None => {}
        }
        self.go_on(key, lane, now, work);
    }

    fn enqueue(
        &mut self,
        key: R::Key,
        job: Job<R>,
        is_essential: bool,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let mut lane = self.lanes.remove(&key).unwrap_or_default();
        if lane.waiting.len() >= MOST_WAITING && !is_essential {
            work.stats.refused.fetch_add(1, Ordering::Relaxed);
            job.refuse(Refusal::Overloaded, work.out);
            self.lanes.insert(key, lane);
            return;
        }
        lane.waiting.push_back(job);
        self.go_on(key, lane, now, work);
    }

    /// Ends what is complete, begins what comes next, and puts the lane back.
    fn go_on(&mut self, key: R::Key, mut lane: Lane<R>, now: Timestamp, work: &mut Work<'_, R>) {
        loop {
            if lane.flight.is_some() && !self.land(&key, &mut lane, work) {
                break;
            }
            let Some(job) = lane.waiting.pop_front() else { break };
            match job {
                Job::Read { reader } => self.look(&key, &mut lane, Some(reader), work),
                job if lane.known.is_none() && !lane.is_fresh => {
                    lane.waiting.push_front(job);
                    self.look(&key, &mut lane, None, work);
                }
                Job::Submit { expect, command, sink } => {
                    let write = Asked { expect, command, sink: Some(sink), tries: 0 };
                    self.write(&key, &mut lane, write, now, work);
                }
                Job::Tick => {
                    let write =
                        Asked { expect: Expect::Any, command: R::tick(), sink: None, tries: 0 };
                    self.write(&key, &mut lane, write, now, work);
                }
            }
        }
        let keeps = !lane.is_idle()
            || lane.scheduled.is_some()
            || lane.faults > 0
            || (lane.known.is_some() && self.lanes.len() < self.most);
        if keeps {
            self.lanes.insert(key, lane);
        }
    }

    fn look(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        reader: Option<Reader<R>>,
        work: &mut Work<'_, R>,
    ) {
        let ticket = self.ticket(key);
        let later = Vec::new();
        lane.flight = Some(Flight::Look { ticket, found: false, heard: false, reader, later });
        work.out.push(Action::Ask(Ask::Look { ticket, key: key.clone() }));
    }

    /// Whether what is in flight has landed: the answer is there, and so is the word on the channel.
    fn land(&mut self, key: &R::Key, lane: &mut Lane<R>, work: &mut Work<'_, R>) -> bool {
        match lane.flight.take() {
            Some(Flight::Look { ticket, found: true, heard: true, reader, later }) => {
                self.flights.remove(&ticket);
                match reader {
                    Some(reader) => {
                        let record = lane.known.as_ref().map(|known| &known.record);
                        match catch_unwind(AssertUnwindSafe(|| reader(Ok(record)))) {
                            Ok(then) => work.out.push(Action::Go(then)),
                            Err(_) => Stats::count(&work.stats.panics),
                        }
                    }
                    None => lane.is_fresh = true,
                }
                self.deliver(key, later, work);
                true
            }
            Some(Flight::Write(write)) if write.version.is_some() && write.heard => {
                self.flights.remove(&write.ticket);
                let version = write.version.unwrap_or_default();
                match &mut lane.known {
                    known if write.is_gone => *known = None,
                    Some(known) => (known.version, known.hash) = (version, write.hash),
                    None => {}
                }
                lane.is_fresh = false;
                if write.is_gone {
                    lane.faults = 0;
                }
                self.schedule(key, lane);
                let result = write.outcome.map(|reply| Applied { reply, version });
                work.out.extend(write.sink.map(|sink| Action::Tell(sink, result)));
                if !write.effects.is_empty() {
                    work.out.push(Action::Deliver(key.clone(), write.effects));
                }
                true
            }
            flight => {
                lane.flight = flight;
                false
            }
        }
    }

    fn deliver(&self, key: &R::Key, later: Vec<Vec<R::Effect>>, work: &mut Work<'_, R>) {
        let later = later.into_iter().filter(|effects| !effects.is_empty());
        work.out.extend(later.map(|effects| Action::Deliver(key.clone(), effects)));
    }

    /// Others were faster.
    fn once_more(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        write: Write<R>,
        version: u64,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let Write { command, expect, sink, tries, .. } = write;
        let refusal = match expect {
            Expect::Version(_) => Some(Refusal::Conflict { version }),
            Expect::Any if tries >= MOST_TRIES => Some(Refusal::Overloaded),
            Expect::Any => None,
        };
        match refusal {
            Some(refusal) => {
                work.out.extend(sink.map(|sink| Action::Tell(sink, Err(refusal))));
            }
            None => {
                lane.is_fresh = true;
                let asked = Asked { expect, command, sink, tries: tries + 1 };
                self.write(key, lane, asked, now, work);
            }
        }
    }

    /// Applies a command to what is known and asks for the version that comes of it.
    fn write(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        asked: Asked<R>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let Asked { expect, command, sink, tries } = asked;
        let version = lane.known.as_ref().map_or(0, |known| known.version);
        if let Expect::Version(expected) = expect
            && expected != version
        {
            if lane.is_fresh {
                lane.is_fresh = false;
                let refusal = Refusal::Conflict { version };
                work.out.extend(sink.map(|sink| Action::Tell(sink, Err(refusal))));
            } else if let Some(sink) = sink {
                // What this node knows may be old.
                lane.waiting.push_front(Job::Submit { expect, command, sink });
                self.look(key, lane, None, work);
            }
            return;
        }
        let known = lane.known.get_or_insert_with(|| Known {
            version: 0,
            record: R::vacant(&self.rules, now),
            hash: 0,
        });
        Stats::count(&work.stats.commands);
        let (record, rules) = (&mut known.record, &self.rules);
        let checkpoint = record.checkpoint();
        let held: BTreeSet<NodeId> = record.holders().into_iter().collect();
        let mut effects = Vec::new();
        let mut sets_aside = false;
        let applied = catch_unwind(AssertUnwindSafe(|| {
            record.apply(key, command.clone(), now, rules, &mut effects)
        }));
        let outcome = applied.map_err(|_| {
            effects.clear();
            record.roll_back(checkpoint);
            lane.faults = lane.faults.saturating_add(1);
            Stats::count(&work.stats.panics);
            tracing::error!(kind = R::KIND, ?key, faults = lane.faults, "a command panicked");
            if lane.faults >= 2 {
                Stats::count(&work.stats.set_aside);
                record.set_aside(&mut effects);
                sets_aside = true;
                lane.faults = 0;
            }
            Refusal::Fault
        });
        let is_gone = sets_aside || record.is_vacant(rules, now);
        let (row, hash) = match (is_gone, version) {
            (true, 0) => (Row::Same, 0),
            (true, _) => (Row::Gone, 0),
            (false, _) => match serde_json::to_vec(record) {
                Ok(row) => {
                    let hash = self.hasher.hash_one(&row);
                    let is_same = hash == known.hash && version != 0;
                    (if is_same { Row::Same } else { Row::New(row) }, hash)
                }
                Err(error) => {
                    tracing::error!(kind = R::KIND, ?key, %error, "a record cannot be written");
                    lane.known = None;
                    let refusal = Err(Refusal::Fault);
                    work.out.extend(sink.map(|sink| Action::Tell(sink, refusal)));
                    return;
                }
            },
        };
        let due = if is_gone { None } else { record.deadline(rules) };
        let is_new = match lane.listed {
            Listed::Unknown => row != Row::Same,
            Listed::Wrong => true,
            Listed::At(listed) => listed != due,
        };
        if is_new {
            lane.listed = Listed::At(due);
        }
        let holders = if is_gone { Vec::new() } else { record.holders() };
        let holders: BTreeSet<NodeId> = holders.into_iter().collect();
        let lists = Lists {
            due: is_new.then_some(due),
            holds: holders.difference(&held).copied().collect(),
            frees: held.difference(&holders).copied().collect(),
        };
        let ticket = self.ticket(key);
        let (here, tell) = self.addressed(ticket, key, effects);
        let heard = here.is_empty();
        let (version, expected) = (None, version);
        lane.flight = Some(Flight::Write(Box::new(Write {
            ticket,
            command,
            expect,
            outcome,
            sink,
            effects: here,
            version,
            heard,
            is_gone,
            hash,
            tries,
        })));
        let key = key.clone();
        work.out.push(Action::Ask(Ask::Replace { ticket, key, expected, row, lists, tell }));
    }

    /// What follows on this node, and what others are to be told.
    fn addressed(
        &self,
        ticket: Ticket,
        key: &R::Key,
        mut effects: Vec<R::Effect>,
    ) -> (Vec<R::Effect>, Tell) {
        let mut told: BTreeMap<Target, Vec<&R::Effect>> = BTreeMap::new();
        let mut is_here = Vec::with_capacity(effects.len());
        for effect in &effects {
            let mut here = false;
            let mut tell = |node: NodeId| {
                if node == self.node {
                    here = true;
                } else {
                    told.entry(Target::Node(node)).or_default().push(effect);
                }
            };
            match R::route(effect) {
                Route::Here => here = true,
                Route::Node(node) => tell(node),
                Route::Nodes(nodes) => nodes.into_iter().for_each(tell),
                Route::Everyone => {
                    told.entry(Target::Everyone).or_default().push(effect);
                    here = true;
                }
            }
            is_here.push(here);
        }
        // What everyone hears this node hears, too.
        if is_here.contains(&true) && !told.contains_key(&Target::Everyone) {
            told.insert(Target::Node(self.node), Vec::new());
        }
        let tell = told.into_iter().map(|(target, effects)| {
            (target, message::encode::<R>(self.node, ticket, Some(key), &effects))
        });
        let tell = tell.collect();
        let mut is_here = is_here.into_iter();
        effects.retain(|_| is_here.next().unwrap_or_default());
        (effects, tell)
    }

    fn schedule(&mut self, key: &R::Key, lane: &mut Lane<R>) {
        let due = lane.known.as_ref().and_then(|known| known.record.deadline(&self.rules));
        match due {
            Some(at) if lane.scheduled.is_none_or(|scheduled| at < scheduled) => {
                lane.scheduled = Some(at);
                self.timers.push(at, key.clone());
            }
            Some(_) => {}
            None => lane.scheduled = None,
        }
    }

    fn read_row(
        &self,
        key: &R::Key,
        version: u64,
        row: &[u8],
    ) -> Result<Option<Known<R>>, Refusal> {
        if version == 0 {
            return Ok(None);
        }
        match serde_json::from_slice(row) {
            Ok(record) => Ok(Some(Known { version, record, hash: self.hasher.hash_one(row) })),
            Err(error) => {
                tracing::error!(kind = R::KIND, ?key, %error, "a record cannot be read");
                Err(Refusal::Fault)
            }
        }
    }

    fn ticket(&mut self, key: &R::Key) -> Ticket {
        self.tickets += 1;
        self.flights.insert(self.tickets, key.clone());
        self.tickets
    }
}

/// A command on its way.
struct Asked<R: Record> {
    expect: Expect,
    command: R::Command,
    sink: Option<Sink<R::Reply>>,
    tries: u32,
}

/// Where a call leaves what is to be done.
pub(super) struct Work<'a, R: Record> {
    pub(super) out: &'a mut Vec<Action<R>>,
    pub(super) stats: &'a Stats,
}
