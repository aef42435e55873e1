//! What one node does for the records of one kind, as a pure machine: it is told jobs, answers and messages, and says what
//! is to be done. It does no I/O and reads no clock, so that a simulator can run several of them against each other.
//!
//! Each record that a node works on has a *lane*: jobs wait in it, and at most one transition is *in flight*. A transition
//! starts from the version that the node knows. When the server has another one, it answers with that, and the command is
//! applied anew. A node that is told what follows from another one's transition gets the row, too, so that it starts from
//! the newest version when it answers: a signal and its acknowledgement, on two nodes, are one question each.
//!
//! What follows from a transition on this node is carried out when the node hears of it on its own channel, between the
//! messages of other nodes: so each node acts on a record's effects in the order of its versions, whoever made them. Answers
//! come by another way than messages, sooner or later than these.

mod answers;
mod hearing;
#[cfg(test)]
mod known;
mod lane;
mod mending;
mod outage;
mod transition;
mod turn;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::RandomState,
    sync::Arc,
};

use self::lane::{Flight, Job, Lane, Listed};
use super::{
    figures::Counts,
    question::{Ask, Mark, Ticket},
};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{
        Afterwards, Applied, Expect, Origin, Reader, Record, Refusal, Sink, Stats, timers::Timers,
    },
};

/// How often a command is applied anew because others were faster, before it is refused.
const MOST_TRIES: u32 = 1_024;
/// Jobs that wait or are under way for all records together; where the data are in parts, these share it. Beyond, they are
/// refused as overloaded, except essential ones.
pub(super) const MOST_IN_ALL: usize = 65_536;
/// Jobs that wait for one record. Beyond, commands are refused as overloaded, except essential ones.
const MOST_WAITING: usize = 4_096;
/// Longest row, in bytes, that goes along with what another node is told. Of a longer one it hears the version alone, and looks
/// at it when it needs it.
const MOST_CARRIED: usize = 16 * 1024;
/// Transitions of which it is unknown whether they were made, and whose effects wait for a word of them.
const MOST_DOUBTFUL: usize = 4_096;

/// What a node is to do, in this order.
pub(super) enum Action<R: Record> {
    /// Ask the server; its answer goes to [`Core::answered`].
    Ask(Box<Ask<R::Key>>),
    /// Tell the one who submitted.
    Tell(Sink<R::Reply>, Result<Applied<R::Reply>, Refusal>),
    /// Do what a reader wants.
    Go(Afterwards),
    /// Deliver what follows here, from a transition made here or elsewhere.
    Deliver(R::Key, Vec<R::Effect>, Origin),
    /// Say that this node has restated what it knows, in its so manieth era, and wait for the others.
    Restated(u64),
}

/// A node's part in the records of one kind.
pub(super) struct Core<R: Record> {
    node: NodeId,
    rules: Arc<R::Rules>,
    /// Records that there may be on the server.
    most: usize,
    /// Records that are remembered between two jobs.
    remembers: usize,
    /// Jobs that wait or are under way.
    most_in_all: usize,
    lanes: HashMap<R::Key, Lane<R>>,
    flights: HashMap<Ticket, R::Key>,
    /// Jobs in all lanes.
    waiting: usize,
    /// What follows from transitions whose answer did not come.
    doubtful: VecDeque<(Ticket, R::Key, Vec<R::Effect>)>,
    timers: Timers<R::Key>,
    tickets: Ticket,
    /// Whether the server gave no answer when it was asked last.
    is_away: bool,
    /// Lanes whose first job waits until the server is back.
    parked: VecDeque<R::Key>,
    /// What the server's data were marked with last.
    mark: Mark,
    /// How often the mark was new. Before the first one nothing is asked.
    era: u64,
    /// Whether commands wait until everybody has restated what he knows.
    is_mending: bool,
    /// Whether this node has.
    is_restated: bool,
    /// Lanes whose record the server may have lost.
    unverified: HashSet<R::Key>,
    /// Those of them whose turn it is not yet.
    to_restate: VecDeque<R::Key>,
    /// How many are on their way.
    restating: usize,
    /// Records that this node ended lately, when, and under which version and mark.
    ended: VecDeque<(Timestamp, R::Key, (Mark, u64))>,
    /// Asked for since the channel was cut.
    probe: Option<Ticket>,
    /// Whether it should be asked for once more.
    is_deaf: bool,
    hasher: RandomState,
}

impl<R: Record> Core<R> {
    /// One of so many `parts` of the records, of which there may be about `most` in all.
    pub(super) fn new(node: NodeId, rules: Arc<R::Rules>, most: usize, parts: usize) -> Self {
        let most = most.div_ceil(parts.max(1));
        Self {
            node,
            rules,
            most,
            remembers: most,
            most_in_all: MOST_IN_ALL / parts.max(1),
            lanes: HashMap::new(),
            flights: HashMap::new(),
            waiting: 0,
            doubtful: VecDeque::new(),
            timers: Timers::default(),
            tickets: 0,
            is_away: false,
            parked: VecDeque::new(),
            mark: "".into(),
            era: 0,
            is_mending: true,
            is_restated: false,
            unverified: HashSet::new(),
            to_restate: VecDeque::new(),
            restating: 0,
            ended: VecDeque::new(),
            probe: None,
            is_deaf: false,
            hasher: RandomState::new(),
        }
    }

    /// Likewise, one that forgets earlier.
    #[cfg(test)]
    pub(super) fn remembering(self, remembers: usize) -> Self {
        Self { remembers, ..self }
    }

    /// Whether nothing is under way and nothing waits.
    pub(super) fn is_idle(&self) -> bool {
        self.probe.is_none()
            && !self.is_deaf
            && self.flights.is_empty()
            && self.lanes.values().all(Lane::is_idle)
    }

    /// Whether the server may lack what some node has not said again yet.
    pub(super) fn is_mending(&self) -> bool {
        self.is_mending
    }

    /// Jobs that wait, and what is in flight.
    pub(super) fn under_way(&self) -> usize {
        self.waiting + self.flights.len()
    }

    /// Records that are remembered, with those that are worked on.
    pub(super) fn records(&self) -> usize {
        self.lanes.len()
    }

    /// Timers that wait.
    pub(super) fn timers(&self) -> usize {
        self.timers.len()
    }

    /// Tells all who wait that this is the end. Whether what is on its way to the server is done, nobody will know.
    pub(super) fn end(&mut self, out: &mut Vec<Action<R>>) {
        self.flights.clear();
        self.parked.clear();
        self.waiting = 0;
        for (_, lane) in self.lanes.drain() {
            match lane.flight {
                Some(Flight::Look { reader: Some((reader, since)), .. }) => {
                    Job::Read { reader, since }.refuse(Refusal::Ending, out);
                }
                Some(Flight::Write(write)) => {
                    out.extend(write.sink.map(|sink| Action::Tell(sink, Err(Refusal::Away))));
                }
                _ => {}
            }
            lane.waiting.into_iter().for_each(|job| job.refuse(Refusal::Ending, out));
        }
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
        self.enqueue(
            key,
            Job::Submit { expect, command, sink, since: now },
            is_essential,
            now,
            work,
        );
    }

    pub(super) fn read(
        &mut self,
        key: R::Key,
        reader: Reader<R>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        self.enqueue(key, Job::Read { reader, since: now }, false, now, work);
    }

    /// The server's list says that time changes this record now. `sink` is told when it is seen to, and dropped where
    /// somebody else's word is waited for already.
    pub(super) fn due(
        &mut self,
        key: R::Key,
        sink: Sink<R::Reply>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let lane = self.lanes.entry(key.clone()).or_default();
        if lane.waiting.iter().any(|job| matches!(job, Job::Tick { .. })) {
            return;
        }
        lane.listed = Listed::Wrong;
        self.enqueue(key, Job::Tick { sink: Some(sink) }, true, now, work);
    }

    /// Lets time pass for the records that are due by this node's own timers.
    pub(super) fn run_due(&mut self, now: Timestamp, work: &mut Work<'_, R>) {
        while let Some((at, key)) = self.timers.pop_due(now) {
            let Some(lane) = self.lanes.get_mut(&key) else { continue };
            if lane.scheduled == Some(at) {
                lane.scheduled = None;
                self.enqueue(key, Job::Tick { sink: None }, true, now, work);
            }
        }
    }

    fn enqueue(
        &mut self,
        key: R::Key,
        job: Job<R>,
        is_essential: bool,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let is_full = self.under_way() >= self.most_in_all;
        let mut lane = self.take_out(&key).unwrap_or_default();
        if (is_full || lane.waiting.len() >= MOST_WAITING) && !is_essential {
            Stats::count(&work.stats.refused);
            job.refuse(Refusal::Overloaded, work.out);
            self.put_back(key, lane);
            return;
        }
        lane.waiting.push_back(job);
        self.go_on(key, lane, now, work);
    }

    fn ticket(&mut self, key: &R::Key) -> Ticket {
        self.tickets += 1;
        self.flights.insert(self.tickets, key.clone());
        self.tickets
    }
}

/// Where a call leaves what is to be done.
pub(super) struct Work<'a, R: Record> {
    pub(super) out: &'a mut Vec<Action<R>>,
    pub(super) stats: &'a Stats,
    pub(super) counts: &'a Counts,
}
