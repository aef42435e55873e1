//! The agents of one group who may chat, and what they are available for, as a pure function: [`Staff::apply`] takes a
//! command and the time, changes the record and says what follows.
//!
//! An agent is a subject of a token, whatever his sockets. He says for which buttons he is available, on any of them. When
//! the last socket goes he is waited for; after the grace he is available for nothing, and *lost*: his chats go back to
//! wait. A button is enabled while somebody is available for it.

#[cfg(test)]
mod model_test;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    model::{
        chat::MAX_BUTTONS,
        error::{ErrorCode, Problem},
        ids::{ButtonId, GroupId, NodeId, SocketAddress},
    },
    store::{Record, Route},
};

/// Sockets of one agent.
const MOST_SOCKETS: usize = 64;

/// The times and numbers that the rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long an agent without a socket is waited for, in ms.
    pub grace_ms: u64,
    /// Agents of one group who are there or waited for.
    pub most_agents: usize,
}

/// The agents of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staff {
    agents: BTreeMap<Box<str>, Attendance>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Attendance {
    sockets: BTreeSet<SocketAddress>,
    buttons: BTreeSet<ButtonId>,
    /// Without a socket: until when he is waited for.
    until: Option<Timestamp>,
}

/// What can happen to the agents of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An agent looks at the group's chats on this socket, and learns what he is available for.
    Arrive {
        /// The subject of his token.
        subject: Box<str>,
        /// The socket.
        socket: SocketAddress,
    },
    /// An agent is available for these buttons from now on, and for no others.
    Available {
        /// The subject of his token.
        subject: Box<str>,
        /// The socket on which he says so.
        socket: SocketAddress,
        /// The buttons.
        buttons: BTreeSet<ButtonId>,
    },
    /// A socket of an agent ended.
    Gone {
        /// The subject of his token.
        subject: Box<str>,
        /// The socket.
        socket: SocketAddress,
        /// Whether he left, or is trusted no longer: then he is not waited for.
        at_once: bool,
    },
    /// All sockets of a node's earlier incarnations are lost. Whoever had only those is waited for.
    NodeLost {
        /// Which node.
        node: u32,
        /// Sockets of incarnations before this one are lost.
        before: u64,
    },
    /// The record was away, as over a restart: time stood still, and who depends on it knows nothing of it.
    Resume,
    /// Time passed.
    Tick,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    Done,
    /// What the agent is available for.
    Buttons(BTreeSet<ButtonId>),
    /// Refused; nothing changed.
    Refused(Problem),
}

/// What follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// A button is enabled from now on, or no more.
    Button {
        /// Which.
        button: ButtonId,
        /// Which of the two.
        enabled: bool,
    },
    /// The agent's other sockets learn what he is available for.
    Told {
        /// The sockets.
        to: Vec<SocketAddress>,
        /// The buttons.
        buttons: BTreeSet<ButtonId>,
    },
    /// An agent is lost.
    Lost {
        /// The subject of his token.
        subject: Box<str>,
    },
    /// So many agents are available for something.
    Counted {
        /// How many.
        available: usize,
    },
}

impl Staff {
    /// The buttons that somebody is available for, with the number of those.
    #[must_use]
    pub fn enabled(&self) -> BTreeMap<ButtonId, usize> {
        let mut enabled = BTreeMap::new();
        for button in self.agents.values().flat_map(|agent| &agent.buttons) {
            *enabled.entry(button.clone()).or_default() += 1;
        }
        enabled
    }

    /// How many agents are available for something.
    #[must_use]
    pub fn available(&self) -> usize {
        self.agents.values().filter(|agent| !agent.buttons.is_empty()).count()
    }

    /// An agent as he is here; made where there is none.
    fn agent(&mut self, subject: &str, rules: &Rules) -> Result<&mut Attendance, Problem> {
        if !self.agents.contains_key(subject) && self.agents.len() >= rules.most_agents {
            let sentence = format!("a group may have {} agents who chat", rules.most_agents);
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        Ok(self.agents.entry(subject.into()).or_default())
    }

    fn with_socket(
        &mut self,
        subject: &str,
        socket: SocketAddress,
        rules: &Rules,
    ) -> Result<&mut Attendance, Problem> {
        let agent = self.agent(subject, rules)?;
        if !agent.sockets.contains(&socket) && agent.sockets.len() >= MOST_SOCKETS {
            let sentence = format!("an agent may chat on {MOST_SOCKETS} sockets");
            return Err(Problem::new(ErrorCode::TooMany, sentence));
        }
        agent.sockets.insert(socket);
        agent.until = None;
        Ok(agent)
    }

    fn act(
        &mut self,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Result<Reply, Problem> {
        match command {
            Command::Arrive { subject, socket } => {
                let agent = self.with_socket(&subject, socket, rules)?;
                return Ok(Reply::Buttons(agent.buttons.clone()));
            }
            Command::Available { subject, socket, buttons } => {
                let mut all = self.enabled();
                all.extend(buttons.iter().map(|button| (button.clone(), 1)));
                if all.len() > MAX_BUTTONS {
                    let sentence = format!("a group may have {MAX_BUTTONS} buttons");
                    return Err(Problem::new(ErrorCode::TooMany, sentence));
                }
                let agent = self.with_socket(&subject, socket, rules)?;
                if agent.buttons != buttons {
                    agent.buttons.clone_from(&buttons);
                    let to = agent.sockets.iter().filter(|other| **other != socket);
                    let to: Vec<_> = to.copied().collect();
                    if !to.is_empty() {
                        effects.push(Effect::Told { to, buttons: buttons.clone() });
                    }
                }
                return Ok(Reply::Buttons(buttons));
            }
            Command::Gone { subject, socket, at_once } => {
                if let Some(agent) = self.agents.get_mut(&subject)
                    && agent.sockets.remove(&socket)
                    && agent.sockets.is_empty()
                {
                    agent.until = Some(if at_once { now } else { now + rules.grace_ms });
                }
            }
            Command::NodeLost { node, before } => {
                for agent in self.agents.values_mut().filter(|agent| agent.until.is_none()) {
                    agent.sockets.retain(|socket| {
                        socket.node.node != node || socket.node.incarnation >= before
                    });
                    if agent.sockets.is_empty() {
                        agent.until = Some(now + rules.grace_ms);
                    }
                }
            }
            Command::Resume => {
                for until in self.agents.values_mut().filter_map(|agent| agent.until.as_mut()) {
                    *until = now + rules.grace_ms;
                }
            }
            Command::Tick => {}
        }
        Ok(Reply::Done)
    }

    /// Who was waited for in vain is lost.
    fn lose(&mut self, now: Timestamp, effects: &mut Vec<Effect>) {
        self.agents.retain(|subject, agent| {
            let is_lost = agent.until.is_some_and(|until| until <= now);
            if is_lost {
                effects.push(Effect::Lost { subject: subject.clone() });
            }
            !is_lost
        });
    }
}

impl Record for Staff {
    const KIND: &'static str = "staff";
    type Key = GroupId;
    type Command = Command;
    type Reply = Reply;
    type Effect = Effect;
    type Rules = Rules;
    type Checkpoint = Self;

    fn vacant(_: &Rules, _: Timestamp) -> Self {
        Self::default()
    }

    fn apply(
        &mut self,
        _: &GroupId,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        // Over a restart time stood still, and whatever was told is forgotten.
        let (before, available) = if command == Command::Resume {
            Default::default()
        } else {
            let before = (self.enabled(), self.available());
            self.lose(now, effects);
            before
        };
        let reply = self.act(command, now, rules, effects).unwrap_or_else(Reply::Refused);
        self.lose(now, effects);
        let after = self.enabled();
        for button in before.keys().filter(|button| !after.contains_key(*button)) {
            effects.push(Effect::Button { button: button.clone(), enabled: false });
        }
        for button in after.keys().filter(|button| !before.contains_key(*button)) {
            effects.push(Effect::Button { button: button.clone(), enabled: true });
        }
        if self.available() != available {
            effects.push(Effect::Counted { available: self.available() });
        }
        reply
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, _: &Rules) -> Option<Timestamp> {
        self.agents.values().filter_map(|agent| agent.until).min()
    }

    fn is_vacant(&self, _: &Rules, _: Timestamp) -> bool {
        self.agents.is_empty()
    }

    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
    }

    fn set_aside(&self, effects: &mut Vec<Effect>) {
        let buttons = self.enabled().into_keys();
        effects.extend(buttons.map(|button| Effect::Button { button, enabled: false }));
        let lost = self.agents.keys().map(|subject| Effect::Lost { subject: subject.clone() });
        effects.extend(lost);
        effects.push(Effect::Counted { available: 0 });
    }

    fn holders(&self) -> Vec<NodeId> {
        let sockets = self.agents.values().flat_map(|agent| &agent.sockets);
        sockets.map(|socket| socket.node).collect()
    }

    fn lost(NodeId { node, incarnation }: NodeId) -> Option<Command> {
        Some(Command::NodeLost { node, before: incarnation + 1 })
    }

    fn route(_: &GroupId, effect: &Effect) -> Route {
        match effect {
            Effect::Button { .. } | Effect::Counted { .. } => Route::Everyone,
            Effect::Told { to, .. } => Route::nodes(to),
            Effect::Lost { .. } => Route::Here,
        }
    }

    /// There are as many as groups.
    fn makes_a_record(_: &Command) -> bool {
        false
    }

    fn is_essential(command: &Command) -> bool {
        matches!(command, Command::Gone { .. } | Command::NodeLost { .. })
    }
}
