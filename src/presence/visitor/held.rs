//! Signals that wait for a page, and the outcomes of those that do no more (design section 3).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    Phase, Step, Visitor,
    command::{Departure, Reply, Submission},
    effect::{Effect, ToPage},
};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        explain::WaitingView,
        ids::{IdempotencyKey, NodeId, SignalId, SocketAddress, TabId, VisitorId},
        signal::{InvokeFailure, Message, Outcome, Target},
        timeline::{Note, SettleCause, WaitCause},
    },
};

/// Most signals that wait for one visitor (design section 3.5).
pub const MAX_HELD: usize = 32;
/// Most bytes that wait for one visitor (design section 3.5).
pub const MAX_HELD_BYTES: usize = 256 * 1024;
/// How long an outcome is remembered, in milliseconds (design section 3.3).
pub const OUTCOME_MEMORY_MS: u64 = 60_000;
/// Most outcomes that one record remembers; beyond, the oldest is forgotten first.
pub const MAX_OUTCOMES: usize = 1024;

/// A signal that nobody has acknowledged yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Held {
    submission: Submission,
    /// Set while it waits: when it expires.
    deadline: Timestamp,
    state: State,
}

impl Held {
    fn to_page(&self, step: &Step<'_>) -> ToPage {
        ToPage::Signal {
            id: self.submission.id,
            // A little earlier than ours, so that the acknowledgement of a page that took it arrives in time.
            deadline: self.deadline - step.rules.ack_ms / 10,
            message: self.submission.message.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// For a page to come. One that a tab may have seen waits for that tab first: its next page knows what was seen.
    Waiting {
        pin: Option<Pin>,
        /// Records of earlier versions do not say.
        #[serde(default)]
        cause: WaitCause,
    },
    /// For the acknowledgement of one of these sockets, until the deadline.
    Sent { sockets: Vec<SocketAddress> },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pin {
    tab: TabId,
    until: Timestamp,
}

/// A signal with its final outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Settled {
    id: SignalId,
    outcome: Outcome,
    until: Timestamp,
    key: Option<IdempotencyKey>,
    sender: Option<SocketAddress>,
    /// The function that it named, until its failure is told.
    func: Option<Box<str>>,
    failure: Option<InvokeFailure>,
}

/// All signals of one visitor, in the order of their acceptance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signals {
    held: VecDeque<Held>,
    settled: VecDeque<Settled>,
    /// The newest id that was ever accepted: ids grow with time, so a greater one is nobody's retry.
    newest: Option<SignalId>,
}

impl Signals {
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.settled.is_empty()
    }

    /// A copy of what waits, without the remembered outcomes.
    pub(super) fn checkpoint(&self) -> Self {
        Self { held: self.held.clone(), settled: VecDeque::new(), newest: self.newest }
    }

    /// Goes back to what waited at the checkpoint. Outcomes that were remembered since stay: what waits again
    /// overrules them until it ends once more.
    pub(super) fn roll_back(&mut self, checkpoint: Self) {
        (self.held, self.newest) = (checkpoint.held, checkpoint.newest);
    }

    pub(super) fn waiting(&self) -> usize {
        self.held.len()
    }

    /// What waits, in its order.
    pub(super) fn view(&self) -> Vec<WaitingView> {
        let view = self.held.iter().map(|held| WaitingView {
            signal: held.submission.id,
            cause: match held.state {
                State::Waiting { cause, .. } => Some(cause),
                State::Sent { .. } => None,
            },
            until: held.deadline,
        });
        view.collect()
    }

    pub(super) fn outcome(&self, id: SignalId) -> Option<(Outcome, Option<InvokeFailure>)> {
        if self.held.iter().any(|held| held.submission.id == id) {
            return Some((Outcome::Held, None));
        }
        let settled = self.settled.iter().rev().find(|settled| settled.id == id)?;
        Some((settled.outcome, settled.failure.clone()))
    }

    pub(super) fn deadline(&self, is_listening: bool) -> Option<Timestamp> {
        let forget = self.settled.front().map(|settled| settled.until);
        // The first that waits while there is a page waits for its tab, and holds back the others; their pins do not
        // count before its own.
        let waits = |held: &&Held| matches!(held.state, State::Waiting { .. });
        let pin = self.held.iter().find(waits).filter(|_| is_listening);
        let pin = pin.and_then(|held| match &held.state {
            State::Waiting { pin, .. } => pin.as_ref().map(|pin| pin.until),
            State::Sent { .. } => None,
        });
        let held = self.held.iter().map(|held| held.deadline).chain(pin);
        held.chain(forget).min()
    }

    /// An earlier signal with the same id or key, and how it stands. Its sender may ask from another socket by now; then
    /// that one is told the outcome.
    fn earlier(&mut self, again: &Submission) -> Option<(SignalId, Outcome)> {
        if again.key.is_none() && self.newest.is_none_or(|newest| again.id > newest) {
            return None;
        }
        let same = |id: SignalId, key: &Option<IdempotencyKey>| {
            id == again.id || (again.key.is_some() && *key == again.key)
        };
        let mut held = self.held.iter_mut().map(|held| &mut held.submission);
        // Sent again by way of another node, it may overtake what an ending node still had: the later one knows where the
        // sender is.
        let is_later = |id: SignalId| again.id >= id;
        if let Some(held) = held.find(|held| same(held.id, &held.key)) {
            held.sender = again.sender.filter(|_| is_later(held.id)).or(held.sender);
            return Some((held.id, Outcome::Held));
        }
        let mut settled = self.settled.iter_mut().rev();
        let settled = settled.find(|settled| same(settled.id, &settled.key))?;
        settled.sender = again.sender.filter(|_| is_later(settled.id)).or(settled.sender);
        Some((settled.id, settled.outcome))
    }

    pub(super) fn acknowledge(&mut self, id: SignalId, step: &mut Step<'_>) {
        if let Some(at) = self.held.iter().position(|held| held.submission.id == id)
            && let Some(held) = self.held.remove(at)
        {
            self.settle(held.submission, Outcome::Delivered, SettleCause::Acknowledged, step);
        }
    }

    /// Ends what is past its deadline, and forgets old outcomes.
    pub(super) fn expire(&mut self, step: &mut Step<'_>) {
        while let Some(at) = self.held.iter().position(|held| held.deadline <= step.now) {
            if let Some(held) = self.held.remove(at) {
                let cause = match held.state {
                    State::Waiting { .. } => SettleCause::NoPage,
                    State::Sent { .. } => SettleCause::NoAnswer,
                };
                self.settle(held.submission, Outcome::Expired, cause, step);
            }
        }
        while self.settled.front().is_some_and(|settled| settled.until <= step.now) {
            self.settled.pop_front();
        }
        if self.held.is_empty() && self.held.capacity() > 4 {
            self.held = VecDeque::new();
        }
        if self.settled.is_empty() && self.settled.capacity() > 0 {
            self.settled = VecDeque::new();
        }
    }

    fn settle(
        &mut self,
        submission: Submission,
        outcome: Outcome,
        cause: SettleCause,
        step: &mut Step<'_>,
    ) {
        step.note(Note::SignalSettled { signal: submission.id, outcome, cause });
        step.effects.push(Effect::Settled { to: submission.sender, id: submission.id, outcome });
        if self.settled.len() >= MAX_OUTCOMES {
            self.settled.pop_front();
        }
        self.settled.push_back(Settled {
            id: submission.id,
            outcome,
            until: step.now + OUTCOME_MEMORY_MS,
            key: submission.key,
            sender: submission.sender,
            func: match submission.message {
                Message::Invoke { func, .. } => Some(func),
                Message::Signal { .. } => None,
            },
            failure: None,
        });
    }

    /// A page tells that an invoked function failed; told to the sender, once.
    pub(super) fn failed(&mut self, id: SignalId, failure: InvokeFailure, step: &mut Step<'_>) {
        self.acknowledge(id, step);
        let settled = self.settled.iter_mut().rev().find(|settled| settled.id == id);
        let Some(settled) = settled else { return };
        let Some(func) = settled.func.take() else { return };
        step.note(Note::InvokeFailed { signal: id, cause: failure.code.clone() });
        if let Some(to) = settled.sender {
            let failure = failure.clone();
            step.effects.push(Effect::InvokeFailed { to, id, func, failure });
        }
        settled.failure = Some(failure);
    }

    /// A socket went: what only it had not acknowledged waits again, first for the same tab.
    pub(super) fn put_back(
        &mut self,
        address: SocketAddress,
        tab: &TabId,
        departure: Departure,
        step: &mut Step<'_>,
    ) {
        let window = step.rules.signal_window_ms;
        // Those behind a pinned signal wait with it, and must outlive the pin however long the window is.
        let patience = window.min(step.rules.ack_ms) / 2;
        for held in &mut self.held {
            let State::Sent { sockets } = &mut held.state else { continue };
            sockets.retain(|socket| *socket != address);
            if !sockets.is_empty() {
                continue;
            }
            held.deadline = held.deadline.max(step.now + window);
            let pin = Pin { tab: tab.clone(), until: step.now + patience };
            let pin = (departure == Departure::Gone).then_some(pin);
            let cause = WaitCause::PageEnded;
            let until = pin.as_ref().map_or(held.deadline, |pin| pin.until);
            step.note(Note::SignalWaits { signal: held.submission.id, cause, until });
            held.state = State::Waiting { pin, cause };
        }
    }

    /// A node may have missed what was sent to its sockets: they get it once more, and as much time for it.
    pub(super) fn send_again(&mut self, node: NodeId, step: &mut Step<'_>) {
        for held in &mut self.held {
            let State::Sent { sockets } = &held.state else { continue };
            let here = sockets.iter().filter(|socket| socket.node == node);
            for (nth, to) in here.enumerate() {
                if nth == 0 {
                    held.deadline = step.now + step.rules.ack_ms;
                }
                step.effects.push(Effect::Page { to: *to, message: held.to_page(step) });
            }
        }
    }

    /// The records were away: what waits gets its time again.
    pub(super) fn extend(&mut self, deadline: Timestamp) {
        for held in &mut self.held {
            held.deadline = held.deadline.max(deadline);
        }
    }

    /// Sockets that are gone are told nothing.
    pub(super) fn forget_senders(&mut self, is_gone: impl Fn(SocketAddress) -> bool) {
        let held = self.held.iter_mut().map(|held| &mut held.submission.sender);
        let settled = self.settled.iter_mut().map(|settled| &mut settled.sender);
        for sender in held.chain(settled) {
            *sender = sender.filter(|address| !is_gone(*address));
        }
    }

    /// Hands everything that waits to the known visitor's record.
    pub(super) fn forward_all(&mut self, known: &VisitorId, step: &mut Step<'_>) {
        for held in std::mem::take(&mut self.held) {
            let submission = Box::new(held.submission);
            step.note(Note::SignalForwarded { signal: submission.id, visitorid: known.clone() });
            step.effects.push(Effect::Forward { to: known.clone(), submission });
        }
    }
}

impl Visitor {
    /// A signal comes in: sent, held or refused (design section 3.1).
    pub(super) fn signal(&mut self, submission: Submission, step: &mut Step<'_>) -> Reply {
        if let Some((id, outcome)) = self.signals.earlier(&submission) {
            return Reply::Signal { id, outcome };
        }
        let id = submission.id;
        if let Phase::Joined { to, .. } = &self.phase {
            let to = to.clone();
            step.note(Note::SignalForwarded { signal: id, visitorid: to.clone() });
            step.effects.push(Effect::Forward { to, submission: Box::new(submission) });
            return Reply::Signal { id, outcome: Outcome::Held };
        }
        let window = step.rules.signal_window_ms;
        let (deadline, cause) = match (&self.phase, self.listened) {
            // If it goes out at once, the time to acknowledge takes the place of this.
            _ if self.is_listening() => {
                (step.now + window.max(step.rules.ack_ms), WaitCause::Order)
            }
            (Phase::Unknown { until }, _) => (*until + window, WaitCause::Unknown),
            (_, Some(at)) if step.now < at + window => (step.now + window, WaitCause::NoPage),
            _ => {
                let sentence = "the visitor is not there to get it";
                return Reply::Refused(Problem::new(ErrorCode::VisitorNotPresent, sentence));
            }
        };
        let bytes: usize = self.signals.held.iter().map(|held| held.submission.message.len()).sum();
        if self.signals.held.len() >= MAX_HELD || bytes + submission.message.len() > MAX_HELD_BYTES
        {
            let sentence = format!(
                "at most {MAX_HELD} signals and {MAX_HELD_BYTES} bytes may wait for one visitor"
            );
            return Reply::Refused(Problem::new(ErrorCode::TooMany, sentence));
        }
        let state = State::Waiting { pin: None, cause };
        self.signals.newest = self.signals.newest.max(Some(id));
        self.signals.held.push_back(Held { submission, deadline, state });
        step.note(Note::SignalAccepted { signal: id });
        self.flush(step);
        if let Some(Held { state: State::Waiting { .. }, .. }) = self.signals.held.back() {
            step.note(Note::SignalWaits { signal: id, cause, until: deadline });
        }
        Reply::Signal { id, outcome: Outcome::Held }
    }

    /// Sends what waits, in order, as far as there is a page for it. One that waits for its tab holds back those
    /// behind it, so that order is kept. What is for all tabs also goes to those that come while it is on its way: a page
    /// that got it only when the others were gone would get it behind later ones.
    pub(super) fn flush(&mut self, step: &mut Step<'_>) {
        if !self.is_listening() {
            return;
        }
        let listening = || self.sockets.iter().filter(|socket| socket.listening);
        for held in &mut self.signals.held {
            let is_for_all = held.submission.target == Target::All;
            let (pin, has_it) = match &held.state {
                State::Waiting { pin, .. } => (pin.as_ref(), &[][..]),
                State::Sent { sockets } if is_for_all => (None, &sockets[..]),
                State::Sent { .. } => continue,
            };
            let of_tab = pin.and_then(|pin| {
                let of_tab = listening().filter(|socket| socket.tab == pin.tab);
                of_tab.max_by_key(|socket| socket.activity)
            });
            if of_tab.is_none() && pin.is_some_and(|pin| step.now < pin.until) {
                return;
            }
            let to: Vec<_> = if is_for_all {
                let all = listening().map(|socket| socket.address);
                all.filter(|address| !has_it.contains(address)).collect()
            } else {
                of_tab.map(|socket| socket.address).or(self.focus).into_iter().collect()
            };
            if to.is_empty() {
                continue;
            }
            held.deadline = step.now + step.rules.ack_ms;
            for to in &to {
                let message = held.to_page(step);
                step.effects.push(Effect::Page { to: *to, message });
                step.note(Note::SignalSent { signal: held.submission.id, socket: *to });
            }
            let sockets = [has_it, &to].concat();
            held.state = State::Sent { sockets };
        }
    }
}
