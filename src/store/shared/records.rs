//! What a node asks of the server about records: questions of the core, by scripts, and looks at many at once.

use std::{collections::HashMap, sync::atomic::Ordering};

use redis::RedisResult;

use super::{
    connection::Connection,
    fields::{changes_of, field, number, record_of, state},
    figures::{self, Counts},
    link::Link,
    message,
    question::{Answer, Ask, Mark, Row, Target, Tell, Ticket},
};
use crate::store::{Record, Written};

/// Records that are read at once.
const ROWS_AT_ONCE: usize = 256;
/// How long the server remembers that a record was ended: longer than nodes say again what they know.
const END_REMEMBERED_MS: u64 = 60_000;

impl Link {
    /// Asks for what the core wants to know or to be done. How many records there are it notes in `counts`.
    pub(super) async fn ask<R: Record>(
        &self,
        ask: Ask<R::Key>,
        counts: &Counts,
    ) -> (Ticket, Answer) {
        let (ticket, asked) = match ask {
            Ask::Probe { ticket } => (ticket, self.probe::<R>(ticket).await),
            Ask::Look { ticket, key, mark, known } => {
                (ticket, self.look_at::<R>(ticket, &key, (&mark, known)).await)
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
                    self.replace::<R>(&key, (&mark, expected), (row, most), tell, counts),
                );
                let answer = listed.and(answer);
                if let Ok(Answer::Replaced { .. }) = &answer {
                    self.strike_out::<R>(&key, &lists).await;
                    self.list_anew::<R>(&key, &lists).await;
                }
                (ticket, answer)
            }
            Ask::Restate { ticket, key, mark, version, written, row, lists } => {
                let (listed, answer) = tokio::join!(
                    self.enlist::<R>(&key, &lists),
                    self.restate::<R>(&key, &mark, (version, &written), row),
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

    async fn probe<R: Record>(&self, ticket: Ticket) -> RedisResult<Answer> {
        let word = [b"0:", &*message::encode::<R>(self.node, ticket, None, &[])].concat();
        let own = self.channel(R::KIND, &Target::Node(self.node));
        let asked = async |connection: &mut Connection| {
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
        (mark, known): (&Mark, Option<(Mark, u64)>),
    ) -> RedisResult<Answer> {
        let (under, known) = known.unwrap_or_else(|| (mark.clone(), 0));
        let word = message::encode::<R>(self.node, ticket, Some(key), &[]);
        let own = self.channel(R::KIND, &Target::Node(self.node));
        let row = self.row_of::<R>(key)?;
        let asked = async |connection: &mut Connection| {
            let mut look = self.scripts.look.key(&row);
            look.key(self.mark_key()).key(changes_of(&row)).arg(&**mark);
            look.arg(connection.publish()).arg(&own).arg(&word).arg(known).arg(&*under);
            look.invoke_async::<Vec<Vec<u8>>>(connection).await
        };
        let answer = self.patiently(asked).await?;
        if answer.first().is_some_and(|version| version == b"-1") {
            return Ok(Answer::Lost);
        }
        let (version, written, state) = state(answer, mark)?;
        Ok(Answer::Found { version, written, state })
    }

    async fn replace<R: Record>(
        &self,
        key: &R::Key,
        (mark, expected): (&Mark, Option<(Mark, u64)>),
        (row, most): (Row, Option<u64>),
        tell: Tell,
        counts: &Counts,
    ) -> RedisResult<Answer> {
        let begins_or_ends = row == Row::Gone || expected.is_none() && row != Row::Same;
        let (under, expected) = expected.unwrap_or_else(|| (mark.clone(), 0));
        // Said only where it is another one.
        let under = if under == *mark { "" } else { &*under };
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
        let asked = async |connection: &mut Connection| {
            let mut replace = self.scripts.replace.key(&place);
            replace.key(self.mark_key()).key(changes_of(&place));
            if begins_or_ends {
                replace.key(self.number_of::<R>());
            }
            replace.arg(&**mark).arg(expected).arg(what).arg(&row).arg(&most);
            replace.arg(connection.publish()).arg(under).arg(&changes);
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
                let (version, written, state) = state(answer, mark)?;
                Answer::Conflict { version, written, state }
            }
        })
    }

    async fn restate<R: Record>(
        &self,
        key: &R::Key,
        mark: &Mark,
        (version, written): (u64, &Mark),
        row: Option<Written>,
    ) -> RedisResult<Answer> {
        let place = self.row_of::<R>(key)?;
        let mut restate = self.scripts.restate.key(&place);
        restate.key(self.mark_key()).key(changes_of(&place));
        restate.key(self.number_of::<R>()).arg(&**mark);
        restate.arg(version).arg(if row.is_some() { "row" } else { "ended" });
        let Written { row, leaves } = row.unwrap_or_default();
        restate.arg(row).arg(END_REMEMBERED_MS).arg(&**written);
        for (name, leaf) in &leaves {
            restate.arg(field(name)).arg(leaf.as_deref().unwrap_or_default());
        }
        let asked = async |connection: &mut Connection| restate.invoke_async(connection).await;
        let (version, is_there, written): (String, u8, String) = self.patiently(asked).await?;
        Ok(match &*version {
            "-1" => Answer::Lost,
            _ => Answer::Restated {
                version: number(version.as_bytes())?,
                written: written.into(),
                is_there: is_there == 1,
            },
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
        let asked = async |connection: &mut Connection| {
            pipe.query_async::<Vec<HashMap<String, Vec<u8>>>>(connection).await
        };
        let rows = self.patiently(asked).await.ok()?;
        Some(rows.into_iter().map(record_of).collect())
    }
}
