//! JSON that passes through unread, and what is wrong with JSON that is read.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

/// A JSON value kept as its text: parsed once for validity, shared by all who pass it on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.get()
    }

    /// The JSON text of `value`; `null` for what JSON cannot say.
    pub fn of(value: &impl Serialize) -> Self {
        serde_json::value::to_raw_value(value).map_or_else(|_| Self::null(), |raw| Self(raw.into()))
    }

    /// `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(RawValue::NULL.to_owned().into())
    }

    /// For `deserialize_with`: tells `null` from nothing, since a signal's data may be `null`.
    ///
    /// # Errors
    /// The deserializer's.
    pub fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Self>, D::Error> {
        Self::deserialize(deserializer).map(Some)
    }
}

/// What is wrong, without the place, and without the value that the library quotes: what somebody puts into the wrong
/// field may be a secret, and answers are logged by those who get them.
#[must_use]
pub fn sentence(error: &serde_json::Error) -> String {
    let whole = error.to_string();
    // Text of our own may say anything before it; the place comes last.
    let sentence = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(sentence, _)| sentence);
    let is_quoting = ["invalid type: ", "invalid value: ", "unknown variant "];
    let Some(kind) = is_quoting.into_iter().find(|kind| sentence.starts_with(kind)) else {
        return sentence.to_owned();
    };
    let Some((said, expected)) = sentence.rsplit_once(", expected ") else {
        return kind.trim_end_matches([':', ' ']).to_owned();
    };
    // The type's name: `string "…"`, `integer `5``, `map`.
    let found = said.strip_prefix(kind).unwrap_or_default();
    let found = found.split([' ', '"', '`']).next().unwrap_or_default();
    format!("{}, expected {expected}", format!("{kind}{found}").trim_end())
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for Json {}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum Choice {
        #[serde(rename = "this")]
        This,
        #[serde(rename = "that")]
        That,
    }

    fn of<T: serde::de::DeserializeOwned>(text: &str) -> String {
        sentence(&serde_json::from_str::<T>(text).err().unwrap())
    }

    #[test]
    fn sentences_quote_no_value() {
        assert_eq!(
            of::<u64>(r#""a secret, expected or not""#),
            "invalid type: string, expected u64"
        );
        assert_eq!(of::<u64>("-5"), "invalid value: integer, expected u64");
        assert_eq!(of::<u64>("{}"), "invalid type: map, expected u64");
        assert_eq!(of::<Choice>(r#""a secret""#), "unknown variant, expected `this` or `that`");
        assert_eq!(of::<u64>("[1"), "invalid type: sequence, expected u64");
        assert_eq!(of::<Vec<u64>>("[1"), "EOF while parsing a list");
    }
}
