//! What must hold for any pushes and any writes, also for pushes in the middle of a write.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::script::{LIMIT, Script, flush, payloads};
use crate::sockets::outbox::*;

#[derive(Clone, Debug)]
enum Step {
    Push(Class, usize),
    /// Writes that take so many bytes, and what is pushed during each.
    Flush(Vec<usize>, Vec<(Class, usize)>),
    Close,
}

/// A frame that was taken: its number is its place among all pushes, and in its payload.
#[derive(Clone, Debug)]
struct Accepted {
    number: usize,
    class: Class,
    /// Bytes on the wire when it was pushed; the most, when that was in the middle of a write.
    at: usize,
}

#[derive(Default)]
struct Log {
    pushes: usize,
    accepted: Vec<Accepted>,
    /// The pushes of stream frames, also of those that were refused.
    streamed: Vec<usize>,
    written: usize,
}

fn classes() -> impl Strategy<Value = Class> {
    prop_oneof![
        Just(Class::Control),
        (0..3u64).prop_map(|key| Class::Latest(LatestKey(key))),
        prop::bool::weighted(0.2).prop_map(|key_frame| Class::Stream { key_frame }),
        prop::bool::weighted(0.2).prop_map(|key_frame| Class::Stream { key_frame }),
        Just(Class::Reliable),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let push = || (classes(), 0..150usize);
    let writes = prop::collection::vec(0..200usize, 1..5);
    prop::collection::vec(
        prop_oneof![
            12 => push().prop_map(|(class, size)| Step::Push(class, size)),
            6 => (writes, prop::collection::vec(push(), 0..3))
                .prop_map(|(writes, during)| Step::Flush(writes, during)),
            1 => Just(Step::Close),
        ],
        1..80,
    )
}

fn is_stream(class: Class) -> bool {
    matches!(class, Class::Stream { .. })
}

fn push(outbox: &Outbox, log: &Mutex<Log>, class: Class, size: usize) {
    let mut log = log.lock().unwrap();
    let number = log.pushes;
    log.pushes += 1;
    // A control frame would be cut, and its number with it.
    let size = if class == Class::Control { size.min(125) } else { size };
    let payload = format!("{number:0size$}", size = size.max(4));
    let frame = match class {
        Class::Control => Frame::ping(payload.as_bytes()),
        _ => Frame::text(payload.as_bytes()),
    };
    let pushed = outbox.push(class, frame);
    if is_stream(class) && pushed.is_ok() {
        log.streamed.push(number);
    }
    match pushed {
        Ok(Pushed::KeyFrameNeeded) => assert!(is_stream(class)),
        Ok(_) => {
            let at = log.written;
            log.accepted.push(Accepted { number, class, at });
        }
        Err(Closed) => assert!(outbox.is_closed()),
    }
    assert_within_bounds(outbox);
}

/// The naive sum over the queue agrees with the outbox's books, and is within the bound.
fn assert_within_bounds(outbox: &Outbox) {
    let shared = outbox.0.lock();
    let queue = &shared.queue;
    let (frames, bytes) = (queue.frames as usize, queue.bytes as usize);
    assert!(bytes + 64 * frames <= LIMIT as usize);
    assert!(queue.control.len() <= 1);
    let data = queue.entries.iter().filter(|entry| entry.is_data());
    let (mut here, mut size) = (0, 0);
    for entry in data {
        here += 1;
        size += entry.frame.bytes().len();
    }
    if queue.taken == crate::sockets::outbox::handover::Taken::Nothing {
        assert_eq!((here, size), (frames, bytes));
    } else {
        assert!(here <= frames && size <= bytes);
    }
}

proptest! {
    #[test]
    fn what_arrives_is_whole_in_order_and_by_policy(steps in steps(), vectors: bool) {
        let outbox = Arc::new(Outbox::new(LIMIT));
        let log = Arc::new(Mutex::new(Log::default()));
        let mut script = Script { vectors, ..Script::default() };
        let mut has_ended = false;
        for step in steps.into_iter().chain([Step::Flush(vec![usize::MAX; 99], vec![]), Step::Close]) {
            match step {
                Step::Push(class, size) => push(&outbox, &log, class, size),
                Step::Close => outbox.close(CloseCode::GoAway.into()),
                Step::Flush(takes, during) => {
                    let (mut during, outbox, shared) = (during.into_iter(), outbox.clone(), log.clone());
                    let inner = outbox.clone();
                    script.during = Some(Box::new(move || {
                        if let Some((class, size)) = during.next() {
                            push(&inner, &shared, class, size);
                        }
                    }));
                    script.takes = takes.into();
                    log.lock().unwrap().written = usize::MAX;
                    has_ended = flush(&outbox, &mut script, 0).is_ready();
                    log.lock().unwrap().written = script.out.len();
                    assert_within_bounds(&outbox);
                }
            }
        }
        script.during = None;
        for _ in 0..9 {
            script.takes = vec![usize::MAX; 99].into();
            has_ended |= flush(&outbox, &mut script, 0).is_ready();
        }
        prop_assert!(has_ended);
        let code = outbox.0.lock().queue.closing();

        let mut frames = payloads(&script.out);
        let (last, close) = frames.pop().unwrap();
        prop_assert_eq!(last, 0x88);
        prop_assert_eq!(&close[..2], code.unwrap().number().to_be_bytes());

        let log = log.lock().unwrap();
        let mut at = 0;
        let mut arrived = Vec::new();
        for (_, payload) in &frames {
            let number: usize = String::from_utf8_lossy(payload).parse().unwrap();
            let accepted = log.accepted.iter().find(|accepted| accepted.number == number);
            arrived.push((accepted.unwrap().clone(), at));
            at += payload.len() + if payload.len() < 126 { 2 } else { 4 };
        }
        let numbers = |wanted: &dyn Fn(Class) -> bool| -> Vec<usize> {
            let wanted = arrived.iter().filter(|(accepted, _)| wanted(accepted.class));
            wanted.map(|(accepted, _)| accepted.number).collect()
        };
        let is_reliable = |class| class == Class::Reliable;
        // All data in order, but a close puts streams last; control frames overtake, in order, too.
        for group in [
            numbers(&|class| class == Class::Control),
            numbers(&is_stream),
            numbers(&|class| class != Class::Control && !is_stream(class)),
        ] {
            prop_assert!(group.is_sorted_by(|a, b| a < b), "{group:?}");
        }
        if code == Some(CloseCode::GoAway) {
            let accepted = log.accepted.iter();
            let all = accepted.clone().filter(|accepted| is_reliable(accepted.class));
            prop_assert_eq!(numbers(&is_reliable), all.map(|a| a.number).collect::<Vec<_>>());
            for key in 0..3 {
                let class = Class::Latest(LatestKey(key));
                let newest = accepted.clone().rfind(|accepted| accepted.class == class);
                let got = numbers(&|other| other == class).last().copied();
                prop_assert_eq!(got, newest.map(|newest| newest.number));
            }
            let streamed = numbers(&is_stream).len() + outbox.take_counts().dropped as usize;
            prop_assert_eq!(streamed, log.streamed.len());
        }
        // After a gap in the stream comes a key frame.
        let stream = numbers(&is_stream);
        let sent = |number| log.accepted.iter().find(|a: &&Accepted| a.number == number).unwrap();
        let place = |number| log.streamed.iter().position(|pushed| *pushed == number).unwrap();
        for pair in stream.windows(2) {
            let is_key = sent(pair[1]).class == (Class::Stream { key_frame: true });
            prop_assert!(is_key || place(pair[1]) == place(pair[0]) + 1);
        }
        // Nothing that was not begun when a control frame came goes before it.
        for pair in arrived.windows(2) {
            let [(_, begins), (after, _)] = pair else { unreachable!() };
            prop_assert!(after.class != Class::Control || *begins < after.at, "{pair:?}");
        }
    }
}
