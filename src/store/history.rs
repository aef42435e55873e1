//! Co-browse sessions that are over, what visitors agreed to, and chats: a seam with two sides, [`History`] in the storage on disk
//! and [`MemoryHistory`], and one suite for both.

mod chats;
mod memory;

use sqlx::{Row as _, any::AnyRow};

pub(super) use self::chats::TABLES as CHAT_TABLES;
pub use self::{
    chats::{ChatHistory, ChatQuery, Erased, PastChat, SaidLine},
    memory::MemoryHistory,
};
use super::{revoked::Answer, saved::SavedState};
use crate::{
    clock::Timestamp,
    model::ids::{GroupId, SessionId, VisitorId},
};

/// A session that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastSession {
    /// The tenant.
    pub group: GroupId,
    /// Which session.
    pub session: SessionId,
    /// Who shared.
    pub visitor: VisitorId,
    /// When it ended, by the wall clock.
    pub ended: Timestamp,
    /// How it was, as JSON.
    pub summary: String,
}

/// A line of the consent ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsentLine {
    /// The tenant.
    pub group: GroupId,
    /// In which session.
    pub session: SessionId,
    /// Who was asked.
    pub visitor: VisitorId,
    /// When, by the wall clock.
    pub time: Timestamp,
    /// What happened, as JSON.
    pub entry: String,
}

/// What is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A session ended.
    Session(PastSession),
    /// A visitor was asked, or answered.
    Consent(ConsentLine),
    /// A chat began, or stands otherwise.
    Chat(PastChat),
    /// Something was said in one.
    Said(SaidLine),
}

/// Which past sessions: of a group, perhaps of one visitor, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastQuery {
    /// The tenant.
    pub group: GroupId,
    /// Only those of this visitor.
    pub visitor: Option<VisitorId>,
    /// Only those that began before this one.
    pub before: Option<SessionId>,
    /// At most so many.
    pub limit: usize,
}

/// Keeps past sessions and the consent ledger. What was answered with `Ok` is there after kill -9.
pub trait HistoryStore: ChatHistory {
    /// Keeps these, all in one step. A session, or a chat, that is kept already is replaced; a consent, or what was said,
    /// stays as it is.
    fn put(&self, lines: Vec<Line>) -> Answer<'_, ()>;
    /// One past session.
    fn session<'a>(
        &'a self,
        group: &'a GroupId,
        session: SessionId,
    ) -> Answer<'a, Option<PastSession>>;
    /// Past sessions, the newest first.
    fn sessions(&self, query: PastQuery) -> Answer<'_, Vec<PastSession>>;
    /// The ledger's lines of one session, in their order.
    fn consents<'a>(
        &'a self,
        group: &'a GroupId,
        session: SessionId,
    ) -> Answer<'a, Vec<ConsentLine>>;
    /// Drops sessions that ended, and consents that were given, before these moments.
    fn forget_before(&self, sessions: Timestamp, consents: Timestamp) -> Answer<'_, ()>;
}

/// The history in the storage on disk.
#[derive(Clone, Debug)]
pub struct History(SavedState);

impl History {
    /// That in this storage.
    #[must_use]
    pub fn of(storage: &SavedState) -> Self {
        Self(storage.clone())
    }
}

/// Makes the tables; a step of the storage's migrations.
pub(super) const TABLES: &str = "CREATE TABLE past_sessions (
         group_id TEXT NOT NULL, session TEXT NOT NULL, visitor TEXT NOT NULL, ended INTEGER NOT NULL,
         summary TEXT NOT NULL, PRIMARY KEY (group_id, session)
     );
     CREATE INDEX past_sessions_by_visitor ON past_sessions (group_id, visitor, session);
     CREATE INDEX past_sessions_by_end ON past_sessions (ended);
     CREATE TABLE consents (
         id INTEGER PRIMARY KEY AUTOINCREMENT, group_id TEXT NOT NULL, session TEXT NOT NULL,
         visitor TEXT NOT NULL, time INTEGER NOT NULL, entry TEXT NOT NULL
     );
     CREATE INDEX consents_by_session ON consents (group_id, session, id);
     CREATE INDEX consents_by_time ON consents (time);";

fn number(time: Timestamp) -> i64 {
    i64::try_from(time.0).unwrap_or(i64::MAX)
}

fn broken(what: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("a line of the history has a bad {what}").into())
}

fn time(row: &AnyRow, column: &str) -> Result<Timestamp, sqlx::Error> {
    Ok(Timestamp(u64::try_from(row.try_get::<i64, _>(column)?).unwrap_or_default()))
}

type Ids = (GroupId, SessionId, VisitorId);

fn ids(row: &AnyRow) -> Result<Ids, sqlx::Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok((
        text("group_id")?.parse().map_err(|_| broken("group"))?,
        text("session")?.parse().map_err(|_| broken("session"))?,
        text("visitor")?.parse().map_err(|_| broken("visitor"))?,
    ))
}

fn past(row: &AnyRow) -> Result<PastSession, sqlx::Error> {
    let (group, session, visitor) = ids(row)?;
    let (ended, summary) = (time(row, "ended")?, row.try_get("summary")?);
    Ok(PastSession { group, session, visitor, ended, summary })
}

fn consent(row: &AnyRow) -> Result<ConsentLine, sqlx::Error> {
    let (group, session, visitor) = ids(row)?;
    let (time, entry) = (time(row, "time")?, row.try_get("entry")?);
    Ok(ConsentLine { group, session, visitor, time, entry })
}

impl HistoryStore for History {
    fn put(&self, lines: Vec<Line>) -> Answer<'_, ()> {
        Box::pin(async move {
            let put = async {
                let mut transaction = self.0.database().begin().await?;
                for line in &lines {
                    let statement = match line {
                        Line::Session(past) => sqlx::query(
                            "INSERT INTO past_sessions (group_id, session, visitor, ended, summary)
                             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (group_id, session)
                             DO UPDATE SET visitor = $3, ended = $4, summary = $5",
                        )
                        .bind(past.group.as_str())
                        .bind(past.session.to_string())
                        .bind(past.visitor.as_str())
                        .bind(number(past.ended))
                        .bind(&past.summary),
                        Line::Consent(line) => sqlx::query(
                            "INSERT INTO consents (group_id, session, visitor, time, entry)
                             SELECT $1, $2, $3, CAST($4 AS BIGINT), $5 WHERE NOT EXISTS
                             (SELECT 1 FROM consents WHERE group_id = $1 AND session = $2 AND entry = $5)",
                        )
                        .bind(line.group.as_str())
                        .bind(line.session.to_string())
                        .bind(line.visitor.as_str())
                        .bind(number(line.time))
                        .bind(&line.entry),
                        Line::Chat(past) => sqlx::query(
                            "INSERT INTO past_chats (group_id, chat, visitor, began, ended, summary)
                             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (group_id, chat)
                             DO UPDATE SET visitor = $3, ended = $5, summary = $6",
                        )
                        .bind(past.group.as_str())
                        .bind(past.chat.to_string())
                        .bind(past.visitor.as_str())
                        .bind(number(past.began))
                        .bind(past.ended.map_or(chats::GOES_ON, number))
                        .bind(&past.summary),
                        Line::Said(said) => sqlx::query(
                            "INSERT INTO chat_messages (group_id, chat, n, at, message)
                             VALUES ($1, $2, $3, $4, $5) ON CONFLICT (group_id, chat, n) DO NOTHING",
                        )
                        .bind(said.group.as_str())
                        .bind(said.chat.to_string())
                        .bind(i64::from(said.n))
                        .bind(number(said.at))
                        .bind(&said.message),
                    };
                    statement.execute(&mut *transaction).await?;
                }
                transaction.commit().await
            };
            put.await.map_err(self.0.database().failed("the history could not be written"))
        })
    }

    fn session<'a>(
        &'a self,
        group: &'a GroupId,
        session: SessionId,
    ) -> Answer<'a, Option<PastSession>> {
        Box::pin(async move {
            let read = async {
                let row =
                    sqlx::query("SELECT * FROM past_sessions WHERE group_id = $1 AND session = $2")
                        .bind(group.as_str())
                        .bind(session.to_string())
                        .fetch_optional(self.0.database().pool())
                        .await?;
                row.as_ref().map(past).transpose()
            };
            read.await.map_err(self.0.database().failed("the history could not be read"))
        })
    }

    fn sessions(&self, query: PastQuery) -> Answer<'_, Vec<PastSession>> {
        Box::pin(async move {
            let read = async {
                // Session ids sort by time. What is not asked for is a condition that always holds.
                let visitor = query.visitor.as_ref().map(VisitorId::as_str);
                let before = query.before.map(|before| before.to_string());
                let rows = sqlx::query(
                    "SELECT * FROM past_sessions WHERE group_id = $1 AND ($2 IS NULL OR visitor = $2)
                     AND ($3 IS NULL OR session < $3) ORDER BY session DESC LIMIT $4",
                )
                .bind(query.group.as_str())
                .bind(visitor)
                .bind(before)
                .bind(i64::try_from(query.limit).unwrap_or(i64::MAX))
                .fetch_all(self.0.database().pool())
                .await?;
                rows.iter().map(past).collect::<Result<_, _>>()
            };
            read.await.map_err(self.0.database().failed("the history could not be read"))
        })
    }

    fn consents<'a>(
        &'a self,
        group: &'a GroupId,
        session: SessionId,
    ) -> Answer<'a, Vec<ConsentLine>> {
        Box::pin(async move {
            let read = async {
                let select =
                    "SELECT * FROM consents WHERE group_id = $1 AND session = $2 ORDER BY id";
                let rows = sqlx::query(select)
                    .bind(group.as_str())
                    .bind(session.to_string())
                    .fetch_all(self.0.database().pool())
                    .await?;
                rows.iter().map(consent).collect::<Result<_, _>>()
            };
            read.await.map_err(self.0.database().failed("the consent ledger could not be read"))
        })
    }

    fn forget_before(&self, sessions: Timestamp, consents: Timestamp) -> Answer<'_, ()> {
        Box::pin(async move {
            let forget = async {
                sqlx::query("DELETE FROM past_sessions WHERE ended < $1")
                    .bind(number(sessions))
                    .execute(self.0.database().pool())
                    .await?;
                sqlx::query("DELETE FROM consents WHERE time < $1")
                    .bind(number(consents))
                    .execute(self.0.database().pool())
                    .await
            };
            forget
                .await
                .map(drop)
                .map_err(self.0.database().failed("old history could not be dropped"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::testing::Place;

    fn past(session: u128, visitor: &str, ended: u64) -> PastSession {
        PastSession {
            group: "1".parse().unwrap(),
            session: SessionId::from_u128(session),
            visitor: visitor.parse().unwrap(),
            ended: Timestamp(ended),
            summary: format!("{{\"n\":{session}}}"),
        }
    }

    fn consent(session: u128, time: u64) -> ConsentLine {
        let PastSession { group, session, visitor, .. } = past(session, "ada", 0);
        ConsentLine { group, session, visitor, time: Timestamp(time), entry: time.to_string() }
    }

    async fn suite(store: &dyn HistoryStore) {
        let (group, other): (GroupId, GroupId) = ("1".parse().unwrap(), "2".parse().unwrap());
        let lines = [past(1, "ada", 10), past(2, "bob", 20), past(3, "ada", 30)].map(Line::Session);
        store.put(lines.into()).await.unwrap();
        store
            .put([consent(1, 5), consent(3, 25), consent(3, 26)].map(Line::Consent).into())
            .await
            .unwrap();
        let query = |visitor: Option<&str>, before: Option<u128>, limit| PastQuery {
            group: group.clone(),
            visitor: visitor.map(|visitor| visitor.parse().unwrap()),
            before: before.map(SessionId::from_u128),
            limit,
        };
        let found = |sessions: Vec<PastSession>| -> Vec<u64> {
            sessions.iter().map(|past| past.ended.0).collect()
        };
        assert_eq!(found(store.sessions(query(None, None, 9)).await.unwrap()), [30, 20, 10]);
        assert_eq!(found(store.sessions(query(None, None, 2)).await.unwrap()), [30, 20]);
        assert_eq!(found(store.sessions(query(None, Some(2), 9)).await.unwrap()), [10]);
        assert_eq!(found(store.sessions(query(Some("ada"), None, 9)).await.unwrap()), [30, 10]);
        let two = SessionId::from_u128(2);
        assert_eq!(store.session(&group, two).await.unwrap(), Some(past(2, "bob", 20)));
        assert_eq!(store.session(&other, two).await.unwrap(), None, "another group's");
        let again = past(2, "bob", 21);
        store.put(vec![Line::Session(again.clone())]).await.unwrap();
        assert_eq!(store.session(&group, two).await.unwrap(), Some(again));
        let three = SessionId::from_u128(3);
        // Said again at the session's end, with one that had been lost.
        let again = [consent(3, 25), consent(3, 26), consent(3, 27), consent(3, 27)];
        store.put(again.map(Line::Consent).into()).await.unwrap();
        let consents = store.consents(&group, three).await.unwrap();
        assert_eq!(consents, [consent(3, 25), consent(3, 26), consent(3, 27)]);
        store.forget_before(Timestamp(21), Timestamp(26)).await.unwrap();
        assert_eq!(found(store.sessions(query(None, None, 9)).await.unwrap()), [30, 21]);
        let left = [consent(3, 26), consent(3, 27)];
        assert_eq!(store.consents(&group, three).await.unwrap(), left);
    }

    #[actix_rt::test]
    async fn all_sides_pass_the_suite() {
        suite(&MemoryHistory::default()).await;
        for place in Place::all().await {
            suite(&History::of(&place.open().await)).await;
            place.remove().await;
        }
    }
}
