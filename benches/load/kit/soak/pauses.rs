//! When this process itself stood still: on a machine that stalls for seconds, pages come back late and events are read
//! late by nobody's fault, and the judge must not take that for the server's.

/// Shorter gaps are the work of a turn.
const NOTICED_MS: u64 = 500;
/// A pause of so long within what is judged explains it.
pub const EXCUSING_MS: u64 = 1_000;

#[derive(Default)]
pub struct Pauses {
    last: u64,
    /// Beginnings and ends, in order.
    found: Vec<(u64, u64)>,
}

impl Pauses {
    /// Called once a turn.
    pub fn tick(&mut self, now: u64) {
        if now - self.last >= NOTICED_MS {
            self.found.push((self.last, now));
        }
        self.last = now;
    }

    /// How much of the time from `from` to `to` this process stood still, in milliseconds.
    pub fn within(&self, from: u64, to: u64) -> u64 {
        let overlap = |(start, end): &(u64, u64)| (*end).min(to).saturating_sub((*start).max(from));
        self.found.iter().map(overlap).sum()
    }

    pub fn longest(&self) -> u64 {
        self.found.iter().map(|(start, end)| end - start).max().unwrap_or_default()
    }
}
