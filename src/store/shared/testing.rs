//! A record that keeps what was done to it, for tests of engines that span nodes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{Leaf, Record, Route, Which, Written},
};

/// Who is to hear of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hearers {
    Here,
    Nodes(Vec<NodeId>),
    Everyone,
}

/// The numbers that were written into it, in their order. A server keeps it in one piece, or each number and each holder in a
/// leaf.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal<const IN_LEAVES: bool = false> {
    pub(super) entries: Vec<u64>,
    pub(super) holders: BTreeSet<NodeId>,
    closes: Option<Timestamp>,
    is_closed: bool,
    /// How many entries, and which holders, there were before the last command.
    #[serde(skip)]
    before: (usize, BTreeSet<NodeId>),
}

impl<const IN_LEAVES: bool> Journal<IN_LEAVES> {
    fn entry(place: usize, entry: Option<&u64>) -> Leaf {
        (format!("e{place}"), entry.map(|entry| entry.to_string().into()))
    }

    fn holder(&self, node: &NodeId) -> Leaf {
        let held = self.holders.contains(node).then(|| b"held".to_vec());
        (format!("h{}", serde_json::to_string(node).unwrap()), held)
    }
}

#[derive(Clone)]
pub(super) enum Command {
    Write {
        entry: u64,
        hearers: Hearers,
    },
    /// Somebody on this node holds the journal.
    Hold(NodeId),
    /// Nobody on it does any more.
    LetGo(NodeId),
    /// From this moment on nothing more can be written.
    CloseAt(Timestamp),
    Tick,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Effect {
    /// The entry is there, at this place.
    Written {
        entry: u64,
        place: usize,
        hearers: Hearers,
    },
    LetGo(NodeId),
    Closed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    Place(usize),
    Closed,
    Done,
}

impl<const IN_LEAVES: bool> Record for Journal<IN_LEAVES> {
    const KIND: &'static str = "journal";
    type Key = u32;
    type Command = Command;
    type Reply = Reply;
    type Effect = Effect;
    type Rules = ();
    type Checkpoint = Self;

    fn vacant((): &(), _: Timestamp) -> Self {
        Self::default()
    }

    fn apply(
        &mut self,
        _: &u32,
        command: Command,
        now: Timestamp,
        (): &(),
        effects: &mut Vec<Effect>,
    ) -> Reply {
        if self.closes.is_some_and(|at| at <= now) {
            (self.closes, self.is_closed) = (None, true);
            effects.push(Effect::Closed);
        }
        match command {
            Command::Write { .. } if self.is_closed => Reply::Closed,
            Command::Write { entry, hearers } => {
                self.entries.push(entry);
                let place = self.entries.len();
                effects.push(Effect::Written { entry, place, hearers });
                Reply::Place(place)
            }
            Command::Hold(node) => {
                self.holders.insert(node);
                Reply::Done
            }
            Command::LetGo(node) => {
                if self.holders.remove(&node) {
                    effects.push(Effect::LetGo(node));
                }
                Reply::Done
            }
            Command::CloseAt(at) => {
                self.closes = (!self.is_closed).then_some(at);
                Reply::Done
            }
            Command::Tick => Reply::Done,
        }
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, (): &()) -> Option<Timestamp> {
        self.closes
    }

    fn is_vacant(&self, (): &(), _: Timestamp) -> bool {
        let is_empty = self.entries.is_empty() && self.holders.is_empty();
        is_empty && self.closes.is_none() && !self.is_closed
    }

    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
    }

    fn stands(&mut self) {
        self.before = (self.entries.len(), self.holders.clone());
    }

    const HAS_LEAVES: bool = IN_LEAVES;

    fn written(&self, which: Which) -> serde_json::Result<Written> {
        if !IN_LEAVES {
            return Ok(Written { row: serde_json::to_vec(self)?, leaves: Vec::new() });
        }
        let (entries, holders) = match which {
            Which::All => (0, self.holders.clone()),
            Which::Changed => (
                self.before.0,
                self.before.1.symmetric_difference(&self.holders).copied().collect(),
            ),
        };
        let Self { closes, is_closed, .. } = *self;
        let row = Self { closes, is_closed, ..Self::default() };
        let entries = self.entries.iter().enumerate().skip(entries);
        let leaves = entries.map(|(place, entry)| Self::entry(place, Some(entry)));
        let leaves = leaves.chain(holders.iter().map(|node| self.holder(node))).collect();
        Ok(Written { row: serde_json::to_vec(&row)?, leaves })
    }

    fn read(written: &Written) -> serde_json::Result<Self> {
        let mut journal = Self::default();
        journal.become_another(written)?;
        Ok(journal)
    }

    fn become_another(&mut self, changed: &Written) -> serde_json::Result<()> {
        let row: Self = serde_json::from_slice(&changed.row)?;
        if !IN_LEAVES {
            *self = row;
            self.stands();
            return Ok(());
        }
        (self.closes, self.is_closed) = (row.closes, row.is_closed);
        let mut entries = BTreeMap::new();
        for (name, leaf) in &changed.leaves {
            match (name.split_at(1), leaf) {
                (("e", place), Some(leaf)) => {
                    entries.insert(place.parse::<usize>().unwrap(), serde_json::from_slice(leaf)?);
                }
                (("h", node), Some(_)) => drop(self.holders.insert(serde_json::from_str(node)?)),
                (("h", node), None) => drop(self.holders.remove(&serde_json::from_str(node)?)),
                other => panic!("no such leaf: {other:?}"),
            }
        }
        for (place, entry) in entries {
            assert_eq!(place, self.entries.len(), "a leaf is missing, or came twice");
            self.entries.push(entry);
        }
        self.stands();
        Ok(())
    }

    fn makes_a_record(_: &Command) -> bool {
        true
    }

    fn route(_: &u32, effect: &Effect) -> Route {
        match effect {
            Effect::Written { hearers, .. } => match hearers {
                Hearers::Here => Route::Here,
                Hearers::Nodes(nodes) => Route::Nodes(nodes.clone()),
                Hearers::Everyone => Route::Everyone,
            },
            Effect::LetGo(_) | Effect::Closed => Route::Everyone,
        }
    }

    fn holders(&self) -> Vec<NodeId> {
        self.holders.iter().copied().collect()
    }

    fn lost(node: NodeId) -> Option<Command> {
        Some(Command::LetGo(node))
    }

    fn is_essential(command: &Command) -> bool {
        matches!(command, Command::LetGo(_))
    }

    fn is_repeatable(command: &Command) -> bool {
        matches!(command, Command::Hold(_) | Command::LetGo(_))
    }
}
