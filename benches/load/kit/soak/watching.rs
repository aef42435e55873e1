//! What watchers ask and are told of visitors, and whether it is so.

use serde_json::json;

use super::{
    Service, Soak,
    agents::{Agent, Heard},
    pauses::EXCUSING_MS,
};

/// Requests from here on are watches; those below are signals.
pub(super) const WATCHES: u64 = 1 << 40;
/// And from here on the ends of watches.
pub(super) const UNWATCHES: u64 = 1 << 41;
/// How long after his leaving every watcher must know that a visitor is away; he stays away for longer.
const KNOWN_AWAY_MS: u64 = 6_500;
/// What one socket tells may be read so much later than what another tells.
const SLACK_MS: u64 = 500;
/// The server's default.
pub(super) const GRACE_MS: u64 = 5_000;

/// What an agent believes of a visitor.
#[derive(Clone, Copy, Default)]
pub(super) struct View {
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
    /// When it was told that this visitor is gone, if he is.
    pub fn was_told_of_leave(&self, visitor: usize) -> Option<u64> {
        self.views.get(&visitor).filter(|view| !view.connected)?.left_at
    }
}

impl Soak {
    /// Asks again for a visitor whom the server could not show; where the agent is away, his next socket does it.
    pub(super) fn watch_again(&mut self, agent: usize, visitor: usize) {
        let is_missing = !self.agents[agent].confirmed.contains_key(&visitor);
        if is_missing && self.agents[agent].watched.contains(&visitor) {
            self.ask_about(agent, visitor, "watch", WATCHES);
        }
    }

    pub(super) fn ask_about(&mut self, agent: usize, visitor: usize, what: &str, requests: u64) {
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

    pub(super) fn event(&mut self, agent: usize, kind: &str, heard: &Heard<'_>) {
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
}
