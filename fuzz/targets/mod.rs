//! What is fuzzed: a function for each parser that bytes from outside reach. Each asserts more than that nothing panics.
//!
//! `fuzz_targets/` feeds them to libFuzzer, and `tests/fuzz_seeds.rs` of the product replays `seeds/` through the very same
//! functions, which needs no nightly compiler.

pub mod agent_messages;
pub mod app_messages;
pub mod bayeux_messages;
pub mod connection;
pub mod envelopes;
pub mod forwarded;
pub mod frames;
pub mod jwks;
pub mod login_keys;
mod messages;
pub mod origins;
pub mod queries;
pub mod settings;
pub mod stream_messages;
pub mod tokens;
pub mod topics;
pub mod visitor_messages;
pub mod visitor_signatures;

/// A target: whatever the bytes are, it returns, or it has found something.
pub type Target = fn(&[u8]);

/// Every target by the name of its fuzzer and of its folder of seeds.
pub const ALL: &[(&str, Target)] = &[
    ("agent_messages", agent_messages::run),
    ("app_messages", app_messages::run),
    ("bayeux_messages", bayeux_messages::run),
    ("connection", connection::run),
    ("envelopes", envelopes::run),
    ("forwarded", forwarded::run),
    ("frames", frames::run),
    ("jwks", jwks::run),
    ("login_keys", login_keys::run),
    ("origins", origins::run),
    ("queries", queries::run),
    ("settings", settings::run),
    ("stream_messages", stream_messages::run),
    ("tokens", tokens::run),
    ("topics", topics::run),
    ("visitor_messages", visitor_messages::run),
    ("visitor_signatures", visitor_signatures::run),
];
