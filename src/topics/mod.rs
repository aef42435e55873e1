//! Topics of a group: messages that are published, and those who subscribed to them.
//!
//! ```text
//! publish ─▶ kept? ─ no ─────────────────────────────────▶ hub ─ trie ─▶ outboxes of the subscribed sockets
//!              └─ yes ▶ engine (the group's record) ─ effect ─▶ ┘
//! subscribe ─▶ engine ─ what is retained, or was missed, page by page ─▶ outbox; then live
//! ```
//!
//! * [`record`] is what is kept of a group's messages: retained values and history, pure, in one order,
//! * [`trie`] finds the subscriptions that choose a topic,
//! * [`hub`] knows the subscriptions of this node and hands messages on, each once for every [`subscription`],
//! * [`client`] is one who publishes and subscribes; its `catching_up` lets its subscriptions read what is kept one by one,
//! * [`handle`] is what others call, [`saving`] the carrying over a restart.

mod catching_up;
pub mod client;
pub mod handle;
pub mod hub;
pub mod record;
pub mod saving;
pub mod subscription;
#[cfg(test)]
mod tests;
pub mod trie;
