//! Bayeux, the protocol of `CometD`'s clients, version 1.0, over WebSocket and long-polling.
//!
//! * [`channel`], [`message`], [`answer`] and [`fault`] are its nouns,
//! * [`client`] decides: one client's session and all its rules, pure, kept by the store,
//! * [`server`] is the handle: carries messages out, and reaches clients; [`application`] is what stands behind service
//!   channels, `hearing` behind all others: topics,
//! * `nodes` has a client's home carry out what came to another node,
//! * [`polling`] and [`socket`] are the endpoints,
//! * [`saving`] carries clients over a restart.

pub mod answer;
pub mod application;
pub mod channel;
pub mod client;
mod delivery;
pub mod fault;
mod hearing;
mod lines;
pub mod message;
mod nodes;
pub mod polling;
pub mod saving;
pub mod server;
pub mod socket;
