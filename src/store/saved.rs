//! Storage on disk.

use std::path::{Path, PathBuf};

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
