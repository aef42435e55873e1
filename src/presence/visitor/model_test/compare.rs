//! What the record told and holds against what the model says.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    harness::Harness,
    model::{Model, Told, Whereabouts},
};
use crate::{
    clock::Timestamp,
    model::{
        event::{Event, EventKind, Visibility},
        ids::{SignalId, SocketAddress, VisitorKey},
        signal::Outcome,
    },
    presence::visitor::{
        effect::{Effect, ToPage},
        held::MAX_HELD,
    },
};

/// A watcher that believes what the newest event says, however it comes.
#[derive(Default)]
pub(super) struct Watcher {
    pub attached: bool,
    newest: (u64, u64),
    pub connected: Option<bool>,
}

impl Watcher {
    fn hear(&mut self, event: &Event) {
        if !self.attached || (event.epoch, event.sequence) < self.newest {
            return;
        }
        self.newest = (event.epoch, event.sequence);
        match event.kind {
            EventKind::VisitorConn { connected } => self.connected = Some(connected),
            EventKind::VisitorJoined { .. } => self.connected = None,
            _ => {}
        }
    }
}

impl Harness {
    pub(super) fn compare_effects(&mut self, effects: Vec<Effect>) {
        let mut told = Told::default();
        let mut sent: Vec<(SignalId, Vec<SocketAddress>)> = Vec::new();
        for effect in effects {
            match effect {
                Effect::Publish(event) => {
                    let key = (event.epoch, event.sequence);
                    assert!(key > self.last, "{event:?} does not come after {:?}", self.last);
                    self.last = key;
                    self.watcher.hear(&event);
                    note(&mut told, &event.kind);
                }
                Effect::Present { event, .. } => {
                    assert!((event.epoch, event.sequence) >= self.last, "{event:?}");
                    self.watcher.hear(&event);
                }
                Effect::Page { to, message: ToPage::Close(_) } => assert!(told.closed.insert(to)),
                Effect::Page { to, message: ToPage::Signal { id, deadline, .. } } => {
                    assert!(deadline.0 > self.model.now);
                    assert!(deadline.0 < self.model.now + self.model.rules.ack_ms);
                    match sent.last_mut().filter(|(last, _)| *last == id) {
                        Some((_, pages)) => pages.push(to),
                        None => sent.push((id, vec![to])),
                    }
                }
                Effect::Page { to, message: ToPage::Focus } => self.focus(to, true),
                Effect::Page { to, message: ToPage::Blur } => self.focus(to, false),
                Effect::Settled { to, id, outcome } => {
                    told.settled.extend(to.map(|to| (to, id, outcome)));
                }
                // Codes are for pages to be reached by.
                Effect::CodeSpent(_) => unreachable!(),
                // No session begins here, nobody asks for help, and nobody chats.
                Effect::Page {
                    message:
                        ToPage::Session(_)
                        | ToPage::Help(_)
                        | ToPage::Chat(_)
                        | ToPage::ChatMessage { .. }
                        | ToPage::ChatTyping { .. },
                    ..
                } => unreachable!(),
                Effect::InvokeFailed { .. } => {}
                Effect::Note(entry) => self.replay.hear(&entry),
                Effect::Forward { submission, .. } => told.forwarded.push(submission.id),
                Effect::Listed(_) | Effect::Counted(_) => {
                    unreachable!("told by the record's keeper")
                }
            }
        }
        assert_eq!(told, std::mem::take(&mut self.model.told));
        let order = |id| self.model.open.iter().position(|open| open.id == id);
        assert!(sent.iter().map(|(id, _)| order(*id)).is_sorted(), "out of order: {sent:?}");
        for (id, to) in &sent {
            self.model.sent(*id, to);
            for page in self.model.pages.iter().filter(|page| to.contains(&page.address)) {
                self.seen.entry(page.tab).or_default().push(*id);
            }
        }
        let last = sent.last().and_then(|(id, _)| order_of(&self.model, *id)).unwrap_or(0);
        let overtaken = self.model.open.iter().take(last).find(|open| open.at.is_empty());
        assert!(overtaken.is_none(), "{overtaken:?} is overtaken");
    }

    fn focus(&mut self, to: SocketAddress, focus: bool) {
        let page = self.model.pages.iter_mut().find(|page| page.address == to);
        let page = page.expect("focus and blur go to pages that are there");
        assert_ne!(page.has_focus, focus, "{to} hears nothing new");
        page.has_focus = focus;
    }

    pub(super) fn compare_states(&self) {
        let (record, model) = (&self.record, &self.model);
        assert_eq!(record.is_connected(), model.connected());
        let pages: BTreeSet<_> = model.pages.iter().map(|page| page.address).collect();
        assert_eq!(record.sockets().collect::<BTreeSet<_>>(), pages);
        let focus = model.focus().map(|page| page.address);
        for page in &model.pages {
            assert_eq!(page.has_focus, focus == Some(page.address), "{page:?}");
        }
        self.replay.compare(&record.explain());
        if let Whereabouts::Transit { until } = model.whereabouts {
            assert_eq!(record.explain().until, Some(Timestamp(until)));
        }
        let view = record
            .view(&VisitorKey { group: "1".parse().unwrap(), visitor: "ada".parse().unwrap() });
        assert_eq!(view.is_some(), model.connected());
        if let Some(view) = view {
            let data: BTreeMap<String, u8> = serde_json::from_str(view.row.data.text()).unwrap();
            assert_eq!(data, model.data);
            assert_eq!(view.held, model.open.len());
            assert_eq!((view.row.epoch, view.row.sequence), self.last);
        }
        assert!(model.open.len() <= MAX_HELD);
        for open in &model.open {
            assert_eq!(record.outcome(open.id), Some((Outcome::Held, None)));
            assert!(open.due > model.now || model.rules.signal_window_ms == 0, "{open:?} is due");
        }
        for (id, outcome, _) in &model.ended {
            assert_eq!(record.outcome(*id).map(|(outcome, _)| outcome), Some(*outcome));
        }
        if model.listens() {
            let waits = model.open.iter().find(|open| open.at.is_empty());
            assert!(waits.is_none() || model.excuse().is_some(), "{waits:?} waits for nothing");
            let before = model.open.iter().take_while(|open| !open.at.is_empty());
            for open in before.filter(|open| open.all) {
                assert_eq!(model.lacking(open).next(), None, "{open:?} is not everywhere");
            }
        }
        let deadline = record.deadline(&model.rules).map(|at| at.0);
        if let Some(next) = model.next() {
            assert!(deadline.is_some_and(|at| at <= next), "{deadline:?} is after {next}");
        }
        let vacant = record.is_vacant(&model.rules, Timestamp(model.now));
        assert!(!(vacant && model.matters()), "a record that matters is dropped");
        if let Some(connected) = self.watcher.connected {
            assert_eq!(connected, model.connected(), "the watcher is mistaken");
        }
    }
}

fn order_of(model: &Model, id: SignalId) -> Option<usize> {
    model.open.iter().position(|open| open.id == id)
}

fn note(told: &mut Told, kind: &EventKind) {
    match kind {
        EventKind::VisitorConn { connected } => told.conn.push(*connected),
        EventKind::VisitorSock { connected, sockets } => told.sock.push((*connected, *sockets)),
        EventKind::Visibility { visibility } => {
            told.visibility.push(*visibility == Visibility::Visible);
        }
        EventKind::Presence(_) => told.presence += 1,
        EventKind::Terms { .. } => told.terms += 1,
        EventKind::VisitorJoined { .. } => told.joined += 1,
        other => panic!("{other:?} was not reported"),
    }
}
