//! Where settings come from.

use std::path::{Path, PathBuf};

/// Where settings come from.
#[derive(Clone, Default)]
pub struct Sources {
    /// The settings file.
    pub file: Option<PathBuf>,
    /// The environment: names and texts.
    pub environment: Vec<(String, String)>,
    /// The flag `--bind`.
    pub bind: Option<String>,
}

impl Sources {
    /// The process's environment under these flags; without `--config`, `VESTIBULE_CONFIG` names the file.
    #[must_use]
    pub fn of_process(config: Option<PathBuf>, bind: Option<String>) -> Self {
        let environment: Vec<_> = std::env::vars_os()
            .filter_map(|(name, text)| Some((name.into_string().ok()?, text.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("VESTIBULE_"))
            .collect();
        Self { file: config, environment, bind }.with_file_of_environment()
    }

    pub(super) fn with_file_of_environment(mut self) -> Self {
        self.file = self.file.or_else(|| {
            let named =
                |(name, text): &&(String, String)| name == "VESTIBULE_CONFIG" && !text.is_empty();
            self.environment.iter().find(named).map(|(_, text)| text.into())
        });
        self
    }

    /// Where relative paths start: the settings file's folder, else the current one.
    pub(super) fn base(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or(Path::new(""))
    }
}

impl std::fmt::Debug for Sources {
    /// Without the environment, which holds secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}
