//! A node's link to the server, Redis 6.2 or later, or Valkey: what stands there under which name, and how questions are asked.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use redis::{RedisError, RedisResult, Script};
use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::{
    cluster::{Detour, detour},
    connection::Connection,
    ears::Ears,
    lease::Standing,
    member::Marked,
    membership::Membership,
    parts::Part,
    question::Target,
    restated::Restating,
    url::ServerUrl,
    way::{PATIENCE, Way},
};
use crate::{model::ids::NodeId, store::Record};

/// Shortest and longest pause before a question is asked again, while a part of a cluster is on its way from one server to
/// another. Of a new way [`Link::as_member`] is told; that the slot has come, or that a replica takes writes, nobody tells.
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
    pub(super) live: RefCell<Option<Connection>>,
    /// One over which it does not know that yet, because the server is to answer later.
    pub(super) untried: RefCell<Option<Connection>>,
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
    pub(super) look: Script,
    pub(super) replace: Script,
    pub(super) restate: Script,
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

    /// Asks, once the node hears its channels, and waits no longer than is sensible. Asks again where the part is elsewhere,
    /// or on its way: then nothing was done, or of a pipeline what may be done twice.
    pub(super) async fn patiently<T>(
        &self,
        ask: impl AsyncFn(&mut Connection) -> RedisResult<T>,
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

    pub(super) fn channel(&self, kind: &str, target: &Target) -> String {
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
