//! Sockets: what travels over one connection, from bytes to messages and back. Nothing in this
//! directory's pure files knows actix or a socket type.

/// RFC 6455 frames: reads a client's in place, encodes the server's once for all receivers.
pub mod framing;
/// Decides when a socket is pinged, and when it has been silent, slow or open for too long.
pub mod keepalive;
/// Takes the mask off a client's bytes, eight at a time.
mod masking;
/// What waits to be written to one socket: bounded, by class, flushed once a turn.
pub mod outbox;
