//! Which buttons of a group are enabled, and which of its pages want to know.

use std::collections::{BTreeSet, HashSet};

use parking_lot::Mutex;

use crate::model::ids::{ButtonId, SocketId};

/// The buttons of a group.
#[derive(Default)]
pub(super) struct Buttons(Mutex<Panel>);

#[derive(Default)]
struct Panel {
    enabled: BTreeSet<ButtonId>,
    /// Bounded by the limit on sockets.
    pages: HashSet<SocketId>,
    /// How often all were read anew, where several nodes share them.
    readings: u64,
}

impl Buttons {
    /// A page wants to know from now on. `begin` gets the enabled ones, and is done before the first change is told.
    pub(super) fn watch(&self, page: SocketId, begin: impl FnOnce(Vec<ButtonId>)) {
        let mut panel = self.0.lock();
        panel.pages.insert(page);
        begin(panel.enabled.iter().cloned().collect());
    }

    /// A page is gone.
    pub(super) fn unwatch(&self, page: SocketId) {
        self.0.lock().pages.remove(&page);
    }

    /// Whether this button is enabled; without one, whether any is.
    pub(super) fn is_enabled(&self, button: Option<&ButtonId>) -> bool {
        let panel = self.0.lock();
        button.map_or(!panel.enabled.is_empty(), |button| panel.enabled.contains(button))
    }

    /// A button is enabled, or no more. `tell` gets the pages, if that is news.
    pub(super) fn change(
        &self,
        button: &ButtonId,
        enabled: bool,
        tell: impl FnOnce(&mut dyn Iterator<Item = SocketId>),
    ) {
        let mut panel = self.0.lock();
        let is_news = if enabled {
            panel.enabled.insert(button.clone())
        } else {
            panel.enabled.remove(button)
        };
        if is_news {
            tell(&mut panel.pages.iter().copied());
        }
    }

    /// They are read anew from now on. Gives the number of the reading.
    pub(super) fn reads(&self) -> u64 {
        let mut panel = self.0.lock();
        panel.readings += 1;
        panel.readings
    }

    /// Whether no later reading has begun.
    pub(super) fn is_last(&self, reading: u64) -> bool {
        self.0.lock().readings == reading
    }

    /// These are enabled, and no others, as the reading of this number found: `tell` gets what is news of each, with the
    /// pages. A later reading leaves nothing to do. Whether this one counts.
    pub(super) fn were_read(
        &self,
        reading: u64,
        enabled: BTreeSet<ButtonId>,
        mut tell: impl FnMut(&ButtonId, bool, &mut dyn Iterator<Item = SocketId>),
    ) -> bool {
        let mut panel = self.0.lock();
        if panel.readings != reading {
            return false;
        }
        let before = std::mem::replace(&mut panel.enabled, enabled);
        for button in before.symmetric_difference(&panel.enabled) {
            let is_enabled = panel.enabled.contains(button);
            tell(button, is_enabled, &mut panel.pages.iter().copied());
        }
        true
    }

    /// How many pages want to know.
    pub(super) fn pages(&self) -> usize {
        self.0.lock().pages.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> BTreeSet<ButtonId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    #[test]
    fn what_an_earlier_reading_found_counts_no_more() {
        let (buttons, page) = (Buttons::default(), SocketId(1));
        buttons.watch(page, |enabled| assert_eq!(enabled, []));
        buttons.change(&"sales".parse().unwrap(), true, |_| ());
        let [early, last] = [(); 2].map(|()| buttons.reads());
        let mut told = Vec::new();
        let mut read = |reading, found| {
            buttons.were_read(reading, found, |button, is_enabled, pages| {
                told.push((button.clone(), is_enabled, pages.collect::<Vec<_>>()));
            })
        };
        assert!(!read(early, of(&["old"])), "before the last one has come to its end");
        assert!(read(last, of(&["help"])));
        assert!(!read(early, of(&["old"])), "and behind it");
        let [help, sales] = ["help", "sales"].map(|name| name.parse().unwrap());
        assert_eq!(told, [(help, true, vec![page]), (sales, false, vec![page])]);
        buttons.watch(page, |enabled| assert_eq!(BTreeSet::from_iter(enabled), of(&["help"])));
        assert!(!buttons.is_last(early) && buttons.is_last(last));
    }
}
