//! A node's connection to the server: Redis 6.2 or later, or Valkey, by RESP3, so that answers and messages come over one
//! connection, in the order in which they were given.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque, hash_map::Entry},
    fmt,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use parking_lot::Mutex;
use redis::{
    Arg, Client, Cmd, FromRedisValue, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo,
    PushKind, RedisError, RedisFuture, RedisResult, Script, Value,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};
use serde::Serialize;
use tokio::sync::{OnceCell, watch};

use super::{
    ears::{Ears, Heard},
    figures::{self, Traffic},
    lease::{self, Lease, Standing},
    message,
    question::{Answer, Ask, Lists, Row, Target, Tell, Ticket},
};
use crate::{
    auth::Secret,
    clock::{Clock, Timestamp},
    model::ids::NodeId,
    store::Record,
};

/// How long the server may take for an answer. After that nobody knows what became of the question.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Questions that may wait to be sent before the next ones wait for room.
const PIPELINE: usize = 4_096;
/// Records that are read at once.
const ROWS_AT_ONCE: usize = 256;

/// The server's address. It may hold a password, so `Debug` shows the place alone.
#[derive(Clone)]
pub struct ServerUrl {
    url: Secret,
    place: Arc<str>,
    /// What all names on the server begin with.
    prefix: Arc<str>,
}

/// Why a text names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write redis:// or rediss://, a host, and a port where it is not 6379, as in redis://user:password@host:6379/0, and only ?prefix= behind it"
)]
pub struct InvalidServerUrl;

impl ServerUrl {
    /// Reads `redis://…`, or `rediss://…` for TLS. All names on the server begin with `vestibule:`, or with what the parameter
    /// `prefix` says: 1 to 64 of the characters A-Z a-z 0-9 . _ : -
    ///
    /// # Errors
    /// Another scheme, no host, or another parameter or prefix.
    pub fn parse(text: &str) -> Result<Self, InvalidServerUrl> {
        let mut url = url::Url::parse(text).map_err(|_| InvalidServerUrl)?;
        let prefix = prefix(&url)?;
        url.set_query(None);
        let is_known = matches!(url.scheme(), "redis" | "rediss");
        let host = url.host_str().filter(|host| is_known && !host.is_empty());
        let host = host.ok_or(InvalidServerUrl)?;
        url.as_str().into_connection_info().map_err(|_| InvalidServerUrl)?;
        let port = url.port().unwrap_or(6379);
        let place = format!("{}://{host}:{port}", url.scheme()).into();
        Ok(Self { url: url.as_str().into(), place, prefix })
    }

    /// The same server by another port of this machine.
    #[cfg(test)]
    pub(super) fn by(&self, port: u16) -> Self {
        let mut url: url::Url = self.url.expose().parse().unwrap();
        url.set_port(Some(port)).unwrap();
        Self { url: url.as_str().into(), ..self.clone() }
    }

    /// Host and port.
    #[cfg(test)]
    pub(super) fn address(&self) -> String {
        self.place.rsplit('/').next().unwrap().to_owned()
    }

    fn client(&self) -> RedisResult<Client> {
        let info = self.url.expose().into_connection_info()?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Client::open(info.set_redis_settings(settings))
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// By channel, who hears it; and whether it was there before.
#[derive(Default)]
struct Listeners(HashMap<String, (Arc<Ears>, bool)>);

impl Listeners {
    /// What the connection pushes on its own account.
    fn push(&mut self, push: PushInfo, traffic: &Traffic) {
        let mut data = push.data.into_iter();
        let Some(Ok(channel)) = data.next().map(String::from_redis_value) else { return };
        let Some((ears, was_there)) = self.0.get_mut(&channel) else { return };
        match (push.kind, data.next()) {
            (PushKind::Message, Some(Value::BulkString(bytes))) => {
                figures::add(&traffic.messages, 1);
                figures::add(&traffic.bytes_heard, bytes.len());
                ears.hear(Heard::Message(bytes));
            }
            (PushKind::Subscribe, _) if std::mem::replace(was_there, true) => {
                figures::add(&traffic.cuts, 1);
                ears.hear(Heard::Again);
            }
            _ => {}
        }
    }
}

/// The connection, which counts what it sends.
#[derive(Clone)]
pub(super) struct Counted {
    connection: ConnectionManager,
    traffic: Arc<Traffic>,
}

impl Counted {
    fn count<'a>(&self, commands: impl Iterator<Item = &'a Cmd>) {
        for command in commands {
            let bytes = command.args_iter().map(|arg| match arg {
                // Its length in digits, a dollar and two ends of lines come with each.
                Arg::Simple(bytes) => bytes.len() + bytes.len().max(1).ilog10() as usize + 6,
                _ => 0,
            });
            figures::add(&self.traffic.commands, 1);
            figures::add(&self.traffic.bytes_sent, bytes.sum());
        }
    }
}

impl ConnectionLike for Counted {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        self.count(std::iter::once(command));
        self.connection.req_packed_command(command)
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.count(pipeline.cmd_iter());
        self.connection.req_packed_commands(pipeline, offset, count)
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// The connection. One for all engines of the process.
pub(super) struct Link {
    server: ServerUrl,
    node: NodeId,
    connection: OnceCell<Counted>,
    listeners: Arc<Mutex<Listeners>>,
    subscribed: RefCell<HashMap<&'static str, Rc<OnceCell<()>>>>,
    /// Channels that are to be subscribed to, or no more, in this order.
    wanted: RefCell<VecDeque<(String, bool)>>,
    /// Held by the one who sees to that.
    wanting: tokio::sync::Mutex<()>,
    is_away: Cell<bool>,
    lease: RefCell<Lease>,
    /// Held by the one who renews.
    turn: tokio::sync::Mutex<()>,
    clock: Clock,
    /// What all nodes have in common, by name; said again with every renewal, should the server have lost it.
    secrets: RefCell<Vec<(String, Secret)>>,
    standing: watch::Sender<Standing>,
    traffic: Arc<Traffic>,
    renew: Script,
    look: Script,
    replace: Script,
}

impl Link {
    pub(super) fn new(
        server: &ServerUrl,
        node: NodeId,
        lease: Duration,
        clock: Clock,
        standing: watch::Sender<Standing>,
        traffic: Arc<Traffic>,
    ) -> Self {
        Self {
            server: server.clone(),
            node,
            connection: OnceCell::new(),
            listeners: Arc::default(),
            subscribed: RefCell::default(),
            wanted: RefCell::default(),
            wanting: tokio::sync::Mutex::default(),
            is_away: Cell::default(),
            lease: RefCell::new(Lease::new(lease)),
            turn: tokio::sync::Mutex::default(),
            clock,
            secrets: RefCell::default(),
            standing,
            traffic,
            renew: Script::new(include_str!("renew.lua")),
            look: Script::new(include_str!("look.lua")),
            replace: Script::new(include_str!("replace.lua")),
        }
    }

    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    pub(super) fn standing(&self) -> Standing {
        self.lease.borrow().standing(Instant::now())
    }

    /// From now on `ears` get what comes on this node's channels of one kind of record.
    pub(super) fn listen(&self, kind: &'static str, ears: &Arc<Ears>) {
        let mut listeners = self.listeners.lock();
        for target in [Target::Node(self.node), Target::Everyone] {
            listeners.0.insert(self.channel(kind, &target), (Arc::clone(ears), false));
        }
    }

    /// Hears what is said to the listeners of `name`, too, from the next question on.
    pub(super) fn listen_to(&self, kind: &'static str, name: String, ears: &Arc<Ears>) {
        let channel = self.channel(kind, &Target::Listeners(name));
        self.listeners.lock().0.insert(channel.clone(), (Arc::clone(ears), false));
        self.wanted.borrow_mut().push_back((channel, true));
    }

    /// Hears that no more.
    pub(super) fn unlisten(&self, kind: &'static str, name: String) {
        let channel = self.channel(kind, &Target::Listeners(name));
        self.listeners.lock().0.remove(&channel);
        self.wanted.borrow_mut().push_back((channel, false));
    }

    /// Says these, in this order; at first hears what is said to this one.
    pub(super) async fn publish(
        &self,
        kind: &'static str,
        letters: &[(Target, Bytes)],
    ) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        for (to, letter) in letters {
            pipe.publish(self.channel(kind, to), &**letter).ignore();
        }
        in_time(async {
            self.be_a_member().await?;
            let mut connection = self.connection().await?;
            self.hear(kind, &mut connection).await?;
            if letters.is_empty() {
                return Ok(());
            }
            pipe.query_async(&mut connection).await
        })
        .await
    }

    /// Asks for what the core wants to know or to be done.
    pub(super) async fn ask<R: Record>(&self, ask: Ask<R::Key>) -> (Ticket, Answer) {
        let (ticket, asked) = match ask {
            Ask::Probe { ticket } => (ticket, self.probe::<R>(ticket).await),
            Ask::Look { ticket, key } => (ticket, self.look_at::<R>(ticket, &key).await),
            Ask::Replace { ticket, key, expected, row, lists, tell } => {
                // Sent one behind the other: a node that ends in between leaves a list that says too much, which is mended
                // by whoever reads it, and never one that says too little.
                let (listed, answer) = tokio::join!(
                    self.enlist::<R>(&key, &lists),
                    self.replace::<R>(&key, expected, row, tell),
                );
                let answer = listed.and(answer);
                if let Ok(Answer::Replaced { .. }) = &answer {
                    self.strike_out::<R>(&key, &lists).await;
                    self.list_anew::<R>(&key, &lists).await;
                }
                (ticket, answer)
            }
        };
        self.note(asked.as_ref().err());
        (ticket, asked.unwrap_or(Answer::Away))
    }

    /// Tells the log when the server goes away and when it is back, not each time that somebody asks.
    fn note(&self, error: Option<&RedisError>) {
        match (error, self.is_away.replace(error.is_some())) {
            (Some(error), false) => {
                tracing::warn!(server = ?self.server, %error, "the engine's server does not answer");
            }
            (None, true) => tracing::info!(server = ?self.server, "the engine's server is back"),
            _ => {}
        }
    }

    async fn probe<R: Record>(&self, ticket: Ticket) -> RedisResult<Answer> {
        let word = [b"0:", &*message::encode::<R>(self.node, ticket, None, &[])].concat();
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(self.channel(R::KIND, &Target::Node(self.node))).arg(word);
        let asked = async |connection: &mut Counted| publish.query_async::<()>(connection).await;
        self.patiently::<R, _>(asked).await?;
        Ok(Answer::Said)
    }

    async fn look_at<R: Record>(&self, ticket: Ticket, key: &R::Key) -> RedisResult<Answer> {
        let word = message::encode::<R>(self.node, ticket, Some(key), &[]);
        let own = self.channel(R::KIND, &Target::Node(self.node));
        let mut look = self.look.key(self.row_of::<R>(key)?);
        look.arg(own).arg(word);
        let asked = async |connection: &mut Counted| look.invoke_async(connection).await;
        let (version, row): (String, Vec<u8>) = self.patiently::<R, _>(asked).await?;
        Ok(Answer::Found { version: number(&version)?, row })
    }

    async fn replace<R: Record>(
        &self,
        key: &R::Key,
        expected: u64,
        row: Row,
        tell: Tell,
    ) -> RedisResult<Answer> {
        let (what, row) = match row {
            Row::Same => ("same", Vec::new()),
            Row::Gone => ("gone", Vec::new()),
            Row::New(row) => ("new", row),
        };
        let mut replace = self.replace.key(self.row_of::<R>(key)?);
        replace.arg(expected).arg(what).arg(row);
        for (target, message) in tell {
            replace.arg(self.channel(R::KIND, &target)).arg(message);
        }
        let asked = async |connection: &mut Counted| replace.invoke_async(connection).await;
        let (is_done, version, row): (u8, String, Vec<u8>) = self.patiently::<R, _>(asked).await?;
        let version = number(&version)?;
        Ok(match is_done {
            1 => Answer::Replaced { version },
            _ => Answer::Conflict { version, row },
        })
    }

    /// Writes into the lists what the next version of the record will have.
    async fn enlist<R: Record>(&self, key: &R::Key, lists: &Lists) -> RedisResult<()> {
        let member = member(key)?;
        let mut pipe = redis::pipe();
        if let Some(Some(at)) = lists.due {
            pipe.zadd(self.times::<R>(), &member, at.0);
        }
        for node in &lists.holds {
            pipe.sadd(self.held_by::<R>(*node), &member);
        }
        if let Some(name) = &lists.joins {
            pipe.sadd(self.listed_under::<R>(name), &member);
        }
        self.keep_lists::<R>(pipe).await
    }

    /// Takes out of the lists what the record has no more. What stays behind is found wrong later.
    async fn strike_out<R: Record>(&self, key: &R::Key, lists: &Lists) {
        let Ok(member) = member(key) else { return };
        let mut pipe = redis::pipe();
        if lists.due == Some(None) {
            pipe.zrem(self.times::<R>(), &member);
        }
        for node in &lists.frees {
            pipe.srem(self.held_by::<R>(*node), &member);
        }
        if let Err(error) = self.keep_lists::<R>(pipe).await {
            tracing::debug!(kind = R::KIND, %error, "a list says more than is so");
        }
    }

    async fn keep_lists<R: Record>(&self, pipe: redis::Pipeline) -> RedisResult<()> {
        if pipe.is_empty() {
            return Ok(());
        }
        let asked = async |connection: &mut Counted| pipe.query_async::<()>(connection).await;
        self.patiently::<R, _>(asked).await
    }

    /// Records of which an ended node holds something, at most so many of each; with the node. One that holds nothing of
    /// the record any more is struck out.
    pub(super) async fn orphans<R: Record>(&self, most: usize) -> Vec<(R::Key, NodeId)> {
        let ended = self.lease.borrow().ended().to_vec();
        let mut orphans = Vec::new();
        for node in ended {
            let list = self.held_by::<R>(node);
            let mut command = redis::cmd("SRANDMEMBER");
            command.arg(&list).arg(most);
            let asked = async |connection: &mut Counted| {
                command.query_async::<Vec<String>>(connection).await
            };
            let members = self.patiently::<R, _>(asked).await.unwrap_or_default();
            let keys: Vec<R::Key> =
                members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect();
            let rows = self.rows::<R>(keys.clone()).await;
            for key in keys {
                let row = rows.iter().find(|(found, _)| *found == key);
                if row.is_some_and(|(_, record)| record.holders().contains(&node)) {
                    orphans.push((key, node));
                } else {
                    let lists = Lists { frees: vec![node], ..Lists::default() };
                    self.strike_out::<R>(&key, &lists).await;
                }
            }
        }
        orphans
    }

    /// Renews this node's lease for as long as the process lives.
    pub(super) async fn stay_a_member(&self) {
        loop {
            let pause = self.lease.borrow().renews_every();
            if let Err(error) = self.renew().await {
                self.lease.borrow_mut().was_away(Instant::now());
                self.note(Some(&error));
            }
            let standing = self.standing();
            self.standing.send_if_modified(|told| std::mem::replace(told, standing) != standing);
            tokio::time::sleep(pause).await;
        }
    }

    async fn renew(&self) -> RedisResult<()> {
        let asked = Instant::now();
        let (may_end, length) = {
            let mut lease = self.lease.borrow_mut();
            (lease.may_end_others(asked), lease.length())
        };
        // Both in one slot of a cluster.
        let prefix = &self.server.prefix;
        let mut renew = self.renew.key(format!("{prefix}{{nodes}}:leases"));
        renew.key(format!("{prefix}{{nodes}}:ended"));
        renew.arg(member(&self.node)?).arg(millis(length)).arg(u8::from(may_end));
        renew.arg(millis(lease::REMEMBERED));
        let mut connection = self.connection().await?;
        let answer = in_time(renew.invoke_async(&mut connection)).await;
        let (time, granted, ended): (u64, u8, Vec<String>) = answer?;
        // The server looked at its clock half-way, near enough.
        self.clock.agree(Timestamp(time), asked + asked.elapsed() / 2);
        let ended = ended.iter().filter_map(|node| serde_json::from_str(node).ok());
        self.lease.borrow_mut().renewed(asked, granted == 1, ended.collect());
        let secrets = self.secrets.borrow().clone();
        for (name, secret) in secrets {
            self.agree_on(&name, &secret).await?;
        }
        Ok(())
    }

    /// A secret that all nodes have in common: the one that is there, or this one.
    pub(super) async fn secret(&self, name: &str) -> Secret {
        let own = Secret::generate();
        loop {
            match self.agree_on(name, &own).await {
                Ok(secret) => {
                    self.secrets.borrow_mut().push((name.to_owned(), secret.clone()));
                    return secret;
                }
                Err(error) => self.note(Some(&error)),
            }
            tokio::time::sleep(LONGEST_PAUSE).await;
        }
    }

    async fn agree_on(&self, name: &str, own: &Secret) -> RedisResult<Secret> {
        let place = format!("{}secret:{name}", self.server.prefix);
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(&place).arg(own.expose()).arg("NX").ignore().get(&place);
        let mut connection = self.connection().await?;
        let (secret,): (String,) = in_time(pipe.query_async(&mut connection)).await?;
        Ok(secret.into())
    }

    /// Says that this node ends: what it still holds is lost.
    pub(super) async fn leave(&self) {
        self.lease.borrow_mut().renewed(Instant::now(), false, Vec::new());
        let Ok(node) = member(&self.node) else { return };
        let prefix = &self.server.prefix;
        let now = self.clock.now().0;
        let mut pipe = redis::pipe();
        pipe.atomic().zrem(format!("{prefix}{{nodes}}:leases"), &node);
        pipe.zadd(format!("{prefix}{{nodes}}:ended"), &node, now);
        let left = async {
            let mut connection = self.connection().await?;
            in_time(pipe.query_async::<()>(&mut connection)).await
        };
        if let Err(error) = left.await {
            tracing::warn!(%error, "the other nodes learn by the lease that this one has ended");
        }
    }

    /// Lets nobody ask who has no lease: others may have ended this node while it slept.
    async fn be_a_member(&self) -> RedisResult<()> {
        let standing = || self.standing();
        if standing() == Standing::Away {
            let _turn = self.turn.lock().await;
            if standing() == Standing::Away {
                self.renew().await?;
            }
        }
        match standing() {
            Standing::Member => Ok(()),
            Standing::Away | Standing::Ended => {
                Err(std::io::Error::other("this node has no lease").into())
            }
        }
    }

    /// Records that were due before, at most so many.
    pub(super) async fn overdue<R: Record>(&self, before: Timestamp, most: usize) -> Vec<R::Key> {
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command.arg(self.times::<R>()).arg("-inf").arg(before.0).arg("LIMIT").arg(0).arg(most);
        let asked =
            async |connection: &mut Counted| command.query_async::<Vec<String>>(connection).await;
        let members = self.patiently::<R, _>(asked).await.unwrap_or_default();
        members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect()
    }

    /// The records of these keys, in their order, as far as there are any.
    pub(super) async fn rows<R: Record>(&self, keys: Vec<R::Key>) -> Vec<(R::Key, R)> {
        let mut found = Vec::new();
        let mut keys = keys.into_iter().peekable();
        while keys.peek().is_some() {
            let part: Vec<R::Key> = keys.by_ref().take(ROWS_AT_ONCE).collect();
            let rows = self.found::<R>(part.clone()).await.unwrap_or_default();
            found.extend(part.into_iter().zip(rows).filter_map(|(key, row)| Some((key, row?))));
        }
        found
    }

    /// The record of each of these keys, where there is one; `None` when the server does not say.
    pub(super) async fn found<R: Record>(&self, keys: Vec<R::Key>) -> Option<Vec<Option<R>>> {
        if keys.is_empty() {
            return Some(Vec::new());
        }
        let mut pipe = redis::pipe();
        for key in &keys {
            if let Ok(row) = self.row_of::<R>(key) {
                pipe.hget(row, "r");
            }
        }
        let asked = async |connection: &mut Counted| {
            pipe.query_async::<Vec<Option<Vec<u8>>>>(connection).await
        };
        let rows = self.patiently::<R, _>(asked).await.ok()?;
        Some(rows.into_iter().map(|row| serde_json::from_slice(&row?).ok()).collect())
    }

    /// Asks, once the node hears its channels, and waits no longer than is sensible.
    pub(super) async fn patiently<R: Record, T>(
        &self,
        ask: impl AsyncFnOnce(&mut Counted) -> RedisResult<T>,
    ) -> RedisResult<T> {
        in_time(async {
            self.be_a_member().await?;
            let mut connection = self.connection().await?;
            self.hear(R::KIND, &mut connection).await?;
            ask(&mut connection).await
        })
        .await
    }

    async fn connection(&self) -> RedisResult<Counted> {
        let connect = async || {
            let listeners = Arc::clone(&self.listeners);
            let traffic = Arc::clone(&self.traffic);
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(PATIENCE))
                .set_max_delay(LONGEST_PAUSE)
                .set_number_of_retries(usize::MAX)
                .set_pipeline_buffer_size(PIPELINE)
                .set_push_sender(move |push: PushInfo| {
                    listeners.lock().push(push, &traffic);
                    Ok::<(), redis::aio::SendError>(())
                })
                .set_automatic_resubscription();
            let connection =
                ConnectionManager::new_lazy_with_config(self.server.client()?, config)?;
            Ok(Counted { connection, traffic: Arc::clone(&self.traffic) })
        };
        self.connection.get_or_try_init(connect).await.cloned()
    }

    /// Subscribes to the channels of one kind of record, once.
    async fn hear(&self, kind: &'static str, to: &mut Counted) -> RedisResult<()> {
        let subscribed = match self.subscribed.borrow_mut().entry(kind) {
            Entry::Occupied(entry) => Rc::clone(entry.get()),
            Entry::Vacant(place) => Rc::clone(place.insert(Rc::default())),
        };
        let subscribe = async || {
            to.connection.subscribe(self.channel(kind, &Target::Node(self.node))).await?;
            to.connection.subscribe(self.channel(kind, &Target::Everyone)).await
        };
        subscribed.get_or_try_init(subscribe).await?;
        self.hear_what_is_wanted(to).await
    }

    /// Brings the subscriptions up to what was wanted before this question, in its order.
    async fn hear_what_is_wanted(&self, to: &mut Counted) -> RedisResult<()> {
        if self.wanted.borrow().is_empty() && self.wanting.try_lock().is_ok() {
            return Ok(());
        }
        let _turn = self.wanting.lock().await;
        loop {
            let Some((channel, wants)) = self.wanted.borrow().front().cloned() else {
                return Ok(());
            };
            if wants {
                to.connection.subscribe(&channel).await?;
            } else {
                to.connection.unsubscribe(&channel).await?;
            }
            self.wanted.borrow_mut().pop_front();
        }
    }

    fn channel(&self, kind: &str, target: &Target) -> String {
        let prefix = &self.server.prefix;
        match target {
            Target::Node(NodeId { node, incarnation }) => {
                format!("{prefix}node:{node}.{incarnation}:{kind}")
            }
            Target::Listeners(name) => format!("{prefix}to:{kind}:{name}"),
            Target::Everyone => format!("{prefix}all:{kind}"),
        }
    }

    pub(super) fn row_of<R: Record>(&self, key: &R::Key) -> RedisResult<String> {
        Ok(format!("{}{}:{}", self.server.prefix, R::KIND, member(key)?))
    }

    fn held_by<R: Record>(&self, NodeId { node, incarnation }: NodeId) -> String {
        format!("{}held:{node}.{incarnation}:{}", self.server.prefix, R::KIND)
    }

    pub(super) fn listed_under<R: Record>(&self, name: &str) -> String {
        format!("{}list:{}:{name}", self.server.prefix, R::KIND)
    }

    fn times<R: Record>(&self) -> String {
        format!("{}due:{}", self.server.prefix, R::KIND)
    }
}

fn prefix(url: &url::Url) -> Result<Arc<str>, InvalidServerUrl> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let mut prefix = Arc::from("vestibule:");
    for (name, value) in url.query_pairs() {
        let is_good = (1..=64).contains(&value.len()) && value.bytes().all(fits);
        if name != "prefix" || !is_good {
            return Err(InvalidServerUrl);
        }
        prefix = value.into();
    }
    Ok(prefix)
}

/// A key, or a node, as lists and names have it.
pub(super) fn member(of: &impl Serialize) -> RedisResult<String> {
    serde_json::to_string(of).map_err(|error| std::io::Error::from(error).into())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn in_time<T>(asked: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late()))
}

fn number(text: &str) -> RedisResult<u64> {
    text.parse().map_err(|error| RedisError::from(std::io::Error::other(error)))
}
