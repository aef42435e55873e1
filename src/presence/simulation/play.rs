//! One run: how it begins and ends, what happens next, and what breaks.

use std::{ops::Range, time::Instant};

use rand::RngExt as _;

use super::{
    clockwork::{Register, Times, Trouble},
    must::{LEASE_MS, SLACK_MS},
    people::{Agent, Person, Tab},
    site::{Asked, Site},
};
use crate::{
    clock::Timestamp,
    model::ids::{NodeId, SocketAddress, SocketId, VisitorKey},
    presence::visitor::{
        Rules, Visitor,
        command::{Command, Departure},
    },
    store::shared::{
        LATE_MS,
        simulation::{World, random},
    },
};

pub(super) const PEOPLE: usize = 2;
pub(super) const TABS: usize = 3;
pub(super) const AGENTS: usize = 2;

pub(super) struct Play {
    pub(super) world: World<Visitor, Site>,
    pub(super) times: Vec<Times>,
    pub(super) register: Register,
    /// The moment that stands for the time 0.
    pub(super) base: Instant,
    /// Until then the server is away, or slow.
    pub(super) away: Timestamp,
    pub(super) slow: Timestamp,
    /// Of 1,000 steps, how many break something.
    faults: u32,
    /// Whether what was done last is lost with the server.
    loses: bool,
    /// What was counted last: sockets and signals.
    pub(super) count: u64,
}

impl Play {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = random(seed);
        let window = [5_000, 5_000, 1_000, 20_000][random.random_range(0..4)];
        let rules = Rules {
            grace_ms: [5_000, 5_000, 2_000][random.random_range(0..3)],
            signal_window_ms: window,
            late_ms: LATE_MS,
            ..Rules::USUAL
        };
        let nodes = random.random_range(3..=5);
        let (faults, loses) = (random.random_range(0..25), random.random());
        let start = Timestamp(1_000_000);
        let world = World::new(random, nodes, (100, 100), rules, Site::new(rules, start));
        let mut play = Self {
            times: (0..nodes).map(|_| Times::new(start)).collect(),
            register: Register::default(),
            base: Instant::now(),
            away: start,
            slow: start,
            faults,
            loses,
            count: 0,
            world,
        };
        for number in 0..PEOPLE {
            let key = VisitorKey {
                group: "1".parse().unwrap(),
                visitor: format!("v{number}").parse().unwrap(),
            };
            let tab = |tab| Tab {
                id: format!("t{number}{tab}").parse().unwrap(),
                seen: Default::default(),
                page: None,
                opens: None,
            };
            let person = Person {
                key,
                tabs: (0..TABS).map(tab).collect(),
                last_there: start,
                last_tried: start,
                farewells: Default::default(),
                is_connected: false,
                newest: (0, 0),
                is_lost: false,
                is_misreported: false,
                is_damaged: false,
            };
            play.world.stage.lock().people.push(person);
        }
        for _ in 0..AGENTS {
            let at = play.anywhere();
            let socket = play.socket(at);
            let agent = Agent { socket, at, watches: Default::default() };
            play.world.stage.lock().agents.push(agent);
        }
        play.pass(1_000);
        play
    }

    pub(super) fn run(mut self) {
        let steps = self.world.random.random_range(50..800);
        for _ in 0..steps {
            self.step();
        }
        self.faults = 0;
        // Some go for good; whoever is on his way comes.
        for person in 0..PEOPLE {
            for tab in 0..TABS {
                if self.world.random.random() {
                    self.end_page(person, tab, Departure::Gone);
                    self.world.stage.lock().people[person].tabs[tab].opens = None;
                }
            }
        }
        let longest = self.times.iter().map(Times::wakes).fold(self.away, Timestamp::max);
        let quiet = 3 * LEASE_MS + 20_000 + 2 * SLACK_MS;
        self.pass(longest.since(self.world.now) + quiet);
        self.pass(1_000);
        let site = std::sync::Arc::clone(&self.world.stage);
        site.lock().check_the_end(|key| self.world.record(key));
    }

    pub(super) fn draw(&mut self, range: Range<u64>) -> u64 {
        self.world.random.random_range(range)
    }

    fn step(&mut self) {
        let nodes = self.times.len();
        let at = self.world.random.random_range(0..nodes);
        if self.world.random.random_range(0..1_000) < self.faults {
            return self.break_something(at);
        }
        match self.world.random.random_range(0..100) {
            0..25 => self.serve(at),
            25..40 if self.is_awake(at) => self.world.hear(at),
            40..55 if self.is_awake(at) => self.world.be_answered(at),
            55..70 => self.act_as_a_page(),
            70..78 => self.send(),
            78..82 => self.watch(),
            82..98 => {
                let for_ms = self.draw(1..120);
                self.pass(for_ms);
            }
            98 => {
                let for_ms = self.draw(1_000..6_000);
                self.pass(for_ms);
            }
            _ => {}
        }
        self.answers();
        self.people_go_on();
    }

    fn break_something(&mut self, at: usize) {
        let for_ms = [300, 1_500, 4_000, 15_000][self.world.random.random_range(0..4)];
        let for_ms = self.draw(for_ms / 2..for_ms);
        let now = self.world.now;
        let what = self.world.random.random_range(0..10);
        self.world.stage.lock().trace(|| format!("fault {what} at {at} for {for_ms}"));
        match what {
            0 | 1 => self.begin_anew(at),
            2 => self.trouble(&Trouble::Sleep(at), for_ms),
            3 => self.trouble(&Trouble::Cut(at), for_ms),
            4 => {
                self.lose_the_way(at);
                self.node_is_troubled(at, now);
            }
            5 => self.trouble(&Trouble::Slow, for_ms.min(1_500)),
            6 => {
                self.trouble(&Trouble::Away, for_ms);
                if self.loses && self.world.random.random() {
                    self.world.flush();
                    self.forget_leases();
                    self.note_damage();
                }
            }
            7 if self.loses => {
                self.world.flush();
                self.forget_leases();
                self.is_troubled(now);
                self.note_damage();
            }
            8 if self.loses => {
                let behind_ms = self.draw(0..500);
                self.world.lose_the_last(behind_ms);
                self.trouble(&Trouble::Away, for_ms / 4);
                self.note_damage();
            }
            _ => {}
        }
    }

    /// Notes of whom the server lost something that nobody is left to say again.
    pub(super) fn note_damage(&mut self) {
        for person in 0..PEOPLE {
            let key = self.world.stage.lock().people[person].key.clone();
            let is_asleep = (0..self.times.len()).any(|at| !self.is_awake(at));
            let is_lost = self.world.is_damaged(&key);
            // Those who cannot reach the server may say too late what they know.
            let is_cut = self.times.iter().any(|times| times.is_cut(self.world.now));
            let is_late = (is_asleep || is_cut) && !self.world.is_repaired();
            let mut site = self.world.stage.lock();
            site.trace(|| format!("{}: {}", key.visitor, self.world.versions(&key)));
            site.people[person].is_lost |= is_lost;
            site.people[person].is_damaged |= is_lost || is_late;
        }
    }

    /// Notes of whom a node that ends knew what it could not say again since the server lost something.
    pub(super) fn note_what_is_untold(&mut self, at: usize) {
        if self.world.restated(at).is_some() {
            return;
        }
        for person in 0..PEOPLE {
            let key = self.world.stage.lock().people[person].key.clone();
            let knows = self.world.knows(at, &key);
            let of = &mut self.world.stage.lock().people[person];
            of.is_misreported |= of.is_damaged && knows;
        }
    }

    pub(super) fn anywhere(&mut self) -> usize {
        let awake: Vec<usize> = (0..self.times.len()).filter(|at| self.is_awake(*at)).collect();
        if awake.is_empty() {
            return self.world.random.random_range(0..self.times.len());
        }
        awake[self.world.random.random_range(0..awake.len())]
    }

    pub(super) fn socket(&mut self, at: usize) -> SocketAddress {
        self.count += 1;
        SocketAddress { node: self.world.nodes[at].id, socket: SocketId(self.count) }
    }

    pub(super) fn submit(&mut self, at: usize, person: usize, command: Command, asked: Asked) {
        let site = std::sync::Arc::clone(&self.world.stage);
        let key = site.lock().people[person].key.clone();
        site.lock().trace(|| format!("{at}: {} {command:?}", key.visitor));
        let sink = Box::new(move |answer| site.lock().answered(asked, answer));
        self.world.submit(at, key, command, sink);
    }

    /// What a node held that has ended is gone, and whoever was there knows it, sooner or later.
    pub(super) fn end_of(&mut self, node: NodeId) {
        let now = self.world.now;
        self.world.stage.lock().died(node);
        for person in 0..PEOPLE {
            for tab in 0..TABS {
                let after = self.draw(0..4_000);
                let mut site = self.world.stage.lock();
                let of = &mut site.people[person];
                of.farewells.retain(|socket| socket.node != node);
                let page = of.tabs[tab].page.take_if(|page| page.socket.node == node);
                if page.is_some() {
                    of.last_tried = now;
                    of.tabs[tab].opens = Some(now + after);
                }
            }
        }
        for agent in 0..AGENTS {
            if self.world.stage.lock().agents[agent].socket.node != node {
                continue;
            }
            let at = self.anywhere();
            let socket = self.socket(at);
            let asks = now + self.draw(0..2_000);
            let mut site = self.world.stage.lock();
            let agent = &mut site.agents[agent];
            (agent.socket, agent.at) = (socket, at);
            for watch in agent.watches.values_mut() {
                (watch.has_begun, watch.asks) = (false, Some(asks));
            }
        }
    }
}
