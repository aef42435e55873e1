//! What the server sends to an agent over `/v1/agent`, besides events.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    clock::Timestamp,
    model::{
        chat::ChatMessage,
        cobrowse::SessionOffer,
        ids::{ButtonId, ChatId, SignalId, VisitorId},
        list::Row,
        protocol::chats::{ChatAnswer, ChatsChange},
        signal::{InvokeFailure, Outcome},
        topic::{TopicAnswer, TopicMessage},
        view::VisitorView,
    },
};

/// What the server sends to an agent, besides events.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ToAgent {
    /// The token is good.
    Welcome {
        /// The socket's id, for logs.
        socket: String,
        /// The token's group.
        group: String,
        /// Who the token speaks for.
        subject: String,
        /// The agent's name, if the token has one.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        name: Option<String>,
        /// What the token allows, separated by spaces.
        scope: String,
        /// When the token expires, in Unix milliseconds.
        #[schema(value_type = u64)]
        expires: Timestamp,
        /// The server's clock, in Unix milliseconds.
        #[schema(value_type = u64)]
        now: Timestamp,
    },
    /// A request is done.
    Ok(AgentOk),
    /// What changed in a live list.
    Rows(ListChange),
    /// A signal of this agent has its final outcome.
    SignalOutcome {
        /// The visitor.
        visitorid: VisitorId,
        /// Which signal, and what became of it.
        data: SignalOutcome,
    },
    /// A function that this agent named failed.
    VisitorError {
        /// The visitor.
        visitorid: VisitorId,
        /// Why.
        data: InvokeError,
    },
    /// What changed in the chats that wait and in the agent's own.
    Chats(ChatsChange),
    /// Something was said in a chat of the agent's.
    ChatMessage {
        /// In which.
        chat: ChatId,
        /// Whose.
        visitorid: VisitorId,
        /// What.
        #[schema(value_type = ChatMessage)]
        message: Arc<ChatMessage>,
    },
    /// The visitor of a chat of the agent's is typing.
    Typing {
        /// In which.
        chat: ChatId,
        /// Whose.
        visitorid: VisitorId,
    },
    /// The agent is available for these buttons: he said so on another of his sockets.
    Available {
        /// The buttons.
        buttons: BTreeSet<ButtonId>,
    },
    /// Another agent hands this one his seat in a session; a ticket by REST takes it.
    SessionOffer {
        /// Whose pages are seen there.
        visitorid: VisitorId,
        /// Which session, from whom, and for how long.
        data: SessionOffer,
    },
    /// The server that the nodes share is away, or is back: told when that changes, at most once a second, and behind the
    /// welcome while it is away.
    Degraded {
        /// Whether it is away: what is told meanwhile may be old, and much is refused.
        degraded: bool,
    },
    /// A message of a topic.
    TopicMessage(TopicMessage),
    /// Messages for a subscription are lost: it could not be given all that was published while it caught up.
    Missed {
        /// Which subscription.
        subscription: u32,
    },
    /// A subscription ended, because the token that the socket lives by now does not cover it.
    Unsubscribed {
        /// Which subscription.
        subscription: u32,
    },
}

/// The answer to a request that was carried out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct AgentOk {
    /// The request's number.
    pub request: u64,
    /// Whether the server that the nodes share is away: what is told may be old, or not kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub degraded: bool,
    /// The visitor that it was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub visitorid: Option<VisitorId>,
    /// The signal's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id: Option<SignalId>,
    /// What became of the signal so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub outcome: Option<Outcome>,
    /// When the renewed token expires, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, nullable = false, required = false)]
    pub expires: Option<Timestamp>,
    /// The visitor's record, after `lookup`; `null` when he is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visitor: Option<Option<VisitorView>>,
    /// What the agent is available for, after `available` and `watchchats`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub buttons: Option<BTreeSet<ButtonId>>,
    /// After a message about chats.
    #[serde(flatten)]
    #[schema(inline)]
    pub chat: ChatAnswer,
    /// After a message about topics.
    #[serde(flatten)]
    #[schema(inline)]
    pub topics: Option<TopicAnswer>,
}

/// What changed in a live list since the message before. The reader takes the rows of `remove` and of `put` out of the
/// window as he knows it, then puts those of `put` in, one after the other: then his window is the server's.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ListChange {
    /// Which list.
    pub list: u64,
    /// Whether the window as it was known counts no more: this begins with an empty one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub reset: bool,
    /// Visitors who pass the filter, in the window or not.
    pub count: usize,
    /// Visitors of the group who are there.
    pub total: usize,
    /// Who is not in the window any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub remove: Vec<VisitorId>,
    /// Rows that are new, changed or moved, by ascending position.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub put: Vec<ListRow>,
    /// Whether the window is not whole yet: there were too many bytes for one message, and the rest follows.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub more: bool,
}

/// A row with its position in the window.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ListRow {
    /// The position; 0 is the first.
    pub at: usize,
    /// The row.
    #[schema(value_type = Row)]
    pub row: Arc<Row>,
}

/// A signal's final outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SignalOutcome {
    /// The signal.
    pub id: SignalId,
    /// What became of it.
    pub outcome: Outcome,
}

/// Why a function that an agent named did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvokeError {
    /// `unknownfunction`, `forbiddenfunction` or `exception`, and the page's words.
    #[serde(flatten)]
    pub failure: InvokeFailure,
    /// Which function it was.
    pub params: InvokeErrorParams,
}

/// Which function failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct InvokeErrorParams {
    /// The signal that named it.
    pub id: SignalId,
    /// Its name.
    pub func: Box<str>,
}
