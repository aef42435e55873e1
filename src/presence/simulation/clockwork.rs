//! Time: it passes in small steps, in which leases are renewed, timers run, and nothing stays on its way for too long. And
//! what breaks for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use super::{must::LEASE_MS, play::Play};
use crate::{
    clock::Timestamp,
    model::ids::{NodeId, SocketAddress},
    presence::visitor::command::Departure,
    store::shared::simulation::{Lease, Standing},
};

/// One step while something is on its way, and while nothing is.
const TICK_MS: (u64, u64) = (10, 250);
/// How long a question, an answer or a message takes at most.
const DELAY_MS: u64 = 30;
/// How long a node waits for an answer before it gives its connection up.
const PATIENCE_MS: u64 = 2_000;
/// How long after a new mark a node looks at what it is said to hold.
const UNSURE_MS: u64 = 25_000;
/// How long a node waits for others to restate what they know.
const WAITS_MS: u64 = 1_500;

/// Which nodes the server knows.
#[derive(Default)]
pub(super) struct Register {
    leases: BTreeMap<NodeId, Timestamp>,
    ended: BTreeSet<NodeId>,
}

/// A node's own times.
pub(super) struct Times {
    lease: Lease,
    mark: Option<u64>,
    /// When that was new.
    marked: Timestamp,
    renews: Timestamp,
    sweeps: Timestamp,
    tries: Timestamp,
    /// It has a connection.
    is_connected: bool,
    /// Until then there is no way to the server.
    cut: Timestamp,
    /// Until then it does nothing.
    sleeps: Timestamp,
    /// Sockets that ended meanwhile.
    pub(super) closes: Vec<(usize, SocketAddress, Departure)>,
}

impl Times {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            lease: Lease::new(Duration::from_millis(LEASE_MS)),
            mark: None,
            marked: now,
            renews: now,
            sweeps: now,
            tries: now,
            is_connected: false,
            cut: now,
            sleeps: now,
            closes: Vec::new(),
        }
    }

    /// When it is there again for all.
    pub(super) fn wakes(&self) -> Timestamp {
        self.sleeps.max(self.cut)
    }

    /// When it does something again.
    pub(super) fn wakes_up(&self) -> Timestamp {
        self.sleeps
    }

    /// Whether it cannot reach the server.
    pub(super) fn is_cut(&self, now: Timestamp) -> bool {
        now < self.cut
    }
}

/// What breaks for a while, and for how long.
pub(super) enum Trouble {
    /// The server is away.
    Away,
    /// The server answers nothing for now.
    Slow,
    /// One node's way is cut.
    Cut(usize),
    /// A node sleeps.
    Sleep(usize),
}

impl Play {
    pub(super) fn is_awake(&self, at: usize) -> bool {
        self.times[at].sleeps <= self.world.now
    }

    fn instant(&self, at: Timestamp) -> Instant {
        self.base + Duration::from_millis(at.0)
    }

    pub(super) fn trouble(&mut self, trouble: &Trouble, for_ms: u64) {
        let until = self.world.now + for_ms;
        match *trouble {
            Trouble::Away => {
                self.away = self.away.max(until);
                self.is_troubled(until);
                (0..self.times.len()).for_each(|at| self.lose_the_way(at));
            }
            Trouble::Slow => {
                self.slow = self.slow.max(until);
                self.is_troubled(until);
            }
            Trouble::Cut(at) => {
                self.times[at].cut = until;
                self.node_is_troubled(at, until);
                self.lose_the_way(at);
                self.note_damage();
            }
            Trouble::Sleep(at) => {
                self.times[at].sleeps = until;
                self.node_is_troubled(at, until);
                self.note_damage();
            }
        }
    }

    pub(super) fn is_troubled(&mut self, until: Timestamp) {
        let mut site = self.world.stage.lock();
        site.troubled = site.troubled.max(until);
    }

    pub(super) fn node_is_troubled(&mut self, at: usize, until: Timestamp) {
        let mut site = self.world.stage.lock();
        let trouble = site.troubled_nodes.entry(at).or_insert(until);
        *trouble = until.max(*trouble);
    }

    /// The connection is lost.
    pub(super) fn lose_the_way(&mut self, at: usize) {
        if std::mem::take(&mut self.times[at].is_connected) {
            self.world.break_off(at);
            let now = self.instant(self.world.now);
            self.times[at].lease.was_away(now);
        }
        self.times[at].renews = self.world.now + 100;
    }

    fn has_a_way(&self, at: usize) -> bool {
        self.away <= self.world.now && self.times[at].cut <= self.world.now
    }

    /// Time passes, and all that only time brings.
    pub(super) fn pass(&mut self, milliseconds: u64) {
        let until = self.world.now + milliseconds;
        while self.world.now < until {
            let is_quiet = self.world.is_quiet() && self.world.stage.lock().is_quiet();
            let step = if is_quiet { TICK_MS.1 } else { TICK_MS.0 };
            self.world.now = until.min(self.world.now + step);
            self.world.stage.lock().now = self.world.now;
            (0..self.times.len()).for_each(|at| self.tick(at));
            self.people_go_on();
            self.world.stage.lock().check_ghosts();
        }
    }

    fn tick(&mut self, at: usize) {
        let now = self.world.now;
        let late = now - DELAY_MS;
        if self.times[at].is_connected && self.slow <= now {
            self.world.hurry(at, late);
        }
        if !self.is_awake(at) {
            return;
        }
        if self.world.asked(at).is_some_and(|since| now.since(since) >= PATIENCE_MS) {
            // The server was slow for longer than a slow one is.
            self.lose_the_way(at);
            self.node_is_troubled(at, now);
        }
        if self.times[at].renews <= now {
            self.renew(at);
        }
        for (person, socket, departure) in std::mem::take(&mut self.times[at].closes) {
            self.close(person, at, socket, departure);
        }
        self.ask_in_vain(at);
        self.world.catch_up(at, late);
        self.world.run_due(at);
        self.conclude(at);
        if self.times[at].tries <= now {
            self.times[at].tries = now + 100;
            self.world.try_again(at);
        }
        if self.times[at].sweeps <= now && self.times[at].is_connected {
            self.times[at].sweeps = now + 1_000;
            self.world.listen_again(at);
            self.world.sweep(at, now - 1_500);
            if now.since(self.times[at].marked) <= UNSURE_MS {
                self.world.check_held(at);
            }
            let ended: BTreeSet<NodeId> = self.times[at].lease.ended().iter().copied().collect();
            self.world.let_go(at, |node| ended.contains(&node));
        }
        self.answers();
    }

    /// Over no connection, or without a lease, nothing is asked.
    pub(super) fn ask_in_vain(&mut self, at: usize) {
        let standing = self.times[at].lease.standing(self.instant(self.world.now));
        if !self.times[at].is_connected || standing != Standing::Member {
            self.world.ask_in_vain(at);
        }
    }

    /// The server does the next thing that a node asked for, if it can.
    pub(super) fn serve(&mut self, at: usize) {
        let standing = self.times[at].lease.standing(self.instant(self.world.now));
        let may_ask = standing == Standing::Member || !self.is_awake(at);
        if self.times[at].is_connected && self.slow <= self.world.now && may_ask {
            self.world.serve(at);
        }
    }

    /// A node that has restated what it knows goes on when the others have, or had time for it.
    fn conclude(&mut self, at: usize) {
        // While the server answers nobody, nobody can.
        if let Some(since) = self.world.restated(at).map(|at| at.max(self.slow).max(self.away))
            && (self.world.is_repaired() || self.world.now.since(since) >= WAITS_MS)
        {
            self.world.conclude(at);
        }
    }

    fn renew(&mut self, at: usize) {
        let now = self.world.now;
        let instant = self.instant(now);
        if !self.has_a_way(at) || self.slow > now {
            self.times[at].lease.was_away(instant);
            self.times[at].renews = now + self.draw(100..500);
            return;
        }
        self.times[at].renews = now + 500;
        let node = self.world.nodes[at].id;
        let may_end = self.times[at].lease.may_end_others(instant);
        let mark = self.world.mark();
        let known = self.times[at].mark.replace(mark);
        if known.is_some_and(|known| known != mark) {
            self.times[at].marked = now;
            self.times[at].lease.was_away(instant);
            let ended = self.times[at].lease.ended().to_vec();
            self.register.ended.extend(ended);
        }
        if self.register.ended.contains(&node) {
            return self.begin_anew(at);
        }
        self.register.leases.insert(node, now + LEASE_MS);
        if may_end {
            let over = self.register.leases.extract_if(.., |_, until| *until <= now);
            let over: Vec<NodeId> = over.map(|(node, _)| node).collect();
            over.iter().for_each(|node| self.world.stage.lock().died(*node));
            self.register.ended.extend(over);
        }
        let ended = self.register.ended.iter().copied().collect();
        self.times[at].lease.renewed(instant, true, ended);
        if std::mem::replace(&mut self.times[at].is_connected, true) {
            self.world.renew(at);
        } else {
            self.world.mend_the_way(at);
            self.missed(at);
        }
    }

    /// A node ends; what it held is lost, and it begins anew.
    pub(super) fn begin_anew(&mut self, at: usize) {
        let now = self.world.now;
        let node = self.world.nodes[at].id;
        self.world.stage.lock().trace(|| format!("{node:?} ends"));
        self.note_what_is_untold(at);
        self.world.replace(at);
        self.world.serve_the_gone();
        self.times[at] = Times::new(now);
        self.node_is_troubled(at, now);
        self.end_of(node);
        self.note_damage();
    }

    /// A server without data has no leases either.
    pub(super) fn forget_leases(&mut self) {
        let mut register = Register::default();
        for times in &self.times {
            register.ended.extend(times.lease.ended());
        }
        let gone = self.world.gone.iter().map(|node| node.id);
        let others = self.register.leases.keys().copied();
        // Who was a member is remembered by the others, with a lease from now on.
        let until = self.world.now + LEASE_MS;
        let known = others.chain(gone).filter(|node| !register.ended.contains(node));
        register.leases = known.map(|node| (node, until)).collect();
        self.register = register;
    }
}
