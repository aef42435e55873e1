//! One transition: a command is applied to what the node knows, and a new version is asked for.

use std::{
    collections::{BTreeMap, BTreeSet},
    hash::BuildHasher as _,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::{
    Action, Core, MOST_CARRIED, MOST_TRIES, Ticket, Work,
    lane::{Asked, Flight, Job, Known, Lane, Listed, Write},
};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{
        Expect, Record, Refusal, Route, Stats, Which, Written,
        shared::{
            message,
            question::{Ask, Lists, Mark, Row, State, Target, Tell},
        },
    },
};

impl<R: Record> Core<R> {
    /// Others were faster.
    pub(super) fn once_more(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        write: Write<R>,
        version: u64,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        let Write { command, expect, sink, since, tries, .. } = write;
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
                let asked = Asked { expect, command, sink, since, tries: tries + 1 };
                self.write(key, lane, asked, now, work);
            }
        }
    }

    /// Applies a command to what is known and asks for the version that comes of it.
    pub(super) fn write(
        &mut self,
        key: &R::Key,
        lane: &mut Lane<R>,
        asked: Asked<R>,
        now: Timestamp,
        work: &mut Work<'_, R>,
    ) {
        if self.is_away {
            self.spare(now);
        }
        let Asked { expect, command, sink, since, tries } = asked;
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
                lane.waiting.push_front(Job::Submit { expect, command, sink, since });
                self.look(key, lane, None, work);
            }
            return;
        }
        let known = lane.known.get_or_insert_with(|| Known {
            version: 0,
            written: self.mark.clone(),
            record: R::vacant(&self.rules, now),
            hash: 0,
        });
        Stats::count(&work.stats.commands);
        let (record, rules) = (&mut known.record, &self.rules);
        let before = record.checkpoint();
        let held: BTreeSet<NodeId> = record.holders().into_iter().collect();
        let was_listed = record.listed(key);
        let mut effects = Vec::new();
        let mut sets_aside = false;
        let applied = catch_unwind(AssertUnwindSafe(|| {
            record.apply(key, command.clone(), now, rules, &mut effects)
        }));
        let mut before = Some(before);
        let outcome = applied.map_err(|_| {
            effects.clear();
            before.take().into_iter().for_each(|before| record.roll_back(before));
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
            (false, _) => match record.written(Which::Changed) {
                Ok(row) => {
                    let hash = self.hasher.hash_one(&row.row);
                    let is_same = hash == known.hash && version != 0 && row.leaves.is_empty();
                    (if is_same { Row::Same } else { Row::New(row) }, hash)
                }
                Err(error) => {
                    tracing::error!(kind = R::KIND, ?key, %error, "a record cannot be written");
                    lane.take_back(before);
                    let refusal = Err(Refusal::Fault);
                    work.out.extend(sink.map(|sink| Action::Tell(sink, refusal)));
                    return;
                }
            },
        };
        let due = if is_gone { None } else { record.deadline(rules) };
        let is_new = match lane.listed {
            // What is not there is in no list, or is found there and struck out.
            Listed::Unknown => row != Row::Same && (version != 0 || due.is_some()),
            Listed::Wrong => true,
            Listed::At(listed) => listed != due,
        };
        if is_new {
            lane.listed = Listed::At(due);
        }
        let holders = if is_gone { Vec::new() } else { record.holders() };
        let holders: BTreeSet<NodeId> = holders.into_iter().collect();
        let listed = if is_gone { None } else { record.listed(key) };
        let moves = listed != was_listed;
        let lists = Lists {
            due: is_new.then_some(due),
            holds: holders.difference(&held).copied().collect(),
            frees: held.difference(&holders).copied().collect(),
            joins: listed.filter(|_| moves),
            quits: was_listed.filter(|_| moves),
        };
        let expected = known.stamp();
        let ticket = self.ticket(key);
        let (here, tell) = self.addressed(ticket, key, effects, &row);
        let heard = here.is_empty();
        let makes = version == 0 && R::makes_a_record(&command);
        let most = makes.then(|| u64::try_from(self.most).unwrap_or(u64::MAX));
        lane.flight = Some(Flight::Write(Box::new(Write {
            ticket,
            mark: self.mark.clone(),
            command,
            expect,
            outcome,
            sink,
            since,
            effects: here,
            before,
            version: None,
            heard,
            is_gone,
            hash,
            tries,
        })));
        lane.asked_in = self.era;
        let (key, mark) = (key.clone(), self.mark.clone());
        let most = most.filter(|_| row != Row::Same);
        let ask = Ask::Replace { ticket, key, mark, expected, row, most, lists, tell };
        work.out.push(Action::Ask(Box::new(ask)));
    }

    /// What follows on this node, and what others are to be told.
    fn addressed(
        &self,
        ticket: Ticket,
        key: &R::Key,
        mut effects: Vec<R::Effect>,
        row: &Row,
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
            match R::route(key, effect) {
                Route::Here => here = true,
                Route::Node(node) => tell(node),
                Route::Nodes(nodes) => nodes.into_iter().for_each(tell),
                Route::Listeners(name) => {
                    told.entry(Target::Listeners(name)).or_default().push(effect);
                    here = true;
                }
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
            let message = message::encode::<R>(self.node, ticket, Some(key), &effects);
            // Who holds something of the record, or waits for an outcome, is likely to write next.
            match (&target, row) {
                (Target::Node(node), Row::New(Written { row, .. }))
                    if *node != self.node && row.len() <= MOST_CARRIED && !R::HAS_LEAVES =>
                {
                    (target, message::with_row(message, &self.mark, row))
                }
                _ => (target, message),
            }
        });
        let tell = tell.collect();
        let mut is_here = is_here.into_iter();
        effects.retain(|_| is_here.next().unwrap_or_default());
        (effects, tell)
    }

    pub(super) fn schedule(&mut self, key: &R::Key, lane: &mut Lane<R>) {
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

    /// What the node knows of a record when it is told this version, with the mark under which it was written, and `known` is what it knew before.
    pub(super) fn understand(
        &self,
        key: &R::Key,
        known: Option<Known<R>>,
        (version, written): (u64, Mark),
        state: State,
    ) -> Result<Option<Known<R>>, Refusal> {
        if version == 0 {
            return Ok(None);
        }
        let read = match (state, known) {
            (State::Same, known) => return Ok(known),
            (State::Changed(changed), Some(Known { mut record, .. })) => {
                record.become_another(&changed).map(|()| (record, changed.row))
            }
            (State::Changed(state) | State::Whole(state), _) => {
                R::read(&state).map(|record| (record, state.row))
            }
        };
        match read {
            Ok((record, row)) => {
                Ok(Some(Known { version, written, record, hash: self.hasher.hash_one(&row) }))
            }
            Err(error) => {
                tracing::error!(kind = R::KIND, ?key, %error, "a record cannot be read");
                Err(Refusal::Fault)
            }
        }
    }
}
