//! What a link to a visitor's page carries for those who show it in a desktop of their own.

use std::{borrow::Cow, collections::BTreeMap, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{AdditionalProperties, OneOfBuilder, Schema, SchemaType, Type},
    },
};

use super::error::{ErrorCode, Problem};

/// Longest address that a link carries, in bytes.
pub const MAX_ADDRESS_BYTES: usize = 1_024;
/// Most keys of a link's metadata.
pub const MAX_METADATA_KEYS: usize = 32;
/// Longest key, in characters.
pub const MAX_METADATA_KEY: usize = 64;
/// Most bytes of the metadata as JSON.
pub const MAX_METADATA_BYTES: usize = 2_048;

/// How the page of a link looks, and where it leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Branding {
    /// How much of our own is shown around the visitor's page.
    pub naked: Naked,
    /// Where a link for another try leads, which is shown when something went wrong; without it there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_url: Option<WebAddress>,
    /// Where the agent is taken when the session is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_end_url: Option<WebAddress>,
}

/// How much of our own is shown around the visitor's page: `false` all, `true` no name and sign, `"page_only"` nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naked {
    /// All of it.
    #[default]
    No,
    /// All but our name and sign.
    Unsigned,
    /// Nothing.
    PageOnly,
}

impl Naked {
    const PAGE_ONLY: &str = "page_only";
}

impl Serialize for Naked {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::No => serializer.serialize_bool(false),
            Self::Unsigned => serializer.serialize_bool(true),
            Self::PageOnly => serializer.serialize_str(Self::PAGE_ONLY),
        }
    }
}

impl<'de> Deserialize<'de> for Naked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Bool(false) | Value::Null => Ok(Self::No),
            Value::Bool(true) => Ok(Self::Unsigned),
            Value::String(text) if text == Self::PAGE_ONLY => Ok(Self::PageOnly),
            _ => Err(de::Error::custom("must be true, false or \"page_only\"")),
        }
    }
}

impl PartialSchema for Naked {
    fn schema() -> RefOr<Schema> {
        let flag = ObjectBuilder::new().schema_type(Type::Boolean);
        let word = ObjectBuilder::new().schema_type(Type::String);
        OneOfBuilder::new().item(flag).item(word.enum_values(Some([Self::PAGE_ONLY]))).into()
    }
}

impl ToSchema for Naked {}

/// An address that a browser may be sent to: http or https, never a script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct WebAddress(Box<str>);

/// A text is no such address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an http or https address of at most {MAX_ADDRESS_BYTES} printable ASCII characters"
)]
pub struct InvalidWebAddress;

impl WebAddress {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebAddress {
    type Err = InvalidWebAddress;

    fn from_str(text: &str) -> Result<Self, InvalidWebAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidWebAddress)?;
        let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        // A name before the host makes one address look like another; browsers read `\` as `/`.
        let is_plain = rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if is_web
            && is_plain
            && !host.is_empty()
            && !host.contains('@')
            && text.len() <= MAX_ADDRESS_BYTES
        {
            return Ok(Self(text.into()));
        }
        Err(InvalidWebAddress)
    }
}

impl<'de> Deserialize<'de> for WebAddress {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for WebAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialSchema for WebAddress {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        text.pattern(Some("^https?://")).max_length(Some(MAX_ADDRESS_BYTES)).into()
    }
}

impl ToSchema for WebAddress {}

/// What somebody's back end wants to find again with a session: a flat object of texts, numbers and flags.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<Box<str>, Value>);

impl Metadata {
    /// Reads metadata; `field` is the name that errors give.
    ///
    /// # Errors
    /// `badrequest` or `toolarge`, with key and rule.
    pub fn from_json(value: Value, field: &str) -> Result<Self, Problem> {
        let object = match value {
            Value::Null => return Ok(Self::default()),
            Value::Object(object) => object,
            _ => return Err(Problem::field(field, "must be an object")),
        };
        if object.len() > MAX_METADATA_KEYS {
            let rule = format!("must have at most {MAX_METADATA_KEYS} keys");
            return Err(Problem::field(field, rule));
        }
        let mut flat = BTreeMap::new();
        for (key, value) in object {
            if key.is_empty() || key.chars().count() > MAX_METADATA_KEY {
                let rule = format!("keys must have 1 to {MAX_METADATA_KEY} characters");
                return Err(Problem::field(field, rule));
            }
            if !matches!(value, Value::String(_) | Value::Number(_) | Value::Bool(_)) {
                let rule = "must be a string, a number, true or false";
                return Err(Problem::field(format!("{field}.{key}"), rule));
            }
            flat.insert(key.into_boxed_str(), value);
        }
        let metadata = Self(flat);
        if serde_json::to_vec(&metadata).map_or(usize::MAX, |json| json.len()) > MAX_METADATA_BYTES
        {
            let rule = format!("must take at most {MAX_METADATA_BYTES} bytes");
            return Err(Problem { code: ErrorCode::TooLarge, ..Problem::field(field, rule) });
        }
        Ok(metadata)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'de> Deserialize<'de> for Metadata {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Self::from_json(value, "metadata").map_err(|problem| de::Error::custom(problem.message))
    }
}

impl PartialSchema for Metadata {
    fn schema() -> RefOr<Schema> {
        let of = |kind| ObjectBuilder::new().schema_type(kind);
        let value = OneOfBuilder::new()
            .item(of(Type::String))
            .item(of(Type::Number))
            .item(of(Type::Boolean));
        let key = of(Type::String).min_length(Some(1)).max_length(Some(MAX_METADATA_KEY)).build();
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Object))
            .description(Some("A flat object of strings, numbers and flags; at most 2 KiB."))
            .max_properties(Some(MAX_METADATA_KEYS))
            .property_names(Some(Schema::Object(key)))
            .additional_properties(Some(AdditionalProperties::from(Schema::from(value))))
            .into()
    }
}

impl ToSchema for Metadata {}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_web_addresses_lead_anywhere() {
        for good in
            ["https://desk.example/retry?case=1#now", "HTTP://localhost:8080", "https://[::1]/x"]
        {
            assert!(good.parse::<WebAddress>().is_ok(), "{good}");
        }
        let long = format!("https://desk.example/{}", "a".repeat(MAX_ADDRESS_BYTES));
        for bad in [
            "",
            "javascript:alert(1)",
            "javascript://desk.example/%0aalert(1)",
            "data:text/html,x",
            "//desk.example",
            "https://",
            "https:///x",
            "https://good.example@evil.example/",
            r"https://good.example\@evil.example",
            "https://desk.example/ x",
            "https://desk.example/\n",
            "ftp://desk.example",
            &long,
        ] {
            assert!(bad.parse::<WebAddress>().is_err(), "{bad}");
        }
    }

    #[test]
    fn branding_reads_in_each_of_its_forms() {
        let read = |json| serde_json::from_value::<Branding>(json);
        assert_eq!(read(json!({})).unwrap(), Branding::default());
        assert_eq!(
            read(json!({"naked": "page_only", "retry_url": null})).unwrap().naked,
            Naked::PageOnly
        );
        let whole = json!({"naked": true, "retry_url": "https://a.example/", "on_end_url": "http://b.example/"});
        assert_eq!(serde_json::to_value(read(whole.clone()).unwrap()).unwrap(), whole);
        for bad in
            [json!({"naked": "page"}), json!({"naked": 1}), json!({"retry_url": "javascript:x"})]
        {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn metadata_is_flat_and_small() {
        let read = |json| Metadata::from_json(json, "metadata");
        let flat = json!({"case": "A-1", "score": 4.5, "vip": true});
        assert_eq!(serde_json::to_value(read(flat.clone()).unwrap()).unwrap(), flat);
        assert!(read(Value::Null).unwrap().is_empty());
        assert_eq!(read(json!({"deep": {}})).unwrap_err().field.unwrap(), "metadata.deep");
        assert_eq!(read(json!([])).unwrap_err().code, ErrorCode::BadRequest);
        let many: serde_json::Map<_, _> = (0..33).map(|key| (key.to_string(), json!(1))).collect();
        let key = serde_json::Map::from_iter([("k".repeat(65), json!(1))]);
        for bad in [Value::Object(many), Value::Object(key), json!({"": 1})] {
            assert_eq!(read(bad).unwrap_err().code, ErrorCode::BadRequest);
        }
        let large = json!({"text": "x".repeat(2_048)});
        assert_eq!(read(large).unwrap_err().code, ErrorCode::TooLarge);
    }
}
