//! Which sockets of this node watch which visitor.

use std::{collections::HashSet, sync::OnceLock};

use dashmap::DashMap;

use crate::model::{
    error::{ErrorCode, Problem},
    ids::{SocketId, VisitorKey},
};

/// How much may be watched; one more is refused with `toomany`.
#[derive(Clone, Copy, Debug)]
pub struct WatchLimits {
    /// Watchers of one visitor on one node.
    pub watchers_per_visitor: usize,
    /// Visitors that one socket watches.
    pub watches_per_socket: usize,
}

impl Default for WatchLimits {
    fn default() -> Self {
        Self { watchers_per_visitor: 10_000, watches_per_socket: 1_000 }
    }
}

/// Watchers by visitor, and visitors by watcher. A socket watches between [`Watchers::open`] and [`Watchers::close`];
/// what comes late changes nothing, so that nothing is left behind.
#[derive(Default)]
pub struct Watchers {
    by_visitor: DashMap<VisitorKey, Vec<SocketId>>,
    by_watcher: DashMap<SocketId, HashSet<VisitorKey>>,
    /// How many watches of each visitor there are or are about to begin, where somebody wants to know of the first and the
    /// last.
    interest: OnceLock<Interest>,
    limits: WatchLimits,
}

/// Told of a visitor whose first watch begins, and whose last one ends.
type Tell = Box<dyn Fn(&VisitorKey, bool) + Send + Sync>;

struct Interest {
    counts: DashMap<VisitorKey, usize>,
    tell: Tell,
}

impl Interest {
    fn begins(&self, visitor: &VisitorKey) {
        let mut count = self.counts.entry(visitor.clone()).or_default();
        *count += 1;
        // Told while the entry is locked, so that first and last are told in turns.
        if *count == 1 {
            (self.tell)(visitor, true);
        }
    }

    fn ends(&self, visitor: &VisitorKey) {
        self.counts.remove_if_mut(visitor, |_, count| {
            *count = count.saturating_sub(1);
            if *count == 0 {
                (self.tell)(visitor, false);
            }
            *count == 0
        });
    }
}

impl Watchers {
    /// Nobody watches yet.
    #[must_use]
    pub fn new(limits: WatchLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Tells, from now on, when a visitor begins to be of interest to sockets of this node, and when he is no more.
    pub fn tells(&self, tell: impl Fn(&VisitorKey, bool) + Send + Sync + 'static) {
        let _ = self.interest.set(Interest { counts: DashMap::new(), tell: Box::new(tell) });
    }

    /// Who watches whom.
    #[must_use]
    pub fn all(&self) -> Vec<(VisitorKey, Vec<SocketId>)> {
        let all = self.by_visitor.iter();
        all.map(|watched| (watched.key().clone(), watched.value().clone())).collect()
    }

    fn begins(&self, visitor: &VisitorKey) {
        if let Some(interest) = self.interest.get() {
            interest.begins(visitor);
        }
    }

    fn ends(&self, visitor: &VisitorKey) {
        if let Some(interest) = self.interest.get() {
            interest.ends(visitor);
        }
    }

    /// A socket may watch from now on.
    pub fn open(&self, watcher: SocketId) {
        self.by_watcher.entry(watcher).or_default();
    }

    /// A socket is gone.
    pub fn close(&self, watcher: SocketId) {
        if let Some((_, visitors)) = self.by_watcher.remove(&watcher) {
            for visitor in &visitors {
                self.forget(visitor, watcher);
                self.ends(visitor);
            }
        }
    }

    /// Adds a watcher. Adding it again changes nothing.
    ///
    /// # Errors
    /// `toomany` beyond the limits.
    pub fn add(&self, visitor: VisitorKey, watcher: SocketId) -> Result<(), Problem> {
        self.reserve(visitor.clone(), watcher)?;
        self.begin(visitor, watcher)
    }

    /// Counts a watch that is about to begin, so that what comes meanwhile (an end, or one watch more) finds it. Whether
    /// it is a new one.
    ///
    /// # Errors
    /// `toomany` when the socket watches as many as it may.
    pub fn reserve(&self, visitor: VisitorKey, watcher: SocketId) -> Result<bool, Problem> {
        let Some(mut watched) = self.by_watcher.get_mut(&watcher) else { return Ok(false) };
        let most = self.limits.watches_per_socket;
        if watched.len() >= most && !watched.contains(&visitor) {
            let sentence = format!("a socket may watch {most} visitors");
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        let is_new = watched.insert(visitor.clone());
        if is_new {
            self.begins(&visitor);
        }
        Ok(is_new)
    }

    /// From now on the watcher gets the visitor's events, unless the reserved watch has ended meanwhile.
    ///
    /// # Errors
    /// `toomany` when the visitor has as many as he may; the reservation is gone then.
    pub fn begin(&self, visitor: VisitorKey, watcher: SocketId) -> Result<(), Problem> {
        // Both maps are always locked in this order.
        let Some(mut watched) = self.by_watcher.get_mut(&watcher) else { return Ok(()) };
        if !watched.contains(&visitor) {
            return Ok(());
        }
        let mut watchers = self.by_visitor.entry(visitor).or_default();
        if watchers.contains(&watcher) {
            return Ok(());
        }
        let most = self.limits.watchers_per_visitor;
        if watchers.len() >= most {
            watched.remove(watchers.key());
            self.ends(watchers.key());
            let sentence = format!("a visitor may have {most} watchers");
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        watchers.push(watcher);
        Ok(())
    }

    /// Takes a watcher out.
    pub fn remove(&self, visitor: &VisitorKey, watcher: SocketId) {
        if let Some(mut watched) = self.by_watcher.get_mut(&watcher) {
            let was_watched = watched.remove(visitor);
            self.forget(visitor, watcher);
            if was_watched {
                self.ends(visitor);
            }
        }
    }

    fn forget(&self, visitor: &VisitorKey, watcher: SocketId) {
        let emptied = self.by_visitor.get_mut(visitor).is_some_and(|mut watchers| {
            watchers.retain(|other| *other != watcher);
            watchers.is_empty()
        });
        if emptied {
            self.by_visitor.remove_if(visitor, |_, watchers| watchers.is_empty());
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

    /// How many subscriptions there are in all.
    #[must_use]
    pub fn subscriptions(&self) -> usize {
        self.by_visitor.iter().map(|watchers| watchers.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(visitor: &str) -> VisitorKey {
        VisitorKey { group: "12345".parse().unwrap(), visitor: visitor.parse().unwrap() }
    }

    #[test]
    fn a_socket_that_goes_leaves_nothing_behind() {
        let watchers = Watchers::default();
        for socket in [SocketId(1), SocketId(2)] {
            watchers.open(socket);
        }
        for _ in 0..2 {
            watchers.add(key("ada"), SocketId(1)).unwrap();
        }
        watchers.add(key("ada"), SocketId(2)).unwrap();
        watchers.add(key("bob"), SocketId(2)).unwrap();
        let mut seen = Vec::new();
        watchers.with(&key("ada"), |sockets| seen = sockets.to_vec());
        assert_eq!(seen, [SocketId(1), SocketId(2)]);
        watchers.remove(&key("ada"), SocketId(1));
        watchers.close(SocketId(2));
        watchers.add(key("eve"), SocketId(2)).unwrap();
        watchers.close(SocketId(1));
        assert!(watchers.is_empty() && watchers.by_watcher.is_empty());
    }

    #[test]
    fn a_watch_that_ends_before_it_begins_never_does() {
        let watchers = Watchers::default();
        let watcher = SocketId(1);
        watchers.open(watcher);
        assert_eq!(watchers.reserve(key("ada"), watcher), Ok(true));
        watchers.remove(&key("ada"), watcher);
        watchers.begin(key("ada"), watcher).unwrap();
        assert!(watchers.is_empty());
        // Asked for again before the first begins: once.
        for _ in 0..2 {
            watchers.reserve(key("ada"), watcher).unwrap();
        }
        for _ in 0..2 {
            watchers.begin(key("ada"), watcher).unwrap();
        }
        assert_eq!(watchers.subscriptions(), 1);
        watchers.close(watcher);
        watchers.begin(key("ada"), watcher).unwrap();
        assert!(watchers.is_empty() && watchers.by_watcher.is_empty());
    }

    #[test]
    fn one_too_many_is_refused() {
        let limits = WatchLimits { watchers_per_visitor: 10, watches_per_socket: 5 };
        let watchers = Watchers::new(limits);
        for n in 0..10 {
            watchers.open(SocketId(n));
            watchers.add(key("ada"), SocketId(n)).unwrap();
        }
        let late = SocketId(u64::MAX);
        watchers.open(late);
        assert_eq!(watchers.add(key("ada"), late).unwrap_err().code, ErrorCode::TooMany);
        for n in 0..5 {
            watchers.add(key(&format!("v{n}")), late).unwrap();
        }
        assert_eq!(watchers.add(key("bob"), late).unwrap_err().code, ErrorCode::TooMany);
    }
}
