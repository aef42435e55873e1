//! Who subscribes, and where messages leave for them.

use super::record::Most;
use crate::model::{close::CloseCode, ids::SocketId, topic::Message};

/// A socket that a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The socket.
    pub socket: SocketId,
    /// If only the newest unsent message counts: of those with this key.
    pub latest: Option<u64>,
}

/// Where messages leave for the sockets of this node. None of these waits.
pub trait Post: Send + Sync {
    /// The same text to all of these; encoded once.
    fn message(&self, to: &[Target], text: &str);
    /// Messages for this subscription are lost.
    fn missed(&self, to: SocketId, subscription: u32);
    /// The subscription ended without the client's asking.
    fn unsubscribed(&self, to: SocketId, subscription: u32);
    /// Whether the socket has read most of what it was sent.
    fn has_room(&self, to: SocketId) -> bool;
    /// The socket cannot be served; it is to come back.
    fn close(&self, to: SocketId, code: CloseCode);
}

/// One who hears topics in words of his own, without a socket of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u64);

/// Who subscribed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscriber {
    /// A socket, which is sent our own words.
    Socket(SocketId),
    /// A listener.
    Listener(ListenerId),
}

/// What is called when something is done.
pub type Then = Box<dyn FnOnce() + Send>;

/// Where messages leave for listeners. None of these waits.
pub trait Listeners: Send + Sync {
    /// A message for all of these, each once, however many of his subscriptions choose it. Where its publisher is among
    /// them, he is named with what is to be called when it has its place among his messages.
    fn hear(&self, who: &[ListenerId], message: &Message, publisher: Option<(ListenerId, Then)>);
    /// How much of what is kept is read at once for one of them.
    fn page(&self) -> Most;
    /// Whether he has taken most of what he was given.
    fn has_room(&self, who: ListenerId) -> bool;
    /// He cannot be served; he is to come back.
    fn fail(&self, who: ListenerId);
}
