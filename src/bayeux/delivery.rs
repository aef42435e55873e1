//! Where the effects of clients' records become messages, and the ends of clients become known.

use std::sync::{Arc, OnceLock, Weak};

use dashmap::{DashMap, Entry};

use super::{
    answer::{Text, marked},
    application::Application,
    client::{
        Client, ClientId,
        command::{Effect, Ended},
    },
    hearing::Hearing,
    lines::{Answered, Lines},
    server::{Bayeux, Shared},
};
use crate::{
    auth::Agent,
    model::ids::{NodeId, SocketAddress, SocketId},
    sockets::service::SocketService,
    store::{Deliver, Engine, Origin},
    telemetry::{Metrics, labels::BayeuxEnd},
    topics::post::ListenerId,
};

/// What this node has of its clients besides their records.
pub(super) struct Local {
    pub(super) node: NodeId,
    /// The handle, which keeps this.
    pub(super) bayeux: Weak<Shared>,
    pub(super) lines: Arc<Lines>,
    /// Those who are at home here. Bounded as the records are.
    pub(super) known: DashMap<ClientId, Known>,
    /// Who hears topics, by the number under which he does.
    pub(super) listeners: DashMap<ListenerId, ClientId>,
    pub(super) application: Arc<dyn Application>,
    /// What the application works with; there from the start of the process on.
    pub(super) service: OnceLock<SocketService>,
    pub(super) metrics: Metrics,
}

/// One of the clients.
pub(super) struct Known {
    /// The bearer of the token that it showed: when he is believed no longer, it has to go.
    pub(super) bearer: Option<Arc<Agent>>,
    /// Its part in topics, if it may have one.
    pub(super) hearing: Option<Arc<Hearing>>,
    /// Whether its record is there: it is made after this, and ends before.
    pub(super) is_open: bool,
}

impl Local {
    /// A client is at home here from now on; `false` where it was already.
    pub(super) fn enter(&self, client: ClientId, known: Known) -> bool {
        let Entry::Vacant(place) = self.known.entry(client) else { return false };
        if let Some(hearing) = &known.hearing {
            self.listeners.insert(hearing.id, client);
        }
        place.insert(known);
        true
    }

    /// The record of a client that is at home here is there.
    pub(super) fn opened(&self, client: ClientId) {
        if let Some(mut known) = self.known.get_mut(&client) {
            known.is_open = true;
        }
    }

    /// Takes a client out. Its subscriptions end with it.
    pub(super) fn forget(&self, client: ClientId) {
        if let Some((_, Known { hearing: Some(hearing), .. })) = self.known.remove(&client) {
            self.listeners.remove(&hearing.id);
        }
    }

    /// A client's part in topics.
    pub(super) fn hearing(&self, client: ClientId) -> Option<Arc<Hearing>> {
        self.known.get(&client).and_then(|known| known.hearing.clone())
    }

    /// Writes to a socket of this node, or answers a request. While the server that the nodes share is away, answers are
    /// marked.
    pub(super) fn write(&self, to: SocketId, messages: Vec<Text>) {
        self.metrics.bayeux_sent.inc_by(messages.len() as u64);
        self.lines.write(to, self.as_it_stands(messages));
    }

    /// As they are sent now.
    pub(super) fn as_it_stands(&self, messages: Vec<Text>) -> Vec<Text> {
        match self.service.get().is_some_and(|service| service.lifecycle.is_degraded()) {
            true => messages.into_iter().map(marked).collect(),
            false => messages,
        }
    }

    fn sent(&self, to: ClientId) {
        if let Some(hearing) = self.hearing(to) {
            hearing.sent();
        }
    }
}

pub(super) struct Delivery(pub(super) Arc<Local>);

impl Delivery {
    /// What this node has, if it is that one.
    fn at(&self, node: NodeId) -> Option<&Local> {
        (self.0.node == node).then_some(&*self.0)
    }
}

impl<E: Engine<Client>> Deliver<Client, E> for Delivery {
    fn deliver(&self, _: &E, key: &ClientId, effects: &mut Vec<Effect>, _: Origin) {
        let local = &*self.0;
        let here = |to: SocketAddress| (to.node == local.node).then_some(to.socket);
        for effect in effects.drain(..) {
            match effect {
                Effect::Write { to, messages } => {
                    if let Some(to) = here(to) {
                        local.write(to, messages);
                    }
                    local.sent(*key);
                }
                Effect::Overtaken { at } => {
                    if let Some(at) = here(at) {
                        local.lines.answer(at, Answered::Overtaken);
                    }
                }
                Effect::Taken { home } => {
                    if let Some(hearing) = self.at(home).and_then(|local| local.hearing(*key)) {
                        hearing.taken();
                    }
                }
                Effect::Adopt { home } => {
                    let bayeux = self.at(home).and_then(|local| local.bayeux.upgrade());
                    if let Some(bayeux) = bayeux.map(Bayeux) {
                        let client = *key;
                        tokio::spawn(async move { bayeux.adopt(client).await });
                    }
                }
                Effect::Ended { why } => {
                    // First of all: whoever is on his way in looks whether the client is known still.
                    local.forget(*key);
                    let end = match why {
                        Ended::Left => BayeuxEnd::Left,
                        Ended::Dismissed => BayeuxEnd::Dismissed,
                        Ended::Expired => BayeuxEnd::Expired,
                        Ended::Overflowed => BayeuxEnd::Overflowed,
                        Ended::Failed => BayeuxEnd::Failed,
                    };
                    local.metrics.bayeux_ended.of(end).inc();
                    tracing::debug!(client = ?key, ?why, "Bayeux client ended");
                    if let Some(service) = local.service.get() {
                        local.application.ended(service, *key);
                    }
                }
            }
        }
    }

    fn missed(&self, _: &E) {
        self.0.lines.missed();
        let Some(bayeux) = self.0.bayeux.upgrade().map(Bayeux) else { return };
        tokio::spawn(async move { bayeux.forget_the_gone().await });
    }
}
