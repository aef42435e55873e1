//! Revocations that all nodes know of: one record each, which is there until it can touch no token any more, so that a node
//! that comes later, or missed something, reads them all.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::revoker::PAUSE;
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
#[derive(Clone)]
pub(super) struct Delivery {
    in_force: Arc<Revocations>,
    /// How often all were read anew.
    readings: Arc<AtomicU64>,
}

impl Delivery {
    pub(super) fn new(in_force: Arc<Revocations>) -> Self {
        Self { in_force, readings: Arc::default() }
    }

    /// Puts in force what other nodes know of, again and again until that can be read, or a later reading begins: a token
    /// that was revoked meanwhile must not be believed here for longer than it takes.
    fn read_anew<E: Engine<Shared>>(self, engine: &E) {
        let reading = self.readings.fetch_add(1, Ordering::SeqCst) + 1;
        let (to, again) = (self.clone(), engine.clone());
        read_then(engine, self, move |is_read| {
            if is_read {
                return;
            }
            tracing::warn!("revocations of other nodes may be missing until they can be read");
            again.later(PAUSE, move |engine| {
                if to.readings.load(Ordering::SeqCst) == reading {
                    to.read_anew(engine);
                }
            });
        });
    }

    fn take(&self, key: &Key, is_taken_back: bool, revocation: Option<Revocation>) {
        match revocation {
            Some(revocation) if !is_taken_back => self.in_force.hear_of(revocation),
            _ => drop(self.in_force.remove(&key.group, &key.id)),
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
        for revocation in self.in_force.all() {
            put(engine, revocation);
        }
        self.clone().read_anew(engine);
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

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, time::Duration};

    use super::*;
    use crate::{
        auth::Target,
        store::{Reader, Sink, Visit},
    };

    /// An engine that cannot look at its records a few times; then there is one.
    #[derive(Clone)]
    struct Poor {
        failures: Arc<AtomicUsize>,
        looks: Arc<AtomicUsize>,
        kept: Arc<()>,
    }

    fn revocation() -> Revocation {
        let target = Target::Token("stolen".into());
        let (by, group) = (Arc::from("ops"), "1".parse().unwrap());
        Revocation { id: "7".into(), group, target, made: Timestamp(1_000), by, reason: None }
    }

    impl Engine<Shared> for Poor {
        fn submit(&self, _: Key, _: Expect, _: Command, _: Sink<()>) {}

        fn read(&self, _: Key, _: Reader<Shared>) {
            unreachable!("nobody reads one");
        }

        fn read_all(&self, _: Vec<Key>, _: Visit<Shared>, _: Box<dyn FnOnce() + Send>) {
            unreachable!("nobody reads some");
        }

        fn list(&self, _: String, mut visit: Visit<Shared>, done: Box<dyn FnOnce(bool) + Send>) {
            self.looks.fetch_add(1, Ordering::SeqCst);
            let failed = self
                .failures
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            if failed.is_err() {
                let revocation = revocation();
                let key = Key { group: revocation.group.clone(), id: Arc::clone(&revocation.id) };
                visit(&key, &Shared { revocation: Some(revocation), is_taken_back: false });
            }
            done(failed.is_err());
        }

        fn weakly(&self) -> impl FnOnce() -> Option<Self> + 'static {
            let (failures, looks) = (Arc::clone(&self.failures), Arc::clone(&self.looks));
            let kept = Arc::downgrade(&self.kept);
            move || Some(Self { failures, looks, kept: kept.upgrade()? })
        }
    }

    fn poor(failures: usize) -> Poor {
        let failures = Arc::new(AtomicUsize::new(failures));
        Poor { failures, looks: Arc::default(), kept: Arc::default() }
    }

    #[tokio::test]
    async fn what_was_missed_is_read_until_it_can_be() {
        let (in_force, engine) = (Arc::new(Revocations::default()), poor(3));
        let delivery = Delivery::new(Arc::clone(&in_force));
        let read = async {
            delivery.missed(&engine);
            delivery.missed(&engine);
            while in_force.all().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        let within = tokio::time::timeout(Duration::from_secs(60), read);
        tokio::task::LocalSet::new().run_until(within).await.expect("it is never read");
        assert_eq!(
            engine.looks.load(Ordering::SeqCst),
            4,
            "an earlier reading ends for a later one"
        );
        assert_eq!(in_force.all(), [revocation()]);
    }

    #[tokio::test]
    async fn an_engine_that_nobody_keeps_is_asked_no_more() {
        let engine = poor(usize::MAX);
        let (looks, kept) = (Arc::clone(&engine.looks), Arc::downgrade(&engine.kept));
        let local = tokio::task::LocalSet::new();
        local
            .run_until(async move {
                Delivery::new(Arc::default()).missed(&engine);
                assert!(engine.looks.load(Ordering::SeqCst) > 0);
            })
            .await;
        assert!(kept.upgrade().is_none(), "the one who waits keeps it");
        // All that was begun comes to its end.
        local.await;
        assert_eq!(looks.load(Ordering::SeqCst), 1);
    }
}
