//! The database behind the storage: SQLite in a file of our own, or PostgreSQL. The statements of this module's
//! neighbours run on both; what differs between the two is here.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sqlx::{
    Any, AnyConnection, AnyPool, ConnectOptions as _, Connection as _, Executor as _, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
    migrate::{Migration, MigrationType, Migrator},
};
use url::Url;

use crate::auth::Secret;

/// How long a start waits for a database to let us in.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one who writes waits for those before him, on a disk that may be busy.
const TURN: Duration = Duration::from_secs(30);
/// What a SQLite connection begins with. A lost power supply must not bring back rows that were taken, so every commit
/// is on the disk. The cache is 256 KiB: rows go through from end to end, and are not looked at again.
const SQLITE: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     PRAGMA cache_size = -256";

/// Likewise: it need not say that a table is there already.
const POSTGRES: &str = "SET client_min_messages = warning";

/// Where the storage is.
#[derive(Clone, Debug)]
pub enum StorageUrl {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL server and database.
    Postgres(PostgresUrl),
}

/// The address of a PostgreSQL database. It may hold a password, so `Debug` shows the place alone.
#[derive(Clone)]
pub struct PostgresUrl {
    url: Secret,
    place: Arc<str>,
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.place)
    }
}

/// Why a text names no storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidStorageUrl {
    /// A kind of storage that there is no code for.
    #[error(
        "write sqlite: and a path, as in sqlite:vestibule.db, or postgres://user@host/database"
    )]
    Scheme,
    /// No file, or one in memory, which would forget what it is for.
    #[error("name a file behind sqlite:, as in sqlite:vestibule.db")]
    File,
    /// No address of a PostgreSQL database.
    #[error("name a server and a database, as in postgres://user@host/database")]
    Database,
}

impl StorageUrl {
    /// Reads `sqlite:path` or `sqlite://path`, where a relative path starts at `base`, or `postgres://…`, with the
    /// parameters of libpq.
    ///
    /// # Errors
    /// Another scheme, no file, or no database.
    pub fn parse(text: &str, base: &Path) -> Result<Self, InvalidStorageUrl> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return postgres(text).map(Self::Postgres);
        }
        let path = text.strip_prefix("sqlite:").ok_or(InvalidStorageUrl::Scheme)?;
        let path = path.strip_prefix("//").unwrap_or(path);
        if path.is_empty() || path.ends_with('/') || path.starts_with(':') || path.contains('?') {
            return Err(InvalidStorageUrl::File);
        }
        Ok(Self::Sqlite(base.join(path)))
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> Arc<str> {
        match self {
            Self::Sqlite(path) => path.display().to_string().into(),
            Self::Postgres(postgres) => Arc::clone(&postgres.place),
        }
    }
}

fn postgres(text: &str) -> Result<PostgresUrl, InvalidStorageUrl> {
    let url = Url::parse(text).map_err(|_| InvalidStorageUrl::Database)?;
    let database = url.path().trim_start_matches('/');
    if database.is_empty() || database.contains('/') {
        return Err(InvalidStorageUrl::Database);
    }
    let host = url.host_str().unwrap_or_default();
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let place = format!("postgres://{host}{port}/{database}").into();
    Ok(PostgresUrl { url: text.into(), place })
}

/// Why the storage did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("storage {place}: {doing}: {reason}")]
pub struct StorageError {
    /// Where it is.
    pub place: Arc<str>,
    /// What was tried.
    pub doing: &'static str,
    /// What went wrong.
    #[source]
    pub reason: Box<dyn std::error::Error + Send + Sync>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// An open database.
#[derive(Clone, Debug)]
pub(super) struct Database {
    place: Arc<str>,
    kind: Kind,
    pool: AnyPool,
}

impl Database {
    /// Opens it, makes a file where it is missing, and brings the tables up to date by `steps`.
    pub(super) async fn open(url: &StorageUrl, steps: &[Step]) -> Result<Self, StorageError> {
        let place = url.place();
        let failed = |reason: Box<dyn std::error::Error + Send + Sync>| StorageError {
            place: url.place(),
            doing: "cannot be opened",
            reason,
        };
        sqlx::any::install_default_drivers();
        let (kind, address) = match url {
            StorageUrl::Sqlite(path) => {
                create_private(path).map_err(|error| failed(error.into()))?;
                (Kind::Sqlite, file_address(path).map_err(|error| failed(error.into()))?)
            }
            // For the connection only.
            StorageUrl::Postgres(postgres) => (Kind::Postgres, postgres.url.expose().to_owned()),
        };
        let open = async {
            let options: AnyConnectOptions = address.parse()?;
            // A pool tries again until its time is over, and then only says that; this says what is wrong.
            let first = async {
                let mut first = options.connect().await?;
                prepare(kind, &mut first).await?;
                first.close().await
            };
            tokio::time::timeout(PATIENCE, first)
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)??;
            // One connection: SQLite has one writer anyway, and ours come one after the other.
            let mut pool = AnyPoolOptions::new().max_connections(1).acquire_timeout(TURN);
            if kind == Kind::Sqlite {
                // To open a file anew now and then gains nothing, and fails where its folder was tidied away.
                pool = pool.max_lifetime(None).idle_timeout(None);
            }
            let pool = pool
                .after_connect(move |connection, _| Box::pin(prepare(kind, connection)))
                .connect_with(options)
                .await?;
            Ok::<_, sqlx::Error>(pool)
        };
        let pool = open.await.map_err(|error| failed(error.into()))?;
        migrator(kind, steps).run(&pool).await.map_err(|error| failed(error.into()))?;
        Ok(Self { place, kind, pool })
    }

    pub(super) fn pool(&self) -> &AnyPool {
        &self.pool
    }

    /// Begins what is to be written whole or not at all.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Any>, sqlx::Error> {
        // SQLite's plain BEGIN may fail in the middle, when another process has begun to write.
        let begin = match self.kind {
            Kind::Sqlite => "BEGIN IMMEDIATE",
            Kind::Postgres => "BEGIN",
        };
        self.pool.begin_with(begin).await
    }

    pub(super) fn failed(&self, doing: &'static str) -> impl FnOnce(sqlx::Error) -> StorageError {
        let place = Arc::clone(&self.place);
        move |error| StorageError { place, doing, reason: error.into() }
    }
}

async fn prepare(kind: Kind, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let begin = match kind {
        Kind::Sqlite => SQLITE,
        Kind::Postgres => POSTGRES,
    };
    connection.execute(begin).await.map(drop)
}

/// A step that made the tables what they are, in the words of SQLite. Steps are added, never changed.
pub(super) struct Step {
    pub(super) version: i64,
    pub(super) what: &'static str,
    pub(super) sql: &'static str,
}

fn migrator(kind: Kind, steps: &[Step]) -> Migrator {
    let migration = |step: &Step| {
        let sql = match kind {
            Kind::Sqlite => sqlx::SqlSafeStr::into_sql_str(step.sql),
            Kind::Postgres => {
                sqlx::SqlSafeStr::into_sql_str(sqlx::AssertSqlSafe(in_postgres(step.sql)))
            }
        };
        Migration::new(step.version, step.what.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(steps.iter().map(migration).collect())
}

/// The types that have other names there. SQLite's whole numbers have 64 bits.
fn in_postgres(sql: &str) -> String {
    sql.replace(
        "INTEGER PRIMARY KEY AUTOINCREMENT",
        "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    )
    .replace("INTEGER", "BIGINT")
    .replace("BLOB", "BYTEA")
}

/// The file's address: a path may hold what has a meaning in addresses.
fn file_address(path: &Path) -> std::io::Result<String> {
    let url = Url::from_file_path(std::path::absolute(path)?);
    let url = url.map_err(|()| std::io::Error::other("the path has no address"))?;
    Ok(format!("sqlite://{}", url.path()))
}

/// Writes files that, where they are new, are readable by their owner only: they hold presence data.
pub(super) fn private() -> std::fs::OpenOptions {
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn create_private(path: &Path) -> std::io::Result<()> {
    match private().create_new(true).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_file_or_a_database() {
        let parse = |text| {
            StorageUrl::parse(text, Path::new("/etc/vestibule")).map(|url| url.place().to_string())
        };
        let at = |place: &str| Ok(place.to_owned());
        assert_eq!(parse("sqlite:vestibule.db"), at("/etc/vestibule/vestibule.db"));
        assert_eq!(parse("sqlite://vestibule.db"), at("/etc/vestibule/vestibule.db"));
        assert_eq!(parse("sqlite:/var/lib/v.db"), at("/var/lib/v.db"));
        assert_eq!(parse("sqlite:///var/lib/v.db"), at("/var/lib/v.db"));
        for text in ["sqlite:", "sqlite://", "sqlite::memory:", "sqlite:a/", "sqlite:a?mode=ro"] {
            assert_eq!(parse(text), Err(InvalidStorageUrl::File), "{text}");
        }
        for text in ["", "vestibule.db", "mysql://db/v", "SQLITE:a"] {
            assert_eq!(parse(text), Err(InvalidStorageUrl::Scheme), "{text}");
        }
        let with_password = "postgres://ann:quokka@db.test:6543/vestibule?sslmode=require";
        assert_eq!(parse(with_password), at("postgres://db.test:6543/vestibule"));
        let url = StorageUrl::parse(with_password, Path::new("/")).unwrap();
        assert!(!format!("{url:?}").contains("quokka"), "{url:?}");
        assert_eq!(parse("postgresql:///vestibule?host=/run/pg"), at("postgres:///vestibule"));
        for text in ["postgres://", "postgres://db.test", "postgres://db.test/", "postgres://d/a/b"]
        {
            assert_eq!(parse(text), Err(InvalidStorageUrl::Database), "{text}");
        }
    }
}
