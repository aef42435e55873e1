//! Connects: held until something waits for the client or their time is over, or answered at once.

use serde::{Deserialize, Serialize};

use super::{Open, Step};
use crate::{
    bayeux::{
        answer::{AckAnswer, Advice, Answer, ExtAnswer, Text, Time},
        client::{
            CONNECT,
            command::{Connect, Effect, Pause, Reply},
        },
        fault::Fault,
        message::MessageId,
    },
    clock::Timestamp,
    model::ids::SocketAddress,
};

/// A connect that waits for messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::bayeux::client) struct Held {
    pub(in crate::bayeux::client) at: SocketAddress,
    /// Whether that is a socket.
    #[serde(default)]
    pub(super) is_socket: bool,
    pub(super) id: Option<MessageId>,
    since: Timestamp,
    pub(in crate::bayeux::client) until: Timestamp,
    advised: bool,
    time: Option<Time>,
}

impl Open {
    pub(super) fn connect(&mut self, connect: Connect, step: &mut Step<'_>) -> Reply {
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
        if self.home.is_none() {
            step.effects.push(Effect::Adopt { home: self.settle(from.at.node) });
        }
        if let Some(batch) = ack {
            self.queue.acknowledged(batch);
        }
        let is_first = !std::mem::replace(&mut self.connected, true);
        let hold_ms = timeout.unwrap_or(step.rules.timeout_ms).min(step.rules.timeout_ms);
        // Clients that ask for something want to be told what they get.
        let advised = is_first || timeout.is_some() || pause.is_some();
        let (at, since) = (from.at, step.now);
        let is_socket = from.is_socket;
        let held = Held { at, is_socket, id, since, until: step.now + hold_ms, advised, time };
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

    /// Answers the connect that is held, with what waits.
    pub(in crate::bayeux::client) fn release(&mut self, step: &mut Step<'_>) {
        if let Some(held) = self.held.take() {
            let advice = held.advised.then(|| step.rules.retry());
            let messages = self.answer(&held, advice, step.now);
            step.effects.push(Effect::Write { to: held.at, messages });
            self.wait(step.now, step.rules);
        }
    }

    /// Answers the connect that is held, with what waits and with this advice: the client is to go on elsewhere, or not.
    pub(super) fn let_go(&mut self, advice: Advice, fault: Option<Fault>, step: &mut Step<'_>) {
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
}
