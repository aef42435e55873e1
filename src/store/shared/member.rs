//! This node among the others: its lease, the mark of the server's data, and what all nodes have in common.

use std::time::{Duration, Instant};

use redis::RedisResult;

use super::{
    lease::{self, Standing},
    link::{Link, in_time, member, millis},
    question::Mark,
    way::Counted,
};
use crate::{auth::Secret, clock::Timestamp, model::ids::NodeId};

/// Shortest and longest pause between two tries to connect.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(500));
/// How long a node waits for others to restate what they know, after it has done so itself.
const WAITS_FOR_OTHERS: Duration = Duration::from_millis(1_500);
/// How often it looks whether they have.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// The server's data have a mark that this node did not know.
#[derive(Clone)]
pub(super) struct Marked {
    pub(super) mark: Mark,
    /// The other nodes before that.
    pub(super) others: Vec<NodeId>,
    /// By then everybody who is there has renewed its lease since, so that all others are known.
    pub(super) settles: Instant,
}

impl Link {
    /// Keeps the connection and this node's lease until the node is ended. A connection that is lost, or that does
    /// not answer, is made anew, and nobody asks anything over it before the lease was renewed over it: so the node knows
    /// whether the server has lost something.
    pub(super) async fn stay_a_member(&self) {
        let mut pause = PAUSES.0;
        loop {
            let renewed = self.renew().await;
            if let Err(error) = &renewed {
                *self.live.borrow_mut() = None;
                self.lease.borrow_mut().was_away(Instant::now());
                self.failures.set(self.failures.get() + 1);
                self.note(Some(error));
            }
            let standing = self.standing();
            // Others are told at once that the server is away, though the lease goes on.
            let standing =
                if renewed.is_err() && !standing.is_final() { Standing::Away } else { standing };
            self.standing.send_if_modified(|told| std::mem::replace(told, standing) != standing);
            self.changed.notify_waiters();
            if standing.is_final() {
                return;
            }
            if renewed.is_err() {
                tokio::time::sleep(pause).await;
                pause = PAUSES.1.min(pause * 2);
                continue;
            }
            pause = PAUSES.0;
            let is_cut = tokio::select! {
                () = self.way.cut() => true,
                () = self.hurry.notified() => false,
                () = tokio::time::sleep(self.lease.borrow().renews_every()) => false,
            };
            if is_cut {
                *self.live.borrow_mut() = None;
                self.lease.borrow_mut().was_away(Instant::now());
            }
        }
    }

    async fn renew(&self) -> RedisResult<()> {
        let live = self.live.borrow().clone();
        let mut connection = match live {
            Some(connection) => connection,
            None => in_time(self.way.connect()).await?,
        };
        self.renew_over(&mut connection, &[], &[]).await?;
        let secrets = self.secrets.borrow().clone();
        for (name, secret) in secrets {
            self.agree_on(&name, &secret, &mut connection).await?;
        }
        *self.live.borrow_mut() = Some(connection);
        self.note(None);
        Ok(())
    }

    /// Renews, and says which nodes were ended or had a lease, should the server have lost that.
    async fn renew_over(
        &self,
        connection: &mut Counted,
        ended: &[NodeId],
        members: &[NodeId],
    ) -> RedisResult<()> {
        let asked = Instant::now();
        let (may_end, may_end_a_namesake, length) = {
            let mut lease = self.lease.borrow_mut();
            (lease.may_end_others(asked), lease.may_end_a_namesake(asked), lease.length())
        };
        let mut renew = self.renew.key(self.of_nodes("leases"));
        renew.key(self.of_nodes("ended")).key(self.mark_key()).key(self.of_nodes("history"));
        renew.arg(member(&self.node)?).arg(millis(length)).arg(u8::from(may_end));
        renew.arg(millis(lease::REMEMBERED));
        renew.arg(format!("{:016x}", rand::random::<u64>()));
        renew.arg(u8::from(may_end_a_namesake)).arg(ended.len());
        for node in ended.iter().chain(members) {
            renew.arg(member(node)?);
        }
        type Answer = (u64, u8, Vec<String>, Vec<String>, String, u64);
        let answer: Answer = in_time(renew.invoke_async(connection)).await?;
        let (time, granted, ended, members, mark, taken_until) = answer;
        // The server looked at its clock half-way, near enough.
        self.clock.agree(Timestamp(time), asked + asked.elapsed() / 2);
        if granted == 2 {
            let mut lease = self.lease.borrow_mut();
            if !lease.knows_a_namesake() {
                tracing::warn!("waits for the end of another process with its cluster.node_name");
            }
            lease.is_taken(asked, taken_until);
            return Ok(());
        }
        let nodes = |texts: Vec<String>| -> Vec<NodeId> {
            texts.iter().filter_map(|node| serde_json::from_str(node).ok()).collect()
        };
        let known = self.marked.borrow().as_ref().map(|marked| Mark::clone(&marked.mark));
        if granted == 1 && known.as_deref() != Some(&*mark) {
            let (ended, mut others) = if known.is_some() {
                tracing::warn!("the server has lost something: all nodes say again what they know");
                let mut lease = self.lease.borrow_mut();
                lease.was_away(asked);
                (lease.ended().to_vec(), self.members.borrow().clone())
            } else {
                (Vec::new(), nodes(members.clone()))
            };
            others.retain(|node| *node != self.node && !ended.contains(node));
            let pause = self.lease.borrow().renews_every();
            let settles = if known.is_some() { asked + pause } else { asked };
            let marked = Marked { mark: (&*mark).into(), others: others.clone(), settles };
            self.marked.send_replace(Some(marked));
            if known.is_some() {
                return Box::pin(self.renew_over(connection, &ended, &others)).await;
            }
        }
        if granted == 1 {
            *self.members.borrow_mut() = nodes(members);
        }
        self.lease.borrow_mut().renewed(asked, granted == 1, nodes(ended));
        Ok(())
    }

    /// A connection that may be asked: over it this node is a member. Waits for no more than one try to connect.
    pub(super) async fn as_member(&self) -> RedisResult<Counted> {
        let failures = self.failures.get();
        loop {
            let changed = self.changed.notified();
            let live = self.live.borrow().clone();
            match (self.standing(), live) {
                (Standing::Member, Some(live)) => return Ok(live),
                (standing, _) if standing.is_final() || self.failures.get() != failures => {
                    return Err(std::io::Error::other("this node has no lease").into());
                }
                _ => self.hurry.notify_one(),
            }
            changed.await;
        }
    }

    /// Says that this node has restated its records of a kind under this mark, and waits until the others have, or had time
    /// for it.
    pub(super) async fn restated(&self, kind: &str, marked: &Marked) {
        let Ok(me) = member(&self.node) else { return };
        let give_up = Instant::now() + WAITS_FOR_OTHERS;
        let place = self.of_nodes(&format!("restated:{kind}"));
        let mut said = false;
        loop {
            let ended = self.lease.borrow().ended().to_vec();
            let mut others = [&*marked.others, &*self.members.borrow()].concat();
            others.retain(|node| !ended.contains(node));
            let others: Vec<String> = others.iter().filter_map(|node| member(node).ok()).collect();
            let mut pipe = redis::pipe();
            pipe.hset(&place, &me, &*marked.mark).ignore();
            pipe.cmd("HMGET").arg(&place).arg(&me).arg(&others);
            let asked = in_time(async {
                let mut connection = self.as_member().await?;
                pipe.query_async::<(Vec<Option<String>>,)>(&mut connection).await
            });
            if let Ok((marks,)) = asked.await {
                said = true;
                let all = marks.iter().all(|mark| mark.as_deref() == Some(&*marked.mark));
                if all && Instant::now() >= marked.settles {
                    return;
                }
            }
            if Instant::now() >= give_up && said || self.standing().is_final() {
                return tracing::warn!(kind, "some nodes may not have said again what they know");
            }
            tokio::time::sleep(LOOKS_EVERY).await;
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
                    self.secrets.borrow_mut().push((name.to_owned(), secret.clone()));
                    return secret;
                }
                Err(error) => self.note(Some(&error)),
            }
            tokio::time::sleep(PAUSES.1).await;
        }
    }

    async fn agree_on(&self, name: &str, own: &Secret, by: &mut Counted) -> RedisResult<Secret> {
        let place = format!("{}secret:{name}", self.server.prefix());
        let mut pipe = redis::pipe();
        pipe.cmd("SET").arg(&place).arg(own.expose()).arg("NX").ignore().get(&place);
        let (secret,): (String,) = in_time(pipe.query_async(by)).await?;
        Ok(secret.into())
    }

    /// Says that this node ends: what it still holds is lost.
    pub(super) async fn leave(&self) {
        self.lease.borrow_mut().renewed(Instant::now(), false, Vec::new());
        let Ok(node) = member(&self.node) else { return };
        let mut pipe = redis::pipe();
        pipe.atomic().zrem(self.of_nodes("leases"), &node);
        pipe.zadd(self.of_nodes("ended"), &node, self.clock.now().0);
        let live = self.live.borrow().clone();
        let Some(mut connection) = live else { return };
        if let Err(error) = in_time(pipe.query_async::<()>(&mut connection)).await {
            tracing::warn!(%error, "the other nodes learn by the lease that this one has ended");
        }
    }

    /// What all nodes keep about each other, in one slot of a cluster.
    fn of_nodes(&self, what: &str) -> String {
        format!("{}{{nodes}}:{what}", self.server.prefix())
    }

    /// Whether the server's data still have this mark.
    pub(super) async fn has_mark(&self, mark: Option<Mark>) -> bool {
        let mut get = redis::cmd("GET");
        get.arg(self.mark_key());
        let asked = async |to: &mut Counted| get.query_async::<Option<String>>(to).await;
        let found = self.patiently(asked).await;
        found.is_ok_and(|found| found.as_deref() == mark.as_deref())
    }

    pub(super) fn mark_key(&self) -> String {
        self.of_nodes("mark")
    }
}
