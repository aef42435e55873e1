//! Whether the server's memory stays flat while its visitors change.

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use crate::kit::system;

const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Logs fill up, and memory that is used again and again gets its size.
const WARM_UP_MINUTES: usize = 5;
/// How far a minute's mean may be from the mean of the whole time after the warm-up, in parts of it.
const FLAT: f64 = 0.02;

/// The mean of resident memory in each minute of a storm.
pub struct Memory {
    process: u32,
    looked: Option<Instant>,
    /// Sums of KiB, and of how many looks.
    minutes: Vec<(u64, u64)>,
}

impl Memory {
    pub fn of(process: u32) -> Self {
        Self { process, looked: None, minutes: Vec::new() }
    }

    /// Called once a turn, with the time since the storm's start.
    pub fn look(&mut self, elapsed: Duration) {
        if self.looked.is_some_and(|last| last.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked = Some(Instant::now());
        let minute = (elapsed.as_secs() / 60) as usize;
        if self.minutes.len() <= minute {
            self.minutes.resize(minute + 1, (0, 0));
        }
        let (sum, looks) = &mut self.minutes[minute];
        *sum += system::resident_kib(self.process);
        *looks += 1;
    }

    /// The means of whole minutes, in KiB.
    fn means(&self) -> Vec<f64> {
        let whole = self.minutes.len().saturating_sub(1);
        let whole = self.minutes[..whole].iter().filter(|(_, looks)| *looks > 0);
        whole.map(|(sum, looks)| *sum as f64 / *looks as f64).collect()
    }

    /// What was wrong, if anything was. A storm that is not much longer than the warm-up is not judged.
    pub fn judge(&self) -> Option<String> {
        let means = self.means();
        let steady = means.get(WARM_UP_MINUTES..).filter(|steady| steady.len() > 1)?;
        let mean = steady.iter().sum::<f64>() / steady.len() as f64;
        let worst = steady.iter().map(|minute| (minute / mean - 1.0).abs()).fold(0.0, f64::max);
        (worst > FLAT).then(|| format!("memory is not flat: {:.1} % off its mean", worst * 100.0))
    }

    /// The figures, where there are any.
    pub fn line(&self) -> String {
        let means = self.means();
        let mut line = String::new();
        if means.len() > 1 {
            line.push_str("\n  memory by minute, MiB:");
            for mean in means {
                write!(line, " {:.2}", mean / 1024.0).unwrap();
            }
        }
        line
    }
}
