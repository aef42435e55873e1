use std::{cmp::Ordering, fmt, str::FromStr, sync::Arc};

use super::{Facts, Row};
use crate::model::{
    error::Problem,
    presence::{MAX_KEY_CHARACTERS, Scalar},
};

/// The order of a list: `since`, `updated`, `help` (when it was asked for), `visitorid` or `data.KEY`, with `-` before it for the greatest first. Rows
/// without a value come last either way; rows with equal values are in the order of their visitor ids.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sort {
    by: By,
    descending: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum By {
    Visitor,
    Since,
    Updated,
    Help,
    Data(Box<str>),
}

/// What a row is sorted by. Numbers come before texts.
#[derive(Clone, Debug, PartialEq)]
pub enum Rank {
    /// A time.
    Time(u64),
    /// A finite number.
    Number(f64),
    /// A text, by its bytes.
    Text(Box<str>),
    /// No value: last.
    Missing,
}

/// A row with its place in an order.
#[derive(Clone, Debug)]
pub struct Place {
    /// What it is sorted by.
    pub rank: Rank,
    /// The row; its visitor id decides between equal ranks.
    pub row: Arc<Row>,
}

impl Sort {
    /// By visitor id, the least first.
    pub const BY_VISITOR: Self = Self { by: By::Visitor, descending: false };
    /// By the time of asking for help, the earliest first.
    pub const LONGEST_WAITING: Self = Self { by: By::Help, descending: false };
    /// By the time of becoming connected, the latest first.
    pub const NEWEST_FIRST: Self = Self { by: By::Since, descending: true };

    /// The place of a row in this order.
    #[must_use]
    pub fn place(&self, facts: &Facts<'_>, row: &Arc<Row>) -> Place {
        let rank = match &self.by {
            By::Visitor => Rank::Missing,
            By::Since => Rank::Time(row.since.0),
            By::Updated => Rank::Time(row.updated.0),
            By::Help => row.help.as_ref().map_or(Rank::Missing, |help| Rank::Time(help.asked.0)),
            By::Data(key) => match facts.value(key) {
                Some(Scalar::Text(text)) => Rank::Text(text.clone()),
                Some(Scalar::Number(number)) => number.as_f64().map_or(Rank::Missing, Rank::Number),
                None => Rank::Missing,
            },
        };
        Place { rank, row: Arc::clone(row) }
    }

    /// The order of two places: total, since no two rows have one visitor id.
    #[must_use]
    pub fn compare(&self, one: &Place, other: &Place) -> Ordering {
        self.compare_to(one, &other.rank, other.row.visitorid.as_str())
    }

    /// The order of a place and that of a row that may be gone.
    #[must_use]
    pub fn compare_to(&self, one: &Place, rank: &Rank, visitorid: &str) -> Ordering {
        let by_id = one.row.visitorid.as_str().cmp(visitorid);
        if self.by == By::Visitor {
            return if self.descending { by_id.reverse() } else { by_id };
        }
        let by_rank = match (&one.rank, rank) {
            (Rank::Missing, Rank::Missing) => Ordering::Equal,
            (Rank::Missing, _) => return Ordering::Greater,
            (_, Rank::Missing) => return Ordering::Less,
            (one, other) if self.descending => other.cmp(one),
            (one, other) => one.cmp(other),
        };
        by_rank.then(by_id)
    }

    /// Whether this is [`Sort::BY_VISITOR`].
    #[must_use]
    pub fn is_by_visitor(&self) -> bool {
        *self == Self::BY_VISITOR
    }
}

impl Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Time(one), Self::Time(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            _ => match (self.as_number(), other.as_number()) {
                (Some(one), Some(other)) => one.total_cmp(&other),
                _ => self.class().cmp(&other.class()),
            },
        }
    }

    fn class(&self) -> u8 {
        match self {
            Self::Time(_) | Self::Number(_) => 0,
            Self::Text(_) => 1,
            Self::Missing => 2,
        }
    }

    /// A cursor of another order may bring a time among numbers.
    #[allow(clippy::cast_precision_loss)]
    fn as_number(&self) -> Option<f64> {
        match self {
            Self::Time(time) => Some(*time as f64),
            Self::Number(number) => Some(*number + 0.0),
            Self::Text(_) | Self::Missing => None,
        }
    }
}

impl FromStr for Sort {
    type Err = Problem;

    fn from_str(text: &str) -> Result<Self, Problem> {
        let (descending, name) = text.strip_prefix('-').map_or((false, text), |name| (true, name));
        let by = match name {
            "visitorid" => By::Visitor,
            "since" => By::Since,
            "updated" => By::Updated,
            "help" => By::Help,
            _ => match name.strip_prefix("data.") {
                Some(key) if (1..=MAX_KEY_CHARACTERS).contains(&key.chars().count()) => {
                    By::Data(key.into())
                }
                _ => {
                    let rule = "must be visitorid, since, updated, help or data.KEY, with - before it \
                        for the greatest first";
                    return Err(Problem::field("sort", rule));
                }
            },
        };
        Ok(Self { by, descending })
    }
}

impl fmt::Display for Sort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.descending {
            f.write_str("-")?;
        }
        match &self.by {
            By::Visitor => f.write_str("visitorid"),
            By::Since => f.write_str("since"),
            By::Updated => f.write_str("updated"),
            By::Help => f.write_str("help"),
            By::Data(key) => write!(f, "data.{key}"),
        }
    }
}
