//! What must hold for any stream, and what tungstenite says about the same.

use proptest::prelude::*;
use tokio_tungstenite::tungstenite::{
    self,
    protocol::{Role, WebSocket},
};

use super::*;
use crate::model::close::Close;

/// A stream of valid messages, cut into frames with control frames between them.
fn streams() -> impl Strategy<Value = (Vec<u8>, Vec<Got>)> {
    let control = (any::<bool>(), prop::collection::vec(any::<u8>(), 0..=125));
    let text = ".{0,200}".prop_map(|text| (true, text.into_bytes()));
    let binary = prop::collection::vec(any::<u8>(), 0..700).prop_map(|bytes| (false, bytes));
    let message = prop_oneof![text, binary];
    let one = (message, prop::collection::vec((any::<prop::sample::Index>(), control), 0..4));
    prop::collection::vec(one, 0..6).prop_map(|messages| {
        let (mut bytes, mut got) = (Vec::new(), Vec::new());
        for ((is_text, payload), cuts) in messages {
            let mut first = if is_text { 0x01 } else { 0x02 };
            let mut at = 0;
            for (index, (is_ping, control)) in cuts {
                let next = at + index.index(payload.len() - at + 1);
                bytes.extend(frame(first, &payload[at..next]));
                bytes.extend(frame(if is_ping { 0x89 } else { 0x8a }, &control));
                got.push(if is_ping { Got::Ping(control) } else { Got::Pong(control) });
                (first, at) = (0, next);
            }
            bytes.extend(frame(0x80 | first, &payload[at..]));
            got.push(match is_text {
                true => Got::Text(String::from_utf8(payload).unwrap()),
                false => Got::Binary(payload),
            });
        }
        (bytes, got)
    })
}

/// The stream of a peer that never answers.
struct Wire(std::io::Cursor<Vec<u8>>);

impl std::io::Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl std::io::Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn reference(bytes: Vec<u8>, role: Role) -> Vec<Got> {
    let mut socket = WebSocket::from_raw_socket(Wire(std::io::Cursor::new(bytes)), role, None);
    let messages = std::iter::from_fn(|| socket.read().ok());
    messages
        .map(|message| match message {
            tungstenite::Message::Text(text) => Got::Text(text.as_str().into()),
            tungstenite::Message::Binary(bytes) => Got::Binary(bytes.into()),
            tungstenite::Message::Ping(bytes) => Got::Ping(bytes.into()),
            tungstenite::Message::Pong(bytes) => Got::Pong(bytes.into()),
            tungstenite::Message::Close(close) => {
                Got::Close(close.map(|close| (close.code.into(), close.reason.as_str().into())))
            }
            tungstenite::Message::Frame(_) => unreachable!(),
        })
        .collect()
}

#[test]
fn tungstenite_reads_our_frames() {
    let payloads = [0, 125, 126, 65_535, 65_536].map(|size| vec![b'x'; size]);
    let mut bytes: Vec<u8> =
        payloads.iter().flat_map(|payload| Frame::text(payload).bytes().to_vec()).collect();
    bytes.extend(Frame::close(Close::from(CloseCode::GoAway).retry_in(7)).bytes());
    let mut expected: Vec<_> =
        payloads.map(|payload| Got::Text(String::from_utf8(payload).unwrap())).into();
    expected.push(Got::Close(Some((4000, r#"{"code":"goaway","retry_ms":7}"#.into()))));
    assert_eq!(reference(bytes, Role::Client), expected);
}

proptest! {
    #[test]
    fn any_split_gives_the_same_messages(
        (bytes, expected) in streams(),
        sizes in prop::collection::vec(1..200usize, 1..50),
    ) {
        let mut reader = Reader::new(LIMIT);
        let (mut got, mut rest) = (Vec::new(), &bytes[..]);
        for size in sizes.into_iter().chain([usize::MAX]) {
            let (chunk, after) = rest.split_at(size.min(rest.len()));
            let (more, result) = read_by(&mut reader, chunk, usize::MAX);
            prop_assert_eq!(result, Ok(()));
            got.extend(more);
            rest = after;
        }
        prop_assert_eq!(&got, &expected);
        prop_assert_eq!(reader.kept(), 0);
        prop_assert_eq!(reference(bytes, Role::Server), expected);
    }

    #[test]
    fn no_bytes_panic_or_are_kept_over_the_limit(
        (mut bytes, _) in streams(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..50),
        step in 1..300usize,
        limit in 0..600u32,
    ) {
        bytes.extend(noise);
        for (index, byte) in flips.into_iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let mut reader = Reader::new(limit);
        let (mut got, mut result) = (Vec::new(), Ok(()));
        for chunk in bytes.chunks(step) {
            let (more, now) = read_by(&mut reader, chunk, usize::MAX);
            got.extend(more);
            prop_assert!(reader.kept() <= limit as usize + 131);
            result = result.and(now);
        }
        // The split does not matter for what is wrong, either.
        let whole = read_by(&mut Reader::new(limit), &bytes, usize::MAX);
        prop_assert_eq!((got, result), whole);
    }
}
