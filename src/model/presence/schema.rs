//! Presence data as the documents describe it.

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        ObjectBuilder, RefOr,
        schema::{AdditionalProperties, OneOfBuilder, Schema, SchemaType, Type},
    },
};

use super::{MAX_KEY_CHARACTERS, MAX_KEYS, MAX_VALUE_BYTES, PresenceUpdate};

impl PartialSchema for PresenceUpdate {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_VALUE_BYTES));
        let number = ObjectBuilder::new().schema_type(Type::Number);
        let value: Schema = OneOfBuilder::new().item(text).item(number).into();
        let key = ObjectBuilder::new().schema_type(Type::String).min_length(Some(1));
        let description = "A flat object of strings and finite numbers. At most 64 keys of 64 characters; \
            values of at most 1 KiB.";
        ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::Object))
            .description(Some(description))
            .max_properties(Some(MAX_KEYS))
            .property_names(Some(Schema::Object(key.max_length(Some(MAX_KEY_CHARACTERS)).build())))
            .additional_properties(Some(AdditionalProperties::from(value)))
            .into()
    }
}

impl ToSchema for PresenceUpdate {
    fn name() -> std::borrow::Cow<'static, str> {
        "PresenceData".into()
    }
}
