//! The way to the server that has a part of the data: a [`Connection`] at a time, by RESP3, so that answers and messages
//! come over one, in the order in which they were given; and the channels that are heard on it.
//!
//! In a cluster it leads to the master of the part. Channels are those of the part's slot, where the server knows such
//! (Redis 7): then messages stay on that master and those who follow it, else they go to all servers of the cluster.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, HashSet},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::Mutex;
use redis::{
    AsyncConnectionConfig, ErrorKind, FromRedisValue, PushInfo, PushKind, RedisResult,
    ServerErrorKind, Value, aio::SendError,
};
use tokio::sync::Notify;

use super::{
    cluster::{CONNECTS_WITHIN, Finder},
    connection::{Connection, Hope},
    ears::{Ears, Heard},
    figures::{self, Traffic},
    parts::Part,
    url::ServerUrl,
    wishes::Wishes,
};

/// How long the server may take for an answer. After that nobody knows what became of the question.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// Questions that may wait to be sent before the next ones wait for room.
const PIPELINE: usize = 4_096;
/// Channels that are subscribed to, or left, at once.
const CHANNELS_AT_ONCE: usize = 512;

/// By channel, who hears it.
type Channels = Mutex<HashMap<Arc<str>, Arc<Ears>>>;

pub(super) struct Way {
    server: ServerUrl,
    part: Part,
    /// Knows the way, in a cluster.
    finder: Option<Rc<Finder>>,
    channels: Arc<Channels>,
    /// Everybody who hears anything.
    ears: RefCell<Vec<Arc<Ears>>>,
    /// What the current connection is to be told of these.
    wishes: RefCell<Wishes>,
    /// Held by the one who sees to that.
    wishing: tokio::sync::Mutex<()>,
    /// The channels of a slot that are just being left.
    leaving: Arc<Mutex<HashSet<Arc<str>>>>,
    /// The number of the connection whose messages count.
    current: Arc<AtomicU64>,
    was_there: Cell<bool>,
    /// Told when that one is cut.
    cut: Arc<Notify>,
    /// The number of the last one that was.
    was_cut: Arc<AtomicU64>,
    /// Of a cluster, by which layout the current one was found.
    layout: Cell<u64>,
    /// Whether a single server showed to be one of a cluster.
    is_misled: Cell<bool>,
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
            wishes: RefCell::default(),
            wishing: tokio::sync::Mutex::default(),
            current: Arc::default(),
            was_there: Cell::default(),
            cut: Arc::default(),
            was_cut: Arc::default(),
            layout: Cell::default(),
            is_misled: Cell::default(),
            traffic,
        }
    }

    /// These hear whatever `listen` says they do, and are told when a connection was lost.
    pub(super) fn admit(&self, ears: &Arc<Ears>) {
        self.ears.borrow_mut().push(Arc::clone(ears));
    }

    /// From the next question on `ears` hear what comes on a channel.
    pub(super) fn listen(&self, channel: &str, ears: &Arc<Ears>) {
        let channel = Arc::<str>::from(channel);
        let before = self.channels.lock().insert(Arc::clone(&channel), Arc::clone(ears));
        if before.is_none() {
            self.wishes.borrow_mut().wish(channel, true);
        }
    }

    /// Nobody hears that any more.
    pub(super) fn unlisten(&self, channel: &str) {
        let before = self.channels.lock().remove_entry(channel);
        if let Some((channel, _)) = before {
            self.wishes.borrow_mut().wish(channel, false);
        }
    }

    /// Waits until the connection is cut.
    pub(super) async fn cut(&self) {
        while self.was_cut.load(Ordering::SeqCst) != self.current.load(Ordering::SeqCst) {
            self.cut.notified().await;
        }
    }

    /// Makes a new connection. What comes over the last one counts no more; who heard something on that is told.
    pub(super) async fn connect(&self) -> RedisResult<Connection> {
        let number = self.current.fetch_add(1, Ordering::SeqCst) + 1;
        let hope = Arc::<Hope>::default();
        let patience = if self.finder.is_some() { CONNECTS_WITHIN } else { PATIENCE };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(PATIENCE))
            .set_pipeline_buffer_size(PIPELINE)
            .set_push_sender(self.pushes(number, Arc::clone(&hope)));
        let connection = match &self.finder {
            Some(finder) => {
                let (connection, layout) = finder.connect(self.part, &config).await?;
                self.layout.set(layout);
                connection
            }
            None => self.server.connect(&config).await?,
        };
        let (is_of_a_cluster, traffic) = (self.finder.is_some(), Arc::clone(&self.traffic));
        let connection = Connection::new(connection, number, is_of_a_cluster, hope, traffic);
        let mut connection = connection.await?;
        if self.was_there.replace(true) {
            figures::add(&self.traffic.cuts, 1);
            // Before anything that comes over the new one.
            self.ears.borrow().iter().for_each(|ears| ears.hear(Heard::Again));
        }
        // What is wanted is among them.
        self.wishes.borrow_mut().clear();
        self.leaving.lock().clear();
        let channels: Vec<Arc<str>> = self.channels.lock().keys().cloned().collect();
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
    /// It is one of a cluster, or does not answer.
    pub(super) async fn leads_to_the_right_kind(&self, by: &mut Connection) -> RedisResult<()> {
        if self.finder.is_some() {
            return Ok(());
        }
        let mut ask = redis::cmd("INFO");
        match ask.arg("cluster").query_async::<String>(by).await {
            Ok(answer) if answer.contains("cluster_enabled:1") => {
                self.is_misled.set(true);
                Err(std::io::Error::other("the server is one of a cluster").into())
            }
            Ok(_) => Ok(()),
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Whether there is another kind of server than the address says.
    pub(super) fn is_misled(&self) -> bool {
        self.is_misled.get() || self.finder.as_ref().is_some_and(|finder| finder.is_misled())
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

    /// Brings the subscriptions up to what was wanted before this question; what is wanted later, others wait for.
    ///
    /// # Errors
    /// The server's; and that there is another connection meanwhile, so that nothing may be asked over this one.
    pub(super) async fn hear_what_is_wanted(&self, by: &mut Connection) -> RedisResult<()> {
        let until = self.wishes.borrow().until_now();
        if self.wishes.borrow().are_granted(until) {
            return Ok(());
        }
        let _turn = self.wishing.lock().await;
        loop {
            if by.number() != self.current.load(Ordering::SeqCst) {
                let again = ErrorKind::Server(ServerErrorKind::TryAgain);
                return Err((again, "there is another connection").into());
            }
            let round = self.wishes.borrow_mut().round(until, CHANNELS_AT_ONCE);
            let Some(round) = round else { return Ok(()) };
            self.leaving.lock().extend(round.leaves.iter().cloned());
            by.change(&round.joins, &round.leaves).await?;
            if by.number() == self.current.load(Ordering::SeqCst) {
                self.leaving.lock().clear();
                self.wishes.borrow_mut().granted(&round);
            }
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
            let is_expected = |channel: &String| leaving.lock().contains(channel.as_str());
            if push.kind == PushKind::SUnsubscribe && !channel.as_ref().is_some_and(is_expected) {
                hope.lose_trust();
            }
            if current.load(Ordering::SeqCst) != number {
                return Ok(());
            }
            if push.kind == PushKind::Disconnection || hope.is_confused() {
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
                if let Some(ears) = channels.lock().get(channel.as_str()) {
                    ears.hear(Heard::Message(bytes));
                }
            }
            Ok(())
        }
    }
}
