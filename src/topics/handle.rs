//! The handle to topics: what sockets and HTTP call.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, atomic::AtomicU64},
};

use dashmap::DashMap;

use super::{
    client::Client,
    delivery::TopicDelivery,
    hub::{Hub, HubLimits},
    post::{ListenerId, Listeners, Post, Subscriber},
    record::{GroupRules, GroupTopics, KeepLimits, Rules},
    seat::Seat,
};
use crate::{
    clock::Clock,
    model::{
        ids::{GroupId, NodeId, SocketId},
        topic::{Party, Rights},
    },
    store::{
        Engine as _,
        place::{Place, Store, WeakStore},
    },
    telemetry::Metrics,
};

/// The engine that keeps messages.
pub type TopicEngine = Store<GroupTopics>;

/// What topics need to start.
pub struct Options {
    /// Where its records are kept.
    pub place: Place,
    /// Each group's wishes.
    pub groups: HashMap<GroupId, GroupRules>,
    /// How much may be kept.
    pub keep: KeepLimits,
    /// How much may be published and subscribed.
    pub limits: HubLimits,
}

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Topics {
    pub(super) engine: TopicEngine,
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) node: NodeId,
    pub(super) hub: Hub,
    pub(super) clock: Clock,
    /// Those who publish now, by number.
    pub(super) seats: DashMap<u64, Arc<Seat>>,
    pub(super) next: AtomicU64,
    /// Told once, when it is there.
    engine: OnceLock<WeakStore<GroupTopics>>,
}

impl Topics {
    /// Topics of which nothing is kept yet.
    #[must_use]
    pub fn new(options: Options, post: Arc<dyn Post>, metrics: Metrics) -> Self {
        let Options { place, groups, keep, limits } = options;
        let most = groups.len();
        let rules = Rules { groups: groups.clone(), limits: keep, nothing: GroupRules::default() };
        let shared = Arc::new(Shared {
            node: place.node,
            hub: Hub::new(groups, limits, post, metrics),
            clock: place.clock.clone(),
            seats: DashMap::new(),
            next: AtomicU64::new(1),
            engine: OnceLock::new(),
        });
        let deliver = TopicDelivery(Arc::clone(&shared));
        // One record a group.
        let engine = place.keep(place.room_for(most), rules, deliver);
        let _ = shared.engine.set(engine.downgrade());
        Self { engine, shared }
    }

    /// Whether other nodes have subscribers of their own.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self.engine, Store::Shared(_))
    }

    /// The engine, for those who keep it going.
    #[must_use]
    pub fn engine(&self) -> &TopicEngine {
        &self.engine
    }

    /// One who may do what `rights` say, until he is dropped; on a socket, if he is to subscribe.
    #[must_use]
    pub fn client(
        &self,
        group: GroupId,
        socket: Option<SocketId>,
        party: Party,
        rights: Rights,
    ) -> Client {
        Client::new(self.clone(), group, socket.map(Subscriber::Socket), (party, rights))
    }

    /// One of the agents' side who hears in words of his own, as [`Topics::tells`] says.
    #[must_use]
    pub fn listener(&self, group: GroupId, who: ListenerId, rights: Rights) -> Client {
        let subscriber = Some(Subscriber::Listener(who));
        Client::new(self.clone(), group, subscriber, (Party::Agent, rights))
    }

    /// Where messages for listeners leave: told once.
    pub fn tells(&self, listeners: Arc<dyn Listeners>) {
        let _ = self.shared.hub.listeners.set(listeners);
    }

    /// From now on this node hears of the group, until [`Topics::unlisten`].
    pub(super) fn listen(&self, group: &GroupId) {
        self.engine.listen(group.to_string(), Some(group));
    }

    /// It has no subscription of the group any more.
    pub(super) fn unlisten(&self, group: &GroupId) {
        self.engine.unlisten(group.to_string(), Some(group));
    }
}

impl Shared {
    /// The handle, while its engine is there.
    pub(super) fn topics(self: &Arc<Self>) -> Option<Topics> {
        let engine = self.engine.get()?.upgrade()?;
        Some(Topics { engine, shared: Arc::clone(self) })
    }
}
