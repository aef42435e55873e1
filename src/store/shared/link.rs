//! What a node asks of the server, Redis 6.2 or later, or Valkey: questions about records, and the lists beside them.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use redis::{RedisError, RedisResult, Script};
use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::{
    ears::Ears,
    fields::{changes_of, field, number, record_of, state},
    figures::{self, Counts},
    lease::Standing,
    member::Marked,
    membership::Membership,
    message,
    parts::Part,
    question::{Answer, Ask, Mark, Row, Target, Tell, Ticket},
    restated::Restating,
    url::ServerUrl,
    way::{Counted, Detour, PATIENCE, Way, detour},
};
use crate::{
    model::ids::NodeId,
    store::{Record, Written},
};

/// Records that are read at once.
const ROWS_AT_ONCE: usize = 256;
/// How long the server remembers that a record was ended: longer than nodes say again what they know.
const END_REMEMBERED_MS: u64 = 60_000;
/// Shortest and longest pause before a question is asked again, while a part of a cluster is on its way from one server to
/// another.
const DETOURS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// What this node asks of the server that has a part of the data. One for all engines of the process; see also the file
/// `member`.
pub(super) struct Link {
    pub(super) server: ServerUrl,
    pub(super) part: Part,
    pub(super) node: NodeId,
    pub(super) membership: Rc<Membership>,
    pub(super) way: Way,
    /// The connection, once this node knows over it that the data's mark is still the same, or which one it is now.
    pub(super) live: RefCell<Option<Counted>>,
    /// One over which it does not know that yet, because the server is to answer later.
    pub(super) untried: RefCell<Option<Counted>>,
    /// Tries to find that out that failed.
    pub(super) failures: Cell<u64>,
    /// Asks for the next one.
    pub(super) hurry: Notify,
    is_away: Cell<bool>,
    pub(super) marked: watch::Sender<Option<Marked>>,
    pub(super) restating: Restating,
    pub(super) scripts: Scripts,
}

/// What the server does in one go.
pub(super) struct Scripts {
    /// Renews the lease, and finds out the mark.
    pub(super) renew: Script,
    /// Finds out the mark.
    pub(super) mark: Script,
    look: Script,
    replace: Script,
    restate: Script,
}

impl Scripts {
    fn new() -> Self {
        let (mark, since) = (include_str!("mark.lua"), include_str!("since.lua"));
        Self {
            renew: Script::new(&[mark, include_str!("renew.lua")].concat()),
            mark: Script::new(&[mark, "return mark"].concat()),
            look: Script::new(&[since, include_str!("look.lua")].concat()),
            replace: Script::new(&[since, include_str!("replace.lua")].concat()),
            restate: Script::new(include_str!("restate.lua")),
        }
    }
}

impl Link {
    pub(super) fn new(
        server: &ServerUrl,
        part: Part,
        membership: &Rc<Membership>,
        way: Way,
    ) -> Self {
        Self {
            server: server.clone(),
            part,
            node: membership.node,
            membership: Rc::clone(membership),
            way,
            live: RefCell::default(),
            untried: RefCell::default(),
            failures: Cell::default(),
            hurry: Notify::new(),
            is_away: Cell::default(),
            marked: watch::Sender::new(None),
            restating: Restating::default(),
            scripts: Scripts::new(),
        }
    }

    pub(super) fn node(&self) -> NodeId {
        self.node
    }

    pub(super) fn standing(&self) -> Standing {
        self.membership.standing()
    }

    /// The mark of the part's data, now and whenever it is new.
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

    /// Says these, in this order, each at most once; at first hears what is said to this one.
    pub(super) async fn publish(
        &self,
        kind: &'static str,
        letters: &[(Target, Bytes)],
    ) -> RedisResult<()> {
        in_time(async {
            let mut connection = self.as_member().await?;
            self.way.hear_what_is_wanted(&mut connection).await?;
            let mut pipe = redis::pipe();
            for (to, letter) in letters {
                let channel = self.channel(kind, to);
                pipe.cmd(connection.publish()).arg(channel).arg(&**letter).ignore();
            }
            if letters.is_empty() { Ok(()) } else { pipe.query_async(&mut connection).await }
        })
        .await
    }

    /// Asks for what the core wants to know or to be done. How many records there are it notes in `counts`.
    pub(super) async fn ask<R: Record>(
        &self,
        ask: Ask<R::Key>,
        counts: &Counts,
    ) -> (Ticket, Answer) {
        let (ticket, asked) = match ask {
            Ask::Probe { ticket } => (ticket, self.probe::<R>(ticket).await),
            Ask::Look { ticket, key, mark, known } => {
                (ticket, self.look_at::<R>(ticket, &key, &mark, known).await)
            }
            // Nothing is written into the lists for what is refused anyway.
            Ask::Replace { ticket, most: Some(most), .. }
                if figures::read(&counts.there) >= most
                    && self.there::<R>(counts).await.is_ok_and(|there| there >= most) =>
            {
                (ticket, Ok(Answer::Full))
            }
            Ask::Replace { ticket, key, mark, expected, row, most, lists, tell } => {
                // Sent one behind the other: a node that ends in between leaves a list that says too much, which is mended
                // by whoever reads it, and never one that says too little.
                let (listed, answer) = tokio::join!(
                    self.enlist::<R>(&key, &lists),
                    self.replace::<R>(&key, &mark, expected, (row, most), tell, counts),
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

    /// Tells the log and the figures when the part's server goes away and when it is back, not each time that somebody asks.
    pub(super) fn note(&self, error: Option<&RedisError>) {
        // Who has taken his leave asks no more, whatever the server does.
        if self.standing().is_final() {
            return;
        }
        let (server, part) = (&self.server, self.part.number());
        match (error, self.is_away.replace(error.is_some())) {
            (Some(error), false) => {
                self.way.count_away(true);
                tracing::warn!(?server, part, %error, "the engine's server does not answer");
            }
            (None, true) => {
                self.way.count_away(false);
                tracing::info!(?server, part, "the engine's server is back");
            }
            _ => {}
        }
    }

    async fn probe<R: Record>(&self, ticket: Ticket) -> RedisResult<Answer> {
        let word = [b"0:", &*message::encode::<R>(self.node, ticket, None, &[])].concat();
        let own = self.channel(R::KIND, &Target::Node(self.node));
        let asked = async |connection: &mut Counted| {
            let mut publish = redis::cmd(connection.publish());
            publish.arg(&own).arg(&word).query_async::<()>(connection).await
        };
        self.patiently(asked).await?;
        Ok(Answer::Said)
    }

    async fn look_at<R: Record>(
        &self,
        ticket: Ticket,
        key: &R::Key,
        mark: &Mark,
        known: u64,
    ) -> RedisResult<Answer> {
        let word = message::encode::<R>(self.node, ticket, Some(key), &[]);
        let own = self.channel(R::KIND, &Target::Node(self.node));
        let row = self.row_of::<R>(key)?;
        let asked = async |connection: &mut Counted| {
            let mut look = self.scripts.look.key(&row);
            look.key(self.mark_key()).key(changes_of(&row)).arg(&**mark);
            look.arg(connection.publish()).arg(&own).arg(&word).arg(known);
            look.invoke_async::<Vec<Vec<u8>>>(connection).await
        };
        let answer = self.patiently(asked).await?;
        if answer.first().is_some_and(|version| version == b"-1") {
            return Ok(Answer::Lost);
        }
        let (version, state) = state(answer)?;
        Ok(Answer::Found { version, state })
    }

    async fn replace<R: Record>(
        &self,
        key: &R::Key,
        mark: &Mark,
        expected: u64,
        (row, most): (Row, Option<u64>),
        tell: Tell,
        counts: &Counts,
    ) -> RedisResult<Answer> {
        let begins_or_ends = row == Row::Gone || expected == 0 && row != Row::Same;
        let most = most.map(|most| most.to_string()).unwrap_or_default();
        let (what, Written { row, leaves }) = match row {
            Row::Same => ("same", Written::default()),
            Row::Gone => {
                let row = END_REMEMBERED_MS.to_string().into_bytes();
                ("gone", Written { row, ..Written::default() })
            }
            Row::New(written) => ("new", written),
        };
        let changes = if R::HAS_LEAVES { leaves.len().to_string() } else { "-1".to_owned() };
        let (place, channel) = (self.row_of::<R>(key)?, |to: &Target| self.channel(R::KIND, to));
        let tell: Vec<_> = tell.iter().map(|(to, message)| (channel(to), message)).collect();
        let asked = async |connection: &mut Counted| {
            let mut replace = self.scripts.replace.key(&place);
            replace.key(self.mark_key()).key(changes_of(&place));
            if begins_or_ends {
                replace.key(self.number_of::<R>());
            }
            replace.arg(&**mark).arg(expected).arg(what).arg(&row).arg(&most);
            replace.arg(connection.publish()).arg(&changes);
            for (name, leaf) in &leaves {
                replace.arg(field(name)).arg(leaf.as_deref().unwrap_or_default());
            }
            for (channel, message) in &tell {
                replace.arg(channel).arg(message);
            }
            replace.invoke_async::<Vec<Vec<u8>>>(connection).await
        };
        let mut answer = self.patiently(asked).await?.into_iter();
        let mut next = || answer.next().unwrap_or_default();
        let note = |there: Vec<u8>| {
            // Where it did not change, it is -1.
            if let Ok(there) = number(&there) {
                counts.there.store(there, Ordering::Relaxed);
            }
        };
        Ok(match &*next() {
            b"1" => {
                let version = number(&next())?;
                note(next());
                Answer::Replaced { version }
            }
            b"2" => Answer::Lost,
            b"3" => {
                note(next());
                Answer::Full
            }
            _ => {
                let (version, state) = state(answer)?;
                Answer::Conflict { version, state }
            }
        })
    }

    async fn restate<R: Record>(
        &self,
        key: &R::Key,
        mark: &Mark,
        version: u64,
        row: Option<Written>,
    ) -> RedisResult<Answer> {
        let place = self.row_of::<R>(key)?;
        let mut restate = self.scripts.restate.key(&place);
        restate.key(self.mark_key()).key(changes_of(&place));
        restate.key(self.number_of::<R>()).arg(&**mark);
        restate.arg(version).arg(if row.is_some() { "row" } else { "ended" });
        let Written { row, leaves } = row.unwrap_or_default();
        restate.arg(row).arg(END_REMEMBERED_MS);
        for (name, leaf) in &leaves {
            restate.arg(field(name)).arg(leaf.as_deref().unwrap_or_default());
        }
        let asked = async |connection: &mut Counted| restate.invoke_async(connection).await;
        let (version, is_there): (String, u8) = self.patiently(asked).await?;
        Ok(match &*version {
            "-1" => Answer::Lost,
            "-2" => Answer::Outdated,
            _ => Answer::Restated { version: number(version.as_bytes())?, is_there: is_there == 1 },
        })
    }

    /// The records of these keys, with the places that come along, as far as there are any.
    pub(super) async fn rows<R: Record>(
        &self,
        keys: Vec<(usize, R::Key)>,
    ) -> Vec<(usize, R::Key, R)> {
        let mut found = Vec::new();
        let mut keys = keys.into_iter().peekable();
        while keys.peek().is_some() {
            let part: Vec<(usize, R::Key)> = keys.by_ref().take(ROWS_AT_ONCE).collect();
            let wanted = part.iter().map(|(_, key)| key.clone()).collect();
            let rows = self.found::<R>(wanted).await.unwrap_or_default();
            let rows = part.into_iter().zip(rows);
            found.extend(rows.filter_map(|((place, key), row)| Some((place, key, row?))));
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
                pipe.hgetall(row);
            }
        }
        let asked = async |connection: &mut Counted| {
            pipe.query_async::<Vec<HashMap<String, Vec<u8>>>>(connection).await
        };
        let rows = self.patiently(asked).await.ok()?;
        Some(rows.into_iter().map(record_of).collect())
    }

    /// Asks, once the node hears its channels, and waits no longer than is sensible. Asks again where the part is elsewhere,
    /// or on its way: then nothing was done, or of a pipeline what may be done twice.
    pub(super) async fn patiently<T>(
        &self,
        ask: impl AsyncFn(&mut Counted) -> RedisResult<T>,
    ) -> RedisResult<T> {
        in_time(async {
            let mut pause = DETOURS.0;
            loop {
                let mut connection = self.as_member().await?;
                let asked = async {
                    self.way.hear_what_is_wanted(&mut connection).await?;
                    ask(&mut connection).await
                };
                let asked = asked.await;
                match asked.as_ref().err().and_then(detour) {
                    Some(Detour::Elsewhere) => self.strays(&connection),
                    Some(Detour::Later) => {}
                    None => return asked,
                }
                tokio::time::sleep(pause).await;
                pause = DETOURS.1.min(pause * 2);
            }
        })
        .await
    }

    fn channel(&self, kind: &str, target: &Target) -> String {
        self.name(&match target {
            Target::Node(NodeId { node, incarnation }) => {
                format!("node:{node}.{incarnation}:{kind}")
            }
            Target::Listeners(name) => format!("to:{kind}:{name}"),
            Target::Everyone => format!("all:{kind}"),
        })
    }

    pub(super) fn row_of<R: Record>(&self, key: &R::Key) -> RedisResult<String> {
        Ok(self.name(&format!("{}:{}", R::KIND, member(key)?)))
    }

    /// Where it says how many records of a kind there are in this part.
    pub(super) fn number_of<R: Record>(&self) -> String {
        self.name(&format!("number:{}", R::KIND))
    }

    pub(super) fn held_by<R: Record>(&self, NodeId { node, incarnation }: NodeId) -> String {
        self.name(&format!("held:{node}.{incarnation}:{}", R::KIND))
    }

    pub(super) fn listed_under<R: Record>(&self, name: &str) -> String {
        self.name(&format!("list:{}:{name}", R::KIND))
    }

    pub(super) fn times<R: Record>(&self) -> String {
        self.name(&format!("due:{}", R::KIND))
    }

    /// A name in this part.
    pub(super) fn name(&self, name: &str) -> String {
        self.part.name(self.server.prefix(), name)
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
