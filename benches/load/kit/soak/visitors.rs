//! Visitors: who they are, and how they leave on purpose, to come back or for good.

use super::{Later, Soak, pages::Tab};

/// How long a visitor stays away who left on purpose: longer than it takes until all watchers know.
const AWAY_MS: f64 = 8_000.0;

pub struct Visitor {
    pub name: String,
    /// None when he left for good.
    pub tabs: Vec<usize>,
    /// Away on purpose, or not here yet; since when.
    pub away: Option<u64>,
    /// A page of his is on its way again; that page may go before it is welcomed.
    pub is_returning: bool,
    /// When he last came back from that.
    pub back_at: u64,
    /// When a page of his last went, and when the next one was last tried.
    pub gone_at: u64,
    pub tried_at: u64,
    /// Until when what runs in his tabs is not judged, since one of them came back late.
    pub(super) late_until: u64,
}

impl Soak {
    /// Every fifth has two tabs, where that is wanted.
    pub(super) fn make_visitors(&mut self, count: usize, with_second_tabs: bool) {
        for visitor in 0..count {
            let tabs = 1 + usize::from(with_second_tabs && visitor % 5 == 4);
            let first = self.tabs.len();
            self.tabs
                .extend((0..tabs).map(|tab| Tab::new(visitor, format!("tab-{visitor}-{tab}"))));
            self.add_visitor((first..first + tabs).collect());
        }
    }

    fn add_visitor(&mut self, tabs: Vec<usize>) -> usize {
        let visitor = self.visitors.len();
        self.visitors.push(Visitor {
            name: format!("visitor-{:x}-{visitor}", self.seed),
            tabs,
            away: None,
            is_returning: false,
            back_at: 0,
            gone_at: 0,
            tried_at: 0,
            late_until: 0,
        });
        visitor
    }

    /// Whether what runs in his tabs is not judged now.
    pub(super) fn has_late_tab(&self, visitor: usize, now: u64) -> bool {
        let Visitor { tabs, late_until, .. } = &self.visitors[visitor];
        now < *late_until || tabs.iter().any(|tab| self.tabs[*tab].is_late(now))
    }

    /// From now on nobody of him comes back, whatever ends his connections.
    pub(super) fn leave_for_good(&mut self, visitor: usize) {
        self.visitors[visitor].away = Some(self.now_ms());
        for tab in std::mem::take(&mut self.visitors[visitor].tabs) {
            self.tabs[tab].expects_close = true;
        }
        self.excuse(visitor);
    }

    /// A visitor leaves, by saying so or by closing the browser. He comes back much later, or another one soon.
    pub(super) fn leave_on_purpose(&mut self) {
        let tab = self.random.below(self.tabs.len());
        let visitor = self.tabs[tab].visitor;
        let tabs = self.visitors[visitor].tabs.clone();
        if self.visitors[visitor].away.is_some() || !tabs.iter().all(|tab| self.tabs[*tab].is_up())
        {
            return;
        }
        self.ledger.visits_ended += 1;
        self.visitors[visitor].away = Some(self.now_ms());
        self.visitors[visitor].is_returning = false;
        self.excuse(visitor);
        let says_so = self.random.chance(0.5);
        let is_last = self.random.chance(0.5);
        let back = if is_last { 0.0 } else { AWAY_MS } + self.random.unit() * 1_000.0;
        for tab in tabs.iter().copied() {
            let Some(id) = self.tabs[tab].take_page() else { continue };
            if says_so {
                self.net.text(id, br#"{"type":"disconnect"}"#);
                self.net.disown(id);
                self.after(500.0, Later::BuryGhost(id));
            } else {
                let reset = self.random.chance(0.5);
                self.net.kill(id, reset);
            }
            let wait = back + self.random.unit() * 100.0;
            self.after(wait, Later::Connect(tab));
        }
        if is_last {
            self.after(AWAY_MS, Later::Forget(visitor));
            self.succeed(visitor, tabs);
        }
    }

    /// The tabs of a visitor who left for good become those of a new one.
    fn succeed(&mut self, visitor: usize, tabs: Vec<usize>) {
        self.visitors[visitor].tabs.clear();
        let newcomer = self.add_visitor(tabs.clone());
        // Until his first welcome he is as absent as one who left.
        self.visitors[newcomer].away = Some(self.now_ms());
        self.visitors[newcomer].is_returning = true;
        for (number, tab) in tabs.into_iter().enumerate() {
            self.tabs[tab] = Tab::new(newcomer, format!("tab-{newcomer}-{number}"));
        }
        self.watch_newcomer(newcomer);
    }

    /// Signals under way to a visitor who is away on purpose need not arrive.
    pub(super) fn excuse(&mut self, visitor: usize) {
        let open = self.ledger.signals.iter_mut().rev().take(4_000);
        for sent in open.filter(|sent| sent.visitor == visitor && sent.outcome.is_none()) {
            sent.is_excused = true;
        }
    }
}
