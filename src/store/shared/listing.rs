//! The lists beside the records of a part: when they are due, what a node holds something of, and what is listed under a name.
//! A key is written before its record says so, so that a node that ends in between leaves a list that says too much, which
//! whoever reads it mends.
//!
//! In sets of names, one node's late striking out may meet another one's joining. So who joins writes the key once more when the record is
//! there, and who strikes out looks at the record behind that: whichever comes last, the set is right.

use std::{collections::HashMap, sync::atomic::Ordering};

use redis::RedisResult;

use super::{
    connection::Connection,
    fields::record_of,
    figures::Counts,
    link::{Link, member},
    question::Lists,
    worker::guarded,
};
use crate::{
    clock::Timestamp,
    model::ids::NodeId,
    store::{Record, Visit},
};

/// Keys that are read at a time, about.
const PAGE: usize = 1_000;

impl Link {
    /// Writes into the lists what the next version of the record will have.
    pub(super) async fn enlist<R: Record>(&self, key: &R::Key, lists: &Lists) -> RedisResult<()> {
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
    pub(super) async fn strike_out<R: Record>(&self, key: &R::Key, lists: &Lists) {
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
        let asked = async |connection: &mut Connection| pipe.query_async::<()>(connection).await;
        self.patiently(asked).await
    }

    /// Records of which an ended node holds something, at most so many of each; with the node. One that holds nothing of
    /// the record any more is struck out.
    pub(super) async fn orphans<R: Record>(&self, most: usize) -> Vec<(R::Key, NodeId)> {
        let ended = self.membership.ended();
        let mut orphans = Vec::new();
        for node in ended {
            let list = self.held_by::<R>(node);
            let mut command = redis::cmd("SRANDMEMBER");
            command.arg(&list).arg(most);
            let asked = async |connection: &mut Connection| {
                command.query_async::<Vec<String>>(connection).await
            };
            let members = self.patiently(asked).await.unwrap_or_default();
            let keys: Vec<R::Key> =
                members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect();
            let Some(rows) = self.found::<R>(keys.clone()).await else { continue };
            // Those that somebody else has freed already.
            let mut freed = redis::pipe();
            for (key, row) in keys.into_iter().zip(rows) {
                if row.is_some_and(|record| record.holders().contains(&node)) {
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

    /// Lets `take` have the keys of the records of which this node holds something, as the list says, some at a time.
    pub(super) async fn each_held<R: Record>(&self, mut take: impl AsyncFnMut(Vec<R::Key>)) {
        let list = self.held_by::<R>(self.node);
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(&list).arg(cursor).arg("COUNT").arg(PAGE);
            let asked = async |connection: &mut Connection| {
                scan.query_async::<(u64, Vec<String>)>(connection).await
            };
            let Ok((next, members)) = self.patiently(asked).await else { return };
            take(members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect())
                .await;
            cursor = next;
            if cursor == 0 {
                return;
            }
        }
    }

    /// Records that were due before, at most so many.
    pub(super) async fn overdue<R: Record>(&self, before: Timestamp, most: usize) -> Vec<R::Key> {
        let mut command = redis::cmd("ZRANGEBYSCORE");
        command.arg(self.times::<R>()).arg("-inf").arg(before.0).arg("LIMIT").arg(0).arg(most);
        let asked = async |connection: &mut Connection| {
            command.query_async::<Vec<String>>(connection).await
        };
        let members = self.patiently(asked).await.unwrap_or_default();
        members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect()
    }

    /// How many records there are in this part; noted in `counts`, too.
    pub(super) async fn there<R: Record>(&self, counts: &Counts) -> RedisResult<u64> {
        let mut get = redis::cmd("GET");
        get.arg(self.number_of::<R>());
        let asked = async |to: &mut Connection| get.query_async::<Option<i64>>(to).await;
        let there = self.patiently(asked).await?.unwrap_or_default();
        let there = u64::try_from(there).unwrap_or_default();
        counts.there.store(there, Ordering::Relaxed);
        Ok(there)
    }

    /// Brings the sets in line with a record that has just been replaced.
    pub(super) async fn list_anew<R: Record>(&self, key: &R::Key, lists: &Lists) {
        let (Ok(member), Ok(row)) = (member(key), self.row_of::<R>(key)) else { return };
        let add = async |name: &str| {
            let mut add = redis::cmd("SADD");
            add.arg(self.listed_under::<R>(name)).arg(&member);
            let asked = async |to: &mut Connection| add.query_async::<()>(to).await;
            self.patiently(asked).await
        };
        let strike = async |name: &str| {
            let mut strike = redis::pipe();
            strike.srem(self.listed_under::<R>(name), &member).ignore().hgetall(&row);
            let asked = async |to: &mut Connection| {
                strike.query_async::<(HashMap<String, Vec<u8>>,)>(to).await
            };
            let (row,) = self.patiently(asked).await?;
            match record_of::<R>(row).and_then(|record| record.listed(key)) {
                Some(now) if now == name => add(name).await,
                _ => Ok(()),
            }
        };
        let done = async {
            if let Some(name) = &lists.joins {
                add(name).await?;
            }
            match &lists.quits {
                Some(name) => strike(name).await,
                None => Ok(()),
            }
        };
        if let Err(error) = done.await {
            tracing::debug!(kind = R::KIND, %error, "a list says something else than is so");
        }
    }

    /// Lets `visit` look at all records that are listed under `name`. Whether it could.
    pub(super) async fn visit_listed<R: Record>(&self, name: &str, mut visit: Visit<R>) -> bool {
        let set = self.listed_under::<R>(name);
        let mut cursor = 0_u64;
        loop {
            let mut scan = redis::cmd("SSCAN");
            scan.arg(&set).arg(cursor).arg("COUNT").arg(PAGE);
            let asked = async |connection: &mut Connection| {
                scan.query_async::<(u64, Vec<String>)>(connection).await
            };
            let (next, members) = match self.patiently(asked).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::debug!(kind = R::KIND, %error, "a list cannot be read");
                    return false;
                }
            };
            let keys: Vec<R::Key> =
                members.iter().filter_map(|member| serde_json::from_str(member).ok()).collect();
            let Some(rows) = self.found::<R>(keys.clone()).await else { return false };
            for (key, record) in keys.into_iter().zip(rows) {
                let is_listed = |record: &R| record.listed(&key).as_deref() == Some(name);
                match record {
                    Some(record) if is_listed(&record) => {
                        guarded(|| visit(&key, &record));
                    }
                    _ => {
                        let lists = Lists { quits: Some(name.to_owned()), ..Lists::default() };
                        self.list_anew::<R>(&key, &lists).await;
                    }
                }
            }
            cursor = next;
            if cursor == 0 {
                return true;
            }
        }
    }
}
