//! Where records are kept: in this process, or on the server that several nodes share. The settings choose; whoever keeps
//! records asks a [`Place`] for a [`Store`], and need not know.

use tokio::sync::oneshot;

use super::{
    Deliver, Engine, Expect, Reader, Record, Sink, Stats, Visit,
    memory::{EngineFigures, Keep, MemoryEngine, WeakEngine},
    shared::{
        self, SharedEngine, SharedNode, WeakSharedEngine,
        post::{Courier, Receive},
    },
};
use crate::{clock::Clock, model::ids::NodeId};

/// What all stores of a process have in common.
#[derive(Clone)]
pub struct Place {
    /// This node and its incarnation.
    pub node: NodeId,
    /// What it goes by; with several nodes, the clock of their server.
    pub clock: Clock,
    /// In how many shards the memory engine keeps records: one a worker.
    pub shards: usize,
    /// This process as one of several nodes, if it is that.
    pub shared: Option<SharedNode>,
}

impl Place {
    /// This process alone.
    #[must_use]
    pub fn alone(node: NodeId, shards: usize, clock: Clock) -> Self {
        Self { node, clock, shards, shared: None }
    }

    /// A store of one kind of records, for about `most` of them: in this process, or on the server.
    pub fn keep<R, D>(&self, most: usize, rules: R::Rules, deliver: D) -> Store<R>
    where
        R: Record,
        R::Rules: 'static,
        D: Deliver<R, MemoryEngine<R>> + Deliver<R, SharedEngine<R>> + 'static,
    {
        match &self.shared {
            None => {
                let clock = self.clock.clone();
                Store::Memory(MemoryEngine::new(self.shards, most, rules, clock, deliver))
            }
            Some(node) => Store::Shared(SharedEngine::new(node, most, rules, deliver)),
        }
    }
}

impl Place {
    /// As how many it takes for a store to have room for these, however they fall to its shards or parts.
    #[must_use]
    pub fn room_for(&self, records: usize) -> usize {
        let places = self.shared.as_ref().map_or(self.shards, SharedNode::parts);
        records.max(1).saturating_mul(places.max(1))
    }

    /// How long after a command was applied what comes of it may still be made, in ms: not at all where nobody else makes
    /// anything.
    #[must_use]
    pub fn late_ms(&self) -> u64 {
        if self.shared.is_some() { shared::LATE_MS } else { 0 }
    }

    /// Sends letters to other nodes, and has `receiver` get theirs.
    pub fn courier(&self, kind: &'static str, receiver: impl Receive) -> Courier {
        match &self.shared {
            None => Courier::alone(),
            Some(node) => Courier::new(node, kind, receiver),
        }
    }
}

/// The records of one kind, wherever they are kept. Cheap to clone.
pub enum Store<R: Record> {
    /// In this process.
    Memory(MemoryEngine<R>),
    /// On the server that all nodes share.
    Shared(SharedEngine<R>),
}

impl<R: Record> Clone for Store<R> {
    fn clone(&self) -> Self {
        match self {
            Store::Memory(engine) => Store::Memory(engine.clone()),
            Store::Shared(engine) => Store::Shared(engine.clone()),
        }
    }
}

/// A store that somebody else keeps.
pub enum WeakStore<R: Record> {
    /// In this process.
    Memory(WeakEngine<R>),
    /// On the server that all nodes share.
    Shared(WeakSharedEngine<R>),
}

impl<R: Record> WeakStore<R> {
    /// The store, while it is there.
    #[must_use]
    pub fn upgrade(&self) -> Option<Store<R>> {
        Some(match self {
            WeakStore::Memory(engine) => Store::Memory(engine.upgrade()?),
            WeakStore::Shared(engine) => Store::Shared(engine.upgrade()?),
        })
    }
}

impl<R: Record> Store<R> {
    /// For those that the store's own delivery keeps alive, or they would keep each other.
    #[must_use]
    pub fn downgrade(&self) -> WeakStore<R> {
        match self {
            Store::Memory(engine) => WeakStore::Memory(engine.downgrade()),
            Store::Shared(engine) => WeakStore::Shared(engine.downgrade()),
        }
    }

    /// The settings that its records work by.
    #[must_use]
    pub fn rules(&self) -> &R::Rules {
        match self {
            Store::Memory(engine) => engine.rules(),
            Store::Shared(engine) => engine.rules(),
        }
    }

    /// Its figures now.
    #[must_use]
    pub fn figures(&self) -> EngineFigures {
        match self {
            Store::Memory(engine) => engine.figures(),
            Store::Shared(engine) => engine.figures(),
        }
    }

    /// How many records there are, here or on the server.
    #[must_use]
    pub fn records(&self) -> usize {
        match self {
            Store::Memory(engine) => engine.records(),
            Store::Shared(engine) => engine.records(),
        }
    }

    /// How many of this process' timers wait.
    #[must_use]
    pub fn timers(&self) -> usize {
        match self {
            Store::Memory(engine) => engine.timers(),
            Store::Shared(engine) => engine.timers(),
        }
    }

    /// The keeper's handle to a shard, if there are shards here.
    #[must_use]
    pub fn keep(&self, index: usize) -> Option<Box<dyn Keep>> {
        match self {
            Store::Memory(engine) => Some(engine.keep(index)),
            Store::Shared(_) => None,
        }
    }

    /// Refuses all commands from now on, so that what is saved next is what was said last. What the server keeps needs no
    /// saving.
    pub fn seal(&self) {
        if let Store::Memory(engine) = self {
            engine.seal();
        }
    }

    /// Calls `each` with every record of this process, for saving them.
    pub fn for_each(&self, each: impl FnMut(&R::Key, &R)) {
        if let Store::Memory(engine) = self {
            engine.for_each(each);
        }
    }

    /// Puts a saved record in place, unless its key has one already. What the server keeps was never saved.
    pub fn restore(&self, key: R::Key, record: R) {
        if let Store::Memory(engine) = self {
            engine.restore(key, record);
        }
    }

    /// Waits until nothing is under way to the server.
    pub async fn idle(&self) {
        if let Store::Shared(engine) = self {
            let (sender, receiver) = oneshot::channel();
            engine.when_idle(Box::new(move || {
                let _ = sender.send(());
            }));
            // An engine that is gone is idle.
            let _ = receiver.await;
        }
    }

    /// What the engine counts.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        match self {
            Store::Memory(engine) => engine.stats(),
            Store::Shared(engine) => engine.stats(),
        }
    }

    /// Works through all that waits and is due.
    #[cfg(test)]
    pub fn settle(&self) {
        match self {
            Store::Memory(engine) => engine.settle(),
            Store::Shared(engine) => engine.settle(),
        }
    }
}

impl<R: Record> Engine<R> for Store<R> {
    fn submit(&self, key: R::Key, expect: Expect, command: R::Command, sink: Sink<R::Reply>) {
        match self {
            Store::Memory(engine) => engine.submit(key, expect, command, sink),
            Store::Shared(engine) => engine.submit(key, expect, command, sink),
        }
    }

    fn read(&self, key: R::Key, reader: Reader<R>) {
        match self {
            Store::Memory(engine) => engine.read(key, reader),
            Store::Shared(engine) => engine.read(key, reader),
        }
    }

    fn read_later(&self, key: R::Key, reader: Reader<R>) {
        match self {
            Store::Memory(engine) => engine.read_later(key, reader),
            Store::Shared(engine) => engine.read_later(key, reader),
        }
    }

    fn read_all(&self, keys: Vec<R::Key>, visit: Visit<R>, done: Box<dyn FnOnce() + Send>) {
        match self {
            Store::Memory(engine) => engine.read_all(keys, visit, done),
            Store::Shared(engine) => engine.read_all(keys, visit, done),
        }
    }

    fn list(&self, name: String, visit: Visit<R>, done: Box<dyn FnOnce(bool) + Send>) {
        match self {
            Store::Memory(engine) => engine.list(name, visit, done),
            Store::Shared(engine) => engine.list(name, visit, done),
        }
    }

    fn listen(&self, name: String, of: Option<&R::Key>) {
        if let Store::Shared(engine) = self {
            engine.listen(name, of);
        }
    }

    fn unlisten(&self, name: String, of: Option<&R::Key>) {
        if let Store::Shared(engine) = self {
            engine.unlisten(name, of);
        }
    }

    fn weakly(&self) -> impl FnOnce() -> Option<Self> + 'static {
        let store = self.downgrade();
        move || store.upgrade()
    }
}
