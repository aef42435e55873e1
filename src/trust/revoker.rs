//! Revokes tokens: at once for all threads, and kept for the next process.

use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;
use tokio::sync::{Mutex as Turn, oneshot};
use uuid::Uuid;

use super::shared::{self, RevokedByAll};
use crate::{
    auth::{MAX_MINUTES, Revocation, Revocations, Target},
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        ids::GroupId,
    },
    store::{place::Place, revoked::RevokedStore, saved::StorageError},
};

/// How long to wait before what other nodes know is read again. Nothing tells when that will do.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// Who asks for a revocation, and why.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The subject of his token.
    pub subject: Arc<str>,
    /// In his words.
    pub reason: Option<Arc<str>>,
}

/// The revocations in force, and where they are kept.
pub struct Revoker {
    in_force: Arc<Revocations>,
    kept: Box<dyn RevokedStore>,
    /// What acts already and is still to be kept, in the order in which it came to act. Whoever adds to it waits in line
    /// for writing it.
    unwritten: Mutex<VecDeque<Unwritten>>,
    writing: Turn<()>,
    /// What all nodes know of, where there are several.
    shared: OnceLock<RevokedByAll>,
}

struct Unwritten {
    change: Change,
    told: oneshot::Sender<Result<(), StorageError>>,
}

enum Change {
    Put { revocation: Revocation, needless: Vec<Revocation> },
    Remove(Arc<str>),
}

impl Revoker {
    /// Puts in force what earlier processes kept, as far as it can still touch a token.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub async fn load(
        in_force: Arc<Revocations>,
        kept: Box<dyn RevokedStore>,
        now: Timestamp,
    ) -> Result<Self, StorageError> {
        kept.forget_before(oldest(now)).await?;
        for revocation in kept.all().await? {
            // They were within the bound when they were made.
            let _ = in_force.put(revocation);
        }
        Ok(Self {
            in_force,
            kept,
            unwritten: Mutex::default(),
            writing: Turn::default(),
            shared: OnceLock::new(),
        })
    }

    /// Shares them with all nodes, from now on, and puts in force what these know of.
    pub async fn share(&self, place: &Place) {
        let delivery = shared::Delivery::new(Arc::clone(&self.in_force));
        let store = self.shared.get_or_init(|| place.keep(shared::MOST, (), delivery.clone()));
        for revocation in self.in_force.all() {
            shared::put(store, revocation);
        }
        while !shared::read(store, delivery.clone()).await {
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Those in force.
    #[must_use]
    pub fn in_force(&self) -> &Revocations {
        &self.in_force
    }

    /// Revokes tokens of a group. They are refused from the first poll on, however long that takes to be kept and
    /// whether or not it can be.
    ///
    /// # Errors
    /// `toomany` when the group has its most; `internal` when it acts but is not kept.
    pub async fn revoke(
        &self,
        group: GroupId,
        target: Target,
        asker: Asker,
        now: Timestamp,
    ) -> Result<Revocation, Problem> {
        let Asker { subject: by, reason } = asker;
        let (revocation, written) = {
            let mut unwritten = self.unwritten.lock();
            let id = Uuid::now_v7().simple().to_string().into();
            let made = self.in_force.moment(&group, &target, now);
            let revocation = Revocation { id, group, target, made, by, reason };
            let needless = self.in_force.put(revocation.clone())?;
            let change = Change::Put { revocation: revocation.clone(), needless };
            (revocation, line_up(&mut unwritten, change))
        };
        self.write(written).await.map_err(|error| {
            tracing::error!(%error, "a revocation acts, but will not outlive this process");
            let sentence = "the tokens are revoked, but only until a restart: ask again";
            Problem::new(ErrorCode::Internal, sentence)
        })?;
        if let Some(shared) = self.shared.get() {
            shared::put(shared, revocation.clone());
        }
        tracing::info!(group = %revocation.group, id = %revocation.id, "tokens are revoked");
        Ok(revocation)
    }

    /// Takes a revocation back; its tokens are believed again.
    ///
    /// # Errors
    /// `notfound`; `internal` when it would be back after a restart.
    pub async fn take_back(&self, group: &GroupId, id: &str) -> Result<Revocation, Problem> {
        let (revocation, written) = {
            let mut unwritten = self.unwritten.lock();
            let missing = || Problem::new(ErrorCode::NotFound, "there is no such revocation");
            let revocation = self.in_force.remove(group, id).ok_or_else(missing)?;
            let change = Change::Remove(Arc::clone(&revocation.id));
            (revocation, line_up(&mut unwritten, change))
        };
        self.write(written).await.map_err(|error| {
            tracing::error!(%error, "a revocation is taken back, but not for the next process");
            let sentence = "the revocation is taken back, but only until a restart";
            Problem::new(ErrorCode::Internal, sentence)
        })?;
        if let Some(shared) = self.shared.get() {
            shared::take_back(shared, group, id);
        }
        tracing::info!(%group, id, "a revocation is taken back");
        Ok(revocation)
    }

    /// Keeps what waits to be kept, one change after another, until the one that `written` tells of has had its turn.
    async fn write(&self, mut written: Written) -> Result<(), String> {
        let _turn = self.writing.lock().await;
        loop {
            if let Ok(result) = written.try_recv() {
                return result.map_err(|error| error.to_string());
            }
            let Some(Unwritten { change, told }) = self.unwritten.lock().pop_front() else {
                return Err("whoever wrote it did not come to the end".to_owned());
            };
            let result = match &change {
                Change::Put { revocation, needless } => self.kept.put(revocation, needless),
                Change::Remove(id) => self.kept.remove(id),
            };
            let _ = told.send(result.await);
        }
    }

    /// Forgets what can touch no token any more.
    pub async fn tidy(&self, now: Timestamp) {
        self.in_force.forget(now);
        if let Err(error) = self.kept.forget_before(oldest(now)).await {
            tracing::warn!(%error, "old revocations stay in the storage");
        }
    }
}

/// What became of a change in the storage.
type Written = oneshot::Receiver<Result<(), StorageError>>;

fn line_up(unwritten: &mut VecDeque<Unwritten>, change: Change) -> Written {
    let (told, written) = oneshot::channel();
    unwritten.push_back(Unwritten { change, told });
    written
}

/// What was made before this moment can touch no token any more.
fn oldest(now: Timestamp) -> Timestamp {
    now - (MAX_MINUTES + 1) * 60_000
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

    use super::*;
    use crate::store::revoked::{Answer, MemoryRevoked};

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn group() -> GroupId {
        "1".parse().unwrap()
    }

    fn asker() -> Asker {
        Asker { subject: "ada".into(), reason: None }
    }

    async fn revoker(kept: Box<dyn RevokedStore>) -> Revoker {
        Revoker::load(Arc::default(), kept, NOW).await.unwrap()
    }

    #[actix_rt::test]
    async fn what_is_in_force_is_what_is_kept() {
        let revoker = revoker(Box::new(MemoryRevoked::default())).await;
        let of = |target| revoker.revoke(group(), target, asker(), NOW);
        let token = of(Target::Token("j".into())).await.unwrap();
        of(Target::Subject("bob".into())).await.unwrap();
        let again = of(Target::Subject("bob".into())).await.unwrap();
        let listed = revoker.in_force().list(&group(), None, 10);
        assert_eq!(listed, revoker.kept.all().await.unwrap());
        assert_eq!(listed, [token.clone(), again]);
        assert_eq!(revoker.take_back(&group(), &token.id).await.unwrap(), token);
        let gone = revoker.take_back(&group(), &token.id).await.unwrap_err();
        assert_eq!(gone.code, ErrorCode::NotFound);
        of(Target::Group).await.unwrap();
        let listed = revoker.in_force().list(&group(), None, 10);
        assert_eq!(listed, revoker.kept.all().await.unwrap());
        assert_eq!(listed.len(), 1, "the group's makes the others needless");
        revoker.tidy(NOW + 121 * 60_000 + 5_000).await;
        assert!(revoker.in_force().is_empty());
        assert_eq!(revoker.kept.all().await.unwrap(), []);
    }

    /// A storage that fails.
    struct Full;

    impl RevokedStore for Full {
        fn put<'a>(&'a self, _: &'a Revocation, _: &'a [Revocation]) -> Answer<'a, ()> {
            let (place, reason) = ("vestibule.db".into(), "the disk is full".into());
            Box::pin(async { Err(StorageError { place, doing: "cannot be written", reason }) })
        }
        fn remove<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
            Box::pin(async { Ok(()) })
        }
        fn forget_before(&self, _: Timestamp) -> Answer<'_, ()> {
            Box::pin(async { Ok(()) })
        }
        fn all(&self) -> Answer<'_, Vec<Revocation>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    /// A storage that is slow: each write waits for leave, and is noted.
    #[derive(Default)]
    struct Slow {
        leave: Notify,
        written: Mutex<Vec<String>>,
    }

    impl RevokedStore for Arc<Slow> {
        fn put<'a>(&'a self, revocation: &'a Revocation, _: &'a [Revocation]) -> Answer<'a, ()> {
            Box::pin(async {
                self.leave.notified().await;
                self.written.lock().push(format!("put {:?}", revocation.target));
                Ok(())
            })
        }
        fn remove<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
            Box::pin(async {
                self.leave.notified().await;
                self.written.lock().push("remove".to_owned());
                Ok(())
            })
        }
        fn forget_before(&self, _: Timestamp) -> Answer<'_, ()> {
            Box::pin(async { Ok(()) })
        }
        fn all(&self) -> Answer<'_, Vec<Revocation>> {
            Box::pin(async { Ok(Vec::new()) })
        }
    }

    /// A slow disk does not keep a stolen token alive; what is kept in the end is what acts in the end.
    #[actix_rt::test]
    async fn a_revocation_acts_before_the_one_before_it_is_written() {
        let kept = Arc::new(Slow::default());
        let revoker = Arc::new(revoker(Box::new(Arc::clone(&kept))).await);
        let targets = ["a", "b", "c"].map(|jti| Target::Token(jti.into()));
        let revoked = targets.clone().map(|target| {
            let revoker = Arc::clone(&revoker);
            actix_rt::spawn(async move { revoker.revoke(group(), target, asker(), NOW).await })
        });
        while revoker.in_force().len() < 3 {
            actix_rt::task::yield_now().await;
        }
        let first = revoker.in_force().list(&group(), None, 1).remove(0);
        let back = {
            let revoker = Arc::clone(&revoker);
            actix_rt::spawn(async move { revoker.take_back(&group(), &first.id).await })
        };
        while revoker.in_force().len() > 2 {
            actix_rt::task::yield_now().await;
        }
        assert_eq!(*kept.written.lock(), Vec::<String>::new(), "nothing is written yet");

        let mut expected: Vec<_> = targets.iter().map(|target| format!("put {target:?}")).collect();
        expected.push("remove".to_owned());
        for many in 1..=expected.len() {
            kept.leave.notify_one();
            while kept.written.lock().len() < many {
                actix_rt::task::yield_now().await;
            }
        }
        assert_eq!(*kept.written.lock(), expected);
        for revoked in revoked {
            assert!(revoked.await.unwrap().is_ok());
        }
        assert!(back.await.unwrap().is_ok());
    }

    #[actix_rt::test]
    async fn a_full_disk_does_not_keep_a_stolen_token_alive() {
        let revoker = revoker(Box::new(Full)).await;
        let told = revoker.revoke(group(), Target::Group, asker(), NOW).await.unwrap_err();
        assert_eq!(told.code, ErrorCode::Internal);
        assert_eq!(revoker.in_force().len(), 1);
    }
}
