//! The agents' side: watching, sending, and keeping account of both.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Later, Service, Soak,
    ledger::{Outcome, Sent},
    pauses::EXCUSING_MS,
};
use crate::kit::{backoff::Backoff, net::Id};

/// The numbers that agents have among the owners of connections start here.
pub const AGENTS: usize = 1 << 40;
/// Requests from here on are watches; those below are signals.
const WATCHES: u64 = 1 << 40;
/// And from here on the ends of watches.
const UNWATCHES: u64 = 1 << 41;
/// How long after his leaving every watcher must know that a visitor is away; he stays away for longer.
const KNOWN_AWAY_MS: u64 = 6_500;
/// What one socket tells may be read so much later than what another tells.
const SLACK_MS: u64 = 500;
/// The server's default.
pub(super) const GRACE_MS: u64 = 5_000;

pub struct Agent {
    pub connection: Option<Id>,
    /// The visitors that it watches.
    watched: Vec<usize>,
    /// Those of them whom the server has confirmed on this socket, and since when.
    confirmed: HashMap<usize, u64>,
    is_welcome: bool,
    views: HashMap<usize, View>,
    /// Its signals without an outcome, in the order of sending.
    open: Vec<usize>,
    pub expects_close: bool,
    backoff: Backoff,
}

/// What an agent believes of a visitor.
#[derive(Clone, Copy, Default)]
struct View {
    connected: bool,
    sockets: usize,
    epoch: u64,
    sequence: u64,
    /// When he was last told to be gone.
    left_at: Option<u64>,
}

/// Every visitor is watched by two agents.
pub(super) fn watchers(visitor: usize, agents: usize) -> [usize; 2] {
    [visitor % agents, (visitor + 1) % agents]
}

impl Agent {
    pub fn is_ready(&self) -> bool {
        self.is_welcome && self.confirmed.len() == self.watched.len()
    }

    /// When it was told that this visitor is gone, if he is.
    pub fn was_told_of_leave(&self, visitor: usize) -> Option<u64> {
        self.views.get(&visitor).filter(|view| !view.connected)?.left_at
    }
}

#[derive(Deserialize)]
struct Heard<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    request: Option<u64>,
    visitorid: Option<&'a str>,
    id: Option<&'a str>,
    outcome: Option<&'a str>,
    epoch: Option<u64>,
    sequence: Option<u64>,
    #[serde(default)]
    present: bool,
    data: Option<Value>,
    code: Option<&'a str>,
    retry_ms: Option<u64>,
}

impl Soak {
    pub(super) fn make_agents(&mut self, count: usize) {
        for agent in 0..count {
            let is_watched = |visitor: &usize| watchers(*visitor, count).contains(&agent);
            self.agents.push(Agent {
                connection: None,
                watched: (0..self.visitors.len()).filter(is_watched).collect(),
                confirmed: HashMap::new(),
                is_welcome: false,
                views: HashMap::new(),
                open: Vec::new(),
                expects_close: false,
                backoff: Backoff::default(),
            });
        }
    }

    pub(super) fn connect_agent(&mut self, agent: usize) {
        let owner = AGENTS + agent;
        self.agents[agent].connection = Some(self.net.open("/v1/agent?group=12345", None, owner));
    }

    pub(super) fn agent_opened(&mut self, agent: usize) {
        let hello = json!({"type": "hello", "token": self.token}).to_string();
        if let Some(id) = self.agents[agent].connection {
            self.net.text(id, hello.as_bytes());
        }
    }

    pub(super) fn agent_hears(&mut self, agent: usize, message: &[u8]) {
        let heard: Heard<'_> = match serde_json::from_slice(message) {
            Ok(heard) => heard,
            Err(error) => {
                let text = String::from_utf8_lossy(message).into_owned();
                return self.ledger.fail(format!("an agent got {text}: {error}"));
            }
        };
        match (heard.kind, heard.request) {
            ("welcome", _) => self.agent_welcomed(agent),
            ("ok", Some(request)) if request >= UNWATCHES => {}
            ("ok", Some(request)) if request >= WATCHES => {
                let (visitor, now) = ((request - WATCHES) as usize, self.now_ms());
                if self.agents[agent].watched.contains(&visitor) {
                    self.agents[agent].confirmed.insert(visitor, now);
                }
            }
            ("ok", Some(request)) => {
                let (id, outcome) = (heard.id.unwrap_or_default(), heard.outcome);
                self.accepted(agent, request as usize - 1, id, outcome.unwrap_or_default());
            }
            ("goaway", _) if self.may_close() => {
                self.agents[agent].backoff.told_to_go(heard.retry_ms)
            }
            // Not taken, and so not lost: the sender tries again, as this answer tells him to.
            ("error", Some(request))
                if request < WATCHES && self.may_close() && heard.code == Some("unready") =>
            {
                let wait = heard.retry_ms.unwrap_or(500);
                self.after(wait as f64, Later::Resend(request as usize - 1));
            }
            ("error", Some(request))
                if (WATCHES..UNWATCHES).contains(&request)
                    && self.may_close()
                    && heard.code == Some("unready") =>
            {
                let (wait, visitor) = (heard.retry_ms.unwrap_or(500), request - WATCHES);
                self.after(wait as f64, Later::Rewatch(agent, visitor as usize));
            }
            ("error", Some(request)) if request < WATCHES => {
                let signal = request as usize - 1;
                self.agents[agent].open.retain(|open| *open != signal);
                self.ledger.end(signal, Outcome::Refused);
                if !self.ledger.signals[signal].is_excused {
                    let code = heard.code.unwrap_or_default();
                    self.ledger.fail(format!("signal {signal} was refused: {code}"));
                }
            }
            ("signaloutcome", _) => {
                let text = |name: &str| {
                    heard.data.as_ref().and_then(|data| data[name].as_str()).unwrap_or_default()
                };
                match self.ledger.by_id.get(text("id")) {
                    Some(signal) => self.ended(agent, *signal, text("outcome")),
                    // The answer that tells the id is still on its way, from another node perhaps.
                    None => {
                        let (id, outcome) = (text("id").to_owned(), text("outcome").to_owned());
                        self.ledger.early.insert(id, outcome);
                    }
                }
            }
            (kind, None) if heard.epoch.is_some() => self.event(agent, kind, &heard),
            _ => {
                let text = String::from_utf8_lossy(message).into_owned();
                self.ledger.fail(format!("an agent got {text}"));
            }
        }
    }

    fn agent_welcomed(&mut self, agent: usize) {
        let now = self.now_ms();
        let this = &mut self.agents[agent];
        this.is_welcome = true;
        this.backoff.welcomed(now);
        let (watched, open) = (this.watched.clone(), this.open.clone());
        for visitor in watched {
            self.ask_about(agent, visitor, "watch", WATCHES);
        }
        // In the order of their first sending: the key makes those that arrived harmless.
        for signal in open {
            self.ledger.resent += 1;
            self.send(agent, signal);
        }
    }

    /// Asks again for a visitor whom the server could not show; where the agent is away, his next socket does it.
    pub(super) fn watch_again(&mut self, agent: usize, visitor: usize) {
        let is_missing = !self.agents[agent].confirmed.contains_key(&visitor);
        if is_missing && self.agents[agent].watched.contains(&visitor) {
            self.ask_about(agent, visitor, "watch", WATCHES);
        }
    }

    fn ask_about(&mut self, agent: usize, visitor: usize, what: &str, requests: u64) {
        let (name, request) = (&self.visitors[visitor].name, requests + visitor as u64);
        let message = json!({"type": what, "visitorid": name, "request": request}).to_string();
        if let Some(id) = self.agents[agent].connection.filter(|_| self.agents[agent].is_welcome) {
            self.net.text(id, message.as_bytes());
        }
    }

    /// Two agents begin to watch a visitor who has not been there before.
    pub(super) fn watch_newcomer(&mut self, visitor: usize) {
        for agent in watchers(visitor, self.agents.len()) {
            self.agents[agent].watched.push(visitor);
            self.ask_about(agent, visitor, "watch", WATCHES);
        }
    }

    /// Nobody watches a visitor any more who left for good; by now all must have heard of it.
    pub(super) fn forget(&mut self, visitor: usize) {
        self.expect_known_away(visitor);
        for agent in watchers(visitor, self.agents.len()) {
            self.ask_about(agent, visitor, "unwatch", UNWATCHES);
            let agent = &mut self.agents[agent];
            agent.watched.retain(|watched| *watched != visitor);
            agent.confirmed.remove(&visitor);
            agent.views.remove(&visitor);
        }
    }

    pub(super) fn send_some_signal(&mut self) {
        let agent = self.random.below(self.agents.len());
        if !self.agents[agent].is_ready() {
            return;
        }
        let watched = &self.agents[agent].watched;
        let visitor = watched[self.random.below(watched.len())];
        self.send_new(agent, visitor);
    }

    /// One of his watchers sends him a signal.
    pub(super) fn send_signal_to(&mut self, visitor: usize) {
        let [agent, _] = watchers(visitor, self.agents.len());
        self.send_new(agent, visitor);
    }

    fn send_new(&mut self, agent: usize, visitor: usize) {
        let is_excused = self.visitors[visitor].away.is_some();
        let to_all = self.random.chance(0.05);
        self.ledger.signals.push(Sent {
            agent,
            visitor,
            to_all,
            id: None,
            outcome: None,
            told: 0,
            is_excused,
            sendings: 0,
            runs: 0,
        });
        self.ledger.open += 1;
        let signal = self.ledger.signals.len() - 1;
        self.agents[agent].open.push(signal);
        self.send(agent, signal);
    }

    /// Sends a signal again that has no outcome yet; where the agent is away, his next socket does it.
    pub(super) fn send_again(&mut self, signal: usize) {
        let agent = self.ledger.signals[signal].agent;
        if self.agents[agent].is_ready() && self.agents[agent].open.contains(&signal) {
            self.ledger.resent += 1;
            self.send(agent, signal);
        }
    }

    fn send(&mut self, agent: usize, signal: usize) {
        let sent = &mut self.ledger.signals[signal];
        sent.sendings += 1;
        let name = &self.visitors[sent.visitor].name;
        let message = json!({
            "type": "signal",
            "request": signal + 1,
            "visitorid": name,
            "key": format!("{name}-{signal}"),
            "target": if sent.to_all { "all" } else { "focus" },
            "data": {"number": signal, "text": "Would you like some help with that?"},
        });
        if let Some(id) = self.agents[agent].connection {
            self.net.text(id, message.to_string().as_bytes());
        }
    }

    fn accepted(&mut self, agent: usize, signal: usize, id: &str, outcome: &str) {
        let sent = &mut self.ledger.signals[signal];
        if sent.id.as_deref().is_some_and(|before| before != id) {
            return self.ledger.fail(format!("signal {signal} got two ids"));
        }
        sent.id = Some(id.to_owned());
        self.ledger.by_id.insert(id.to_owned(), signal);
        match (outcome, self.ledger.early.remove(id)) {
            ("held", None) => {}
            ("held", Some(outcome)) => self.ended(agent, signal, &outcome),
            (outcome, _) => self.ended(agent, signal, outcome),
        }
    }

    fn ended(&mut self, agent: usize, signal: usize, outcome: &str) {
        self.agents[agent].open.retain(|open| *open != signal);
        match outcome {
            "delivered" => self.ledger.end(signal, Outcome::Delivered),
            "expired" => self.ledger.end(signal, Outcome::Expired),
            "refused" => self.ledger.end(signal, Outcome::Refused),
            other => self.ledger.fail(format!("signal {signal} has the outcome {other}")),
        }
    }

    fn event(&mut self, agent: usize, kind: &str, heard: &Heard<'_>) {
        self.ledger.events += 1;
        let name = heard.visitorid.unwrap_or_default();
        let number = name.rsplit('-').next().and_then(|number| number.parse::<usize>().ok());
        let Some(visitor) = number.filter(|number| {
            self.visitors.get(*number).is_some_and(|visitor| visitor.name == name)
        }) else {
            return self.ledger.fail(format!("an event of somebody else, {name}"));
        };
        let (epoch, sequence) = (heard.epoch.unwrap_or(0), heard.sequence.unwrap_or(0));
        let own_now = self.now_ms();
        let view = self.agents[agent].views.entry(visitor).or_default();
        let (now, before) = ((epoch, sequence), (view.epoch, view.sequence));
        let is_old = if heard.present { now < before } else { now <= before };
        if is_old {
            self.ledger.disordered_events += 1;
            return self.ledger.fail(format!("{kind} of {name} is {now:?} after {before:?}"));
        }
        (view.epoch, view.sequence) = now;
        let data = heard.data.as_ref();
        let connected = data.and_then(|data| data["connected"].as_bool()).unwrap_or_default();
        match kind {
            "visitorconn" => {
                // Before the first page, watchers are rightly told that he is away.
                let is_news = !heard.present || view.connected;
                view.connected = connected;
                if !connected && is_news {
                    view.left_at = Some(own_now);
                    self.judge_leave(visitor, own_now, heard);
                }
            }
            "visitorsock" => {
                let sockets = data.and_then(|data| data["sockets"].as_u64());
                view.sockets = sockets.unwrap_or_default() as usize;
            }
            "presence" | "visibility" => {}
            other => self.ledger.fail(format!("an event {other} of {name}")),
        }
    }

    /// A leave was told. It is false unless the visitor left on purpose. It is not judged if this process let him wait
    /// for longer than the grace before it even tried to connect, or stood still meanwhile and the machine with it.
    fn judge_leave(&mut self, visitor: usize, now: u64, heard: &Heard<'_>) {
        let this = &self.visitors[visitor];
        if this.away.is_some() || now < this.back_at + SLACK_MS {
            return;
        }
        if self.service == Service::Away {
            return self.leaves.push((visitor, now));
        }
        let tried_late = this.tried_at >= this.gone_at + GRACE_MS - SLACK_MS;
        if tried_late || self.pauses.within(this.gone_at, now) >= EXCUSING_MS {
            self.ledger.unjudged += 1;
            return;
        }
        self.ledger.false_leaves += 1;
        let how = if heard.present { "as the present state" } else { "as news" };
        let failure = format!(
            "a false leave of {}, at {now} ms, {how}, epoch {:?}, sequence {:?}; a page went at {} ms, the next one tried at {}",
            this.name, heard.epoch, heard.sequence, this.gone_at, this.tried_at
        );
        self.ledger.fail(failure);
    }

    /// When a visitor who was away on purpose is about to come back: everybody must have heard of his leave.
    pub(super) fn expect_known_away(&mut self, visitor: usize) {
        let Some(since) = self.visitors[visitor].away else { return };
        let returns_already = std::mem::replace(&mut self.visitors[visitor].is_returning, true);
        if returns_already || self.now_ms() < since + KNOWN_AWAY_MS {
            return;
        }
        let now = self.now_ms();
        if self.pauses.within(since, now) >= EXCUSING_MS {
            // What the server told meanwhile may wait unread.
            self.ledger.unjudged += 1;
            return;
        }
        let is_informed = |agent: &&Agent| {
            agent.confirmed.get(&visitor).is_some_and(|since| now > since + SLACK_MS)
        };
        for agent in self.agents.iter().filter(is_informed) {
            if agent.views.get(&visitor).is_some_and(|view| view.connected) {
                self.ledger.missed_leaves += 1;
            }
        }
    }

    /// After the storm every watcher must know who is there, and with how many pages.
    pub(super) fn compare_views(&mut self) {
        for (number, agent) in self.agents.iter().enumerate() {
            for visitor in &agent.watched {
                let view = agent.views.get(visitor).copied().unwrap_or_default();
                let visitor = &self.visitors[*visitor];
                if visitor.tabs.is_empty() {
                    continue;
                }
                if !view.connected || view.sockets != visitor.tabs.len() {
                    self.ledger.failures.push(format!(
                        "agent {number} believes of {}: connected {}, {} sockets instead of {}",
                        visitor.name,
                        view.connected,
                        view.sockets,
                        visitor.tabs.len()
                    ));
                }
            }
        }
    }

    pub(super) fn lose_some_agent(&mut self) {
        let agent = self.random.below(self.agents.len());
        if !self.agents[agent].is_ready() {
            return;
        }
        self.ledger.agents_lost += 1;
        if let Some(id) = self.agents[agent].connection {
            let reset = self.random.chance(0.5);
            self.net.kill(id, reset);
        }
        self.agent_goes(agent);
    }

    fn agent_goes(&mut self, agent: usize) {
        let wait = self.random.unit() * 300.0;
        self.agent_returns_in(agent, wait);
    }

    fn agent_returns_in(&mut self, agent: usize, wait: f64) {
        let this = &mut self.agents[agent];
        (this.connection, this.is_welcome) = (None, false);
        this.confirmed.clear();
        self.after(wait, Later::Return(agent));
    }

    pub(super) fn agent_lost(&mut self, agent: usize, code: Option<u16>, retry_ms: Option<u64>) {
        let (now, random) = (self.now_ms(), self.random.unit());
        let this = &mut self.agents[agent];
        if this.expects_close {
            this.connection = None;
            return;
        }
        let wait = this.backoff.lost(now, retry_ms, random);
        if !self.may_close() {
            self.ledger.fail(format!("the server closed agent {agent}: {code:?}"));
        }
        self.agent_returns_in(agent, wait);
    }
}
