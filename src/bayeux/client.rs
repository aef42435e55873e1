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
mod queue;
#[cfg(test)]
mod tests;

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use self::{
    command::{Command, Connect, Effect, Ended, From, Member, Pause, Reply, Rules},
    queue::Queue,
};
use super::{
    answer::{AckAnswer, Advice, Answer, ExtAnswer, Text, Time},
    channel::Channel,
    fault::Fault,
    message::MessageId,
};
use crate::{
    clock::Timestamp,
    model::{
        ids::{NodeId, SocketAddress},
        json::Json,
    },
    store::{Record, Route},
};

/// The channel of connects.
pub const CONNECT: &str = "/meta/connect";
/// How long messages of a client may take to be carried out before the client may be forgotten, in milliseconds.
const CARRY_OUT_MS: u64 = 30_000;

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

/// One that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    member: Member,
    browser: Option<Box<str>>,
    /// The socket that it was last heard on, unless a request was heard since.
    socket: Option<SocketAddress>,
    connected: bool,
    held: Option<Held>,
    /// Requests whose messages are being carried out.
    busy: u32,
    channels: BTreeSet<Channel>,
    queue: Queue,
    memory: Option<Json>,
    /// When it is forgotten; not while a connect is held.
    until: Timestamp,
    /// It said goodbye, and waits for the answer to that.
    left: bool,
}

/// A connect that waits for messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    at: SocketAddress,
    id: Option<MessageId>,
    since: Timestamp,
    until: Timestamp,
    advised: bool,
    time: Option<Time>,
}

/// What a command leads to, besides its answer.
struct Step<'a> {
    now: Timestamp,
    rules: &'a Rules,
    effects: &'a mut Vec<Effect>,
}

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

    /// Whether a connect of its is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.held.is_some())
    }

    /// Whose it is, and what the application remembers.
    #[must_use]
    pub fn member(&self) -> Option<(&Member, Option<&Json>)> {
        self.0.as_ref().map(|open| (&open.member, open.memory.as_ref()))
    }

    fn end(&mut self, why: Ended, effects: &mut Vec<Effect>) {
        if let Some(open) = self.0.take() {
            let Open { member, channels, memory, .. } = *open;
            let (member, channels) = (Box::new(member), channels.into_iter().collect());
            effects.push(Effect::Ended { why, member, channels, memory });
        }
    }
}

impl Open {
    fn apply(&mut self, command: Command, step: &mut Step<'_>) -> Result<Reply, Ended> {
        match command {
            Command::Connect(connect) => return Ok(self.connect(*connect, step)),
            Command::Begin(from) => {
                if self.left || !self.is_browser_of(&from) {
                    return Ok(Reply::Refused(Fault::Unknown));
                }
                self.bind(&from);
                self.busy += 1;
                self.until = self.until.max(step.now + CARRY_OUT_MS);
                return Ok(Reply::Known(Box::new(self.member.clone()), self.memory.clone()));
            }
            Command::Subscribe(channels) => return Ok(self.subscribe(channels, step)),
            Command::Unsubscribe(channels) => {
                for channel in channels {
                    if self.channels.remove(&channel) {
                        step.effects.push(Effect::Unheard(channel));
                    }
                }
            }
            Command::Disconnect => self.left = true,
            Command::Finish { to, answers } => return self.finish(to, answers, step),
            Command::Deliver(message) => {
                if !self.queue.push(message, step.rules.queue, step.rules.queue_bytes) {
                    self.let_go(
                        Advice::handshake(step.rules.timeout_ms),
                        Some(Fault::Unknown),
                        step,
                    );
                    return Err(Ended::Overflowed);
                }
                if self.busy == 0 {
                    self.flush(step);
                }
            }
            Command::Remember(memory) => self.memory = memory,
            Command::Dismiss => {
                if let Some(to) = self.held.as_ref().map(|held| held.at).or(self.socket) {
                    // Without an id: with one it would be an answer.
                    let goodbye = Answer::done("/meta/disconnect", None).text();
                    let mut messages = self.queue.take_all();
                    messages.push(goodbye);
                    let connect = self.held.take().map(|held| {
                        let answer = Answer::done(CONNECT, held.id.as_ref());
                        answer.advised(Advice::stop()).text()
                    });
                    messages.extend(connect);
                    step.effects.push(Effect::Write { to, messages });
                }
                return Err(Ended::Dismissed);
            }
            Command::SendAway(interval) => {
                let advice = Advice { interval, ..step.rules.retry() };
                self.let_go(advice, None, step);
                self.wait(step.now + interval, step.rules);
            }
            Command::Lost(socket) => self.lost(&|address| address == socket, step),
            Command::NodeLost { node, before } => self.lost(
                &|address| address.node.node == node && address.node.incarnation < before,
                step,
            ),
            Command::Open { .. } | Command::Tick => {}
        }
        Ok(Reply::Done)
    }

    /// Strangers who learnt the client's name do not have its browser's cookie.
    fn is_browser_of(&self, from: &From) -> bool {
        match (&self.browser, &from.browser) {
            (Some(own), Some(shown)) => own == shown,
            _ => true,
        }
    }

    fn bind(&mut self, from: &From) {
        self.socket = from.is_socket.then_some(from.at);
    }

    fn connect(&mut self, connect: Connect, step: &mut Step<'_>) -> Reply {
        if self.left || !self.is_browser_of(&connect.from) {
            return Reply::Refused(Fault::Unknown);
        }
        let Connect { from, id, timeout, ack, time, alone, pause } = connect;
        if let Some(old) = self.held.take()
            && old.at != from.at
        {
            step.effects.push(Effect::Overtaken { at: old.at });
        }
        self.bind(&from);
        if let Some(batch) = ack {
            self.queue.acknowledged(batch);
        }
        let is_first = !std::mem::replace(&mut self.connected, true);
        let hold_ms = timeout.unwrap_or(step.rules.timeout_ms).min(step.rules.timeout_ms);
        // Clients that ask for something want to be told what they get.
        let advised = is_first || timeout.is_some() || pause.is_some();
        let (at, since) = (from.at, step.now);
        let held = Held { at, id, since, until: step.now + hold_ms, advised, time };
        let is_held = alone && !is_first && hold_ms > 0 && pause.is_none();
        if is_held && self.queue.is_empty() && self.busy == 0 {
            self.held = Some(held);
            return Reply::Held;
        }
        let retry = step.rules.retry();
        let advice = match pause {
            Some(Pause { interval_ms, many_tabs }) => {
                Advice { interval: interval_ms, multiple_clients: many_tabs, ..retry }
            }
            None => retry,
        };
        let interval = advice.interval;
        self.wait(step.now + interval, step.rules);
        let messages = self.answer(&held, advised.then_some(advice), step.now);
        if !alone {
            return Reply::Now(messages);
        }
        step.effects.push(Effect::Write { to: from.at, messages });
        Reply::Done
    }

    /// What waits, then the answer to a connect.
    fn answer(&mut self, held: &Held, advice: Option<Advice>, now: Timestamp) -> Vec<Text> {
        let (mut messages, batch) = self.queue.take_batch();
        let passed = i64::try_from(now.since(held.since)).unwrap_or(i64::MAX);
        let timesync = held.time.map(|time| Time { p: passed, ..time });
        let ext = ExtAnswer { ack: batch.map(AckAnswer::Batch), timesync };
        let answer = Answer::done(CONNECT, held.id.as_ref()).extended(ext);
        messages.push(match advice {
            Some(advice) => answer.advised(advice).text(),
            None => answer.text(),
        });
        messages
    }

    fn subscribe(&mut self, channels: Vec<Channel>, step: &mut Step<'_>) -> Reply {
        for channel in channels {
            if self.channels.contains(&channel) {
                continue;
            }
            if self.channels.len() >= step.rules.subscriptions {
                return Reply::Refused(Fault::SubscribeFailed);
            }
            self.channels.insert(channel.clone());
            step.effects.push(Effect::Heard(channel));
        }
        Reply::Done
    }

    fn finish(
        &mut self,
        to: SocketAddress,
        answers: Vec<Text>,
        step: &mut Step<'_>,
    ) -> Result<Reply, Ended> {
        self.busy = self.busy.saturating_sub(1);
        // What the client's own messages led to comes before the answers to them.
        let mut messages =
            if self.queue.is_acknowledged() { Vec::new() } else { self.queue.take_all() };
        messages.extend(answers);
        step.effects.push(Effect::Write { to, messages });
        if self.left {
            self.let_go(Advice::stop(), None, step);
            return Err(Ended::Left);
        }
        if self.held.is_none() {
            self.wait(step.now, step.rules);
        }
        if self.busy == 0 {
            self.flush(step);
        }
        Ok(Reply::Done)
    }

    /// Sends what waits, if there is something that carries it.
    fn flush(&mut self, step: &mut Step<'_>) {
        if self.queue.is_empty() {
            return;
        }
        match self.socket {
            Some(to) if !self.queue.is_acknowledged() => {
                let messages = self.queue.take_all();
                step.effects.push(Effect::Write { to, messages });
            }
            _ => self.release(step),
        }
    }

    /// Answers the connect that is held, with what waits.
    fn release(&mut self, step: &mut Step<'_>) {
        if let Some(held) = self.held.take() {
            let advice = held.advised.then(|| step.rules.retry());
            let messages = self.answer(&held, advice, step.now);
            step.effects.push(Effect::Write { to: held.at, messages });
            self.wait(step.now, step.rules);
        }
    }

    /// Answers the connect that is held, with what waits and with this advice: the client is to go on elsewhere, or not.
    fn let_go(&mut self, advice: Advice, fault: Option<Fault>, step: &mut Step<'_>) {
        let Some(held) = self.held.take() else { return };
        let messages = match fault {
            None => self.answer(&held, Some(advice), step.now),
            Some(fault) => {
                let id = held.id.as_ref();
                let failed = Answer::failed(CONNECT, id, &fault, step.rules.errors);
                vec![failed.advised(advice).text()]
            }
        };
        step.effects.push(Effect::Write { to: held.at, messages });
    }

    fn lost(&mut self, is_lost: &dyn Fn(SocketAddress) -> bool, step: &Step<'_>) {
        self.socket.take_if(|socket| is_lost(*socket));
        if self.held.take_if(|held| is_lost(held.at)).is_some() || self.held.is_none() {
            self.wait(step.now, step.rules);
        }
    }

    /// The client may stay away from `from` on for as long as the rules say.
    fn wait(&mut self, from: Timestamp, rules: &Rules) {
        self.until = from + rules.max_interval_ms;
        if self.busy > 0 {
            self.until = self.until + CARRY_OUT_MS;
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
        if let Some(open) = &mut self.0 {
            match &open.held {
                Some(held) if held.until <= now => open.release(&mut step),
                None if open.until <= now => self.end(Ended::Expired, step.effects),
                _ => {}
            }
        }
        if let (None, Command::Open { member, browser, socket, acks }) = (&self.0, &command) {
            self.0 = Some(Box::new(Open {
                member: (**member).clone(),
                browser: browser.clone(),
                socket: *socket,
                connected: false,
                held: None,
                busy: 0,
                channels: BTreeSet::new(),
                queue: Queue::new(*acks),
                memory: None,
                until: now + rules.max_interval_ms,
                left: false,
            }));
            return Reply::Done;
        }
        let Some(open) = &mut self.0 else {
            // Whoever waits for the answers still gets them.
            if let Command::Finish { to, answers: messages } = command {
                step.effects.push(Effect::Write { to, messages });
            }
            return Reply::Refused(Fault::Unknown);
        };
        match open.apply(command, &mut step) {
            Ok(reply) => reply,
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
        let open = self.0.iter();
        open.flat_map(|open| open.socket.into_iter().chain(open.held.as_ref().map(|held| held.at)))
            .map(|socket| socket.node)
            .collect()
    }

    fn lost(NodeId { node, incarnation }: NodeId) -> Option<Command> {
        Some(Command::NodeLost { node, before: incarnation + 1 })
    }

    fn route(effect: &Effect) -> Route {
        match effect {
            Effect::Write { to, .. } => Route::Node(to.node),
            Effect::Overtaken { at } => Route::Node(at.node),
            // Any node may have something for the channel.
            Effect::Heard(_) | Effect::Unheard(_) | Effect::Ended { .. } => Route::Everyone,
        }
    }

    fn makes_a_record(command: &Command) -> bool {
        matches!(command, Command::Open { .. })
    }

    fn is_essential(command: &Command) -> bool {
        matches!(command, Command::Lost(_) | Command::Finish { .. })
    }
}
