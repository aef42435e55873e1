//! What back ends are told of a group: every event of its visitors, once, in the order of each visitor's epoch and
//! sequence.
//!
//! * [`hub`] hears each event from presence, encodes it once, and hands it to the group's log and webhooks,
//! * [`log`] keeps the last events for readers, who go by a [`cursor`] and are told when they missed some,
//! * [`filter`] is which of them a reader or webhook wants,
//! * [`webhook`] delivers them to the group's endpoints,
//! * [`saving`] carries log and undelivered webhooks over a restart.

pub mod cursor;
pub mod filter;
pub mod hub;
pub mod item;
pub mod log;
#[cfg(test)]
mod rule_test;
pub mod saving;
mod sharing;
pub mod webhook;
