//! Several nodes behind a proxy are restarted one after another, under signals: a page change for whoever is there.

use std::time::Duration;

use super::{Service, Soak, agents::Agent, pages::Tab, settle::settle};
use crate::kit::{nodes::Nodes, server::Wishes};

/// How often it is looked whether a node is ready.
const LOOK_EVERY_MS: u64 = 50;
/// How long a node may take to end, or to be ready again.
const PATIENCE: Duration = Duration::from_secs(30);
/// Within what time from the last node's readiness all must be back, in milliseconds: the grace.
const BUDGET_MS: u64 = 5_000;
/// How long after the last return leaves may still be told.
const AFTERMATH: Duration = Duration::from_millis(7_500);

pub struct Rolling {
    pub nodes: usize,
    pub visitors: usize,
    pub agents: usize,
    pub signals_per_second: f64,
    /// Whether the proxy does not look whether a node is ready, and passes over those alone that take no connection.
    pub is_blind: bool,
    pub seed: u64,
}

impl Rolling {
    pub fn full() -> Self {
        Self {
            nodes: 3,
            visitors: 5_000,
            agents: 50,
            signals_per_second: 200.0,
            is_blind: false,
            seed: 1,
        }
    }

    /// For every build.
    pub fn short() -> Self {
        Self { visitors: 300, agents: 6, signals_per_second: 100.0, ..Self::full() }
    }
}

/// What one restart took.
struct Step {
    /// From SIGTERM to the end of the process, and from the start of the next one until it is ready, in milliseconds.
    end_ms: u64,
    start_ms: u64,
    /// Pages and agents that had to go elsewhere.
    moved: usize,
}

/// Runs it. Prints a summary; false when a rule was broken.
pub fn run(plan: &Rolling) -> bool {
    let wishes = Wishes { lift_limits: false, ..Wishes::default() };
    let Some(mut nodes) = Nodes::start(plan.nodes, &wishes) else { return false };
    let mut soak = Soak::new(nodes.address(), nodes.nodes[0].token(), plan.seed);
    soak.make_visitors(plan.visitors, false);
    soak.make_agents(plan.agents);
    soak.move_in_after_agents(1.0);
    soak.send_at(plan.signals_per_second);
    // Long enough for every connection to count as healthy, as a visitor's usually is.
    soak.storm_for(Duration::from_secs(5));
    soak.service = Service::Partly;
    let started = soak.now_ms();
    let mut steps = Vec::new();
    for node in 0..plan.nodes {
        let all: Vec<usize> = (0..plan.nodes).collect();
        let others: Vec<usize> = all.iter().copied().filter(|other| *other != node).collect();
        nodes.proxy.only(if plan.is_blind { &all } else { &others });
        steps.push(soak.restart(node, &mut nodes));
        nodes.proxy.only(&all);
    }
    let ready = soak.now_ms();
    let is_whole = soak.storm_until(PATIENCE, |soak| {
        soak.tabs.iter().all(Tab::is_up) && soak.agents.iter().all(Agent::is_ready)
    });
    let back_ms = soak.now_ms() - ready;
    soak.service = Service::There;
    let allowed = BUDGET_MS + soak.pauses.within(ready, ready + back_ms);
    if !is_whole || back_ms > allowed {
        let up = soak.tabs.iter().filter(|tab| tab.is_up()).count();
        soak.ledger.fail(format!("after {back_ms} ms {up} of {} visitors are back", plan.visitors));
    }
    soak.storm_for(Duration::from_secs(2));
    soak.turn_for(AFTERMATH);
    soak.turn_until("all signals ended", Duration::from_secs(20), |soak| soak.ledger.all_ended());
    for node in &nodes.nodes {
        let connected = node.metrics().sum("visitors_connected");
        if connected != plan.visitors as f64 {
            let all = plan.visitors;
            soak.ledger.fail(format!("a node knows of {connected} of {all} visitors"));
        }
    }
    let sockets = nodes.sum("sockets_open");
    if sockets != (plan.visitors + plan.agents) as f64 {
        soak.ledger.fail(format!("the nodes have {sockets} sockets"));
    }
    soak.ledger.tabs = soak.tabs.len();
    soak.compare_views();
    soak.ledger.judge(&soak.visitors);
    let skipped = nodes.proxy.skipped();
    soak.move_out();
    soak.close_down(nodes);
    soak.ledger.longest_pause_ms = soak.pauses.longest();
    let steps = steps.iter().map(|Step { end_ms, start_ms, moved }| {
        format!("ended in {end_ms} ms, ready after {start_ms} ms, {moved} moved")
    });
    println!(
        "rolling: {} nodes, {} visitors, {} agents; {}; {:.1} s in all, everybody back {back_ms} ms after that; attempts {}, \
         turned away {}, nodes passed over {skipped} times\n  {}\n  {}",
        plan.nodes,
        plan.visitors,
        plan.agents,
        steps.collect::<Vec<_>>().join("; "),
        (ready - started) as f64 / 1e3,
        soak.attempts,
        soak.turned_away,
        soak.ledger.signals_line(),
        soak.ledger.events_line(),
    );
    soak.ledger.tell_failures("rolling")
}

impl Soak {
    /// One node is told to end, started again as soon as it has, and waited for until it is ready.
    fn restart(&mut self, node: usize, nodes: &mut Nodes) -> Step {
        let (told, node) = (self.now_ms(), &mut nodes.nodes[node]);
        let moved = node.metrics().sum("sockets_open") as usize;
        node.terminate();
        let mut is_well = None;
        self.storm_until(PATIENCE, |_| {
            is_well = node.has_ended();
            is_well.is_some()
        });
        if is_well != Some(true) {
            self.ledger.fail(format!("a node did not end well: {is_well:?}"));
        }
        let ended = self.now_ms();
        node.start_again();
        let mut look_at = 0;
        let is_ready = self.storm_until(PATIENCE, |soak| {
            soak.now_ms() >= look_at && {
                look_at = soak.now_ms() + LOOK_EVERY_MS;
                node.is_ready()
            }
        });
        if !is_ready {
            self.ledger.fail("a node is not ready again".into());
        }
        Step { end_ms: ended - told, start_ms: self.now_ms() - ended, moved }
    }

    /// Nothing must be left on the nodes, and nothing in their logs; then they end well.
    pub(super) fn close_down(&mut self, nodes: Nodes) {
        for node in &nodes.nodes {
            self.ledger.failures.extend(settle(node, false));
        }
        for node in nodes.nodes {
            let log = node.log();
            if !log.is_empty() {
                self.ledger.fail(format!("a node complained:\n{log}"));
            }
            if !node.stop().1 {
                self.ledger.fail("a node did not end well".into());
            }
        }
    }
}
