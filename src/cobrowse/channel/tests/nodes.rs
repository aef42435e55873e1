//! A page on one node, and viewers on two.

use super::*;

/// A page on one node, a viewer there, and one on another node.
struct Two {
    home: Channel,
    away: Channel,
    post: (Post, Post),
    letters: (Arc<Letters>, Arc<Letters>),
    now: Timestamp,
    sent: usize,
}

const HOME: NodeId = NodeId { node: 1, incarnation: 1 };
const AWAY: NodeId = NodeId { node: 2, incarnation: 1 };
const VIEWER: SocketId = SocketId(9);

impl Two {
    fn new() -> Self {
        let letters = (Arc::default(), Arc::default());
        let (home, away) = (on_node(1, &letters.0), on_node(2, &letters.1));
        let post = (Post::default(), Post::default());
        let two = Self { home, away, post, letters, now: NOW, sent: 0 };
        two.home.viewer_opens(VIEWER, UserId(2), NOW, &two.post.0);
        two.away.viewer_opens(VIEWER, UserId(3), NOW, &two.post.1);
        two.page(1);
        two
    }

    /// The page is shown, and streams to the one node.
    fn page(&self, epoch: u32) {
        self.home.record(epoch, true, &self.post.0);
        self.away.record(epoch, true, &self.post.1);
        opens(&self.home, epoch, &self.post.0);
        let stream = Stream { epoch, socket: SocketAddress { node: HOME, socket: PAGE } };
        self.away.streams(stream, self.now, &self.post.1);
    }

    fn part(&mut self, epoch: u32, key_frame: bool) {
        self.sent += 1;
        let text = format!("{}{}", if key_frame { 'K' } else { 'p' }, self.sent);
        let _ = self.home.part(PAGE, part(epoch, key_frame, &text), self.now, &self.post.0);
    }

    /// Brings letters, but those that `is_lost`; `false` when there are none.
    fn bring(&self, is_lost: bool) -> bool {
        let to_away = self.letters.0.waiting.lock().pop_front();
        let to_home = self.letters.1.waiting.lock().pop_front();
        let is_any = to_away.is_some() || to_home.is_some();
        for (what, message) in to_away.into_iter().filter(|_| !is_lost) {
            match what {
                What::Part { run, number, epoch, key_frame } => {
                    let part = Part { epoch, key_frame, message };
                    self.away.part_from(HOME, (run, number), part, self.now, &self.post.1);
                }
                What::Here => self.away.here(HOME, self.now),
                other => panic!("{other:?}"),
            }
        }
        for (what, _) in to_home.into_iter().filter(|_| !is_lost) {
            match what {
                What::Follow { run, next, is_behind } => {
                    let lacks = (run, next, is_behind);
                    assert!(self.home.follow(AWAY, lacks, self.now, &self.post.0));
                    self.letters.0.send(&[AWAY], &self.home.session, What::Here, &[]);
                }
                What::Leave => self.home.leave(AWAY),
                What::KeyFrame => self.home.key_frame(self.now, &self.post.0),
                What::Mark(mark) => self.home.show_mark(mark, &self.post.0),
                other => panic!("{other:?}"),
            }
        }
        is_any
    }

    /// Time passes, nothing is lost, and the page does as it is asked.
    fn settle(&mut self, epoch: u32) {
        for _ in 0..4 {
            self.now = self.now + 1_000;
            let asked = std::mem::take(&mut self.post.0.heard.lock().asked);
            if asked > 0 {
                self.part(epoch, true);
            }
            self.home.turn(self.now, &self.post.0);
            self.away.turn(self.now, &self.post.1);
            while self.bring(false) {}
        }
    }

    /// What a viewer's picture is built of.
    fn picture(post: &Post) -> Vec<String> {
        let parts = post.heard.lock().parts.get(&VIEWER).cloned().unwrap_or_default();
        let key = parts.iter().rposition(|part| part.starts_with('K')).unwrap_or_default();
        parts[key..].to_vec()
    }
}

#[test]
fn a_viewer_on_another_node_gets_what_one_on_the_pages_node_gets() {
    let mut two = Two::new();
    while two.bring(false) {}
    for key_frame in [true, false, false] {
        two.part(1, key_frame);
    }
    while two.bring(false) {}
    assert_eq!(Two::picture(&two.post.1), ["K1", "p2", "p3"]);
    // A late one begins with what is there, without a word to the page.
    let asked = two.post.0.heard.lock().asked;
    two.away.viewer_opens(SocketId(10), UserId(4), two.now, &two.post.1);
    assert_eq!(two.post.1.heard.lock().parts[&SocketId(10)], ["K1", "p2", "p3"]);
    two.away.mark(UserId(3), "Ann", Mark::Cursor { x: Some(1.0), y: None }, &two.post.1);
    while two.bring(false) {}
    let heard = two.post.0.heard.lock();
    assert_eq!((heard.asked, heard.marks.len()), (asked, 1));
}

#[test]
fn what_is_not_to_be_seen_any_more_is_kept_on_no_node() {
    let mut two = Two::new();
    while two.bring(false) {}
    two.part(1, true);
    while two.bring(false) {}
    two.away.record(1, false, &two.post.1);
    assert_eq!(two.away.bytes().0, 0);
    two.away.viewer_opens(SocketId(10), UserId(4), two.now, &two.post.1);
    assert!(!two.post.1.heard.lock().parts.contains_key(&SocketId(10)));
}

#[test]
fn a_node_without_viewers_gets_nothing() {
    let mut two = Two::new();
    while two.bring(false) {}
    two.away.closes(VIEWER);
    while two.bring(false) {}
    two.part(1, true);
    assert!(!two.bring(false), "nothing is sent");
    assert_eq!(two.away.turn(two.now, &two.post.1), Followed::Idle);
}

#[test]
fn a_node_that_is_not_heard_of_is_sent_nothing_and_asked_for_anew() {
    let mut two = Two::new();
    while two.bring(false) {}
    two.now = two.now + 60_000;
    two.home.turn(two.now, &two.post.0);
    two.part(1, true);
    assert!(two.letters.0.waiting.lock().is_empty());
    assert_eq!(two.away.turn(two.now, &two.post.1), Followed::Silent);
}

proptest! {
    /// Whatever is lost on the way, in the end both viewers have the same picture, and it is the page's.
    #[test]
    fn nobody_keeps_a_wrong_picture(
        acts in prop::collection::vec((0_u8..12, any::<bool>()), 1..150),
    ) {
        let (mut two, mut epoch) = (Two::new(), 1);
        for (act, either) in acts {
            two.now = two.now + 50;
            match act {
                0..4 => two.part(epoch, act == 0),
                4..9 => { two.bring(either && act == 4); }
                9 => two.letters.0.is_full.store(either, Ordering::Relaxed),
                10 => { two.away.turn(two.now, &two.post.1); }
                _ if either => { epoch += 1; two.page(epoch); }
                _ => two.page(epoch),
            }
        }
        two.letters.0.is_full.store(false, Ordering::Relaxed);
        two.settle(epoch);
        two.part(epoch, true);
        two.part(epoch, false);
        two.settle(epoch);
        let last = |post| Two::picture(post).pop();
        prop_assert_eq!(last(&two.post.0), Some(format!("p{}", two.sent)));
        prop_assert_eq!(last(&two.post.1), last(&two.post.0));
        // And each part follows the one before.
        let parts = two.post.1.heard.lock().parts[&VIEWER].clone();
        for pair in parts.windows(2) {
            let number = |part: &str| part[1..].parse::<usize>().unwrap();
            let follows = number(&pair[1]) == number(&pair[0]) + 1;
            prop_assert!(pair[1].starts_with('K') || follows, "{:?}", parts);
        }
    }
}
