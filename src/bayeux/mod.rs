//! Bayeux, the protocol of `CometD`'s clients, version 1.0, over WebSocket and long-polling.
//!
//! * [`channel`], [`message`], [`answer`] and [`fault`] are its nouns,
//! * [`client`] decides: one client's session and all its rules, pure, kept by the store.

pub mod answer;
pub mod channel;
pub mod client;
pub mod fault;
pub mod message;
