//! A node's connection to the server: Redis 6.2 or later, or Valkey, by RESP3, so that answers and messages come over one
//! connection, in the order in which they were given.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, hash_map::Entry},
    fmt,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use redis::{
    Client, FromRedisValue, IntoConnectionInfo, ProtocolVersion, PushInfo, PushKind, RedisError,
    RedisResult, Script, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
use tokio::sync::{OnceCell, mpsc};

use super::{
    core::{Answer, Ask, Row, Target, Tell, Ticket},
    message,
};
use crate::{auth::Secret, clock::Timestamp, model::ids::NodeId, store::Record};

/// How long the server may take for an answer. After that nobody knows what became of the question.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest pause between two tries to connect.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Questions that may wait to be sent before the next ones wait for room.
const PIPELINE: usize = 4_096;

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
    "write redis:// or rediss://, a host, and a port where it is not 6379, as in redis://user:password@host:6379/0"
)]
pub struct InvalidServerUrl;

impl ServerUrl {
    /// Reads `redis://…`, or `rediss://…` for TLS. All names on the server begin with `prefix`.
    ///
    /// # Errors
    /// Another scheme, or no host.
    pub fn parse(text: &str, prefix: &str) -> Result<Self, InvalidServerUrl> {
        let url = url::Url::parse(text).map_err(|_| InvalidServerUrl)?;
        let is_known = matches!(url.scheme(), "redis" | "rediss");
        let host = url.host_str().filter(|host| is_known && !host.is_empty());
        let host = host.ok_or(InvalidServerUrl)?;
        text.into_connection_info().map_err(|_| InvalidServerUrl)?;
        let port = url.port().unwrap_or(6379);
        let place = format!("{}://{host}:{port}", url.scheme()).into();
        Ok(Self { url: text.into(), place, prefix: prefix.into() })
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

/// What comes on a channel of this node.
pub(super) enum Heard {
    /// A message.
    Message(Vec<u8>),
    /// The channel was cut, and is there again.
    Again,
}

/// By channel, who hears it; and whether it was there before.
#[derive(Default)]
struct Listeners(HashMap<String, (mpsc::UnboundedSender<Heard>, bool)>);

impl Listeners {
    /// What the connection pushes on its own account.
    fn push(&mut self, push: PushInfo) {
        let mut data = push.data.into_iter();
        let Some(Ok(channel)) = data.next().map(String::from_redis_value) else { return };
        let Some((listener, was_there)) = self.0.get_mut(&channel) else { return };
        let heard = match (push.kind, data.next()) {
            (PushKind::Message, Some(Value::BulkString(bytes))) => Some(Heard::Message(bytes)),
            (PushKind::Subscribe, _) => std::mem::replace(was_there, true).then_some(Heard::Again),
            _ => None,
        };
        // An engine that is gone hears nothing.
        heard.into_iter().for_each(|heard| drop(listener.send(heard)));
    }
}

/// The connection. One for all engines of the process.
pub(super) struct Link {
    server: ServerUrl,
    node: NodeId,
    connection: OnceCell<ConnectionManager>,
    listeners: Arc<Mutex<Listeners>>,
    subscribed: RefCell<HashMap<&'static str, Rc<OnceCell<()>>>>,
    is_away: Cell<bool>,
    look: Script,
    replace: Script,
}

impl Link {
    pub(super) fn new(server: &ServerUrl, node: NodeId) -> Self {
        Self {
            server: server.clone(),
            node,
            connection: OnceCell::new(),
            listeners: Arc::default(),
            subscribed: RefCell::default(),
            is_away: Cell::default(),
            look: Script::new(include_str!("look.lua")),
            replace: Script::new(include_str!("replace.lua")),
        }
    }

    /// What comes on this node's channels of one kind of record.
    pub(super) fn listen(&self, kind: &'static str) -> mpsc::UnboundedReceiver<Heard> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut listeners = self.listeners.lock();
        for target in [Target::Node(self.node), Target::Everyone] {
            listeners.0.insert(self.channel(kind, target), (sender.clone(), false));
        }
        receiver
    }

    /// Asks for what the core wants to know or to be done.
    pub(super) async fn ask<R: Record>(&self, ask: Ask<R::Key>) -> (Ticket, Answer) {
        let (ticket, asked) = match ask {
            Ask::Probe { ticket } => (ticket, self.probe::<R>(ticket).await),
            Ask::Look { ticket, key } => (ticket, self.look_at::<R>(ticket, &key).await),
            Ask::Replace { ticket, key, expected, row, due, tell } => {
                let answer = self.replace::<R>(&key, expected, row, tell).await;
                if let (Ok(Answer::Replaced { .. }), Some(due)) = (&answer, due) {
                    self.list::<R>(&key, due).await;
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
        publish.arg(self.channel(R::KIND, Target::Node(self.node))).arg(word);
        let asked =
            async |connection: &mut ConnectionManager| publish.query_async::<()>(connection).await;
        self.patiently::<R, _>(asked).await?;
        Ok(Answer::Said)
    }

    async fn look_at<R: Record>(&self, ticket: Ticket, key: &R::Key) -> RedisResult<Answer> {
        let word = message::encode::<R>(self.node, ticket, Some(key), &[]);
        let own = self.channel(R::KIND, Target::Node(self.node));
        let mut look = self.look.key(self.row_of::<R>(key)?);
        look.arg(own).arg(word);
        let asked = async |connection: &mut ConnectionManager| look.invoke_async(connection).await;
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
            replace.arg(self.channel(R::KIND, target)).arg(message);
        }
        let asked =
            async |connection: &mut ConnectionManager| replace.invoke_async(connection).await;
        let (is_done, version, row): (u8, String, Vec<u8>) = self.patiently::<R, _>(asked).await?;
        let version = number(&version)?;
        Ok(match is_done {
            1 => Answer::Replaced { version },
            _ => Answer::Conflict { version, row },
        })
    }

    /// Keeps the list of times, which is mended by whoever finds it wrong.
    async fn list<R: Record>(&self, key: &R::Key, due: Option<Timestamp>) {
        let Ok(member) = serde_json::to_string(key) else { return };
        let mut command = match due {
            Some(_) => redis::cmd("ZADD"),
            None => redis::cmd("ZREM"),
        };
        command.arg(self.times::<R>());
        if let Some(at) = due {
            command.arg(at.0);
        }
        command.arg(member);
        let asked =
            async |connection: &mut ConnectionManager| command.query_async::<()>(connection).await;
        if let Err(error) = self.patiently::<R, _>(asked).await {
            tracing::warn!(kind = R::KIND, %error, "the list of times could not be kept");
        }
    }

    /// Records that were due before, at most so many.
    pub(super) async fn overdue<R: Record>(&self, before: Timestamp, most: usize) -> Vec<R::Key> {
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command.arg(self.times::<R>()).arg("-inf").arg(before.0).arg("LIMIT").arg(0).arg(most);
        let asked = async |connection: &mut ConnectionManager| {
            command.query_async::<Vec<String>>(connection).await
        };
        let members = self.patiently::<R, _>(asked).await.unwrap_or_default();
        members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect()
    }

    /// The records of these keys, in their order, as far as there are any.
    pub(super) async fn rows<R: Record>(&self, keys: Vec<R::Key>) -> Vec<(R::Key, R)> {
        let mut pipe = redis::pipe();
        for key in &keys {
            if let Ok(row) = self.row_of::<R>(key) {
                pipe.hget(row, "r");
            }
        }
        let asked = async |connection: &mut ConnectionManager| {
            pipe.query_async::<Vec<Option<Vec<u8>>>>(connection).await
        };
        let rows = self.patiently::<R, _>(asked).await.unwrap_or_default();
        let found = keys.into_iter().zip(rows);
        found.filter_map(|(key, row)| Some((key, serde_json::from_slice(&row?).ok()?))).collect()
    }

    /// Asks, once the node hears its channels, and waits no longer than is sensible.
    async fn patiently<R: Record, T>(
        &self,
        ask: impl AsyncFnOnce(&mut ConnectionManager) -> RedisResult<T>,
    ) -> RedisResult<T> {
        let asked = async {
            let mut connection = self.connection().await?;
            self.hear(R::KIND, &mut connection).await?;
            ask(&mut connection).await
        };
        let late = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late()))
    }

    async fn connection(&self) -> RedisResult<ConnectionManager> {
        let connect = async || {
            let listeners = Arc::clone(&self.listeners);
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(Some(PATIENCE))
                .set_max_delay(LONGEST_PAUSE)
                .set_number_of_retries(usize::MAX)
                .set_pipeline_buffer_size(PIPELINE)
                .set_push_sender(move |push: PushInfo| {
                    listeners.lock().push(push);
                    Ok::<(), redis::aio::SendError>(())
                })
                .set_automatic_resubscription();
            ConnectionManager::new_lazy_with_config(self.server.client()?, config)
        };
        self.connection.get_or_try_init(connect).await.cloned()
    }

    /// Subscribes to the channels of one kind of record, once.
    async fn hear(&self, kind: &'static str, to: &mut ConnectionManager) -> RedisResult<()> {
        let subscribed = match self.subscribed.borrow_mut().entry(kind) {
            Entry::Occupied(entry) => Rc::clone(entry.get()),
            Entry::Vacant(place) => Rc::clone(place.insert(Rc::default())),
        };
        let subscribe = async || {
            to.subscribe(self.channel(kind, Target::Node(self.node))).await?;
            to.subscribe(self.channel(kind, Target::Everyone)).await
        };
        subscribed.get_or_try_init(subscribe).await.copied()
    }

    fn channel(&self, kind: &str, target: Target) -> String {
        let prefix = &self.server.prefix;
        match target {
            Target::Node(NodeId { node, incarnation }) => {
                format!("{prefix}node:{node}.{incarnation}:{kind}")
            }
            Target::Everyone => format!("{prefix}all:{kind}"),
        }
    }

    fn row_of<R: Record>(&self, key: &R::Key) -> RedisResult<String> {
        let key = serde_json::to_string(key).map_err(std::io::Error::from)?;
        Ok(format!("{}{}:{key}", self.server.prefix, R::KIND))
    }

    fn times<R: Record>(&self) -> String {
        format!("{}due:{}", self.server.prefix, R::KIND)
    }
}

fn number(text: &str) -> RedisResult<u64> {
    text.parse().map_err(|error| RedisError::from(std::io::Error::other(error)))
}
