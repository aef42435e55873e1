//! What the server sends to a page over `/v1/visitor`.

use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatMessage, ChatView},
        cobrowse::{ConsentTo, Entered, MemberView, SessionTold},
        event::TermsStatus,
        help::HelpTold,
        ids::{ButtonId, ChatId, Code, SessionId, SignalId, VisitorId},
        json::Json,
        protocol::chats::ChatAnswer,
        topic::{TopicAnswer, TopicMessage},
    },
};

/// What the server sends to a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ToVisitor {
    /// The hello is taken.
    Welcome {
        /// The socket's id, for logs.
        socket: String,
        /// Who the visitor is.
        visitorid: VisitorId,
        /// Unix milliseconds at which the visitor became connected.
        epoch: u64,
        /// The server's clock, in Unix milliseconds.
        #[schema(value_type = u64)]
        now: Timestamp,
        /// Whether this socket has the focus.
        focus: bool,
        /// Where the visitor stands with the terms.
        #[schema(required = true)]
        terms: Option<TermsStatus>,
        /// His co-browse session, which the page is to `enter`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        session: Option<SessionId>,
        /// How it stands with his wish for help, while it waits or an agent has it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        help: Option<HelpTold>,
        /// His chat.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = ChatView, nullable = false, required = false)]
        chat: Option<Arc<ChatView>>,
    },
    /// A chat button is enabled, or no more.
    Button {
        /// Which.
        button: ButtonId,
        /// Which of the two.
        enabled: bool,
    },
    /// How the visitor's chat stands. `null`: the page goes by the id of somebody else now, who has none.
    Chat {
        /// How.
        #[schema(value_type = Option<ChatView>, required = true)]
        chat: Option<Arc<ChatView>>,
    },
    /// Something was said in the visitor's chat.
    ChatMessage {
        /// In which.
        chat: ChatId,
        /// What.
        #[schema(value_type = ChatMessage)]
        message: Arc<ChatMessage>,
    },
    /// The agent of the visitor's chat is typing.
    Typing {
        /// What he is called, if he has a name.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        name: Option<Box<str>>,
    },
    /// It stands otherwise with the visitor's wish for help.
    Help(HelpTold),
    /// The visitor's co-browse session: one began, which the page is to `enter`; or `null`: it is over.
    Session {
        /// Which.
        #[schema(required = true)]
        session: Option<SessionId>,
    },
    /// The page is to be recorded from now on, or no more.
    Record {
        /// The page's number.
        epoch: u32,
        /// Which of the two.
        on: bool,
        /// Opens `/v1/stream`.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        ticket: Option<String>,
    },
    /// The visitor is to be asked on this page. He answers by `consent`.
    Ask {
        /// What he is asked to agree to.
        to: ConsentTo,
        /// The agent for whom, if it is for one.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        agent: Option<MemberView>,
    },
    /// Something happened in the session.
    SessionEvent(Box<SessionTold>),
    /// A signal.
    Signal {
        /// Its id, to be acknowledged.
        id: SignalId,
        /// Past this moment by the server's clock the page drops it.
        #[schema(value_type = u64)]
        deadline: Timestamp,
        /// What the agent sent.
        #[schema(value_type = Value)]
        data: Json,
    },
    /// A function to call.
    Invoke {
        /// Its id, to be acknowledged.
        id: SignalId,
        /// Past this moment by the server's clock the page drops it.
        #[schema(value_type = u64)]
        deadline: Timestamp,
        /// The function's name, under `GLANCE.`.
        func: Box<str>,
        /// Its argument.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Value, nullable = false)]
        args: Option<Json>,
    },
    /// This socket got the focus.
    Focus,
    /// This socket lost the focus.
    Blur,
    /// A message of a topic.
    TopicMessage(TopicMessage),
    /// Messages for a subscription are lost: it could not be given all that was published while it caught up.
    Missed {
        /// Which subscription.
        subscription: u32,
    },
    /// A request is done.
    Ok(Box<VisitorOk>),
}

/// The answer to a request that was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct VisitorOk {
    /// The request's number.
    pub request: u64,
    /// Whether the server that the nodes share is away: what is told may be old, or not kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub degraded: bool,
    /// The unique id, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub uniqueid: Option<String>,
    /// How long it lives, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub seconds: Option<u64>,
    /// Who the visitor is now, after `identify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub visitorid: Option<VisitorId>,
    /// The record's epoch, after `identify`; the page's number in the session, after `enter`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub epoch: Option<u64>,
    /// The session, after `startsession`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub session: Option<SessionId>,
    /// The code that leads agents to it, where one was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<Code>,
    /// How it stands with his wish for help, after `askhelp`.
    #[serde(flatten)]
    #[schema(inline)]
    pub help: Option<HelpTold>,
    /// The buttons that are enabled, after `watchbuttons`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub enabled: Option<Vec<ButtonId>>,
    /// After a message about his chat.
    #[serde(flatten)]
    #[schema(inline)]
    pub chat: ChatAnswer,
    /// What the page comes into, after `enter`.
    #[serde(flatten)]
    #[schema(inline)]
    pub entered: Option<Entered>,
    /// After a message about topics.
    #[serde(flatten)]
    #[schema(inline)]
    pub topics: Option<TopicAnswer>,
}

impl ToVisitor {
    /// A request is done; `fill` says more.
    #[must_use]
    pub fn answer(request: u64, fill: impl FnOnce(&mut VisitorOk)) -> Self {
        let mut ok = VisitorOk { request, ..VisitorOk::default() };
        fill(&mut ok);
        Self::Ok(Box::new(ok))
    }

    /// A request is done; there is no more to say.
    #[must_use]
    pub fn ok(request: u64) -> Self {
        Self::answer(request, |_| ())
    }
}
