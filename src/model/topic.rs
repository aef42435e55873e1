//! Topics and the filters that choose among them, by the rules of MQTT (version 5.0, section 4.7).
//!
//! Levels are parted by `/`, and an empty level is a level. In a filter `+` stands for exactly one level, whatever it holds,
//! and `#`, alone in the last level, for the level before it and everything below. A filter that begins with one of the two
//! chooses no topic that begins with `$`. `tests/fixtures/topic-filters.json` holds examples; the SDK is tested with the same.

mod message;
mod rights;
mod wish;

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub use self::{
    message::{Epoch, Message, Position, TopicMessage},
    rights::{MAX_FILTERS, Party, Rights, RightsWish},
    wish::{
        MAX_EXPIRY_SECONDS, PublishWish, Resume, SubscribeWish, TopicAnswer, TopicCall, expiry_ms,
    },
};
use super::ids::{InvalidId, checked_text};

/// Longest topic or filter, in bytes. MQTT allows 65,535, which is more than one of our frames holds.
pub const MAX_BYTES: usize = 1_024;
/// Most levels of a topic or filter.
pub const MAX_LEVELS: usize = 32;

/// A topic that messages are published to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(
    value_type = String, min_length = 1, max_length = 1024, example = "truck/0001/temperature",
    pattern = r"^([^~+#/\x00][^+#/\x00]*)?(/[^+#/\x00]*){0,31}$"
)]
pub struct Topic(Arc<str>);

/// A pattern that chooses topics.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(
    value_type = String, min_length = 1, max_length = 1024, example = "truck/+/temperature",
    pattern = r"^(#|(\+|[^~+#/\x00][^+#/\x00]*)?(/(\+|[^+#/\x00]*)){0,30}(/(\+|#|[^+#/\x00]*))?)$"
)]
pub struct TopicFilter(Arc<str>);

impl Topic {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels; at least one.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Whether wildcards in the first level of a filter pass it by.
    #[must_use]
    pub fn is_special(&self) -> bool {
        self.0.starts_with('$')
    }
}

impl TopicFilter {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels; at least one.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// What every topic that the filter chooses begins with: all before the first wildcard, without the `/` that is
    /// missing where `#` stands for its parent.
    #[must_use]
    pub fn prefix(&self) -> &str {
        let literal = self.0.split(['+', '#']).next().unwrap_or_default();
        if self.0.len() > literal.len() && self.0.ends_with('#') {
            literal.strip_suffix('/').unwrap_or(literal)
        } else {
            literal
        }
    }

    /// Whether the filter chooses `topic`.
    #[must_use]
    pub fn matches(&self, topic: &Topic) -> bool {
        if self.begins_with_wildcard() && topic.is_special() {
            return false;
        }
        let mut topic = topic.levels();
        for level in self.levels() {
            match (level, topic.next()) {
                // Its parent has been matched level by level.
                ("#", _) => return true,
                ("+", Some(_)) => {}
                (literal, Some(level)) if literal == level => {}
                _ => return false,
            }
        }
        topic.next().is_none()
    }

    /// Whether the filter chooses every topic that `other` does.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.begins_with_wildcard() && other.0.starts_with('$') {
            return false;
        }
        let (mut mine, mut others) = (self.spread(), other.spread());
        loop {
            match (mine.next(), others.next()) {
                (Some("#"), _) | (None, None) => return true,
                (Some("+"), Some(level)) if level != "#" => {}
                (Some(literal), Some(level)) if literal == level => {}
                _ => return false,
            }
        }
    }

    /// The levels, with `#` alone written as `+/#`: every topic has a first level.
    fn spread(&self) -> impl Iterator<Item = &str> {
        (*self.0 == *"#").then_some("+").into_iter().chain(self.levels())
    }

    fn begins_with_wildcard(&self) -> bool {
        self.0.starts_with(['+', '#'])
    }
}

/// The rules that topics and filters have in common.
fn check(text: &str) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > MAX_BYTES {
        return Err("1 to 1024 bytes of UTF-8");
    }
    if text.split('/').count() > MAX_LEVELS {
        return Err("at most 32 levels between slashes");
    }
    if text.contains('\0') {
        return Err("text without U+0000");
    }
    if text.starts_with('~') {
        return Err(
            "a name that does not begin with ~: those are topics of a page, and stay there",
        );
    }
    Ok(())
}

fn check_topic(text: &str) -> Result<(), &'static str> {
    check(text)?;
    if text.contains(['+', '#']) {
        return Err("a name without the wildcards + and #");
    }
    Ok(())
}

fn check_filter(text: &str) -> Result<(), &'static str> {
    check(text)?;
    let mut levels = text.split('/').peekable();
    if levels.peek() == Some(&"$share") {
        return Err("for one subscriber alone: shared subscriptions ($share) are not offered");
    }
    while let Some(level) = levels.next() {
        if level.contains('+') && level != "+" {
            return Err("a filter in which each + stands alone between slashes");
        }
        if level.contains('#') && (level != "#" || levels.peek().is_some()) {
            return Err("a filter in which # stands alone in the last level");
        }
    }
    Ok(())
}

checked_text!(Topic, "topic", check_topic);
checked_text!(TopicFilter, "filter", check_filter);

#[cfg(test)]
mod tests;
