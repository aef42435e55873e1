//! What can happen to a client session, and what follows from it.

use serde::{Deserialize, Serialize};

use crate::{
    auth::Agent,
    bayeux::{
        answer::{Advice, Text, Time},
        channel::Channel,
        fault::Fault,
        message::MessageId,
    },
    model::{
        ids::{GroupId, NodeId, SocketAddress},
        topic::Position,
    },
};

/// Whom a client session belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The tenant.
    pub group: GroupId,
    /// The bearer of the token that it showed, if it showed one.
    pub agent: Option<Agent>,
}

/// Where a request came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// Where its answer goes: a socket, or an HTTP request that waits.
    pub at: SocketAddress,
    /// Whether that is a socket, which stays.
    pub is_socket: bool,
    /// The cookie of its browser, if it sent one.
    pub browser: Option<Box<str>>,
}

/// A connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Where it came from.
    pub from: From,
    /// Its id.
    pub id: Option<MessageId>,
    /// How long the client wants to be held, in milliseconds.
    pub timeout: Option<u64>,
    /// The last batch that the client has.
    pub ack: Option<u64>,
    /// What the time extension is to say.
    pub time: Option<Time>,
    /// Whether it came alone; one in company is never held.
    pub alone: bool,
    /// Why it is not held, and when the client is to come back.
    pub pause: Option<Pause>,
}

/// A connect cannot be held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// When to come back, in milliseconds.
    pub interval_ms: u64,
    /// Whether that is because its browser has as many as it may have, and not the server.
    pub many_tabs: bool,
}

/// What can happen to a client session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// It begins.
    Open {
        /// Whose it is.
        member: Box<Member>,
        /// The cookie of its browser, if it has one.
        browser: Option<Box<str>>,
        /// The socket by which it came, if it came by one.
        socket: Option<SocketAddress>,
        /// Whether it acknowledges.
        acks: bool,
        /// Its home.
        home: NodeId,
    },
    /// The client connects.
    Connect(Box<Connect>),
    /// Messages of the client are about to be carried out. Nothing is sent to it until that is finished.
    Begin(From),
    /// It hears a channel from now on.
    Subscribe(Channel),
    /// It hears it no more.
    Unsubscribe(Channel),
    /// The application keeps something with it, or no more.
    Keep {
        /// Under this name.
        name: Box<str>,
        /// What, as its text.
        what: Option<Box<str>>,
    },
    /// It leaves.
    Disconnect,
    /// Its messages are carried out; these are their answers.
    Finish {
        /// Where they go.
        to: SocketAddress,
        /// The answers.
        answers: Vec<Text>,
    },
    /// A message for it.
    Deliver(Text),
    /// It hears a channel, of which it has all up to this place.
    Hears {
        /// Which.
        channel: Channel,
        /// The place among the group's messages.
        position: Position,
    },
    /// A message of a topic for it.
    Hear {
        /// The message.
        message: Text,
        /// Its place: the client has all up to there.
        position: Position,
    },
    /// Messages for it are lost: it has to begin anew.
    Forget,
    /// The server wants it to go.
    Dismiss,
    /// The node that holds its connect goes away.
    SendAway {
        /// Where it is held; one that is held elsewhere stays.
        at: SocketAddress,
        /// After how many milliseconds the client is to come back.
        interval_ms: u64,
    },
    /// A socket, or a request that waited, is gone.
    Lost(SocketAddress),
    /// Its home is about to end, if that is this one.
    GiveUp {
        /// Which.
        home: NodeId,
    },
    /// All sockets of a node's earlier incarnations are lost.
    NodeLost {
        /// Which node.
        node: u32,
        /// Sockets of incarnations before this one are lost.
        before: u64,
    },
    /// Time passed.
    Tick,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done, or nothing to do.
    Done,
    /// The client is known.
    Known {
        /// Whose it is.
        member: Box<Member>,
        /// Which node has what stands behind it.
        home: NodeId,
    },
    /// The connect is held.
    Held,
    /// These go to the client, in this order.
    Now(Vec<Text>),
    /// Refused; nothing changed.
    Refused(Fault),
}

/// What follows from a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// Messages for a socket, or for an HTTP request that waits and is answered by them.
    Write {
        /// Which.
        to: SocketAddress,
        /// What, in this order.
        messages: Vec<Text>,
    },
    /// A held connect was overtaken by a newer one of the same client.
    Overtaken {
        /// Where it waits.
        at: SocketAddress,
    },
    /// What waited was taken by the client on another node than its home.
    Taken {
        /// Its home.
        home: NodeId,
    },
    /// Another node is its home from now on.
    Adopt {
        /// Which.
        home: NodeId,
    },
    /// The client is gone.
    Ended {
        /// Why.
        why: Ended,
    },
}

/// Why a client session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ended {
    /// The client said so.
    Left,
    /// The server did.
    Dismissed,
    /// The client did not connect again in time.
    Expired,
    /// It did not take its messages, and too many waited; or some are lost.
    Overflowed,
    /// It failed inside the service.
    Failed,
}

/// The settings that client sessions work by, in milliseconds, messages and bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long a connect is held.
    pub timeout_ms: u64,
    /// How long a client may stay away between two connects.
    pub max_interval_ms: u64,
    /// Messages that may wait for a client, those that it has not acknowledged included.
    pub queue: usize,
    /// What they may take.
    pub queue_bytes: usize,
    /// Channels that a client may hear.
    pub subscriptions: usize,
    /// Whose words errors are told in.
    pub errors: crate::settings::Errors,
}

impl Rules {
    /// The advice of an ordinary answer: connect again at once.
    #[must_use]
    pub fn retry(&self) -> Advice {
        Advice::retry(self.timeout_ms)
    }
}
