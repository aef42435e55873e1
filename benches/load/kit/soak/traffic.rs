//! Time goes by, with signals at random moments or without, until something comes about.

use std::time::{Duration, Instant};

use super::Soak;

impl Soak {
    pub(super) fn carry_out_due(&mut self) {
        while let Some((_, what)) = self.next_due() {
            self.carry_out(what);
        }
    }

    pub(super) fn turn_for(&mut self, time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time {
            self.turn();
            self.carry_out_due();
        }
    }

    pub(super) fn turn_until(
        &mut self,
        what: &str,
        patience: Duration,
        done: impl Fn(&Self) -> bool,
    ) {
        let started = Instant::now();
        while !done(self) {
            if started.elapsed() > patience {
                self.ledger.fail(format!("waited in vain: {what}"));
                return;
            }
            self.turn();
            self.carry_out_due();
        }
    }

    /// From now on so many signals a second are sent while time goes by.
    pub(super) fn send_at(&mut self, signals_per_second: f64) {
        self.signals_per_second = signals_per_second;
        self.next_send_ms = self.now_ms() as f64;
    }

    pub(super) fn storm_for(&mut self, time: Duration) {
        let until = self.now_ms() + time.as_millis() as u64;
        while self.now_ms() < until {
            self.turn_sending();
        }
    }

    /// Whether it came about in time.
    pub(super) fn storm_until(
        &mut self,
        patience: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let until = self.now_ms() + patience.as_millis() as u64;
        loop {
            self.turn_sending();
            if done(self) {
                return true;
            }
            if self.now_ms() >= until {
                return false;
            }
        }
    }

    pub(super) fn turn_sending(&mut self) {
        self.turn();
        self.carry_out_due();
        while self.signals_per_second > 0.0 && self.next_send_ms <= self.now_ms() as f64 {
            self.next_send_ms += self.random.pause_ms(self.signals_per_second);
            self.send_some_signal();
        }
    }
}
