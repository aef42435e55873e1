//! Binary messages of streams: their heads, what they inflate to, and what is blotted out of that.

use vestibule::{cobrowse::envelope::Envelope, model::masking::Masking};

const MOST: usize = 1 << 16;

pub fn run(bytes: &[u8]) {
    let Ok(envelope) = Envelope::read(bytes, MOST) else { return };
    assert!(envelope.payload.len() <= MOST);
    assert_eq!(Envelope::read(&envelope.write(), MOST).as_ref(), Ok(&envelope));
    let Ok(text) = std::str::from_utf8(&envelope.payload) else { return };
    let masking = Masking::default();
    let masked = masking.json(text);
    assert_eq!(masking.json(&masked), masked, "what is blotted out once stays so");
    // Where there was JSON there is JSON, of the same form.
    let form = |text: &str| {
        serde_json::from_str::<serde_json::Value>(text).ok().map(|json| form_of(&json))
    };
    assert_eq!(form(text), form(&masked));
}

/// The value with every string emptied, names apart: a name may be blotted out too.
fn form_of(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::String(_) => Value::Null,
        Value::Array(list) => list.iter().map(form_of).collect(),
        Value::Object(map) => map.values().map(form_of).collect(),
        other => other.clone(),
    }
}
