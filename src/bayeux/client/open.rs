//! A client session that is open: what it knows, and what each command leads to; `connect` has its connects.

mod connect;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use self::connect::Held;
use super::{
    CARRY_OUT_MS, CONNECT, MOST_KEPT,
    command::{Command, Effect, Ended, From, Member, Reply, Rules},
    queue::Queue,
};
use crate::{
    bayeux::{
        answer::{Advice, Answer, Text},
        channel::Channel,
        fault::Fault,
    },
    clock::Timestamp,
    model::{
        ids::{NodeId, SocketAddress},
        topic::Position,
    },
};

/// One that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) member: Member,
    browser: Option<Box<str>>,
    /// The socket that it was last heard on, unless a request was heard since.
    socket: Option<SocketAddress>,
    /// The node that has what stands behind it, until that is lost.
    #[serde(default)]
    pub(super) home: Option<NodeId>,
    connected: bool,
    pub(super) held: Option<Held>,
    /// Requests whose messages are being carried out.
    busy: u32,
    pub(super) channels: BTreeSet<Channel>,
    /// Where it began to hear each of them.
    #[serde(default)]
    begun: BTreeMap<Channel, Position>,
    /// The place of the last message that it heard of any.
    #[serde(default)]
    heard: Option<Position>,
    /// What the application has of it, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) kept: BTreeMap<Box<str>, Box<str>>,
    pub(super) queue: Queue,
    /// When it is forgotten; not while a connect is held.
    pub(super) until: Timestamp,
    /// It said goodbye, and waits for the answer to that.
    left: bool,
}

/// What a command leads to, besides its answer.
pub(super) struct Step<'a> {
    pub(super) now: Timestamp,
    pub(super) rules: &'a Rules,
    pub(super) effects: &'a mut Vec<Effect>,
}

impl Open {
    /// The nodes that have something of it.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        let sockets = self.socket.into_iter().chain(self.held.as_ref().map(|held| held.at));
        sockets.map(|socket| socket.node).chain(self.home)
    }

    /// A node that is not its home carried something to it: who hears for it may go on then.
    pub(super) fn tell_home(&self, connects: Option<NodeId>, effects: &mut Vec<Effect>) {
        let Some(home) = self.home else { return };
        let is_elsewhere =
            |effect: &Effect| matches!(effect, Effect::Write { to, .. } if to.node != home);
        let is_taken = match self.queue.is_acknowledged() {
            true => connects.is_some_and(|at| at != home),
            false => effects.iter().any(is_elsewhere),
        };
        if is_taken {
            effects.push(Effect::Taken { home });
        }
    }

    /// It is heard on this node, which is its home if there is none.
    fn settle(&mut self, node: NodeId) -> NodeId {
        *self.home.get_or_insert(node)
    }

    /// One that has not connected yet.
    pub(super) fn new(
        member: Member,
        browser: Option<Box<str>>,
        (socket, home): (Option<SocketAddress>, NodeId),
        acks: bool,
        until: Timestamp,
    ) -> Self {
        Self {
            member,
            browser,
            socket,
            home: Some(home),
            connected: false,
            held: None,
            busy: 0,
            channels: BTreeSet::new(),
            begun: BTreeMap::new(),
            heard: None,
            kept: BTreeMap::new(),
            queue: Queue::new(acks),
            until,
            left: false,
        }
    }

    pub(super) fn apply(&mut self, command: Command, step: &mut Step<'_>) -> Result<Reply, Ended> {
        match command {
            Command::Connect(connect) => return Ok(self.connect(*connect, step)),
            Command::Begin(from) => {
                if self.left || !self.is_browser_of(&from) {
                    return Ok(Reply::Refused(Fault::Unknown));
                }
                self.bind(&from);
                self.busy += 1;
                self.until = self.until.max(step.now + CARRY_OUT_MS);
                let home = self.settle(from.at.node);
                return Ok(Reply::Known { member: Box::new(self.member.clone()), home });
            }
            Command::Subscribe(channel) => {
                let is_full = self.channels.len() >= step.rules.subscriptions;
                if is_full && !self.channels.contains(&channel) {
                    return Ok(Reply::Refused(Fault::SubscribeFailed));
                }
                self.channels.insert(channel);
            }
            Command::Unsubscribe(channel) => {
                self.channels.remove(&channel);
                self.begun.remove(&channel);
            }
            Command::Keep { name, what: Some(what) } => {
                if self.kept.len() >= MOST_KEPT && !self.kept.contains_key(&name) {
                    return Ok(Reply::Refused(Fault::Unready));
                }
                self.kept.insert(name, what);
            }
            Command::Keep { name, what: None } => {
                self.kept.remove(&name);
            }
            Command::Disconnect => self.left = true,
            Command::Finish { to, is_socket, answers } => {
                // What is for the client goes to where it is: it may have lost that socket.
                let is_there = self.socket.map_or(!is_socket, |socket| socket == to);
                return self.finish(to, is_there, answers, step);
            }
            Command::Hears { channel, position } => {
                if self.channels.contains(&channel) {
                    self.begun.insert(channel, position);
                }
            }
            Command::Deliver(message) => return self.take(message, step),
            Command::Hear { message, position } => {
                // Those of one subscription may be read later than those of another.
                let is_behind = |heard: &Position| {
                    heard.epoch == position.epoch && heard.offset > position.offset
                };
                self.heard = self.heard.filter(is_behind).or(Some(position));
                return self.take(message, step);
            }
            Command::Forget => return Err(self.forget(step)),
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
            Command::SendAway { at, interval_ms: interval } => {
                if self.held.as_ref().is_some_and(|held| held.at == at) {
                    let advice = Advice { interval, ..step.rules.retry() };
                    self.let_go(advice, None, step);
                    self.wait(step.now + interval, step.rules);
                }
            }
            Command::Lost(socket) => self.lost(&|address| address == socket, step),
            Command::NodeLost { node, before } => {
                // Nobody carries out any more what was begun there, nor answers it.
                (self.busy, self.left) = (0, false);
                let is_lost = |address: SocketAddress| {
                    address.node.node == node && address.node.incarnation < before
                };
                self.lost(&is_lost, step);
                self.leave_home(|home| home.node == node && home.incarnation < before, step);
            }
            Command::GiveUp { home } => self.leave_home(|own| own == home, step),
            Command::Open { .. } | Command::Tick => {}
        }
        Ok(Reply::Done)
    }

    /// It has no home any more, if it was such a one. Whoever else holds it is its home from now on.
    fn leave_home(&mut self, is_lost: impl Fn(NodeId) -> bool, step: &mut Step<'_>) {
        if self.home.take_if(|home| is_lost(*home)).is_none() {
            return;
        }
        let next = self.nodes().find(|node| !is_lost(*node));
        if let Some(home) = next {
            self.home = Some(home);
            step.effects.push(Effect::Adopt { home });
        }
    }

    /// The place up to which it has all of a channel.
    pub(super) fn heard(&self, channel: &Channel) -> Option<Position> {
        let begun = *self.begun.get(channel)?;
        let later = |heard: &Position| heard.epoch != begun.epoch || heard.offset > begun.offset;
        Some(self.heard.filter(later).unwrap_or(begun))
    }

    fn take(&mut self, message: Text, step: &mut Step<'_>) -> Result<Reply, Ended> {
        if !self.queue.push(message, step.rules.queue, step.rules.queue_bytes) {
            return Err(self.forget(step));
        }
        if self.busy == 0 {
            self.flush(step);
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

    fn finish(
        &mut self,
        to: SocketAddress,
        is_there: bool,
        answers: Vec<Text>,
        step: &mut Step<'_>,
    ) -> Result<Reply, Ended> {
        self.busy = self.busy.saturating_sub(1);
        // What the client's own messages led to comes before the answers to them.
        let mut messages = match is_there && !self.queue.is_acknowledged() {
            true => self.queue.take_all(),
            false => Vec::new(),
        };
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

    /// Messages are missing: it has to begin anew.
    fn forget(&mut self, step: &mut Step<'_>) -> Ended {
        self.let_go(Advice::handshake(step.rules.timeout_ms), Some(Fault::Unknown), step);
        Ended::Overflowed
    }

    fn lost(&mut self, is_lost: &dyn Fn(SocketAddress) -> bool, step: &Step<'_>) {
        self.socket.take_if(|socket| is_lost(*socket));
        if self.held.take_if(|held| is_lost(held.at)).is_some() || self.held.is_none() {
            self.wait(step.now, step.rules);
        }
        // What was said last was said on the lost one; the client is at the other.
        let held = self.held.as_ref().filter(|held| held.is_socket).map(|held| held.at);
        self.socket = self.socket.or(held);
    }

    /// The client may stay away from `from` on for as long as the rules say.
    fn wait(&mut self, from: Timestamp, rules: &Rules) {
        self.until = from + rules.max_interval_ms;
        if self.busy > 0 {
            self.until = self.until + CARRY_OUT_MS;
        }
    }
}
