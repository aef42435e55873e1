//! What the rules say, written down as plainly as possible: lists, no state that could be derived.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    model::{
        ids::{SignalId, SocketAddress},
        signal::Outcome,
    },
    presence::visitor::{Rules, command::Departure},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    Unknown { until: u64 },
    Away,
    Here,
    Transit { until: u64 },
    Joined { until: u64 },
}

#[derive(Clone, Debug)]
pub(super) struct Page {
    pub address: SocketAddress,
    pub tab: u8,
    pub accepted: u64,
    pub visible: bool,
    pub listening: bool,
    /// Counts up with each activity of any page.
    pub active: u64,
    /// What the page believes.
    pub has_focus: bool,
    pub got: BTreeSet<SignalId>,
}

#[derive(Clone, Debug)]
pub(super) struct Open {
    pub id: SignalId,
    pub sender: Option<SocketAddress>,
    pub all: bool,
    pub bytes: usize,
    pub due: u64,
    /// The pages that have it; none while it waits.
    pub at: Vec<SocketAddress>,
    /// Whether a page ever had it.
    pub was_sent: bool,
    /// The tabs of a page change that interrupted it, and when.
    pub interrupted: Option<(BTreeSet<u8>, u64)>,
}

/// What one step must tell.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    pub conn: Vec<bool>,
    pub sock: Vec<(bool, usize)>,
    pub visibility: Vec<bool>,
    pub presence: usize,
    pub terms: usize,
    pub joined: usize,
    pub settled: Vec<(SocketAddress, SignalId, Outcome)>,
    pub forwarded: Vec<SignalId>,
    pub closed: BTreeSet<SocketAddress>,
}

pub(super) struct Model {
    pub rules: Rules,
    pub now: u64,
    pub whereabouts: Whereabouts,
    pub awaited: bool,
    pub pages: Vec<Page>,
    /// Pages that went for one of their tab on another node and are not closed yet, and how long that matters.
    pub superseded: Vec<(SocketAddress, u64)>,
    pub data: BTreeMap<String, u8>,
    /// Open signals in the order of their acceptance.
    pub open: Vec<Open>,
    /// Final outcomes, and until when they are known.
    pub ended: Vec<(SignalId, Outcome, u64)>,
    pub told: Told,
    listened: Option<u64>,
    visible: Option<bool>,
    activities: u64,
}

impl Model {
    pub fn new(rules: Rules, now: u64) -> Self {
        let until = rules.unknown_until.0;
        Self {
            rules,
            now,
            whereabouts: if now < until {
                Whereabouts::Unknown { until }
            } else {
                Whereabouts::Away
            },
            awaited: false,
            pages: Vec::new(),
            superseded: Vec::new(),
            data: BTreeMap::new(),
            open: Vec::new(),
            ended: Vec::new(),
            told: Told::default(),
            listened: None,
            visible: None,
            activities: 0,
        }
    }

    pub fn connected(&self) -> bool {
        matches!(self.whereabouts, Whereabouts::Here | Whereabouts::Transit { .. })
    }

    pub fn listens(&self) -> bool {
        self.pages.iter().any(|page| page.listening)
    }

    pub fn focus(&self) -> Option<&Page> {
        let listening = self.pages.iter().filter(|page| page.listening);
        listening.max_by_key(|page| (page.visible, page.active))
    }

    pub fn in_signal_window(&self) -> bool {
        self.listened.is_some_and(|at| self.now < at + self.rules.signal_window_ms)
    }

    /// What time alone brings by `now`.
    pub fn pass(&mut self) {
        match self.whereabouts {
            Whereabouts::Transit { until } if until <= self.now => self.leave(),
            Whereabouts::Unknown { until } if until <= self.now => {
                self.whereabouts = Whereabouts::Away;
                if std::mem::take(&mut self.awaited) {
                    self.told.conn.push(false);
                    self.told.sock.push((false, 0));
                }
            }
            Whereabouts::Joined { until } if until <= self.now => {
                self.whereabouts = Whereabouts::Away;
            }
            _ => {}
        }
        if self.whereabouts == Whereabouts::Away && !self.in_signal_window() {
            self.listened = None;
        }
        let due: Vec<_> = self.open.iter().filter(|open| open.due <= self.now).collect();
        for id in due.iter().map(|open| open.id).collect::<Vec<_>>() {
            self.finish(id, Outcome::Expired);
        }
        let now = self.now;
        self.ended.retain(|(_, _, until)| now < *until);
    }

    fn leave(&mut self) {
        self.whereabouts = Whereabouts::Away;
        self.told.conn.push(false);
    }

    /// Whether the page is welcome.
    pub fn connect(
        &mut self,
        address: SocketAddress,
        (tab, accepted): (u8, u64),
        (visible, listening): (bool, bool),
        seen: &[SignalId],
        data: Option<(String, u8)>,
    ) -> bool {
        let mut newer =
            self.pages.iter().filter(|page| page.tab == tab && page.accepted > accepted);
        if newer.any(|page| page.accepted <= self.now) {
            for id in seen {
                self.finish(*id, Outcome::Delivered);
            }
            return false;
        }
        let ghosts: Vec<_> =
            self.pages.iter().filter(|page| page.tab == tab).map(|page| page.address).collect();
        if !self.connected() {
            self.told.conn.push(true);
            self.data.clear();
            self.visible = None;
        }
        self.whereabouts = Whereabouts::Here;
        self.awaited = false;
        self.activities += 1;
        let (active, got) = (self.activities, BTreeSet::new());
        let has_focus = false;
        self.pages.push(Page {
            address,
            tab,
            accepted,
            visible,
            listening,
            active,
            has_focus,
            got,
        });
        self.told.sock.push((true, self.pages.len()));
        for id in seen {
            self.finish(*id, Outcome::Delivered);
        }
        for ghost in &ghosts {
            self.remove(*ghost, Departure::Gone);
            if ghost.node != address.node {
                self.superseded.push((*ghost, self.now + 600_000));
            }
        }
        self.told.closed.extend(ghosts);
        if let Some((key, value)) = data {
            self.data.insert(key, value);
            self.told.presence += 1;
        }
        self.settle();
        true
    }

    fn remove(&mut self, address: SocketAddress, departure: Departure) {
        let Some(at) = self.pages.iter().position(|page| page.address == address) else { return };
        let page = self.pages.remove(at);
        self.told.sock.push((false, self.pages.len()));
        if page.listening && !self.listens() {
            self.listened = Some(self.now);
        }
        for open in self.open.iter_mut().filter(|open| open.at.contains(&address)) {
            open.at.retain(|at| *at != address);
            if open.at.is_empty() {
                open.due = open.due.max(self.now + self.rules.signal_window_ms);
                open.interrupted =
                    (departure == Departure::Gone).then(|| (BTreeSet::from([page.tab]), self.now));
            }
        }
    }

    /// A page that another one superseded is closed: until now it was there, too.
    pub fn ghost_closes(&mut self, address: SocketAddress) {
        let matters = |ghost: &(SocketAddress, u64)| ghost.0 == address && self.now < ghost.1;
        let mattered = self.superseded.iter().any(matters);
        self.superseded.retain(|(ghost, _)| *ghost != address);
        if mattered {
            self.transit_begins_anew();
        }
    }

    fn transit_begins_anew(&mut self) {
        if let Whereabouts::Transit { until } = &mut self.whereabouts {
            *until = self.now + self.rules.grace_ms;
            self.listened = self.listened.map(|_| self.now);
            for open in &mut self.open {
                open.due = open.due.max(self.now + self.rules.signal_window_ms);
            }
        }
    }

    pub fn close(&mut self, addresses: &[SocketAddress], departure: Departure) {
        let before = self.pages.len();
        for address in addresses {
            self.remove(*address, departure);
        }
        if self.pages.len() == before {
            return;
        }
        if self.pages.is_empty() {
            if departure == Departure::Disconnect || self.rules.grace_ms == 0 {
                self.leave();
            } else {
                self.whereabouts = Whereabouts::Transit { until: self.now + self.rules.grace_ms };
            }
        }
        self.settle();
    }

    pub fn lose(&mut self, node: u32, before: u64) {
        let lost = |address: &SocketAddress| {
            address.node.node == node && address.node.incarnation < before
        };
        let gone: Vec<_> = self.pages.iter().map(|page| page.address).filter(lost).collect();
        self.close(&gone, Departure::Gone);
        self.transit_begins_anew();
        self.superseded.retain(|(ghost, _)| !lost(ghost));
        for open in &mut self.open {
            open.sender = open.sender.filter(|sender| !lost(sender));
        }
    }

    /// Changes a page; `change` says whether that was an activity.
    pub fn touch(&mut self, address: SocketAddress, change: impl FnOnce(&mut Page) -> bool) {
        let Some(page) = self.pages.iter_mut().find(|page| page.address == address) else { return };
        if change(page) {
            self.activities += 1;
            page.active = self.activities;
        }
        self.settle();
    }

    pub fn join(&mut self, address: SocketAddress) -> bool {
        if !self.pages.iter().any(|page| page.address == address) {
            return false;
        }
        if self.pages.len() > 1 {
            self.close(&[address], Departure::Gone);
        } else {
            self.pages.clear();
            self.told.joined += 1;
            self.told.forwarded.extend(self.open.drain(..).map(|open| open.id));
            self.whereabouts = Whereabouts::Joined { until: self.now + 600_000 };
        }
        true
    }

    fn settle(&mut self) {
        if self.listens() {
            self.listened = None;
        }
        if !self.pages.is_empty() {
            let visible = self.pages.iter().any(|page| page.visible);
            if self.visible.is_some_and(|before| before != visible) {
                self.told.visibility.push(visible);
            }
            self.visible = Some(visible);
        }
    }

    /// When something happens by time alone, at the latest.
    pub fn next(&self) -> Option<u64> {
        let whereabouts = match self.whereabouts {
            Whereabouts::Unknown { until } => Some(until).filter(|_| self.awaited),
            Whereabouts::Transit { until } => Some(until),
            _ => None,
        };
        let excuse = self.excuse().filter(|_| self.listens());
        let due = self.open.iter().map(|open| open.due);
        due.chain(whereabouts).chain(excuse).min()
    }

    /// Whether a record must be kept.
    pub fn matters(&self) -> bool {
        self.connected()
            || self.awaited
            || self.in_signal_window()
            || matches!(self.whereabouts, Whereabouts::Joined { .. })
            || !self.open.is_empty()
            || !self.ended.is_empty()
    }
}
