//! What agents do: they send signals, and watch.

use rand::RngExt as _;

use super::{
    clockwork::Times,
    people::{Agent, Sent, Try, Watch},
    play::{AGENTS, PEOPLE, Play},
    site::Asked,
};
use crate::{
    clock::Timestamp,
    model::{
        event::Position,
        ids::SignalId,
        json::Json,
        signal::{Message, Target},
    },
    presence::visitor::{
        command::{Command, Submission},
        watched,
    },
};

impl Play {
    pub(super) fn send(&mut self) {
        let agent = self.world.random.random_range(0..AGENTS);
        let sent = Sent {
            to: self.world.random.random_range(0..PEOPLE),
            key: None,
            is_for_all: self.world.random.random_range(0..6) == 0,
            agent,
            accepted: None,
            tries: Default::default(),
            again: None,
            handled: Vec::new(),
            acknowledged: None,
        };
        let number = self.world.stage.lock().sent.len();
        let key = self.world.random.random_range(0..3) > 0;
        let key = key.then(|| format!("k{number}").parse().unwrap());
        self.world.stage.lock().sent.push(Sent { key, ..sent });
        self.try_to_send(number);
    }

    pub(super) fn try_to_send(&mut self, number: usize) {
        let now = self.world.now;
        self.count += 1;
        let id = SignalId::from_u128((u128::from(now.0) << 64) | u128::from(self.count));
        let is_told = self.world.random.random_range(0..3) > 0;
        let (at, person, submission) = {
            let mut site = self.world.stage.lock();
            let sent = &mut site.sent[number];
            sent.tries.insert(id, Try::default());
            sent.again = None;
            let (to, key, agent) = (sent.to, sent.key.clone(), sent.agent);
            let target = if sent.is_for_all { Target::All } else { Target::Focus };
            let message = Message::Signal { data: Json::of(&number) };
            site.number_by_id.insert(id, number);
            let agent = &site.agents[agent];
            let sender = is_told.then_some(agent.socket);
            (agent.at, to, Submission { id, message, target, key, sender })
        };
        if self.is_awake(at) {
            let asked = Asked::Signal { number, id, since: now };
            self.submit(at, person, Command::Signal(Box::new(submission)), asked);
        } else {
            let mut site = self.world.stage.lock();
            let sent = &mut site.sent[number];
            sent.again = sent.key.is_some().then_some(now + 500);
        }
    }

    pub(super) fn watch(&mut self) {
        let agent = self.world.random.random_range(0..AGENTS);
        let person = self.world.random.random_range(0..PEOPLE);
        // A node that sleeps hears of no wish, and would take what it was asked before for the answer to a later one.
        let hears = self.is_awake(self.world.stage.lock().agents[agent].at);
        let is_watched = self.world.stage.lock().agents[agent].watches.contains_key(&person);
        if is_watched {
            if self.world.random.random_range(0..4) == 0 && hears {
                self.world.stage.lock().agents[agent].watches.remove(&person);
                self.listen_as_wanted(agent, person);
            }
        } else if hears {
            self.world.stage.lock().agents[agent].watches.insert(person, Watch::default());
            self.attach(agent, person);
        }
    }

    pub(super) fn attach(&mut self, agent: usize, person: usize) {
        let now = self.world.now;
        let sleeps: Vec<Timestamp> = self.times.iter().map(Times::wakes_up).collect();
        let (at, socket) = {
            let mut site = self.world.stage.lock();
            let agent = &mut site.agents[agent];
            let Some(watch) = agent.watches.get_mut(&person) else { return };
            // A node that sleeps hears nothing.
            let is_asleep = now < sleeps[agent.at];
            watch.asks = is_asleep.then_some(now + 500);
            if is_asleep {
                return;
            }
            (agent.at, agent.socket)
        };
        self.listen_as_wanted(agent, person);
        let asked = Asked::Attach { agent, person, socket };
        self.submit(at, person, Command::Attach { watcher: socket, since: None }, asked);
    }

    /// The node of an agent listens to a visitor as long as somebody on it watches him.
    fn listen_as_wanted(&mut self, agent: usize, person: usize) {
        let (at, name, is_wanted) = {
            let site = self.world.stage.lock();
            let at = site.agents[agent].at;
            let wants = |agent: &&Agent| agent.at == at && agent.watches.contains_key(&person);
            (at, watched(&site.people[person].key), site.agents.iter().any(|agent| wants(&agent)))
        };
        match (is_wanted, self.world.listens(at, &name)) {
            (true, false) => self.world.listen(at, name),
            (false, true) => self.world.unlisten(at, name),
            _ => {}
        }
    }

    /// A node may have missed something: its watchers ask anew.
    pub(super) fn missed(&mut self, at: usize) {
        let node = self.world.nodes[at].id;
        for agent in 0..AGENTS {
            if self.world.stage.lock().agents[agent].socket.node != node {
                continue;
            }
            let watches: Vec<usize> = {
                let site = self.world.stage.lock();
                site.agents[agent].watches.keys().copied().collect()
            };
            for person in watches {
                let socket = self.world.stage.lock().agents[agent].socket;
                let command = Command::Attach { watcher: socket, since: Some(Position::ORIGIN) };
                self.submit(at, person, command, Asked::Other);
            }
        }
    }
}
