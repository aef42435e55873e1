//! A client's bytes as a socket's reader takes them: the first byte says in what pieces, the rest is the stream.

use std::{
    io::{self, Cursor, Read, Write},
    ops::ControlFlow,
};

use tokio_tungstenite::tungstenite::{
    Message,
    protocol::{CloseFrame, Role, WebSocket},
};
use vestibule::{
    model::close::CloseCode,
    sockets::framing::{self, Frame, FrameError, Reader},
};

const LIMIT: u32 = 2_048;
/// What a reader may keep beyond its limit: a control frame in the making.
const BEYOND: usize = 131;

pub fn run(bytes: &[u8]) {
    let Some((step, stream)) = bytes.split_first() else { return };
    let (messages, verdict) = read(stream, usize::MAX);
    let in_pieces = read(stream, usize::from(*step) + 1);
    assert_eq!((&messages, verdict), (&in_pieces.0, in_pieces.1), "a split changes what is read");
    // Tungstenite does not know 1014, which was registered after RFC 6455 was written.
    let is_new = |message: &Message| matches!(message, Message::Close(Some(close)) if !close.code.is_allowed());
    if verdict.is_ok() && !messages.iter().any(is_new) {
        assert_eq!(
            messages,
            reference(stream.to_vec(), Role::Server),
            "tungstenite reads otherwise"
        );
    }
    // What the server writes of it, a client reads.
    let encode = |message: &Message| match message {
        Message::Text(text) => Some(Frame::text(text.as_bytes())),
        Message::Binary(bytes) => Some(Frame::binary(bytes)),
        Message::Ping(bytes) => Some(Frame::ping(bytes)),
        Message::Pong(bytes) => Some(Frame::pong(bytes)),
        _ => None,
    };
    let written = messages.iter().filter_map(encode).flat_map(|frame| frame.bytes().to_vec());
    let heard = reference(written.collect(), Role::Client);
    assert!(heard.iter().eq(messages.iter().filter(|message| encode(message).is_some())));
}

fn read(stream: &[u8], step: usize) -> (Vec<Message>, Result<(), FrameError>) {
    let (mut reader, mut messages) = (Reader::new(LIMIT), Vec::new());
    for piece in stream.chunks(step) {
        let verdict = reader.read(&mut piece.to_vec(), |message| {
            messages.push(owned(message));
            ControlFlow::Continue(())
        });
        assert!(reader.kept() <= LIMIT as usize + BEYOND);
        if verdict.is_err() {
            assert!(reader.has_ended() && reader.kept() == 0);
            return (messages, verdict);
        }
    }
    (messages, Ok(()))
}

fn owned(message: framing::Message<'_>) -> Message {
    let message = match message {
        framing::Message::Text(text) => Message::text(text),
        framing::Message::Binary(bytes) => Message::binary(bytes.to_vec()),
        framing::Message::Ping(bytes) => Message::Ping(bytes.to_vec().into()),
        framing::Message::Pong(bytes) => Message::Pong(bytes.to_vec().into()),
        framing::Message::Close(close) => Message::Close(
            close.map(|(code, reason)| CloseFrame { code: code.into(), reason: reason.into() }),
        ),
    };
    assert!(message.len() <= LIMIT as usize);
    message
}

/// What tungstenite reads of the same bytes.
fn reference(stream: Vec<u8>, role: Role) -> Vec<Message> {
    let mut socket = WebSocket::from_raw_socket(Deaf(Cursor::new(stream)), role, None);
    std::iter::from_fn(|| socket.read().ok()).collect()
}

/// A peer that says what it has to say, and listens to nothing.
struct Deaf(Cursor<Vec<u8>>);

impl Read for Deaf {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Deaf {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A client reads the frame as one text, which is JSON.
pub fn is_heard(frame: &Frame) {
    assert_eq!(are_heard(frame.bytes()), 1);
}

/// A client reads what a server wrote behind its handshake: texts that are JSON with a type, and a close whose code is of
/// the catalogue. How many texts there are.
pub fn are_heard(written: &[u8]) -> usize {
    let heard = reference(written.to_vec(), Role::Client);
    for message in &heard {
        match message {
            Message::Text(text) => {
                let text: serde_json::Value =
                    serde_json::from_str(text).expect("a message is JSON");
                assert!(text["type"].is_string(), "{text}");
            }
            Message::Close(Some(close)) => {
                let number = u16::from(close.code);
                assert!(CloseCode::ALL.iter().any(|code| code.number() == number), "{close}");
            }
            Message::Ping(_) | Message::Pong(_) | Message::Close(None) => {}
            Message::Binary(_) | Message::Frame(_) => panic!("a server sends no {message:?}"),
        }
    }
    heard.iter().filter(|message| message.is_text()).count()
}
