//! Time: one clock for the whole process, which tests can hold still.

use std::{
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use parking_lot::Mutex;

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
    Shared(Arc<Agreed>),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System { started: Instant::now(), at_start: unix_millis() })
    }

    /// The machine's clock until others are heard: then theirs, see [`Clock::agree`].
    #[must_use]
    pub fn shared() -> Self {
        let (started, at_start) = (Instant::now(), unix_millis());
        let (start, last) = (AtomicU64::new(at_start), AtomicU64::new(at_start));
        Self(Source::Shared(Arc::new(Agreed { started, start, last, heard: Mutex::new(None) })))
    }

    /// The clock of all was at `time` when this machine's monotonic clock was at `seen`. The first time that is believed;
    /// later this clock comes nearer by no more than a tenth of the time that went by, so that a clock of all that was set
    /// anew ends no grace at once. Other clocks do not listen.
    pub fn agree(&self, time: Timestamp, seen: Instant) {
        if let Source::Shared(agreed) = &self.0 {
            agreed.agree(time, seen);
        }
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
                Timestamp(at_start.saturating_add(millis(started.elapsed())))
            }
            Source::Shared(agreed) => agreed.now(),
            Source::Manual(now) => Timestamp(now.load(Ordering::SeqCst)),
        }
    }

    /// Now by the system's wall clock, which people and other machines share.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        match &self.0 {
            Source::System { .. } | Source::Shared(_) => Timestamp(unix_millis()),
            Source::Manual(_) => self.now(),
        }
    }
}

/// A clock that several machines have in common.
#[derive(Debug)]
struct Agreed {
    started: Instant,
    /// What the clock of all was when this one started, as far as this one came.
    start: AtomicU64,
    /// The latest answer.
    last: AtomicU64,
    /// When the clock of all was heard last.
    heard: Mutex<Option<Instant>>,
}

impl Agreed {
    fn now(&self) -> Timestamp {
        let now = self.start.load(Ordering::Relaxed).saturating_add(millis(self.started.elapsed()));
        Timestamp(self.last.fetch_max(now, Ordering::Relaxed).max(now))
    }

    fn agree(&self, time: Timestamp, seen: Instant) {
        let mut heard = self.heard.lock();
        let wanted = time.0.saturating_sub(millis(seen.saturating_duration_since(self.started)));
        let start = self.start.load(Ordering::Relaxed);
        let start = match heard.replace(seen) {
            None => {
                self.last.store(0, Ordering::Relaxed);
                wanted
            }
            Some(before) => {
                let most = millis(seen.saturating_duration_since(before)) / 10;
                wanted.clamp(start.saturating_sub(most), start.saturating_add(most))
            }
        };
        self.start.store(start, Ordering::Relaxed);
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis)
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
    fn a_shared_clock_believes_first_and_then_comes_nearer() {
        let (clock, seen) = (Clock::shared(), Instant::now());
        clock.agree(Timestamp(50_000), seen);
        let first = clock.now();
        assert!((50_000..51_000).contains(&first.0), "{first:?}");
        // The clock of all was set an hour on: a tenth of ten seconds is believed.
        clock.agree(Timestamp(3_660_000), seen + Duration::from_secs(10));
        let then = clock.now();
        assert!((51_000..52_000).contains(&then.0), "{then:?}");
        // And back: this clock stands rather than go back.
        clock.agree(Timestamp(0), seen + Duration::from_secs(30));
        assert!((then.0..52_000).contains(&clock.now().0));
    }

    #[test]
    fn text_is_rfc_3339() {
        assert_eq!(Timestamp(1_700_000_000_123).to_rfc3339(), "2023-11-14T22:13:20.123Z");
    }
}
