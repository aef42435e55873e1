//! What a start waits for is said in the log, so that nobody who looks for the reason finds silence.

use std::{
    pin::pin,
    time::{Duration, Instant},
};

/// How long something may take before the log says that it is waited for.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Longest time until the log says so again.
const LONGEST: Duration = Duration::from_secs(60);

/// Waits for `what`; where that takes its time the log says so, at growing intervals, and when it is over.
pub(super) async fn waits_for<T>(what: &str, awaited: impl Future<Output = T>) -> T {
    let (mut awaited, since) = (pin!(awaited), Instant::now());
    for pause in pauses() {
        if let Ok(came) = tokio::time::timeout(pause, &mut awaited).await {
            if since.elapsed() >= AT_ONCE {
                tracing::info!(waited = ?since.elapsed(), "waits no longer for {what}");
            }
            return came;
        }
        tracing::warn!(waited = ?since.elapsed(), "waits for {what}");
    }
    awaited.await
}

/// The times between two words, without end.
fn pauses() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(AT_ONCE), |pause| Some(LONGEST.min(*pause * 2)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_of_waiting_takes_few_words() {
        let day = Duration::from_secs(24 * 60 * 60);
        let mut waited = Duration::ZERO;
        let words = pauses().take_while(|pause| {
            waited += *pause;
            waited < day
        });
        assert!((1_400..1_460).contains(&words.count()));
        assert!(pauses().take(4).map(|pause| pause.as_millis()).eq([500, 1_000, 2_000, 4_000]));
    }
}
