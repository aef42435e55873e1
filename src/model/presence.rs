//! Presence data: what a page tells of its visitor. Flat, small, merged update by update (design section 2.4).

mod schema;

use std::{borrow::Cow, collections::BTreeMap, fmt, sync::Arc};

use serde::{Deserialize, Serialize, ser::SerializeMap};
use serde_json::{Value, value::RawValue};

use super::error::{ErrorCode, Problem};

/// Most keys of one record.
pub const MAX_KEYS: usize = 64;
/// Longest key, in characters.
pub const MAX_KEY_CHARACTERS: usize = 64;
/// Longest value, in bytes of its text.
pub const MAX_VALUE_BYTES: usize = 1024;
/// Most bytes of all keys and values of one record.
pub const MAX_TOTAL_BYTES: usize = 16 * 1024;

/// A value of presence data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scalar {
    /// Text.
    Text(Box<str>),
    /// A finite number, kept as it was written.
    Number(serde_json::Number),
}

/// One update as a page sent it: a flat object of strings and numbers, within the limits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PresenceUpdate(BTreeMap<Box<str>, Scalar>);

impl PresenceUpdate {
    /// Reads an update from JSON; `field` is the name that errors give.
    ///
    /// # Errors
    /// Names the key and the rule when the value is not a flat object or breaks a limit.
    pub fn from_json(value: Value, field: &str) -> Result<Self, Problem> {
        let Value::Object(object) = value else {
            return Err(Problem::field(field, "must be an object"));
        };
        if object.len() > MAX_KEYS {
            return Err(too_large(field, format!("must have at most {MAX_KEYS} keys")));
        }
        let mut scalars = BTreeMap::new();
        for (key, value) in object {
            let name = || format!("{field}.{}", shortened(&key));
            if key.is_empty() || key.chars().count() > MAX_KEY_CHARACTERS {
                let rule = format!("keys must have 1 to {MAX_KEY_CHARACTERS} characters");
                return Err(too_large(name(), rule));
            }
            let scalar = match value {
                Value::String(text) if text.len() > MAX_VALUE_BYTES => {
                    let rule = format!("must have at most {MAX_VALUE_BYTES} bytes");
                    return Err(too_large(name(), rule));
                }
                Value::String(text) => Scalar::Text(text.into()),
                Value::Number(number) => Scalar::Number(number),
                _ => return Err(Problem::field(name(), "must be a string or a number")),
            };
            scalars.insert(key.into_boxed_str(), scalar);
        }
        Ok(Self(scalars))
    }

    /// Whether the update says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Scalar> {
        self.0.get(key)
    }

    /// The update less the keys that `other` has.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        let own = self.0.iter().filter(|(key, _)| !other.0.contains_key(*key));
        Self(own.map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// Cuts query strings and fragments off the addresses that the SDK adds (`url`, `referrer`).
    pub fn strip_queries(&mut self) {
        for key in ["url", "referrer"] {
            if let Some(Scalar::Text(text)) = self.0.get_mut(key)
                && let Some(end) = text.find(['?', '#'])
            {
                *text = text.get(..end).unwrap_or_default().into();
            }
        }
    }
}

impl<K: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(K, V)> for PresenceUpdate {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        Self(
            pairs
                .into_iter()
                .map(|(key, value)| (key.into(), Scalar::Text(value.into())))
                .collect(),
        )
    }
}

fn too_large(field: impl Into<String>, rule: String) -> Problem {
    Problem { code: ErrorCode::TooLarge, ..Problem::field(field, rule) }
}

/// A key as an error may repeat it: a hostile one must not fill the log.
fn shortened(key: &str) -> Cow<'_, str> {
    match key.char_indices().nth(MAX_KEY_CHARACTERS) {
        Some((end, _)) => format!("{}…", key.get(..end).unwrap_or_default()).into(),
        None => key.into(),
    }
}

/// The merged data of a record.
///
/// Kept as one JSON text, because a server holds very many of them and reads them seldom: a map would cost three times
/// the memory. Cloning shares it.
#[derive(Clone, PartialEq, Eq)]
pub struct PresenceData(Option<Arc<str>>);

impl PresenceData {
    /// No data.
    pub const EMPTY: Self = Self(None);

    /// The data as JSON text: a flat object.
    #[must_use]
    pub fn text(&self) -> &str {
        self.0.as_deref().unwrap_or("{}")
    }

    /// The whole as an update, to carry it into another record.
    #[must_use]
    pub fn to_update(&self) -> PresenceUpdate {
        serde_json::from_str(self.text()).unwrap_or_default()
    }

    /// Merges an update in: its keys are set, the others stay.
    ///
    /// # Errors
    /// When the whole would break a limit; then nothing is changed.
    pub fn merge(&mut self, update: &PresenceUpdate) -> Result<(), Problem> {
        if update.is_empty() {
            return Ok(());
        }
        let old: BTreeMap<Cow<'_, str>, &RawValue> =
            serde_json::from_str(self.text()).unwrap_or_default();
        let kept: Vec<_> =
            old.iter().filter(|(key, _)| !update.0.contains_key(key.as_ref())).collect();
        if kept.len() + update.0.len() > MAX_KEYS {
            let rule = format!("the record must have at most {MAX_KEYS} keys");
            return Err(too_large("data", rule));
        }
        let merged = serde_json::to_string(&Merged { kept: &kept, update })
            .map_err(|error| Problem::new(ErrorCode::Internal, error.to_string()))?;
        if merged.len() > MAX_TOTAL_BYTES {
            let rule = format!("the record must have at most {MAX_TOTAL_BYTES} bytes of JSON");
            return Err(too_large("data", rule));
        }
        self.0 = Some(merged.into());
        Ok(())
    }
}

struct Merged<'a> {
    kept: &'a [(&'a Cow<'a, str>, &'a &'a RawValue)],
    update: &'a PresenceUpdate,
}

impl Serialize for Merged<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.kept.len() + self.update.0.len()))?;
        for (key, value) in self.kept {
            map.serialize_entry(key, value)?;
        }
        for (key, value) in &self.update.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Default for PresenceData {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for PresenceData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl Serialize for PresenceData {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<&RawValue>(self.text())
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PresenceData {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let update = PresenceUpdate::deserialize(deserializer)?;
        let mut data = Self::EMPTY;
        data.merge(&update).map_err(serde::de::Error::custom)?;
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn update(value: Value) -> Result<PresenceUpdate, Problem> {
        PresenceUpdate::from_json(value, "data")
    }

    #[test]
    fn merging_sets_the_given_keys_and_keeps_the_others() {
        let mut data = PresenceData::EMPTY;
        data.merge(&update(json!({"cart": 2, "name": "Ada"})).unwrap()).unwrap();
        data.merge(&update(json!({"cart": 3.5, "note": ""})).unwrap()).unwrap();
        let merged: Value = serde_json::from_str(data.text()).unwrap();
        assert_eq!(merged, json!({"cart": 3.5, "name": "Ada", "note": ""}));
    }

    #[test]
    fn what_is_not_flat_is_refused_by_name() {
        for bad in [json!(null), json!(true), json!([1]), json!({"a": 1})] {
            let problem = update(json!({"cart": bad})).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("data.cart"));
            assert_eq!(problem.code, ErrorCode::BadRequest);
        }
    }

    #[test]
    fn each_limit_is_refused_and_changes_nothing() {
        let many = |count: usize| -> Value {
            (0..count)
                .map(|n| (format!("k{n}"), json!("v")))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        assert!(update(many(64)).is_ok());
        assert_eq!(update(many(65)).unwrap_err().code, ErrorCode::TooLarge);
        assert!(update(json!({"k".repeat(64): 1})).is_ok());
        assert!(update(json!({"k".repeat(65): 1})).is_err());
        assert!(update(json!({"k": "v".repeat(1024)})).is_ok());
        assert!(update(json!({"k": "v".repeat(1025)})).is_err());

        let mut data = PresenceData::EMPTY;
        for n in 0..15 {
            data.merge(&update(json!({format!("k{n}"): "v".repeat(1024)})).unwrap()).unwrap();
        }
        let before = data.clone();
        let error =
            data.merge(&update(json!({"x": "v".repeat(1024), "y": "w"})).unwrap()).unwrap_err();
        assert_eq!((error.code, &data), (ErrorCode::TooLarge, &before));
        let mut data = PresenceData::EMPTY;
        data.merge(&update(many(64)).unwrap()).unwrap();
        assert!(data.merge(&update(json!({"one more": 1})).unwrap()).is_err());
    }

    #[test]
    fn addresses_lose_their_query_when_the_group_wants_it() {
        let mut stripped = update(json!({"url": "https://a/b?token=1#x", "title": "a?b"})).unwrap();
        stripped.strip_queries();
        assert_eq!(stripped, update(json!({"url": "https://a/b", "title": "a?b"})).unwrap());
    }

    proptest! {
        #[test]
        fn merging_is_map_extension(updates in prop::collection::vec(
            prop::collection::btree_map("[a-d\"\\\\]{1,2}", "\\PC{0,6}", 0..4), 0..6)) {
            let mut data = PresenceData::EMPTY;
            let mut model = BTreeMap::new();
            for update in updates {
                data.merge(&update.clone().into_iter().collect()).unwrap();
                model.extend(update);
            }
            let merged: BTreeMap<String, String> = serde_json::from_str(data.text()).unwrap();
            prop_assert_eq!(merged, model);
        }
    }
}
