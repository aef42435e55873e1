//! What a node asks of the server, Redis 6.2 or later, or Valkey: questions about records, and the lists beside them.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use redis::{RedisError, RedisResult, Script};
use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::{
    ears::Ears,
    figures::Traffic,
    lease::{Lease, Standing},
    member::Marked,
    message,
    question::{Answer, Ask, Lists, Mark, Row, Target, Tell, Ticket},
    url::ServerUrl,
    way::{Counted, PATIENCE, Way},
};
use crate::{
    auth::Secret,
    clock::{Clock, Timestamp},
    model::ids::NodeId,
    store::Record,
};

/// Records that are read at once.
const ROWS_AT_ONCE: usize = 256;
/// How long the server remembers that a record was ended, when a node says so after a loss: longer than nodes say again
/// what they know.
const END_REMEMBERED_MS: u64 = 60_000;

/// What this node asks of the server. One for all engines of the process; see also the file `member`.
pub(super) struct Link {
    pub(super) server: ServerUrl,
    pub(super) node: NodeId,
    pub(super) way: Way,
    /// The connection, once this node's lease was renewed over it.
    pub(super) live: RefCell<Option<Counted>>,
    /// Tries to renew that failed.
    pub(super) failures: Cell<u64>,
    /// Told after each try.
    pub(super) changed: Notify,
    /// Asks for the next one.
    pub(super) hurry: Notify,
    is_away: Cell<bool>,
    pub(super) lease: RefCell<Lease>,
    /// The nodes with a lease, at the last renewal.
    pub(super) members: RefCell<Vec<NodeId>>,
    pub(super) marked: watch::Sender<Option<Marked>>,
    pub(super) clock: Clock,
    /// What all nodes have in common, by name; said again with every renewal, should the server have lost it.
    pub(super) secrets: RefCell<Vec<(String, Secret)>>,
    pub(super) standing: watch::Sender<Standing>,
    pub(super) renew: Script,
    look: Script,
    replace: Script,
    restate: Script,
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
            way: Way::new(server, traffic),
            live: RefCell::default(),
            failures: Cell::default(),
            changed: Notify::new(),
            hurry: Notify::new(),
            is_away: Cell::default(),
            lease: RefCell::new(Lease::new(lease)),
            members: RefCell::default(),
            marked: watch::Sender::new(None),
            clock,
            secrets: RefCell::default(),
            standing,
            renew: Script::new(include_str!("renew.lua")),
            look: Script::new(include_str!("look.lua")),
            replace: Script::new(include_str!("replace.lua")),
            restate: Script::new(include_str!("restate.lua")),
        }
    }

    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    pub(super) fn standing(&self) -> Standing {
        self.lease.borrow().standing(Instant::now())
    }

    /// The nodes that were ended lately.
    pub(super) fn ended(&self) -> Vec<NodeId> {
        self.lease.borrow().ended().to_vec()
    }

    /// The mark of the server's data, now and whenever it is new.
    pub(super) fn marks(&self) -> watch::Receiver<Option<Marked>> {
        self.marked.subscribe()
    }

    /// From now on `ears` get what comes on this node's channels of one kind of record.
    pub(super) fn listen(&self, kind: &'static str, ears: &Arc<Ears>) {
        self.way.admit(ears);
        for target in [Target::Node(self.node), Target::Everyone] {
            self.way.listen(self.channel(kind, &target), ears);
        }
    }

    /// They hear what is said to the listeners of `name`, too.
    pub(super) fn listen_to(&self, kind: &'static str, name: String, ears: &Arc<Ears>) {
        self.way.listen(self.channel(kind, &Target::Listeners(name)), ears);
    }

    /// They hear that no more.
    pub(super) fn unlisten(&self, kind: &'static str, name: String) {
        self.way.unlisten(self.channel(kind, &Target::Listeners(name)));
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
        let asked = async |connection: &mut Counted| {
            if letters.is_empty() { Ok(()) } else { pipe.query_async(connection).await }
        };
        self.patiently(asked).await
    }

    /// Asks for what the core wants to know or to be done.
    pub(super) async fn ask<R: Record>(&self, ask: Ask<R::Key>) -> (Ticket, Answer) {
        let (ticket, asked) = match ask {
            Ask::Probe { ticket } => (ticket, self.probe::<R>(ticket).await),
            Ask::Look { ticket, key, mark } => {
                (ticket, self.look_at::<R>(ticket, &key, &mark).await)
            }
            Ask::Replace { ticket, key, mark, expected, row, lists, tell } => {
                // Sent one behind the other: a node that ends in between leaves a list that says too much, which is mended
                // by whoever reads it, and never one that says too little.
                let (listed, answer) = tokio::join!(
                    self.enlist::<R>(&key, &lists),
                    self.replace::<R>(&key, &mark, expected, row, tell),
                );
                let answer = listed.and(answer);
                if let Ok(Answer::Replaced { .. }) = &answer {
                    self.strike_out::<R>(&key, &lists).await;
                    self.list_anew::<R>(&key, &lists).await;
                }
                (ticket, answer)
            }
            Ask::Restate { ticket, key, mark, version, row, lists } => {
                let (listed, answer) = tokio::join!(
                    self.enlist::<R>(&key, &lists),
                    self.restate::<R>(&key, &mark, version, row),
                );
                if let Ok(Answer::Restated { is_there: true, .. }) = &answer {
                    self.list_anew::<R>(&key, &lists).await;
                }
                (ticket, listed.and(answer))
            }
        };
        match &asked {
            Ok(Answer::Lost) => self.hurry.notify_one(),
            Ok(_) => {}
            Err(error) => self.note(Some(error)),
        }
        (ticket, asked.unwrap_or(Answer::Away))
    }

    /// Tells the log when the server goes away and when it is back, not each time that somebody asks.
    pub(super) fn note(&self, error: Option<&RedisError>) {
        // Who has taken his leave asks no more, whatever the server does.
        if self.standing() == Standing::Ended {
            return;
        }
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
        self.patiently(asked).await?;
        Ok(Answer::Said)
    }

    async fn look_at<R: Record>(
        &self,
        ticket: Ticket,
        key: &R::Key,
        mark: &Mark,
    ) -> RedisResult<Answer> {
        let word = message::encode::<R>(self.node, ticket, Some(key), &[]);
        let own = self.channel(R::KIND, &Target::Node(self.node));
        let mut look = self.look.key(self.row_of::<R>(key)?);
        look.key(self.mark_key()).arg(&**mark).arg(own).arg(word);
        let asked = async |connection: &mut Counted| look.invoke_async(connection).await;
        let (version, row): (String, Vec<u8>) = self.patiently(asked).await?;
        if version == "-1" {
            return Ok(Answer::Lost);
        }
        Ok(Answer::Found { version: number(&version)?, row })
    }

    async fn replace<R: Record>(
        &self,
        key: &R::Key,
        mark: &Mark,
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
        replace.key(self.mark_key()).arg(&**mark).arg(expected).arg(what).arg(row);
        for (target, message) in tell {
            replace.arg(self.channel(R::KIND, &target)).arg(message);
        }
        let asked = async |connection: &mut Counted| replace.invoke_async(connection).await;
        let (is_done, version, row): (u8, String, Vec<u8>) = self.patiently(asked).await?;
        let version = number(&version)?;
        Ok(match is_done {
            1 => Answer::Replaced { version },
            2 => Answer::Lost,
            _ => Answer::Conflict { version, row },
        })
    }

    async fn restate<R: Record>(
        &self,
        key: &R::Key,
        mark: &Mark,
        version: u64,
        row: Option<Vec<u8>>,
    ) -> RedisResult<Answer> {
        let mut restate = self.restate.key(self.row_of::<R>(key)?);
        restate.key(self.mark_key()).arg(&**mark);
        restate.arg(version).arg(if row.is_some() { "row" } else { "ended" });
        restate.arg(row.unwrap_or_default()).arg(END_REMEMBERED_MS);
        let asked = async |connection: &mut Counted| restate.invoke_async(connection).await;
        let (version, is_there): (String, u8) = self.patiently(asked).await?;
        if version == "-1" {
            return Ok(Answer::Lost);
        }
        Ok(Answer::Restated { version: number(&version)?, is_there: is_there == 1 })
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
        self.keep_lists(pipe).await
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
        if let Err(error) = self.keep_lists(pipe).await {
            tracing::debug!(kind = R::KIND, %error, "a list says more than is so");
        }
    }

    async fn keep_lists(&self, pipe: redis::Pipeline) -> RedisResult<()> {
        if pipe.is_empty() {
            return Ok(());
        }
        let asked = async |connection: &mut Counted| pipe.query_async::<()>(connection).await;
        self.patiently(asked).await
    }

    /// Records of which an ended node holds something, at most so many of each; with the node. One that holds nothing of
    /// the record any more is struck out.
    pub(super) async fn orphans<R: Record>(&self, most: usize) -> Vec<(R::Key, NodeId)> {
        let ended = self.ended();
        let mut orphans = Vec::new();
        for node in ended {
            let list = self.held_by::<R>(node);
            let mut command = redis::cmd("SRANDMEMBER");
            command.arg(&list).arg(most);
            let asked = async |connection: &mut Counted| {
                command.query_async::<Vec<String>>(connection).await
            };
            let members = self.patiently(asked).await.unwrap_or_default();
            let keys: Vec<R::Key> =
                members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect();
            let rows = self.rows::<R>(keys.clone()).await;
            // Those that somebody else has freed already.
            let mut freed = redis::pipe();
            for key in keys {
                let row = rows.iter().find(|(found, _)| *found == key);
                if row.is_some_and(|(_, record)| record.holders().contains(&node)) {
                    orphans.push((key, node));
                } else if let Ok(member) = member(&key) {
                    freed.srem(&list, member);
                }
            }
            if let Err(error) = self.keep_lists(freed).await {
                tracing::debug!(kind = R::KIND, %error, "a list says more than is so");
            }
        }
        orphans
    }

    /// Records that were due before, at most so many.
    pub(super) async fn overdue<R: Record>(&self, before: Timestamp, most: usize) -> Vec<R::Key> {
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command.arg(self.times::<R>()).arg("-inf").arg(before.0).arg("LIMIT").arg(0).arg(most);
        let asked =
            async |connection: &mut Counted| command.query_async::<Vec<String>>(connection).await;
        let members = self.patiently(asked).await.unwrap_or_default();
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
        let rows = self.patiently(asked).await.ok()?;
        Some(rows.into_iter().map(|row| serde_json::from_slice(&row?).ok()).collect())
    }

    /// Asks, once the node hears its channels, and waits no longer than is sensible.
    pub(super) async fn patiently<T>(
        &self,
        ask: impl AsyncFnOnce(&mut Counted) -> RedisResult<T>,
    ) -> RedisResult<T> {
        in_time(async {
            let mut connection = self.as_member().await?;
            self.way.hear_what_is_wanted(&mut connection).await?;
            ask(&mut connection).await
        })
        .await
    }

    fn channel(&self, kind: &str, target: &Target) -> String {
        let prefix = self.server.prefix();
        match target {
            Target::Node(NodeId { node, incarnation }) => {
                format!("{prefix}node:{node}.{incarnation}:{kind}")
            }
            Target::Listeners(name) => format!("{prefix}to:{kind}:{name}"),
            Target::Everyone => format!("{prefix}all:{kind}"),
        }
    }

    pub(super) fn row_of<R: Record>(&self, key: &R::Key) -> RedisResult<String> {
        Ok(format!("{}{}:{}", self.server.prefix(), R::KIND, member(key)?))
    }

    fn held_by<R: Record>(&self, NodeId { node, incarnation }: NodeId) -> String {
        format!("{}held:{node}.{incarnation}:{}", self.server.prefix(), R::KIND)
    }

    pub(super) fn listed_under<R: Record>(&self, name: &str) -> String {
        format!("{}list:{}:{name}", self.server.prefix(), R::KIND)
    }

    fn times<R: Record>(&self) -> String {
        format!("{}due:{}", self.server.prefix(), R::KIND)
    }
}

/// A key, or a node, as lists and names have it.
pub(super) fn member(of: &impl Serialize) -> RedisResult<String> {
    serde_json::to_string(of).map_err(|error| std::io::Error::from(error).into())
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) async fn in_time<T>(asked: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
    let late = || RedisError::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
    tokio::time::timeout(PATIENCE, asked).await.unwrap_or_else(|_| Err(late()))
}

fn number(text: &str) -> RedisResult<u64> {
    text.parse().map_err(|error| RedisError::from(std::io::Error::other(error)))
}
