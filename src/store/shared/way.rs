//! The way to the server that has a part of the data: a connection at a time, by RESP3, so that answers and messages come
//! over one connection, in the order in which they were given; and the channels that are heard on it.
//!
//! In a cluster it leads to the master of the part. Channels are those of the part's slot, where the server knows such
//! (Redis 7): then messages stay on that master and those who follow it, else they go to all servers of the cluster.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, VecDeque},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use redis::{
    Arg, AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, Pipeline, PushInfo, PushKind,
    RedisError, RedisFuture, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection, SendError},
};
use tokio::sync::{Notify, watch};

use super::{
    cluster::{CONNECTS_WITHIN, Finder},
    ears::{Ears, Heard},
    figures::{self, Traffic},
    parts::Part,
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
    /// Which one it is.
    number: u64,
    /// Whether channels are those of a slot.
    is_sharded: bool,
    hope: Arc<Hope>,
}

/// What is to be expected of a connection.
#[derive(Default)]
struct Hope {
    /// Its answers are trusted no more.
    is_confused: AtomicBool,
    /// Nobody waits for them any more.
    is_given_up: watch::Sender<bool>,
}

impl Hope {
    /// What comes of a question, as long as there is hope for a good answer.
    async fn of<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let lost = || Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        let mut is_given_up = self.is_given_up.subscribe();
        tokio::select! {
            biased;
            answer = answer => match self.is_confused.load(Ordering::SeqCst) {
                true => lost(),
                false => answer,
            },
            _ = is_given_up.wait_for(|is_so| *is_so) => lost(),
        }
    }
}

impl Counted {
    /// Whether this is that one.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.number == other.number
    }

    /// The command that says something on a channel.
    pub(super) fn publish(&self) -> &'static str {
        if self.is_sharded { "SPUBLISH" } else { "PUBLISH" }
    }

    /// Its server does not answer: whoever waits for an answer does so no more, and does not know what became of the question.
    pub(super) fn give_up(&self) {
        self.hope.is_given_up.send_replace(true);
    }

    async fn subscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        if !self.is_sharded {
            return self.hope.of(self.connection.subscribe(channels)).await;
        }
        // One by one, because each is answered by itself.
        let mut pipe = redis::pipe();
        for channel in channels {
            pipe.cmd("SSUBSCRIBE").arg(channel).ignore();
        }
        self.hope.of(pipe.query_async(&mut self.connection)).await
    }

    async fn unsubscribe(&mut self, channel: &str) -> RedisResult<()> {
        if !self.is_sharded {
            return self.hope.of(self.connection.unsubscribe(channel)).await;
        }
        let mut leave = redis::cmd("SUNSUBSCRIBE");
        self.hope.of(leave.arg(channel).exec_async(&mut self.connection)).await
    }

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
        Box::pin(async move { self.hope.of(self.connection.req_packed_command(command)).await })
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.count(pipeline.cmd_iter());
        Box::pin(async move {
            self.hope.of(self.connection.req_packed_commands(pipeline, offset, count)).await
        })
    }

    fn get_db(&self) -> i64 {
        self.connection.get_db()
    }
}

/// By channel, who hears it.
type Channels = Mutex<HashMap<String, Arc<Ears>>>;

pub(super) struct Way {
    server: ServerUrl,
    part: Part,
    /// Knows the way, in a cluster.
    finder: Option<Rc<Finder>>,
    channels: Arc<Channels>,
    /// Everybody who hears anything.
    ears: RefCell<Vec<Arc<Ears>>>,
    /// Channels that are to be subscribed to, or no more, in this order.
    wanted: RefCell<VecDeque<(String, bool)>>,
    /// Held by the one who sees to that.
    wanting: tokio::sync::Mutex<()>,
    /// The channel of a slot that is just being left.
    leaving: Arc<Mutex<Option<String>>>,
    /// The number of the connection whose messages count.
    current: Arc<AtomicU64>,
    was_there: Cell<bool>,
    /// Told when that one is cut.
    cut: Arc<Notify>,
    /// The number of the last one that was.
    was_cut: Arc<AtomicU64>,
    /// Of a cluster, by which layout the current one was found.
    layout: Cell<u64>,
    traffic: Arc<Traffic>,
}

impl Way {
    pub(super) fn new(
        server: &ServerUrl,
        part: Part,
        finder: Option<Rc<Finder>>,
        traffic: Arc<Traffic>,
    ) -> Self {
        Self {
            server: server.clone(),
            part,
            finder,
            leaving: Arc::default(),
            channels: Arc::default(),
            ears: RefCell::default(),
            wanted: RefCell::default(),
            wanting: tokio::sync::Mutex::default(),
            current: Arc::default(),
            was_there: Cell::default(),
            cut: Arc::default(),
            was_cut: Arc::default(),
            layout: Cell::default(),
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
        while self.was_cut.load(Ordering::SeqCst) != self.current.load(Ordering::SeqCst) {
            self.cut.notified().await;
        }
    }

    /// Makes a new connection. What comes over the last one counts no more; who heard something on that is told.
    pub(super) async fn connect(&self) -> RedisResult<Counted> {
        let number = self.current.fetch_add(1, Ordering::SeqCst) + 1;
        let hope = Arc::<Hope>::default();
        let patience = if self.finder.is_some() { CONNECTS_WITHIN } else { PATIENCE };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(PATIENCE))
            .set_pipeline_buffer_size(PIPELINE)
            .set_push_sender(self.pushes(number, Arc::clone(&hope)));
        let mut connection = match &self.finder {
            Some(finder) => {
                let (connection, layout) = finder.connect(self.part, &config).await?;
                self.layout.set(layout);
                connection
            }
            None => self.server.connect(&config).await?,
        };
        let is_sharded = self.finder.is_some() && has_channels_of_slots(&mut connection).await?;
        let traffic = Arc::clone(&self.traffic);
        let mut connection = Counted { connection, traffic, number, is_sharded, hope };
        if self.was_there.replace(true) {
            figures::add(&self.traffic.cuts, 1);
            // Before anything that comes over the new one.
            self.ears.borrow().iter().for_each(|ears| ears.hear(Heard::Again));
        }
        // What is wanted is among them.
        self.wanted.borrow_mut().clear();
        let channels: Vec<String> = self.channels.lock().keys().cloned().collect();
        for part in channels.chunks(CHANNELS_AT_ONCE) {
            connection.subscribe(part).await?;
        }
        Ok(connection)
    }

    /// Nobody answers at its other end, or somebody does again.
    pub(super) fn count_away(&self, is_away: bool) {
        let parts = &self.traffic.parts_away;
        match is_away {
            true => parts.fetch_add(1, Ordering::Relaxed),
            false => parts.fetch_sub(1, Ordering::Relaxed),
        };
    }

    /// So many nodes have a lease.
    pub(super) fn count_nodes(&self, nodes: usize) {
        self.traffic.nodes.store(nodes as u64, Ordering::Relaxed);
    }

    /// Finds out whether what was named as a single server is one of a cluster. Where nobody may ask, it counts as a single one.
    ///
    /// # Errors
    /// It is one of a cluster, with `InvalidClientConfig`; or it does not answer.
    pub(super) async fn leads_to_the_right_kind(&self, by: &mut Counted) -> RedisResult<()> {
        if self.finder.is_some() {
            return Ok(());
        }
        let mut ask = redis::cmd("INFO");
        match ask.arg("cluster").query_async::<String>(by).await {
            Ok(answer) if answer.contains("cluster_enabled:1") => {
                Err((ErrorKind::InvalidClientConfig, "the server is one of a cluster").into())
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until the part may be elsewhere than it was.
    pub(super) async fn changed(&self) {
        match &self.finder {
            Some(finder) => finder.changed().await,
            None => std::future::pending().await,
        }
    }

    /// The part is not where the last connection led to: the next one goes elsewhere, if need be.
    pub(super) fn strays(&self) {
        if let Some(finder) = &self.finder {
            finder.doubt(self.layout.get());
        }
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
                by.subscribe(&[channel]).await?;
            } else {
                *self.leaving.lock() = Some(channel.clone());
                by.unsubscribe(&channel).await?;
                *self.leaving.lock() = None;
            }
            self.wanted.borrow_mut().pop_front();
        }
    }

    /// Takes what the connection of this number pushes on its own account.
    fn pushes(
        &self,
        number: u64,
        hope: Arc<Hope>,
    ) -> impl Fn(PushInfo) -> Result<(), SendError> + Send + Sync + 'static {
        let (channels, traffic) = (Arc::clone(&self.channels), Arc::clone(&self.traffic));
        let (current, cut) = (Arc::clone(&self.current), Arc::clone(&self.cut));
        let (leaving, was_cut) = (Arc::clone(&self.leaving), Arc::clone(&self.was_cut));
        move |push: PushInfo| {
            let channel = push.data.first().map(String::from_redis_value_ref);
            let channel = channel.and_then(Result::ok);
            // The slot was moved, and its channels with it. The client takes that word for an answer, so that every answer
            // from here on would be another question's.
            if push.kind == PushKind::SUnsubscribe && channel != *leaving.lock() {
                hope.is_confused.store(true, Ordering::SeqCst);
            }
            if current.load(Ordering::SeqCst) != number {
                return Ok(());
            }
            if push.kind == PushKind::Disconnection || hope.is_confused.load(Ordering::SeqCst) {
                was_cut.store(number, Ordering::SeqCst);
                cut.notify_one();
                return Ok(());
            }
            if matches!(push.kind, PushKind::Message | PushKind::SMessage)
                && let Some(channel) = channel
                && let Some(Value::BulkString(bytes)) = push.data.into_iter().nth(1)
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

/// Whether the server knows channels of slots.
async fn has_channels_of_slots(connection: &mut MultiplexedConnection) -> RedisResult<bool> {
    let mut ask = redis::cmd("COMMAND");
    ask.arg("INFO").arg("SPUBLISH");
    match ask.query_async::<Value>(connection).await {
        Ok(Value::Array(known)) => Ok(!matches!(known.first(), None | Some(Value::Nil))),
        Ok(_) => Ok(false),
        // Then no node may ask, and all do without.
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What an error of a cluster says of a question: nothing was done, and where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detour {
    /// Elsewhere.
    Elsewhere,
    /// Here, or nobody knows yet where; soon.
    Later,
}

/// Whether an error says that nothing was done, since the part is elsewhere or on its way.
pub(super) fn detour(error: &RedisError) -> Option<Detour> {
    use ServerErrorKind::{Ask, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    match error.kind() {
        ErrorKind::Server(Moved | ReadOnly | MasterDown) => Some(Detour::Elsewhere),
        ErrorKind::Server(Ask | TryAgain | ClusterDown) => Some(Detour::Later),
        _ => None,
    }
}
