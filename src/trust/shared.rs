//! Revocations that all nodes know of: one record each, which is there until it can touch no token any more, so that a node
//! that comes later, or missed something, reads them all.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::{
    auth::{Revocation, Revocations},
    clock::Timestamp,
    model::ids::GroupId,
    store::{Deliver, Engine, Expect, Origin, Record, Route, place::Store},
};

/// The name under which all revocations are listed.
const ALL: &str = "all";
/// Revocations that are remembered between two commands.
pub(super) const MOST: usize = 10_000;

/// The store that keeps them.
pub(super) type RevokedByAll = Store<Shared>;

/// A revocation's group and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    group: GroupId,
    id: Arc<str>,
}

/// One revocation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Shared {
    revocation: Option<Revocation>,
    /// Whether it was taken back. That is remembered, so that a node that does not know puts it in force nowhere.
    is_taken_back: bool,
}

/// What happens to one.
#[derive(Clone, Debug)]
pub enum Command {
    /// It is in force.
    Put(Revocation),
    /// It is not any more.
    TakeBack,
    /// Time passes.
    Tick,
}

/// What all nodes are to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Effect {
    /// Put it in force.
    Put(Revocation),
    /// Forget it.
    TakenBack,
}

impl Record for Shared {
    const KIND: &'static str = "revocation";
    type Key = Key;
    type Command = Command;
    type Reply = ();
    type Effect = Effect;
    type Rules = ();
    type Checkpoint = Self;

    fn vacant((): &(), _: Timestamp) -> Self {
        Self::default()
    }

    fn apply(
        &mut self,
        _: &Key,
        command: Command,
        now: Timestamp,
        (): &(),
        effects: &mut Vec<Effect>,
    ) {
        if self.deadline(&()).is_some_and(|until| until <= now) {
            *self = Self::default();
        }
        match command {
            Command::Put(revocation) if self.revocation.is_none() => {
                effects.push(Effect::Put(revocation.clone()));
                self.revocation = Some(revocation);
            }
            Command::TakeBack if self.revocation.is_some() && !self.is_taken_back => {
                self.is_taken_back = true;
                effects.push(Effect::TakenBack);
            }
            Command::Put(_) | Command::TakeBack | Command::Tick => {}
        }
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, (): &()) -> Option<Timestamp> {
        self.revocation.as_ref().map(Revocation::until)
    }

    fn is_vacant(&self, (): &(), _: Timestamp) -> bool {
        self.revocation.is_none()
    }

    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
    }

    fn makes_a_record(_: &Command) -> bool {
        // A group has its bound already.
        false
    }

    fn route(_: &Key, _: &Effect) -> Route {
        Route::Everyone
    }

    fn listed(&self, _: &Key) -> Option<String> {
        self.revocation.is_some().then(|| ALL.to_owned())
    }

    fn is_essential(_: &Command) -> bool {
        // A token that is revoked must not be believed anywhere, however long that takes to be told.
        true
    }

    fn is_repeatable(_: &Command) -> bool {
        true
    }
}

/// Puts in force here what any node says.
pub(super) struct Delivery(pub(super) Arc<Revocations>);

impl Delivery {
    fn take(&self, key: &Key, is_taken_back: bool, revocation: Option<Revocation>) {
        match revocation {
            Some(revocation) if !is_taken_back => self.0.hear_of(revocation),
            _ => drop(self.0.remove(&key.group, &key.id)),
        }
    }
}

impl<E: Engine<Shared>> Deliver<Shared, E> for Delivery {
    fn deliver(&self, _: &E, key: &Key, effects: &mut Vec<Effect>, _: Origin) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Put(revocation) => self.take(key, false, Some(revocation)),
                Effect::TakenBack => self.take(key, true, None),
            }
        }
    }

    fn missed(&self, engine: &E) {
        // What only this node knows of, should the server have lost it; then what the others know of.
        for revocation in self.0.all() {
            put(engine, revocation);
        }
        read_then(engine, Self(Arc::clone(&self.0)), |is_read| {
            if !is_read {
                tracing::warn!(
                    "revocations of other nodes may be missing until these are heard again"
                );
            }
        });
    }
}

/// Tells all nodes of a revocation.
pub(super) fn put<E: Engine<Shared>>(engine: &E, revocation: Revocation) {
    let key = Key { group: revocation.group.clone(), id: Arc::clone(&revocation.id) };
    engine.submit(key, Expect::Any, Command::Put(revocation), Box::new(|_| ()));
}

/// Tells all nodes that one is taken back.
pub(super) fn take_back<E: Engine<Shared>>(engine: &E, group: &GroupId, id: &str) {
    let key = Key { group: group.clone(), id: id.into() };
    engine.submit(key, Expect::Any, Command::TakeBack, Box::new(|_| ()));
}

/// Puts in force what other nodes know of. Whether that could be read.
pub(super) async fn read<E: Engine<Shared>>(engine: &E, to: Delivery) -> bool {
    let (sender, receiver) = oneshot::channel();
    read_then(engine, to, move |is_read| {
        let _ = sender.send(is_read);
    });
    receiver.await.unwrap_or_default()
}

fn read_then<E: Engine<Shared>>(
    engine: &E,
    to: Delivery,
    then: impl FnOnce(bool) + Send + 'static,
) {
    let visit = Box::new(move |key: &Key, record: &Shared| {
        to.take(key, record.is_taken_back, record.revocation.clone());
    });
    engine.list(ALL.to_owned(), visit, Box::new(then));
}
