//! The server's frames: unmasked, never fragmented, encoded once.

use bytes::Bytes;

use crate::model::close::Close;

/// A whole frame as it goes over the wire. Cheap to clone: all clones share the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text frame. `text` must be UTF-8, or browsers fail the connection.
    #[must_use]
    pub fn text(text: &[u8]) -> Self {
        debug_assert!(std::str::from_utf8(text).is_ok(), "text frames hold UTF-8");
        encode(0x1, text)
    }

    /// A binary frame.
    #[must_use]
    pub fn binary(payload: &[u8]) -> Self {
        encode(0x2, payload)
    }

    /// A ping. Only the first 125 bytes are sent (RFC 6455, section 5.5).
    #[must_use]
    pub fn ping(payload: &[u8]) -> Self {
        if payload.is_empty() {
            return Self(Bytes::from_static(&[0x89, 0]));
        }
        encode(0x9, control(payload))
    }

    /// The answer to a ping with that payload. Only the first 125 bytes are sent.
    #[must_use]
    pub fn pong(payload: &[u8]) -> Self {
        if payload.is_empty() {
            return Self(Bytes::from_static(&[0x8a, 0]));
        }
        encode(0xa, control(payload))
    }

    /// A close: the number, then the reason as JSON (RFC 6455, section 5.5.1).
    #[must_use]
    pub fn close(close: Close) -> Self {
        let mut payload = close.code.number().to_be_bytes().to_vec();
        payload.extend_from_slice(&close.reason());
        encode(0x8, control(&payload))
    }

    /// Bytes that are not a frame, to go out before all frames: the answer to the handshake.
    pub(in crate::sockets) fn raw(bytes: Bytes) -> Self {
        Self(bytes)
    }

    /// The bytes on the wire.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// Two frames of one kind are of one opcode.
    pub(in crate::sockets) fn is_kind_of(&self, other: &Frame) -> bool {
        self.0.first() == other.0.first()
    }
}

fn control(payload: &[u8]) -> &[u8] {
    payload.get(..super::head::CONTROL_MAX).unwrap_or(payload)
}

fn encode(opcode: u8, payload: &[u8]) -> Frame {
    // Exactly as large as needed: then `Bytes` takes the allocation over as it is.
    let mut frame = Vec::with_capacity(payload.len().saturating_add(match payload.len() {
        0..126 => 2,
        126..=0xffff => 4,
        _ => 10,
    }));
    frame.push(0x80 | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(short @ 0..126), _) => frame.push(short),
        (_, Ok(long)) => {
            frame.push(126);
            frame.extend_from_slice(&long.to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    Frame(frame.into())
}
