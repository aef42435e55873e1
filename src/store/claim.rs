//! Who uses a SQLite file: a process that is alone, or nodes that share their records. The file would hold what two processes
//! say, and neither would know of the other one's.
//!
//! That is a lock of the system on a file beside it, which ends with the process, however that ends. It is another file, since
//! SQLite's own locks end when a process closes the database, whoever else in it has that open.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::database::{StorageError, StorageUrl, private};

/// How long a process waits for the end of the one before it.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it looks. The system tells of a lock's end only whoever waits without a limit.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// Beside whom a process uses its storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// Nobody.
    Alone,
    /// Processes that say the same: nodes, which know each other's records, and put what they save beside that of others.
    Nodes,
}

/// Why a process may not use its storage.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// Another living process does, and did so for as long as this one waited.
    #[error(
        "storage.url: another living process uses {0}; each process needs its own file, only nodes (cluster.engine = \"redis\") may share one"
    )]
    Taken(Arc<str>),
    /// The lock's file cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A process uses its storage, until this is dropped.
#[derive(Debug)]
pub struct Claim {
    place: Arc<str>,
    company: Company,
    locked: Option<File>,
}

impl Claim {
    /// Claims the storage, and waits for a while for the end of who else does. PostgreSQL is anybody's. A node whom nobody
    /// was before has it alone until it has [made its tables](Self::has_tables).
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub async fn of(url: &StorageUrl, company: Company) -> Result<Self, ClaimError> {
        let mut claim = Self { place: url.place(), company, locked: None };
        let StorageUrl::Sqlite(path) = url else { return Ok(claim) };
        let file = beside(path).and_then(|path| private().create(true).open(path));
        claim.locked = Some(file.map_err(|error| StorageError {
            place: url.place(),
            doing: "cannot be opened",
            reason: error.into(),
        })?);
        claim.hold(|file| first_lock(file, company)).await?;
        Ok(claim)
    }

    /// The storage has its tables: other nodes may come.
    ///
    /// # Errors
    /// See [`ClaimError`].
    pub async fn has_tables(&mut self) -> Result<(), ClaimError> {
        match self.company {
            Company::Alone => Ok(()),
            Company::Nodes => self.hold(File::try_lock_shared).await,
        }
    }

    async fn hold(
        &mut self,
        lock: impl Fn(&File) -> Result<(), TryLockError>,
    ) -> Result<(), ClaimError> {
        let until = Instant::now() + PATIENCE;
        while let Some(file) = &self.locked {
            match lock(file) {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < until => {
                    tokio::time::sleep(LOOKS_EVERY).await;
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(ClaimError::Taken(Arc::clone(&self.place)));
                }
                Err(TryLockError::Error(error)) => {
                    let place = &self.place;
                    tracing::warn!(
                        %place, %error,
                        "the system cannot tell whether another process uses this file: see to it that none does"
                    );
                    self.locked = None;
                }
            }
        }
        Ok(())
    }
}

fn first_lock(file: &File, company: Company) -> Result<(), TryLockError> {
    match company {
        Company::Alone => file.try_lock(),
        // Those who come at the same time would make the same tables.
        Company::Nodes => file.try_lock().or_else(|_| file.try_lock_shared()),
    }
}

/// The lock's file. Who names the database by a link comes to the same one.
fn beside(path: &Path) -> std::io::Result<PathBuf> {
    let mut name = match path.canonicalize() {
        Ok(path) => path.into_os_string(),
        // It is still to be made.
        Err(_) => std::path::absolute(path)?.into_os_string(),
    };
    name.push("-lock");
    Ok(name.into())
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::{Company::*, *};

    #[actix_rt::test]
    async fn who_is_alone_has_the_file_alone_and_nodes_share_it() {
        let folder = TempDir::new().unwrap();
        let url = StorageUrl::Sqlite(folder.path().join("vestibule.db"));
        let other = private().create(true).open(folder.path().join("vestibule.db-lock")).unwrap();
        for (first, second, is_well) in [
            (Alone, Alone, false),
            (Alone, Nodes, false),
            (Nodes, Alone, false),
            (Nodes, Nodes, true),
        ] {
            let mut has = Claim::of(&url, first).await.unwrap();
            assert!(first_lock(&other, second).is_err(), "{second:?} beside a new {first:?}");
            has.has_tables().await.unwrap();
            assert_eq!(first_lock(&other, second).is_ok(), is_well, "{second:?} beside {first:?}");
            other.unlock().unwrap();
            drop(has);
            assert!(first_lock(&other, second).is_ok(), "{second:?} behind {first:?}");
            other.unlock().unwrap();
        }
    }

    #[actix_rt::test]
    async fn a_link_leads_to_the_same_claim_and_a_missing_folder_is_named() {
        let folder = TempDir::new().unwrap();
        let (path, link) = (folder.path().join("vestibule.db"), folder.path().join("link.db"));
        std::fs::write(&path, "").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(beside(&path).unwrap(), beside(&link).unwrap());
        let claim = Claim::of(&StorageUrl::Sqlite(link), Alone).await.unwrap();
        assert!(claim.locked.is_some());
        let missing = StorageUrl::Sqlite(folder.path().join("missing").join("vestibule.db"));
        let error = Claim::of(&missing, Alone).await.unwrap_err().to_string();
        assert!(error.contains("missing/vestibule.db: cannot be opened: No such file"), "{error}");
    }
}
