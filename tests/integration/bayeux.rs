//! The endpoint of `bayeux.md`, as raw transcripts of its sections 5 to 8 over both transports.

mod polling;
mod topics;
mod trust;
mod websocket;
