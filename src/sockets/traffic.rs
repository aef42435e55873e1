//! How much one socket may say.

use super::service::SocketService;
use crate::{
    clock::Timestamp,
    limits::{Pace, Rate},
    model::{
        close::{Close, CloseCode},
        error::{ErrorCode, Problem},
    },
    telemetry::labels::Limited,
};

/// Bytes of a message that cost as much as a message.
const BYTES_OF_ONE: usize = 4 * 1024;

/// Counts what a peer sends. A message beyond the rate is refused, and the peer told when to go on; who sends as many
/// again that are refused does not listen, and is closed.
#[derive(Debug, Default)]
pub struct Traffic {
    sent: Pace,
    refused: Pace,
}

/// Why a message is not taken.
#[derive(Debug, PartialEq, Eq)]
pub enum Excess {
    /// Say so, and go on.
    Refuse(Problem),
    /// End the socket.
    Close(Close),
}

impl Traffic {
    /// Counts a message of `bytes` that came now, and in the metrics what is not taken: a refusal as `refused`.
    ///
    /// # Errors
    /// [`Excess`] beyond `rate`.
    pub fn count(
        &mut self,
        service: &SocketService,
        rate: &Rate,
        bytes: usize,
        refused: Limited,
    ) -> Result<(), Excess> {
        self.take(rate, bytes, service.clock().now()).inspect_err(|excess| {
            let what = match excess {
                Excess::Refuse(_) => refused,
                Excess::Close(_) => Limited::Flood,
            };
            service.metrics.limited.of(what).inc();
        })
    }

    /// Counts a message of `bytes`.
    ///
    /// # Errors
    /// [`Excess`] beyond `rate`; then the message is not counted.
    pub fn take(&mut self, rate: &Rate, bytes: usize, now: Timestamp) -> Result<(), Excess> {
        let cost = u32::try_from(bytes / BYTES_OF_ONE).unwrap_or(u32::MAX).saturating_add(1);
        let Err(retry_ms) = self.sent.take(rate, cost, now) else { return Ok(()) };
        Err(match self.refused.take(rate, 1, now) {
            Ok(()) => {
                let sentence = "this socket sends too many messages";
                let problem = Problem::new(ErrorCode::RateLimited, sentence);
                Excess::Refuse(problem.retry_in(retry_ms))
            }
            Err(_) => {
                Excess::Close(Close::from(CloseCode::RateLimited).retry_in(retry_ms.max(1_000)))
            }
        })
    }
}

const _: () = assert!(size_of::<Traffic>() == 16);

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    #[test]
    fn first_a_word_then_the_end() {
        let rate = Rate::per_second(NonZeroU32::new(5).unwrap());
        let mut traffic = Traffic::default();
        let now = Timestamp(1_000_000);
        let verdicts: Vec<_> = (0..12).map(|_| traffic.take(&rate, 100, now)).collect();
        assert!(verdicts[..5].iter().all(Result::is_ok));
        for refused in &verdicts[5..10] {
            let Err(Excess::Refuse(problem)) = refused else { panic!("{refused:?}") };
            assert_eq!((problem.code, problem.retry_ms), (ErrorCode::RateLimited, Some(200)));
        }
        let closed = Close::from(CloseCode::RateLimited).retry_in(1_000);
        assert_eq!(verdicts[10..], [Err(Excess::Close(closed)), Err(Excess::Close(closed))]);
        assert_eq!(traffic.take(&rate, 100, now + 200), Ok(()), "who waited as told goes on");
    }

    #[test]
    fn long_messages_count_for_more() {
        let rate = Rate::per_second(NonZeroU32::new(20).unwrap());
        let mut traffic = Traffic::default();
        let now = Timestamp(1_000_000);
        assert_eq!(traffic.take(&rate, 64 * 1024, now), Ok(()));
        for _ in 0..3 {
            assert_eq!(traffic.take(&rate, 4_095, now), Ok(()));
        }
        assert!(traffic.take(&rate, 1, now).is_err());
    }
}
