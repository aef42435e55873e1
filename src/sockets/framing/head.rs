//! The head of a client's frame, and what is wrong with a frame.

use crate::model::close::CloseCode;

/// Bytes of the longest head: two, eight of length, four of key.
pub(super) const HEAD_MAX: usize = 14;
/// Payload of the longest control frame (RFC 6455, section 5.5).
pub(super) const CONTROL_MAX: usize = 125;

/// Why a client's bytes are refused. The connection cannot go on after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A client must mask (RFC 6455, section 5.1).
    #[error("the frame is not masked")]
    Unmasked,
    /// A reserved bit is set and no extension was agreed on (section 5.2).
    #[error("a reserved bit is set")]
    Reserved,
    /// An opcode without a meaning (section 5.2).
    #[error("unknown opcode {0}")]
    Opcode(u8),
    /// A control frame in fragments or of more than 125 bytes (section 5.5).
    #[error("a control frame is fragmented or too long")]
    Control,
    /// A continuation of nothing, or a new message inside another (section 5.4).
    #[error("fragments out of order")]
    Fragment,
    /// A length not in its shortest form, or with the highest bit set (section 5.2).
    #[error("the length is not in its shortest form")]
    Length,
    /// A close frame of one byte, or with a code that must not be sent (section 7.4).
    #[error("the close frame is malformed")]
    Close,
    /// Text, or the reason of a close, is not UTF-8 (section 8.1).
    #[error("text is not UTF-8")]
    Utf8,
    /// The message is, or says that it is going to be, over the limit (section 10.4).
    #[error("the message is too large")]
    TooLarge,
}

impl FrameError {
    /// The code to close the socket with.
    #[must_use]
    pub fn code(self) -> CloseCode {
        match self {
            Self::Utf8 => CloseCode::Utf8,
            Self::TooLarge => CloseCode::TooLarge,
            _ => CloseCode::Protocol,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(first: u8) -> Result<Self, FrameError> {
        Ok(match first & 0x0f {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            other => return Err(FrameError::Opcode(other)),
        })
    }

    pub(super) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) opcode: Opcode,
    pub(super) fin: bool,
    /// Bytes of the head itself.
    pub(super) size: usize,
    /// Bytes of payload as declared; only the reader knows whether that is too many.
    pub(super) length: u64,
    pub(super) key: [u8; 4],
}

impl Head {
    /// Reads the head at the front of `bytes`; `None` when it is not all there and right so far.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err(FrameError::Reserved);
        }
        let (opcode, fin) = (Opcode::parse(first)?, first & 0x80 != 0);
        if second & 0x80 == 0 {
            return Err(FrameError::Unmasked);
        }
        let short = second & 0x7f;
        if opcode.is_control() && (!fin || usize::from(short) > CONTROL_MAX) {
            return Err(FrameError::Control);
        }
        let (length, rest) = match short {
            126 => {
                let Some((long, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from(u16::from_be_bytes(*long)), rest)
            }
            127 => {
                let Some((long, rest)) = rest.split_first_chunk() else { return Ok(None) };
                (u64::from_be_bytes(*long), rest)
            }
            short => (u64::from(short), rest),
        };
        let shortest = match short {
            126 => length >= 126,
            127 => length > u64::from(u16::MAX) && length >> 63 == 0,
            _ => true,
        };
        if !shortest {
            return Err(FrameError::Length);
        }
        let Some((key, rest)) = rest.split_first_chunk() else { return Ok(None) };
        let size = bytes.len().saturating_sub(rest.len());
        Ok(Some(Self { opcode, fin, size, length, key: *key }))
    }

    /// Bytes of head and payload.
    pub(super) fn whole(&self) -> usize {
        self.size.saturating_add(usize::try_from(self.length).unwrap_or(usize::MAX))
    }
}
