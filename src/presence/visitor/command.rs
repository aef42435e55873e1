//! What can happen to a visitor's record, and the answers.

use std::{net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Socket,
    help::{Help, Helper},
    sharing::Sharing,
};
use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatMessage, ChatView},
        error::Problem,
        event::{EventKind, Position, SessionEndReason, TermsStatus},
        help::HelpTold,
        ids::{
            Code, HelpId, IdempotencyKey, NodeId, PageId, SessionId, SignalId, SocketAddress,
            TabId, VisitorId,
        },
        presence::PresenceUpdate,
        protocol::visitor::CodePurpose,
        signal::{InvokeFailure, Message, Outcome, Target},
        timeline::PageEnd,
    },
};

/// Why a socket ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Departure {
    /// The connection closed or broke: a page change until the grace says otherwise.
    Gone,
    /// The page said that the visitor leaves: no grace.
    Disconnect,
}

/// A page that connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connect {
    /// Its socket.
    pub socket: SocketAddress,
    /// The tab that shows it.
    pub tab: TabId,
    /// The page itself.
    pub page: PageId,
    /// When its node accepted the socket: of two pages of a tab, the later one is the newer one.
    pub accepted: Timestamp,
    /// Whether it can be seen.
    pub visible: bool,
    /// Whether it wants signals, or only reports.
    pub listening: bool,
    /// Signals that the tab saw and knows no acknowledgement for.
    pub seen: Vec<SignalId>,
    /// Presence data that comes with it.
    pub data: Option<PresenceUpdate>,
    /// The network address that it comes from, where the group wants to see that.
    pub from: Option<IpAddr>,
}

/// A signal on its way in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its id, made by the node that took it.
    pub id: SignalId,
    /// What it carries.
    pub message: Message,
    /// Who gets it.
    pub target: Target,
    /// The sender's retry key.
    pub key: Option<IdempotencyKey>,
    /// The agent socket that wants to know the outcome.
    pub sender: Option<SocketAddress>,
}

/// What a page reports besides presence data; watchers are told as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report(pub(super) EventKind);

impl Report {
    /// A report of `kind`, if a page may tell that; `None` for what only the record itself tells.
    #[must_use]
    pub fn new(kind: EventKind) -> Option<Self> {
        match kind {
            EventKind::Terms { .. }
            | EventKind::VisitorSessionStart(_)
            | EventKind::VisitorSessionEnd { .. }
            | EventKind::VisitorError(_) => Some(Self(kind)),
            EventKind::VisitorConn { .. }
            | EventKind::VisitorSock { .. }
            | EventKind::Presence(_)
            | EventKind::Visibility { .. }
            | EventKind::VisitorJoined { .. }
            | EventKind::HelpRequest(_)
            | EventKind::ChatStatus(_) => None,
        }
    }
}

/// Pages of one node, as a version of the record had them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pages(pub(super) Vec<Socket>);

/// What watchers were told of a visitor by a version of the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    pub(super) epoch: u64,
    pub(super) connected: bool,
}

/// What can happen to a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A page connects.
    Connect(Box<Connect>),
    /// A socket ends.
    Close {
        /// Which.
        socket: SocketAddress,
        /// Why.
        departure: Departure,
        /// What its connection met.
        cause: PageEnd,
    },
    /// A report-only page now wants signals.
    Listen {
        /// Its socket.
        socket: SocketAddress,
    },
    /// A page was shown or hidden.
    Visibility {
        /// Its socket.
        socket: SocketAddress,
        /// Whether it can be seen now.
        visible: bool,
    },
    /// A page's window got the focus.
    Activity {
        /// Its socket.
        socket: SocketAddress,
    },
    /// A page sends presence data.
    Presence {
        /// Its socket.
        socket: SocketAddress,
        /// What it says.
        update: PresenceUpdate,
    },
    /// A page reports something.
    Report {
        /// Its socket.
        socket: SocketAddress,
        /// What.
        report: Report,
    },
    /// A page has marked signals as seen.
    Acknowledge {
        /// Which signals.
        ids: Vec<SignalId>,
    },
    /// An invoked function did not run to its end.
    Failed {
        /// The signal that named it.
        id: SignalId,
        /// Why.
        failure: InvokeFailure,
    },
    /// Somebody sends a signal.
    Signal(Box<Submission>),
    /// This anonymous visitor goes on under a known id.
    Join {
        /// The page that does, if it is still connected here: it leaves without anybody being told of a leave.
        page: Option<SocketAddress>,
        /// The known visitor, whose record the page is connected to already.
        known: VisitorId,
    },
    /// This visitor was anonymous before: what was known of him then.
    Inherit {
        /// His presence data.
        data: PresenceUpdate,
        /// His terms.
        terms: Option<TermsStatus>,
        /// His co-browse session.
        sharing: Option<Sharing>,
        /// His wish for help.
        help: Option<Box<Help>>,
    },
    /// He asks for help, unless he waits for it already.
    AskHelp {
        /// Names the wish, if it is a new one.
        id: HelpId,
        /// His words.
        text: Box<str>,
    },
    /// He wants no help any more.
    CancelHelp,
    /// An agent takes his wish for help.
    ClaimHelp {
        /// Which.
        id: HelpId,
        /// Who.
        helper: Helper,
    },
    /// An agent says that nobody comes.
    DeclineHelp {
        /// To which wish.
        id: HelpId,
    },
    /// His chat stands so.
    Chat {
        /// How.
        view: Arc<ChatView>,
        /// What was said, where nothing else changed.
        said: Option<Arc<ChatMessage>>,
        /// Whether watchers are told.
        news: bool,
        /// Greater than that of all that this chat told before.
        turn: u64,
    },
    /// The agent of his chat is typing.
    ChatTyping {
        /// What he is called.
        name: Option<Box<str>>,
    },
    /// A page asks how his chat stands; it is told, if he has one.
    AskChat {
        /// Its socket.
        socket: SocketAddress,
    },
    /// A co-browse session of his begins, unless he has one.
    SessionBegins {
        /// Which.
        session: SessionId,
    },
    /// He agreed to be seen in it.
    SessionStarted {
        /// Which.
        session: SessionId,
    },
    /// It is over.
    SessionOver {
        /// Which.
        session: SessionId,
        /// What watchers are told.
        reason: SessionEndReason,
    },
    /// A watcher asks for the present state.
    Attach {
        /// The watcher's socket.
        watcher: SocketAddress,
        /// The last event of the visitor that it knows. If presence data changed later, it is told the data too.
        since: Option<Position>,
    },
    /// A unique id was made for a page that asked for one, or lives on for it.
    UniqueGiven {
        /// The page's socket.
        socket: SocketAddress,
        /// The unique id.
        unique: Unique,
    },
    /// A unique id ended its life; the pages that came by it leave.
    UniqueExpired {
        /// The code.
        code: Code,
    },
    /// All sockets of a node's earlier incarnations are lost.
    NodeLost {
        /// Which node.
        node: u32,
        /// Sockets of incarnations before this one are lost.
        before: u64,
    },
    /// A node may have missed what was said to its sockets: it is said once more.
    Missed {
        /// Which.
        node: NodeId,
    },
    /// A node has these pages of the visitor's, and no other ones.
    Holds {
        /// Which.
        node: NodeId,
        /// Its pages, as it knows them.
        pages: Pages,
        /// What was told of him by then, as it knows it.
        told: Option<Told>,
    },
    /// Time passed.
    Tick,
    /// Breaks the machine on purpose: half-changes the record, then panics.
    #[cfg(test)]
    Panic,
}

/// A code that leads to a visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unique {
    /// What for. A visitor has at most one for each purpose.
    pub purpose: CodePurpose,
    /// The code.
    pub code: Code,
    /// When its life ends.
    pub until: Timestamp,
}

/// The answer to a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done, or nothing to do.
    Done,
    /// The page is connected.
    Welcome(Welcome),
    /// The page is not connected: its tab shows a newer one.
    Superseded,
    /// The signal stands so.
    Signal {
        /// The signal's id: of the earlier one, when the idempotency key says it is a retry.
        id: SignalId,
        /// What became of it so far.
        outcome: Outcome,
    },
    /// The page has left this record for the known one.
    Joined {
        /// What was known of the anonymous visitor.
        data: PresenceUpdate,
        /// His terms, if he saw them.
        terms: Option<TermsStatus>,
        /// His co-browse session, if he has one.
        sharing: Option<Sharing>,
        /// His wish for help, if he has one.
        help: Option<Box<Help>>,
    },
    /// How it stands with his wish for help.
    Help(HelpTold),
    /// His unique id is this one.
    Unique(Unique),
    /// The co-browse session that he has now.
    Session {
        /// Which.
        session: SessionId,
    },
    /// He goes on under a known id: ask there.
    Elsewhere {
        /// Who he is.
        known: VisitorId,
    },
    /// Refused; nothing changed.
    Refused(Problem),
}

/// What a page learns when it connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The record's epoch.
    pub epoch: u64,
    /// Whether the page has the focus.
    pub focus: bool,
    /// Where the visitor stands with the terms.
    pub terms: Option<TermsStatus>,
    /// His co-browse session, which the page is to enter.
    pub session: Option<SessionId>,
    /// How it stands with his wish for help.
    pub help: Option<HelpTold>,
    /// His chat.
    pub chat: Option<Arc<ChatView>>,
    /// Why the presence data that came along was not taken.
    pub refused_data: Option<Problem>,
}
