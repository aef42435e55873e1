//! One connection to a server: it counts what it sends, knows its server's commands for channels, and believes and awaits no
//! answer any more once there is no hope for a good one.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use redis::{
    Arg, Cmd, ErrorKind, Pipeline, RedisFuture, RedisResult, ServerErrorKind, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};
use tokio::sync::watch;

use super::figures::{self, Traffic};

/// A connection; its copies are the same one.
#[derive(Clone)]
pub(super) struct Connection {
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
pub(super) struct Hope {
    /// Its answers are trusted no more.
    is_confused: AtomicBool,
    /// Nobody waits for them any more.
    is_given_up: watch::Sender<bool>,
}

impl Hope {
    /// From here on no answer is believed.
    pub(super) fn lose_trust(&self) {
        self.is_confused.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_confused(&self) -> bool {
        self.is_confused.load(Ordering::SeqCst)
    }

    /// What comes of a question, as long as there is hope for a good answer.
    async fn of<T>(&self, answer: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        let lost = || Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset).into());
        let mut is_given_up = self.is_given_up.subscribe();
        tokio::select! {
            biased;
            answer = answer => match self.is_confused() {
                true => lost(),
                false => answer,
            },
            _ = is_given_up.wait_for(|is_so| *is_so) => lost(),
        }
    }
}

impl Connection {
    /// The one of this number, to a server that may be one of a cluster. Who hears what it pushes has its `hope` too.
    pub(super) async fn new(
        mut connection: MultiplexedConnection,
        number: u64,
        is_of_a_cluster: bool,
        hope: Arc<Hope>,
        traffic: Arc<Traffic>,
    ) -> RedisResult<Self> {
        let is_sharded = is_of_a_cluster && has_channels_of_slots(&mut connection).await?;
        Ok(Self { connection, traffic, number, is_sharded, hope })
    }

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

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Subscribes to some channels and leaves others, in the time that one answer takes.
    pub(super) async fn change(
        &mut self,
        joins: &[Arc<str>],
        leaves: &[Arc<str>],
    ) -> RedisResult<()> {
        let mut also = self.clone();
        let (joined, left) = tokio::join!(self.subscribe(joins), also.unsubscribe(leaves));
        joined.and(left)
    }

    pub(super) async fn subscribe(&mut self, channels: &[Arc<str>]) -> RedisResult<()> {
        if channels.is_empty() {
            return Ok(());
        }
        if self.is_sharded {
            return self.of_each("SSUBSCRIBE", channels).await;
        }
        let channels = names(channels);
        self.count(std::iter::once(&*redis::cmd("SUBSCRIBE").arg(&channels)));
        self.hope.of(self.connection.subscribe(&channels)).await
    }

    async fn unsubscribe(&mut self, channels: &[Arc<str>]) -> RedisResult<()> {
        // Of no channel it would leave all.
        if channels.is_empty() {
            return Ok(());
        }
        if self.is_sharded {
            return self.of_each("SUNSUBSCRIBE", channels).await;
        }
        let channels = names(channels);
        self.count(std::iter::once(&*redis::cmd("UNSUBSCRIBE").arg(&channels)));
        self.hope.of(self.connection.unsubscribe(&channels)).await
    }

    /// A command for each, sent together, because each is answered by itself.
    async fn of_each(&mut self, command: &str, channels: &[Arc<str>]) -> RedisResult<()> {
        let mut pipe = redis::pipe();
        for channel in channels {
            pipe.cmd(command).arg(&**channel).ignore();
        }
        pipe.query_async(self).await
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

impl ConnectionLike for Connection {
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

fn names(channels: &[Arc<str>]) -> Vec<&str> {
    channels.iter().map(AsRef::as_ref).collect()
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
