//! When a socket is pinged and when it is given up: a pure state machine.
//!
//! A sweep asks every socket of a thread about twice a second, so a deadline is met late by up to
//! that, never early. Liveness is the server's business alone: timers in a page are throttled.

use crate::{
    clock::Timestamp,
    model::close::{Close, CloseCode},
};

/// Pings in a row that may go unanswered.
const PINGS_MAX: u8 = 2;
/// A deadline that does not come.
const NEVER: Timestamp = Timestamp(u64::MAX);

/// The times that all sockets share, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// The shortest silence before a ping.
    pub ping_min_ms: u32,
    /// The longest silence before a ping; a smaller value than `ping_min_ms` counts as that.
    pub ping_max_ms: u32,
    /// How long the first frame may take.
    pub hello_ms: u32,
    /// How long bytes may wait for the peer to take them.
    pub write_ms: u32,
}

/// What a socket's owner has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing is due.
    Nothing,
    /// Send a ping.
    Ping,
    /// Close the socket so. Repeated at each check for as long as the reason lasts: a socket that
    /// is already closing and is told so again takes no close frame either, and is to be dropped.
    End(Close),
}

/// One socket's deadlines.
#[derive(Debug)]
pub struct Keepalive {
    /// The next ping, or the end when too many are unanswered.
    due: Timestamp,
    hello_until: Timestamp,
    expires: Timestamp,
    /// Drawn once for each socket, so that sockets that came together do not stay in step.
    interval_ms: u32,
    write_ms: u32,
    unanswered: u8,
}

impl Keepalive {
    /// The deadlines of a socket that opened `now`. `jitter` is a random number from the whole
    /// range of `u32`; it chooses the ping interval between the shortest and the longest.
    #[must_use]
    pub fn new(timing: &Timing, now: Timestamp, jitter: u32) -> Self {
        let width = u64::from(timing.ping_max_ms.saturating_sub(timing.ping_min_ms)) + 1;
        let extra = u32::try_from((u64::from(jitter) * width) >> 32).unwrap_or(0);
        let interval_ms = timing.ping_min_ms.saturating_add(extra);
        Self {
            due: now + u64::from(interval_ms),
            hello_until: now + u64::from(timing.hello_ms),
            expires: NEVER,
            interval_ms,
            write_ms: timing.write_ms,
            unanswered: 0,
        }
    }

    /// Bytes came from the peer; any are life, not only pongs.
    pub fn heard(&mut self, now: Timestamp) {
        self.unanswered = 0;
        self.due = now + u64::from(self.interval_ms);
    }

    /// The first frame was a valid one: the hello deadline is off.
    pub fn greeted(&mut self) {
        self.hello_until = NEVER;
    }

    /// Ends the socket at `expires` with [`CloseCode::Expired`], or never; the last word counts.
    /// The moment is one of the clock that [`Keepalive::check`] is given.
    pub fn expire_at(&mut self, expires: Option<Timestamp>) {
        self.expires = expires.unwrap_or(NEVER);
    }

    /// What is due `now`. `stalled_since` is the outbox's: since when bytes wait.
    ///
    /// A ping that was told counts as sent. After a pause of the whole process the peer still has
    /// a full interval to answer each ping.
    pub fn check(&mut self, now: Timestamp, stalled_since: Option<Timestamp>) -> Action {
        let stalled = stalled_since.is_some_and(|since| now.since(since) >= self.write_ms.into());
        let end = if now >= self.expires {
            CloseCode::Expired
        } else if now >= self.hello_until {
            CloseCode::HelloTimeout
        } else if stalled {
            CloseCode::Slow
        } else if now < self.due {
            return Action::Nothing;
        } else if self.unanswered < PINGS_MAX {
            self.unanswered += 1;
            self.due = now + u64::from(self.interval_ms);
            return Action::Ping;
        } else {
            CloseCode::PingTimeout
        };
        Action::End(end.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TIMING: Timing =
        Timing { ping_min_ms: 20_000, ping_max_ms: 25_000, hello_ms: 10_000, write_ms: 5_000 };

    fn open(jitter: u32) -> Keepalive {
        let mut keepalive = Keepalive::new(&TIMING, Timestamp(0), jitter);
        keepalive.greeted();
        keepalive
    }

    fn end(code: CloseCode) -> Action {
        Action::End(code.into())
    }

    #[test]
    fn it_is_small() {
        assert!(size_of::<Keepalive>() <= 40);
    }

    #[test]
    fn jitter_covers_the_range() {
        for (jitter, interval) in [(0, 20_000), (u32::MAX / 2, 22_500), (u32::MAX, 25_000)] {
            let mut keepalive = open(jitter);
            assert_eq!(keepalive.check(Timestamp(interval - 1), None), Action::Nothing);
            assert_eq!(keepalive.check(Timestamp(interval), None), Action::Ping);
        }
        let backwards = Timing { ping_max_ms: 1, ..TIMING };
        let mut keepalive = Keepalive::new(&backwards, Timestamp(0), u32::MAX);
        keepalive.greeted();
        assert_eq!(keepalive.check(Timestamp(19_999), None), Action::Nothing);
    }

    #[test]
    fn two_missed_pongs_end_it_and_any_byte_saves_it() {
        let mut keepalive = open(0);
        assert_eq!(keepalive.check(Timestamp(20_000), None), Action::Ping);
        assert_eq!(keepalive.check(Timestamp(39_999), None), Action::Nothing);
        assert_eq!(keepalive.check(Timestamp(40_000), None), Action::Ping);
        keepalive.heard(Timestamp(59_999));
        assert_eq!(keepalive.check(Timestamp(60_000), None), Action::Nothing);
        assert_eq!(keepalive.check(Timestamp(79_999), None), Action::Ping);
        assert_eq!(keepalive.check(Timestamp(99_999), None), Action::Ping);
        for late in [119_999, 120_500] {
            assert_eq!(keepalive.check(Timestamp(late), None), end(CloseCode::PingTimeout));
        }
    }

    #[test]
    fn a_pause_of_the_process_ends_nobody() {
        let mut keepalive = open(0);
        assert_eq!(keepalive.check(Timestamp(20_000), None), Action::Ping);
        assert_eq!(keepalive.check(Timestamp(900_000), None), Action::Ping);
        assert_eq!(keepalive.check(Timestamp(919_999), None), Action::Nothing);
    }

    #[test]
    fn hello_has_a_deadline_that_other_bytes_do_not_move() {
        let mut keepalive = Keepalive::new(&TIMING, Timestamp(0), 0);
        keepalive.heard(Timestamp(9_999));
        assert_eq!(keepalive.check(Timestamp(9_999), None), Action::Nothing);
        assert_eq!(keepalive.check(Timestamp(10_000), None), end(CloseCode::HelloTimeout));
        keepalive.greeted();
        assert_eq!(keepalive.check(Timestamp(10_000), None), Action::Nothing);
    }

    #[test]
    fn waiting_bytes_have_a_deadline() {
        let mut keepalive = open(0);
        let since = Some(Timestamp(1_000));
        assert_eq!(keepalive.check(Timestamp(5_999), since), Action::Nothing);
        assert_eq!(keepalive.check(Timestamp(6_000), since), end(CloseCode::Slow));
    }

    #[test]
    fn a_token_expires_unless_renewed() {
        let mut keepalive = open(0);
        keepalive.expire_at(Some(Timestamp(1_000)));
        keepalive.expire_at(Some(Timestamp(2_000)));
        assert_eq!(keepalive.check(Timestamp(1_999), None), Action::Nothing);
        assert_eq!(keepalive.check(Timestamp(2_000), None), end(CloseCode::Expired));
        keepalive.expire_at(None);
        assert_eq!(keepalive.check(Timestamp(2_000), None), Action::Nothing);
    }

    /// Keeps every ping since the last byte, and asks the rules in words.
    struct Naive {
        last_heard: u64,
        pings: Vec<u64>,
        interval: u64,
    }

    impl Naive {
        fn check(&mut self, now: u64, stalled_since: Option<u64>) -> Action {
            if stalled_since.is_some_and(|since| now - since >= 5_000) {
                return end(CloseCode::Slow);
            }
            let last = self.pings.last().copied().unwrap_or(self.last_heard);
            match now - last < self.interval {
                true => Action::Nothing,
                false if self.pings.len() == 2 => end(CloseCode::PingTimeout),
                false => {
                    self.pings.push(now);
                    Action::Ping
                }
            }
        }
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_rules_in_words(
            jitter: u32,
            steps in prop::collection::vec((0..15_000u64, 0..8u8, 0..6_000u64), 1..100),
        ) {
            let mut keepalive = open(jitter);
            let interval = 20_000 + ((u64::from(jitter) * 5_001) >> 32);
            let mut naive = Naive { last_heard: 0, pings: vec![], interval };
            let mut now = 0;
            for (pause, kind, stalled_for) in steps {
                now += pause;
                if kind == 0 {
                    keepalive.heard(Timestamp(now));
                    (naive.last_heard, naive.pings) = (now, vec![]);
                }
                let since = (kind == 1).then(|| now.saturating_sub(stalled_for));
                let action = keepalive.check(Timestamp(now), since.map(Timestamp));
                prop_assert_eq!(action, naive.check(now, since));
            }
        }
    }
}
