//! A simulated node: its core, and what is on its way to the server and back.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{
        Record, Stats,
        shared::{
            core::{Action, Core, Work},
            figures::Counts,
            question::{Answer, Ask, Ticket},
        },
    },
};

/// What a node says to the server.
pub(super) enum Said<K> {
    Ask(Box<Ask<K>>),
    Listen(String),
    Unlisten(String),
}

/// What waits, and since when.
type Queue<T> = VecDeque<(Timestamp, T)>;

pub(crate) struct Node<R: Record> {
    pub(crate) id: NodeId,
    pub(super) core: Core<R>,
    pub(super) up: Queue<Said<R::Key>>,
    pub(super) answers: Queue<(Ticket, Answer)>,
    pub(super) messages: Queue<Vec<u8>>,
    /// The names that it listens to, over each connection.
    pub(super) names: BTreeSet<String>,
    /// Whether its connection was cut at any time.
    pub(crate) was_cut: bool,
    /// The mark of the server's data, as far as it knows.
    pub(super) mark: u64,
    /// Its so manieth mark, when it has restated what it knows; and when that was.
    pub(super) restated: Option<(u64, Timestamp)>,
    stats: Stats,
    counts: Counts,
}

impl<R: Record> Node<R> {
    /// One that remembers so many records, where there may be so many.
    pub(super) fn new(id: NodeId, rules: Arc<R::Rules>, (remembers, most): (usize, usize)) -> Self {
        Self {
            id,
            core: Core::new(id, rules, most, 1).remembering(remembers),
            up: VecDeque::new(),
            answers: VecDeque::new(),
            messages: VecDeque::new(),
            names: BTreeSet::new(),
            was_cut: false,
            mark: u64::MAX,
            restated: None,
            stats: Stats::default(),
            counts: Counts::default(),
        }
    }

    pub(super) fn has_restated(&self, mark: u64) -> bool {
        self.mark == mark && self.restated.is_some()
    }

    /// Lets the core act. What it wants to be done but for its questions is left to the caller.
    pub(super) fn act(
        &mut self,
        act: impl FnOnce(&mut Core<R>, &mut Work<'_, R>),
        now: Timestamp,
    ) -> Vec<Action<R>> {
        let mut out = Vec::new();
        let work = &mut Work { out: &mut out, stats: &self.stats, counts: &self.counts };
        act(&mut self.core, work);
        let mut left = Vec::new();
        for action in out {
            match action {
                Action::Restated(era) => self.restated = Some((era, now)),
                Action::Ask(ask) => self.up.push_back((now, Said::Ask(ask))),
                other => left.push(other),
            }
        }
        left
    }

    /// Nothing is on its way, and nothing waits.
    pub(super) fn is_quiet(&self) -> bool {
        self.up.is_empty()
            && self.answers.is_empty()
            && self.messages.is_empty()
            && self.core.is_idle()
    }
}
