//! This node among the others: its lease, the marks of the data, and what all nodes have in common.

use std::time::{Duration, Instant};

use redis::RedisResult;

use super::{
    cluster::with_jitter,
    cluster::{Detour, detour},
    connection::Connection,
    lease::{self, Standing},
    link::{Link, in_time, member, millis},
    question::Mark,
};
use crate::{auth::Secret, clock::Timestamp, model::ids::NodeId};

/// Shortest and longest pause between two tries to connect, or to find out the mark. That a server takes connections again, or
/// has memory, nobody tells; that the part is elsewhere ends the pause.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// The data of a part have a mark that this node did not know.
#[derive(Clone)]
pub(super) struct Marked {
    pub(super) mark: Mark,
    /// The other nodes before that.
    pub(super) others: Vec<NodeId>,
    /// When that was asked for. None of the first mark that this node knows.
    pub(super) since: Option<Instant>,
}

impl Link {
    /// Keeps the connection, and over the first link this node's lease, until the node is ended. A connection that is lost,
    /// or that does not answer, is made anew, and nobody asks anything over it before this node has asked for the mark over
    /// it: so the node knows whether the server has lost something.
    pub(super) async fn stay_a_member(&self) {
        // Before, it does not know who else there is.
        if !self.part.is_first() && !self.membership.has_joined().await {
            return;
        }
        let mut pause = PAUSES.0;
        loop {
            let renewed = self.renew().await;
            self.membership.is_missing(self.part, renewed.is_err());
            if let Err(error) = &renewed {
                tracing::debug!(part = self.part.number(), %error, "no renewal");
                self.fails(error);
            }
            if self.membership.tell().is_final() {
                return;
            }
            if renewed.is_err() {
                tokio::select! {
                    () = tokio::time::sleep(with_jitter(pause)) => {}
                    () = self.way.changed() => {}
                }
                pause = PAUSES.1.min(pause * 2);
                continue;
            }
            pause = PAUSES.0;
            let is_cut = tokio::select! {
                () = self.way.cut() => true,
                () = self.hurry.notified() => false,
                () = self.membership.hurry.notified(), if self.part.is_first() => false,
                () = tokio::time::sleep(self.renews_every()) => false,
            };
            if is_cut {
                tracing::debug!(part = self.part.number(), "the connection was cut");
                self.loses_its_way();
                self.was_away(Instant::now());
            }
        }
    }

    fn fails(&self, error: &redis::RedisError) {
        if self.way.is_misled() && self.membership.is_new() {
            self.membership.is_misled.set(true);
        }
        match detour(error) {
            // The connection is good, and the server is so soon.
            Some(Detour::Later) => {}
            // The connection is good, too, and tells those who ask over it the same.
            Some(Detour::Elsewhere) => {
                *self.live.borrow_mut() = None;
                self.way.strays();
            }
            None => self.loses_its_way(),
        }
        self.was_away(Instant::now());
        self.failures.set(self.failures.get() + 1);
        if self.part.is_first() {
            self.membership.failures.set(self.membership.failures.get() + 1);
        }
        self.note(Some(error));
    }

    /// The connection is no good, and nobody is to wait for what comes over it.
    fn loses_its_way(&self) {
        if let Some(lost) = self.live.take() {
            lost.give_up();
        }
        self.way.strays();
    }

    /// The part is not where this connection leads to.
    pub(super) fn strays(&self, by: &Connection) {
        // Others may have found that out before.
        if self.live.borrow_mut().take_if(|live| live.is(by)).is_some() {
            self.way.strays();
        }
        self.hurry.notify_one();
    }

    /// The others could not renew their leases either, if these are here.
    fn was_away(&self, now: Instant) {
        if self.part.is_first() {
            self.membership.lease.borrow_mut().was_away(now);
        }
    }

    fn renews_every(&self) -> Duration {
        self.membership.lease.borrow().renews_every()
    }

    async fn renew(&self) -> RedisResult<()> {
        let kept = self.live.borrow().clone().or_else(|| self.untried.take());
        let mut connection = match kept {
            Some(connection) => connection,
            None => {
                let begun = Instant::now();
                let mut connection = in_time(self.way.connect()).await?;
                if self.membership.is_new() {
                    in_time(self.way.leads_to_the_right_kind(&mut connection)).await?;
                }
                tracing::debug!(part = self.part.number(), took = ?begun.elapsed(), "connected");
                connection
            }
        };
        let renewed = self.renew_all(&mut connection).await;
        if let Err(error) = &renewed
            && detour(error) == Some(Detour::Later)
            && self.live.borrow().is_none()
        {
            self.untried.replace(Some(connection));
            return renewed;
        }
        renewed?;
        *self.live.borrow_mut() = Some(connection);
        self.note(None);
        Ok(())
    }

    async fn renew_all(&self, connection: &mut Connection) -> RedisResult<()> {
        if self.part.is_first() {
            self.renew_over(connection, &[], &[]).await?;
            let secrets = self.membership.secrets.borrow().clone();
            for (name, secret) in secrets {
                self.agree_on(&name, &secret, connection).await?;
            }
            return Ok(());
        }
        let asked = Instant::now();
        let mut ask = self.scripts.mark.key(self.mark_key());
        ask.key(self.of_nodes("history")).arg(self.next_mark());
        let mark: String = in_time(ask.invoke_async(connection)).await?;
        let members = self.membership.members.borrow().clone();
        self.is_marked(mark, asked, members);
        Ok(())
    }

    /// Renews, and says which nodes were ended or had a lease, should the server have lost that.
    async fn renew_over(
        &self,
        connection: &mut Connection,
        ended: &[NodeId],
        members: &[NodeId],
    ) -> RedisResult<()> {
        let asked = Instant::now();
        let (may_end, may_end_a_namesake, length) = {
            let mut lease = self.membership.lease.borrow_mut();
            (lease.may_end_others(asked), lease.may_end_a_namesake(asked), lease.length())
        };
        let mut renew = self.scripts.renew.key(self.mark_key());
        renew.key(self.of_nodes("history")).key(self.of_nodes("leases"));
        renew.key(self.of_nodes("ended")).key(self.of_nodes("asked")).arg(self.next_mark());
        renew.arg(member(&self.node)?).arg(millis(length)).arg(u8::from(may_end));
        renew.arg(millis(lease::REMEMBERED)).arg(u8::from(may_end_a_namesake)).arg(ended.len());
        for node in ended.iter().chain(members) {
            renew.arg(member(node)?);
        }
        type Answer = (u64, u8, Vec<String>, Vec<String>, String, u64);
        let answer: Answer = in_time(renew.invoke_async(connection)).await?;
        let (time, granted, ended, members, mark, taken_until) = answer;
        // The server looked at its clock half-way, near enough.
        self.membership.clock.agree(Timestamp(time), asked + asked.elapsed() / 2);
        if granted == 2 {
            let mut lease = self.membership.lease.borrow_mut();
            if !lease.knows_a_namesake() {
                tracing::warn!("waits for the end of another process with its cluster.node_name");
            }
            lease.is_taken(asked, taken_until);
            return Ok(());
        }
        let nodes = |texts: Vec<String>| -> Vec<NodeId> {
            texts.iter().filter_map(|node| serde_json::from_str(node).ok()).collect()
        };
        let members = nodes(members);
        if granted == 1 {
            if let Some(others) = self.is_marked(mark, asked, members.clone()) {
                self.was_away(asked);
                let ended = self.membership.ended();
                return Box::pin(self.renew_over(connection, &ended, &others)).await;
            }
            self.way.count_nodes(members.len());
            *self.membership.members.borrow_mut() = members;
            self.membership.renewed.set(Some(asked));
        }
        self.membership.lease.borrow_mut().renewed(asked, granted == 1, nodes(ended));
        Ok(())
    }

    /// The data have this mark. If they had another one before, who is to say again what he knows, beside this node.
    /// `members` are those who are there now.
    fn is_marked(&self, mark: String, asked: Instant, members: Vec<NodeId>) -> Option<Vec<NodeId>> {
        let known = self.marked.borrow().as_ref().map(|marked| Mark::clone(&marked.mark));
        if known.as_deref() == Some(&*mark) {
            return None;
        }
        let (mut others, ended) = match &known {
            Some(_) => {
                let part = self.part.number();
                tracing::warn!(
                    part,
                    "the server has lost something: all nodes say again what they know"
                );
                (self.membership.members.borrow().clone(), self.membership.ended())
            }
            None => (members, Vec::new()),
        };
        others.retain(|node| *node != self.node && !ended.contains(node));
        let since = known.is_some().then_some(asked);
        if self.part.is_first() && known.is_some() {
            self.membership.settles.set(Some(asked + self.renews_every()));
        }
        let marked = Marked { mark: (&*mark).into(), others: others.clone(), since };
        self.marked.send_replace(Some(marked));
        known.map(|_| others)
    }

    /// A connection that may be asked: over it this node knows the mark, and it has its lease. Waits for no more than one try
    /// to connect, and one to renew the lease.
    pub(super) async fn as_member(&self) -> RedisResult<Connection> {
        let tried = || (self.failures.get(), self.membership.failures.get());
        let failures = tried();
        loop {
            let changed = self.membership.changed.notified();
            let live = self.live.borrow().clone();
            match (self.standing(), live) {
                (Standing::Member, Some(live)) => return Ok(live),
                (standing, _) if standing.is_final() || tried() != failures => {
                    return Err(std::io::Error::other("this node has no lease").into());
                }
                (Standing::Member, None) => self.hurry.notify_one(),
                _ => self.membership.hurry.notify_one(),
            }
            changed.await;
        }
    }

    /// A secret that all nodes have in common: the one that is there, or this one.
    pub(super) async fn secret(&self, name: &str) -> Secret {
        let own = Secret::generate();
        loop {
            let agreed = in_time(async {
                let mut connection = self.as_member().await?;
                self.agree_on(name, &own, &mut connection).await
            });
            match agreed.await {
                Ok(secret) => {
                    self.membership.secrets.borrow_mut().push((name.to_owned(), secret.clone()));
                    return secret;
                }
                Err(error) => self.note(Some(&error)),
            }
            tokio::time::sleep(PAUSES.1).await;
        }
    }

    async fn agree_on(&self, name: &str, own: &Secret, by: &mut Connection) -> RedisResult<Secret> {
        let place = self.name(&format!("secret:{name}"));
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(&place).arg(own.expose()).arg("NX").ignore().get(&place);
        let (secret,): (String,) = in_time(pipe.query_async(by)).await?;
        Ok(secret.into())
    }

    /// Says that this node ends: what it still holds is lost.
    pub(super) async fn leave(&self) {
        self.membership.lease.borrow_mut().renewed(Instant::now(), false, Vec::new());
        let Ok(node) = member(&self.node) else { return };
        let mut pipe = redis::pipe();
        pipe.atomic().zrem(self.of_nodes("leases"), &node);
        pipe.zadd(self.of_nodes("ended"), &node, self.membership.clock.now().0);
        let live = self.live.borrow().clone();
        let Some(mut connection) = live else { return };
        if let Err(error) = in_time(pipe.query_async::<()>(&mut connection)).await {
            tracing::warn!(%error, "the other nodes learn by the lease that this one has ended");
        }
    }

    /// What all nodes keep about each other and about the part.
    pub(super) fn of_nodes(&self, what: &str) -> String {
        self.name(&format!("nodes:{what}"))
    }

    /// Whether the part's data still have this mark.
    pub(super) async fn has_mark(&self, mark: Option<Mark>) -> bool {
        let mut get = redis::cmd("GET");
        get.arg(self.mark_key());
        let asked = async |to: &mut Connection| get.query_async::<Option<String>>(to).await;
        let found = self.patiently(asked).await;
        found.is_ok_and(|found| found.as_deref() == mark.as_deref())
    }

    pub(super) fn mark_key(&self) -> String {
        self.of_nodes("mark")
    }

    /// For data that have none: later than the one that this node knows.
    fn next_mark(&self) -> String {
        let known = self.marked.borrow().as_ref().map(|marked| Mark::clone(&marked.mark));
        let number = known.as_deref().and_then(|mark| mark.split('-').next()?.parse().ok());
        format!("{:016}-{:016x}", number.unwrap_or(0u64) + 1, rand::random::<u64>())
    }
}
