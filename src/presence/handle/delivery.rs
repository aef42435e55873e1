//! Where a record's effects turn into messages.

use std::sync::Arc;

use super::{Shared, VisitorEngine, plain};
use crate::{
    codes::{CodeCommand, CodeEffect, CodeKey, CodeRecord, Lead},
    model::{
        event::{EventKind, Position},
        ids::{Code, SocketAddress, SocketId, VisitorId, VisitorKey},
        protocol::agent::{InvokeError, InvokeErrorParams, ToAgent},
        signal::Outcome,
    },
    presence::visitor::{
        Visitor,
        command::{Command, Reply, Submission},
        effect::Effect,
    },
    store::{Deliver, Engine, Expect, Origin, place::WeakStore},
};

/// Sends what follows from a visitor's transitions.
pub(super) struct VisitorDelivery(pub Arc<Shared>);

impl<E: Engine<Visitor>> Deliver<Visitor, E> for VisitorDelivery {
    fn deliver(&self, engine: &E, key: &VisitorKey, effects: &mut Vec<Effect>, origin: Origin) {
        let Shared { node, watchers, timelines, post, taps, figures, replica, .. } = &*self.0;
        let here = |to: SocketAddress| (to.node == *node).then_some(to.socket);
        let is_ours = origin == Origin::Here;
        let visitorid = || key.visitor.clone();
        for effect in effects.drain(..) {
            match effect {
                Effect::Page { to, message } => {
                    if let Some(to) = here(to) {
                        post.page(to, message);
                    }
                }
                Effect::Publish(event) => {
                    watchers.with(key, |watchers| post.event(watchers, &event));
                    if is_ours {
                        taps.iter().for_each(|tap| tap.heard(key, &event));
                    }
                    match event.kind {
                        EventKind::VisitorJoined { visitorid } => {
                            // What he takes along is told elsewhere at a moment of its own.
                            let since = (!is_ours).then_some(Position::ORIGIN);
                            self.follow(engine, key, visitorid, since);
                        }
                        EventKind::HelpRequest(news) if is_ours => post.helped(news.status),
                        _ => {}
                    }
                }
                Effect::Present { to, event } => {
                    if let Some(to) = here(to) {
                        post.event(&[to], &event);
                        if let EventKind::VisitorJoined { visitorid } = event.kind {
                            // Whoever comes back may have missed all that was told under the known id.
                            self.watch_too(engine, key, &[to], visitorid, Some(Position::ORIGIN));
                        }
                    }
                }
                Effect::Settled { to, id, outcome } => match to.and_then(here) {
                    Some(to) => self.0.settled(&key.visitor, to, id, outcome),
                    None => post.settled(outcome),
                },
                Effect::InvokeFailed { to, id, func, failure } => {
                    if let Some(to) = here(to) {
                        let params = InvokeErrorParams { id, func };
                        let data = InvokeError { failure, params };
                        post.agent(to, &ToAgent::VisitorError { visitorid: visitorid(), data });
                    }
                }
                Effect::CodeSpent(code) => self.release(key, code),
                Effect::Note(entry) => timelines.add(key, entry),
                Effect::Forward { to, submission } => self.forward(engine, key, to, *submission),
                Effect::Listed(row) => {
                    if let Some(change) = replica.told(key, row.as_deref()) {
                        figures.add(&key.group, change);
                    }
                    taps.iter().for_each(|tap| tap.listed(key, row.as_ref()));
                }
                // Several nodes count by the rows, which all of them know: what one node adds another takes away.
                Effect::Counted(share) if replica.is_alone() => figures.add(&key.group, share),
                Effect::Counted(_) => {}
            }
        }
    }

    fn missed(&self, engine: &E) {
        let Shared { node, watchers, replica, .. } = &*self.0;
        for (key, sockets) in watchers.all() {
            for socket in sockets {
                let watcher = SocketAddress { node: *node, socket };
                let since = Some(Position::ORIGIN);
                let command = Command::Attach { watcher, since };
                engine.submit(key.clone(), Expect::Any, command, Box::new(|_| ()));
            }
        }
        for group in replica.groups() {
            self.0.read_rows(engine, group);
        }
        self.0.ask_for_outcomes(engine, true);
    }
}

impl VisitorDelivery {
    fn release(&self, key: &VisitorKey, code: Code) {
        let Some(codes) = self.0.codes.get().and_then(WeakStore::upgrade) else { return };
        let command = CodeCommand::Release { lead: Lead::Visitor(key.visitor.clone()) };
        let of = CodeKey { group: key.group.clone(), code };
        codes.submit(of, Expect::Any, command, Box::new(|_| ()));
    }

    /// Watchers of an anonymous visitor go on watching him under his known id.
    fn follow(
        &self,
        engine: &impl Engine<Visitor>,
        anonymous: &VisitorKey,
        known: VisitorId,
        since: Option<Position>,
    ) {
        let mut moved = Vec::new();
        self.0.watchers.with(anonymous, |sockets| moved = sockets.to_vec());
        self.watch_too(engine, anonymous, &moved, known, since);
    }

    fn watch_too(
        &self,
        engine: &impl Engine<Visitor>,
        anonymous: &VisitorKey,
        sockets: &[SocketId],
        known: VisitorId,
        since: Option<Position>,
    ) {
        let Shared { node, watchers, .. } = &*self.0;
        let key = VisitorKey { group: anonymous.group.clone(), visitor: known };
        for &socket in sockets {
            if watchers.add(key.clone(), socket).is_ok() {
                let watcher = SocketAddress { node: *node, socket };
                let command = Command::Attach { watcher, since };
                engine.submit(key.clone(), Expect::Any, command, Box::new(|_| ()));
            }
        }
    }

    fn forward(
        &self,
        engine: &impl Engine<Visitor>,
        from: &VisitorKey,
        to: VisitorId,
        submission: Submission,
    ) {
        let shared = Arc::clone(&self.0);
        let (asked_for, forwarded) = (from.visitor.clone(), submission.clone());
        let key = VisitorKey { group: from.group.clone(), visitor: to };
        let of = key.clone();
        let sink = Box::new(move |result| {
            let outcome = match plain(result) {
                // It was forwarded before, and this is a retry.
                Ok(Reply::Signal { outcome, .. })
                    if outcome != Outcome::Held && forwarded.sender.is_some() =>
                {
                    outcome
                }
                Ok(_) => return,
                Err(problem) => {
                    shared.refused(&of, forwarded.id, problem.code);
                    Outcome::Refused
                }
            };
            shared.forwarded(&asked_for, &forwarded, outcome);
        });
        engine.submit(key, Expect::Any, Command::Signal(Box::new(submission)), sink);
    }
}

/// Tells visitors that their unique ids ended.
pub(super) struct CodeDelivery(pub VisitorEngine);

impl<E: Engine<CodeRecord>> Deliver<CodeRecord, E> for CodeDelivery {
    fn deliver(&self, _: &E, key: &CodeKey, effects: &mut Vec<CodeEffect>, _: Origin) {
        for CodeEffect::Expired { lead } in effects.drain(..) {
            // A session ends its code itself.
            let Lead::Visitor(visitor) = lead else { continue };
            let visitor = VisitorKey { group: key.group.clone(), visitor };
            let command = Command::UniqueExpired { code: key.code.clone() };
            self.0.submit(visitor, Expect::Any, command, Box::new(|_| ()));
        }
    }
}
