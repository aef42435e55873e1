//! The server that the simulated nodes share: what the scripts do, on data that it can lose.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
};

use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{
        Record, Written,
        shared::{
            message,
            question::{Answer, Ask, Lists, Mark, Row, State, Target, Ticket},
        },
    },
};

/// So many transitions, at most, does a server lose that fails.
pub(super) const MOST_LOST: usize = 4;

/// What the server has: records by key with their versions, and the lists beside them.
pub(crate) struct Server<K> {
    pub(super) data: Data<K>,
    /// As they were before the last transitions.
    before: VecDeque<Data<K>>,
    /// The version that it gave last. They go by its clock, in microseconds.
    versions: u64,
    /// All that were ever given by the clock: between two histories time goes by, if only a microsecond.
    given: BTreeSet<u64>,
    /// So far is that behind.
    behind: u64,
    /// The latest version that each record ever had, with the mark under which it was written, and whether the record ended
    /// with it.
    pub(super) latest: BTreeMap<K, ((Mark, u64), bool)>,
    pub(super) mark: u64,
    /// Who listens to which name.
    pub(super) listeners: BTreeMap<String, BTreeSet<NodeId>>,
}

#[derive(Clone)]
pub(super) struct Data<K> {
    pub(super) rows: BTreeMap<K, Kept>,
    pub(super) due: BTreeMap<K, Timestamp>,
    pub(super) held: BTreeSet<(NodeId, K)>,
}

impl<K> Default for Data<K> {
    fn default() -> Self {
        Self { rows: BTreeMap::new(), due: BTreeMap::new(), held: BTreeSet::new() }
    }
}

/// What stands under a record's key.
#[derive(Clone)]
pub(super) struct Kept {
    pub(super) version: u64,
    /// The mark under which that was written.
    pub(super) written: Mark,
    /// None when the record was ended under that version.
    stored: Option<Arc<Stored>>,
}

/// Of so many transitions the server remembers what leaves they changed. So few that others come up.
const MOST_CHANGES: usize = 3;

/// A record as the server has it.
#[derive(Clone, Default)]
pub(super) struct Stored {
    row: Vec<u8>,
    leaves: BTreeMap<String, Vec<u8>>,
    /// Of the last transitions under one mark the version before each, and the leaves that it changed.
    changes: VecDeque<(u64, Vec<String>)>,
}

impl Stored {
    /// What it is after a transition from this version; none where that was written under another mark.
    fn changed(mut self, before: Option<u64>, change: Written) -> Self {
        self.row = change.row;
        let names = change.leaves.iter().map(|(name, _)| name.clone()).collect();
        match before {
            Some(before) => self.changes.push_back((before, names)),
            None => self.changes.clear(),
        }
        if self.changes.len() > MOST_CHANGES {
            self.changes.pop_front();
        }
        for (name, leaf) in change.leaves {
            match leaf {
                Some(leaf) => drop(self.leaves.insert(name, leaf)),
                None => drop(self.leaves.remove(&name)),
            }
        }
        self
    }

    pub(super) fn written(&self) -> Written {
        let leaves = self.leaves.iter().map(|(name, leaf)| (name.clone(), Some(leaf.clone())));
        Written { row: self.row.clone(), leaves: leaves.collect() }
    }

    /// What of it differs from an earlier version, if that is remembered.
    fn since(&self, known: u64) -> Option<Written> {
        let from = self.changes.iter().position(|(before, _)| *before == known && known != 0)?;
        let names: BTreeSet<&String> =
            self.changes.iter().skip(from).flat_map(|(_, names)| names).collect();
        let leaves = names.into_iter().map(|name| (name.clone(), self.leaves.get(name).cloned()));
        Some(Written { row: self.row.clone(), leaves: leaves.collect() })
    }
}

/// A transition that the server made.
pub(crate) struct Made<K> {
    pub(crate) key: K,
    /// Under which mark.
    pub(super) mark: u64,
    /// What came of it.
    pub(crate) row: Came,
    /// Who is told what.
    pub(super) told: Vec<(Target, Vec<u8>)>,
}

/// What was said to those who listen to a name.
pub(crate) fn effects_for<R: Record>(made: &Made<R::Key>, name: &str) -> Vec<R::Effect> {
    let told = made.told.iter().filter(|(target, _)| *target == Target::Listeners(name.to_owned()));
    told.flat_map(|(_, message)| message::decode::<R>(message).unwrap().effects).collect()
}

/// What came of a record.
pub(crate) enum Came {
    /// It is as it was.
    Same,
    /// There is none any more.
    Gone,
    /// This.
    New(Written),
}

/// What comes of a question.
pub(super) struct Served<K> {
    pub(super) answer: (Ticket, Answer),
    /// Who is told what, with the version in front.
    pub(super) told: Vec<(Target, Vec<u8>)>,
    pub(super) made: Option<Made<K>>,
}

impl<K: Clone + Ord> Server<K> {
    pub(super) fn new() -> Self {
        Self {
            data: Data::default(),
            before: VecDeque::new(),
            versions: 0,
            given: BTreeSet::new(),
            behind: 0,
            latest: BTreeMap::new(),
            mark: 0,
            listeners: BTreeMap::new(),
        }
    }

    /// What the scripts do.
    pub(super) fn answer<R: Record<Key = K>>(
        &mut self,
        ask: Ask<K>,
        from: NodeId,
        now: Timestamp,
    ) -> Served<K> {
        let plain = |answer| Served { answer, told: Vec::new(), made: None };
        let word = |ticket, version: u64, key: Option<&K>| {
            let word = message::encode::<R>(from, ticket, key, &[]);
            vec![(Target::Node(from), [version.to_string().as_bytes(), b":", &word].concat())]
        };
        match ask {
            Ask::Probe { ticket } => {
                Served { told: word(ticket, 0, None), ..plain((ticket, Answer::Said)) }
            }
            Ask::Look { ticket, mark, .. }
            | Ask::Replace { ticket, mark, .. }
            | Ask::Restate { ticket, mark, .. }
                if mark != self.mark() =>
            {
                plain((ticket, Answer::Lost))
            }
            Ask::Look { ticket, key, known, .. } => {
                let (version, state) = self.since(&key, known.as_ref());
                let (told, written) = (word(ticket, version, Some(&key)), self.written(&key));
                Served { told, ..plain((ticket, Answer::Found { version, written, state })) }
            }
            Ask::Replace { ticket, key, expected, row, most, lists, tell, .. } => {
                self.enlist(&key, &lists);
                let (mut version, state) = self.since(&key, expected.as_ref());
                let there = (version != 0).then(|| (self.written(&key), version));
                if there != expected {
                    let written = self.written(&key);
                    return plain((ticket, Answer::Conflict { version, written, state }));
                }
                if most.is_some_and(|most| self.number() >= most) {
                    return plain((ticket, Answer::Full));
                }
                if row != Row::Same {
                    version = self.next_version(&key, now);
                    let latest = ((self.mark(), version), row == Row::Gone);
                    self.latest.insert(key.clone(), latest);
                }
                let written = self.mark();
                let row = match row {
                    Row::Same => Came::Same,
                    Row::Gone => {
                        let kept = Kept { version, written, stored: None };
                        self.data.rows.insert(key.clone(), kept);
                        Came::Gone
                    }
                    Row::New(change) => {
                        let old = self.stored(&key).1.unwrap_or_default();
                        let before = expected.map_or(Some(0), |(under, version)| {
                            (under == written).then_some(version)
                        });
                        let new = Arc::new(Stored::clone(&old).changed(before, change));
                        let stored = Some(Arc::clone(&new));
                        self.data.rows.insert(key.clone(), Kept { version, written, stored });
                        Came::New(new.written())
                    }
                };
                self.strike_out(&key, &lists);
                let version_of = version.to_string();
                let told = tell.into_iter().map(|(target, message)| {
                    (target, [version_of.as_bytes(), b":", &message].concat())
                });
                let told: Vec<_> = told.collect();
                let made = Some(Made { key, mark: self.mark, row, told: told.clone() });
                Served { answer: (ticket, Answer::Replaced { version }), told, made }
            }
            Ask::Restate { ticket, key, version, written, row, lists, .. } => {
                self.enlist(&key, &lists);
                let there = self.data.rows.get(&key);
                let is_there = there.is_some_and(|there| there.stored.is_some());
                match there.map(|there| (&there.written, there.version)) {
                    Some(later) if later >= (&written, version) => {
                        let (written, version) = (later.0.clone(), later.1);
                        plain((ticket, Answer::Restated { version, written, is_there }))
                    }
                    _ => {
                        let stored = |row| Stored {
                            changes: VecDeque::new(),
                            ..Stored::default().changed(None, row)
                        };
                        let stored = row.map(stored).map(Arc::new);
                        let is_there = stored.is_some();
                        let kept = Kept { version, written: written.clone(), stored };
                        self.data.rows.insert(key, kept);
                        plain((ticket, Answer::Restated { version, written, is_there }))
                    }
                }
            }
        }
    }

    fn next_version(&mut self, key: &K, now: Timestamp) -> u64 {
        self.before.push_back(self.data.clone());
        if self.before.len() > MOST_LOST {
            self.before.pop_front();
        }
        let floor = self.version(key);
        let time = (now.0 * 1_000).saturating_sub(self.behind);
        self.versions = floor.max(self.versions).max(time) + 1;
        // Where the clock is behind, two histories may well give the same number.
        while time > floor && !self.given.insert(self.versions) {
            self.versions += 1;
        }
        self.versions
    }

    fn stored(&self, key: &K) -> (u64, Option<Arc<Stored>>) {
        match self.data.rows.get(key) {
            Some(Kept { version, stored: Some(stored), .. }) => {
                (*version, Some(Arc::clone(stored)))
            }
            _ => (0, None),
        }
    }

    fn since(&self, key: &K, known: Option<&(Mark, u64)>) -> (u64, State) {
        let (version, stored) = self.stored(key);
        let written = self.written(key);
        let known = known.filter(|(under, _)| *under == written).map_or(0, |(_, known)| *known);
        let none = || State::Whole(Written::default());
        let state = stored.map_or_else(none, |stored| match stored.since(known) {
            _ if version == known => State::Same,
            Some(changed) => State::Changed(changed),
            None => State::Whole(stored.written()),
        });
        (version, state)
    }

    /// A record and its version; 0 where there is none.
    pub(super) fn record<R: Record<Key = K>>(&self, key: &K) -> (u64, Option<R>) {
        let (version, stored) = self.stored(key);
        (version, stored.map(|stored| R::read(&stored.written()).unwrap()))
    }

    /// The version of a record, or of its end; 0 where neither is known.
    pub(super) fn version(&self, key: &K) -> u64 {
        self.data.rows.get(key).map_or(0, |kept| kept.version)
    }

    /// Likewise, behind the mark under which it was written.
    pub(super) fn latest_version(&self, key: &K) -> Option<(Mark, u64)> {
        self.data.rows.get(key).map(|kept| (kept.written.clone(), kept.version))
    }

    /// What the data are marked with, as nodes know it.
    pub(super) fn mark(&self) -> Mark {
        format!("{:08}", self.mark).into()
    }

    fn written(&self, key: &K) -> Mark {
        self.data.rows.get(key).map_or_else(|| "".into(), |kept| kept.written.clone())
    }

    /// How many records there are.
    pub(super) fn number(&self) -> u64 {
        self.data.rows.values().filter(|kept| kept.stored.is_some()).count() as u64
    }

    fn enlist(&mut self, key: &K, lists: &Lists) {
        if let Some(Some(at)) = lists.due {
            self.data.due.insert(key.clone(), at);
        }
        self.data.held.extend(lists.holds.iter().map(|node| (*node, key.clone())));
    }

    fn strike_out(&mut self, key: &K, lists: &Lists) {
        if lists.due == Some(None) {
            self.data.due.remove(key);
        }
        for node in &lists.frees {
            self.data.held.remove(&(*node, key.clone()));
        }
    }

    /// The server loses all.
    pub(super) fn lose_all(&mut self) {
        self.lose(Data::default());
    }

    /// What another server has that lacks the last transitions.
    pub(super) fn without_the_last(&mut self, number: usize) -> Data<K> {
        let mut left = self.data.clone();
        for _ in 0..number {
            left = self.before.pop_back().unwrap_or(left);
        }
        left
    }

    /// Another server goes on, which has this, and whose clock is so far behind, in microseconds.
    pub(super) fn go_on_with(&mut self, left: Data<K>, behind: u64) {
        self.behind = behind;
        self.versions = left.rows.values().map(|kept| kept.version).max().unwrap_or(0);
        self.lose(left);
    }

    fn lose(&mut self, left: Data<K>) {
        self.data = left;
        self.before.clear();
        self.mark += 1;
    }
}
