//! The way to the server: a connection at a time, by RESP3, so that answers and messages come over one connection, in the
//! order in which they were given; and the channels that are heard on it.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use redis::{
    Arg, AsyncConnectionConfig, Cmd, FromRedisValue, Pipeline, PushInfo, PushKind, RedisFuture,
    RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection, SendError},
};
use tokio::sync::Notify;

use super::{
    ears::{Ears, Heard},
    figures::{self, Traffic},
    url::ServerUrl,
};

/// How long the server may take for an answer. After that nobody knows what became of the question.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Questions that may wait to be sent before the next ones wait for room.
const PIPELINE: usize = 4_096;
/// Channels that are subscribed to at once.
const CHANNELS_AT_ONCE: usize = 512;

/// A connection, which counts what it sends.
#[derive(Clone)]
pub(super) struct Counted {
    connection: MultiplexedConnection,
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

/// By channel, who hears it.
type Channels = Mutex<HashMap<String, Arc<Ears>>>;

pub(super) struct Way {
    server: ServerUrl,
    channels: Arc<Channels>,
    /// Everybody who hears anything.
    ears: RefCell<Vec<Arc<Ears>>>,
    /// Channels that are to be subscribed to, or no more, in this order.
    wanted: RefCell<VecDeque<(String, bool)>>,
    /// Held by the one who sees to that.
    wanting: tokio::sync::Mutex<()>,
    /// The number of the connection whose messages count.
    current: Arc<AtomicU64>,
    was_there: Cell<bool>,
    cut: Arc<Notify>,
    traffic: Arc<Traffic>,
}

impl Way {
    pub(super) fn new(server: &ServerUrl, traffic: Arc<Traffic>) -> Self {
        Self {
            server: server.clone(),
            channels: Arc::default(),
            ears: RefCell::default(),
            wanted: RefCell::default(),
            wanting: tokio::sync::Mutex::default(),
            current: Arc::default(),
            was_there: Cell::default(),
            cut: Arc::default(),
            traffic,
        }
    }

    /// These hear whatever `listen` says they do, and are told when a connection was lost.
    pub(super) fn admit(&self, ears: &Arc<Ears>) {
        self.ears.borrow_mut().push(Arc::clone(ears));
    }

    /// From the next question on `ears` hear what comes on a channel.
    pub(super) fn listen(&self, channel: String, ears: &Arc<Ears>) {
        self.channels.lock().insert(channel.clone(), Arc::clone(ears));
        self.wanted.borrow_mut().push_back((channel, true));
    }

    /// Nobody hears that any more.
    pub(super) fn unlisten(&self, channel: String) {
        self.channels.lock().remove(&channel);
        self.wanted.borrow_mut().push_back((channel, false));
    }

    /// Waits until the connection is cut.
    pub(super) async fn cut(&self) {
        self.cut.notified().await;
    }

    /// Makes a new connection. What comes over the last one counts no more; who heard something on that is told.
    pub(super) async fn connect(&self) -> RedisResult<Counted> {
        let number = self.current.fetch_add(1, Ordering::SeqCst) + 1;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_pipeline_buffer_size(PIPELINE)
            .set_push_sender(self.pushes(number));
        let connection = self.server.connect(&config).await?;
        let mut connection = Counted { connection, traffic: Arc::clone(&self.traffic) };
        if self.was_there.replace(true) {
            figures::add(&self.traffic.cuts, 1);
            // Before anything that comes over the new one.
            self.ears.borrow().iter().for_each(|ears| ears.hear(Heard::Again));
        }
        // What is wanted is among them.
        self.wanted.borrow_mut().clear();
        let channels: Vec<String> = self.channels.lock().keys().cloned().collect();
        for part in channels.chunks(CHANNELS_AT_ONCE) {
            connection.connection.subscribe(part).await?;
        }
        Ok(connection)
    }

    /// Brings the subscriptions up to what was wanted before this question, in its order.
    pub(super) async fn hear_what_is_wanted(&self, by: &mut Counted) -> RedisResult<()> {
        if self.wanted.borrow().is_empty() && self.wanting.try_lock().is_ok() {
            return Ok(());
        }
        let _turn = self.wanting.lock().await;
        loop {
            let Some((channel, wants)) = self.wanted.borrow().front().cloned() else {
                return Ok(());
            };
            if wants {
                by.connection.subscribe(&channel).await?;
            } else {
                by.connection.unsubscribe(&channel).await?;
            }
            self.wanted.borrow_mut().pop_front();
        }
    }

    /// Takes what the connection of this number pushes on its own account.
    fn pushes(
        &self,
        number: u64,
    ) -> impl Fn(PushInfo) -> Result<(), SendError> + Send + Sync + 'static {
        let (channels, traffic) = (Arc::clone(&self.channels), Arc::clone(&self.traffic));
        let (current, cut) = (Arc::clone(&self.current), Arc::clone(&self.cut));
        move |push: PushInfo| {
            if current.load(Ordering::SeqCst) != number {
                return Ok(());
            }
            if push.kind == PushKind::Disconnection {
                cut.notify_one();
            }
            let mut data = push.data.into_iter();
            if push.kind == PushKind::Message
                && let Some(Ok(channel)) = data.next().map(String::from_redis_value)
                && let Some(Value::BulkString(bytes)) = data.next()
            {
                figures::add(&traffic.messages, 1);
                figures::add(&traffic.bytes_heard, bytes.len());
                // Who listens no more hears the last of it no more.
                if let Some(ears) = channels.lock().get(&channel) {
                    ears.hear(Heard::Message(bytes));
                }
            }
            Ok(())
        }
    }
}
