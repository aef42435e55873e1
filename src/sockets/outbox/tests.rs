mod properties;
mod races;
mod script;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Wake,
    thread,
};

use self::script::{LIMIT, Script, Wakes, flush, payloads};
use super::*;

/// Lets everything out and gives the payloads as text.
fn drain(outbox: &Outbox) -> Vec<String> {
    let mut script = Script::takes([usize::MAX; 100]);
    let _ = flush(outbox, &mut script, 0);
    let payloads = payloads(&script.out).into_iter();
    payloads.map(|(_, payload)| String::from_utf8_lossy(&payload).into_owned()).collect()
}

fn text(text: &str) -> Frame {
    Frame::text(text.as_bytes())
}

/// Costs 200 bytes of the bound.
fn large(name: &str) -> Frame {
    text(&format!("{name:_<132}"))
}

const RELIABLE: Class = Class::Reliable;
const CURSOR: Class = Class::Latest(LatestKey(1));
const FOCUS: Class = Class::Latest(LatestKey(2));
const KEY: Class = Class::Stream { key_frame: true };
const DELTA: Class = Class::Stream { key_frame: false };
const SLOW: Poll<Result<CloseCode, io::ErrorKind>> = Poll::Ready(Ok(CloseCode::Slow));

#[test]
fn it_is_small_and_holds_no_heap_when_idle() {
    assert!(size_of::<Outbox>() <= 160, "{}", size_of::<Outbox>());
    let outbox = Outbox::new(100_000);
    for _ in 0..1_000 {
        outbox.push(RELIABLE, text("x")).unwrap();
    }
    outbox.push(Class::Control, Frame::ping(b"")).unwrap();
    assert_eq!(drain(&outbox).len(), 1_001);
    let shared = outbox.0.lock();
    assert_eq!((shared.queue.entries.capacity(), shared.queue.control.capacity()), (0, 0));
    assert_eq!((shared.queue.frames, shared.queue.bytes), (0, 0));
}

#[test]
fn latest_is_replaced_by_key_and_goes_to_the_end() {
    let outbox = Outbox::new(LIMIT);
    assert_eq!(outbox.push(CURSOR, text("cursor 1")), Ok(Pushed::Queued));
    outbox.push(FOCUS, text("focus 1")).unwrap();
    outbox.push(RELIABLE, text("signal")).unwrap();
    assert_eq!(outbox.push(CURSOR, text("cursor 2")), Ok(Pushed::Replaced));
    assert_eq!(drain(&outbox), ["focus 1", "signal", "cursor 2"]);
    assert_eq!(outbox.push(CURSOR, text("cursor 3")), Ok(Pushed::Queued));
    assert_eq!(outbox.take_counts().replaced, 1);
    assert_eq!(outbox.take_counts(), Counts::default());
}

#[test]
fn a_frame_that_is_partly_written_is_neither_replaced_nor_overtaken() {
    let outbox = Outbox::new(LIMIT);
    outbox.push(CURSOR, text("cursor 1")).unwrap();
    outbox.push(RELIABLE, text("signal")).unwrap();
    let mut script = Script::takes([3]);
    assert!(flush(&outbox, &mut script, 0).is_pending());
    outbox.push(CURSOR, text("cursor 2")).unwrap();
    outbox.push(Class::Control, Frame::ping(b"ping")).unwrap();
    outbox.push(Class::Control, Frame::pong(b"pong 1")).unwrap();
    assert_eq!(outbox.push(Class::Control, Frame::pong(b"pong 2")), Ok(Pushed::Replaced));
    script.takes = [usize::MAX; 9].into();
    assert!(flush(&outbox, &mut script, 0).is_pending());
    let kinds: Vec<_> = payloads(&script.out);
    let expected = ["cursor 1", "ping", "pong 2", "signal", "cursor 2"];
    assert_eq!(
        kinds.iter().map(|(_, payload)| payload).collect::<Vec<_>>(),
        expected.map(str::as_bytes)
    );
}

#[test]
fn an_overflowing_stream_is_cut_to_its_newest_key_frame() {
    let outbox = Outbox::new(LIMIT);
    for (class, name) in [(KEY, "a"), (DELTA, "b"), (KEY, "c")] {
        assert_eq!(outbox.push(class, large(name)), Ok(Pushed::Queued));
    }
    // The bound of streams is 750.
    assert_eq!(outbox.push(DELTA, large("d")), Ok(Pushed::Queued));
    outbox.push(DELTA, large("e")).unwrap();
    assert_eq!(outbox.push(DELTA, large("f")), Ok(Pushed::KeyFrameNeeded));
    assert_eq!(outbox.push(DELTA, large("g")), Ok(Pushed::KeyFrameNeeded));
    assert_eq!(outbox.push(KEY, large("h")), Ok(Pushed::Queued));
    assert_eq!(outbox.push(DELTA, large("i")), Ok(Pushed::Queued));
    assert_eq!(outbox.take_counts().dropped, 7);
    let got: Vec<_> = drain(&outbox).iter().map(|payload| payload[..1].to_owned()).collect();
    assert_eq!(got, ["h", "i"]);
}

#[test]
fn reliable_frames_push_the_stream_out_then_close() {
    let outbox = Outbox::new(LIMIT);
    outbox.push(KEY, large("stream")).unwrap();
    for _ in 0..5 {
        assert_eq!(outbox.push(RELIABLE, large("signal")), Ok(Pushed::Queued));
    }
    assert_eq!(outbox.push(DELTA, text("part")), Ok(Pushed::KeyFrameNeeded));
    assert_eq!(outbox.push(RELIABLE, text("one more")), Err(Closed));
    assert!(outbox.is_closed());
    assert_eq!(outbox.push(Class::Control, Frame::ping(b"")), Err(Closed));
    let mut script = Script::takes([usize::MAX]);
    assert_eq!(flush(&outbox, &mut script, 0), SLOW);
    assert_eq!(script.out, Frame::close(CloseCode::Slow.into()).bytes()[..]);
    assert_eq!(flush(&outbox, &mut script, 0), SLOW);
}

#[test]
fn control_frames_fit_always() {
    let outbox = Outbox::new(0);
    outbox.push(Class::Control, Frame::ping(b"")).unwrap();
    assert_eq!(outbox.push(RELIABLE, text("")), Err(Closed));
}

#[test]
fn a_close_comes_last_with_streams_before_it_and_all_else_in_order() {
    let outbox = Outbox::new(LIMIT);
    for (class, name) in [(KEY, "key"), (RELIABLE, "1"), (CURSOR, "cursor"), (RELIABLE, "2")] {
        outbox.push(class, text(name)).unwrap();
    }
    outbox.push(Class::Control, Frame::pong(b"pong")).unwrap();
    outbox.close(CloseCode::GoAway.into());
    outbox.close(CloseCode::Normal.into());
    assert_eq!(outbox.push(RELIABLE, text("late")), Err(Closed));
    // Torn by the write: the order holds from write to write.
    let mut script = Script::takes([6, 2, 3, 0, usize::MAX]);
    assert!(flush(&outbox, &mut script, 0).is_pending());
    assert_eq!(flush(&outbox, &mut script, 0), Poll::Ready(Ok(CloseCode::GoAway)));
    let got = payloads(&script.out);
    let got: Vec<_> = got.iter().map(|(_, bytes)| String::from_utf8_lossy(bytes)).collect();
    assert_eq!(got[..5], ["pong", "1", "cursor", "2", "key"]);
    assert!(got[5].ends_with(r#"{"code":"goaway"}"#));
    assert_eq!(outbox.take_counts().frames, 6);
}

#[test]
fn an_abort_drops_everything_and_wakes() {
    let (outbox, wakes) = (Outbox::new(LIMIT), Arc::new(Wakes::default()));
    outbox.push(RELIABLE, text("x")).unwrap();
    let waker = wakes.clone().into();
    let mut context = Context::from_waker(&waker);
    let mut script = Script::takes([]);
    let mut script = Pin::new(&mut script);
    assert!(outbox.poll_flush(&mut context, script.as_mut(), Timestamp(0)).is_pending());
    outbox.abort();
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert_eq!(flush(&outbox, &mut script, 0), Poll::Ready(Err(io::ErrorKind::ConnectionAborted)));
    assert_eq!(outbox.push(RELIABLE, text("x")), Err(Closed));
    assert_eq!(outbox.stalled_since(), None);
}

#[test]
fn the_answer_to_the_handshake_goes_first() {
    let outbox = Outbox::with_head(LIMIT, "HTTP/1.1 101 …\r\n\r\n".into());
    outbox.push(RELIABLE, text("welcome")).unwrap();
    outbox.push(Class::Control, Frame::ping(b"")).unwrap();
    outbox.close(CloseCode::Origin.into());
    let mut script = Script::takes([4, usize::MAX]);
    assert_eq!(flush(&outbox, &mut script, 0), Poll::Ready(Ok(CloseCode::Origin)));
    let frames = script.out.strip_prefix("HTTP/1.1 101 …\r\n\r\n".as_bytes()).unwrap();
    assert_eq!(payloads(frames)[..2], [(0x89, vec![]), (0x81, b"welcome".into())]);
    assert_eq!(outbox.take_counts().frames, 3);
}

#[test]
fn a_batch_of_pushes_wakes_once_and_ends_in_one_write() {
    let (outbox, wakes) = (Outbox::new(LIMIT), Arc::new(Wakes::default()));
    let waker = wakes.clone().into();
    let mut context = Context::from_waker(&waker);
    let mut script = Script::takes([usize::MAX; 4]);
    assert!(outbox.poll_flush(&mut context, Pin::new(&mut script), Timestamp(0)).is_pending());
    for turn in 1..3 {
        outbox.push(RELIABLE, text("a")).unwrap();
        outbox.push(CURSOR, text("b")).unwrap();
        assert_eq!(wakes.0.load(Ordering::SeqCst), turn);
        assert!(outbox.poll_flush(&mut context, Pin::new(&mut script), Timestamp(0)).is_pending());
        assert_eq!(script.writes, turn);
    }
    // While the peer takes nothing there is nobody to wake.
    script.takes.clear();
    outbox.push(RELIABLE, text("c")).unwrap();
    assert!(outbox.poll_flush(&mut context, Pin::new(&mut script), Timestamp(0)).is_pending());
    outbox.push(RELIABLE, text("d")).unwrap();
    assert_eq!(wakes.0.load(Ordering::SeqCst), 3);
}

#[test]
fn a_task_that_runs_is_not_woken_by_what_it_pushes_itself() {
    let (outbox, wakes) = (Outbox::new(LIMIT), Arc::new(Wakes::default()));
    let waker = wakes.clone().into();
    let mut context = Context::from_waker(&waker);
    let mut script = Script::takes([usize::MAX; 4]);
    assert!(outbox.poll_flush(&mut context, Pin::new(&mut script), Timestamp(0)).is_pending());
    outbox.awake();
    outbox.push(RELIABLE, text("answer")).unwrap();
    assert!(outbox.poll_flush(&mut context, Pin::new(&mut script), Timestamp(0)).is_pending());
    assert_eq!((wakes.0.load(Ordering::SeqCst), script.writes), (0, 1));
    // Asleep again.
    outbox.push(RELIABLE, text("event")).unwrap();
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
}

#[test]
fn a_stream_that_does_not_vector_gets_small_frames_joined() {
    let outbox = Outbox::new(100_000);
    for _ in 0..100 {
        outbox.push(RELIABLE, text(&"x".repeat(98))).unwrap();
    }
    outbox.push(RELIABLE, text(&"y".repeat(5_000))).unwrap();
    let mut script = Script { vectors: false, ..Script::takes([usize::MAX; 100]) };
    assert!(flush(&outbox, &mut script, 0).is_pending());
    assert_eq!((payloads(&script.out).len(), script.writes), (101, 4));
}

#[test]
fn the_deadline_counts_what_waited_when_it_began() {
    let outbox = Outbox::new(LIMIT);
    outbox.push(RELIABLE, text(&"x".repeat(98))).unwrap();
    assert_eq!(outbox.stalled_since(), None);
    let mut script = Script::takes([]);
    assert!(flush(&outbox, &mut script, 5).is_pending());
    assert_eq!(outbox.stalled_since(), Some(Timestamp(5)));
    outbox.push(RELIABLE, text(&"y".repeat(98))).unwrap();
    for (takes, now, since) in [(99, 6, 5), (1, 7, 7), (99, 8, 7)] {
        script.takes = [takes].into();
        assert!(flush(&outbox, &mut script, now).is_pending());
        assert_eq!(outbox.stalled_since(), Some(Timestamp(since)));
    }
    script.takes = [1].into();
    assert!(flush(&outbox, &mut script, 9).is_pending());
    assert_eq!(outbox.stalled_since(), None);
}

#[test]
fn bytes_that_the_stream_holds_back_wait_too() {
    let outbox = Outbox::new(LIMIT);
    outbox.close(CloseCode::Normal.into());
    let mut script = Script { flush_pending: true, ..Script::takes([usize::MAX]) };
    assert!(flush(&outbox, &mut script, 5).is_pending());
    assert!(flush(&outbox, &mut script, 6).is_pending());
    assert_eq!(outbox.stalled_since(), Some(Timestamp(5)));
    script.flush_pending = false;
    assert_eq!(flush(&outbox, &mut script, 7), Poll::Ready(Ok(CloseCode::Normal)));
}

#[test]
fn a_stream_that_fails_ends_the_outbox() {
    let outbox = Outbox::new(LIMIT);
    outbox.push(RELIABLE, text("x")).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let failing = Pin::new(&mut [0u8; 0][..]);
    let mut failing = io::Cursor::new(failing.get_mut());
    let result = outbox.poll_flush(&mut context, Pin::new(&mut failing), Timestamp(0));
    let kind = result.map_err(|error| error.kind());
    assert!(matches!(kind, Poll::Ready(Err(io::ErrorKind::WriteZero))));
    assert!(outbox.is_closed());
}

#[test]
fn threads_push_while_the_task_writes() {
    struct Unpark(thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let outbox = Arc::new(Outbox::new(u32::MAX));
    let left = Arc::new(AtomicUsize::new(4));
    for thread in 0..4 {
        let (outbox, left) = (outbox.clone(), left.clone());
        thread::spawn(move || {
            for number in 0..2_000 {
                outbox.push(RELIABLE, text(&format!("{thread} {number}"))).unwrap();
            }
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                outbox.close(CloseCode::Normal.into());
            }
        });
    }
    let waker = Arc::new(Unpark(thread::current())).into();
    let mut context = Context::from_waker(&waker);
    let mut script = Script { vectors: true, ..Script::default() };
    for round in 1.. {
        script.takes = [round * 7 % 300 + 1, 50, 1].into();
        let result = outbox.poll_flush(&mut context, Pin::new(&mut script), Timestamp(0));
        if result.is_ready() {
            break;
        }
        if script.takes.is_empty() {
            continue; // The script's own "not now", which wakes nobody.
        }
        thread::park();
    }
    let frames = payloads(&script.out);
    assert_eq!(frames.len(), 8_001);
    let mut next = [0; 4];
    for (_, payload) in &frames[..8_000] {
        let payload = String::from_utf8(payload.clone()).unwrap();
        let (thread, number) = payload.split_once(' ').unwrap();
        let thread: usize = thread.parse().unwrap();
        assert_eq!(number.parse::<usize>().unwrap(), next[thread]);
        next[thread] += 1;
    }
}
