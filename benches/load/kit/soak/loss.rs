//! One of several nodes is killed: half of its visitors come back elsewhere, the others do not come back.

use std::time::Duration;

use super::{
    Service, Soak,
    watching::{GRACE_MS, watchers},
};
use crate::kit::{nodes::Nodes, server::Wishes};

/// A node that did not renew so long is ended by others, if they have lived for that and a fifth of it.
const LEASE_MS: u64 = 10_000;
const LIVED: Duration = Duration::from_millis(LEASE_MS * 6 / 5 + 500);
/// How long after the kill the leave of whoever does not come back must be told.
const TOLD_MS: u64 = LEASE_MS + GRACE_MS + 1_000;
/// One of so many who come back is between two pages when the node dies, and signals are held for him.
const BETWEEN_PAGES: usize = 10;

pub struct Loss {
    pub nodes: usize,
    /// All on the node that is killed.
    pub visitors: usize,
    /// All on the others.
    pub agents: usize,
    pub signals_per_second: f64,
    pub seed: u64,
}

impl Loss {
    pub fn full() -> Self {
        Self { nodes: 3, visitors: 2_000, agents: 20, signals_per_second: 200.0, seed: 1 }
    }

    /// For every build.
    pub fn short() -> Self {
        Self { visitors: 600, agents: 6, signals_per_second: 50.0, ..Self::full() }
    }
}

/// Runs it. Prints a summary; false when a rule was broken.
pub fn run(plan: &Loss) -> bool {
    let wishes = Wishes { lift_limits: false, ..Wishes::default() };
    let Some(mut nodes) = Nodes::start(plan.nodes, &wishes) else { return false };
    let mut soak = Soak::new(nodes.address(), nodes.nodes[0].token(), plan.seed);
    let began = soak.now_ms();
    let others: Vec<usize> = (1..plan.nodes).collect();
    nodes.proxy.only(&others);
    soak.make_visitors(plan.visitors, false);
    soak.make_agents(plan.agents);
    soak.agents_move_in();
    nodes.proxy.only(&[0]);
    soak.connect_pages(1.0);
    let sockets = nodes.nodes[0].metrics().sum("sockets_open");
    assert_eq!(sockets, plan.visitors as f64, "all visitors are on one node, and only they");
    soak.send_at(plan.signals_per_second);
    soak.storm_for(Duration::from_secs(5));
    let lived = Duration::from_millis(soak.now_ms() - began);
    soak.storm_for(LIVED.saturating_sub(lived));
    let held = soak.leave_some_between_pages();
    // Odd ones do not come back.
    let gone: Vec<usize> = (0..plan.visitors).filter(|visitor| visitor % 2 == 1).collect();
    gone.iter().for_each(|visitor| soak.leave_for_good(*visitor));
    soak.service = Service::Partly;
    nodes.proxy.only(&others);
    nodes.nodes[0].crash();
    let killed = soak.now_ms();
    let is_back =
        soak.storm_until(Duration::from_secs(30), |soak| soak.all_who_stay_came_after(killed));
    let back_ms = soak.now_ms() - killed;
    if !is_back {
        soak.ledger.fail("somebody did not come back".into());
    }
    soak.service = Service::There;
    let patience = Duration::from_millis(TOLD_MS + 4_000);
    let told = soak.storm_until(patience.saturating_sub(Duration::from_millis(back_ms)), |soak| {
        gone.iter().all(|visitor| soak.leave_is_told(*visitor, killed).is_some())
    });
    let told_at: Vec<u64> = gone.iter().filter_map(|v| soak.leave_is_told(*v, killed)).collect();
    let (first, last) = (told_at.iter().min().copied(), told_at.iter().max().copied());
    let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
    if !told {
        let missing = gone.len() - told_at.len();
        soak.ledger.fail(format!("{missing} of {} leaves were not told", gone.len()));
    }
    let allowed = TOLD_MS + soak.pauses.within(killed, killed + last);
    if last > allowed {
        soak.ledger.fail(format!("a leave was told {last} ms after the kill, not {allowed}"));
    }
    if first < GRACE_MS {
        soak.ledger.fail(format!("a leave was told {first} ms after the kill, within the grace"));
    }
    soak.storm_for(Duration::from_secs(2));
    soak.turn_for(Duration::from_millis(GRACE_MS + 2_500));
    soak.turn_until("all signals ended", Duration::from_secs(20), |soak| soak.ledger.all_ended());
    for node in &nodes.nodes[1..] {
        let connected = node.metrics().sum("visitors_connected");
        if connected != (plan.visitors - gone.len()) as f64 {
            soak.ledger.fail(format!("a node knows of {connected} visitors"));
        }
    }
    // What is held is judged with all signals; here only that there was something.
    if held < plan.visitors / 2 / BETWEEN_PAGES {
        soak.ledger.fail(format!("only {held} signals were held when the node was killed"));
    }
    soak.ledger.tabs = soak.tabs.len();
    soak.compare_views();
    soak.ledger.judge(&soak.visitors);
    soak.move_out();
    drop(nodes.nodes.remove(0));
    soak.close_down(nodes);
    soak.ledger.longest_pause_ms = soak.pauses.longest();
    println!(
        "loss: one of {} nodes killed, with {} visitors; {} who come back did so within {back_ms} ms, {} leaves were told {first} \
         to {last} ms after the kill; held at the kill {held}\n  {}\n  {}",
        plan.nodes,
        plan.visitors,
        plan.visitors - gone.len(),
        told_at.len(),
        soak.ledger.signals_line(),
        soak.ledger.events_line(),
    );
    soak.ledger.tell_failures("loss")
}

impl Soak {
    /// Pages of some visitors who will come back end, and a signal is sent to each. How many are held.
    fn leave_some_between_pages(&mut self) -> usize {
        let chosen: Vec<usize> = (0..self.visitors.len()).step_by(2 * BETWEEN_PAGES).collect();
        for visitor in &chosen {
            for tab in self.visitors[*visitor].tabs.clone() {
                self.leave_page_for(tab, 1_500.0);
            }
        }
        // The ends are on their way before the signals are.
        self.turn_for(Duration::from_millis(300));
        let first = self.ledger.signals.len();
        for visitor in &chosen {
            self.send_signal_to(*visitor);
        }
        let sent = first..self.ledger.signals.len();
        self.turn_until("signals are held", Duration::from_secs(1), |soak| {
            soak.ledger.signals[sent.clone()].iter().all(|signal| signal.id.is_some())
        });
        let signals = self.ledger.signals[sent].iter();
        signals.filter(|sent| sent.id.is_some() && sent.outcome.is_none()).count()
    }

    fn all_who_stay_came_after(&self, moment: u64) -> bool {
        let stays = self.visitors.iter().filter(|visitor| visitor.away.is_none());
        stays.flat_map(|visitor| &visitor.tabs).all(|tab| self.tabs[*tab].is_up_since(moment))
    }

    /// How long after that moment the last of his watchers was told that he is gone.
    fn leave_is_told(&self, visitor: usize, since: u64) -> Option<u64> {
        let told = watchers(visitor, self.agents.len());
        let told = told.map(|agent| self.agents[agent].was_told_of_leave(visitor));
        let last = told.into_iter().collect::<Option<Vec<u64>>>()?.into_iter().max()?;
        Some(last.saturating_sub(since))
    }
}
