//! What the server sends, from real values.

mod agent;
mod events;
mod page;
mod stream;
mod values;

use serde::Serialize;
use serde_json::value::RawValue;

pub use self::{agent::to_agent, events::events, page::to_page, stream::to_stream};
use crate::model::{
    error::{ErrorCode, Problem},
    protocol::{ErrorAnswer, GoAway},
};

/// A message as it is sent.
pub struct Example {
    /// The word in `type`.
    pub kind: String,
    /// What sets it apart, where a message has several examples.
    pub name: Option<&'static str>,
    /// The JSON text.
    pub payload: Box<RawValue>,
}

fn example(name: Option<&'static str>, message: &impl Serialize) -> Option<Example> {
    #[derive(serde::Deserialize)]
    struct Kind {
        r#type: String,
    }
    let payload = serde_json::value::to_raw_value(message).ok()?;
    let Kind { r#type } = serde_json::from_str(payload.get()).ok()?;
    Some(Example { kind: r#type, name, payload })
}

/// To both.
pub fn to_all() -> Vec<Example> {
    let refused = Problem::field("data.cart", "must be a string or a number");
    let late = Problem::new(ErrorCode::RateLimited, "too many codes were tried; wait a moment");
    let errors = [
        (Some("an answer"), ErrorAnswer::new(Some(4), refused.clone())),
        (Some("without a number"), ErrorAnswer::new(None, refused)),
        (Some("worth another try"), ErrorAnswer::new(Some(6), late.retry_in(3_000))),
    ];
    let errors = errors.iter().filter_map(|(name, error)| example(*name, error));
    errors.chain(example(None, &GoAway { retry_ms: 250 })).collect()
}
