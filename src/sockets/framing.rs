//! RFC 6455 frames, the server's side.
//!
//! ```text
//! scratch buffer → Reader: whole frames are unmasked in place and lent out as Message
//!                          └ the start of an incomplete frame, and fragments, are kept
//! Frame::text(json) → encoded once → pushed to any number of outboxes
//! ```
//!
//! What a client can make the reader keep is bounded by its limit, and grows only with the bytes
//! that really came: a length that a header declares costs nothing.

mod encode;
mod head;
mod reader;
#[cfg(test)]
mod tests;

pub use self::{encode::Frame, head::FrameError, reader::Reader};

/// One whole message from a client, on loan from the buffer it was read into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Text, known to be UTF-8.
    Text(&'a str),
    /// Bytes.
    Binary(&'a [u8]),
    /// Asks for a pong with the same bytes (RFC 6455, section 5.5.2).
    Ping(&'a [u8]),
    /// An answer to a ping, or a sign of life nobody asked for (section 5.5.3).
    Pong(&'a [u8]),
    /// The client ends the connection: status code and reason, where it gives them (section 5.5.1).
    Close(Option<(u16, &'a str)>),
}
