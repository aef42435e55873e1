//! Signals at random moments while something else is waited for.

use std::time::Duration;

use super::Soak;

impl Soak {
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
