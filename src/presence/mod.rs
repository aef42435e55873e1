//! Presence: who is on the site, and what reaches him.

pub mod visitor;
