mod read;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;

use super::Facts;
use crate::model::{
    event::{TermsStatus, Visibility},
    help::{HelpStatus, HelpView},
    presence::Scalar,
};

/// Most clauses of one filter.
pub const MAX_CLAUSES: usize = 32;
/// Longest text that a clause compares with, in characters.
pub const MAX_VALUE_CHARACTERS: usize = 256;

/// Which visitors a list wants: those who fulfil every clause. Equal filters are equal however they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter(Vec<Clause>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Clause {
    Visitor(Match),
    Data(Box<str>, Test),
    /// In the visitor id or in any value.
    Anywhere(Box<str>),
    Anonymous(bool),
    Transit(bool),
    Visible(bool),
    Terms(Terms),
    /// No wish for help; or one, and whether an agent has it.
    Help(Option<bool>),
    Since(Bound),
    Updated(Bound),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Match {
    Equals(Box<str>),
    Prefix(Box<str>),
    /// In any case; kept in lower case.
    Contains(Box<str>),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Test {
    Text(Match),
    Exists(bool),
    Number(Comparison, Finite),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Bound {
    Before(u64),
    After(u64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Terms {
    None,
    Displayed,
    Accepted,
    Declined,
}

/// A finite number by its bits, so that filters can be compared and hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Finite(u64);

impl Finite {
    fn get(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Filter {
    /// Everybody.
    pub const ALL: Self = Self(Vec::new());

    /// Those who wait for help.
    #[must_use]
    pub fn waiting_for_help() -> Self {
        Self(vec![Clause::Help(Some(false))])
    }

    /// Whether it lets everybody pass.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a visitor is wanted.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.0.iter().all(|clause| clause.holds(facts))
    }
}

impl Clause {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let row = facts.row;
        match self {
            Self::Visitor(wanted) => wanted.holds(row.visitorid.as_str()),
            Self::Data(key, test) => test.holds(facts.value(key)),
            Self::Anywhere(text) => {
                contains(row.visitorid.as_str(), text)
                    || facts.values().any(|value| match value {
                        Scalar::Text(value) => contains(value, text),
                        Scalar::Number(number) => contains(&number.to_string(), text),
                    })
            }
            Self::Anonymous(anonymous) => row.anonymous == *anonymous,
            Self::Transit(transit) => (row.sockets == 0) == *transit,
            Self::Visible(visible) => row.visibility == Some(Visibility::from(*visible)),
            Self::Terms(terms) => {
                *terms
                    == match row.terms {
                        None => Terms::None,
                        Some(TermsStatus::Displayed) => Terms::Displayed,
                        Some(TermsStatus::Accepted) => Terms::Accepted,
                        Some(TermsStatus::Declined) => Terms::Declined,
                    }
            }
            Self::Help(wanted) => {
                let accepted = |help: &HelpView| help.status == HelpStatus::Accepted;
                *wanted == row.help.as_deref().map(accepted)
            }
            Self::Since(bound) => bound.holds(row.since.0),
            Self::Updated(bound) => bound.holds(row.updated.0),
        }
    }
}

impl Bound {
    fn holds(self, time: u64) -> bool {
        match self {
            Self::Before(bound) => time < bound,
            Self::After(bound) => time > bound,
        }
    }
}

impl Match {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Equals(wanted) => text == &**wanted,
            Self::Prefix(wanted) => text.starts_with(&**wanted),
            Self::Contains(wanted) => contains(text, wanted),
        }
    }
}

impl Test {
    fn holds(&self, value: Option<&Scalar>) -> bool {
        match (self, value) {
            (Self::Exists(exists), value) => value.is_some() == *exists,
            (_, None) => false,
            (Self::Text(wanted), Some(Scalar::Text(text))) => wanted.holds(text),
            (Self::Text(Match::Equals(wanted)), Some(Scalar::Number(number))) => {
                // As it was written, or another way to write the same number.
                let text = number.to_string();
                text == **wanted
                    || wanted.parse::<f64>().is_ok_and(|wanted| Some(wanted) == number.as_f64())
            }
            (Self::Text(wanted), Some(Scalar::Number(number))) => wanted.holds(&number.to_string()),
            (Self::Number(comparison, bound), Some(Scalar::Number(number))) => {
                let order = number.as_f64().and_then(|number| number.partial_cmp(&bound.get()));
                order.is_some_and(|order| comparison.holds(order))
            }
            (Self::Number(..), Some(Scalar::Text(_))) => false,
        }
    }
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

/// Whether `text` contains `wanted`, which is in lower case, in any case.
fn contains(text: &str, wanted: &str) -> bool {
    if text.is_ascii() && wanted.is_ascii() {
        let wanted = wanted.as_bytes();
        return wanted.is_empty()
            || text.as_bytes().windows(wanted.len()).any(|part| part.eq_ignore_ascii_case(wanted));
    }
    text.to_lowercase().contains(wanted)
}
