//! Events that could not be delivered, kept on disk until somebody sends them again or throws them away.

use sqlx::{Row, any::AnyRow};

use super::saved::{SavedState, StorageError};
use crate::clock::Timestamp;

/// Whose dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The group.
    pub group: String,
    /// The endpoint within the group.
    pub endpoint: String,
}

/// A dead letter that is about to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLetter {
    /// The event's name.
    pub event: String,
    /// The event as JSON text.
    pub body: String,
    /// Why it was given up, in one word.
    pub cause: String,
    /// What the last try met.
    pub error: String,
    /// How often it was tried.
    pub tries: u32,
    /// When it was given up.
    pub died: Timestamp,
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letter {
    /// Its number; greater in each later one.
    pub id: u64,
    /// The rest.
    pub letter: NewLetter,
}

/// Which letters of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// This one.
    One(u64),
    /// The oldest, at most so many.
    Oldest(u32),
}

/// The dead letters of all mailboxes, in the storage.
#[derive(Clone, Debug)]
pub struct DeadLetters(SavedState);

impl DeadLetters {
    /// Those of this storage.
    #[must_use]
    pub fn new(storage: SavedState) -> Self {
        Self(storage)
    }

    /// Keeps letters, of which the mailbox holds `most` at last: the oldest go. Gives the number of those that went.
    ///
    /// # Errors
    /// The storage cannot be written; then none is kept.
    pub async fn bury(
        &self,
        mailbox: &Mailbox,
        letters: Vec<NewLetter>,
        most: u64,
    ) -> Result<u64, StorageError> {
        let bury = async {
            let mut transaction = self.0.database().begin().await?;
            for letter in letters {
                sqlx::query(
                    "INSERT INTO dead_letters (group_id, endpoint, event, body, cause, error, tries, died)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
                )
                .bind(&mailbox.group)
                .bind(&mailbox.endpoint)
                .bind(letter.event)
                .bind(letter.body)
                .bind(letter.cause)
                .bind(letter.error)
                .bind(i64::from(letter.tries))
                .bind(signed(letter.died.0))
                .execute(&mut *transaction)
                .await?;
            }
            let gone = sqlx::query(
                "DELETE FROM dead_letters WHERE group_id = $1 AND endpoint = $2 AND id NOT IN
                 (SELECT id FROM dead_letters WHERE group_id = $1 AND endpoint = $2 ORDER BY id DESC LIMIT $3)",
            )
            .bind(&mailbox.group)
            .bind(&mailbox.endpoint)
            .bind(signed(most))
            .execute(&mut *transaction)
            .await?;
            transaction.commit().await?;
            Ok(gone.rows_affected())
        };
        bury.await.map_err(self.0.database().failed("dead letters could not be kept"))
    }

    /// Reads letters in their order, at most `limit` after the one with the number `after`.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub async fn list(
        &self,
        mailbox: &Mailbox,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Letter>, StorageError> {
        let rows = sqlx::query(
            "SELECT id, event, body, cause, error, tries, died FROM dead_letters
             WHERE group_id = $1 AND endpoint = $2 AND id > $3 ORDER BY id LIMIT $4",
        )
        .bind(&mailbox.group)
        .bind(&mailbox.endpoint)
        .bind(signed(after))
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.0.database().pool());
        let letters = async { rows.await?.iter().map(letter).collect::<Result<Vec<_>, _>>() };
        letters.await.map_err(self.0.database().failed("dead letters could not be read"))
    }

    /// How many letters the mailbox holds.
    ///
    /// # Errors
    /// The storage cannot be read.
    pub async fn count(&self, mailbox: &Mailbox) -> Result<u64, StorageError> {
        let count = sqlx::query_scalar::<_, i64>(
            "SELECT COUNT(*) FROM dead_letters WHERE group_id = $1 AND endpoint = $2",
        )
        .bind(&mailbox.group)
        .bind(&mailbox.endpoint)
        .fetch_one(self.0.database().pool())
        .await;
        count
            .map(|count| u64::try_from(count).unwrap_or_default())
            .map_err(self.0.database().failed("dead letters could not be counted"))
    }

    /// Takes letters out, in their order.
    ///
    /// # Errors
    /// The storage cannot be written; then they are all still there.
    pub async fn take(&self, mailbox: &Mailbox, which: Which) -> Result<Vec<Letter>, StorageError> {
        let take = async {
            let of_mailbox = match which {
                Which::One(id) => sqlx::query(
                    "DELETE FROM dead_letters WHERE group_id = $1 AND endpoint = $2 AND id = $3
                     RETURNING id, event, body, cause, error, tries, died",
                )
                .bind(&mailbox.group)
                .bind(&mailbox.endpoint)
                .bind(signed(id)),
                Which::Oldest(limit) => sqlx::query(
                    "DELETE FROM dead_letters WHERE group_id = $1 AND endpoint = $2 AND id IN
                     (SELECT id FROM dead_letters WHERE group_id = $1 AND endpoint = $2 ORDER BY id LIMIT $3)
                     RETURNING id, event, body, cause, error, tries, died",
                )
                .bind(&mailbox.group)
                .bind(&mailbox.endpoint)
                .bind(i64::from(limit)),
            };
            let rows = of_mailbox.fetch_all(self.0.database().pool()).await?;
            let mut letters = rows.iter().map(letter).collect::<Result<Vec<_>, _>>()?;
            // The order of what RETURNING gives is not defined.
            letters.sort_by_key(|letter| letter.id);
            Ok(letters)
        };
        take.await.map_err(self.0.database().failed("dead letters could not be taken out"))
    }

    /// Throws all letters of the mailbox away; gives their number.
    ///
    /// # Errors
    /// The storage cannot be written.
    pub async fn clear(&self, mailbox: &Mailbox) -> Result<u64, StorageError> {
        let cleared = sqlx::query("DELETE FROM dead_letters WHERE group_id = $1 AND endpoint = $2")
            .bind(&mailbox.group)
            .bind(&mailbox.endpoint)
            .execute(self.0.database().pool())
            .await;
        cleared
            .map(|cleared| cleared.rows_affected())
            .map_err(self.0.database().failed("dead letters could not be thrown away"))
    }
}

fn letter(row: &AnyRow) -> Result<Letter, sqlx::Error> {
    let unsigned = |number: i64| u64::try_from(number).unwrap_or_default();
    Ok(Letter {
        id: unsigned(row.try_get("id")?),
        letter: NewLetter {
            event: row.try_get("event")?,
            body: row.try_get("body")?,
            cause: row.try_get("cause")?,
            error: row.try_get("error")?,
            tries: u32::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u32::MAX),
            died: Timestamp(unsigned(row.try_get("died")?)),
        },
    })
}

/// Whole numbers of databases have a sign.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::testing::Place;

    async fn open(place: &Place) -> DeadLetters {
        DeadLetters::new(place.open().await)
    }

    fn mailbox(endpoint: &str) -> Mailbox {
        Mailbox { group: "12345".into(), endpoint: endpoint.into() }
    }

    fn new(event: usize) -> NewLetter {
        NewLetter {
            event: event.to_string(),
            body: "{}".into(),
            cause: "failed".into(),
            error: "status 500".into(),
            tries: 3,
            died: Timestamp(1_700_000_000_000),
        }
    }

    fn events(letters: &[Letter]) -> Vec<&str> {
        letters.iter().map(|letter| letter.letter.event.as_str()).collect()
    }

    #[actix_rt::test]
    async fn letters_are_kept_in_their_order_and_within_the_bound() {
        for place in Place::all().await {
            let letters = open(&place).await;
            let (one, other) = (mailbox("one"), mailbox("other"));
            assert_eq!(letters.bury(&one, (0..3).map(new).collect(), 4).await.unwrap(), 0);
            assert_eq!(letters.bury(&other, vec![new(9)], 4).await.unwrap(), 0);
            assert_eq!(letters.bury(&one, (3..6).map(new).collect(), 4).await.unwrap(), 2);
            let letters = open(&place).await;
            let all = letters.list(&one, 0, 100).await.unwrap();
            assert_eq!(events(&all), ["2", "3", "4", "5"]);
            assert_eq!(all[0].letter, new(2));
            let rest = letters.list(&one, all[0].id, 2).await.unwrap();
            assert_eq!(events(&rest), ["3", "4"]);
            assert_eq!(letters.count(&one).await.unwrap(), 4);
            assert_eq!(letters.count(&other).await.unwrap(), 1);
            place.remove().await;
        }
    }

    #[actix_rt::test]
    async fn letters_are_taken_out_once() {
        for place in Place::all().await {
            let (letters, one) = (open(&place).await, mailbox("one"));
            letters.bury(&one, (0..5).map(new).collect(), 10).await.unwrap();
            let second = letters.list(&one, 0, 2).await.unwrap()[1].id;
            assert!(letters.take(&mailbox("other"), Which::One(second)).await.unwrap().is_empty());
            let taken = letters.take(&one, Which::One(second)).await.unwrap();
            assert_eq!(events(&taken), ["1"]);
            assert!(letters.take(&one, Which::One(second)).await.unwrap().is_empty());
            let taken = letters.take(&one, Which::Oldest(2)).await.unwrap();
            assert_eq!(events(&taken), ["0", "2"]);
            assert_eq!(letters.clear(&one).await.unwrap(), 2);
            assert_eq!(letters.count(&one).await.unwrap(), 0);
            place.remove().await;
        }
    }
}
