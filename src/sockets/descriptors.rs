//! File descriptors: each socket needs one, and many systems give a process only 1,024 until it asks for more.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors for all that is no socket: listeners, event queues, storage, log, and plain HTTP connections.
const BESIDE_SOCKETS: u64 = 1_024;

/// What a process may open, as the settings want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// What `limits.max_sockets` needs.
    pub needed: u64,
    /// What the process may have now; `None`: without limit.
    pub allowed: Option<u64>,
}

impl Descriptors {
    /// Whether there are enough for all sockets that the settings allow.
    #[must_use]
    pub fn suffice(&self) -> bool {
        self.allowed.is_none_or(|allowed| allowed >= self.needed)
    }
}

/// Raises the process's soft limit as far as is needed, and as the hard limit allows.
#[must_use]
pub fn reserve(max_sockets: usize) -> Descriptors {
    let needed = u64::try_from(max_sockets).unwrap_or(u64::MAX).saturating_add(BESIDE_SOCKETS);
    let before = getrlimit(Resource::Nofile);
    let wanted = wanted(&before, needed);
    let is_raised = wanted == before.current
        || setrlimit(Resource::Nofile, Rlimit { current: wanted, maximum: before.maximum }).is_ok();
    Descriptors { needed, allowed: if is_raised { wanted } else { before.current } }
}

/// The soft limit to ask for: never less than now, never more than the hard limit. `None` is no limit.
fn wanted(now: &Rlimit, needed: u64) -> Option<u64> {
    let current = now.current?;
    Some(current.max(now.maximum.map_or(needed, |most| needed.min(most))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_is_raised_as_far_as_needed_and_allowed() {
        let limit = |current, maximum| Rlimit { current, maximum };
        for (now, needed, expected) in [
            (limit(Some(1_024), Some(524_288)), 101_024, Some(101_024)),
            (limit(Some(1_024), Some(4_096)), 101_024, Some(4_096)),
            (limit(Some(1_024), None), 101_024, Some(101_024)),
            (limit(Some(200_000), Some(524_288)), 101_024, Some(200_000)),
            (limit(None, None), 101_024, None),
        ] {
            assert_eq!(wanted(&now, needed), expected, "{now:?}");
        }
    }

    #[test]
    fn too_few_are_noticed() {
        let with = |allowed| Descriptors { needed: 101_024, allowed }.suffice();
        assert!(with(None) && with(Some(101_024)) && !with(Some(20_000)));
    }
}
