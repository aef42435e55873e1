//! Which sockets of this node watch which visitor.

use dashmap::DashMap;

use crate::model::{
    error::{ErrorCode, Problem},
    ids::{SocketId, VisitorKey},
};

/// Most watchers of one visitor on one node; one more is refused with `toomany`.
pub const MAX_WATCHERS: usize = 10_000;

/// Watchers by visitor. Bounded by the watchers' own limits: each socket gives back what it took when it ends.
#[derive(Default)]
pub struct Watchers {
    by_visitor: DashMap<VisitorKey, Vec<SocketId>>,
}

impl Watchers {
    /// Adds a watcher. Adding it again changes nothing.
    ///
    /// # Errors
    /// `toomany` when the visitor has [`MAX_WATCHERS`].
    pub fn add(&self, visitor: VisitorKey, watcher: SocketId) -> Result<(), Problem> {
        let mut watchers = self.by_visitor.entry(visitor).or_default();
        if watchers.contains(&watcher) {
            return Ok(());
        }
        if watchers.len() >= MAX_WATCHERS {
            let sentence = format!("a visitor may have {MAX_WATCHERS} watchers");
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        watchers.push(watcher);
        Ok(())
    }

    /// Takes a watcher out.
    pub fn remove(&self, visitor: &VisitorKey, watcher: SocketId) {
        let emptied = self.by_visitor.get_mut(visitor).is_some_and(|mut watchers| {
            watchers.retain(|other| *other != watcher);
            watchers.is_empty()
        });
        if emptied {
            self.by_visitor.remove_if(visitor, |_, watchers| watchers.is_empty());
        }
        let (len, capacity) = (self.by_visitor.len(), self.by_visitor.capacity());
        if capacity > 4096 && len < capacity / 8 {
            self.by_visitor.shrink_to_fit();
        }
    }

    /// Gives the watchers of a visitor, if there are any, to `act`.
    pub fn with(&self, visitor: &VisitorKey, act: impl FnOnce(&[SocketId])) {
        if let Some(watchers) = self.by_visitor.get(visitor) {
            act(&watchers);
        }
    }

    /// How many visitors are watched.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_visitor.len()
    }

    /// Whether nobody is watched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_visitor.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(visitor: &str) -> VisitorKey {
        VisitorKey { group: "12345".parse().unwrap(), visitor: visitor.parse().unwrap() }
    }

    #[test]
    fn what_was_added_is_taken_out_without_a_trace() {
        let watchers = Watchers::default();
        for _ in 0..2 {
            watchers.add(key("ada"), SocketId(1)).unwrap();
        }
        watchers.add(key("ada"), SocketId(2)).unwrap();
        let mut seen = Vec::new();
        watchers.with(&key("ada"), |sockets| seen = sockets.to_vec());
        assert_eq!(seen, [SocketId(1), SocketId(2)]);
        watchers.remove(&key("ada"), SocketId(1));
        watchers.remove(&key("ada"), SocketId(2));
        watchers.remove(&key("bob"), SocketId(2));
        assert!(watchers.is_empty());
    }

    #[test]
    fn one_watcher_too_many_is_refused() {
        let watchers = Watchers::default();
        for n in 0..MAX_WATCHERS as u64 {
            watchers.add(key("ada"), SocketId(n)).unwrap();
        }
        assert_eq!(
            watchers.add(key("ada"), SocketId(u64::MAX)).unwrap_err().code,
            ErrorCode::TooMany
        );
    }
}
