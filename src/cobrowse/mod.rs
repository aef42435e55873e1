//! Co-browse: what a visitor shows, with his consent, to agents.
//!
//! * [`session`] decides: the session and all its rules, pure.

pub mod session;
