//! One visitor's record, and every rule of presence and signals (design sections 2 and 3), as a pure function:
//! [`Visitor::apply`] takes a command and the time, changes the record and says what follows. It does no I/O, reads no
//! clock and draws no random number, so that a run can be repeated exactly.
//!
//! * [`command`] names what can happen and what follows from it,
//! * [`sockets`](self) here: connecting, leaving, grace, focus, visibility,
//! * [`held`] the signals that wait, and their outcomes.

pub mod command;
mod held;
#[cfg(test)]
mod model_test;
mod record;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::{
    command::{Command, Connect, Departure, Effect, Reply, ToPage, Welcome},
    held::Signals,
};
use crate::{
    clock::Timestamp,
    model::{
        close::CloseCode,
        error::{ErrorCode, Problem},
        event::{Event, EventKind, TermsStatus, Visibility},
        ids::{Code, PageId, SocketAddress, TabId, VisitorId, VisitorKey},
        presence::{PresenceData, PresenceUpdate},
        view::{TabView, VisitorView},
    },
};

/// How long an anonymous record that was joined to a known one leads there, in milliseconds.
pub const JOIN_MEMORY_MS: u64 = 600_000;
/// Most sockets of one visitor. One more is refused.
pub const MAX_SOCKETS: usize = 64;

/// The times that the rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long after the last socket a visitor still counts as connected, in ms.
    pub grace_ms: u64,
    /// How long after the last listening socket a signal is still taken, and then waits, in ms.
    pub signal_window_ms: u64,
    /// How long a live page has to acknowledge a signal, in ms.
    pub ack_ms: u64,
    /// Until this moment a visitor without a record may be in transit, because this service lost its records
    /// (design section 2.8). Zero when it lost none.
    pub unknown_until: Timestamp,
}

/// Whether the visitor counts as connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Records were lost: he may be in transit. Nobody is told that he is away before this moment.
    Unknown { until: Timestamp },
    /// Not connected, but a record made anew would not say so: it could repeat the epoch, or know nothing because others
    /// were lost. Absent from this moment.
    Left { until: Timestamp },
    /// Not connected.
    Absent,
    /// Has a socket.
    Connected,
    /// The last socket went; he is connected until this moment, or longer if he comes back.
    Transit { until: Timestamp },
    /// An anonymous visitor who goes on under a known id; this record leads there until this moment.
    Joined { to: VisitorId, until: Timestamp },
}

/// A page's socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Socket {
    address: SocketAddress,
    tab: TabId,
    page: PageId,
    visible: bool,
    listening: bool,
    /// Whether the page came by a unique id, and so goes when that ends.
    by_unique: bool,
    /// Greater than that of every socket whose last activity was earlier.
    activity: u64,
}

/// What the service holds of one visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    phase: Phase,
    epoch: u64,
    sequence: u64,
    since: Timestamp,
    updated: Timestamp,
    data: PresenceData,
    terms: Option<TermsStatus>,
    visibility: Option<Visibility>,
    sockets: Vec<Socket>,
    focus: Option<SocketAddress>,
    activities: u64,
    /// When the last listening socket went; `None` while there is one, or if there never was.
    listened: Option<Timestamp>,
    /// The code that leads here, and until when.
    unique: Option<(Code, Timestamp)>,
    /// A watcher waits for the state that is unknown yet.
    awaited: bool,
    signals: Signals,
}

/// What one `apply` works with, so that its parts need few arguments.
struct Step<'a> {
    visitor: &'a VisitorId,
    now: Timestamp,
    rules: &'a Rules,
    effects: &'a mut Vec<Effect>,
}

impl Visitor {
    /// The record of a visitor of whom nothing is known.
    #[must_use]
    pub fn vacant(rules: &Rules, now: Timestamp) -> Self {
        let phase = if now < rules.unknown_until {
            Phase::Unknown { until: rules.unknown_until }
        } else {
            Phase::Absent
        };
        Self {
            phase,
            // Greater than that of any forgotten record of this visitor, so that a watcher who knew him then believes
            // that he is away; and less than that of a page which connects now.
            epoch: now.0.saturating_sub(1),
            sequence: 0,
            since: now,
            updated: now,
            data: PresenceData::EMPTY,
            terms: None,
            visibility: None,
            sockets: Vec::new(),
            focus: None,
            activities: 0,
            listened: None,
            unique: None,
            awaited: false,
            signals: Signals::default(),
        }
    }

    /// Applies a command at `now`, which must not be earlier than in the call before. What was due by then happens
    /// first, in its order, so that late timers change nothing but the moment of telling. Only a node's loss goes before
    /// it: while the records were away, time stood still for what the loss gives a fresh grace.
    pub fn apply(
        &mut self,
        visitor: &VisitorId,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let mut step = Step { visitor, now, rules, effects };
        if let Command::NodeLost { node, before } = command {
            self.node_lost(node, before, &mut step);
        }
        self.let_time_pass(&mut step);
        match command {
            Command::Connect(connect) => self.connect(*connect, &mut step),
            Command::Close { socket, departure } => {
                self.close(socket, departure, &mut step);
                Reply::Done
            }
            Command::Listen { socket } => {
                self.touch(socket, &mut step, |socket| {
                    !std::mem::replace(&mut socket.listening, true)
                });
                Reply::Done
            }
            Command::Visibility { socket, visible } => {
                self.touch(socket, &mut step, |socket| {
                    let before = std::mem::replace(&mut socket.visible, visible);
                    visible && !before
                });
                Reply::Done
            }
            Command::Activity { socket } => {
                self.touch(socket, &mut step, |_| true);
                Reply::Done
            }
            Command::Presence { socket, update } => self.presence(socket, update, &mut step),
            Command::Report { socket, report } => {
                if self.socket(socket).is_some() {
                    if let EventKind::Terms { status } = report.0 {
                        self.terms = Some(status);
                    }
                    self.updated = now;
                    self.publish(report.0, &mut step);
                }
                Reply::Done
            }
            Command::Acknowledge { ids } => {
                for id in ids {
                    self.signals.acknowledge(id, &mut step);
                }
                self.flush(&mut step);
                Reply::Done
            }
            Command::Failed { id, failure } => {
                self.signals.failed(id, failure, &mut step);
                self.flush(&mut step);
                Reply::Done
            }
            Command::Signal(submission) => self.signal(*submission, &mut step),
            Command::Join { page, known } => self.join(page, known, &mut step),
            Command::Inherit { data, terms } => self.inherit(&data, terms, &mut step),
            Command::Attach { watcher } => {
                self.attach(watcher, &mut step);
                Reply::Done
            }
            Command::UniqueGiven { socket, code, until } => {
                self.unique = Some((code, until));
                if let Some(socket) = self.sockets.iter_mut().find(|s| s.address == socket) {
                    socket.by_unique = true;
                }
                Reply::Done
            }
            Command::UniqueExpired { code } => {
                if self.unique.as_ref().is_some_and(|(living, _)| *living == code) {
                    self.unique_expired(&mut step);
                }
                Reply::Done
            }
            Command::NodeLost { .. } | Command::Tick => Reply::Done,
            #[cfg(test)]
            Command::Panic => {
                self.sockets.clear();
                self.phase = Phase::Absent;
                self.signals = Signals::default();
                panic!("asked to");
            }
        }
    }

    /// When time alone will next change something.
    #[must_use]
    pub fn deadline(&self, rules: &Rules) -> Option<Timestamp> {
        let phase = match &self.phase {
            Phase::Unknown { until }
            | Phase::Left { until }
            | Phase::Transit { until }
            | Phase::Joined { until, .. } => Some(*until),
            Phase::Absent | Phase::Connected => None,
        };
        // A record without a future is dropped by the tick at the end of its signal window.
        let window = match self.phase {
            Phase::Absent => self.listened.map(|at| at + rules.signal_window_ms),
            _ => None,
        };
        let signals = self.signals.deadline(self.is_listening());
        [phase, window, signals].into_iter().flatten().min()
    }

    /// Whether the record says no more than no record at all.
    #[must_use]
    pub fn is_vacant(&self, rules: &Rules, now: Timestamp) -> bool {
        let idle = match self.phase {
            Phase::Absent => self.listened.is_none_or(|at| now >= at + rules.signal_window_ms),
            Phase::Unknown { .. } => !self.awaited,
            Phase::Left { .. }
            | Phase::Connected
            | Phase::Transit { .. }
            | Phase::Joined { .. } => false,
        };
        idle && self.sockets.is_empty() && self.signals.is_empty()
    }

    /// The visitor as readers see him; `None` when he is not there.
    #[must_use]
    pub fn view(&self, key: &VisitorKey) -> Option<VisitorView> {
        if !self.is_connected() {
            return None;
        }
        let tabs = self.sockets.iter().map(|socket| TabView {
            tab: socket.tab.clone(),
            page: socket.page.clone(),
            visible: socket.visible,
            focus: self.focus == Some(socket.address),
            listening: socket.listening,
        });
        Some(VisitorView {
            visitorid: key.visitor.clone(),
            group: key.group.clone(),
            anonymous: key.visitor.is_anonymous(),
            connected: true,
            epoch: self.epoch,
            sequence: self.sequence,
            since: self.since,
            updated: self.updated,
            sockets: self.sockets.len(),
            visibility: self.visibility,
            terms: self.terms,
            data: self.data.clone(),
            tabs: tabs.collect(),
            held: self.signals.waiting(),
        })
    }

    /// Whether the visitor counts as connected: has a socket or is in transit.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        matches!(self.phase, Phase::Connected | Phase::Transit { .. })
    }

    /// The addresses of all his sockets.
    pub fn sockets(&self) -> impl Iterator<Item = SocketAddress> + '_ {
        self.sockets.iter().map(|socket| socket.address)
    }

    /// How many signals wait for him.
    #[must_use]
    pub fn held(&self) -> usize {
        self.signals.waiting()
    }

    /// The code that leads here, and until when.
    #[must_use]
    pub fn unique(&self) -> Option<&(Code, Timestamp)> {
        self.unique.as_ref()
    }

    /// What became of a signal: the outcome and, for an invocation, its failure.
    #[must_use]
    pub fn outcome(
        &self,
        id: crate::model::ids::SignalId,
    ) -> Option<(crate::model::signal::Outcome, Option<crate::model::signal::InvokeFailure>)> {
        self.signals.outcome(id)
    }

    fn let_time_pass(&mut self, step: &mut Step<'_>) {
        match self.phase {
            Phase::Transit { until } if until <= step.now => self.leave(step),
            Phase::Unknown { until } if until <= step.now => {
                self.phase = Phase::Absent;
                if std::mem::take(&mut self.awaited) {
                    self.publish(EventKind::VisitorConn { connected: false }, step);
                    self.publish(EventKind::VisitorSock { connected: false, sockets: 0 }, step);
                }
            }
            Phase::Joined { until, .. } | Phase::Left { until } if until <= step.now => {
                self.phase = Phase::Absent;
            }
            _ => {}
        }
        if matches!(self.phase, Phase::Absent) {
            let window = step.rules.signal_window_ms;
            self.listened = self.listened.filter(|at| step.now < *at + window);
        }
        self.signals.expire(step);
        // A pin may have run out, and an expired signal no longer blocks those behind it.
        self.flush(step);
    }

    fn connect(&mut self, connect: Connect, step: &mut Step<'_>) -> Reply {
        if self.socket(connect.socket).is_some() {
            return Reply::Welcome(self.welcome(connect.socket, None));
        }
        // The tab shows this page now: a socket of the tab that is still there is the ghost of a page that went
        // without a word (or the tab was duplicated; then the other page takes a new tab id when it hears this).
        let ghosts = self.sockets.iter().filter(|socket| socket.tab == connect.tab);
        let ghosts: Vec<_> = ghosts.map(|socket| socket.address).collect();
        if self.sockets.len() - ghosts.len() >= MAX_SOCKETS {
            let sentence = format!("a visitor may have {MAX_SOCKETS} sockets");
            return Reply::Refused(Problem::new(ErrorCode::TooMany, sentence));
        }
        let arrives = !self.is_connected();
        if arrives {
            self.epoch = step.now.0.max(self.epoch + 1);
            self.sequence = 0;
            self.since = step.now;
            self.data = PresenceData::EMPTY;
            self.terms = None;
            self.visibility = None;
        }
        self.phase = Phase::Connected;
        self.awaited = false;
        self.updated = step.now;
        self.activities += 1;
        self.sockets.push(Socket {
            address: connect.socket,
            tab: connect.tab,
            page: connect.page,
            visible: connect.visible,
            listening: connect.listening,
            by_unique: false,
            activity: self.activities,
        });
        if arrives {
            self.publish(EventKind::VisitorConn { connected: true }, step);
        }
        let sockets = self.sockets.len();
        self.publish(EventKind::VisitorSock { connected: true, sockets }, step);
        for id in connect.seen {
            self.signals.acknowledge(id, step);
        }
        for to in ghosts {
            let message = ToPage::Close(CloseCode::Superseded);
            step.effects.push(Effect::Page { to, message });
            self.detach(to, Departure::Gone, step);
        }
        let refused_data = connect.data.and_then(|update| self.merge(update, step).err());
        self.settle_down(Some(connect.socket), step);
        Reply::Welcome(self.welcome(connect.socket, refused_data))
    }

    fn welcome(&self, socket: SocketAddress, refused_data: Option<Problem>) -> Welcome {
        let focus = self.focus == Some(socket);
        Welcome { epoch: self.epoch, focus, terms: self.terms, refused_data }
    }

    fn close(&mut self, address: SocketAddress, departure: Departure, step: &mut Step<'_>) {
        self.close_all(&[address], departure, step);
    }

    /// Ends sockets at once, so that none of them gets the focus or a signal of another before its own end.
    fn close_all(&mut self, all: &[SocketAddress], departure: Departure, step: &mut Step<'_>) {
        let mut closed = false;
        for address in all {
            closed |= self.detach(*address, departure, step);
        }
        if !closed {
            return;
        }
        if self.sockets.is_empty() {
            self.sockets = Vec::new();
            self.focus = None;
            self.phase = Phase::Transit { until: step.now + step.rules.grace_ms };
            if departure == Departure::Disconnect || step.rules.grace_ms == 0 {
                self.leave(step);
            }
        } else {
            self.settle_down(None, step);
        }
    }

    /// Takes a socket out, and back what it had not acknowledged. Whether it was there.
    fn detach(
        &mut self,
        address: SocketAddress,
        departure: Departure,
        step: &mut Step<'_>,
    ) -> bool {
        let Some(at) = self.sockets.iter().position(|socket| socket.address == address) else {
            return false;
        };
        let socket = self.sockets.remove(at);
        self.updated = step.now;
        if socket.listening && !self.is_listening() {
            self.listened = Some(step.now);
        }
        self.signals.put_back(address, &socket.tab, departure, step);
        let sockets = self.sockets.len();
        self.publish(EventKind::VisitorSock { connected: false, sockets }, step);
        true
    }

    fn leave(&mut self, step: &mut Step<'_>) {
        // A record made anew at `now` has the epoch `now - 1`, and must come after this one.
        let until = step.rules.unknown_until.max(Timestamp(self.epoch) + 2);
        self.phase = if until <= step.now { Phase::Absent } else { Phase::Left { until } };
        self.publish(EventKind::VisitorConn { connected: false }, step);
    }

    /// Changes a socket; `change` says whether that was an activity of the visitor on its page (design section 2.3). To
    /// repeat what is known is none.
    fn touch(
        &mut self,
        address: SocketAddress,
        step: &mut Step<'_>,
        change: impl FnOnce(&mut Socket) -> bool,
    ) {
        let Some(socket) = self.sockets.iter_mut().find(|socket| socket.address == address) else {
            return;
        };
        if change(socket) {
            self.activities += 1;
            socket.activity = self.activities;
        }
        self.updated = step.now;
        self.settle_down(None, step);
    }

    fn presence(
        &mut self,
        socket: SocketAddress,
        update: PresenceUpdate,
        step: &mut Step<'_>,
    ) -> Reply {
        if self.socket(socket).is_none() {
            let sentence = "the socket does not belong to this visitor any more";
            return Reply::Refused(Problem::new(ErrorCode::VisitorNotPresent, sentence));
        }
        match self.merge(update, step) {
            Ok(()) => Reply::Done,
            Err(problem) => Reply::Refused(problem),
        }
    }

    fn merge(&mut self, update: PresenceUpdate, step: &mut Step<'_>) -> Result<(), Problem> {
        self.data.merge(&update)?;
        self.updated = step.now;
        if !update.is_empty() {
            self.publish(EventKind::Presence(update), step);
        }
        Ok(())
    }

    /// A page takes what is known of it over from an anonymous record: what this one already knows wins.
    fn inherit(
        &mut self,
        data: &PresenceUpdate,
        terms: Option<TermsStatus>,
        step: &mut Step<'_>,
    ) -> Reply {
        if !self.is_connected() {
            return Reply::Done;
        }
        self.terms = self.terms.or(terms);
        // Too much for one record: the page's own data is worth more than what was inherited.
        let _ = self.merge(data.without(&self.data.to_update()), step);
        Reply::Done
    }

    fn join(
        &mut self,
        page: Option<SocketAddress>,
        known: VisitorId,
        step: &mut Step<'_>,
    ) -> Reply {
        if !self.is_connected() || page.is_some_and(|address| self.socket(address).is_none()) {
            let sentence = "the page does not belong to this visitor any more";
            return Reply::Refused(Problem::new(ErrorCode::VisitorNotPresent, sentence));
        }
        let (data, terms) = (self.data.to_update(), self.terms);
        if self.sockets.len() > usize::from(page.is_some()) {
            // Other pages still go under the anonymous id; they join as they learn of the known one.
            if let Some(address) = page {
                self.close(address, Departure::Gone, step);
            }
            return Reply::Joined { data, terms };
        }
        for socket in std::mem::take(&mut self.sockets) {
            self.signals.put_back(socket.address, &socket.tab, Departure::Gone, step);
        }
        self.publish(EventKind::VisitorJoined { visitorid: known.clone() }, step);
        self.focus = None;
        self.signals.forward_all(&known, step);
        self.phase = Phase::Joined { to: known, until: step.now + JOIN_MEMORY_MS };
        Reply::Joined { data, terms }
    }

    fn attach(&mut self, watcher: SocketAddress, step: &mut Step<'_>) {
        match &self.phase {
            Phase::Unknown { .. } => {
                self.awaited = true;
                return;
            }
            // A watcher that comes back must not hear of a leave: the visitor goes on elsewhere.
            Phase::Joined { to, .. } => {
                let event = self.event(EventKind::VisitorJoined { visitorid: to.clone() }, step);
                step.effects.push(Effect::Present { to: watcher, event });
                return;
            }
            _ => {}
        }
        let connected = self.is_connected();
        let sockets = self.sockets.len();
        for kind in [
            EventKind::VisitorConn { connected },
            EventKind::VisitorSock { connected: sockets > 0, sockets },
        ] {
            let event = Event { present: true, ..self.event(kind, step) };
            step.effects.push(Effect::Present { to: watcher, event });
        }
    }

    fn unique_expired(&mut self, step: &mut Step<'_>) {
        self.unique = None;
        let pages = self.sockets.iter().filter(|socket| socket.by_unique);
        let pages: Vec<_> = pages.map(|socket| socket.address).collect();
        for to in &pages {
            let message = ToPage::Close(CloseCode::UniqueExpired);
            step.effects.push(Effect::Page { to: *to, message });
        }
        self.close_all(&pages, Departure::Disconnect, step);
    }

    fn node_lost(&mut self, node: u32, before: u64, step: &mut Step<'_>) {
        let is_lost =
            |address: SocketAddress| address.node.node == node && address.node.incarnation < before;
        let lost: Vec<_> = self.sockets().filter(|address| is_lost(*address)).collect();
        self.close_all(&lost, Departure::Gone, step);
        if let Phase::Transit { until } = &mut self.phase {
            *until = step.now + step.rules.grace_ms;
            self.listened = self.listened.map(|_| step.now);
            self.signals.extend(step.now + step.rules.signal_window_ms);
        }
        self.signals.forget_senders(is_lost);
    }

    /// Brings visibility, focus and waiting signals in line with the sockets. `newcomer` learns of its focus by the
    /// welcome.
    fn settle_down(&mut self, newcomer: Option<SocketAddress>, step: &mut Step<'_>) {
        if self.is_listening() {
            self.listened = None;
        }
        if !self.sockets.is_empty() {
            let visibility = Visibility::from(self.sockets.iter().any(|socket| socket.visible));
            let before = self.visibility.replace(visibility);
            if before.is_some_and(|before| before != visibility) {
                self.publish(EventKind::Visibility { visibility }, step);
            }
        }
        let focus = self.sockets.iter().filter(|socket| socket.listening);
        let focus = focus.max_by_key(|socket| (socket.visible, socket.activity));
        let focus = focus.map(|socket| socket.address);
        let before = std::mem::replace(&mut self.focus, focus);
        if before != focus {
            if let Some(to) = before.filter(|address| self.socket(*address).is_some()) {
                step.effects.push(Effect::Page { to, message: ToPage::Blur });
            }
            if let Some(to) = focus.filter(|address| newcomer != Some(*address)) {
                step.effects.push(Effect::Page { to, message: ToPage::Focus });
            }
        }
        self.flush(step);
    }

    fn socket(&self, address: SocketAddress) -> Option<&Socket> {
        self.sockets.iter().find(|socket| socket.address == address)
    }

    fn is_listening(&self) -> bool {
        self.sockets.iter().any(|socket| socket.listening)
    }

    fn publish(&mut self, kind: EventKind, step: &mut Step<'_>) {
        self.sequence += 1;
        let event = self.event(kind, step);
        step.effects.push(Effect::Publish(event));
    }

    fn event(&self, kind: EventKind, step: &Step<'_>) -> Event {
        Event {
            visitorid: step.visitor.clone(),
            epoch: self.epoch,
            sequence: self.sequence,
            time: step.now,
            present: false,
            kind,
        }
    }
}
