//! The nouns: identities, events, signals, the wire protocol, codes. No I/O.

pub mod close;
pub mod error;
pub mod ids;
