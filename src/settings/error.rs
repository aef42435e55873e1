//! What can be wrong with settings.

use std::path::PathBuf;

/// Why the settings cannot be used. No message repeats a value that might be a secret.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// A setting is unknown, missing or against its rule.
    #[error("{key}: {rule}")]
    Key {
        /// Its path, as in `groups[0].visitor_origins[1]`, or the environment variable's name.
        key: String,
        /// What is wrong.
        rule: String,
    },
    /// Development mode found no place for its files.
    #[error("no temporary folder: {0}")]
    Folder(std::io::Error),
}

impl SettingsError {
    pub(super) fn key(key: impl Into<String>, rule: impl ToString) -> Self {
        Self::Key { key: key.into(), rule: rule.to_string() }
    }
}
