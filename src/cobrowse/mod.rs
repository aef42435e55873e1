//! Co-browse: what a visitor shows, with his consent, to agents.
//!
//! * [`session`] decides: the session and all its rules, pure,
//! * [`envelope`] is the head of what is streamed,
//! * [`masking`] blots out what must not pass,
//! * [`relay`] keeps what an agent who comes late needs.

pub mod envelope;
pub mod masking;
pub mod relay;
pub mod session;
