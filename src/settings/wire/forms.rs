//! Values that are not written as serde writes them: ids of groups, which may be numbers, and secrets.

use serde::{Deserialize, Deserializer, Serializer};

use crate::auth::Secret;

/// Keeps secrets out of the tree of defaults, which wants to know only that this is a list.
pub(super) fn no_secrets<S: Serializer>(_: &[Secret], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(std::iter::empty::<()>())
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a string or a whole number")]
enum TextOrNumber {
    Text(String),
    Number(u64),
}

impl From<TextOrNumber> for String {
    fn from(either: TextOrNumber) -> Self {
        match either {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }
    }
}

pub(super) fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<String, D::Error> {
    TextOrNumber::deserialize(deserializer).map(Into::into)
}

pub(super) fn texts_or_numbers<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    let list = Vec::<TextOrNumber>::deserialize(deserializer)?;
    Ok(list.into_iter().map(Into::into).collect())
}

pub(super) fn optional_text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    text_or_number(deserializer).map(Some)
}
