//! What an agent sends over `/v1/agent`; [`told`] has what he is sent.

pub mod told;

pub use self::told::{
    AgentOk, InvokeError, InvokeErrorParams, ListChange, ListRow, SignalOutcome, ToAgent,
};
use super::{
    Fields, MAX_REQUEST, Numbered, Unreadable,
    chats::{self, AgentChat},
    read, topics,
};
use crate::model::{
    error::Problem,
    event::Position,
    ids::{Code, HelpId, IdempotencyKey, VisitorId},
    list::ListQuery,
    signal::{Message, Target},
    topic::TopicCall,
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
    Chat(AgentChat),
    /// Something about topics.
    Topics(Box<TopicCall>),
    /// Leaves.
    Disconnect,
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
        AgentKind::Available => AgentMessage::Chat(AgentChat::available(&fields)?),
        AgentKind::WatchChats => AgentMessage::Chat(AgentChat::Watch),
        AgentKind::ReadChat => AgentMessage::Chat(AgentChat::Read(chats::chat(&fields)?)),
        AgentKind::ClaimChat => AgentMessage::Chat(AgentChat::Claim(chats::chat(&fields)?)),
        AgentKind::ReleaseChat => AgentMessage::Chat(AgentChat::Release(chats::chat(&fields)?)),
        AgentKind::Say => AgentMessage::Chat(AgentChat::say(&fields)?),
        AgentKind::EndChat => AgentMessage::Chat(AgentChat::End(chats::chat(&fields)?)),
        AgentKind::InviteChat => AgentMessage::Chat(AgentChat::invite(&fields)?),
        AgentKind::Typing => AgentMessage::Chat(AgentChat::Typing(chats::chat(&fields)?)),
        AgentKind::Publish => AgentMessage::Topics(topics::publish(&fields)?.into()),
        AgentKind::Subscribe => AgentMessage::Topics(topics::subscribe(&fields)?.into()),
        AgentKind::Unsubscribe => AgentMessage::Topics(topics::unsubscribe(&fields)?.into()),
        AgentKind::Disconnect => AgentMessage::Disconnect,
    })
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
