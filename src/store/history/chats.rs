//! Chats, and what was said in them, as the history keeps them.

use sqlx::{Row as _, any::AnyRow};

use super::{History, Line, MemoryHistory, broken, memory::at_once, number, time};
use crate::{
    clock::Timestamp,
    model::ids::{ChatId, GroupId, VisitorId},
    store::revoked::Answer,
};

/// A chat that began, and perhaps is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastChat {
    /// The tenant.
    pub group: GroupId,
    /// Which chat.
    pub chat: ChatId,
    /// Whose.
    pub visitor: VisitorId,
    /// When it began, by the wall clock.
    pub began: Timestamp,
    /// When it ended; `None` while it goes on, or when this service broke down before.
    pub ended: Option<Timestamp>,
    /// How it is or was, as JSON.
    pub summary: String,
}

/// Something that was said in a chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SaidLine {
    /// The tenant.
    pub group: GroupId,
    /// In which chat.
    pub chat: ChatId,
    /// Counts the messages of a chat from 1.
    pub n: u32,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// The message, as JSON.
    pub message: String,
}

/// Which chats: of a group, perhaps of one visitor, the newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChatQuery {
    /// The tenant.
    pub group: GroupId,
    /// Only those of this visitor.
    pub visitor: Option<VisitorId>,
    /// Only those that began before this one.
    pub before: Option<ChatId>,
    /// At most so many.
    pub limit: usize,
}

/// Whose chats are to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// One chat.
    Chat(ChatId),
    /// All of a visitor.
    Visitor(VisitorId),
}

/// Keeps chats. [`super::HistoryStore::put`] writes them.
pub trait ChatHistory: Send + Sync {
    /// One chat.
    fn chat<'a>(&'a self, group: &'a GroupId, chat: ChatId) -> Answer<'a, Option<PastChat>>;
    /// Chats, the newest first.
    fn chats(&self, query: ChatQuery) -> Answer<'_, Vec<PastChat>>;
    /// What was said in a chat after the message `after`, in its order; at most `limit`.
    fn said<'a>(
        &'a self,
        group: &'a GroupId,
        chat: ChatId,
        after: u32,
        limit: usize,
    ) -> Answer<'a, Vec<SaidLine>>;
    /// Erases chats with all that was said in them; gives the number of chats.
    fn erase<'a>(&'a self, group: &'a GroupId, erased: Erased) -> Answer<'a, u64>;
    /// Drops chats that ended, and what was said, before this moment.
    fn forget_chats_before(&self, moment: Timestamp) -> Answer<'_, ()>;
}

/// Makes the tables; a step of the storage's migrations.
pub(in crate::store) const TABLES: &str = "CREATE TABLE past_chats (
         group_id TEXT NOT NULL, chat TEXT NOT NULL, visitor TEXT NOT NULL, began INTEGER NOT NULL,
         ended INTEGER NOT NULL, summary TEXT NOT NULL, PRIMARY KEY (group_id, chat)
     );
     CREATE INDEX past_chats_by_visitor ON past_chats (group_id, visitor, chat);
     CREATE INDEX past_chats_by_begin ON past_chats (began);
     CREATE TABLE chat_messages (
         group_id TEXT NOT NULL, chat TEXT NOT NULL, n INTEGER NOT NULL, at INTEGER NOT NULL,
         message TEXT NOT NULL, PRIMARY KEY (group_id, chat, n)
     );
     CREATE INDEX chat_messages_by_time ON chat_messages (at);";

/// Stands for the end of a chat that goes on.
pub(super) const GOES_ON: i64 = 0;

fn past(row: &AnyRow) -> Result<PastChat, sqlx::Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let ended = time(row, "ended")?;
    Ok(PastChat {
        group: text("group_id")?.parse().map_err(|_| broken("group"))?,
        chat: text("chat")?.parse().map_err(|_| broken("chat"))?,
        visitor: text("visitor")?.parse().map_err(|_| broken("visitor"))?,
        began: time(row, "began")?,
        ended: (number(ended) != GOES_ON).then_some(ended),
        summary: text("summary")?,
    })
}

fn said(row: &AnyRow) -> Result<SaidLine, sqlx::Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    Ok(SaidLine {
        group: text("group_id")?.parse().map_err(|_| broken("group"))?,
        chat: text("chat")?.parse().map_err(|_| broken("chat"))?,
        n: u32::try_from(row.try_get::<i64, _>("n")?).map_err(|_| broken("number"))?,
        at: time(row, "at")?,
        message: text("message")?,
    })
}

impl ChatHistory for History {
    fn chat<'a>(&'a self, group: &'a GroupId, chat: ChatId) -> Answer<'a, Option<PastChat>> {
        Box::pin(async move {
            let read = async {
                let row = sqlx::query("SELECT * FROM past_chats WHERE group_id = $1 AND chat = $2")
                    .bind(group.as_str())
                    .bind(chat.to_string())
                    .fetch_optional(self.0.database().pool())
                    .await?;
                row.as_ref().map(past).transpose()
            };
            read.await.map_err(self.0.database().failed("past chats could not be read"))
        })
    }

    fn chats(&self, query: ChatQuery) -> Answer<'_, Vec<PastChat>> {
        Box::pin(async move {
            let read = async {
                // Ids sort by time. What is not asked for is a condition that always holds.
                let rows = sqlx::query(
                    "SELECT * FROM past_chats WHERE group_id = $1 AND ($2 IS NULL OR visitor = $2)
                     AND ($3 IS NULL OR chat < $3) ORDER BY chat DESC LIMIT $4",
                )
                .bind(query.group.as_str())
                .bind(query.visitor.as_ref().map(VisitorId::as_str))
                .bind(query.before.map(|before| before.to_string()))
                .bind(i64::try_from(query.limit).unwrap_or(i64::MAX))
                .fetch_all(self.0.database().pool())
                .await?;
                rows.iter().map(past).collect::<Result<_, _>>()
            };
            read.await.map_err(self.0.database().failed("past chats could not be read"))
        })
    }

    fn said<'a>(
        &'a self,
        group: &'a GroupId,
        chat: ChatId,
        after: u32,
        limit: usize,
    ) -> Answer<'a, Vec<SaidLine>> {
        Box::pin(async move {
            let read = async {
                let rows = sqlx::query(
                    "SELECT * FROM chat_messages WHERE group_id = $1 AND chat = $2 AND n > $3
                     ORDER BY n LIMIT $4",
                )
                .bind(group.as_str())
                .bind(chat.to_string())
                .bind(i64::from(after))
                .bind(i64::try_from(limit).unwrap_or(i64::MAX))
                .fetch_all(self.0.database().pool())
                .await?;
                rows.iter().map(said).collect::<Result<_, _>>()
            };
            read.await.map_err(self.0.database().failed("what was said could not be read"))
        })
    }

    fn erase<'a>(&'a self, group: &'a GroupId, erased: Erased) -> Answer<'a, u64> {
        Box::pin(async move {
            let erase = async {
                let (by, value) = match &erased {
                    Erased::Chat(chat) => ("chat", chat.to_string()),
                    Erased::Visitor(visitor) => ("visitor", visitor.to_string()),
                };
                let mut transaction = self.0.database().begin().await?;
                // The column is one of the two above.
                let messages = format!(
                    "DELETE FROM chat_messages WHERE group_id = $1 AND chat IN
                     (SELECT chat FROM past_chats WHERE group_id = $1 AND {by} = $2)"
                );
                let chats = format!("DELETE FROM past_chats WHERE group_id = $1 AND {by} = $2");
                let mut gone = 0;
                for statement in [messages, chats] {
                    gone = sqlx::query(sqlx::AssertSqlSafe(statement))
                        .bind(group.as_str())
                        .bind(&value)
                        .execute(&mut *transaction)
                        .await?
                        .rows_affected();
                }
                transaction.commit().await?;
                Ok(gone)
            };
            erase.await.map_err(self.0.database().failed("chats could not be erased"))
        })
    }

    fn forget_chats_before(&self, moment: Timestamp) -> Answer<'_, ()> {
        Box::pin(async move {
            let forget = async {
                for statement in [
                    "DELETE FROM chat_messages WHERE at < $1",
                    "DELETE FROM past_chats WHERE began < $1 AND ended < $1",
                ] {
                    sqlx::query(statement)
                        .bind(number(moment))
                        .execute(self.0.database().pool())
                        .await?;
                }
                Ok(())
            };
            forget.await.map_err(self.0.database().failed("old chats could not be dropped"))
        })
    }
}

impl ChatHistory for MemoryHistory {
    fn chat<'a>(&'a self, group: &'a GroupId, chat: ChatId) -> Answer<'a, Option<PastChat>> {
        let found = self.select(|line| match line {
            Line::Chat(past) if past.group == *group && past.chat == chat => Some(past.clone()),
            _ => None,
        });
        at_once(found.into_iter().next_back())
    }

    fn chats(&self, query: ChatQuery) -> Answer<'_, Vec<PastChat>> {
        let mut found = self.select(|line| match line {
            Line::Chat(past)
                if past.group == query.group
                    && query.visitor.as_ref().is_none_or(|visitor| past.visitor == *visitor)
                    && query.before.is_none_or(|before| past.chat < before) =>
            {
                Some(past.clone())
            }
            _ => None,
        });
        found.sort_by_key(|past| std::cmp::Reverse(past.chat));
        found.truncate(query.limit);
        at_once(found)
    }

    fn said<'a>(
        &'a self,
        group: &'a GroupId,
        chat: ChatId,
        after: u32,
        limit: usize,
    ) -> Answer<'a, Vec<SaidLine>> {
        let mut found = self.select(|line| match line {
            Line::Said(said) if said.group == *group && said.chat == chat && said.n > after => {
                Some(said.clone())
            }
            _ => None,
        });
        found.sort_by_key(|said| said.n);
        found.truncate(limit);
        at_once(found)
    }

    fn erase<'a>(&'a self, group: &'a GroupId, erased: Erased) -> Answer<'a, u64> {
        let gone = self.select(|line| match line {
            Line::Chat(past) if past.group == *group => match &erased {
                Erased::Chat(chat) => (past.chat == *chat).then_some(past.chat),
                Erased::Visitor(visitor) => (past.visitor == *visitor).then_some(past.chat),
            },
            _ => None,
        });
        self.0.lock().retain(|line| match line {
            Line::Chat(past) => past.group != *group || !gone.contains(&past.chat),
            Line::Said(said) => said.group != *group || !gone.contains(&said.chat),
            _ => true,
        });
        at_once(gone.len() as u64)
    }

    fn forget_chats_before(&self, moment: Timestamp) -> Answer<'_, ()> {
        self.0.lock().retain(|line| match line {
            Line::Chat(past) => {
                past.began >= moment || past.ended.is_some_and(|ended| ended >= moment)
            }
            Line::Said(said) => said.at >= moment,
            _ => true,
        });
        at_once(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{database::testing::Place, history::HistoryStore};

    fn past(chat: u128, visitor: &str, began: u64, ended: Option<u64>) -> PastChat {
        PastChat {
            group: "1".parse().unwrap(),
            chat: ChatId::from_u128(chat),
            visitor: visitor.parse().unwrap(),
            began: Timestamp(began),
            ended: ended.map(Timestamp),
            summary: format!("{{\"n\":{chat}}}"),
        }
    }

    fn line(chat: u128, n: u32, at: u64) -> SaidLine {
        let PastChat { group, chat, .. } = past(chat, "ada", 0, None);
        SaidLine { group, chat, n, at: Timestamp(at), message: format!("{{\"n\":{n}}}") }
    }

    async fn suite(store: &dyn HistoryStore) {
        let (group, other): (GroupId, GroupId) = ("1".parse().unwrap(), "2".parse().unwrap());
        let id = ChatId::from_u128;
        let chats =
            [past(1, "ada", 10, Some(15)), past(2, "bob", 20, None), past(3, "ada", 30, None)];
        store.put(chats.map(Line::Chat).into()).await.unwrap();
        let said = [line(1, 1, 11), line(1, 2, 12), line(3, 1, 31), line(3, 2, 32), line(3, 3, 33)];
        store.put(said.map(Line::Said).into()).await.unwrap();
        // Written twice, as after a failure.
        store.put(vec![Line::Said(line(3, 3, 33))]).await.unwrap();
        let query = |visitor: Option<&str>, before: Option<u128>, limit| ChatQuery {
            group: group.clone(),
            visitor: visitor.map(|visitor| visitor.parse().unwrap()),
            before: before.map(id),
            limit,
        };
        let began =
            |chats: Vec<PastChat>| chats.iter().map(|past| past.began.0).collect::<Vec<_>>();
        assert_eq!(began(store.chats(query(None, None, 9)).await.unwrap()), [30, 20, 10]);
        assert_eq!(began(store.chats(query(None, None, 1)).await.unwrap()), [30]);
        assert_eq!(began(store.chats(query(Some("ada"), Some(3), 9)).await.unwrap()), [10]);
        let ended = past(2, "bea", 20, Some(25));
        store.put(vec![Line::Chat(ended.clone())]).await.unwrap();
        assert_eq!(store.chat(&group, id(2)).await.unwrap(), Some(ended));
        assert_eq!(store.chat(&other, id(2)).await.unwrap(), None, "another group's");
        let numbers = |said: Vec<SaidLine>| said.iter().map(|line| line.n).collect::<Vec<_>>();
        assert_eq!(
            store.said(&group, id(1), 0, 9).await.unwrap(),
            [line(1, 1, 11), line(1, 2, 12)]
        );
        assert_eq!(numbers(store.said(&group, id(3), 1, 1).await.unwrap()), [2]);
        assert_eq!(numbers(store.said(&other, id(3), 0, 9).await.unwrap()), [0; 0]);
        // What is old goes; a chat that goes on stays as long as it is young.
        store.forget_chats_before(Timestamp(16)).await.unwrap();
        assert_eq!(began(store.chats(query(None, None, 9)).await.unwrap()), [30, 20]);
        assert_eq!(numbers(store.said(&group, id(1), 0, 9).await.unwrap()), [0; 0]);
        // A visitor wants to be forgotten; nobody else is.
        let ada = Erased::Visitor("ada".parse().unwrap());
        assert_eq!(store.erase(&other, ada.clone()).await.unwrap(), 0);
        assert_eq!(store.erase(&group, ada).await.unwrap(), 1);
        assert_eq!(numbers(store.said(&group, id(3), 0, 9).await.unwrap()), [0; 0]);
        assert_eq!(began(store.chats(query(None, None, 9)).await.unwrap()), [20]);
        assert_eq!(store.erase(&group, Erased::Chat(id(2))).await.unwrap(), 1);
        assert_eq!(store.erase(&group, Erased::Chat(id(2))).await.unwrap(), 0);
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
