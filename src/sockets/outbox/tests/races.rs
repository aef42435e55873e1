//! What is pushed or decided while the task writes, without the lock, what was queued before.

use std::sync::{Arc, atomic::Ordering};

use super::script::{LIMIT, Script, Wakes, flush, payloads};
use crate::sockets::outbox::*;

/// Queues `before`, lets the peer take one byte of it, does `during` in that very write, and gives
/// the first characters of what arrives in the end.
fn race(
    before: &[(Class, &str)],
    during: impl Fn(&Outbox) + Send + 'static,
) -> (Vec<String>, Arc<Outbox>) {
    let outbox = Arc::new(Outbox::new(LIMIT));
    for (class, name) in before {
        outbox.push(*class, large(name)).unwrap();
    }
    let (writing, mut is_first) = (outbox.clone(), true);
    let mut script = Script::takes([1]);
    script.during = Some(Box::new(move || {
        if std::mem::take(&mut is_first) {
            during(&writing);
        }
    }));
    assert!(flush(&outbox, &mut script, 0).is_pending());
    script.takes = [usize::MAX; 9].into();
    let _ = flush(&outbox, &mut script, 0);
    let payloads = payloads(&script.out).into_iter();
    let names = payloads.map(|(_, payload)| String::from_utf8_lossy(&payload[..1]).into_owned());
    (names.collect(), outbox)
}

/// Costs 200 bytes of the bound.
fn large(name: &str) -> Frame {
    Frame::text(format!("{name:_<132}").as_bytes())
}

const RELIABLE: Class = Class::Reliable;
const CURSOR: Class = Class::Latest(LatestKey(1));
const KEY: Class = Class::Stream { key_frame: true };
const DELTA: Class = Class::Stream { key_frame: false };

#[test]
fn a_latest_frame_is_replaced() {
    let before = [(RELIABLE, "a"), (CURSOR, "b")];
    let (arrived, outbox) = race(&before, |outbox| {
        outbox.push(CURSOR, large("c")).unwrap();
    });
    assert_eq!(arrived, ["a", "c"]);
    assert_eq!(outbox.take_counts().replaced, 1);
}

#[test]
fn an_overflowing_stream_is_dropped() {
    let before = [(KEY, "a"), (DELTA, "b"), (DELTA, "c")];
    let (arrived, outbox) = race(&before, |outbox| {
        assert_eq!(outbox.push(DELTA, large("d")), Ok(Pushed::KeyFrameNeeded));
        assert_eq!(outbox.push(KEY, Frame::text(b"k")), Ok(Pushed::Queued));
    });
    assert_eq!(arrived, ["a", "k"]);
    assert_eq!(outbox.take_counts().dropped, 3);
}

#[test]
fn an_overflow_of_reliable_frames_drops_all() {
    let before = [(RELIABLE, "a"), (RELIABLE, "b"), (CURSOR, "c")];
    let (arrived, outbox) = race(&before, |outbox| {
        outbox.push(RELIABLE, large("d")).unwrap();
        outbox.push(RELIABLE, large("e")).unwrap();
        assert_eq!(outbox.push(RELIABLE, large("f")), Err(Closed));
    });
    assert_eq!(arrived, ["a", "\u{f}"]);
    let queue = &outbox.0.lock().queue;
    assert_eq!((queue.frames, queue.bytes), (0, 0));
}

#[test]
fn a_close_puts_reliable_frames_first() {
    let before = [(CURSOR, "a"), (KEY, "b"), (RELIABLE, "c")];
    let (arrived, _) = race(&before, |outbox| {
        outbox.push(RELIABLE, large("d")).unwrap();
        outbox.close(CloseCode::GoAway.into());
    });
    assert_eq!(arrived, ["a", "c", "d", "b", "\u{f}"]);
}

#[test]
fn an_abort_ends_the_write_that_it_met() {
    let outbox = Arc::new(Outbox::new(LIMIT));
    outbox.push(RELIABLE, large("a")).unwrap();
    let (mut script, aborting) = (Script::takes([1]), outbox.clone());
    script.during = Some(Box::new(move || aborting.abort()));
    let aborted = Poll::Ready(Err(io::ErrorKind::ConnectionAborted));
    assert_eq!(flush(&outbox, &mut script, 0), aborted);
    let queue = &outbox.0.lock().queue;
    assert_eq!((queue.entries.capacity(), queue.frames), (0, 0));
}

#[test]
fn the_task_comes_back_for_what_was_pushed() {
    let (outbox, wakes) = (Arc::new(Outbox::new(LIMIT)), Arc::new(Wakes::default()));
    outbox.push(RELIABLE, large("a")).unwrap();
    let mut script = Script::takes([usize::MAX; 2]);
    let writing = outbox.clone();
    script.during = Some(Box::new(move || {
        writing.push(CURSOR, large("b")).unwrap();
    }));
    let waker = wakes.clone().into();
    let mut context = Context::from_waker(&waker);
    assert!(outbox.poll_flush(&mut context, Pin::new(&mut script), Timestamp(0)).is_pending());
    assert_eq!((script.writes, wakes.0.load(Ordering::SeqCst)), (1, 1));
}
