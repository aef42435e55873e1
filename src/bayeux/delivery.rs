//! Where the effects of clients' records become messages, and changes of who hears what.

use std::sync::{Arc, OnceLock};

use dashmap::DashMap;

use super::{
    application::Application,
    client::{
        Client, ClientId,
        command::{Effect, Ended},
    },
    index::Index,
    lines::{Answered, Lines},
};
use crate::{
    auth::Agent,
    model::ids::{GroupId, NodeId, SocketAddress},
    sockets::service::SocketService,
    store::{Deliver, memory::MemoryEngine},
    telemetry::{Metrics, labels::BayeuxEnd},
};

/// What this node has of its clients besides their records.
pub(super) struct Local {
    pub(super) node: NodeId,
    pub(super) lines: Arc<Lines>,
    pub(super) index: Index,
    /// The groups of the clients, for changes of what they hear.
    pub(super) groups: DashMap<ClientId, GroupId>,
    /// The bearers of the tokens that clients showed: when one is believed no longer, his client has to go.
    pub(super) bearers: DashMap<ClientId, Arc<Agent>>,
    pub(super) application: Arc<dyn Application>,
    /// What the application works with; there from the start of the process on.
    pub(super) service: OnceLock<SocketService>,
    pub(super) metrics: Metrics,
}

pub(super) struct Delivery(pub(super) Arc<Local>);

impl Deliver<Client, MemoryEngine<Client>> for Delivery {
    fn deliver(&self, _: &MemoryEngine<Client>, key: &ClientId, effects: &mut Vec<Effect>) {
        let local = &*self.0;
        let here = |to: SocketAddress| (to.node == local.node).then_some(to.socket);
        for effect in effects.drain(..) {
            match effect {
                Effect::Write { to, messages } => {
                    if let Some(to) = here(to) {
                        local.metrics.bayeux_sent.inc_by(messages.len() as u64);
                        local.lines.write(to, messages);
                    }
                }
                Effect::Overtaken { at } => {
                    if let Some(at) = here(at) {
                        local.lines.answer(at, Answered::Overtaken);
                    }
                }
                Effect::Heard(channel) => {
                    if let Some(group) = local.groups.get(key) {
                        local.index.add(&group, channel, *key);
                    }
                }
                Effect::Unheard(channel) => {
                    if let Some(group) = local.groups.get(key) {
                        local.index.remove(&group, &channel, *key);
                    }
                }
                Effect::Ended { why, member, channels, memory } => {
                    local.groups.remove(key);
                    local.bearers.remove(key);
                    for channel in &channels {
                        local.index.remove(&member.group, channel, *key);
                    }
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
                        local.application.ended(service, *key, &member, memory);
                    }
                }
            }
        }
    }
}
