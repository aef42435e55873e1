//! The nouns: identities, events, signals, the wire protocol, codes. No I/O.

pub mod chat;
pub mod close;
pub mod cobrowse;
pub mod error;
pub mod event;
pub mod explain;
pub mod help;
pub mod ids;
pub mod json;
pub mod list;
pub mod masking;
pub mod presence;
pub mod protocol;
pub mod signal;
pub mod timeline;
pub mod topic;
pub mod view;
pub mod watch;
