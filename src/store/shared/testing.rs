//! A record that keeps what was done to it, for tests of engines that span nodes.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{Record, Route},
};

/// Who is to hear of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Hearers {
    Here,
    Nodes(Vec<NodeId>),
    Everyone,
}

/// The numbers that were written into it, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Journal {
    pub(super) entries: Vec<u64>,
    pub(super) holders: BTreeSet<NodeId>,
    closes: Option<Timestamp>,
    is_closed: bool,
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

impl Record for Journal {
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
        *self == Self::default()
    }

    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
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
