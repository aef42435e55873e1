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
//! * [`hub`] knows the subscriptions of this node, group by `group`, and hands messages on to where they leave ([`post`]), each
//!   once for every [`subscription`],
//! * [`client`] is one who publishes and subscribes: his `seat` knows which of his messages are under way, which go to the
//!   engine by `publishing`; `catching_up` lets his subscriptions read what is kept one by one,
//! * [`handle`] is what others call, with [`reading`]; `delivery` hands on what follows, `figures` counts, and [`saving`]
//!   carries over a restart.

mod catching_up;
pub mod client;
mod delivery;
mod figures;
mod group;
pub mod handle;
pub mod hub;
pub mod post;
mod publishing;
pub mod reading;
pub mod record;
pub mod saving;
mod seat;
pub mod subscription;
#[cfg(test)]
mod tests;
pub mod trie;
