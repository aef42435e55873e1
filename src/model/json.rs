//! JSON that passes through unread, and what is wrong with JSON that is read.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::error::{ErrorCode, Problem};

/// How deep JSON from outside may nest. `serde_json` would go to 128, and values that pass through unread have no bound
/// of their own; whoever reads them in the end may be less careful.
pub const MAX_DEPTH: usize = 32;
const TOO_DEEP: &str = "must not nest deeper than 32 levels";

/// Checks that no value in `text` lies deeper than [`MAX_DEPTH`], before anything recurses into it.
///
/// # Errors
/// `toolarge` on `field`.
pub fn check_depth(text: &[u8], field: &str) -> Result<(), Problem> {
    // Text that does not open so often cannot be so deep; nearly all of it does not.
    let opens = |byte: u8| byte | 0x20 == b'{';
    let count = |part: &[u8]| part.iter().map(|byte| u8::from(opens(*byte))).sum::<u8>();
    if text.chunks(255).map(|part| usize::from(count(part))).sum::<usize>() <= MAX_DEPTH {
        return Ok(());
    }
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'{' | b'[' if !quoted => depth += 1,
            b'}' | b']' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            let problem = Problem::field(field, TOO_DEEP);
            return Err(Problem { code: ErrorCode::TooLarge, ..problem });
        }
    }
    Ok(())
}

/// Whether a problem is that of [`check_depth`], for counting it.
#[must_use]
pub fn is_too_deep(problem: &Problem) -> bool {
    problem.message == TOO_DEEP
}

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

/// A whole number, however JSON writes it: `77` and `77.0` are one number, to a JSON schema too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Whole(pub u64);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = serde_json::Number::deserialize(deserializer)?;
        let whole = number.as_u64().or_else(|| {
            // Exact up to 2^53, where a float still tells whole numbers apart.
            let float = number.as_f64().filter(|float| float.fract() == 0.0)?;
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            (0.0..=9_007_199_254_740_992.0).contains(&float).then_some(float as u64)
        });
        whole.map(Self).ok_or_else(|| serde::de::Error::custom("must be a whole number"))
    }
}

/// What is wrong, without the place, and without the value or name that the library quotes: what somebody puts into the
/// wrong field may be a secret, and may be long; and answers are logged by those who get them.
#[must_use]
pub fn sentence(error: &impl fmt::Display) -> String {
    let whole = error.to_string();
    // Text of our own may say anything before it; the place comes last.
    let sentence = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(sentence, _)| sentence);
    let is_quoting = ["invalid type: ", "invalid value: ", "unknown variant ", "unknown field "];
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
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn nested(depth: usize) -> Value {
        (0..depth).fold(
            json!(1),
            |inner, n| if n % 2 == 0 { json!([inner]) } else { json!({"a": inner}) },
        )
    }

    fn depth(value: &Value) -> usize {
        match value {
            Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
            Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[test]
    fn the_limit_is_exact_and_brackets_in_texts_do_not_count() {
        let check = |text: &str| check_depth(text.as_bytes(), "message");
        assert_eq!(check(&nested(MAX_DEPTH).to_string()), Ok(()));
        let problem = check(&nested(MAX_DEPTH + 1).to_string()).unwrap_err();
        assert!(is_too_deep(&problem) && problem.code == ErrorCode::TooLarge, "{problem}");
        assert!(check(&"[".repeat(60_000)).is_err());
        assert_eq!(check(&json!({"a": "[{".repeat(600), "\"[": "\\\"["}).to_string()), Ok(()));
        assert_eq!(check(&json!(vec![json!([]); 600]).to_string()), Ok(()));
    }

    proptest! {
        #[test]
        fn it_agrees_with_the_parser(text in r#"[\[\]{}",:\\a1]{0,200}"#, deep in 0..40_usize) {
            let text = format!("{}{text}{}", "[".repeat(deep), "]".repeat(deep));
            if let Ok(value) = serde_json::from_str::<Value>(&text) {
                prop_assert_eq!(check_depth(text.as_bytes(), "x").is_ok(), depth(&value) <= MAX_DEPTH);
            }
        }
    }

    #[derive(Deserialize)]
    #[allow(dead_code)]
    enum Choice {
        #[serde(rename = "this")]
        This,
        #[serde(rename = "that")]
        That,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Strict {
        only: u64,
    }

    fn of<T: serde::de::DeserializeOwned>(text: &str) -> String {
        sentence(&serde_json::from_str::<T>(text).err().unwrap())
    }

    #[test]
    fn a_whole_number_may_be_written_as_a_float() {
        let read = |text: &str| serde_json::from_str::<Whole>(text).map(|Whole(number)| number);
        for (text, number) in [("77", 77), ("77.0", 77), ("7.7e1", 77), ("-0.0", 0)] {
            assert_eq!(read(text).unwrap(), number, "{text}");
        }
        for text in ["77.5", "-1", "-1.0", "1e300", "\"77\"", "null", "true"] {
            assert!(read(text).is_err(), "{text}");
        }
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
        assert_eq!(of::<Strict>(r#"{"a secret": 1}"#), "unknown field, expected `only`");
        assert_eq!(of::<u64>("[1"), "invalid type: sequence, expected u64");
        assert_eq!(of::<Vec<u64>>("[1"), "EOF while parsing a list");
    }
}
