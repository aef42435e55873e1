//! The revocations that outlive the process: a seam with two sides, [`Revoked`] in the storage on disk and
//! [`MemoryRevoked`], and one suite for both.

use std::{future::Future, pin::Pin, sync::Arc};

use parking_lot::Mutex;
use sqlx::{Row as _, any::AnyRow};

use super::saved::{SavedState, StorageError};
use crate::{
    auth::{Revocation, Target},
    clock::Timestamp,
    model::ids::GroupId,
};

/// What a store answers, later.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StorageError>> + Send + 'a>>;

/// Keeps revocations. What was answered with `Ok` is there after kill -9.
pub trait RevokedStore: Send + Sync {
    /// Keeps one in place of those that it makes needless, all in one step.
    fn put<'a>(&'a self, revocation: &'a Revocation, needless: &'a [Revocation]) -> Answer<'a, ()>;
    /// Drops the one with this name. That there is none is no error.
    fn remove<'a>(&'a self, id: &'a str) -> Answer<'a, ()>;
    /// Drops those that were made before this moment.
    fn forget_before(&self, made: Timestamp) -> Answer<'_, ()>;
    /// All of them, in the order of their making.
    fn all(&self) -> Answer<'_, Vec<Revocation>>;
}

/// Revocations in the storage on disk.
#[derive(Clone, Debug)]
pub struct Revoked(SavedState);

impl Revoked {
    /// Those in this storage.
    #[must_use]
    pub fn of(storage: &SavedState) -> Self {
        Self(storage.clone())
    }
}

fn columns(target: &Target) -> (&'static str, &str) {
    match target {
        Target::Token(jti) => ("token", jti),
        Target::Subject(subject) => ("subject", subject),
        Target::Group => ("group", ""),
    }
}

fn read(row: &AnyRow) -> Result<Revocation, sqlx::Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let broken = |what: &str| sqlx::Error::Decode(format!("a revocation has a bad {what}").into());
    let value: Arc<str> = text("value")?.into();
    let target = match text("kind")?.as_str() {
        "token" => Target::Token(value),
        "subject" => Target::Subject(value),
        "group" => Target::Group,
        _ => return Err(broken("kind")),
    };
    Ok(Revocation {
        id: text("id")?.into(),
        group: text("group_id")?.parse::<GroupId>().map_err(|_| broken("group"))?,
        target,
        made: Timestamp(u64::try_from(row.try_get::<i64, _>("made")?).unwrap_or_default()),
        by: text("made_by")?.into(),
        reason: row.try_get::<Option<String>, _>("reason")?.map(Into::into),
    })
}

fn number(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

impl RevokedStore for Revoked {
    fn put<'a>(&'a self, revocation: &'a Revocation, needless: &'a [Revocation]) -> Answer<'a, ()> {
        Box::pin(async move {
            let put = async {
                let mut transaction = self.0.database().begin().await?;
                for former in needless {
                    sqlx::query("DELETE FROM revocations WHERE id = $1")
                        .bind(&*former.id)
                        .execute(&mut *transaction)
                        .await?;
                }
                let (kind, value) = columns(&revocation.target);
                sqlx::query(
                    "INSERT INTO revocations (id, group_id, kind, value, made, made_by, reason)
                     VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (group_id, kind, value)
                     DO UPDATE SET id = $1, made = $5, made_by = $6, reason = $7",
                )
                .bind(&*revocation.id)
                .bind(revocation.group.as_str())
                .bind(kind)
                .bind(value)
                .bind(number(revocation.made))
                .bind(&*revocation.by)
                .bind(revocation.reason.as_deref())
                .execute(&mut *transaction)
                .await?;
                transaction.commit().await
            };
            put.await.map_err(self.0.database().failed("a revocation could not be kept"))
        })
    }

    fn remove<'a>(&'a self, id: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            let remove = sqlx::query("DELETE FROM revocations WHERE id = $1").bind(id);
            let removed = remove.execute(self.0.database().pool()).await;
            removed
                .map(drop)
                .map_err(self.0.database().failed("a revocation could not be taken back"))
        })
    }

    fn forget_before(&self, made: Timestamp) -> Answer<'_, ()> {
        Box::pin(async move {
            let forget = sqlx::query("DELETE FROM revocations WHERE made < $1").bind(number(made));
            let forgot = forget.execute(self.0.database().pool()).await;
            forgot
                .map(drop)
                .map_err(self.0.database().failed("old revocations could not be dropped"))
        })
    }

    fn all(&self) -> Answer<'_, Vec<Revocation>> {
        Box::pin(async move {
            let all = async {
                let rows = sqlx::query("SELECT * FROM revocations ORDER BY made, id")
                    .fetch_all(self.0.database().pool())
                    .await?;
                rows.iter().map(read).collect::<Result<Vec<_>, sqlx::Error>>()
            };
            all.await.map_err(self.0.database().failed("revocations could not be read"))
        })
    }
}

/// Revocations that are forgotten with the process.
#[derive(Debug, Default)]
pub struct MemoryRevoked(Mutex<Vec<Revocation>>);

impl RevokedStore for MemoryRevoked {
    fn put<'a>(&'a self, revocation: &'a Revocation, needless: &'a [Revocation]) -> Answer<'a, ()> {
        let mut kept = self.0.lock();
        kept.retain(|one| {
            let same = one.group == revocation.group && one.target == revocation.target;
            !same && needless.iter().all(|former| former.id != one.id)
        });
        kept.push(revocation.clone());
        Box::pin(std::future::ready(Ok(())))
    }

    fn remove<'a>(&'a self, id: &'a str) -> Answer<'a, ()> {
        self.0.lock().retain(|one| &*one.id != id);
        Box::pin(std::future::ready(Ok(())))
    }

    fn forget_before(&self, made: Timestamp) -> Answer<'_, ()> {
        self.0.lock().retain(|one| one.made >= made);
        Box::pin(std::future::ready(Ok(())))
    }

    fn all(&self) -> Answer<'_, Vec<Revocation>> {
        let mut all = self.0.lock().clone();
        all.sort_by(|one, other| (one.made, &one.id).cmp(&(other.made, &other.id)));
        Box::pin(std::future::ready(Ok(all)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::testing::Place;

    fn revocation(id: &str, group: &str, target: Target, made: u64) -> Revocation {
        Revocation {
            id: id.into(),
            group: group.parse().unwrap(),
            target,
            made: Timestamp(made),
            by: "ada".into(),
            reason: made.is_multiple_of(2).then(|| "lost a \"laptop\"".into()),
        }
    }

    /// What every store must do.
    async fn suite(store: &dyn RevokedStore) {
        let token = revocation("a", "1", Target::Token("j-1".into()), 1);
        let subject = revocation("b", "1", Target::Subject("it's; bob".into()), 2);
        let other = revocation("c", "2", Target::Subject("it's; bob".into()), 3);
        assert_eq!(store.all().await.unwrap(), []);
        for one in [&other, &subject, &token] {
            store.put(one, &[]).await.unwrap();
        }
        let kept = [token.clone(), subject.clone(), other.clone()];
        assert_eq!(store.all().await.unwrap(), kept, "as they were, oldest first");
        // The same target again: the later one stays.
        let again = revocation("d", "1", subject.target.clone(), 4);
        store.put(&again, &[]).await.unwrap();
        assert_eq!(store.all().await.unwrap(), [token.clone(), other.clone(), again.clone()]);
        // A whole group, in place of what it makes needless.
        let group = revocation("e", "1", Target::Group, 5);
        store.put(&group, &[token, again]).await.unwrap();
        assert_eq!(store.all().await.unwrap(), [other.clone(), group.clone()]);
        store.remove("nobody").await.unwrap();
        store.remove("c").await.unwrap();
        assert_eq!(store.all().await.unwrap(), std::slice::from_ref(&group));
        store.forget_before(Timestamp(5)).await.unwrap();
        assert_eq!(store.all().await.unwrap(), [group]);
        store.forget_before(Timestamp(6)).await.unwrap();
        assert_eq!(store.all().await.unwrap(), []);
    }

    #[actix_rt::test]
    async fn memory_passes_the_suite() {
        suite(&MemoryRevoked::default()).await;
    }

    #[actix_rt::test]
    async fn the_storage_passes_the_suite() {
        for place in Place::all().await {
            suite(&Revoked::of(&place.open().await)).await;
            place.remove().await;
        }
    }

    #[actix_rt::test]
    async fn the_storage_keeps_them_without_a_farewell() {
        for place in Place::all().await {
            let kept = revocation("a", "1", Target::Group, 1);
            let storage = place.open().await;
            Revoked::of(&storage).put(&kept, &[]).await.unwrap();
            drop(storage);
            assert_eq!(Revoked::of(&place.open().await).all().await.unwrap(), [kept]);
            place.remove().await;
        }
    }
}
