//! Records that are listed under a name: a set of keys beside them. A key is written before its record joins, so that a node
//! that ends in between leaves a set that says too much, which whoever reads it mends.
//!
//! One node's late striking out may meet another one's joining. So who joins writes the key once more when the record is
//! there, and who strikes out looks at the record behind that: whichever comes last, the set is right.

use super::{
    link::{Link, member},
    question::Lists,
    way::Counted,
    worker::guarded,
};
use crate::store::{Record, Visit};

/// Keys that are read at a time, about.
const PAGE: usize = 1_000;

impl Link {
    /// Brings the sets in line with a record that has just been replaced.
    pub(super) async fn list_anew<R: Record>(&self, key: &R::Key, lists: &Lists) {
        let (Ok(member), Ok(row)) = (member(key), self.row_of::<R>(key)) else { return };
        let add = async |name: &str| {
            let mut add = redis::cmd("SADD");
            add.arg(self.listed_under::<R>(name)).arg(&member);
            let asked = async |to: &mut Counted| add.query_async::<()>(to).await;
            self.patiently(asked).await
        };
        let strike = async |name: &str| {
            let mut strike = redis::pipe();
            strike.srem(self.listed_under::<R>(name), &member).ignore().hget(&row, "r");
            let asked = async |to: &mut Counted| strike.query_async::<(Option<Vec<u8>>,)>(to).await;
            let (row,) = self.patiently(asked).await?;
            let record = row.and_then(|row| serde_json::from_slice::<R>(&row).ok());
            match record.and_then(|record| record.listed(key)) {
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
            let asked = async |connection: &mut Counted| {
                scan.query_async::<(u64, Vec<String>)>(connection).await
            };
            let Ok((next, members)) = self.patiently(asked).await else { return false };
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
