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

    /// These are enabled, and no others: `tell` gets what is news of each, with the pages.
    pub(super) fn are(
        &self,
        enabled: BTreeSet<ButtonId>,
        mut tell: impl FnMut(&ButtonId, bool, &mut dyn Iterator<Item = SocketId>),
    ) {
        let mut panel = self.0.lock();
        let before = std::mem::replace(&mut panel.enabled, enabled);
        for button in before.symmetric_difference(&panel.enabled) {
            let is_enabled = panel.enabled.contains(button);
            tell(button, is_enabled, &mut panel.pages.iter().copied());
        }
    }

    /// How many pages want to know.
    pub(super) fn pages(&self) -> usize {
        self.0.lock().pages.len()
    }
}
