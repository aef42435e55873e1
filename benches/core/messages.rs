//! Frames, messages, and what limits on them cost.

use std::{num::NonZeroU32, ops::ControlFlow};

use divan::{Bencher, black_box};
use vestibule::{
    clock::Timestamp,
    limits::Rate,
    model::{
        json,
        protocol::{agent::AgentMessage, visitor::VisitorMessage},
    },
    sockets::{
        framing::{Frame, Reader},
        traffic::Traffic,
    },
};

use crate::HELLO;

const SIGNAL: &str = r#"{"type":"signal","request":7,"visitorid":"ada","data":{"text":"Would you like some help with that? Would you like some help with that? Would you like some help with that?"}}"#;
const ACK: &str = r#"{"type":"ack","ids":["01936d1e-7c5a-7f0e-8f6e-0d5f9d2f6a11"],"request":3}"#;

fn masked(text: &str) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut frame = vec![0x81, 0x80 | 126];
    frame.extend_from_slice(&u16::try_from(text.len()).unwrap().to_be_bytes());
    frame.extend_from_slice(&key);
    frame.extend(text.bytes().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// One frame, unmasked in place and checked to be UTF-8; with the copy that brings it into the buffer.
#[divan::bench]
fn reader_frame(bencher: Bencher) {
    let frame = masked(SIGNAL);
    let mut scratch = frame.clone();
    let mut reader = Reader::new(65_536);
    bencher.bench_local(|| {
        scratch.copy_from_slice(&frame);
        reader
            .read(&mut scratch, |message| {
                black_box(message);
                ControlFlow::Continue(())
            })
            .unwrap();
    });
}

#[divan::bench]
fn encode_frame(bencher: Bencher) {
    bencher.bench_local(|| Frame::text(black_box(SIGNAL.as_bytes())));
}

/// What a socket's limit on messages costs each message.
#[divan::bench]
fn count_message(bencher: Bencher) {
    let rate = Rate::per_second(NonZeroU32::MAX);
    let mut traffic = Traffic::default();
    let mut now = Timestamp(1_700_000_000_000);
    bencher.bench_local(|| {
        now = now + 1;
        traffic.take(black_box(&rate), black_box(SIGNAL.len()), now).is_ok()
    });
}

/// What the limit on JSON's depth costs each message: the usual one, and one that must be looked at closely.
#[divan::bench(args = [SIGNAL.to_owned(), "[[1],".repeat(20)])]
fn check_depth(bencher: Bencher, text: &String) {
    bencher.bench_local(|| json::check_depth(black_box(text.as_bytes()), "message").is_ok());
}

#[divan::bench]
fn parse_signal(bencher: Bencher) {
    bencher.bench_local(|| AgentMessage::read(black_box(SIGNAL)));
}

#[divan::bench]
fn parse_ack(bencher: Bencher) {
    bencher.bench_local(|| VisitorMessage::read(black_box(ACK)));
}

#[divan::bench]
fn parse_hello(bencher: Bencher) {
    bencher.bench_local(|| VisitorMessage::read(black_box(HELLO)));
}
