//! Presence: who is on the site, and what reaches him.
//!
//! * [`visitor`] decides: the record and all its rules, pure,
//! * [`registry`] keeps the records' shards going on the workers' threads,
//! * [`watchers`] knows who is told,
//! * [`open`] keeps agents' signals until their outcomes are told,
//! * [`timeline`] remembers what happened and why,
//! * [`handle`] is what sockets and HTTP call.

pub mod handle;
pub mod open;
pub mod registry;
pub mod saving;
#[cfg(test)]
mod simulation;
pub mod timeline;
pub mod visitor;
pub mod watchers;
