//! Schemas of payloads, from those of the Rust types.

use std::collections::BTreeMap;

use utoipa::openapi::{
    Object, ObjectBuilder, RefOr, Schema,
    schema::{SchemaType, Type},
};

use super::messages::Message;
use crate::model::protocol::{MAX_REQUEST, shapes::Named};

/// Where a message's `request` stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// The client may give one.
    Offered,
    /// Nothing to add: the type says what it has.
    AsTyped,
}

/// A message of this `type` with these fields of its own.
pub fn payload(kind: &str, request: Request, own: Object) -> Object {
    let mut payload = own;
    payload.schema_type = SchemaType::new(Type::Object);
    // What the message says stands in its summary.
    payload.description = None;
    payload.properties.shift_remove("type");
    payload.required.retain(|name| name != "type");
    payload.required.insert(0, "type".to_owned());
    let of_kind = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind]));
    payload.properties.shift_insert(0, "type".to_owned(), of_kind.into());
    if request == Request::Offered {
        #[allow(clippy::cast_precision_loss, reason = "the greatest number that doubles count to")]
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .maximum(Some(MAX_REQUEST as f64))
            .description(Some("The answer repeats this number"));
        payload.properties.shift_insert(1, "request".to_owned(), number.into());
    }
    payload
}

/// The alternatives of an enum with an internal or adjacent tag: the word in `type`, what it says, its fields.
pub fn alternatives(schema: RefOr<Schema>, named: &Named) -> Vec<(String, String, Object)> {
    let RefOr::T(Schema::OneOf(one_of)) = schema else { return Vec::new() };
    let read = |item: RefOr<Schema>| {
        let object = object(item, named)?;
        let kind = match object.properties.get("type")? {
            RefOr::T(Schema::Object(kind)) => {
                kind.enum_values.as_ref()?.first()?.as_str()?.to_owned()
            }
            _ => return None,
        };
        Some((kind, object.description.clone().unwrap_or_default(), object))
    };
    one_of.items.into_iter().filter_map(read).collect()
}

/// A schema as one object: what `allOf` brings together is joined.
fn object(schema: RefOr<Schema>, named: &Named) -> Option<Object> {
    match schema {
        RefOr::T(Schema::Object(object)) => Some(object),
        RefOr::T(Schema::AllOf(all)) => {
            let mut joined = Object::new();
            for part in all.items {
                let part = object(part, named)?;
                joined.required.extend(part.required);
                joined.properties.extend(part.properties);
            }
            joined.description = all.description;
            Some(joined)
        }
        RefOr::Ref(reference) => {
            let name = reference.ref_location.rsplit('/').next()?;
            let (_, schema) = named.iter().find(|(known, _)| known == name)?;
            object(schema.clone(), named)
        }
        // What may be missing as a whole: a flattened option. Its fields are there together, or none of them is.
        RefOr::T(Schema::OneOf(one_of)) => {
            let mut own = one_of.items.into_iter().find_map(|item| object(item, named))?;
            own.required.clear();
            Some(own)
        }
        RefOr::T(_) => None,
    }
}

/// The named schemas that the messages refer to, directly or not.
pub fn referred_to(messages: &[&Message]) -> BTreeMap<String, RefOr<Schema>> {
    let known: BTreeMap<_, _> =
        messages.iter().flat_map(|message| message.named.iter().cloned()).collect();
    let mut texts: Vec<_> = messages
        .iter()
        .filter_map(|message| serde_json::to_string(&message.payload).ok())
        .collect();
    let mut found = BTreeMap::new();
    while let Some(text) = texts.pop() {
        for (name, schema) in &known {
            let reference = format!("\"#/components/schemas/{name}\"");
            if text.contains(&reference) && !found.contains_key(name) {
                found.insert(name.clone(), schema.clone());
                texts.extend(serde_json::to_string(schema));
            }
        }
    }
    found
}
