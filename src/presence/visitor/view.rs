//! The visitor as readers and watchers see him.

use super::{Phase, Step, Visitor, command::Unique, effect::Effect};
use crate::model::{
    event::{Event, EventKind, Position},
    explain::{PhaseWord, RecordView, SocketView},
    ids::{SignalId, SocketAddress, VisitorId, VisitorKey},
    protocol::visitor::CodePurpose,
    signal::{InvokeFailure, Outcome},
    view::{TabView, VisitorView},
};

/// Where a visitor is, for what follows him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whereabouts {
    /// On the site.
    Here,
    /// Not on the site.
    Away,
    /// He goes on under this known id.
    Joined(VisitorId),
}

impl Visitor {
    /// Where the visitor is.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        match &self.phase {
            Phase::Joined { to, .. } => Whereabouts::Joined(to.clone()),
            // Whether he is there is told as soon as it is known.
            Phase::Unknown { .. } | Phase::Connected | Phase::Transit { .. } => Whereabouts::Here,
            Phase::Left { .. } | Phase::Absent => Whereabouts::Away,
        }
    }

    /// The visitor as readers see him; `None` when he is not there.
    #[must_use]
    pub fn view(&self, key: &VisitorKey) -> Option<VisitorView> {
        let row = self.row(&key.visitor)?;
        let tabs = self.sockets.iter().map(|socket| TabView {
            tab: socket.tab.clone(),
            page: socket.page.clone(),
            visible: socket.visible,
            focus: self.focus == Some(socket.address),
            listening: socket.listening,
        });
        Some(VisitorView {
            row,
            group: key.group.clone(),
            connected: true,
            tabs: tabs.collect(),
            held: self.signals.waiting(),
            address: self.from,
            uniqueid: self.uniques.last().map(|unique| unique.code.clone()),
        })
    }

    /// How the record stands, for `explain`.
    #[must_use]
    pub fn explain(&self) -> RecordView {
        let (phase, until) = match &self.phase {
            Phase::Unknown { until } => (PhaseWord::Unknown, Some(*until)),
            Phase::Left { .. } | Phase::Absent => (PhaseWord::Absent, None),
            Phase::Connected => (PhaseWord::Connected, None),
            Phase::Transit { until } => (PhaseWord::Transit, Some(*until)),
            Phase::Joined { until, .. } => (PhaseWord::Joined, Some(*until)),
        };
        let joined = match &self.phase {
            Phase::Joined { to, .. } => Some(to.clone()),
            _ => None,
        };
        let sockets = self.sockets.iter().map(|socket| SocketView {
            socket: socket.address,
            tab: socket.tab.clone(),
            page: socket.page.clone(),
            visible: socket.visible,
            listening: socket.listening,
            focus: self.focus == Some(socket.address),
        });
        RecordView {
            phase,
            until,
            joined,
            epoch: self.epoch,
            sequence: self.sequence,
            updated: self.updated,
            sockets: sockets.collect(),
            waiting: self.signals.view(),
        }
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

    /// The code that leads here, for this purpose.
    #[must_use]
    pub fn unique(&self, purpose: CodePurpose) -> Option<&Unique> {
        self.uniques.iter().find(|unique| unique.purpose == purpose)
    }

    /// What became of a signal: the outcome and, for an invocation, its failure.
    #[must_use]
    pub fn outcome(&self, id: SignalId) -> Option<(Outcome, Option<InvokeFailure>)> {
        self.signals.outcome(id)
    }

    pub(super) fn attach(
        &mut self,
        watcher: SocketAddress,
        since: Option<Position>,
        step: &mut Step<'_>,
    ) {
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
        let state = [
            EventKind::VisitorConn { connected },
            EventKind::VisitorSock { connected: sockets > 0, sockets },
        ];
        let missed = since.filter(|since| connected && self.data_changed_after(*since));
        let whole = missed.map(|_| self.data.to_update()).filter(|whole| !whole.is_empty());
        for kind in state.into_iter().chain(whole.map(EventKind::Presence)) {
            let event = Event { present: true, ..self.event(kind, step) };
            step.effects.push(Effect::Present { to: watcher, event });
        }
    }

    /// Whether a watcher who knows the visitor as of `since` lacks presence data. A record of another epoch has data of
    /// its own.
    fn data_changed_after(&self, since: Position) -> bool {
        since.epoch != self.epoch || since.sequence < self.data_sequence
    }
}
