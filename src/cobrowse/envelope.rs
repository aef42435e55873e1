//! The head of every message on `/v1/stream`: which page it is of, and how its payload is to be read.
//!
//! ```text
//!  0        1                        5                        9
//! +--------+------------------------+------------------------+---------
//! | flags  | page epoch, big endian | length, big endian     | payload
//! +--------+------------------------+------------------------+---------
//! ```
//!
//! The payload is JSON: an array of recorder events. `length` is its length before it was deflated, so that whoever
//! inflates it knows beforehand how much room it takes, and can refuse.

use std::io::Read as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

/// Bytes before the payload.
pub const HEAD: usize = 9;
/// Payloads shorter than this are not worth deflating, in bytes.
const WORTH_DEFLATING: usize = 512;

const KEY_FRAME: u8 = 1;
const DEFLATED: u8 = 1 << 1;

/// A message of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The page.
    pub epoch: u32,
    /// Whether the payload begins with a whole picture of the page.
    pub key_frame: bool,
    /// The recorder's events, as JSON.
    pub payload: Bytes,
}

/// Why a message is not one of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadEnvelope {
    /// It is shorter than its head, or not as long as the head says.
    #[error("the message is cut off, or longer than its head says")]
    Length,
    /// It has flags that this version does not know.
    #[error("the message has unknown flags")]
    Flags,
    /// Its payload is longer than a message may be, in bytes.
    #[error("the payload has {length} bytes; at most {most} are allowed")]
    TooLarge {
        /// What it has, or says that it has.
        length: usize,
        /// The limit.
        most: usize,
    },
    /// Its payload does not inflate.
    #[error("the payload is not deflated as RFC 1951 says")]
    Deflate,
}

impl Envelope {
    /// Reads a message whose payload may have `most` bytes. Never allocates more than those.
    ///
    /// # Errors
    /// See [`BadEnvelope`].
    pub fn read(message: &[u8], most: usize) -> Result<Self, BadEnvelope> {
        let (head, payload) = message.split_at_checked(HEAD).ok_or(BadEnvelope::Length)?;
        let [flags, e0, e1, e2, e3, l0, l1, l2, l3] = *head else {
            return Err(BadEnvelope::Length);
        };
        if flags & !(KEY_FRAME | DEFLATED) != 0 {
            return Err(BadEnvelope::Flags);
        }
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > most {
            return Err(BadEnvelope::TooLarge { length, most });
        }
        let payload = if flags & DEFLATED == 0 {
            Bytes::copy_from_slice(payload)
        } else {
            let mut inflated = Vec::with_capacity(length);
            // One byte more than was promised tells that the promise was false.
            let limit = u64::try_from(length).unwrap_or(u64::MAX).saturating_add(1);
            let mut decoder = DeflateDecoder::new(payload).take(limit);
            decoder.read_to_end(&mut inflated).map_err(|_| BadEnvelope::Deflate)?;
            inflated.into()
        };
        if payload.len() != length {
            return Err(BadEnvelope::Length);
        }
        let epoch = u32::from_be_bytes([e0, e1, e2, e3]);
        Ok(Self { epoch, key_frame: flags & KEY_FRAME != 0, payload })
    }

    /// Writes the message, deflated where that makes it shorter.
    #[must_use]
    pub fn write(&self) -> Bytes {
        let deflated = (self.payload.len() >= WORTH_DEFLATING)
            .then(|| deflate(&self.payload))
            .flatten()
            .filter(|deflated| deflated.len() < self.payload.len());
        let payload = deflated.as_deref().unwrap_or(&self.payload);
        let mut flags = if self.key_frame { KEY_FRAME } else { 0 };
        if deflated.is_some() {
            flags |= DEFLATED;
        }
        let mut message = BytesMut::with_capacity(HEAD + payload.len());
        message.put_u8(flags);
        message.put_u32(self.epoch);
        message.put_u32(u32::try_from(self.payload.len()).unwrap_or(u32::MAX));
        message.put_slice(payload);
        message.freeze()
    }
}

fn deflate(payload: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    std::io::Write::write_all(&mut encoder, payload).ok()?;
    encoder.finish().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_message_is_as_the_documents_say() {
        let envelope = Envelope { epoch: 0x0102_0304, key_frame: true, payload: "[]".into() };
        let expected = [1, 1, 2, 3, 4, 0, 0, 0, 2, b'[', b']'];
        assert_eq!(envelope.write(), expected.as_slice());
        assert_eq!(Envelope::read(&expected, 2), Ok(envelope));
    }

    #[test]
    fn a_bomb_is_refused_before_and_while_it_inflates() {
        let bomb = deflate(&vec![b' '; 10_000_000]).unwrap();
        let message = |length: u32| {
            let head = [DEFLATED, 0, 0, 0, 1];
            [&head[..], &length.to_be_bytes(), &bomb].concat()
        };
        let honest = Envelope::read(&message(10_000_000), 1_000_000);
        assert_eq!(honest, Err(BadEnvelope::TooLarge { length: 10_000_000, most: 1_000_000 }));
        assert_eq!(Envelope::read(&message(1_000), 1_000_000), Err(BadEnvelope::Length));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let read = |message: &[u8]| Envelope::read(message, 100).unwrap_err();
        assert_eq!(read(&[]), BadEnvelope::Length);
        assert_eq!(read(&[0, 0, 0, 0, 1, 0, 0, 0]), BadEnvelope::Length);
        assert_eq!(read(&[0, 0, 0, 0, 1, 0, 0, 0, 2, b'[']), BadEnvelope::Length);
        assert_eq!(read(&[4, 0, 0, 0, 1, 0, 0, 0, 0]), BadEnvelope::Flags);
        assert_eq!(read(&[2, 0, 0, 0, 1, 0, 0, 0, 2, 0xff, 0xff]), BadEnvelope::Deflate);
        let long = [0, 0, 0, 0, 1, 0, 0, 0, 101];
        assert_eq!(read(&long), BadEnvelope::TooLarge { length: 101, most: 100 });
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(epoch: u32, key_frame: bool, text in ".{0,300}", times in 1_usize..20) {
            let payload = text.repeat(times).into();
            let envelope = Envelope { epoch, key_frame, payload };
            prop_assert_eq!(Envelope::read(&envelope.write(), 1 << 20), Ok(envelope));
        }

        #[test]
        fn anything_is_read_or_refused(message in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(envelope) = Envelope::read(&message, 1_000) {
                prop_assert!(envelope.payload.len() <= 1_000);
                prop_assert_eq!(Envelope::read(&envelope.write(), 1_000), Ok(envelope));
            }
        }
    }
}
