//! The subscriptions of one socket that read what is kept: one page at a time, in turn, and only while the socket has room.
//!
//! So whatever waits for a socket there, it never is more at once than the socket can be sent: a client with many
//! subscriptions and a long absence catches up as fast as it reads.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::Mutex;

use super::{record::Reading, subscription::Subscription};

/// Who reads, and who waits to.
#[derive(Default)]
pub(super) struct CatchingUp(Mutex<Line>);

#[derive(Default)]
struct Line {
    waiting: VecDeque<Arc<Subscription>>,
    is_reading: bool,
}

/// The right to read one page. The next may read when it is dropped.
pub(super) struct Turn(Arc<CatchingUp>);

impl CatchingUp {
    /// A turn for one who comes first: nobody reads or waits.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Turn> {
        let mut line = self.0.lock();
        if line.is_reading || !line.waiting.is_empty() {
            return None;
        }
        line.is_reading = true;
        Some(Turn(Arc::clone(self)))
    }

    /// A turn for who waits longest, unless somebody reads.
    pub(super) fn next(self: &Arc<Self>) -> Option<(Turn, Arc<Subscription>, Reading)> {
        let mut line = self.0.lock();
        if line.is_reading {
            return None;
        }
        loop {
            let subscription = line.waiting.pop_front()?;
            // Of those that ended meanwhile nothing is left to read.
            if let Some(reading) = subscription.take_waiting() {
                line.is_reading = true;
                return Some((Turn(Arc::clone(self)), subscription, reading));
            }
        }
    }

    /// Waits behind the others.
    pub(super) fn wait(&self, subscription: &Arc<Subscription>, reading: Reading) {
        subscription.wait(reading);
        self.0.lock().waiting.push_back(Arc::clone(subscription));
    }

    /// Whether nobody waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().waiting.is_empty()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.0.lock().is_reading = false;
    }
}
