//! The handle to Bayeux: reaches clients, and carries out what they send.
//!
//! The rules are in [`super::client`]; here stands who may do what, and in which order answers come.

mod answers;
mod broadcast;
mod carry_out;
mod handshake;

pub use handshake::group_of;

pub(super) use self::carry_out::{Read, Visit};

use std::sync::{Arc, OnceLock, Weak, atomic::AtomicU64};

use dashmap::DashMap;
use tokio::sync::oneshot;

use super::{
    answer::event,
    application::Application,
    channel::Channel,
    client::{
        Client, ClientId,
        command::{Command, Reply, Rules},
    },
    delivery::{Delivery, Local},
    fault::Fault,
    hearing::Ears,
    lines::Lines,
    nodes::{Incoming, KIND, Letters},
};
use crate::{
    clock::Clock,
    limits::Places,
    model::{
        ids::{NodeId, SocketAddress},
        json::Json,
    },
    settings,
    sockets::service::{Figures, SocketService},
    store::{
        Applied, Engine, Expect, Refusal,
        memory::EngineFigures,
        place::{Place, Store},
    },
    telemetry::Metrics,
};

/// The transports that are offered, as clients prefer them.
pub const TRANSPORTS: &[&str] = &["websocket", "long-polling"];

/// The engine that keeps client sessions.
pub type ClientEngine = Store<Client>;

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Bayeux(pub(super) Arc<Shared>);

pub(super) struct Shared {
    engine: ClientEngine,
    local: Arc<Local>,
    clock: Clock,
    pub(super) settings: settings::Bayeux,
    next_listener: AtomicU64,
    letters: Letters,
    /// Connects of each browser that are under way, where their number is limited.
    tabs: Option<Arc<Places<Box<str>>>>,
}

impl Bayeux {
    /// Bayeux without clients, whose records are kept in this place.
    pub fn new(
        settings: settings::Bayeux,
        place: &Place,
        metrics: Metrics,
        application: Arc<dyn Application>,
    ) -> Self {
        Self(Arc::new_cyclic(|this| Self::shared(this, settings, place, metrics, application)))
    }

    fn shared(
        this: &Weak<Shared>,
        settings: settings::Bayeux,
        place: &Place,
        metrics: Metrics,
        application: Arc<dyn Application>,
    ) -> Shared {
        let local = Arc::new(Local {
            node: place.node,
            bayeux: Weak::clone(this),
            lines: Arc::default(),
            known: DashMap::new(),
            listeners: DashMap::new(),
            application,
            service: OnceLock::new(),
            metrics,
        });
        let rules = Rules {
            timeout_ms: settings.timeout_ms,
            max_interval_ms: settings.max_interval_ms,
            queue: settings.queue_messages,
            queue_bytes: settings.queue_bytes,
            subscriptions: settings.subscriptions,
            errors: settings.errors,
        };
        let delivery = Delivery(Arc::clone(&local));
        let engine = place.keep(settings.max_clients, rules, delivery);
        let clock = place.clock.clone();
        let tabs = (settings.tabs > 0).then(|| Places::new(settings.tabs));
        let next_listener = AtomicU64::new(1);
        let letters = Letters::new(place.courier(KIND, Incoming(Weak::clone(this))));
        Shared { engine, local, clock, settings, next_listener, letters, tabs }
    }

    /// What the application works with, and what clients hear: made after this, told once.
    pub fn serves(&self, service: &SocketService) {
        let _ = self.0.local.service.set(service.clone());
        service.topics.tells(Arc::new(Ears(Arc::downgrade(&self.0))));
        let _ = service.others.set(Box::new(Gauges(Arc::downgrade(&self.0))));
    }

    /// Whether this is the home of a client, which shook hands and has not ended.
    #[must_use]
    pub fn knows(&self, client: ClientId) -> bool {
        self.0.local.known.contains_key(&client)
    }

    /// How many requests wait for their answers.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lines().waiting()
    }

    /// The engine that keeps client sessions, for its keepers, metrics and storage.
    #[must_use]
    pub fn engine(&self) -> &ClientEngine {
        &self.0.engine
    }

    pub(super) fn settings(&self) -> &settings::Bayeux {
        &self.0.settings
    }

    pub(super) fn lines(&self) -> &Arc<Lines> {
        &self.0.local.lines
    }

    pub(super) fn letters(&self) -> &Letters {
        &self.0.letters
    }

    pub(super) fn local(&self) -> &Local {
        &self.0.local
    }

    pub(super) fn node(&self) -> NodeId {
        self.0.local.node
    }

    pub(super) fn tabs(&self) -> Option<&Arc<Places<Box<str>>>> {
        self.0.tabs.as_ref()
    }

    /// A message for one client.
    pub fn deliver(&self, client: ClientId, channel: &Channel, data: &Json) {
        self.tell(client, Command::Deliver(event(channel, data)));
    }

    /// Likewise; `then` is called when the message has its place among those for the client.
    pub fn deliver_first(
        &self,
        client: ClientId,
        channel: &Channel,
        data: &Json,
        then: impl FnOnce() + Send + 'static,
    ) {
        self.tell_then(client, Command::Deliver(event(channel, data)), then);
    }

    /// Keeps something of the application's with a client under a name, or no more, for the home that it may have later: at
    /// most [`super::client::MOST_KEPT`] names.
    pub fn keep(&self, client: ClientId, name: &str, what: Option<Box<str>>) {
        self.tell(client, Command::Keep { name: name.into(), what });
    }

    /// The server wants a client to go.
    pub fn dismiss(&self, client: ClientId) {
        self.tell(client, Command::Dismiss);
    }

    /// Lets those go whose tokens are believed no longer, or have ended.
    pub fn sweep(&self, service: &SocketService) {
        let wall = self.0.clock.wall();
        let is_over = |agent: &crate::auth::Agent| {
            agent.expires <= wall || !service.tokens.still_believes(agent)
        };
        let known = self.0.local.known.iter();
        let over = known
            .filter(|known| known.bearer.as_deref().is_some_and(is_over))
            .map(|known| *known.key());
        over.collect::<Vec<_>>().into_iter().for_each(|client| self.dismiss(client));
    }

    /// Answers all connects that are held here, and waits until that is done: each client is to come back at its own time
    /// within `spread_ms`.
    pub async fn go_away(&self, spread_ms: u64) {
        let node = self.node();
        let sent_away = self.lines().callers().into_iter().map(|(socket, client)| {
            let pause = if spread_ms == 0 { 0 } else { rand::random::<u64>() % spread_ms };
            let at = SocketAddress { node, socket };
            self.submit(client, Command::SendAway { at, interval_ms: pause })
        });
        for done in sent_away.collect::<Vec<_>>() {
            let _ = done.await;
        }
        // With several nodes the answers are on their way then: behind a look they are there.
        if let Some((_, client)) = self.lines().callers().last() {
            let _ = self.look(*client).await;
        }
    }

    /// Gives up its clients, for others to be their home: what hears for them here ends.
    pub fn give_up(&self) {
        let home = self.node();
        let known: Vec<ClientId> = self.0.local.known.iter().map(|known| *known.key()).collect();
        for client in known {
            self.0.local.forget(client);
            self.tell(client, Command::GiveUp { home });
        }
    }

    /// A line is gone: a connect that was held there waits no longer.
    pub(super) fn lost(&self, client: ClientId, at: SocketAddress) {
        self.tell(client, Command::Lost(at));
    }

    pub(super) fn tell(&self, client: ClientId, command: Command) {
        self.tell_then(client, command, || ());
    }

    pub(super) fn tell_then(
        &self,
        client: ClientId,
        command: Command,
        then: impl FnOnce() + Send + 'static,
    ) {
        self.0.engine.submit(client, Expect::Any, command, Box::new(|_| then()));
    }

    /// Submits a command now; the answer comes to the receiver.
    fn submit(
        &self,
        client: ClientId,
        command: Command,
    ) -> oneshot::Receiver<Result<Applied<Reply>, Refusal>> {
        let (sender, receiver) = oneshot::channel();
        let sink = Box::new(move |result| {
            let _ = sender.send(result);
        });
        self.0.engine.submit(client, Expect::Any, command, sink);
        receiver
    }

    async fn ask(&self, client: ClientId, command: Command) -> Result<Reply, Fault> {
        match self.submit(client, command).await {
            Ok(Ok(Applied { reply: Reply::Refused(fault), .. })) => Err(fault),
            Ok(Ok(Applied { reply, .. })) => Ok(reply),
            Ok(Err(_)) | Err(_) => Err(Fault::Unready),
        }
    }
}

/// Its figures. Known to the sockets, which it knows: so this keeps nothing alive.
struct Gauges(Weak<Shared>);

impl Figures for Gauges {
    fn refresh(&self) -> EngineFigures {
        let Some(bayeux) = self.0.upgrade().map(Bayeux) else { return EngineFigures::default() };
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let metrics = &bayeux.local().metrics;
        metrics.bayeux_clients.set(gauge(bayeux.engine().records()));
        metrics.bayeux_waiting.set(gauge(bayeux.waiting()));
        bayeux.engine().figures()
    }
}
