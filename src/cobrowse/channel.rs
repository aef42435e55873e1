//! A session's stream on this node: from the page that is shown to those who view it.
//!
//! The session says which page is recorded; what another one sends is dropped here, whatever it believes. All of one
//! session goes through one lock, so that every viewer gets what a late one is given first, and then what follows.
//!
//! A page streams to any node, and agents view by any. Where viewers are and the page is not, the stream comes from the
//! page's node, once for all viewers there: see `nodes`. Pictures and style sheets come beside it: see `assets`.

mod assets;
mod nodes;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::Notify;

pub use self::nodes::{Between, Followed};
use self::nodes::{Follower, Upstream};
use super::{
    assets::{AssetLimits, Assets},
    letter::What,
    relay::{Pushed, Relay, RelayLimits},
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::UserId,
        error::{ErrorCode, Problem},
        ids::{NodeId, SessionKey, SocketId},
        protocol::stream::{Mark, MarkOf},
    },
};

/// Least time between two key frames that are asked for, in milliseconds.
pub const KEY_FRAME_PACE_MS: u64 = 500;

/// Where a stream leaves for the sockets of this node. None of these waits.
pub trait StreamPost: Send + Sync {
    /// A part to viewers; encoded once. Gives those who read too slowly and now need a key frame.
    fn part(&self, to: &[SocketId], key_frame: bool, part: &Bytes) -> Vec<SocketId>;
    /// To a viewer: parts of this page were dropped, a key frame follows.
    fn gap(&self, to: SocketId, epoch: u32);
    /// To a page: a key frame is needed.
    fn key_frame(&self, to: SocketId);
    /// To a page: the server lacks this content.
    fn want(&self, to: SocketId, sha256: [u8; 32]);
    /// To a page: an agent shows something.
    fn mark(&self, to: SocketId, mark: &MarkOf);
    /// The socket has nothing to stream any more.
    fn end(&self, to: SocketId);
}

/// A session's stream.
#[derive(Debug)]
pub struct Channel {
    state: Mutex<State>,
    /// An asset came, or will not come.
    settled: Notify,
    session: SessionKey,
    node: NodeId,
    between: Arc<dyn Between>,
}

#[derive(Debug)]
struct State {
    relay: Relay,
    assets: Assets,
    /// The page that the session wants recorded.
    recorded: Option<u32>,
    source: Source,
    viewers: Vec<Viewer>,
    /// Nodes with viewers, where the page is here.
    followers: Vec<Follower>,
    /// What the next part of the page is, counted over all of its streams to this node.
    number: u64,
    /// When a key frame was asked for last.
    asked: Option<Timestamp>,
}

/// Where the stream comes from.
#[derive(Debug)]
enum Source {
    /// It does not come yet.
    Nowhere,
    /// The session expects it by this socket, here.
    Expected(SocketId),
    /// The page's socket, here.
    Page(SocketId),
    /// The node that has the page.
    Node(Upstream),
}

#[derive(Debug)]
struct Viewer {
    socket: SocketId,
    user: UserId,
    /// The page of which it has a key frame and all that followed.
    follows: Option<u32>,
}

/// A part of the stream, as the page sent it.
pub struct Part {
    /// The page.
    pub epoch: u32,
    /// Whether it begins with a key frame.
    pub key_frame: bool,
    /// The whole message.
    pub message: Bytes,
}

impl Channel {
    /// Nothing streamed yet.
    #[must_use]
    pub fn new(
        limits: (RelayLimits, AssetLimits),
        session: SessionKey,
        node: NodeId,
        between: Arc<dyn Between>,
    ) -> Self {
        let state = State {
            relay: Relay::new(limits.0),
            assets: Assets::new(limits.1),
            recorded: None,
            source: Source::Nowhere,
            viewers: Vec::new(),
            followers: Vec::new(),
            number: 0,
            asked: None,
        };
        Self { state: Mutex::new(state), settled: Notify::new(), session, node, between }
    }

    /// The session wants this page recorded from now on, or no more.
    pub fn record(&self, epoch: u32, on: bool, post: &dyn StreamPost) {
        let mut state = self.state.lock();
        if on {
            if state.recorded == Some(epoch) {
                return;
            }
            // The page before may be gone without a word; nobody needs what is kept of it.
            if let Some(before) = state.recorded.replace(epoch) {
                state.relay.forget(before);
            }
        } else if state.recorded == Some(epoch) {
            state.recorded = None;
            state.relay.forget(epoch);
        } else {
            return;
        }
        state.leave_source(post);
    }

    /// The session wants this page recorded, and its stream comes by this socket.
    pub fn expects(&self, epoch: u32, socket: SocketId, post: &dyn StreamPost) {
        let mut state = self.state.lock();
        if let Some(before) = state.recorded.replace(epoch).filter(|before| *before != epoch) {
            state.relay.forget(before);
        }
        let followers = std::mem::take(&mut state.followers);
        state.leave_source(post);
        state.source = Source::Expected(socket);
        // They go on with the first key frame that comes.
        state.followers = followers;
        state.followers.iter_mut().for_each(|follower| follower.follows = None);
        state.relay.forget(epoch);
        state.asked = None;
    }

    /// The page's socket is there, and is ready.
    ///
    /// # Errors
    /// `notfound`: the page is not to be recorded any more, or it streams elsewhere.
    pub fn page_opens(&self, socket: SocketId) -> Result<(), Problem> {
        let mut state = self.state.lock();
        if !matches!(state.source, Source::Expected(expected) if expected == socket) {
            let sentence = "this page is not to be recorded any more";
            return Err(Problem::new(ErrorCode::NotFound, sentence));
        }
        // Its first part is a key frame.
        state.source = Source::Page(socket);
        Ok(())
    }

    /// A viewer is there. It begins with what a late one needs.
    pub fn viewer_opens(
        &self,
        socket: SocketId,
        user: UserId,
        now: Timestamp,
        post: &dyn StreamPost,
    ) {
        let mut state = self.state.lock();
        // He came back before his last socket was seen to end.
        state.viewers.retain(|viewer| viewer.user != user);
        state.viewers.push(Viewer { socket, user, follows: None });
        state.catch_up(socket, now, self, post);
    }

    /// A socket ended: a viewer's, or the page's.
    pub fn closes(&self, socket: SocketId) {
        let mut state = self.state.lock();
        state.viewers.retain(|viewer| viewer.socket != socket);
        if matches!(state.source, Source::Page(page) | Source::Expected(page) if page == socket) {
            state.source = Source::Nowhere;
            state.followers.clear();
        }
        self.unfollow(&mut state);
    }

    /// A part comes from a page.
    ///
    /// # Errors
    /// `notfound`: that page is not to be recorded any more. The part is dropped.
    pub fn part(
        &self,
        from: SocketId,
        part: Part,
        now: Timestamp,
        post: &dyn StreamPost,
    ) -> Result<(), Problem> {
        let mut state = self.state.lock();
        let Part { epoch, key_frame, message } = part;
        let is_source = matches!(state.source, Source::Page(page) if page == from);
        if !is_source || state.recorded != Some(epoch) {
            let sentence = "this page is not to be recorded any more";
            return Err(Problem::new(ErrorCode::NotFound, sentence));
        }
        let ask = match state.relay.push(epoch, key_frame, message.clone()) {
            Pushed::Relayed => false,
            Pushed::KeyFrameNeeded => true,
            Pushed::Dropped { ask } => {
                if ask {
                    state.ask_key_frame(now, self, post);
                }
                return Ok(());
            }
        };
        self.pass_on(&mut state, from, epoch, key_frame, &message);
        state.show(epoch, key_frame, &message, post);
        // One who asked too soon after the last time is not forgotten.
        if ask || state.lacks_a_picture() {
            state.ask_key_frame(now, self, post);
        }
        Ok(())
    }

    /// A viewer has lost its thread.
    pub fn viewer_lost(&self, socket: SocketId, now: Timestamp, post: &dyn StreamPost) {
        let mut state = self.state.lock();
        if let Some(viewer) = state.viewers.iter_mut().find(|viewer| viewer.socket == socket) {
            viewer.follows = None;
            state.ask_key_frame(now, self, post);
        }
    }

    /// An agent shows something on the visitor's page.
    pub fn mark(&self, user: UserId, name: &str, mark: Mark, post: &dyn StreamPost) {
        self.show_mark(MarkOf { user, name: name.into(), mark }, post);
    }

    /// Likewise, from any node.
    pub fn show_mark(&self, mark: MarkOf, post: &dyn StreamPost) {
        match &self.state.lock().source {
            Source::Page(page) => post.mark(*page, &mark),
            Source::Node(from) => {
                self.between.send(&[from.node], &self.session, What::Mark(mark), &[]);
            }
            Source::Nowhere | Source::Expected(_) => {}
        }
    }

    /// Somebody is not in the session any more.
    pub fn leaves(&self, user: UserId, post: &dyn StreamPost) {
        let mut state = self.state.lock();
        let gone = state.viewers.extract_if(.., |viewer| viewer.user == user);
        gone.for_each(|viewer| post.end(viewer.socket));
        self.unfollow(&mut state);
    }

    /// The session is over.
    pub fn end(&self, post: &dyn StreamPost) {
        let mut state = self.state.lock();
        let viewers = std::mem::take(&mut state.viewers);
        state.recorded = None;
        viewers.iter().for_each(|viewer| post.end(viewer.socket));
        state.leave_source(post);
        drop(state);
        self.settled.notify_waiters();
    }

    /// Bytes that are kept: of the stream, and of assets.
    #[must_use]
    pub fn bytes(&self) -> (usize, u64) {
        let state = self.state.lock();
        (state.relay.bytes(), state.assets.bytes())
    }

    /// How many view it.
    #[must_use]
    pub fn viewers(&self) -> usize {
        self.state.lock().viewers.len()
    }
}

impl State {
    /// What came from there comes no more.
    fn leave_source(&mut self, post: &dyn StreamPost) {
        if let Source::Page(page) | Source::Expected(page) =
            std::mem::replace(&mut self.source, Source::Nowhere)
        {
            post.end(page);
        }
        self.followers.clear();
    }

    /// A part to the viewers here who have what came before it.
    fn show(&mut self, epoch: u32, key_frame: bool, message: &Bytes, post: &dyn StreamPost) {
        let follow: Vec<_> = (self.viewers.iter_mut())
            .filter_map(|viewer| {
                if key_frame {
                    viewer.follows = Some(epoch);
                }
                (viewer.follows == Some(epoch)).then_some(viewer.socket)
            })
            .collect();
        if follow.is_empty() {
            return;
        }
        for socket in post.part(&follow, key_frame, message) {
            if let Some(viewer) = self.viewers.iter_mut().find(|viewer| viewer.socket == socket) {
                viewer.follows = None;
            }
            post.gap(socket, epoch);
        }
    }

    /// Whether somebody needs a key frame.
    fn lacks_a_picture(&self) -> bool {
        self.viewers.iter().any(|viewer| viewer.follows.is_none())
            || self.followers.iter().any(|follower| follower.follows.is_none())
    }

    fn catch_up(
        &mut self,
        socket: SocketId,
        now: Timestamp,
        channel: &Channel,
        post: &dyn StreamPost,
    ) {
        let Some(epoch) = self.recorded else { return };
        let (parts, ask) = self.relay.catch_up(epoch);
        let mut numbered = parts.iter().enumerate();
        let fits = numbered.all(|(place, part)| post.part(&[socket], place == 0, part).is_empty());
        let follows = fits && !parts.is_empty();
        if let Some(viewer) = self.viewers.iter_mut().find(|viewer| viewer.socket == socket) {
            viewer.follows = follows.then_some(epoch);
        }
        if ask || !follows {
            self.ask_key_frame(now, channel, post);
        }
    }

    fn ask_key_frame(&mut self, now: Timestamp, channel: &Channel, post: &dyn StreamPost) {
        let is_early = self.asked.is_some_and(|asked| now < asked + KEY_FRAME_PACE_MS);
        if is_early {
            return;
        }
        match &self.source {
            Source::Nowhere | Source::Expected(_) => return,
            Source::Page(page) => post.key_frame(*page),
            Source::Node(from) => channel.ask_node(from),
        }
        self.asked = Some(now);
    }
}
