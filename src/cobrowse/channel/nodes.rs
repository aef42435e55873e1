//! The stream from node to node.
//!
//! A node with viewers *follows* the one that has the page: it says so when the first viewer comes, and then again and
//! again, with the number of the part that it lacks next. The page's node sends each part once to each follower. A follower
//! begins with a key frame and goes on while the numbers do; after a gap it says at once that it is behind, and gets the
//! last key frame and what follows once more. Whatever gets lost without a word, letters or a whole follower, is found by
//! what is said again and again.

use bytes::Bytes;

use super::{Channel, Part, Source, State, StreamPost};
use crate::{
    clock::Timestamp,
    cobrowse::{
        letter::What,
        session::{Shown, Stream},
    },
    model::ids::{NodeId, SessionKey, SocketId},
};

/// A follower of whom nothing was heard for so long is gone, in milliseconds.
const FOLLOWER_LOST_MS: u64 = 5_000;
/// A page's node of which nothing was heard for so long is asked for anew, in milliseconds.
const SOURCE_LOST_MS: u64 = 2_500;

/// The way to other nodes. Does not wait.
pub trait Between: Send + Sync + std::fmt::Debug {
    /// Says something of a session to nodes. Gives those to which it cannot be sent now.
    fn send(&self, to: &[NodeId], session: &SessionKey, what: What, body: &[u8]) -> Vec<NodeId>;
}

/// A node with viewers.
#[derive(Debug)]
pub(super) struct Follower {
    node: NodeId,
    /// The page of which it was sent a key frame and all that followed.
    pub(super) follows: Option<u32>,
    /// The part that was next when it was heard last: by now it has those before.
    mark: u64,
    heard: Timestamp,
}

/// The node that has the page.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) node: NodeId,
    /// By which socket the page streams there; 0 before the first key frame.
    run: u64,
    next: u64,
    /// Whether parts are missing, and it was told so.
    is_behind: bool,
    heard: Timestamp,
}

/// How it stands with a stream from another node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Followed {
    /// Nobody needs anything.
    Idle,
    /// Somebody views it, or the page is here.
    Well,
    /// Nothing is heard of the page's node.
    Silent,
}

impl Upstream {
    fn new(node: NodeId, now: Timestamp) -> Self {
        Self { node, run: 0, next: 0, is_behind: false, heard: now }
    }

    fn follow(&self) -> What {
        What::Follow { run: self.run, next: self.next, is_behind: self.is_behind }
    }
}

impl Channel {
    /// The session says what is shown, and where it comes in.
    pub fn shown(&self, shown: Shown, now: Timestamp, post: &dyn StreamPost) {
        match (shown.recorded, self.recorded()) {
            (None, Some(before)) => self.record(before, false, post),
            (Some(epoch), _) => self.record(epoch, true, post),
            (None, None) => {}
        }
        if let Some(stream) = shown.stream {
            self.streams(stream, now, post);
        }
    }

    fn recorded(&self) -> Option<u32> {
        self.state.lock().recorded
    }

    /// The stream comes in there from now on.
    pub fn streams(&self, stream: Stream, now: Timestamp, post: &dyn StreamPost) {
        let Stream { epoch, socket } = stream;
        let mut state = self.state.lock();
        // A page that comes here said so itself, and may be gone already.
        if socket.node == self.node || state.recorded != Some(epoch) {
            return;
        }
        if matches!(&state.source, Source::Node(from) if from.node == socket.node) {
            return;
        }
        state.leave_source(post);
        let from = Upstream::new(socket.node, now);
        if !state.viewers.is_empty() {
            self.say(from.node, from.follow());
        }
        state.source = Source::Node(from);
    }

    /// From the page's node: a part.
    pub fn part_from(
        &self,
        node: NodeId,
        (run, number): (u64, u64),
        part: Part,
        now: Timestamp,
        post: &dyn StreamPost,
    ) {
        let mut state = self.state.lock();
        let Part { epoch, key_frame, message } = part;
        let is_recorded = state.recorded == Some(epoch) && !state.viewers.is_empty();
        let Source::Node(from) = &mut state.source else { return };
        if from.node != node || !is_recorded {
            return;
        }
        from.heard = now;
        if key_frame {
            (from.run, from.is_behind) = (run, false);
        } else if from.run != run || number > from.next {
            if !std::mem::replace(&mut from.is_behind, true) {
                self.say(node, from.follow());
            }
            return;
        } else if number < from.next {
            return;
        }
        from.next = number + 1;
        state.relay.push(epoch, key_frame, message.clone());
        state.show(epoch, key_frame, &message, post);
        if state.lacks_a_picture() {
            state.ask_key_frame(now, self, post);
        }
    }

    /// From the page's node: it has the page.
    pub fn here(&self, node: NodeId, now: Timestamp) {
        if let Source::Node(from) = &mut self.state.lock().source
            && from.node == node
        {
            from.heard = now;
        }
    }

    /// A node has viewers, and lacks what is `next` of what comes by `run`. Whether the page is here.
    pub fn follow(
        &self,
        node: NodeId,
        (run, next, is_behind): (u64, u64, bool),
        now: Timestamp,
        post: &dyn StreamPost,
    ) -> bool {
        let mut state = self.state.lock();
        let (Source::Page(page) | Source::Expected(page)) = state.source else { return false };
        let (mark, known) = (state.number, state.followers.iter_mut().find(|one| one.node == node));
        let (before, lacks) = match known {
            Some(follower) => {
                follower.heard = now;
                (std::mem::replace(&mut follower.mark, mark), follower.follows.is_none())
            }
            None => {
                state.followers.push(Follower { node, follows: None, mark, heard: now });
                (mark, true)
            }
        };
        if is_behind || lacks || run != page.0 || next < before {
            self.catch_up_node(&mut state, node, now, post);
        }
        true
    }

    /// A node has no viewers any more.
    pub fn leave(&self, node: NodeId) {
        self.state.lock().followers.retain(|follower| follower.node != node);
    }

    /// A viewer on another node needs a key frame.
    pub fn key_frame(&self, now: Timestamp, post: &dyn StreamPost) {
        let mut state = self.state.lock();
        if matches!(state.source, Source::Page(_)) {
            state.ask_key_frame(now, self, post);
        }
    }

    /// Some time has passed.
    pub fn turn(&self, now: Timestamp, post: &dyn StreamPost) -> Followed {
        let mut state = self.state.lock();
        state.followers.retain(|follower| now < follower.heard + FOLLOWER_LOST_MS);
        if let Source::Page(_) | Source::Expected(_) = state.source {
            if state.lacks_a_picture() {
                state.ask_key_frame(now, self, post);
            }
            return Followed::Well;
        }
        match &state.source {
            _ if state.viewers.is_empty() => Followed::Idle,
            Source::Node(from) => {
                self.say(from.node, from.follow());
                if from.run != 0 && !from.is_behind && state.lacks_a_picture() {
                    self.say(from.node, What::KeyFrame);
                }
                if now < from.heard + SOURCE_LOST_MS { Followed::Well } else { Followed::Silent }
            }
            Source::Page(_) | Source::Expected(_) | Source::Nowhere => Followed::Well,
        }
    }

    /// What may have been missed comes again.
    pub fn begin_again(&self, now: Timestamp) {
        let mut state = self.state.lock();
        let is_viewed = !state.viewers.is_empty();
        if let Source::Node(from) = &mut state.source {
            *from = Upstream::new(from.node, now);
            if is_viewed {
                self.say(from.node, from.follow());
            }
        }
    }

    /// A part of the page here, to those who have what came before it.
    pub(super) fn pass_on(
        &self,
        state: &mut State,
        page: SocketId,
        epoch: u32,
        key_frame: bool,
        message: &Bytes,
    ) {
        let number = state.number;
        state.number += 1;
        let follow = state.followers.iter_mut().filter_map(|follower| {
            if key_frame {
                follower.follows = Some(epoch);
            }
            (follower.follows == Some(epoch)).then_some(follower.node)
        });
        let follow: Vec<_> = follow.collect();
        if follow.is_empty() {
            return;
        }
        let part = What::Part { run: page.0, number, epoch, key_frame };
        for node in self.between.send(&follow, &self.session, part, message) {
            let refused = state.followers.iter_mut().find(|follower| follower.node == node);
            if let Some(follower) = refused {
                follower.follows = None;
            }
        }
    }

    /// The last key frame and what follows it.
    fn catch_up_node(
        &self,
        state: &mut State,
        node: NodeId,
        now: Timestamp,
        post: &dyn StreamPost,
    ) {
        let (Some(epoch), Source::Page(page)) = (state.recorded, &state.source) else { return };
        let run = page.0;
        let (parts, ask) = state.relay.catch_up(epoch);
        let first = state.number - parts.len() as u64;
        let sent = parts.iter().zip(first..).all(|(message, number)| {
            let part = What::Part { run, number, epoch, key_frame: number == first };
            self.between.send(&[node], &self.session, part, message).is_empty()
        });
        let follows = (sent && !parts.is_empty()).then_some(epoch);
        if let Some(follower) = state.followers.iter_mut().find(|one| one.node == node) {
            follower.follows = follows;
        }
        if ask || follows.is_none() {
            state.ask_key_frame(now, self, post);
        }
    }

    /// The picture is to come anew: what is there, or where there is a picture here a newer one.
    pub(super) fn ask_node(&self, from: &Upstream) {
        let what = if from.run == 0 || from.is_behind { from.follow() } else { What::KeyFrame };
        self.say(from.node, what);
    }

    /// Where nobody views any more nothing is needed.
    pub(super) fn unfollow(&self, state: &mut State) {
        if let (Source::Node(from), true) = (&mut state.source, state.viewers.is_empty()) {
            self.say(from.node, What::Leave);
            *from = Upstream::new(from.node, from.heard);
            if let Some(epoch) = state.recorded {
                state.relay.forget(epoch);
            }
        }
    }

    fn say(&self, to: NodeId, what: What) {
        // What is not sent now is said again at the next turn.
        self.between.send(&[to], &self.session, what, &[]);
    }
}
