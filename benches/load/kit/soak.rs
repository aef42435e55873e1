//! Random lives: pages change, connections break in every way, visitors come and go for good, agents watch and send, and
//! nothing may get lost.
//!
//! Visitors behave as the SDK does: a tab marks a signal's id before its handler runs, acknowledges it, and tells the ids
//! that it has no answer for when its next page connects. Agents do as theirs: each signal has an idempotency key, and
//! those without an outcome are sent again by the agent's next socket.

mod agents;
mod ledger;
pub mod loss;
mod memory;
mod pages;
mod pauses;
mod plan;
pub mod rolling;
mod run;
mod settle;
pub mod storm;
mod traffic;
mod visitors;
mod watching;

use std::{
    cmp::Reverse,
    collections::BinaryHeap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use self::{
    agents::{AGENTS, Agent},
    ledger::Ledger,
    memory::Memory,
    pages::Tab,
    pauses::Pauses,
    visitors::Visitor,
};
pub use self::{plan::Plan, run::run};
use super::{
    TURN,
    net::{Event, Id, Net},
    random::Random,
};

/// How often an agent's socket breaks.
const AGENTS_LOST_PER_SECOND: f64 = 1.0;
/// How often a long run says how far it is.
const PROGRESS: Duration = Duration::from_secs(10);

/// What is to happen later.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Later {
    /// A tab's next page connects.
    Connect(usize),
    /// A connection that the network had lost breaks at last.
    BuryGhost(Id),
    /// An agent connects again.
    Return(usize),
    /// An agent sends a signal again that the server was not ready for.
    Resend(usize),
    /// An agent asks again to watch a visitor, for whom the server was not ready.
    Rewatch(usize, usize),
    /// The agents watch a visitor no more who left for good.
    Forget(usize),
    /// A random tab changes its page.
    Change,
    /// A random agent sends a signal.
    Send,
    /// A random visitor leaves, to stay away.
    Leave,
    /// A random agent's socket breaks.
    LoseAgent,
}

/// How it stands with whoever serves.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Service {
    /// Nobody is sent away.
    There,
    /// It is away, or just back: closes are expected, and leaves are judged afterwards.
    Away,
    /// A part of it is: closes are expected, but no leave.
    Partly,
}

struct Soak {
    /// Is in the names of the visitors, so that those of another round are others.
    seed: u64,
    token: String,
    net: Net,
    random: Random,
    started: Instant,
    later: BinaryHeap<Reverse<(u64, Later)>>,
    tabs: Vec<Tab>,
    /// All that ever came; new ones take the tabs over of those who left for good.
    visitors: Vec<Visitor>,
    agents: Vec<Agent>,
    ledger: Ledger,
    changes: usize,
    storming: bool,
    pauses: Pauses,
    /// Of a long run: when it last said how far it is.
    told_at: Option<Instant>,
    service: Service,
    /// Visitors that watchers were told of as gone meanwhile, and when.
    leaves: Vec<(usize, u64)>,
    /// Attempts to come back, and those that failed.
    attempts: usize,
    turned_away: usize,
    /// How many signals are sent while time goes by, and when the next one is due.
    signals_per_second: f64,
    next_send_ms: f64,
}

impl Soak {
    /// At this address, with the token of the server behind it.
    fn new(address: SocketAddr, token: String, seed: u64) -> Self {
        Self {
            seed,
            token,
            net: Net::new(address),
            random: Random::new(seed),
            started: Instant::now(),
            later: BinaryHeap::new(),
            tabs: Vec::new(),
            visitors: Vec::new(),
            agents: Vec::new(),
            ledger: Ledger::default(),
            changes: 0,
            storming: false,
            pauses: Pauses::default(),
            told_at: None,
            service: Service::There,
            leaves: Vec::new(),
            attempts: 0,
            turned_away: 0,
            signals_per_second: 0.0,
            next_send_ms: 0.0,
        }
    }

    /// Whether the server may end connections.
    fn may_close(&self) -> bool {
        self.service != Service::There
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn after(&mut self, milliseconds: f64, what: Later) {
        self.later.push(Reverse((self.now_ms() + milliseconds as u64, what)));
    }

    /// Opens everything.
    fn move_in(&mut self, spacing_ms: f64) {
        self.connect_agents();
        self.connect_pages(spacing_ms);
    }

    /// Likewise, but nobody comes before the agents watch: the clocks of several nodes are not quite the same.
    fn move_in_after_agents(&mut self, spacing_ms: f64) {
        self.agents_move_in();
        self.connect_pages(spacing_ms);
    }

    fn agents_move_in(&mut self) {
        self.connect_agents();
        self.turn_until("the agents are there", Duration::from_secs(60), |soak| {
            soak.agents.iter().all(Agent::is_ready)
        });
    }

    fn connect_agents(&mut self) {
        for agent in 0..self.agents.len() {
            self.connect_agent(agent);
        }
    }

    /// A page every so many milliseconds. Waits until all are there, agents too.
    fn connect_pages(&mut self, spacing_ms: f64) {
        for tab in 0..self.tabs.len() {
            self.after(tab as f64 * spacing_ms, Later::Connect(tab));
        }
        self.turn_until("everybody is there", Duration::from_secs(60), |soak| {
            soak.tabs.iter().all(Tab::is_up) && soak.agents.iter().all(Agent::is_ready)
        });
    }

    fn storm(&mut self, plan: &Plan, memory: &mut Memory) {
        self.storming = true;
        for what in [Later::Change, Later::Send, Later::Leave, Later::LoseAgent] {
            self.after(0.0, what);
        }
        let started = Instant::now();
        let patience = plan.time
            + Duration::from_secs_f64(plan.changes.max(plan.signals) as f64 / plan.rate * 2.0)
            + Duration::from_secs(60);
        let (changes, signals) = (plan.changes, plan.signals);
        loop {
            let is_timely = started.elapsed() < plan.time;
            let (may_change, may_send) = (
                is_timely || self.changes < changes,
                is_timely || self.ledger.signals.len() < signals,
            );
            if !may_change && !may_send {
                break;
            }
            assert!(started.elapsed() < patience, "the storm does not get anywhere");
            self.turn();
            memory.look(started.elapsed());
            while let Some((at, what)) = self.next_due() {
                let again = match what {
                    Later::Change => may_change.then_some(plan.rate),
                    Later::Send => may_send.then_some(plan.rate),
                    Later::Leave => {
                        (plan.leaves_per_second > 0.0).then_some(plan.leaves_per_second)
                    }
                    Later::LoseAgent => Some(AGENTS_LOST_PER_SECOND),
                    _ => None,
                };
                match (what, again) {
                    (Later::Change, Some(_)) => self.change_some_page(),
                    (Later::Send, Some(_)) => self.send_some_signal(),
                    (Later::Leave, Some(_)) => self.leave_on_purpose(),
                    (Later::LoseAgent, _) => self.lose_some_agent(),
                    (what, _) => self.carry_out(what),
                }
                if let Some(rate) = again {
                    let pause = self.random.pause_ms(rate);
                    self.later.push(Reverse((at + pause.round() as u64, what)));
                }
            }
        }
        self.storming = false;
    }

    /// Everybody comes back, every signal ends, and every watcher must know how things stand.
    fn calm_down(&mut self) {
        self.turn_until("everybody is back", Duration::from_secs(30), |soak| {
            soak.tabs.iter().all(Tab::is_up) && soak.agents.iter().all(Agent::is_ready)
        });
        self.turn_until("all signals ended", Duration::from_secs(20), |soak| {
            soak.ledger.all_ended()
        });
        self.turn_for(Duration::from_millis(2_500));
        self.ledger.tabs = self.tabs.len();
        self.compare_views();
        self.ledger.judge(&self.visitors);
    }

    fn move_out(&mut self) {
        // From here on everybody leaves on purpose.
        let now = self.now_ms();
        self.visitors.iter_mut().for_each(|visitor| visitor.away = Some(now));
        for tab in 0..self.tabs.len() {
            self.tabs[tab].expects_close = true;
            if let Some(id) = self.tabs[tab].connection {
                match self.random.below(4) {
                    0 => self.net.text(id, br#"{"type":"disconnect"}"#),
                    1 => self.net.close(id),
                    way => self.net.kill(id, way == 2),
                }
            }
        }
        for agent in &self.agents {
            match (agent.connection, self.random.below(2)) {
                (Some(id), 0) => self.net.close(id),
                (Some(id), _) => self.net.text(id, br#"{"type":"disconnect"}"#),
                _ => {}
            }
        }
        self.agents.iter_mut().for_each(|agent| agent.expects_close = true);
        self.turn_for(Duration::from_secs(1));
        self.net.kill_all();
    }

    fn next_due(&mut self) -> Option<(u64, Later)> {
        let now = self.now_ms();
        let Reverse((at, _)) = self.later.peek()?;
        if *at > now {
            return None;
        }
        self.later.pop().map(|Reverse(due)| due)
    }

    fn carry_out(&mut self, what: Later) {
        match what {
            Later::Connect(tab) => self.connect_page(tab),
            Later::BuryGhost(id) => {
                let reset = self.random.chance(0.5);
                self.net.kill(id, reset);
            }
            Later::Return(agent) => self.connect_agent(agent),
            Later::Resend(signal) => self.send_again(signal),
            Later::Rewatch(agent, visitor) => self.watch_again(agent, visitor),
            Later::Forget(visitor) => self.forget(visitor),
            Later::Change | Later::Send | Later::Leave | Later::LoseAgent => {}
        }
    }

    fn turn(&mut self) {
        let (mut events, mut bytes) = (Vec::new(), Vec::new());
        self.net.turn(TURN, &mut events, &mut bytes);
        self.pauses.tick(self.now_ms());
        self.tell_progress();
        for event in events {
            let (Event::Open(id) | Event::Message(id, _) | Event::Closed(id, _)) = event;
            // Tabs have the numbers from 0, agents those from `AGENTS`.
            let owner = match &event {
                Event::Closed(..) => self.net.owner_of_lost(id),
                _ => self.net.owner(id),
            };
            let Some(owner) = owner else { continue };
            let agent = owner.checked_sub(AGENTS);
            let current = match agent {
                Some(agent) => self.agents[agent].connection,
                None => self.tabs[owner].connection,
            };
            if current != Some(id) {
                continue;
            }
            match (event, agent) {
                (Event::Open(_), None) => self.page_opened(owner),
                (Event::Open(_), Some(agent)) => self.agent_opened(agent),
                (Event::Message(_, range), None) => self.page_hears(owner, &bytes[range]),
                (Event::Message(_, range), Some(agent)) => self.agent_hears(agent, &bytes[range]),
                (Event::Closed(_, code), None) => {
                    let retry_ms = self.net.retry_of_lost(id);
                    self.page_lost(owner, code, retry_ms);
                }
                (Event::Closed(_, code), Some(agent)) => {
                    let retry_ms = self.net.retry_of_lost(id);
                    self.agent_lost(agent, code, retry_ms);
                }
            }
        }
    }

    fn tell_progress(&mut self) {
        if self.told_at.is_some_and(|told| told.elapsed() >= PROGRESS) {
            self.told_at = Some(Instant::now());
            println!(
                "soak: {:.0} s into this round: {} page changes, {} signals",
                self.started.elapsed().as_secs_f64(),
                self.changes,
                self.ledger.signals.len(),
            );
        }
    }
}
