//! What nodes say to each other about the streams and assets of sessions: a head in JSON, and a body of bytes.

use bytes::{BufMut as _, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::model::{error::Problem, ids::SessionKey, protocol::stream::MarkOf};

/// The kind of these letters.
pub const KIND: &str = "stream";

/// A letter's head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Letter {
    /// Of which session.
    pub session: SessionKey,
    /// What is said.
    pub what: What,
}

/// What is said of a session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum What {
    /// To a node that follows: a part of the stream, which is the body.
    Part {
        /// By which socket the page streams.
        run: u64,
        /// Its place among the parts; the next one has the next number.
        number: u64,
        /// The page.
        epoch: u32,
        /// Whether it begins with a key frame.
        key_frame: bool,
    },
    /// To the page's node: there are viewers here. Said again and again, and so what got lost is found.
    Follow {
        /// By which socket the parts came that are here; 0 before the first.
        run: u64,
        /// The number of the part that is to come next.
        next: u64,
        /// Whether parts are missing.
        is_behind: bool,
    },
    /// The answer to that: the page is here.
    Here,
    /// Or it is not.
    NotHere,
    /// To the page's node: there are no viewers here any more.
    Leave,
    /// To the page's node: a viewer needs a key frame.
    KeyFrame,
    /// To the page's node: an agent shows something.
    Mark(MarkOf),
    /// To the page's node: which content has this asset?
    Asset {
        /// Names the question.
        question: u64,
        /// The page.
        epoch: u32,
        /// The page's number for it.
        asset: u32,
    },
    /// The answer: the body is the asset.
    AssetIs {
        /// To which question.
        question: u64,
        /// Its media type; `None`: it will not come.
        content_type: Option<Box<str>>,
    },
    /// To the page's node: the body is the content of an asset.
    Put {
        /// Names the question whether that is well.
        question: u64,
        /// Its SHA-256.
        sha256: [u8; 32],
    },
    /// The answer.
    Stored {
        /// To which question.
        question: u64,
        /// What is wrong with it, if anything is.
        problem: Option<Problem>,
    },
}

impl Letter {
    /// Writes it: the length of the head in four bytes, the head, the body.
    #[must_use]
    pub fn write(&self, body: &[u8]) -> Bytes {
        let head = serde_json::to_vec(self).unwrap_or_default();
        let mut letter = BytesMut::with_capacity(4 + head.len() + body.len());
        letter.put_u32(u32::try_from(head.len()).unwrap_or_default());
        letter.put_slice(&head);
        letter.put_slice(body);
        letter.freeze()
    }

    /// Reads it, and its body. `None` for what another version of the service may have written.
    #[must_use]
    pub fn read(mut letter: Bytes) -> Option<(Self, Bytes)> {
        let (length, rest) = letter.split_at_checked(4)?;
        let length = usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()?;
        let (head, _) = rest.split_at_checked(length)?;
        let head = serde_json::from_slice(head).ok()?;
        Some((head, letter.split_off(4 + length)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{cobrowse::UserId, ids::SessionId, protocol::stream::Mark};

    #[test]
    fn what_is_written_is_read() {
        let group = "12345".parse().unwrap();
        let session = SessionKey { group, session: SessionId::from_u128(7) };
        let mark = Mark::Cursor { x: Some(1.5), y: None };
        for what in [
            What::Part { run: 1, number: u64::MAX, epoch: 3, key_frame: true },
            What::Follow { run: 0, next: 0, is_behind: false },
            What::Mark(MarkOf { user: UserId(2), name: "Ann".into(), mark }),
            What::Put { question: 1, sha256: [7; 32] },
            What::Stored { question: 1, problem: Some(Problem::field("body", "is wrong")) },
        ] {
            let letter = Letter { session: session.clone(), what };
            let body = Bytes::from_static(&[0, 255, 1]);
            assert_eq!(Letter::read(letter.write(&body)), Some((letter, body)));
        }
    }

    proptest! {
        #[test]
        fn anything_is_read_or_not(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = Letter::read(bytes.into());
        }
    }
}
