//! Time: one clock for the whole process, which tests can hold still.

use std::{
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// A moment, in milliseconds since the Unix epoch.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Milliseconds from `earlier` to here; 0 when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Timestamp) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The moment as RFC 3339 text in UTC, for people and for REST.
    #[must_use]
    pub fn to_rfc3339(self) -> String {
        i64::try_from(self.0)
            .ok()
            .and_then(chrono::DateTime::from_timestamp_millis)
            .map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
            .unwrap_or_default()
    }
}

impl Add<u64> for Timestamp {
    type Output = Timestamp;
    fn add(self, milliseconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(milliseconds))
    }
}

impl Sub<u64> for Timestamp {
    type Output = Timestamp;
    fn sub(self, milliseconds: u64) -> Timestamp {
        Timestamp(self.0.saturating_sub(milliseconds))
    }
}

/// Tells the time. Cheap to clone; all clones agree.
///
/// The system clock is read once, at the start; from then on the monotonic clock counts, so that a corrected
/// system clock never takes presence back in time. What compares times with the outside (token expiry) asks
/// [`Clock::wall`].
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: Instant, at_start: u64 },
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now(), at_start: unix_millis() })
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(start.0))))
    }

    /// Moves a manual clock on; a system clock does not listen.
    pub fn advance(&self, milliseconds: u64) {
        if let Source::Manual(now) = &self.0 {
            now.fetch_add(milliseconds, Ordering::SeqCst);
        }
    }

    /// Now; never earlier than an earlier answer.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System { started, at_start } => {
                let elapsed = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
                Timestamp(at_start.saturating_add(elapsed))
            }
            Source::Manual(now) => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Now by the system's wall clock, which people and other machines share.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } => Timestamp(unix_millis()),
            Source::Manual(_) => self.now(),
        }
    }
}

fn unix_millis() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp(1_000));
        let other = clock.clone();
        other.advance(5);
        assert_eq!(clock.now(), Timestamp(1_005));
        assert_eq!(clock.wall(), clock.now());
    }

    #[test]
    fn text_is_rfc_3339() {
        assert_eq!(Timestamp(1_700_000_000_123).to_rfc3339(), "2023-11-14T22:13:20.123Z");
    }
}
