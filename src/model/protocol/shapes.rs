//! How each message that clients send looks, for the documents.
//!
//! The parser reads all messages through one struct in one pass and does not use these types. What ties both is the
//! list of kinds, which neither can leave out, and the tests below: each example parses, each field that is documented
//! is read, and exactly those that are documented as required are.

/// What agents send.
pub mod agent;
/// What the two ends of a stream send.
pub mod stream;
/// What both send about topics.
pub mod topics;
/// What pages send.
pub mod visitor;

use utoipa::{
    ToSchema,
    openapi::{Object, RefOr, Schema},
};

/// Schemas by name.
pub type Named = Vec<(String, RefOr<Schema>)>;

/// How one message looks, apart from `type` and `request`, which all have.
#[derive(Clone, Copy)]
pub struct Shape {
    /// A message as it is sent.
    pub example: &'static str,
    fields: fn() -> RefOr<Schema>,
    named: fn(&mut Named),
}

impl Shape {
    const fn of<T: ToSchema>(example: &'static str) -> Self {
        Self { example, fields: T::schema, named: T::schemas }
    }

    /// A message without fields of its own.
    const fn bare(example: &'static str) -> Self {
        Self { example, fields: || Object::new().into(), named: |_| () }
    }

    /// Its own fields.
    #[must_use]
    pub fn fields(&self) -> Object {
        match (self.fields)() {
            RefOr::T(Schema::Object(object)) => object,
            // Every type here is a struct with named fields.
            _ => Object::new(),
        }
    }

    /// Adds the schemas that the fields refer to.
    pub fn named(&self, schemas: &mut Named) {
        (self.named)(schemas);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::protocol::{
        Unreadable,
        agent::{AgentKind, AgentMessage},
        stream::{StreamKind, StreamMessage},
        visitor::{VisitorKind, VisitorMessage},
    };

    type Read = fn(&str) -> Result<(), Unreadable>;

    /// Fields that take any JSON, and the two of which one is enough.
    fn check(kind: &str, shape: Shape, read: Read, anything: &[&str], either: &[&str]) {
        let example: Value = serde_json::from_str(shape.example).unwrap();
        assert_eq!(example["type"], kind, "an example of another message");
        assert_eq!(read(shape.example), Ok(()), "{kind}");
        let changed = |name: &str, value: Option<Value>| {
            let mut message = example.as_object().unwrap().clone();
            match value {
                Some(value) => message.insert(name.to_owned(), value),
                None => message.remove(name),
            };
            read(&Value::from(message).to_string())
        };
        let fields = shape.fields();
        assert!(fields.required.iter().all(|name| fields.properties.contains_key(name)));
        for name in fields.properties.keys().map(String::as_str) {
            if !anything.contains(&name) {
                let refused = changed(name, Some(json!([[0]]))).expect_err(name);
                let field = refused.problem.field.unwrap_or_default();
                assert!(field.starts_with(name), "{kind}: {name} is not read, but {field}");
            }
            if either.contains(&name) {
                continue;
            }
            let without = changed(name, None);
            if fields.required.iter().any(|required| required == name) {
                assert_eq!(without.expect_err(name).problem.field.as_deref(), Some(name), "{kind}");
            } else {
                assert_eq!(without, Ok(()), "{kind}: {name} is required");
            }
        }
        for name in example.as_object().unwrap().keys() {
            let known =
                matches!(name.as_str(), "type" | "request") || fields.properties.contains_key(name);
            assert!(known, "{kind}: the example's {name} is not documented");
        }
    }

    #[test]
    fn what_is_documented_of_a_page_is_what_the_parser_reads() {
        let read: Read = |text| VisitorMessage::read(text).map(|_| ());
        for kind in VisitorKind::ALL {
            // What a page says to agents may be anything.
            let anything: &[&str] = match kind {
                VisitorKind::Message | VisitorKind::Publish => &["data"],
                _ => &[],
            };
            check(kind.as_str(), kind.shape(), read, anything, &[]);
        }
    }

    #[test]
    fn what_is_documented_of_an_agent_is_what_the_parser_reads() {
        let read: Read = |text| AgentMessage::read(text).map(|_| ());
        for kind in AgentKind::ALL {
            check(kind.as_str(), kind.shape(), read, &["data", "args"], &["visitorid", "uniqueid"]);
        }
    }

    #[test]
    fn what_is_documented_of_a_stream_is_what_the_parser_reads() {
        let read: Read = |text| StreamMessage::read(text).map(|_| ());
        for kind in StreamKind::ALL {
            check(kind.as_str(), kind.shape(), read, &[], &["x", "y"]);
        }
    }

    #[test]
    fn a_visitor_is_named_once() {
        let both = r#"{"type":"watch","visitorid":"ada","uniqueid":"123456"}"#;
        assert!(AgentMessage::read(both).is_err());
        assert!(AgentMessage::read(r#"{"type":"watch"}"#).is_err());
    }
}
