//! When a client comes back: the rules of the SDK (`sdk/core/backoff.ts`, `sdk/core/connection.ts`), with its numbers.
//! Both keep to `tests/fixtures/backoff.json`.

const BASE_MS: f64 = 250.0;
const CAP_MS: f64 = 10_000.0;
const YOUNG_MS: f64 = 2_000.0;
const YOUNG_SHARE: f64 = 0.2;
const FIRST_MS: f64 = 100.0;
const HEALTHY_MS: u64 = 5_000;

/// The delay until the next attempt, in milliseconds.
pub fn delay_ms(failures: u32, age_ms: u64, ordered_ms: Option<u64>, random: f64) -> f64 {
    let cap = CAP_MS.min(YOUNG_MS.max(age_ms as f64 * YOUNG_SHARE));
    let grown = cap.min(BASE_MS * 2f64.powi(failures.saturating_sub(1).min(30) as i32));
    match (ordered_ms, failures) {
        (Some(ordered), 0) => ordered as f64,
        (Some(ordered), _) => ordered as f64 + random * grown,
        (None, 0) => random * FIRST_MS,
        (None, _) => random * grown,
    }
}

/// What one client has been through. Times are in milliseconds.
#[derive(Default)]
pub struct Backoff {
    failures: u32,
    lost_at: Option<u64>,
    welcomed_at: Option<u64>,
    /// What a `goaway` asked for on the present connection.
    ordered_ms: Option<u64>,
}

impl Backoff {
    pub fn welcomed(&mut self, now: u64) {
        self.welcomed_at = Some(now);
    }

    pub fn told_to_go(&mut self, retry_ms: Option<u64>) {
        self.ordered_ms = retry_ms;
    }

    /// A connection or an attempt is over: how long to wait. `retry_ms` is what the close asked for.
    pub fn lost(&mut self, now: u64, retry_ms: Option<u64>, random: f64) -> f64 {
        let was_healthy = self.welcomed_at.take().is_some_and(|since| now >= since + HEALTHY_MS);
        self.failures = if was_healthy { 0 } else { self.failures + 1 };
        let lost_at = match self.lost_at {
            Some(since) if !was_healthy => since,
            _ => now,
        };
        self.lost_at = Some(lost_at);
        delay_ms(self.failures, now - lost_at, retry_ms.or(self.ordered_ms.take()), random)
    }
}
