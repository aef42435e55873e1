//! Co-browse: what a visitor shows, with his consent, to agents.
//!
//! * [`session`] decides: the session and all its rules, pure,
//! * [`envelope`] is the head of what is streamed,
//! * [`relay`] keeps what an agent who comes late needs, [`assets`] the pictures and style sheets of the pages,
//! * [`channel`] brings the stream of one session to its viewers,
//! * [`letter`] is what nodes say to each other about streams,
//! * [`ticket`] opens a stream, [`link`] a session with a visitor,
//! * [`ledger`] brings past sessions and consents to the history,
//! * [`handle`] is what sockets, HTTP and facades call,
//! * [`saving`] carries sessions over a restart.

pub mod assets;
pub mod channel;
pub mod envelope;
pub mod handle;
pub mod ledger;
pub mod letter;
pub mod link;
pub mod relay;
pub mod saving;
pub mod session;
pub mod ticket;
