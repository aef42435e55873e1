//! Storages for tests: a SQLite file, and a database of its own on the PostgreSQL server that `VESTIBULE_TEST_POSTGRES`
//! names (`tests/with-postgres` starts one and names it).

use tempfile::TempDir;

use super::*;
use crate::store::saved::SavedState;

/// A place that can be opened again and again, and is removed at last.
pub(crate) struct Place {
    pub(crate) url: StorageUrl,
    /// The server, and the database on it.
    database: Option<(AnyConnectOptions, String)>,
    _folder: TempDir,
}

impl Place {
    /// One of each kind that there is here.
    pub(crate) async fn all() -> Vec<Self> {
        let folder = TempDir::new().unwrap();
        let url = StorageUrl::Sqlite(folder.path().join("vestibule ?#%.db"));
        let mut places = vec![Self { url, database: None, _folder: folder }];
        match std::env::var("VESTIBULE_TEST_POSTGRES") {
            Ok(server) => places.push(Self::on(&server).await),
            Err(_) => eprintln!("VESTIBULE_TEST_POSTGRES is not set: not tried on PostgreSQL"),
        }
        places
    }

    async fn on(server: &str) -> Self {
        sqlx::any::install_default_drivers();
        let name = format!("test_{:032x}", rand::random::<u128>());
        let mut url: Url = server.parse().unwrap();
        let server: AnyConnectOptions = server.parse().unwrap();
        execute(&server, format!("CREATE DATABASE {name}")).await;
        url.set_path(&name);
        let url = StorageUrl::parse(url.as_str(), Path::new("/")).unwrap();
        Self { url, database: Some((server, name)), _folder: TempDir::new().unwrap() }
    }

    pub(crate) async fn open(&self) -> SavedState {
        SavedState::open(&self.url).await.unwrap()
    }

    /// Removes the database; its connections end.
    pub(crate) async fn remove(self) {
        if let Some((server, name)) = self.database {
            execute(&server, format!("DROP DATABASE {name} WITH (FORCE)")).await;
        }
    }
}

async fn execute(server: &AnyConnectOptions, statement: String) {
    let mut connection = server.connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
