mod properties;

use std::ops::ControlFlow;

use super::*;
use crate::{model::close::CloseCode, sockets::masking::unmask};

const LIMIT: u32 = 1_000;

#[derive(Clone, Debug, PartialEq)]
enum Got {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

impl From<Message<'_>> for Got {
    fn from(message: Message<'_>) -> Self {
        match message {
            Message::Text(text) => Got::Text(text.into()),
            Message::Binary(bytes) => Got::Binary(bytes.into()),
            Message::Ping(bytes) => Got::Ping(bytes.into()),
            Message::Pong(bytes) => Got::Pong(bytes.into()),
            Message::Close(close) => Got::Close(close.map(|(code, why)| (code, why.into()))),
        }
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xfa, 0x21, 0x3d];
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..126 => frame.push(0x80 | short as u8),
        long @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((long as u16).to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    frame.extend(key);
    let mut payload = payload.to_vec();
    unmask(&mut payload, key);
    frame.extend(payload);
    frame
}

fn read_by(reader: &mut Reader, bytes: &[u8], step: usize) -> (Vec<Got>, Result<(), FrameError>) {
    let mut got = Vec::new();
    for chunk in bytes.to_vec().chunks_mut(step.max(1)) {
        let result = reader.read(chunk, |message| {
            got.push(message.into());
            ControlFlow::Continue(())
        });
        if result.is_err() {
            return (got, result);
        }
    }
    (got, Ok(()))
}

/// In one piece and byte by byte.
fn read(bytes: &[u8]) -> (Vec<Got>, Result<(), FrameError>) {
    let whole = read_by(&mut Reader::new(LIMIT), bytes, usize::MAX);
    assert_eq!(whole, read_by(&mut Reader::new(LIMIT), bytes, 1));
    whole
}

fn refusal(bytes: &[u8]) -> FrameError {
    read(bytes).1.unwrap_err()
}

/// RFC 6455, section 5.7, those a client sends.
#[test]
fn the_examples_of_the_rfc() {
    let hello = Got::Text("Hello".into());
    let masked = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(&masked), (vec![hello.clone()], Ok(())));
    let pong = [0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(read(&pong).0, [Got::Pong(b"Hello".into())]);
    let fragments = [frame(0x01, b"Hel"), frame(0x89, b"?"), frame(0x80, b"lo")].concat();
    assert_eq!(read(&fragments), (vec![Got::Ping(b"?".into()), hello], Ok(())));
}

#[test]
fn the_servers_frames_are_those_of_the_rfc() {
    assert_eq!(Frame::text(b"Hello").bytes()[..], *b"\x81\x05Hello");
    assert_eq!(Frame::ping(b"Hello").bytes()[..], *b"\x89\x05Hello");
    assert_eq!(Frame::ping(b"").bytes()[..], [0x89, 0]);
    assert_eq!(Frame::pong(&[7; 200]).bytes().len(), 127);
    assert_eq!(Frame::binary(&[0; 256]).bytes()[..4], [0x82, 0x7e, 0x01, 0x00]);
    assert_eq!(Frame::binary(&[0; 65_536]).bytes()[..10], [0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0]);
    assert_eq!(
        Frame::close(CloseCode::Slow.into()).bytes()[..],
        *b"\x88\x11\x0f\xa2{\"code\":\"slow\"}"
    );
}

#[test]
fn what_breaks_a_rule_is_refused() {
    assert_eq!(refusal(b"\x81\x05Hello"), FrameError::Unmasked);
    for reserved in [0x40, 0x20, 0x10] {
        assert_eq!(refusal(&frame(0x81 | reserved, b"")), FrameError::Reserved);
    }
    for opcode in [3, 7, 11, 15] {
        assert_eq!(refusal(&frame(0x80 | opcode, b"")), FrameError::Opcode(opcode));
    }
    assert_eq!(refusal(&frame(0x09, b"")), FrameError::Control);
    assert_eq!(refusal(&frame(0x88, &[b' '; 126])), FrameError::Control);
    assert_eq!(refusal(&frame(0x80, b"")), FrameError::Fragment);
    assert_eq!(refusal(&[frame(0x01, b"a"), frame(0x81, b"b")].concat()), FrameError::Fragment);
    assert_eq!(refusal(&[0x82, 0xfe, 0, 125, 0, 0, 0, 0]), FrameError::Length);
    assert_eq!(refusal(&[0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]), FrameError::Length);
    assert_eq!(refusal(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), FrameError::Length);
}

#[test]
fn text_must_be_utf_8_over_all_fragments() {
    let euro = "€".as_bytes();
    let split = [frame(0x01, &euro[..1]), frame(0x00, &euro[1..2]), frame(0x80, &euro[2..])];
    assert_eq!(read(&split.concat()).0, [Got::Text("€".into())]);
    assert_eq!(refusal(&frame(0x81, &euro[..2])), FrameError::Utf8);
    assert_eq!(refusal(&[frame(0x01, &euro[..2]), frame(0x80, b"")].concat()), FrameError::Utf8);
    // Before the message ends.
    assert_eq!(refusal(&[frame(0x01, b"good"), frame(0x00, b"\xff")].concat()), FrameError::Utf8);
    assert_eq!(read(&frame(0x82, b"\xff")).0, [Got::Binary(vec![0xff])]);
}

#[test]
fn closes_are_checked_and_end_reading() {
    assert_eq!(read(&frame(0x88, b"")).0, [Got::Close(None)]);
    let bye = frame(0x88, b"\x03\xe9bye");
    let after = [bye, frame(0x81, b"late"), vec![0xff; 9]].concat();
    assert_eq!(read(&after), (vec![Got::Close(Some((1001, "bye".into())))], Ok(())));
    assert_eq!(refusal(&frame(0x88, b"\x03")), FrameError::Close);
    assert_eq!(refusal(&frame(0x88, b"\x03\xe8\xff")), FrameError::Utf8);
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(refusal(&frame(0x88, &code.to_be_bytes())), FrameError::Close, "{code}");
    }
    for code in [1000u16, 1003, 1007, 1014, 3000, 4999] {
        let close = Got::Close(Some((code, String::new())));
        assert_eq!(read(&frame(0x88, &code.to_be_bytes())).0, [close]);
    }
}

#[test]
fn a_break_ends_reading() {
    let mut reader = Reader::new(LIMIT);
    let mut bytes = [frame(0x81, b"a"), frame(0x81, b"b"), vec![0x81]].concat();
    let mut count = 0;
    let result = reader.read(&mut bytes, |_| {
        count += 1;
        ControlFlow::Break(())
    });
    assert_eq!((result, count, reader.kept(), reader.has_ended()), (Ok(()), 1, 0, true));
    assert_eq!(read_by(&mut reader, &frame(0x81, b"c"), 1), (vec![], Ok(())));
}

#[test]
fn the_limit_is_checked_before_anything_is_kept() {
    assert_eq!(read(&frame(0x82, &[1; 1_000])).0, [Got::Binary(vec![1; 1_000])]);
    assert_eq!(refusal(&frame(0x82, &[1; 1_001])), FrameError::TooLarge);
    let fragments = [frame(0x02, &[1; 600]), frame(0x80, &[1; 400])].concat();
    assert_eq!(read(&fragments).0, [Got::Binary(vec![1; 1_000])]);
    let head_only = &frame(0x80, &[1; 401])[..8];
    assert_eq!(refusal(&[&frame(0x02, &[1; 600]), head_only].concat()), FrameError::TooLarge);

    let mut reader = Reader::new(LIMIT);
    let gibibyte = [0x82, 0xff, 0, 0, 0, 0, 0x40, 0, 0, 0, 1, 2, 3, 4];
    assert_eq!(read_by(&mut reader, &gibibyte, 5).1, Err(FrameError::TooLarge));
    assert_eq!(reader.kept(), 0);
    // Within the limit a declared length costs only what came.
    let mut reader = Reader::new(1 << 30);
    assert_eq!(read_by(&mut reader, &gibibyte, 14), (vec![], Ok(())));
    assert!(reader.kept() <= 14);
}

#[test]
fn an_idle_reader_is_small_and_holds_no_heap() {
    let mut reader = Reader::new(LIMIT);
    for (first, size) in [(0x81, 900), (0x01, 500), (0x89, 100), (0x80, 500)] {
        read_by(&mut reader, &frame(first, &vec![b'a'; size]), 7).1.unwrap();
    }
    assert_eq!(reader.kept(), 0);
    assert!(size_of::<Reader>() <= 48);
}

#[test]
fn errors_have_close_codes() {
    assert_eq!(FrameError::Utf8.code(), CloseCode::Utf8);
    assert_eq!(FrameError::TooLarge.code(), CloseCode::TooLarge);
    assert_eq!(FrameError::Opcode(3).code(), CloseCode::Protocol);
}
