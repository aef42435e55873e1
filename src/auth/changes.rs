//! The news that somebody who was believed may be so no longer.

use std::sync::Arc;

use tokio::sync::watch;

/// A number that moves with each such news. Who remembers it need not look at each of his sockets.
#[derive(Clone, Debug)]
pub struct Changes(Arc<watch::Sender<u64>>);

impl Changes {
    /// The number now.
    #[must_use]
    pub fn number(&self) -> u64 {
        *self.0.borrow()
    }

    /// Waits for the number to move.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// To be told after the change: who sees the new number finds what has changed.
    pub fn tell(&self) {
        self.0.send_modify(|number| *number = number.wrapping_add(1));
    }
}

impl Default for Changes {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}
