//! Storage on disk: what the memory engine hands from one process to the next, and whether the last one ended well.
//!
//! At the start [`SavedState::begin`], then [`SavedState::take_all`] of each kind; at the end
//! [`SavedState::save_all`] of each kind, then [`SavedState::end`]. A process that is killed never reaches the end;
//! the next one then finds nothing, or kinds that do not belong together, and should act on none of them.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row};

use super::database::{Database, Step};
pub use super::database::{InvalidStorageUrl, StorageError, StorageUrl};
use crate::auth::Secret;

/// Rows in one statement: enough to make their number matter little, far below SQLite's 32,766 variables.
const ROWS_A_STATEMENT: usize = 500;

/// What a start finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot {
    /// Whether the last process reached [`SavedState::end`]; true at the very first start.
    pub clean: bool,
    /// The number of this start: 1, then always greater.
    pub incarnation: u64,
}

/// Rows of bytes by kind and key, and the mark of a clean end.
#[derive(Clone, Debug)]
pub struct SavedState(Database);

impl SavedState {
    /// Opens the storage, makes it where it is missing, and brings its tables up to date.
    ///
    /// # Errors
    /// The folder is missing or closed to us, the file is not a SQLite database or is damaged, the PostgreSQL server
    /// does not let us in, or a newer version of this server has changed the tables.
    pub async fn open(url: &StorageUrl) -> Result<Self, StorageError> {
        Database::open(url, STEPS).await.map(Self)
    }

    /// The database, for what else is kept in this storage.
    pub(super) fn database(&self) -> &Database {
        &self.0
    }

    /// Marks the start of a process and tells how the last one ended.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub async fn begin(&self) -> Result<Boot, StorageError> {
        let begin = async {
            let mut transaction = self.0.begin().await?;
            let last = sqlx::query("SELECT incarnation, clean FROM process")
                .fetch_optional(&mut *transaction)
                .await?;
            let (last, clean) = match last {
                Some(row) => (row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)? == 1),
                None => (0, true),
            };
            let incarnation = last.saturating_add(1);
            sqlx::query(
                "INSERT INTO process (id, incarnation, clean) VALUES (1, $1, 0)
                 ON CONFLICT (id) DO UPDATE SET incarnation = $1, clean = 0",
            )
            .bind(incarnation)
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(Boot { clean, incarnation: u64::try_from(incarnation).unwrap_or_default() })
        };
        begin.await.map_err(self.0.failed("the start could not be marked"))
    }

    /// Marks the clean end of the process that started as `incarnation`, after everything is saved.
    ///
    /// A process that was overtaken by a newer one marks nothing.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub async fn end(&self, incarnation: u64) -> Result<(), StorageError> {
        sqlx::query("UPDATE process SET clean = 1 WHERE incarnation = $1")
            .bind(i64::try_from(incarnation).unwrap_or(i64::MAX))
            .execute(self.0.pool())
            .await
            .map_err(self.0.failed("the end could not be marked"))?;
        Ok(())
    }

    /// Replaces all rows of `kind`, in one transaction: all of them or none. Returns how many were saved. Of two
    /// rows with one key the later stays.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub async fn save_all(
        &self,
        kind: &str,
        rows: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<u64, StorageError> {
        let save = async {
            let mut transaction = self.0.begin().await?;
            delete_all(&mut transaction, kind).await?;
            let saved = insert(&mut transaction, kind, rows).await?;
            transaction.commit().await?;
            Ok(saved)
        };
        save.await.map_err(self.0.failed("state could not be saved"))
    }

    /// Puts rows of `kind` beside those that others saved, in one transaction: all of them or none. Returns how many
    /// were saved. One with the key of another one replaces it.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub async fn add(
        &self,
        kind: &str,
        rows: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Result<u64, StorageError> {
        let add = async {
            let mut transaction = self.0.begin().await?;
            let saved = insert(&mut transaction, kind, rows).await?;
            transaction.commit().await?;
            Ok(saved)
        };
        add.await.map_err(self.0.failed("state could not be saved"))
    }

    /// Reads all rows of `kind` in the order of their keys and deletes them in the same transaction, so that
    /// whatever happens next, nothing is loaded twice.
    ///
    /// # Errors
    /// The storage cannot be read or written; then the rows are still there.
    pub async fn take_all(&self, kind: &str) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let take = async {
            let mut transaction = self.0.begin().await?;
            let rows = sqlx::query_as("SELECT key, value FROM saved WHERE kind = $1 ORDER BY key")
                .bind(kind)
                .fetch_all(&mut *transaction)
                .await?;
            delete_all(&mut transaction, kind).await?;
            transaction.commit().await?;
            Ok(rows)
        };
        take.await.map_err(self.0.failed("state could not be loaded"))
    }

    /// A secret of the service with this name, made when it is first asked for; the same for every process that uses
    /// this storage.
    ///
    /// # Errors
    /// The storage cannot be read or written.
    pub async fn secret(&self, name: &str) -> Result<Secret, StorageError> {
        let find = async {
            sqlx::query(
                "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            )
            .bind(name)
            .bind(Secret::generate().expose())
            .execute(self.0.pool())
            .await?;
            let select =
                sqlx::query_scalar::<_, String>("SELECT value FROM secrets WHERE name = $1");
            select.bind(name).fetch_one(self.0.pool()).await
        };
        find.await.map(Secret::from).map_err(self.0.failed("a secret could not be kept"))
    }

    /// Closes the storage; SQLite folds its log into the one file.
    pub async fn close(&self) {
        self.0.pool().close().await;
    }
}

async fn delete_all(connection: &mut AnyConnection, kind: &str) -> sqlx::Result<()> {
    let delete = sqlx::query("DELETE FROM saved WHERE kind = $1").bind(kind);
    delete.execute(connection).await.map(drop)
}

async fn insert(
    connection: &mut AnyConnection,
    kind: &str,
    rows: impl IntoIterator<Item = (String, Vec<u8>)>,
) -> sqlx::Result<u64> {
    let mut rows = rows.into_iter();
    let mut saved = 0;
    loop {
        // Of two rows with one key the later stays: a statement may write a row once only.
        let batch: Vec<_> = rows.by_ref().take(ROWS_A_STATEMENT).collect();
        if batch.is_empty() {
            return Ok(saved);
        }
        saved += u64::try_from(batch.len()).unwrap_or_default();
        let batch = BTreeMap::from_iter(batch);
        let values =
            (0..batch.len()).map(|row| format!("($1, ${}, ${})", 2 * row + 2, 2 * row + 3));
        let insert = format!(
            "INSERT INTO saved (kind, key, value) VALUES {}
             ON CONFLICT (kind, key) DO UPDATE SET value = excluded.value",
            values.collect::<Vec<_>>().join(", "),
        );
        let insert = sqlx::query(sqlx::AssertSqlSafe(insert)).bind(kind);
        let insert =
            batch.into_iter().fold(insert, |insert, (key, value)| insert.bind(key).bind(value));
        insert.execute(&mut *connection).await?;
    }
}

/// The steps that made the tables what they are. Steps are added, never changed.
const STEPS: &[Step] = &[
    Step { version: 1, what: "saved state", sql: "CREATE TABLE saved (
                 kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)
             );
             CREATE TABLE process (
                 id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL, clean INTEGER NOT NULL
             );" },
    Step { version: 20, what: "dead letters", sql: "CREATE TABLE dead_letters (
                 id INTEGER PRIMARY KEY AUTOINCREMENT, group_id TEXT NOT NULL, endpoint TEXT NOT NULL,
                 event TEXT NOT NULL, body TEXT NOT NULL, cause TEXT NOT NULL, error TEXT NOT NULL,
                 tries INTEGER NOT NULL, died INTEGER NOT NULL
             );
             CREATE INDEX dead_letters_by_endpoint ON dead_letters (group_id, endpoint, id);" },
    Step { version: 30, what: "revocations", sql: "CREATE TABLE revocations (
                 id TEXT PRIMARY KEY, group_id TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
                 made INTEGER NOT NULL, made_by TEXT NOT NULL, reason TEXT, UNIQUE (group_id, kind, value)
             );" },
    Step { version: 40, what: "session history", sql: super::history::TABLES },
    Step { version: 41, what: "secrets", sql: "CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);" },
    Step { version: 42, what: "chats", sql: super::history::CHAT_TABLES },
    ];

#[cfg(test)]
#[path = "saved_tests.rs"]
mod tests;
