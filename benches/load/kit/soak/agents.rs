//! The agents' side: their sockets, what comes over them, and the signals that they send. `watching` has what they are
//! told of visitors.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Later, Soak,
    ledger::{Outcome, Sent},
    watching::{UNWATCHES, View, WATCHES, watchers},
};
use crate::kit::{backoff::Backoff, net::Id};

/// The numbers that agents have among the owners of connections start here.
pub const AGENTS: usize = 1 << 40;

pub struct Agent {
    pub connection: Option<Id>,
    /// The visitors that it watches.
    pub(super) watched: Vec<usize>,
    /// Those of them whom the server has confirmed on this socket, and since when.
    pub(super) confirmed: HashMap<usize, u64>,
    pub(super) is_welcome: bool,
    pub(super) views: HashMap<usize, View>,
    /// Its signals without an outcome, in the order of sending.
    open: Vec<usize>,
    pub expects_close: bool,
    backoff: Backoff,
}

impl Agent {
    pub fn is_ready(&self) -> bool {
        self.is_welcome && self.confirmed.len() == self.watched.len()
    }
}

#[derive(Deserialize)]
pub(super) struct Heard<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    request: Option<u64>,
    pub(super) visitorid: Option<&'a str>,
    id: Option<&'a str>,
    outcome: Option<&'a str>,
    pub(super) epoch: Option<u64>,
    pub(super) sequence: Option<u64>,
    #[serde(default)]
    pub(super) present: bool,
    pub(super) data: Option<Value>,
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
