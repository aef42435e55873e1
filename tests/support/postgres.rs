//! A database of its own on the PostgreSQL server that `tests/with-postgres` starts.

use sqlx::{AnyConnection, Connection as _};

/// A database; removed by [`Database::remove`].
pub struct Database {
    server: String,
    name: String,
    /// Its address, for the settings.
    pub url: String,
}

impl Database {
    /// `None`, with a word about it, where no server is named.
    pub async fn create() -> Option<Self> {
        let Ok(server) = std::env::var("VESTIBULE_TEST_POSTGRES") else {
            eprintln!("VESTIBULE_TEST_POSTGRES is not set: not tried on PostgreSQL");
            return None;
        };
        sqlx::any::install_default_drivers();
        let name = format!("test_{:032x}", rand::random::<u128>());
        execute(&server, format!("CREATE DATABASE {name}")).await;
        let mut url: url::Url = server.parse().unwrap();
        url.set_path(&name);
        Some(Self { server, name, url: url.into() })
    }

    pub async fn remove(self) {
        execute(&self.server, format!("DROP DATABASE {} WITH (FORCE)", self.name)).await;
    }
}

async fn execute(server: &str, statement: String) {
    let mut connection = AnyConnection::connect(server).await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
