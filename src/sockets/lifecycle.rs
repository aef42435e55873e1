//! How far the process is.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU8, Ordering},
};

/// How far the process is, and whether it can do its work.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle(Arc<Stage>);

#[derive(Debug, Default)]
struct Stage {
    reached: AtomicU8,
    /// What it keeps its records in is away.
    is_degraded: AtomicBool,
    /// It ends, and others serve on.
    has_heirs: AtomicBool,
}

impl Lifecycle {
    /// The service takes sockets from now on.
    pub fn ready(&self) {
        let _ = self.0.reached.compare_exchange(0, 1, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// The service takes no more sockets. Whether this call made it so.
    pub fn drain(&self) -> bool {
        self.0.reached.swap(2, Ordering::SeqCst) != 2
    }

    /// The service takes no more connections, for which others are there.
    pub fn leave_to_others(&self) {
        self.0.has_heirs.store(true, Ordering::SeqCst);
    }

    /// Whether whoever comes again had better come to another node.
    #[must_use]
    pub fn is_left_to_others(&self) -> bool {
        self.0.has_heirs.load(Ordering::SeqCst)
    }

    /// Whether the service has begun to stop.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.0.reached.load(Ordering::SeqCst) == 2
    }

    /// Whether the service takes sockets.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.0.reached.load(Ordering::SeqCst) == 1 && !self.is_degraded()
    }

    /// Where records are kept is away, or there again. Meanwhile the service takes no sockets, and serves those that it
    /// has.
    pub fn degrade(&self, is_degraded: bool) {
        self.0.is_degraded.store(is_degraded, Ordering::SeqCst);
    }

    /// Whether where records are kept is away.
    #[must_use]
    pub fn is_degraded(&self) -> bool {
        self.0.is_degraded.load(Ordering::SeqCst)
    }
}
