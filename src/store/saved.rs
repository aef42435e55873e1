//! Storage on disk: what the memory engine hands from one process to the next, and whether the last one ended well.
//!
//! At the start [`SavedState::begin`], then [`SavedState::take_all`] of each kind; at the end
//! [`SavedState::save_all`] of each kind, then [`SavedState::end`]. A process that is killed never reaches the end;
//! the next one then finds nothing, or kinds that do not belong together, and should act on none of them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use sqlx::{
    QueryBuilder, Row, Sqlite, SqlitePool,
    migrate::{Migration, MigrationType, Migrator},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::auth::Secret;

/// How long another process may hold the file before we give up.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Pages that SQLite keeps in memory, as negative KiB: rows go through from end to end, and are not looked at again.
const CACHE: &str = "-256";
/// Rows in one statement: enough to make their number matter little, far below SQLite's 32,766 variables.
const ROWS_A_STATEMENT: usize = 500;

/// Where the storage is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
}

/// Why a text names no storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStorageUrl {
    /// A kind of storage that this version has no code for.
    #[error("only SQLite is supported: write sqlite: and a path, as in sqlite:vestibule.db")]
    Scheme,
    /// No file, or one in memory, which would forget what it is for.
    #[error("name a file behind sqlite:, as in sqlite:vestibule.db")]
    File,
}

impl StorageUrl {
    /// Reads `sqlite:path` or `sqlite://path`; a relative path starts at `base`.
    ///
    /// # Errors
    /// Another scheme, or no file.
    pub fn parse(text: &str, base: &Path) -> Result<Self, InvalidStorageUrl> {
        let path = text.strip_prefix("sqlite:").ok_or(InvalidStorageUrl::Scheme)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.ends_with('/') || path.starts_with(':') || path.contains('?') {
            return Err(InvalidStorageUrl::File);
        }
        Ok(Self::Sqlite(base.join(path)))
    }
}

/// Why the storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("storage {}: {doing}: {reason}", path.display())]
pub struct StorageError {
    /// The file.
    pub path: PathBuf,
    /// What was tried.
    pub doing: &'static str,
    /// What went wrong.
    #[source]
    pub reason: Box<dyn std::error::Error + Send + Sync>,
}

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
pub struct SavedState {
    path: PathBuf,
    pool: SqlitePool,
}

impl SavedState {
    /// Opens the storage, makes it where it is missing, and brings its tables up to date.
    ///
    /// A new file is readable by its owner only: it holds presence data.
    ///
    /// # Errors
    /// The folder is missing or closed to us, the file is not a SQLite database or is damaged, or a newer version
    /// of this server has changed its tables.
    pub async fn open(url: &StorageUrl) -> Result<Self, StorageError> {
        let StorageUrl::Sqlite(path) = url;
        let failed = |reason: Box<dyn std::error::Error + Send + Sync>| StorageError {
            path: path.clone(),
            doing: "cannot be opened",
            reason,
        };
        create_private(path).map_err(|error| failed(error.into()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            // A lost power supply must not bring back rows that were taken.
            .synchronous(SqliteSynchronous::Full)
            .pragma("cache_size", CACHE)
            .busy_timeout(BUSY_TIMEOUT);
        // One connection: SQLite has one writer anyway, and ours come one after the other.
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .map_err(|error| failed(error.into()))?;
        migrations().run(&pool).await.map_err(|error| failed(error.into()))?;
        Ok(Self { path: path.clone(), pool })
    }

    /// The connection, for what else is kept in this storage.
    pub(super) fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Marks the start of a process and tells how the last one ended.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub async fn begin(&self) -> Result<Boot, StorageError> {
        let begin = async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let last = sqlx::query("SELECT incarnation, clean FROM process")
                .fetch_optional(&mut *transaction)
                .await?;
            let (last, clean) = match last {
                Some(row) => (row.try_get::<i64, _>(0)?, row.try_get::<bool, _>(1)?),
                None => (0, true),
            };
            let incarnation = last.saturating_add(1);
            sqlx::query("INSERT OR REPLACE INTO process (id, incarnation, clean) VALUES (1, ?, 0)")
                .bind(incarnation)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(Boot { clean, incarnation: u64::try_from(incarnation).unwrap_or_default() })
        };
        begin.await.map_err(self.failed("the start could not be marked"))
    }

    /// Marks the clean end of the process that started as `incarnation`, after everything is saved.
    ///
    /// A process that was overtaken by a newer one marks nothing.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub async fn end(&self, incarnation: u64) -> Result<(), StorageError> {
        sqlx::query("UPDATE process SET clean = 1 WHERE incarnation = ?")
            .bind(i64::try_from(incarnation).unwrap_or(i64::MAX))
            .execute(&self.pool)
            .await
            .map_err(self.failed("the end could not be marked"))?;
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
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            sqlx::query("DELETE FROM saved WHERE kind = ?")
                .bind(kind)
                .execute(&mut *transaction)
                .await?;
            let mut rows = rows.into_iter();
            let mut saved = 0;
            loop {
                let batch: Vec<_> = rows.by_ref().take(ROWS_A_STATEMENT).collect();
                if batch.is_empty() {
                    break;
                }
                saved += u64::try_from(batch.len()).unwrap_or_default();
                QueryBuilder::<Sqlite>::new("INSERT OR REPLACE INTO saved (kind, key, value) ")
                    .push_values(batch, |mut row, (key, value)| {
                        row.push_bind(kind).push_bind(key).push_bind(value);
                    })
                    .build()
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok(saved)
        };
        save.await.map_err(self.failed("state could not be saved"))
    }

    /// Reads all rows of `kind` in the order of their keys and deletes them in the same transaction, so that
    /// whatever happens next, nothing is loaded twice.
    ///
    /// # Errors
    /// The storage cannot be read or written; then the rows are still there.
    pub async fn take_all(&self, kind: &str) -> Result<Vec<(String, Vec<u8>)>, StorageError> {
        let take = async {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
            let rows = sqlx::query_as("SELECT key, value FROM saved WHERE kind = ? ORDER BY key")
                .bind(kind)
                .fetch_all(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM saved WHERE kind = ?")
                .bind(kind)
                .execute(&mut *transaction)
                .await?;
            transaction.commit().await?;
            Ok(rows)
        };
        take.await.map_err(self.failed("state could not be loaded"))
    }

    /// A secret of the service with this name, made when it is first asked for; the same for every process that uses
    /// this storage.
    ///
    /// # Errors
    /// The storage cannot be read or written.
    pub async fn secret(&self, name: &str) -> Result<Secret, StorageError> {
        let find = async {
            sqlx::query("INSERT OR IGNORE INTO secrets (name, value) VALUES (?, ?)")
                .bind(name)
                .bind(Secret::generate().expose())
                .execute(&self.pool)
                .await?;
            let select =
                sqlx::query_scalar::<_, String>("SELECT value FROM secrets WHERE name = ?");
            select.bind(name).fetch_one(&self.pool).await
        };
        find.await.map(Secret::from).map_err(self.failed("a secret could not be kept"))
    }

    /// Closes the storage and folds its log into the one file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    pub(super) fn failed(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> StorageError {
        let path = self.path.clone();
        move |error| StorageError { path, doing, reason: error.into() }
    }
}

/// The steps that made the tables what they are. Steps are added, never changed.
fn migrations() -> Migrator {
    let steps = [
        (
            1,
            "saved state",
            "CREATE TABLE saved (
                 kind TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (kind, key)
             );
             CREATE TABLE process (
                 id INTEGER PRIMARY KEY CHECK (id = 1), incarnation INTEGER NOT NULL, clean INTEGER NOT NULL
             );",
        ),
        (
            20,
            "dead letters",
            "CREATE TABLE dead_letters (
                 id INTEGER PRIMARY KEY AUTOINCREMENT, group_id TEXT NOT NULL, endpoint TEXT NOT NULL,
                 event TEXT NOT NULL, body TEXT NOT NULL, cause TEXT NOT NULL, error TEXT NOT NULL,
                 tries INTEGER NOT NULL, died INTEGER NOT NULL
             );
             CREATE INDEX dead_letters_by_endpoint ON dead_letters (group_id, endpoint, id);",
        ),
        (
            30,
            "revocations",
            "CREATE TABLE revocations (
                 id TEXT PRIMARY KEY, group_id TEXT NOT NULL, kind TEXT NOT NULL, value TEXT NOT NULL,
                 made INTEGER NOT NULL, made_by TEXT NOT NULL, reason TEXT, UNIQUE (group_id, kind, value)
             );",
        ),
        (40, "session history", super::history::TABLES),
        (
            41,
            "secrets",
            "CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);",
        ),
    ];
    let steps = steps.into_iter().map(|(version, description, sql)| {
        let sql = sqlx::SqlSafeStr::into_sql_str(sql);
        Migration::new(version, description.into(), MigrationType::Simple, sql, false)
    });
    Migrator::with_migrations(steps.collect())
}

fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "saved_tests.rs"]
mod tests;
