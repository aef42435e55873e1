//! Sockets: what travels over one connection, from bytes to messages and back.
//!
//! [`framing`], [`keepalive`] and [`outbox`] are pure: they know no actix and no socket type.

/// Who may open a socket, and how fast.
pub mod admission;
/// The actor of an agent's socket.
pub mod agent;
/// Which agent sockets belong to whom.
pub mod bearers;
/// File descriptors: whether there are enough for the sockets that are allowed.
pub mod descriptors;
/// The words in which a visitor's socket speaks.
pub mod dialect;
/// RFC 6455 frames: reads a client's in place, encodes the server's once for all receivers.
pub mod framing;
/// Sockets that speak another protocol.
pub mod guest;
/// Decides when a socket is pinged, and when it has been silent, slow or open for too long.
pub mod keepalive;
/// Which sockets of a thread still live.
pub mod lease;
/// How far the process is, and whether it can do its work.
pub mod lifecycle;
/// Takes the mask off a client's bytes, eight at a time.
mod masking;
/// Tells agents that the server which the nodes share is away, and that it is back.
pub mod outages;
/// What waits to be written to one socket.
pub mod outbox;
/// Moves bytes between one connection and its actor.
pub mod pump;
/// What every socket of this node shares.
pub mod service;
/// The actor of a stream's socket.
pub mod stream;
/// The sockets of this node by id.
pub mod table;
/// Takes connections over from the HTTP server.
pub mod takeover;
/// A socket's part in topics.
mod topics;
/// How much one socket may say.
pub mod traffic;
/// The actor of a visitor's socket.
pub mod visitor;
