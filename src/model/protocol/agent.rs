//! Messages of `/v1/agent`.

use std::{collections::BTreeSet, sync::Arc};

use serde::Serialize;
use utoipa::ToSchema;

use super::{Fields, MAX_REQUEST, Numbered, Unreadable, read, topics};
use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatMessage, ChatRow, ChatView, MAX_BUTTONS},
        cobrowse::SessionOffer,
        error::Problem,
        event::Position,
        ids::{ButtonId, ChatId, Code, HelpId, IdempotencyKey, SignalId, VisitorId},
        list::{ListQuery, Row},
        signal::{InvokeFailure, Message, Outcome, Target},
        topic::{TopicAnswer, TopicCall, TopicMessage},
        view::VisitorView,
    },
};

kinds! {
    /// What an agent may send, by `type`.
    AgentKind {
        /// The first message: who the agent is.
        Hello = "hello",
        /// A fresh token for the same group; the socket's life goes on under it. The current token again is harmless.
        /// `ok` carries `expires`.
        Renew = "renew",
        /// Asks for a visitor's events (scope `read`). `ok` carries `visitorid`; then follow the present state and
        /// every change; after `since`, presence data that changed later too.
        Watch = "watch",
        /// Wants a visitor's events no more.
        Unwatch = "unwatch",
        /// Asks for a live list of visitors (scope `read`), or for another part of one. After `ok` follow `rows`.
        List = "list",
        /// Wants a live list no more.
        Unlist = "unlist",
        /// Asks for a visitor's record (scope `read`). `ok` carries `visitor`, or `null` when he is not there.
        Lookup = "lookup",
        /// Sends data to the visitor's page (scope `signal`). `ok` means accepted and carries `visitorid`, `id` and
        /// `outcome`.
        Signal = "signal",
        /// Calls a function of the visitor's page (scope `invoke`). `ok` as for `signal`.
        Invoke = "invoke",
        /// Takes a visitor's wish for help (scope `session`), and exactly one agent does; the others are refused with
        /// `taken`, and with `notfound` when the visitor does not ask any more. `ok` carries `visitorid`.
        ClaimHelp = "claimhelp",
        /// Says that nobody comes (scope `session`). Refused like a claim.
        DeclineHelp = "declinehelp",
        /// The agent is available for these chat buttons from now on, and for no others, on whichever of his sockets he
        /// says so (scope `session`, like all on chats). `ok` carries `buttons`.
        Available = "available",
        /// Asks for the chats that wait and the agent's own. `ok` carries `buttons`; then follow `chats`, first all and then
        /// each change.
        WatchChats = "watchchats",
        /// Asks for a chat with its last messages. `ok` carries `visitorid` and `chat`.
        ReadChat = "readchat",
        /// Takes a chat that waits, and exactly one agent does; the others are refused with `taken`. `ok` as for `readchat`.
        ClaimChat = "claimchat",
        /// Gives a chat back: it waits again.
        ReleaseChat = "releasechat",
        /// Says something in the agent's chat. `ok` carries `n` and `at`; the same `id` again is answered as the first time.
        Say = "say",
        /// Ends the agent's chat, or one that waits.
        EndChat = "endchat",
        /// Invites a visitor to a chat. `ok` carries `visitorid` and `chat`; refused with `taken` when he has one.
        InviteChat = "invitechat",
        /// The agent is typing; told to the visitor at most every 3 s.
        Typing = "typing",
        /// Publishes a message to a topic, for which the token must have the scope `topics` and a claim. `ok` carries `position` if the
        /// message is kept.
        Publish = "publish",
        /// Subscribes to topics, for which likewise. `ok` carries `subscription` and `position`; then follow
        /// retained values, or what was missed, and every message from now on.
        Subscribe = "subscribe",
        /// Ends a subscription.
        Unsubscribe = "unsubscribe",
        /// Leaves; the server closes with 1000.
        Disconnect = "disconnect",
    }
}

/// How an agent names a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Addressee {
    /// By visitor id.
    Visitor(VisitorId),
    /// By the code that the visitor read out.
    Unique(Code),
}

/// What an agent sends.
#[derive(Clone, PartialEq, Eq)]
pub enum AgentMessage {
    /// The first message: who it is.
    Hello {
        /// The token.
        token: String,
    },
    /// A fresh token for the same group.
    Renew {
        /// The token.
        token: String,
    },
    /// Asks for a visitor's events.
    Watch {
        /// Whose.
        to: Addressee,
        /// The last event that the agent knows of an earlier watch.
        since: Option<Position>,
    },
    /// Wants them no more.
    Unwatch(VisitorId),
    /// Asks for a live list.
    List {
        /// The agent's number for it. One that it has is replaced.
        list: u64,
        /// What it is to show.
        query: ListQuery,
    },
    /// Wants it no more.
    Unlist(u64),
    /// Asks for a visitor's record.
    Lookup(Addressee),
    /// Sends a signal or invocation.
    Send {
        /// To whom.
        to: Addressee,
        /// What.
        message: Message,
        /// Which of his pages.
        target: Target,
        /// The sender's retry key.
        key: Option<IdempotencyKey>,
    },
    /// Takes a wish for help, or says that nobody comes.
    Help {
        /// Whose.
        visitor: VisitorId,
        /// Which.
        help: HelpId,
        /// Which of the two.
        comes: bool,
    },
    /// Something about chats.
    Chat(ChatRequest),
    /// Something about topics.
    Topics(Box<TopicCall>),
    /// Leaves.
    Disconnect,
}

/// What an agent asks for about chats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChatRequest {
    /// He is available for these buttons.
    Available(BTreeSet<ButtonId>),
    /// He looks at the chats that wait, and at his own.
    Watch,
    /// He wants to see one.
    Read(ChatId),
    /// He takes one.
    Claim(ChatId),
    /// He gives one back.
    Release(ChatId),
    /// He says something.
    Say {
        /// In which.
        chat: ChatId,
        /// What.
        text: Box<str>,
        /// His own name for it.
        id: IdempotencyKey,
    },
    /// He ends one.
    End(ChatId),
    /// He invites a visitor.
    Invite {
        /// Whom.
        visitor: VisitorId,
        /// His first words.
        text: Box<str>,
        /// The button that the chat counts for.
        button: Option<ButtonId>,
    },
    /// He is typing.
    Typing(ChatId),
}

impl AgentMessage {
    /// Reads a message.
    ///
    /// # Errors
    /// Names the field and the rule that it breaks.
    pub fn read(text: &str) -> Result<Numbered<Self>, Unreadable> {
        read(text, convert)
    }
}

fn convert(fields: Fields<'_>) -> Result<AgentMessage, Problem> {
    let token = || Fields::required(fields.token.as_deref().map(str::to_owned), "token");
    let kind = AgentKind::of(&fields.kind).ok_or_else(|| fields.unknown())?;
    Ok(match kind {
        AgentKind::Hello => AgentMessage::Hello { token: token()? },
        AgentKind::Renew => AgentMessage::Renew { token: token()? },
        AgentKind::Watch => AgentMessage::Watch { to: addressee(&fields)?, since: fields.since },
        AgentKind::Unwatch => {
            AgentMessage::Unwatch(Fields::parsed(fields.visitorid.as_ref(), "visitorid")?)
        }
        AgentKind::List => AgentMessage::List {
            list: list(&fields)?,
            query: ListQuery::read(
                fields.filter.as_ref(),
                fields.sort.as_deref(),
                fields.window.unwrap_or_default(),
            )?,
        },
        AgentKind::Unlist => AgentMessage::Unlist(list(&fields)?),
        AgentKind::Lookup => AgentMessage::Lookup(addressee(&fields)?),
        AgentKind::Signal | AgentKind::Invoke => {
            let to = addressee(&fields)?;
            let key =
                fields.key.as_ref().map(|key| Fields::parsed(Some(key), "key")).transpose()?;
            let message = if kind == AgentKind::Signal {
                Message::Signal { data: Fields::required(fields.data, "data")? }
            } else {
                let func = Fields::required(fields.func.as_deref(), "func")?;
                Message::invoke(func, fields.args)?
            };
            AgentMessage::Send { to, message, target: fields.target.unwrap_or_default(), key }
        }
        AgentKind::ClaimHelp | AgentKind::DeclineHelp => AgentMessage::Help {
            visitor: Fields::parsed(fields.visitorid.as_ref(), "visitorid")?,
            help: Fields::parsed(fields.help.as_ref(), "help")?,
            comes: kind == AgentKind::ClaimHelp,
        },
        AgentKind::Available => AgentMessage::Chat(ChatRequest::Available(buttons(&fields)?)),
        AgentKind::WatchChats => AgentMessage::Chat(ChatRequest::Watch),
        AgentKind::ReadChat => AgentMessage::Chat(ChatRequest::Read(chat(&fields)?)),
        AgentKind::ClaimChat => AgentMessage::Chat(ChatRequest::Claim(chat(&fields)?)),
        AgentKind::ReleaseChat => AgentMessage::Chat(ChatRequest::Release(chat(&fields)?)),
        AgentKind::Say => AgentMessage::Chat(ChatRequest::Say {
            chat: chat(&fields)?,
            text: fields.said()?,
            id: Fields::parsed(fields.id.as_ref(), "id")?,
        }),
        AgentKind::EndChat => AgentMessage::Chat(ChatRequest::End(chat(&fields)?)),
        AgentKind::InviteChat => AgentMessage::Chat(ChatRequest::Invite {
            visitor: Fields::parsed(fields.visitorid.as_ref(), "visitorid")?,
            text: fields.said()?,
            button: fields.button()?,
        }),
        AgentKind::Typing => AgentMessage::Chat(ChatRequest::Typing(chat(&fields)?)),
        AgentKind::Publish => AgentMessage::Topics(topics::publish(&fields)?.into()),
        AgentKind::Subscribe => AgentMessage::Topics(topics::subscribe(&fields)?.into()),
        AgentKind::Unsubscribe => AgentMessage::Topics(topics::unsubscribe(&fields)?.into()),
        AgentKind::Disconnect => AgentMessage::Disconnect,
    })
}

fn chat(fields: &Fields<'_>) -> Result<ChatId, Problem> {
    Fields::parsed(fields.chat.as_ref(), "chat")
}

fn buttons(fields: &Fields<'_>) -> Result<BTreeSet<ButtonId>, Problem> {
    let texts = Fields::required(fields.buttons.as_ref(), "buttons")?;
    if texts.len() > MAX_BUTTONS {
        return Err(Problem::field("buttons", format!("must have at most {MAX_BUTTONS}")));
    }
    texts.iter().map(|text| Fields::parsed(Some(text), "buttons")).collect()
}

fn list(fields: &Fields<'_>) -> Result<u64, Problem> {
    let list = Fields::required(fields.list, "list")?;
    if (1..=MAX_REQUEST).contains(&list) {
        return Ok(list);
    }
    Err(Problem::field("list", "must be a whole number from 1 to 2^53-1"))
}

fn addressee(fields: &Fields<'_>) -> Result<Addressee, Problem> {
    match (&fields.visitorid, &fields.uniqueid) {
        (Some(_), Some(_)) => Err(Problem::field("uniqueid", "must not stand beside visitorid")),
        (None, Some(code)) => Ok(Addressee::Unique(Fields::parsed(Some(code), "uniqueid")?)),
        (visitor, None) => Ok(Addressee::Visitor(Fields::parsed(visitor.as_ref(), "visitorid")?)),
    }
}

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
    /// The chat, with its last messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = ChatView, nullable = false, required = false)]
    pub chat: Option<Arc<ChatView>>,
    /// The message's number, after `say`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub n: Option<u32>,
    /// When it was said, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, nullable = false, required = false)]
    pub at: Option<Timestamp>,
    /// After a message about topics.
    #[serde(flatten)]
    #[schema(inline)]
    pub topics: Option<TopicAnswer>,
}

/// What changed in the chats that wait and in the agent's own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ChatsChange {
    /// Whether what was known counts no more: this begins with none.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub reset: bool,
    /// Chats that are new, or stand otherwise. The agent's own one is told once more when it has ended.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub put: Vec<ChatRow>,
    /// Chats that he sees no more: another agent has them, or they are over.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub remove: Vec<ChatId>,
}

impl ChatsChange {
    /// These are new, or stand otherwise.
    #[must_use]
    pub fn put(put: Vec<ChatRow>) -> Self {
        Self { put, ..Self::default() }
    }

    /// These are seen no more.
    #[must_use]
    pub fn remove(remove: Vec<ChatId>) -> Self {
        Self { remove, ..Self::default() }
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::error::ErrorCode;

    fn read(text: &str) -> Result<AgentMessage, Problem> {
        AgentMessage::read(text).map(|read| read.message).map_err(|unreadable| unreadable.problem)
    }

    #[test]
    fn a_visitor_is_named_by_one_of_two_ids() {
        let watch = |fields: &str| read(&format!(r#"{{"type":"watch",{fields}}}"#));
        let to = Addressee::Unique("123456".parse().unwrap());
        let by_code = AgentMessage::Watch { to, since: None };
        assert!(watch(r#""uniqueid":"123456""#).unwrap() == by_code);
        let since = Some(Position { epoch: 5, sequence: 2 });
        let to = Addressee::Visitor("ada".parse().unwrap());
        let again = watch(r#""visitorid":"ada","since":{"epoch":5,"sequence":2}"#);
        assert!(again.unwrap() == AgentMessage::Watch { to, since });
        assert!(watch(r#""visitorid":"ada""#).is_ok());
        let both = watch(r#""visitorid":"ada","uniqueid":"123456""#);
        assert_eq!(both.err().unwrap().field.as_deref(), Some("uniqueid"));
        assert_eq!(watch(r#""x":1"#).err().unwrap().field.as_deref(), Some("visitorid"));
    }

    #[test]
    fn a_signal_may_carry_null_but_not_nothing() {
        assert!(read(r#"{"type":"signal","visitorid":"a","data":null}"#).is_ok());
        let missing = read(r#"{"type":"signal","visitorid":"a"}"#).err().unwrap();
        assert_eq!(missing.field.as_deref(), Some("data"));
    }

    #[test]
    fn a_forbidden_function_is_refused_at_the_edge() {
        let forbidden = read(r#"{"type":"invoke","visitorid":"a","func":"eval"}"#).err().unwrap();
        assert_eq!(forbidden.code, ErrorCode::ForbiddenFunction);
    }
}
