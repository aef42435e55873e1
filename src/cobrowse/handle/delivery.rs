//! Where a session's effects turn into messages, history, and what the visitor's record says.

use std::sync::Arc;

use super::Shared;
use crate::{
    cobrowse::{
        session::{
            Session, Summary,
            command::{Command, Effect},
        },
        ticket::{LINK_LIFE_MS, Ticket},
    },
    codes::Lead,
    model::{
        cobrowse::{
            ConsentEntry, ConsentState, ConsentTo, EndReason, SessionEventKind, SessionOffer,
            SessionTold,
        },
        event::SessionEndReason,
        ids::{SessionKey, SocketAddress, VisitorId, VisitorKey},
    },
    store::{
        Deliver, Engine, Expect, Origin,
        history::{ConsentLine, Line, PastSession},
    },
};

pub(super) struct Delivery(pub Arc<Shared>);

impl<E: Engine<Session>> Deliver<Session, E> for Delivery {
    fn deliver(&self, engine: &E, key: &SessionKey, effects: &mut Vec<Effect>, _: Origin) {
        let shared = &*self.0;
        let here = |to: SocketAddress| (to.node == shared.node).then_some(to.socket);
        for effect in effects.drain(..) {
            match effect {
                Effect::Tell { to, event } => {
                    let to: Vec<_> = to.into_iter().filter_map(here).collect();
                    let left = match event.kind {
                        SessionEventKind::Left { user, .. } => Some(user),
                        _ => None,
                    };
                    let session = key.session;
                    let (sequence, time, event) = (event.sequence, event.time, event.kind);
                    shared.post.told(&to, SessionTold { session, sequence, time, event });
                    if let (Some(user), Some(channel)) = (left, shared.channels.get(key)) {
                        channel.leaves(user, &*shared.post);
                    }
                }
                Effect::Record { socket, epoch, on, .. } => {
                    // First of all the old page must not be heard any more.
                    if let Some(channel) = shared.channels.get(key) {
                        channel.record(epoch, on, &*shared.post);
                    }
                    if let Some(socket) = here(socket) {
                        let ticket = on.then(|| {
                            let until = shared.clock.wall() + LINK_LIFE_MS;
                            shared
                                .tickets
                                .write(Ticket::Page { session: key.clone(), epoch }, until)
                        });
                        shared.post.record(socket, epoch, ticket);
                    }
                }
                Effect::Streams { stream, .. } => {
                    if let Some(channel) = shared.channels.get(key) {
                        channel.streams(stream, shared.clock.now(), &*shared.post);
                    }
                }
                Effect::Ask { socket, to, agent } => {
                    if let Some(socket) = here(socket) {
                        shared.post.ask(socket, to, agent);
                    }
                }
                Effect::Offer { to, visitor, from, until } => {
                    let offer = SessionOffer { session: key.session, from, until };
                    shared.post.offer(&key.group, &to, visitor, offer);
                }
                Effect::Consent(entry) => self.consent(key, entry),
                Effect::Ended(summary) => self.ended(engine, key, &summary),
                Effect::Lost { visitor } => {
                    self.over(key, visitor, SessionEndReason::Error, || ());
                }
                Effect::Over { .. } => shared.end_stream(key),
            }
        }
    }

    fn missed(&self, _: &E) {
        self.0.look_at_all();
    }
}

impl Delivery {
    fn consent(&self, key: &SessionKey, entry: ConsentEntry) {
        let shared = &*self.0;
        if (entry.to, entry.state) == (ConsentTo::View, ConsentState::Given) {
            let visitor = VisitorKey { group: key.group.clone(), visitor: entry.visitorid.clone() };
            shared.presence.session_started(visitor, key.session);
        }
        shared.ledger.write(line_of(key, &entry));
    }

    /// Done again where nobody knows whether it was done, the history included; so each part of it may be.
    fn ended<E: Engine<Session>>(&self, engine: &E, key: &SessionKey, summary: &Summary) {
        let reason = match summary.reason {
            EndReason::Visitor | EndReason::Declined | EndReason::UserTimeout => {
                SessionEndReason::Visitor
            }
            EndReason::Agent | EndReason::Controller | EndReason::NeverJoined => {
                SessionEndReason::Agent
            }
            EndReason::NetworkTimeout | EndReason::TooLong => SessionEndReason::Error,
        };
        // A node that is lost may not have written all that it heard.
        for entry in &summary.consents {
            self.0.ledger.write(line_of(key, entry));
        }
        self.0.ledger.write(Line::Session(PastSession {
            group: key.group.clone(),
            session: key.session,
            visitor: summary.visitorid.clone(),
            ended: summary.ended,
            summary: serde_json::to_string(summary).unwrap_or_default(),
        }));
        if let Some(code) = summary.code.clone() {
            let lead = Lead::Session(key.session);
            self.0.presence.codes().release(key.group.clone(), code, lead);
        }
        let (engine, of, ledger) = (engine.clone(), key.clone(), self.0.ledger.clone());
        self.over(key, summary.visitorid.clone(), reason, move || {
            ledger.then(move || {
                engine.submit(of, Expect::Any, Command::Concluded, Box::new(|_| ()));
            });
        });
    }

    fn over(
        &self,
        key: &SessionKey,
        visitor: VisitorId,
        reason: SessionEndReason,
        done: impl FnOnce() + Send + 'static,
    ) {
        let visitor = VisitorKey { group: key.group.clone(), visitor };
        self.0.presence.end_session(visitor, key.session, reason, done);
    }
}

/// A consent as the ledger keeps it, once.
fn line_of(key: &SessionKey, entry: &ConsentEntry) -> Line {
    Line::Consent(ConsentLine {
        group: key.group.clone(),
        session: key.session,
        visitor: entry.visitorid.clone(),
        time: entry.time,
        entry: serde_json::to_string(entry).unwrap_or_default(),
    })
}
