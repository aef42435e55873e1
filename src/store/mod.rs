//! The store seam: records of any kind, changed by commands, in an engine that may be this process or a shared server.
//!
//! A [`Record`] is a pure state machine. An [`Engine`] keeps records by key and makes transitions one after another for
//! each key: it takes the command, applies it to the version that it has, and puts the new version in place of exactly
//! that one (compare-and-set). What follows, the *effects*, it hands to the [`Deliver`] of the node, in the order of the
//! transitions. Effects name sockets by node and id, so that an engine that spans nodes can carry them.
//!
//! Every engine passes the suite of tests in `suite`. [`memory`] is the engine inside this process, [`shared`] that of several
//! nodes, which keep their records on one server, and a [`place`] says which of them it is; [`saved`] is what
//! outlives it, in a [`database`], among that [`dead_letters`], what could not be delivered, [`revoked`], the
//! revocations, and [`history`], past sessions and consents.

pub mod claim;
pub mod database;
pub mod dead_letters;
pub mod history;
pub mod leaves;
pub mod memory;
pub mod place;
pub mod revoked;
pub mod saved;
pub mod shared;
#[cfg(test)]
pub mod suite;
mod timers;

use std::{
    fmt::Debug,
    hash::Hash,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};

pub use self::leaves::{Leaf, Which, Written};

use crate::{
    clock::Timestamp,
    model::ids::{NodeId, SocketAddress},
};

/// A pure state machine that an engine keeps.
pub trait Record: Serialize + DeserializeOwned + Send + 'static {
    /// Names the kind in storage and metrics.
    const KIND: &'static str;
    /// What tells two records apart.
    type Key: Clone + Eq + Ord + Hash + Debug + Serialize + DeserializeOwned + Send + Sync;
    /// What can happen to a record.
    type Command: Clone + Send;
    /// What the one who submitted a command learns.
    type Reply: Send;
    /// What follows from a command elsewhere.
    type Effect: Serialize + DeserializeOwned + Send;
    /// Settings that the machine works by.
    type Rules: Send + Sync;
    /// What brings a record back to where it was before a command.
    type Checkpoint: Send;

    /// The record of a key that nobody wrote yet.
    fn vacant(rules: &Self::Rules, now: Timestamp) -> Self;

    /// Applies a command. Pure: the same record, command and time give the same result.
    fn apply(
        &mut self,
        key: &Self::Key,
        command: Self::Command,
        now: Timestamp,
        rules: &Self::Rules,
        effects: &mut Vec<Self::Effect>,
    ) -> Self::Reply;

    /// The rules after the records were out of reach: what others may have to say of them is on its way, and comes before
    /// `until`. `None` where that makes no difference.
    fn spared(_rules: &Self::Rules, _until: Timestamp) -> Option<Self::Rules> {
        None
    }

    /// The command that only lets time pass.
    fn tick() -> Self::Command;

    /// When a tick will next change something; never in the past right after an `apply`.
    fn deadline(&self, rules: &Self::Rules) -> Option<Timestamp>;

    /// Whether the record says no more than no record, so that it can be dropped.
    fn is_vacant(&self, rules: &Self::Rules, now: Timestamp) -> bool;

    /// What [`Record::roll_back`] needs, taken before each command; cheap.
    fn checkpoint(&self) -> Self::Checkpoint;

    /// Undoes the last command: it panicked half-way, or does not count. Exact, where the record has leaves.
    fn roll_back(&mut self, checkpoint: Self::Checkpoint);

    /// The last command counts: it will not be undone.
    fn stands(&mut self) {}

    /// Whether a server keeps parts of the record in leaves; see [`leaves`].
    const HAS_LEAVES: bool = false;

    /// What a server keeps of the record, with these leaves.
    ///
    /// # Errors
    /// It cannot be written.
    fn written(&self, _: Which) -> serde_json::Result<Written> {
        Ok(Written { row: serde_json::to_vec(self)?, leaves: Vec::new() })
    }

    /// The record of which a server keeps all this.
    ///
    /// # Errors
    /// It cannot be read.
    fn read(written: &Written) -> serde_json::Result<Self> {
        serde_json::from_slice(&written.row)
    }

    /// Becomes another version, with this row and these leaves in place of its own; the others it has already. On an error
    /// the record is of no use any more.
    ///
    /// # Errors
    /// It cannot be read.
    fn become_another(&mut self, changed: &Written) -> serde_json::Result<()> {
        *self = Self::read(changed)?;
        Ok(())
    }

    /// The last effects of a record that is set aside because it panicked twice: those who depend on it must start anew.
    fn set_aside(&self, _effects: &mut Vec<Self::Effect>) {}

    /// Whether a command makes a record that stays, where there was none, of records that are as many as the outside wants.
    /// Others may go on when there are as many records as may be.
    fn makes_a_record(command: &Self::Command) -> bool;

    /// Whom an effect concerns, where there are several nodes.
    fn route(key: &Self::Key, effect: &Self::Effect) -> Route;

    /// The nodes that hold something of the record: its sockets. None where it has no sockets.
    fn holders(&self) -> Vec<NodeId> {
        Vec::new()
    }

    /// The name under which the record is listed now, with others of its kind; see [`Engine::list`].
    fn listed(&self, _key: &Self::Key) -> Option<String> {
        None
    }

    /// The command that says that a node is gone, with all that it held. `None` for records that no node holds anything of.
    fn lost(_node: NodeId) -> Option<Self::Command> {
        None
    }

    /// The command that says that a node may have missed what was said to what it holds, so that this is said once more.
    /// Essential. `None` where nobody waits for that.
    fn missed(_node: NodeId) -> Option<Self::Command> {
        None
    }

    /// The command that says what a node holds of the record: what the version that it `known` has of it, or nothing. For
    /// others may have gone on without what the node knew. Essential. `None` for records that no node holds anything of, or
    /// where nobody misses that, nor anything else that the node knew.
    fn holds(_node: NodeId, _known: Option<&Self>) -> Option<Self::Command> {
        None
    }

    /// Whether a command must be taken even when the engine's queue is full, because it comes once in the life of
    /// something that is bounded elsewhere (a socket's end).
    fn is_essential(command: &Self::Command) -> bool;

    /// Whether a command that is applied twice, with others in between, leaves the record as if it had been applied once,
    /// the last time, and is answered the same. Where a server keeps the records, such a command is kept over a short
    /// outage and applied anew, though it may have been applied already; others are refused as [`Refusal::Away`].
    /// Essential commands must be so, too: they are kept for as long as it takes.
    fn is_repeatable(command: &Self::Command) -> bool {
        let _ = command;
        false
    }
}

/// Whom an effect concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// The node that made the transition, and only that: what is done once, wherever.
    Here,
    /// The node that holds a socket that it names.
    Node(NodeId),
    /// These, each once.
    Nodes(Vec<NodeId>),
    /// The nodes that listen to this name, see [`Engine::listen`]; and the node that made the transition.
    Listeners(String),
    /// Every node; each knows whom it has.
    Everyone,
}

impl Route {
    /// To the nodes that hold these sockets.
    #[must_use]
    pub fn nodes(sockets: &[SocketAddress]) -> Self {
        let mut nodes: Vec<NodeId> = sockets.iter().map(|socket| socket.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        Self::Nodes(nodes)
    }
}

/// Which version of the record a command is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Whichever there is.
    Any,
    /// Exactly this one; 0 means that there is no record.
    Version(u64),
}

/// A command that was applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied<T> {
    /// The record's answer.
    pub reply: T,
    /// The record's version now. Grows with every transition; never used twice for one key.
    pub version: u64,
}

/// Why an engine did not apply a command. The record is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The record has another version than expected.
    #[error("the record has version {version}")]
    Conflict {
        /// The one that it has.
        version: u64,
    },
    /// The engine's queue is full; try again later.
    #[error("the service is overloaded")]
    Overloaded,
    /// There are as many records as may be; try again later.
    #[error("the service is full")]
    Full,
    /// The engine's records are being saved for the next process, and change no more.
    #[error("the service is ending")]
    Ending,
    /// The server that all nodes share does not answer; whether the command was applied is not known. Try again later.
    #[error("the service cannot reach its storage")]
    Away,
    /// The command panicked; the log has more.
    #[error("the command failed inside the service")]
    Fault,
}

impl From<Refusal> for crate::model::error::Problem {
    fn from(refusal: Refusal) -> Self {
        use crate::model::error::{ErrorCode, Problem};
        match refusal {
            Refusal::Overloaded | Refusal::Full | Refusal::Ending | Refusal::Away => {
                let problem = Problem::new(ErrorCode::Unready, refusal.to_string());
                Problem { degraded: refusal == Refusal::Away, ..problem.retry_in(1_000) }
            }
            Refusal::Conflict { .. } | Refusal::Fault => {
                Problem::new(ErrorCode::Internal, refusal.to_string())
            }
        }
    }
}

/// Takes the answer to a command; called once, before the command's effects are delivered.
pub type Sink<T> = Box<dyn FnOnce(Result<Applied<T>, Refusal>) + Send>;

/// Looks at a record, if there is one; called once. The record is held meanwhile, so it only copies what it needs, and
/// gives back what is to be done with it.
pub type Reader<R> = Box<dyn FnOnce(Result<Option<&R>, Refusal>) -> Afterwards + Send>;

/// What a reader wants done once the record is free again; may submit commands and read. Before it is done, no further
/// command is applied to that record.
pub type Afterwards = Box<dyn FnOnce() + Send>;

/// Looks at one record after another.
pub type Visit<R> = Box<dyn FnMut(&<R as Record>::Key, &R) + Send>;

/// Which node made the transition that effects follow from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This one: what is done once, wherever, is done here.
    Here,
    /// Another one.
    Elsewhere,
}

/// Brings effects to the sockets of this node. Called in the order of a key's transitions. May submit commands.
pub trait Deliver<R: Record, E>: Send + Sync {
    /// Delivers the effects of one transition; leaves `effects` empty.
    fn deliver(&self, engine: &E, key: &R::Key, effects: &mut Vec<R::Effect>, origin: Origin);

    /// Effects of other nodes' transitions may have been missed until now: what this node shows is to be read anew.
    fn missed(&self, _engine: &E) {}
}

/// Most jobs that wait in an inbox of an engine. Beyond, commands are refused as overloaded, except essential ones.
pub const INBOX_LIMIT: usize = 65_536;

/// What an engine counts, for metrics.
#[derive(Debug, Default)]
pub struct Stats {
    /// Commands applied.
    pub commands: AtomicU64,
    /// Commands that panicked.
    pub panics: AtomicU64,
    /// Records set aside because they panicked twice.
    pub set_aside: AtomicU64,
    /// Commands refused because an inbox was full.
    pub refused: AtomicU64,
    /// Commands refused because there are as many records as may be.
    pub full: AtomicU64,
}

impl Stats {
    pub(in crate::store) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Keeps records of one kind. Cheap to clone; all clones are the same engine.
pub trait Engine<R: Record>: Clone + Send + Sync + 'static {
    /// Applies `command` to the record of `key`, now or soon, and gives the answer to `sink`.
    fn submit(&self, key: R::Key, expect: Expect, command: R::Command, sink: Sink<R::Reply>);

    /// Lets `reader` look at the record of `key`, if there is one, then does what it asks for.
    fn read(&self, key: R::Key, reader: Reader<R>);

    /// Like [`Engine::read`], but only when those who wait already had their turn: for work that is done in parts, so that
    /// it holds nobody up.
    fn read_later(&self, key: R::Key, reader: Reader<R>) {
        // An engine elsewhere has its turns there.
        self.read(key, reader);
    }

    /// Lets `visit` look at the records of these keys in their order, as far as there are any, then calls `done`. Each
    /// record is seen as it is at that moment.
    fn read_all(&self, keys: Vec<R::Key>, visit: Visit<R>, done: Box<dyn FnOnce() + Send>);

    /// Lets `visit` look at all records that are listed under `name`, wherever they were made, then calls `done` with
    /// whether it could look at them. Each record is seen as it is at that moment.
    fn list(&self, name: String, visit: Visit<R>, done: Box<dyn FnOnce(bool) + Send>);

    /// From the next command or reading on this node hears what is routed to the listeners of `name`, of one record or, where
    /// none is named, of all. To be called once before [`Engine::unlisten`].
    fn listen(&self, _name: String, _of: Option<&R::Key>) {
        // A node that is alone hears all.
    }

    /// It hears that no more; to be called with what it was to hear.
    fn unlisten(&self, _name: String, _of: Option<&R::Key>) {}

    /// Gives the engine back as long as somebody else keeps it.
    fn weakly(&self) -> impl FnOnce() -> Option<Self> + 'static;

    /// Calls `then` after a while, if anybody still keeps the engine: for what could not be read and is read again, so that an
    /// engine that can never read any more, because its node was ended, is not kept by those who try. To be called where it
    /// calls others, whose thread has a runtime.
    fn later(&self, wait: Duration, then: impl FnOnce(&Self) + 'static) {
        let engine = self.weakly();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(wait).await;
            if let Some(engine) = engine() {
                then(&engine);
            }
        });
    }
}
