//! A client session: pure, as the store keeps it.
//!
//! ```text
//! vacant ── Open ──▶ open, not connected ── Connect ──▶ open ── Disconnect, Dismiss, time, too much waits ──▶ vacant
//! ```
//!
//! Messages wait in a bounded queue until something can carry them: a held connect, whose answer they come before; the
//! client's socket, at any time; or the answer to another request of the client. A client that acknowledges gets messages
//! only with answers to connects, each a numbered batch, and gets them again until it names the batch. Whatever the client
//! lets pass, [`Rules::max_interval_ms`] after the last answer it is forgotten.

pub mod command;
#[cfg(test)]
mod model_test;
mod open;
mod queue;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use self::{
    command::{Command, Effect, Ended, Member, Reply, Rules},
    open::{Open, Step},
};
use super::{channel::Channel, fault::Fault};
use crate::{
    clock::Timestamp,
    model::{
        ids::{NodeId, SocketAddress},
        topic::Position,
    },
    store::{Record, Route},
};

/// The channel of connects.
pub const CONNECT: &str = "/meta/connect";
/// How long messages of a client may take to be carried out before the client may be forgotten, in milliseconds.
const CARRY_OUT_MS: u64 = 30_000;
/// How much the application may keep with a client: names.
pub const MOST_KEPT: usize = 16;

/// Names a client: 128 random bits, which are all its authority. Written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(u128);

impl ClientId {
    /// A new name.
    #[must_use]
    pub fn generate() -> Self {
        Self(rand::random())
    }

    /// The name with this number; for tests.
    #[must_use]
    pub const fn from_u128(number: u128) -> Self {
        Self(number)
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Logs do not tell who could be played.
impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}…", self.0 >> 96)
    }
}

impl FromStr for ClientId {
    type Err = Fault;
    fn from_str(text: &str) -> Result<Self, Fault> {
        let good = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = good.then(|| u128::from_str_radix(text, 16).ok()).flatten();
        number.map(Self).ok_or(Fault::Unknown)
    }
}

/// A client session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client(Option<Box<Open>>);

impl Client {
    /// How many messages wait, and their bytes, those included that are not acknowledged.
    #[must_use]
    pub fn waiting(&self) -> (usize, usize) {
        self.0.as_ref().map_or((0, 0), |open| (open.queue.len(), open.queue.bytes()))
    }

    /// What it hears.
    pub fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.0.iter().flat_map(|open| open.channels.iter())
    }

    /// The place among its group's messages up to which it has all of a channel.
    #[must_use]
    pub fn heard(&self, channel: &Channel) -> Option<Position> {
        self.0.as_ref().and_then(|open| open.heard(channel))
    }

    /// What the application keeps with it, by name.
    pub fn kept(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().flat_map(|open| open.kept.iter()).map(|(name, what)| (&**name, &**what))
    }

    /// Whether a connect of its is held.
    #[cfg(test)]
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.held.is_some())
    }

    /// Whether a connect of its is held on this line.
    #[must_use]
    pub fn is_held_at(&self, line: SocketAddress) -> bool {
        self.0.as_ref().and_then(|open| open.held.as_ref()).is_some_and(|held| held.at == line)
    }

    /// The node that has what stands behind it: what it hears of topics, and what the application has of it. `None` after
    /// that node was lost, until another one hears of the client.
    #[must_use]
    pub fn home(&self) -> Option<NodeId> {
        self.0.as_ref().and_then(|open| open.home)
    }

    /// Whether it acknowledges.
    #[must_use]
    pub fn acknowledges(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.queue.is_acknowledged())
    }

    /// Whose it is.
    #[must_use]
    pub fn member(&self) -> Option<&Member> {
        self.0.as_ref().map(|open| &open.member)
    }

    fn end(&mut self, why: Ended, effects: &mut Vec<Effect>) {
        if self.0.take().is_some() {
            effects.push(Effect::Ended { why });
        }
    }
}

impl Record for Client {
    const KIND: &'static str = "bayeux";
    type Key = ClientId;
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
        _: &ClientId,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let mut step = Step { now, rules, effects };
        // While the record was away, no time passed for it.
        let was_away = matches!(command, Command::NodeLost { .. });
        if let (Some(open), false) = (&mut self.0, was_away) {
            match &open.held {
                Some(held) if held.until <= now => open.release(&mut step),
                None if open.until <= now => self.end(Ended::Expired, step.effects),
                _ => {}
            }
        }
        if let (None, Command::Open { member, browser, socket, acks, home }) = (&self.0, &command) {
            let (member, until) = ((**member).clone(), now + rules.max_interval_ms);
            let open = Open::new(member, browser.clone(), (*socket, *home), *acks, until);
            self.0 = Some(Box::new(open));
            return Reply::Done;
        }
        let Some(open) = &mut self.0 else {
            // Whoever waits for the answers still gets them.
            if let Command::Finish { to, answers: messages, .. } = command {
                step.effects.push(Effect::Write { to, messages });
            }
            return Reply::Refused(Fault::Unknown);
        };
        let connects = match &command {
            Command::Connect(connect) => Some(connect.from.at.node),
            _ => None,
        };
        match open.apply(command, &mut step) {
            Ok(reply) => {
                open.tell_home(connects, step.effects);
                reply
            }
            Err(why) => {
                self.end(why, step.effects);
                Reply::Done
            }
        }
    }

    fn tick() -> Command {
        Command::Tick
    }

    fn deadline(&self, _: &Rules) -> Option<Timestamp> {
        let open = self.0.as_ref()?;
        Some(open.held.as_ref().map_or(open.until, |held| held.until))
    }

    fn is_vacant(&self, _: &Rules, _: Timestamp) -> bool {
        self.0.is_none()
    }

    /// Messages are shared, not copied.
    fn checkpoint(&self) -> Self {
        self.clone()
    }

    fn roll_back(&mut self, checkpoint: Self) {
        *self = checkpoint;
    }

    fn set_aside(&self, effects: &mut Vec<Effect>) {
        self.clone().end(Ended::Failed, effects);
    }

    fn holders(&self) -> Vec<NodeId> {
        self.0.iter().flat_map(|open| open.nodes()).collect()
    }

    fn lost(NodeId { node, incarnation }: NodeId) -> Option<Command> {
        Some(Command::NodeLost { node, before: incarnation + 1 })
    }

    fn route(_: &ClientId, effect: &Effect) -> Route {
        match effect {
            Effect::Write { to, .. } => Route::Node(to.node),
            Effect::Overtaken { at } => Route::Node(at.node),
            Effect::Taken { home } | Effect::Adopt { home } => Route::Node(*home),
            // Any node may have something of it.
            Effect::Ended { .. } => Route::Everyone,
        }
    }

    fn makes_a_record(command: &Command) -> bool {
        matches!(command, Command::Open { .. })
    }

    fn is_essential(command: &Command) -> bool {
        matches!(
            command,
            Command::Lost(_)
                | Command::NodeLost { .. }
                | Command::GiveUp { .. }
                | Command::Forget
                | Command::Finish { .. }
        )
    }
}
