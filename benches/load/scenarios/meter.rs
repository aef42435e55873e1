//! What a stretch of work takes.

use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::kit::system;

/// How long one round warms up before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);

/// Takes the time and the CPU of a stretch of work.
pub(super) struct Meter {
    started: Instant,
    server: u64,
    ticks: (u64, u64),
    own: u64,
    process: u32,
}

impl Meter {
    pub(super) fn start(process: u32) -> Self {
        let (server, own) = (system::cpu_ns(process), system::own_cpu_ns());
        Self { started: Instant::now(), server, ticks: system::ticks(process), own, process }
    }

    fn seconds(&self) -> f64 {
        self.started.elapsed().as_secs_f64()
    }

    /// The server's CPU in seconds.
    fn cpu(&self) -> f64 {
        (system::cpu_ns(self.process) - self.server) as f64 / 1e9
    }

    /// What is worth knowing of `count` operations.
    pub(super) fn report(&self, count: u64, what: &str) -> String {
        let (seconds, cpu) = (self.seconds(), self.cpu());
        let ticks = system::ticks(self.process);
        let (user, kernel) = (ticks.0 - self.ticks.0, ticks.1 - self.ticks.1);
        format!(
            "{:.0} {what}/s, server's CPU {:.2} µs each ({:.3} s per 100,000; {:.0} % of it in the \
             kernel; {:.0} % of its core), load's core {:.0} %",
            count as f64 / seconds,
            cpu * 1e6 / count as f64,
            cpu * 1e5 / count as f64,
            kernel as f64 * 100.0 / (user + kernel).max(1) as f64,
            cpu * 100.0 / seconds,
            (system::own_cpu_ns() - self.own) as f64 / 1e7 / seconds,
        )
    }
}

/// The rounds of a scenario: one that warms up, then those that are measured.
pub(super) struct Rounds {
    started: Instant,
    until: Duration,
    each: Duration,
    /// Those that are over, the first one too.
    over: usize,
    most: usize,
    meter: Meter,
}

impl Rounds {
    /// So many are measured, each for so long; the first one begins now.
    pub(super) fn begin(process: u32, most: usize, seconds: f64) -> Self {
        let each = Duration::from_secs_f64(seconds);
        let (started, meter) = (Instant::now(), Meter::start(process));
        Self { started, until: WARM_UP, each, over: 0, most, meter }
    }

    /// Whether a round is over, and the next one has begun; then with what it took, where it was measured.
    pub(super) fn over(&mut self) -> Option<Option<Meter>> {
        if self.started.elapsed() < self.until {
            return None;
        }
        let next = Meter::start(self.meter.process);
        let meter = std::mem::replace(&mut self.meter, next);
        let measured = (self.over > 0).then_some(meter);
        self.over += 1;
        self.until += self.each;
        Some(measured)
    }

    /// Whether all are over.
    pub(super) fn are_over(&self) -> bool {
        self.over > self.most
    }
}

pub fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).unwrap()
}

pub fn quantiles(histogram: &Histogram<u64>) -> String {
    let at = |quantile| histogram.value_at_quantile(quantile) as f64 / 1e6;
    format!(
        "p50 {:.3} ms, p99 {:.3} ms, most {:.1} ms",
        at(0.5),
        at(0.99),
        histogram.max() as f64 / 1e6
    )
}
