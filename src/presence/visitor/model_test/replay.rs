//! Replays the timeline: what it tells must be enough to know how the record stands, or it explains nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    clock::Timestamp,
    model::{
        close::CloseCode,
        explain::{PhaseWord, RecordView},
        ids::{SignalId, SocketAddress},
        timeline::{Entry, Note, PageEnd, WaitCause},
    },
};

/// What a reader of the timeline believes.
#[derive(Default)]
pub(super) struct Replay {
    /// Connected, and until when if in transit.
    connected: Option<Option<Timestamp>>,
    sockets: BTreeSet<SocketAddress>,
    /// What each signal waits for; `None` when it was sent.
    waiting: BTreeMap<SignalId, Option<WaitCause>>,
    last: Timestamp,
}

impl Replay {
    pub(super) fn hear(&mut self, entry: &Entry) {
        assert!(entry.time >= self.last, "{entry:?} is older than what was told before");
        self.last = entry.time;
        match &entry.note {
            Note::PageConnected { socket, .. } => assert!(self.sockets.insert(*socket)),
            Note::PageEnded { socket, cause } => {
                // One that was superseded by a page of later may never have been there.
                let is_late = *cause == PageEnd::Closed(CloseCode::Superseded);
                assert!(self.sockets.remove(socket) || is_late, "{entry:?}");
            }
            Note::Connected { .. } => assert!(self.connected.replace(None).is_none()),
            Note::Transit { until } => {
                assert!(self.connected.replace(Some(*until)).is_some(), "{entry:?}");
            }
            Note::Returned => assert!(matches!(self.connected.replace(None), Some(Some(_)))),
            Note::Left { .. } | Note::Joined { .. } => {
                assert!(self.connected.take().is_some(), "{entry:?}");
            }
            Note::SignalAccepted { signal } => {
                assert!(self.waiting.insert(*signal, None).is_none(), "{entry:?}");
            }
            Note::SignalWaits { signal, cause, until } => {
                assert!(*until >= entry.time, "{entry:?} waits for the past");
                assert!(self.waiting.insert(*signal, Some(*cause)).is_some(), "{entry:?}");
            }
            Note::SignalSent { signal, socket } => {
                assert!(self.sockets.contains(socket), "{entry:?} has no page");
                assert!(self.waiting.insert(*signal, None).is_some(), "{entry:?}");
            }
            Note::SignalForwarded { signal, .. } => _ = self.waiting.remove(signal),
            Note::SignalSettled { signal, .. } => {
                assert!(self.waiting.remove(signal).is_some(), "{entry:?} is told twice");
            }
            Note::InvokeFailed { .. } | Note::Help { .. } => {}
            Note::SignalRefused { .. } => panic!("refusals are told by the handle"),
        }
    }

    pub(super) fn compare(&self, view: &RecordView) {
        let connected = match view.phase {
            PhaseWord::Connected => Some(None),
            PhaseWord::Transit => Some(view.until),
            PhaseWord::Unknown | PhaseWord::Absent | PhaseWord::Joined => None,
        };
        assert_eq!(self.connected, connected, "{view:?}");
        let sockets: BTreeSet<_> = view.sockets.iter().map(|socket| socket.socket).collect();
        assert_eq!(self.sockets, sockets, "{view:?}");
        let waiting: BTreeMap<_, _> = view.waiting.iter().map(|w| (w.signal, w.cause)).collect();
        assert_eq!(self.waiting, waiting, "{view:?}");
    }
}
