//! The handle to Bayeux: carries out what clients send, one message after another, and reaches them.
//!
//! The rules are in [`super::client`]; here stands who may do what, and in which order answers come.

mod handshake;

pub use handshake::group_of;

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use dashmap::DashMap;
use tokio::sync::oneshot;

use super::{
    answer::{Advice, Answer, Text, Time, event},
    application::{Application, Caller},
    channel::{Channel, Kind},
    client::{
        CONNECT, Client, ClientId,
        command::{Command, Connect, From, Member, Pause, Reply, Rules},
    },
    delivery::{Delivery, Local},
    fault::Fault,
    index::Index,
    lines::Lines,
    message::{Acknowledged, Broken, Message},
};
use crate::{
    auth::Scope,
    clock::Clock,
    limits::Places,
    model::{
        ids::{NodeId, SocketAddress},
        json::Json,
    },
    settings,
    sockets::service::{PageOrigin, SocketService},
    store::{Applied, Engine, Expect, Refusal, memory::MemoryEngine},
    telemetry::Metrics,
};

/// The transports that are offered, as clients prefer them.
pub const TRANSPORTS: &[&str] = &["websocket", "long-polling"];

/// The engine that keeps client sessions.
pub type ClientEngine = MemoryEngine<Client>;

/// The handle. Cheap to clone.
#[derive(Clone)]
pub struct Bayeux(Arc<Shared>);

struct Shared {
    engine: ClientEngine,
    local: Arc<Local>,
    clock: Clock,
    settings: settings::Bayeux,
    /// Connects of each browser that are under way, where their number is limited.
    tabs: Option<Arc<Places<Box<str>>>>,
}

/// What a request or frame comes with.
#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) from: From,
    pub(super) address: IpAddr,
    pub(super) origin: PageOrigin,
    /// Whether its connect may be held; else the client is to pause.
    pub(super) pause: Option<Pause>,
}

/// What came with messages, and what became of them.
type Read = Vec<Result<Message, Broken>>;

impl Bayeux {
    /// Bayeux without clients. `shards`: one a worker.
    pub fn new(
        settings: settings::Bayeux,
        (node, shards): (NodeId, usize),
        clock: Clock,
        metrics: Metrics,
        application: Arc<dyn Application>,
    ) -> Self {
        let local = Arc::new(Local {
            node,
            lines: Arc::default(),
            index: Index::default(),
            groups: DashMap::new(),
            bearers: DashMap::new(),
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
        let engine =
            MemoryEngine::new(shards, settings.max_clients, rules, clock.clone(), delivery);
        let tabs = (settings.tabs > 0).then(|| Places::new(settings.tabs));
        Self(Arc::new(Shared { engine, local, clock, settings, tabs }))
    }

    /// What the application works with: made after this, told once.
    pub fn serves(&self, service: &SocketService) {
        let _ = self.0.local.service.set(service.clone());
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

    pub(super) fn local(&self) -> &Local {
        &self.0.local
    }

    pub(super) fn node(&self) -> NodeId {
        self.0.local.node
    }

    pub(super) fn tabs(&self) -> Option<&Arc<Places<Box<str>>>> {
        self.0.tabs.as_ref()
    }

    /// Brings the figures that are states up to date.
    pub fn refresh_metrics(&self) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let metrics = &self.0.local.metrics;
        metrics.bayeux_clients.set(gauge(self.0.engine.records()));
        metrics.bayeux_waiting.set(gauge(self.lines().waiting()));
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
        let command = Command::Deliver(event(channel, data));
        self.0.engine.submit(client, Expect::Any, command, Box::new(|_| then()));
    }

    /// What the application remembers of a client from now on.
    pub fn remember(&self, client: ClientId, memory: Option<Json>) {
        self.tell(client, Command::Remember(memory));
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
        let bearers = &self.0.local.bearers;
        let over = bearers.iter().filter(|bearer| is_over(bearer)).map(|bearer| *bearer.key());
        over.collect::<Vec<_>>().into_iter().for_each(|client| self.dismiss(client));
    }

    /// Answers all connects that are held, and waits until that is done: each client is to come back at its own time
    /// within `spread_ms`.
    pub async fn go_away(&self, spread_ms: u64) {
        let mut held = Vec::new();
        self.0.engine.for_each(|key, client| held.extend(client.is_held().then_some(*key)));
        let sent_away = held.into_iter().map(|client| {
            let pause = if spread_ms == 0 { 0 } else { rand::random::<u64>() % spread_ms };
            self.submit(client, Command::SendAway(pause))
        });
        for done in sent_away.collect::<Vec<_>>() {
            let _ = done.await;
        }
    }

    /// A line is gone: a connect that was held there waits no longer.
    pub(super) fn lost(&self, client: ClientId, at: SocketAddress) {
        self.tell(client, Command::Lost(at));
    }

    pub(super) fn tell(&self, client: ClientId, command: Command) {
        self.0.engine.submit(client, Expect::Any, command, Box::new(|_| ()));
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

    fn answer(&self, message: &Message, done: Result<(), &Fault>) -> Text {
        if let Err(fault) = done {
            self.refused(fault);
        }
        Answer::to(message, done, self.0.settings.errors).text()
    }

    fn refused(&self, fault: &Fault) {
        self.0.local.metrics.bayeux_refused.inc();
        tracing::debug!(?fault, "Bayeux message refused");
    }

    /// The answer to a message that came above a limit.
    pub(super) fn refusal(&self, message: &Result<Message, Broken>, fault: &Fault) -> Text {
        match message {
            Ok(message) if message.channel.as_str() == CONNECT => {
                self.failed_connect(message, fault)
            }
            Ok(message) => self.answer(message, Err(fault)),
            Err(broken) => self.broken(broken),
        }
    }

    /// Carries out what came with one request or frame. The answers go to its line, now or when its connect ends. Gives
    /// the client, if there is one.
    pub(super) async fn carry_out(
        &self,
        service: &SocketService,
        visit: Visit,
        mut messages: Read,
    ) -> Option<ClientId> {
        self.0.local.metrics.bayeux_received.inc_by(messages.len() as u64);
        let shakes = |message: &Result<Message, Broken>| {
            message.as_ref().is_ok_and(|message| message.channel.as_str() == "/meta/handshake")
        };
        // It comes alone; what comes with it is ignored (Bayeux 1.0, section 4.1).
        if let Some(at) = messages.iter().position(shakes)
            && let Ok(message) = messages.swap_remove(at)
        {
            let (client, answer) = self.shake_hands(service, &visit, &message).await;
            self.write(visit.from.at, vec![answer]);
            return client;
        }
        let claimed = messages.iter().find_map(|message| message.as_ref().ok()?.client.clone());
        let client = claimed.as_deref().map(str::parse::<ClientId>).and_then(Result::ok);
        let Some(client) = client else {
            let answers = messages.iter().map(|message| self.unknown(message)).collect();
            self.write(visit.from.at, answers);
            return None;
        };
        let alone = messages.len() == 1;
        if alone
            && let Some(Ok(message)) = messages.first()
            && message.channel.as_str() == CONNECT
        {
            let fault = self.connect(client, &visit, message, true).await.err();
            if let Some(fault) = &fault {
                self.write(visit.from.at, vec![self.failed_connect(message, fault)]);
            }
            return fault.is_none().then_some(client);
        }
        let (member, memory) = match self.ask(client, Command::Begin(visit.from.clone())).await {
            Ok(Reply::Known(member, memory)) => (*member, memory),
            Ok(_) | Err(_) => {
                let answers = messages.iter().map(|message| self.unknown(message)).collect();
                self.write(visit.from.at, answers);
                return None;
            }
        };
        let mut batch =
            Batch { bayeux: self.clone(), client, to: visit.from.at, answers: Vec::new() };
        let Visit { address, origin, .. } = &visit;
        let (address, origin) = (*address, origin.clone());
        let mut caller = Caller { client, member, memory, address, origin };
        let mut has_left = false;
        for message in &messages {
            let own = message.as_ref().is_ok_and(|message| message.client == claimed);
            let answers = match message {
                Ok(message) if own && !has_left => {
                    has_left = message.channel.as_str() == "/meta/disconnect";
                    self.one(service, &visit, &mut caller, message).await
                }
                other => vec![self.unknown(other)],
            };
            batch.answers.extend(answers);
        }
        drop(batch);
        Some(client)
    }

    fn write(&self, to: SocketAddress, messages: Vec<Text>) {
        self.0.local.metrics.bayeux_sent.inc_by(messages.len() as u64);
        self.lines().write(to.socket, messages);
    }

    /// The answer to a message of a client that nobody knows, or that cannot be read.
    fn unknown(&self, message: &Result<Message, Broken>) -> Text {
        match message {
            Ok(message) if message.channel.as_str() == CONNECT => {
                self.failed_connect(message, &Fault::Unknown)
            }
            Ok(message) => self.answer(message, Err(&Fault::Unknown)),
            Err(broken) => self.broken(broken),
        }
    }

    fn broken(&self, Broken { channel, id, fault }: &Broken) -> Text {
        self.refused(fault);
        let channel = channel.as_deref().unwrap_or("/meta/unknown");
        Answer::failed(channel, id.as_ref(), fault, self.0.settings.errors).text()
    }

    fn failed_connect(&self, message: &Message, fault: &Fault) -> Text {
        self.refused(fault);
        let advice = match fault {
            Fault::Unknown => Advice::handshake(self.0.settings.timeout_ms),
            _ => Advice { interval: 1_000, ..Advice::retry(self.0.settings.timeout_ms) },
        };
        Answer::to(message, Err(fault), self.0.settings.errors).advised(advice).text()
    }

    /// Connects. Alone it is answered by the record; in company these are the answers.
    async fn connect(
        &self,
        client: ClientId,
        visit: &Visit,
        message: &Message,
        alone: bool,
    ) -> Result<Vec<Text>, Fault> {
        let transport = message.transport.as_deref();
        if transport.is_some_and(|name| !TRANSPORTS.contains(&name)) {
            let rule = "must be websocket or long-polling".into();
            return Err(Fault::Field { name: "connectionType", rule });
        }
        let ack = message.ext.ack.and_then(Acknowledged::batch);
        let now = self.0.clock.wall().0;
        let time = message.ext.timesync.and_then(|asked| Time::answer(asked, now));
        let (from, id, pause) = (visit.from.clone(), message.id.clone(), visit.pause);
        let timeout = message.advice.timeout;
        let connect = Connect { from, id, timeout, ack, time, alone, pause };
        match self.ask(client, Command::Connect(Box::new(connect))).await? {
            Reply::Now(answers) => Ok(answers),
            _ => Ok(Vec::new()),
        }
    }

    /// Carries out one message of a known client.
    async fn one(
        &self,
        service: &SocketService,
        visit: &Visit,
        caller: &mut Caller,
        message: &Message,
    ) -> Vec<Text> {
        let client = caller.client;
        let done = match message.channel.as_str() {
            CONNECT => {
                return match self.connect(client, visit, message, false).await {
                    Ok(answers) => answers,
                    Err(fault) => vec![self.failed_connect(message, &fault)],
                };
            }
            "/meta/subscribe" => self.subscribe(caller, message).await,
            "/meta/unsubscribe" => self.unsubscribe(caller, message).await,
            "/meta/disconnect" => self.ask(client, Command::Disconnect).await.map(|_| ()),
            _ => match message.channel.kind() {
                Kind::Meta => Err(Fault::ChannelInvalid),
                Kind::Service => self.call(service, caller, message).await,
                Kind::Broadcast => self.publish(caller, message),
            },
        };
        vec![self.answer(message, done.as_ref().copied())]
    }

    /// Those before a refusal remain.
    async fn subscribe(&self, caller: &Caller, message: &Message) -> Result<(), Fault> {
        let subscription = message.subscription.as_ref().ok_or(Fault::SubscriptionMissing)?;
        let mut wanted = Vec::new();
        let mut refusal = None;
        for channel in &subscription.channels {
            match channel {
                None => refusal = Some(Fault::SubscriptionInvalid),
                Some(channel) => match channel.kind() {
                    // Nothing to remember: the server sends there what it wants to.
                    Kind::Service => {}
                    Kind::Meta => refusal = Some(Fault::SubscribeDenied),
                    Kind::Broadcast if !may_broadcast(&caller.member) => {
                        refusal = Some(Fault::SubscribeDenied);
                    }
                    Kind::Broadcast => wanted.push(channel.clone()),
                },
            }
            if refusal.is_some() {
                break;
            }
        }
        if !wanted.is_empty() {
            self.ask(caller.client, Command::Subscribe(wanted.clone())).await?;
            // The record's effects say so too, but perhaps only when the next message of this request is on its way.
            let local = &self.0.local;
            for channel in wanted {
                local.index.add(&caller.member.group, channel.clone(), caller.client);
                if !local.groups.contains_key(&caller.client) {
                    local.index.remove(&caller.member.group, &channel, caller.client);
                }
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    async fn unsubscribe(&self, caller: &Caller, message: &Message) -> Result<(), Fault> {
        let subscription = message.subscription.as_ref().ok_or(Fault::SubscriptionMissing)?;
        let channels = subscription.channels.iter().cloned().collect::<Option<Vec<_>>>();
        let channels = channels.ok_or(Fault::SubscriptionInvalid)?;
        self.ask(caller.client, Command::Unsubscribe(channels)).await.map(|_| ())
    }

    /// To everybody of the group who hears the channel, the publisher too.
    fn publish(&self, caller: &Caller, message: &Message) -> Result<(), Fault> {
        if message.channel.is_pattern() || !may_broadcast(&caller.member) {
            return Err(Fault::PublishDenied);
        }
        let data = message.data.clone().unwrap_or_else(Json::null);
        let text = event(&message.channel, &data);
        for client in self.0.local.index.of(&caller.member.group, &message.channel) {
            self.tell(client, Command::Deliver(Arc::clone(&text)));
        }
        Ok(())
    }

    async fn call(
        &self,
        service: &SocketService,
        caller: &Caller,
        message: &Message,
    ) -> Result<(), Fault> {
        if message.channel.is_pattern() {
            return Err(Fault::PublishDenied);
        }
        let data = message.data.clone().unwrap_or_else(Json::null);
        let (sender, receiver) = oneshot::channel();
        let outcome = Box::new(move |outcome| {
            let _ = sender.send(outcome);
        });
        let application = &self.0.local.application;
        application.call(self, service, caller.clone(), &message.channel, &data, outcome);
        receiver.await.unwrap_or(Err(Fault::Unready))
    }
}

/// Broadcast channels need a token that allows topics.
fn may_broadcast(member: &Member) -> bool {
    member.agent.as_ref().is_some_and(|agent| agent.scope.contains(Scope::TOPICS))
}

/// Messages that are being carried out. However that ends, the client hears the answers that there are.
struct Batch {
    bayeux: Bayeux,
    client: ClientId,
    to: SocketAddress,
    answers: Vec<Text>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        let (to, answers) = (self.to, std::mem::take(&mut self.answers));
        self.bayeux.tell(self.client, Command::Finish { to, answers });
    }
}
