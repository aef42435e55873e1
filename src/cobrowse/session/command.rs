//! What can happen to a session, and what follows from it.

use serde::{Deserialize, Serialize};

use super::{Policy, SessionView, Shown, Stream, Summary};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::{
            ConsentEntry, ConsentTo, EndReason, Labels, MemberView, Permissions, SessionEventKind,
            UserId, ViewState,
        },
        error::Problem,
        ids::{Code, NodeId, Reference, SocketAddress, TabId, VisitorId},
        json::Json,
        watch::Metadata,
    },
};

/// A session to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Create {
    /// Who shares.
    pub visitor: VisitorId,
    /// How the session goes.
    pub policy: Policy,
    /// Whether the visitor has agreed to be seen: he began it himself, or accepted the terms in this visit.
    pub agreed: bool,
    /// The code that leads here, if there is one.
    pub code: Option<Code>,
    /// What it is called elsewhere.
    pub labels: Labels,
    /// Whether the customer comes by an interface of his own, without pages of ours.
    pub apart: bool,
}

/// A page of the visitor that comes into the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enter {
    /// Its socket.
    pub socket: SocketAddress,
    /// The tab that shows it.
    pub tab: TabId,
    /// Its address.
    pub url: Box<str>,
    /// Its title.
    pub title: Box<str>,
    /// Whether it can be seen.
    pub visible: bool,
    /// Whether the site has settled with the visitor that he need not be asked.
    pub agreed: bool,
    /// By which way it comes.
    pub way: Way,
}

/// By which way a customer comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// A page of ours, one of several perhaps.
    Page,
    /// By an interface of his own, into a session that has no customer yet.
    Apart,
    /// Likewise, and back: his connection was lost with its node.
    ApartAgain,
}

/// An agent or controller who comes in, or back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// His socket.
    pub socket: SocketAddress,
    /// What he comes as.
    pub role: Seated,
    /// The tab from which he comes: who comes back with the same subject and tab is the same member.
    pub tab: TabId,
    /// The subject of his token, or another name that nobody else can take.
    pub subject: Box<str>,
    /// What he is called.
    pub name: Box<str>,
    /// What he may do.
    pub permissions: Permissions,
    /// The link by which he comes, if it was not opened before: it is good for one tab.
    pub link: Option<u64>,
}

/// The roles of those who take a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seated {
    /// Views.
    Agent,
    /// Controls.
    Controller,
}

/// What can happen to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// It begins.
    Create(Box<Create>),
    /// A code leads to it from now on, unless it has one.
    Code(Code),
    /// Back ends find this with it from now on, in the place of what was there.
    Describe(Metadata),
    /// A page of the visitor comes in.
    Enter(Box<Enter>),
    /// A page of the visitor goes to another address without a load.
    Navigate {
        /// Its socket.
        socket: SocketAddress,
        /// Its address now.
        url: Box<str>,
        /// Its title now.
        title: Box<str>,
    },
    /// A page of the visitor says something to those who view it.
    Message {
        /// Its socket.
        socket: SocketAddress,
        /// What.
        data: Json,
    },
    /// A page of the visitor was shown or hidden.
    Visibility {
        /// Its socket.
        socket: SocketAddress,
        /// Whether it can be seen now.
        visible: bool,
    },
    /// The visitor did something on a page.
    Activity {
        /// Its socket.
        socket: SocketAddress,
    },
    /// The visitor answers, or takes back what he agreed to.
    Consent {
        /// To what.
        to: ConsentTo,
        /// Whether he agrees.
        given: bool,
    },
    /// A page that is to be recorded begins to stream.
    Stream(Stream),
    /// The visitor pauses, or goes on.
    Pause {
        /// Which of the two.
        paused: bool,
    },
    /// An agent or controller comes in, or back.
    Join(Box<Join>),
    /// One of them leaves.
    Leave {
        /// Who.
        user: UserId,
    },
    /// An agent asks to work on the visitor's page.
    AskControl {
        /// Who.
        user: UserId,
    },
    /// An agent wants that no more.
    ReleaseControl {
        /// Who.
        user: UserId,
    },
    /// An agent hands his seat over.
    Transfer {
        /// Who.
        user: UserId,
        /// The subject of the agent who is to come.
        to: Box<str>,
    },
    /// A socket ended: the visitor's page's or its stream's, or a member's.
    Gone {
        /// Which.
        socket: SocketAddress,
    },
    /// It is to end.
    End {
        /// Why.
        reason: EndReason,
        /// Words for people.
        text: Option<Box<str>>,
    },
    /// All sockets of a node's earlier incarnations are lost. The others are as they were.
    NodeLost {
        /// Which node.
        node: u32,
        /// Sockets of incarnations before this one are lost.
        before: u64,
    },
    /// Likewise, and nobody could come back until now: the session itself was away.
    Restored {
        /// Which node.
        node: u32,
        /// Sockets of incarnations before this one are lost.
        before: u64,
    },
    /// What its end leads to elsewhere is done.
    Concluded,
    /// Time passed.
    Tick,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done, or nothing to do.
    Done,
    /// The page is in.
    Entered(Box<Entrance>),
    /// He is in.
    Joined {
        /// His number.
        user: UserId,
        /// What he comes into; what his coming changes is told afterwards.
        view: Box<SessionView>,
        /// What of it is shown.
        shown: Shown,
    },
    /// Refused; nothing changed.
    Refused(Problem),
}

/// What a page comes into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// The visitor's number.
    pub user: UserId,
    /// The page's number.
    pub epoch: u32,
    /// Whether agents see the visitor's pages.
    pub view: ViewState,
    /// Who else is there.
    pub others: Vec<MemberView>,
    /// The code that leads here, if there is one.
    pub code: Option<Code>,
    /// What the session is called elsewhere.
    pub reference: Option<Reference>,
    /// How long the visitor is waited for when his last page is lost, in milliseconds.
    pub grace_ms: u64,
    /// When the session became active, if it did.
    pub activated: Option<Timestamp>,
}

/// What follows from a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Effect {
    /// To sockets of those who take part.
    Tell {
        /// Which; never empty.
        to: Vec<SocketAddress>,
        /// What.
        event: SessionEvent,
    },
    /// A page of the visitor is to be recorded from now on, or no more.
    Record {
        /// Its socket.
        socket: SocketAddress,
        /// Its number.
        epoch: u32,
        /// Which of the two.
        on: bool,
        /// The nodes of the session.
        nodes: Vec<NodeId>,
    },
    /// What is shown comes in here from now on.
    Streams {
        /// Where.
        stream: Stream,
        /// The nodes of the session.
        nodes: Vec<NodeId>,
    },
    /// The visitor is to be asked, on this page.
    Ask {
        /// Its socket.
        socket: SocketAddress,
        /// What he is asked to agree to.
        to: ConsentTo,
        /// The agent for whom, if it is for one.
        agent: Option<MemberView>,
    },
    /// An agent is to be told that a seat is handed to him.
    Offer {
        /// His subject.
        to: Box<str>,
        /// Whose pages he would see.
        visitor: VisitorId,
        /// What the agent is called who hands it over.
        from: Box<str>,
        /// Until when he may come.
        until: Timestamp,
    },
    /// For the ledger.
    Consent(ConsentEntry),
    /// For the history: how it was.
    Ended(Box<Summary>),
    /// The session failed inside the service, and is gone.
    Lost {
        /// Whose it was.
        visitor: VisitorId,
    },
    /// Nothing of the session is shown any more, whatever it ended by.
    Over {
        /// The nodes of the session.
        nodes: Vec<NodeId>,
    },
}

/// What happened in a session. The sequence orders the events of a session, from 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEvent {
    /// Its place in the order.
    pub sequence: u64,
    /// When.
    pub time: Timestamp,
    /// What.
    pub kind: SessionEventKind,
}
