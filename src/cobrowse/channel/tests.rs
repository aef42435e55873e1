mod nodes;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::{AtomicBool, Ordering},
};

use proptest::prelude::*;

use super::*;
use crate::{cobrowse::session::Stream, model::ids::SocketAddress};

const PAGE: SocketId = SocketId(1);
const RELAY: RelayLimits = RelayLimits { page_bytes: 60, pages: 4 };
const ASSETS: AssetLimits = AssetLimits { bytes: 10, total_bytes: 20, assets: 4 };
const NOW: Timestamp = Timestamp(1_700_000_000_000);

/// What reached whom.
#[derive(Debug, Default)]
struct Heard {
    parts: BTreeMap<SocketId, Vec<String>>,
    gaps: Vec<SocketId>,
    asked: usize,
    ended: Vec<SocketId>,
    marks: Vec<MarkOf>,
}

#[derive(Default)]
struct Post {
    heard: Mutex<Heard>,
    /// Who takes no part but a key frame.
    slow: Mutex<Option<SocketId>>,
}

impl StreamPost for Post {
    fn part(&self, to: &[SocketId], key_frame: bool, part: &Bytes) -> Vec<SocketId> {
        let (mut heard, mut slow) = (self.heard.lock(), self.slow.lock());
        let mut missed = Vec::new();
        for socket in to {
            if *slow == Some(*socket) && !key_frame {
                missed.push(*socket);
                *slow = None;
                continue;
            }
            let text = String::from_utf8(part.to_vec()).unwrap();
            heard.parts.entry(*socket).or_default().push(text);
        }
        missed
    }
    fn gap(&self, to: SocketId, _: u32) {
        self.heard.lock().gaps.push(to);
    }
    fn key_frame(&self, to: SocketId) {
        assert_eq!(to, PAGE);
        self.heard.lock().asked += 1;
    }
    fn want(&self, _: SocketId, _: [u8; 32]) {}
    fn mark(&self, to: SocketId, mark: &MarkOf) {
        assert_eq!(to, PAGE);
        self.heard.lock().marks.push(mark.clone());
    }
    fn end(&self, to: SocketId) {
        self.heard.lock().ended.push(to);
    }
}

fn channel() -> (Channel, Post) {
    (on_node(1, &Arc::default()), Post::default())
}

/// The page streams.
fn opens(channel: &Channel, epoch: u32, post: &Post) {
    channel.expects(epoch, PAGE, post);
    channel.page_opens(PAGE).unwrap();
}

fn on_node(node: u32, between: &Arc<Letters>) -> Channel {
    let session = SessionKey {
        group: "12345".parse().unwrap(),
        session: crate::model::ids::SessionId::from_u128(7),
    };
    let between = Arc::clone(between) as Arc<dyn Between>;
    Channel::new((RELAY, ASSETS), session, NodeId { node, incarnation: 1 }, between)
}

/// What one node said to others and nobody brought yet.
#[derive(Debug, Default)]
struct Letters {
    waiting: Mutex<VecDeque<(What, Bytes)>>,
    /// Whether there is no room for more.
    is_full: AtomicBool,
}

impl Between for Letters {
    fn send(&self, to: &[NodeId], _: &SessionKey, what: What, body: &[u8]) -> Vec<NodeId> {
        if self.is_full.load(Ordering::Relaxed) {
            return to.to_vec();
        }
        self.waiting.lock().push_back((what, Bytes::copy_from_slice(body)));
        Vec::new()
    }
}

fn part(epoch: u32, key_frame: bool, text: &str) -> Part {
    Part { epoch, key_frame, message: text.to_owned().into() }
}

#[test]
fn only_the_page_that_is_to_be_recorded_is_heard() {
    let (channel, post) = channel();
    channel.viewer_opens(SocketId(9), UserId(2), NOW, &post);
    channel.record(1, true, &post);
    opens(&channel, 1, &post);
    channel.part(PAGE, part(1, true, "K"), NOW, &post).unwrap();
    assert!(channel.part(PAGE, part(2, true, "another page"), NOW, &post).is_err());
    assert!(channel.part(SocketId(7), part(1, true, "another socket"), NOW, &post).is_err());
    channel.record(1, false, &post);
    assert!(channel.part(PAGE, part(1, false, "too late"), NOW, &post).is_err());
    let heard = post.heard.into_inner();
    assert_eq!(heard.parts[&SocketId(9)], ["K"]);
    assert_eq!(heard.ended, [PAGE]);
    assert_eq!(channel.bytes().0, 0, "nothing is kept of it");
}

#[test]
fn a_page_that_was_stopped_on_its_way_in_does_not_come_in() {
    let (channel, post) = channel();
    channel.expects(1, PAGE, &post);
    channel.record(1, false, &post);
    assert_eq!(channel.page_opens(PAGE).unwrap_err().code, ErrorCode::NotFound, "he paused");
    channel.expects(1, SocketId(2), &post);
    assert!(channel.page_opens(PAGE).is_err(), "it comes by another socket");
    assert_eq!(post.heard.into_inner().ended, [PAGE]);
}

#[test]
fn of_pages_that_went_without_a_word_nothing_is_kept() {
    let (channel, post) = channel();
    for epoch in 1..=3 {
        channel.record(epoch, true, &post);
        opens(&channel, epoch, &post);
        channel.part(PAGE, part(epoch, true, "K"), NOW, &post).unwrap();
        assert_eq!(channel.bytes().0, 1, "of the one that is shown");
    }
}

#[test]
fn who_reads_too_slowly_goes_on_with_the_next_key_frame() {
    let (channel, post) = channel();
    channel.record(1, true, &post);
    opens(&channel, 1, &post);
    for (socket, user) in [(8, 2), (9, 3)] {
        channel.viewer_opens(SocketId(socket), UserId(user), NOW, &post);
    }
    let asked_first = post.heard.lock().asked;
    channel.part(PAGE, part(1, true, "K"), NOW, &post).unwrap();
    *post.slow.lock() = Some(SocketId(9));
    let later = NOW + KEY_FRAME_PACE_MS;
    channel.part(PAGE, part(1, false, "a"), later, &post).unwrap();
    channel.part(PAGE, part(1, false, "b"), later, &post).unwrap();
    channel.part(PAGE, part(1, true, "L"), later, &post).unwrap();
    let heard = post.heard.into_inner();
    assert_eq!(heard.parts[&SocketId(8)], ["K", "a", "b", "L"]);
    assert_eq!(heard.parts[&SocketId(9)], ["K", "L"]);
    assert_eq!((heard.gaps, heard.asked), (vec![SocketId(9)], asked_first + 1));
}

#[test]
fn whoever_is_not_in_the_session_any_more_gets_nothing() {
    let (channel, post) = channel();
    channel.record(1, true, &post);
    opens(&channel, 1, &post);
    channel.viewer_opens(SocketId(9), UserId(2), NOW, &post);
    let mark = Mark::Cursor { x: Some(1.0), y: Some(2.0) };
    channel.mark(UserId(2), "Ann", mark.clone(), &post);
    channel.leaves(UserId(2), &post);
    channel.part(PAGE, part(1, true, "K"), NOW, &post).unwrap();
    assert_eq!(channel.viewers(), 0);
    channel.end(&post);
    channel.mark(UserId(2), "Ann", mark, &post);
    let heard = post.heard.into_inner();
    assert_eq!((heard.parts.len(), heard.marks.len()), (0, 1));
    assert_eq!(heard.ended, [SocketId(9), PAGE]);
}

#[derive(Clone, Debug)]
enum Act {
    Part(bool, usize),
    Comes(u64),
    Goes(u64),
    IsSlow(u64),
    PageAgain,
}

fn act() -> impl Strategy<Value = Act> {
    let viewer = 10_u64..14;
    prop_oneof![
        6 => (prop::bool::weighted(0.2), 1_usize..40).prop_map(|(key, size)| Act::Part(key, size)),
        1 => viewer.clone().prop_map(Act::Comes),
        1 => viewer.clone().prop_map(Act::Goes),
        1 => viewer.prop_map(Act::IsSlow),
        1 => Just(Act::PageAgain),
    ]
}

proptest! {
    /// What each viewer gets is a sequence of runs, each of which begins with a key frame and leaves nothing out.
    #[test]
    fn no_viewer_gets_what_builds_on_what_he_lacks(acts in prop::collection::vec(act(), 1..120)) {
        let (channel, post) = channel();
        channel.record(1, true, &post);
        opens(&channel, 1, &post);
        let (mut sent, mut here) = (Vec::new(), std::collections::BTreeSet::new());
        for (turn, act) in acts.into_iter().enumerate() {
            let now = NOW + turn as u64 * 100;
            match act {
                Act::Part(key_frame, size) => {
                    let head = format!("{}{:04}", if key_frame { 'K' } else { 'p' }, sent.len());
                    let text = format!("{head:.<size$}");
                    channel.part(PAGE, part(1, key_frame, &text), now, &post).unwrap();
                    sent.push(text);
                }
                Act::Comes(viewer) => {
                    here.insert(viewer);
                    let user = UserId(u32::try_from(viewer).unwrap());
                    post.heard.lock().parts.remove(&SocketId(viewer));
                    channel.viewer_opens(SocketId(viewer), user, now, &post);
                }
                Act::Goes(viewer) => {
                    here.remove(&viewer);
                    channel.closes(SocketId(viewer));
                }
                Act::IsSlow(viewer) => *post.slow.lock() = Some(SocketId(viewer)),
                Act::PageAgain => opens(&channel, 1, &post),
            }
            prop_assert_eq!(channel.viewers(), here.len());
            prop_assert!(channel.bytes().0 <= RELAY.page_bytes);
        }
        let heard = post.heard.into_inner();
        for (viewer, parts) in &heard.parts {
            let mut last = None;
            for text in parts {
                let at = sent.iter().position(|sent| sent == text).unwrap();
                let follows = last.is_some_and(|last| at == last + 1);
                prop_assert!(text.starts_with('K') || follows, "{:?} got {} after {:?}", viewer, at, last);
                last = Some(at);
            }
        }
    }
}
