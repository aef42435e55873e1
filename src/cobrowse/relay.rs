//! What is kept of a session's stream, so that an agent who comes late or reloads starts at once: of each page the last key
//! frame and what follows it, within a bound. Beyond the bound a page's tail is dropped, and a key frame is asked for.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

/// How much is kept of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// Bytes of one page: its key frame and what follows.
    pub page_bytes: usize,
    /// Pages; the oldest is forgotten first.
    pub pages: usize,
}

/// What became of a part of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is kept, and for the viewers.
    Relayed,
    /// It is for the viewers who have what came before, but a late one needs a key frame: ask the page for one.
    KeyFrameNeeded,
    /// It builds on what nobody has: drop it. A key frame was asked for already, or is asked for now.
    Dropped {
        /// Whether it is to be asked for now.
        ask: bool,
    },
}

/// The end of one session's stream.
#[derive(Debug)]
pub struct Relay {
    limits: RelayLimits,
    pages: BTreeMap<u32, Tail>,
}

#[derive(Debug, Default)]
struct Tail {
    /// The key frame, then what follows. Empty when there is no key frame that all of it builds on.
    parts: VecDeque<Bytes>,
    bytes: usize,
    /// Whether viewers have a key frame on which the next part builds.
    is_running: bool,
    /// Whether a key frame was asked for and has not come.
    is_asked: bool,
}

impl Tail {
    fn drop_parts(&mut self) {
        self.parts = VecDeque::new();
        self.bytes = 0;
    }

    fn ask(&mut self) -> bool {
        !std::mem::replace(&mut self.is_asked, true)
    }
}

impl Relay {
    /// Nothing yet.
    #[must_use]
    pub fn new(limits: RelayLimits) -> Self {
        Self { limits, pages: BTreeMap::new() }
    }

    /// A part of a page's stream comes.
    pub fn push(&mut self, epoch: u32, key_frame: bool, part: Bytes) -> Pushed {
        let most = self.limits.page_bytes;
        let tail = self.pages.entry(epoch).or_default();
        if key_frame {
            tail.drop_parts();
            tail.is_running = true;
            tail.is_asked = false;
        } else if !tail.is_running {
            let ask = tail.ask();
            return Pushed::Dropped { ask };
        }
        let has_base = key_frame || !tail.parts.is_empty();
        let fits = tail.bytes + part.len() <= most;
        let pushed = if has_base && fits {
            tail.bytes += part.len();
            tail.parts.push_back(part);
            Pushed::Relayed
        } else {
            tail.drop_parts();
            // A key frame that is too large to keep would only be asked for again and again.
            if !key_frame && tail.ask() { Pushed::KeyFrameNeeded } else { Pushed::Relayed }
        };
        while self.pages.len() > self.limits.pages {
            self.pages.pop_first();
        }
        pushed
    }

    /// What a viewer who comes now needs of a page before what comes next: nothing if a key frame must come first.
    /// Then whether it is to be asked for.
    pub fn catch_up(&mut self, epoch: u32) -> (Vec<Bytes>, bool) {
        match self.pages.get_mut(&epoch) {
            Some(tail) if !tail.parts.is_empty() => (tail.parts.iter().cloned().collect(), false),
            Some(tail) => (Vec::new(), tail.ask()),
            None => (Vec::new(), true),
        }
    }

    /// A page is gone.
    pub fn forget(&mut self, epoch: u32) {
        self.pages.remove(&epoch);
    }

    /// Bytes that are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.pages.values().map(|tail| tail.bytes).sum()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMITS: RelayLimits = RelayLimits { page_bytes: 100, pages: 3 };

    fn part(number: usize, bytes: usize) -> Bytes {
        let mut part = format!("{number} ").into_bytes();
        part.resize(bytes.max(part.len()), b'.');
        part.into()
    }

    #[test]
    fn a_late_viewer_starts_with_the_last_key_frame() {
        let mut relay = Relay::new(LIMITS);
        assert_eq!(relay.catch_up(1), (vec![], true), "there is nothing yet");
        for (number, key_frame) in [true, false, true, false].into_iter().enumerate() {
            assert_eq!(relay.push(1, key_frame, part(number, 10)), Pushed::Relayed);
        }
        assert_eq!(relay.catch_up(1), (vec![part(2, 10), part(3, 10)], false));
        assert_eq!(relay.bytes(), 20);
        relay.forget(1);
        assert_eq!(relay.bytes(), 0);
    }

    #[test]
    fn what_grows_too_long_is_dropped_and_a_key_frame_asked_for_once() {
        let mut relay = Relay::new(LIMITS);
        relay.push(1, true, part(0, 60));
        assert_eq!(relay.push(1, false, part(1, 41)), Pushed::KeyFrameNeeded);
        assert_eq!(relay.push(1, false, part(2, 10)), Pushed::Relayed, "viewers go on");
        assert_eq!(relay.catch_up(1), (vec![], false), "it was asked for");
        assert_eq!(relay.push(1, true, part(3, 10)), Pushed::Relayed);
        assert_eq!(relay.catch_up(1), (vec![part(3, 10)], false));
    }

    #[test]
    fn what_builds_on_nothing_is_dropped() {
        let mut relay = Relay::new(LIMITS);
        assert_eq!(relay.push(7, false, part(0, 10)), Pushed::Dropped { ask: true });
        assert_eq!(relay.push(7, false, part(1, 10)), Pushed::Dropped { ask: false });
    }

    proptest! {
        /// A viewer who is there from the start and one who comes at any time know the same in the end.
        #[test]
        fn a_late_viewer_sees_what_an_early_one_sees(
            parts in prop::collection::vec((0_u32..5, prop::bool::weighted(0.3), 0_usize..120), 1..80),
            late in 0_usize..80,
        ) {
            let mut relay = Relay::new(LIMITS);
            // What each viewer has of each page since its last key frame.
            let mut early = BTreeMap::<u32, Vec<Bytes>>::new();
            let mut later = BTreeMap::<u32, Vec<Bytes>>::new();
            for (number, (epoch, key_frame, bytes)) in parts.iter().enumerate() {
                if number == late {
                    for epoch in 0..5 {
                        let (parts, _) = relay.catch_up(epoch);
                        later.insert(epoch, parts);
                    }
                }
                let sent = part(number, *bytes);
                if matches!(relay.push(*epoch, *key_frame, sent.clone()), Pushed::Dropped { .. }) {
                    prop_assert!(!key_frame);
                    continue;
                }
                let viewers = [Some(&mut early), (number >= late).then_some(&mut later)];
                for viewer in viewers.into_iter().flatten() {
                    let seen = viewer.entry(*epoch).or_default();
                    if *key_frame {
                        seen.clear();
                    }
                    // Without a key frame there is nothing to build on.
                    if *key_frame || !seen.is_empty() {
                        seen.push(sent.clone());
                    }
                }
                prop_assert!(relay.bytes() <= LIMITS.page_bytes * LIMITS.pages);
            }
            for (epoch, seen) in later.iter().filter(|(_, seen)| !seen.is_empty()) {
                prop_assert_eq!(Some(seen), early.get(epoch));
            }
        }
    }
}
