//! What is read again while the process runs: on SIGHUP, and when a file that it was read from changes.
//!
//! Each [`Part`] reads its own state anew, checks it, and puts it in place in one step. A new state that breaks a rule
//! is refused and logged; the old one stays.

use std::{
    fs,
    io::Error as IoError,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval},
};

use crate::telemetry::{Metrics, labels::ReloadResult};

/// How often watched files are looked at. Looking costs one `stat` a file, works on every file system, and sees
/// through the symbolic links by which orchestrators swap whole folders.
const LOOK: Duration = Duration::from_secs(1);

/// Why a new state was refused. Never holds a secret.
pub type Refusal = Box<dyn std::error::Error + Send + Sync>;

/// One thing that can be read again.
pub struct Part {
    /// What it is, for the log: `keys`, `certificate`.
    pub name: &'static str,
    /// Reads it again and puts it in place, or leaves everything as it is.
    pub reload: Box<dyn Fn() -> Result<(), Refusal>>,
    /// The files that it is read from now; a change of one reads the part again.
    pub files: Box<dyn Fn() -> Vec<PathBuf>>,
}

/// The parts, and what their files looked like when they were last read.
pub struct Reloads {
    parts: Vec<(Part, Vec<Trace>)>,
    hangup: Signal,
    metrics: Metrics,
}

/// What a file looks like from outside. Two equal traces mean: the same file, not written to since.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Trace {
    path: PathBuf,
    seen: Option<(SystemTime, u64, u64)>,
}

impl Trace {
    fn of(path: &Path) -> Self {
        let seen = fs::metadata(path).ok().and_then(|found| {
            let inode = std::os::unix::fs::MetadataExt::ino(&found);
            Some((found.modified().ok()?, found.len(), inode))
        });
        Self { path: path.into(), seen }
    }
}

impl Reloads {
    /// From now on SIGHUP no longer ends the process.
    ///
    /// # Errors
    /// The signal cannot be listened for.
    pub fn new(metrics: Metrics) -> Result<Self, IoError> {
        Ok(Self { parts: Vec::new(), hangup: signal(SignalKind::hangup())?, metrics })
    }

    /// Adds a part, which has just been read for the first time.
    #[must_use]
    pub fn with(mut self, part: Part) -> Self {
        let traces = traces(&part);
        self.parts.push((part, traces));
        self
    }

    /// Reads parts again whenever there is a reason to. Never ends.
    pub async fn run(mut self) {
        let mut looks = interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                told = self.hangup.recv() => told.is_some(),
                _ = looks.tick() => false,
            };
            self.check(told);
        }
    }

    /// Reads again the parts whose files changed, or all of them.
    fn check(&mut self, all: bool) {
        for (part, seen) in &mut self.parts {
            let now = traces(part);
            if !all && now == *seen {
                continue;
            }
            // Whoever sees the count finds the reason in the log.
            let result = match (part.reload)() {
                Ok(()) => {
                    tracing::info!(part = part.name, "was read again");
                    ReloadResult::Done
                }
                Err(error) => {
                    tracing::error!(part = part.name, %error, "the new state is refused, the old one stays");
                    ReloadResult::Refused
                }
            };
            self.metrics.reloads.of(result).inc();
            // A file that changed while it was read is read once more; a bad one not before it changes again. The
            // new state may come from other files.
            let after = traces(part);
            *seen = if after.iter().map(|trace| &trace.path).eq(now.iter().map(|trace| &trace.path))
            {
                now
            } else {
                after
            };
        }
    }
}

fn traces(part: &Part) -> Vec<Trace> {
    (part.files)().iter().map(|path| Trace::of(path)).collect()
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use tempfile::TempDir;

    use super::*;

    /// A part that holds its file's text, and refuses an empty one.
    fn part(file: PathBuf, held: &Rc<RefCell<String>>) -> Part {
        let (path, held) = (file.clone(), Rc::clone(held));
        Part {
            name: "text",
            reload: Box::new(move || {
                let text = fs::read_to_string(&path)?;
                if text.is_empty() {
                    return Err("the file is empty".into());
                }
                *held.borrow_mut() = text;
                Ok(())
            }),
            files: Box::new(move || vec![file.clone()]),
        }
    }

    #[actix_rt::test]
    async fn a_change_is_taken_once_and_a_bad_state_leaves_the_old_one() {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("text");
        fs::write(&file, "first").unwrap();
        let held = Rc::new(RefCell::new("first".to_owned()));
        let metrics = Metrics::new();
        let mut reloads = Reloads::new(metrics.clone()).unwrap().with(part(file.clone(), &held));
        let counts = || {
            let of = |result| metrics.reloads.of(result).get();
            (of(ReloadResult::Done), of(ReloadResult::Refused))
        };
        reloads.check(false);
        assert_eq!(counts(), (0, 0), "nothing changed");
        fs::write(&file, "the second").unwrap();
        reloads.check(false);
        reloads.check(false);
        assert_eq!((held.borrow().as_str(), counts()), ("the second", (1, 0)));
        for _ in 0..2 {
            fs::write(&file, "").unwrap();
            reloads.check(false);
            reloads.check(false);
        }
        fs::remove_file(&file).unwrap();
        reloads.check(false);
        assert_eq!(held.borrow().as_str(), "the second");
        assert!(counts().1 >= 2, "{:?}", counts());
        fs::write(&file, "third").unwrap();
        reloads.check(false);
        assert_eq!(held.borrow().as_str(), "third");
        let (done, _) = counts();
        reloads.check(true);
        assert_eq!(counts().0, done + 1, "told to, without a change");
    }
}
