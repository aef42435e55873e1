//! The server goes, and everybody comes back: told to (a restart) or not (kill -9). Clients keep to the SDK's rules of
//! coming back, the server to its own limits.

use std::time::Duration;

use super::{Service, Soak, agents::Agent, pages::Tab, pauses::EXCUSING_MS, settle::settle};
use crate::kit::server::{Server, Wishes};

/// From the next process's start on, in milliseconds: the server's default.
const GRACE_MS: u64 = 5_000;
/// What the burst of a return may leave in the allocator's hands: the same for 5,000 visitors and for 15,000.
const BURST_KIB: u64 = 8 * 1024;
/// The allocator gives memory back with a delay of about ten seconds.
const MEMORY_RESTS: Duration = Duration::from_secs(12);
/// How long after the last return leaves may still be told.
const AFTERMATH: Duration = Duration::from_millis(GRACE_MS + 2_500);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// SIGTERM, and a new process on the same storage.
    Restart,
    /// kill -9, and a new process that knows nothing.
    Crash,
}

pub struct Storm {
    pub end: End,
    pub visitors: usize,
    pub agents: usize,
    /// Signals a second, before, while and after the server is away; after a crash they may be lost, so there are none.
    pub signals_per_second: f64,
    /// How long nobody is there, in milliseconds.
    pub away_ms: u64,
    /// Within what time from the new process's start all must be back, in milliseconds.
    pub budget_ms: u64,
    /// Compares memory, which takes half a minute.
    pub is_thorough: bool,
    pub seed: u64,
}

impl Storm {
    pub fn restart() -> Self {
        Self {
            end: End::Restart,
            visitors: 5_000,
            agents: 50,
            signals_per_second: 500.0,
            away_ms: 0,
            budget_ms: GRACE_MS,
            is_thorough: true,
            seed: 1,
        }
    }

    pub fn avalanche() -> Self {
        Self {
            end: End::Crash,
            visitors: 15_000,
            // Of whom each watches 300 visitors: the answers to more at once would not fit into an outbox.
            agents: 100,
            signals_per_second: 0.0,
            ..Self::restart()
        }
    }

    /// For every build.
    pub fn short_restart() -> Self {
        let (visitors, agents, signals_per_second) = (300, 5, 100.0);
        Self { visitors, agents, signals_per_second, is_thorough: false, ..Self::restart() }
    }

    /// Likewise.
    pub fn short_avalanche() -> Self {
        Self { visitors: 1_000, agents: 10, is_thorough: false, ..Self::avalanche() }
    }
}

/// When what happened, in milliseconds since the soak's start.
struct Times {
    ended_ms: u64,
    started_ms: u64,
    /// How many parts of a hundred were back after so long.
    marks: Vec<(usize, u64)>,
}

/// Runs it. Prints a summary; false when a rule was broken.
pub fn run(storm: &Storm) -> bool {
    let mut server = Server::start(&Wishes { lift_limits: false, ..Wishes::default() });
    let mut soak = Soak::new(server.address, server.token(), storm.seed);
    soak.make_visitors(storm.visitors, false);
    soak.make_agents(storm.agents);
    soak.move_in(1.0);
    if storm.is_thorough {
        soak.turn_for(MEMORY_RESTS);
    }
    let before = server.resident_kib();
    // Long enough for every connection to count as healthy, as a visitor's usually is.
    soak.send_at(storm.signals_per_second);
    soak.storm_for(Duration::from_secs(5));
    let times = soak.go_through(storm, &mut server);
    soak.storm_for(Duration::from_secs(2));
    soak.turn_for(AFTERMATH);
    soak.turn_until("all signals ended", Duration::from_secs(20), |soak| soak.ledger.all_ended());
    if storm.is_thorough {
        soak.turn_for(MEMORY_RESTS);
    }
    let after = server.resident_kib();
    let connected = server.metrics().sum("visitors_connected");
    soak.judge_storm(storm, &times, connected);
    if storm.is_thorough && after > before + BURST_KIB {
        soak.ledger.fail(format!("memory: {after} KiB afterwards, {before} KiB before"));
    }
    soak.service = Service::There;
    soak.move_out();
    soak.ledger.failures.extend(settle(&server, false));
    let log = server.log();
    if !log.is_empty() {
        soak.ledger.fail(format!("the server complained:\n{log}"));
    }
    if !server.stop().1 {
        soak.ledger.fail("the server did not end well".into());
    }
    soak.tell(storm, &times, before, after)
}

impl Soak {
    /// From the server's end until everybody is back.
    fn go_through(&mut self, storm: &Storm, server: &mut Server) -> Times {
        self.service = Service::Away;
        match storm.end {
            End::Crash => server.crash(),
            End::Restart => {
                server.terminate();
                let is_well = loop {
                    self.turn_sending();
                    if let Some(is_well) = server.has_ended() {
                        break is_well;
                    }
                };
                if !is_well {
                    self.ledger.fail("the first process did not end well".into());
                }
            }
        }
        let ended_ms = self.now_ms();
        self.storm_for(Duration::from_millis(storm.away_ms));
        server.start_again();
        let started_ms = self.now_ms();
        let (mut marks, patience) = (Vec::new(), started_ms + 60_000);
        let mut parts = [50, 90, 99, 100].into_iter().peekable();
        while let Some(part) = parts.peek().copied() {
            self.turn_sending();
            // A page that has not noticed the end yet is not back.
            let back = self.tabs.iter().filter(|tab| tab.is_up_since(ended_ms)).count();
            if back >= (self.tabs.len() * part).div_ceil(100) {
                marks.push((part, self.now_ms() - started_ms));
                parts.next();
            } else if self.now_ms() > patience {
                let missing = self.tabs.len() - back;
                self.ledger.fail(format!("{missing} visitors are not back after a minute"));
                break;
            }
        }
        self.turn_until("the agents are back", Duration::from_secs(30), |soak| {
            soak.agents.iter().all(Agent::is_ready)
        });
        Times { ended_ms, started_ms, marks }
    }

    fn judge_storm(&mut self, storm: &Storm, times: &Times, connected: f64) {
        if connected != storm.visitors as f64 {
            self.ledger.fail(format!("{connected} of {} visitors are connected", storm.visitors));
        }
        if !self.tabs.iter().all(Tab::is_up) {
            self.ledger.fail("somebody went again".into());
        }
        let last = times.marks.last().copied().unwrap_or_default();
        let paused = self.pauses.within(times.started_ms, times.started_ms + last.1);
        if last.1 > storm.budget_ms + paused {
            self.ledger.fail(format!("all were back after {} ms only", last.1));
        }
        for (visitor, told_ms) in std::mem::take(&mut self.leaves) {
            let welcomed = self.visitors[visitor].tabs.iter();
            let welcomed = welcomed.map(|tab| self.tabs[*tab].up_since_ms()).min();
            if welcomed.is_none_or(|at| at > times.started_ms + GRACE_MS) {
                self.ledger.rightly_told += 1;
            } else if self.pauses.within(times.started_ms, told_ms) >= EXCUSING_MS {
                self.ledger.unjudged += 1;
            } else {
                self.ledger.false_leaves += 1;
            }
        }
        self.ledger.tabs = self.tabs.len();
        self.compare_views();
        self.ledger.judge(&self.visitors);
    }

    fn tell(mut self, storm: &Storm, times: &Times, before: u64, after: u64) -> bool {
        let name = match storm.end {
            End::Restart => "restart",
            End::Crash => "avalanche",
        };
        self.ledger.longest_pause_ms = self.pauses.longest();
        let marks = times.marks.iter();
        let marks: Vec<_> = marks.map(|(part, ms)| format!("{part} % after {ms} ms")).collect();
        println!(
            "{name}: {} visitors, {} agents; the next process was started {} ms after the end of the last; back: {} from its \
             start; attempts {}, turned away {}\n  {}\n  events to watchers {}, false leaves {}, leaves of those who came too \
             late {}, out of order {}\n  memory: {before} KiB before, {after} afterwards; {}; {:.0} s in all",
            storm.visitors,
            storm.agents,
            times.started_ms - times.ended_ms,
            marks.join(", "),
            self.attempts,
            self.turned_away,
            self.ledger.signals_line(),
            self.ledger.events,
            self.ledger.false_leaves,
            self.ledger.rightly_told,
            self.ledger.disordered_events,
            self.ledger.pauses_line(),
            self.started.elapsed().as_secs_f64(),
        );
        self.ledger.tell_failures(name)
    }
}
