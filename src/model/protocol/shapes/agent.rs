use utoipa::ToSchema;

use super::{Shape, topics};
use crate::model::{
    event::Position,
    ids::{ButtonId, ChatId, Code, HelpId, IdempotencyKey, VisitorId},
    json::Json,
    list::Window,
    protocol::agent::AgentKind,
    signal::Target,
};

impl AgentKind {
    /// How the message looks.
    #[must_use]
    pub const fn shape(self) -> Shape {
        match self {
            Self::Hello => Shape::of::<TokenFields>(
                r#"{"type":"hello","token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZ2VudC03In0.c2lnbmF0dXJl"}"#,
            ),
            Self::Renew => Shape::of::<TokenFields>(
                r#"{"type":"renew","request":1,"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZ2VudC03In0.c2lnbmF0dXJl"}"#,
            ),
            Self::Watch => {
                Shape::of::<WatchFields>(r#"{"type":"watch","request":2,"visitorid":"ada"}"#)
            }
            Self::Unwatch => {
                Shape::of::<UnwatchFields>(r#"{"type":"unwatch","request":3,"visitorid":"ada"}"#)
            }
            Self::List => Shape::of::<ListFields>(
                r#"{"type":"list","request":7,"list":1,"filter":{"url":{"contains":"/cart"},"data.total":{"gte":100},"visibility":"visible"},"sort":"-since","window":{"offset":0,"size":50}}"#,
            ),
            Self::Unlist => Shape::of::<UnlistFields>(r#"{"type":"unlist","request":8,"list":1}"#),
            Self::Lookup => {
                Shape::of::<AddresseeFields>(r#"{"type":"lookup","request":4,"uniqueid":"123456"}"#)
            }
            Self::Signal => Shape::of::<SignalFields>(
                r#"{"type":"signal","request":5,"visitorid":"ada","data":{"text":"May I help?"},"target":"focus","key":"k-1"}"#,
            ),
            Self::Invoke => Shape::of::<InvokeFields>(
                r#"{"type":"invoke","request":6,"visitorid":"ada","func":"GLANCE.Cobrowse.Visitor.showTerms","args":{"sessionKey":"ada"},"target":"focus","key":"k-2"}"#,
            ),
            Self::ClaimHelp => Shape::of::<HelpFields>(
                r#"{"type":"claimhelp","request":9,"visitorid":"ada","help":"0190163d8694739b8a8c1e7ee7a2b3c6"}"#,
            ),
            Self::DeclineHelp => Shape::of::<HelpFields>(
                r#"{"type":"declinehelp","request":10,"visitorid":"ada","help":"0190163d8694739b8a8c1e7ee7a2b3c6"}"#,
            ),
            Self::Available => Shape::of::<AvailableFields>(
                r#"{"type":"available","request":11,"buttons":["sales"]}"#,
            ),
            Self::WatchChats => Shape::bare(r#"{"type":"watchchats","request":12}"#),
            Self::ReadChat => Shape::of::<ChatFields>(
                r#"{"type":"readchat","request":13,"chat":"0190163d8694739b8a8c1e7ee7a2b3c7"}"#,
            ),
            Self::ClaimChat => Shape::of::<ChatFields>(
                r#"{"type":"claimchat","request":14,"chat":"0190163d8694739b8a8c1e7ee7a2b3c7"}"#,
            ),
            Self::ReleaseChat => Shape::of::<ChatFields>(
                r#"{"type":"releasechat","request":15,"chat":"0190163d8694739b8a8c1e7ee7a2b3c7"}"#,
            ),
            Self::Say => Shape::of::<SayInFields>(
                r#"{"type":"say","request":16,"chat":"0190163d8694739b8a8c1e7ee7a2b3c7","text":"It does, and in walnut.","id":"m-1"}"#,
            ),
            Self::EndChat => Shape::of::<ChatFields>(
                r#"{"type":"endchat","request":17,"chat":"0190163d8694739b8a8c1e7ee7a2b3c7"}"#,
            ),
            Self::InviteChat => Shape::of::<InviteChatFields>(
                r#"{"type":"invitechat","request":18,"visitorid":"ada","text":"May I help you choose?","button":"sales"}"#,
            ),
            Self::Typing => Shape::of::<ChatFields>(
                r#"{"type":"typing","chat":"0190163d8694739b8a8c1e7ee7a2b3c7"}"#,
            ),
            Self::Publish => topics::PUBLISH,
            Self::Subscribe => topics::SUBSCRIBE,
            Self::Unsubscribe => topics::UNSUBSCRIBE,
            Self::Disconnect => Shape::bare(r#"{"type":"disconnect"}"#),
        }
    }
}

/// Fields of `hello` and `renew`.
#[derive(ToSchema)]
pub struct TokenFields {
    /// The agent's token: a JWT for one group, of at most 4 KiB.
    pub token: String,
}

/// Fields of `claimhelp` and `declinehelp`.
#[derive(ToSchema)]
pub struct HelpFields {
    /// The visitor who asks.
    pub visitorid: VisitorId,
    /// Which of his wishes, as lists and events name it.
    pub help: HelpId,
}

/// Fields of `available`.
#[derive(ToSchema)]
pub struct AvailableFields {
    /// All that the agent is available for; empty: nothing.
    #[schema(max_items = 64)]
    pub buttons: Vec<ButtonId>,
}

/// Fields of `readchat`, `claimchat`, `releasechat`, `endchat` and `typing`.
#[derive(ToSchema)]
pub struct ChatFields {
    /// The chat, as `chats` names it.
    pub chat: ChatId,
}

/// Fields of an agent's `say`.
#[derive(ToSchema)]
pub struct SayInFields {
    /// The chat.
    pub chat: ChatId,
    /// What the agent says: at most 4,000 bytes.
    #[schema(pattern = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]{1,4000}$")]
    pub text: String,
    /// The agent's own name for it, which makes a retry harmless.
    pub id: IdempotencyKey,
}

/// Fields of `invitechat`.
#[derive(ToSchema)]
pub struct InviteChatFields {
    /// Whom.
    pub visitorid: VisitorId,
    /// The first words: at most 4,000 bytes.
    #[schema(pattern = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]{1,4000}$")]
    pub text: String,
    /// The button that the chat counts for.
    #[schema(nullable = false)]
    pub button: Option<ButtonId>,
}

/// Fields of `watch`.
#[derive(ToSchema)]
pub struct WatchFields {
    /// The visitor by his id; this or `uniqueid`.
    #[schema(nullable = false)]
    pub visitorid: Option<VisitorId>,
    /// The visitor by the code that he read out; this or `visitorid`. Too many wrong codes are `ratelimited`.
    #[schema(nullable = false)]
    pub uniqueid: Option<Code>,
    /// For who comes back: epoch and sequence of the last event that he knows. If presence data changed after it, the
    /// present state has one `presence` more, with all of the data.
    #[schema(nullable = false)]
    pub since: Option<Position>,
}

/// Fields of `list`.
#[derive(ToSchema)]
pub struct ListFields {
    /// The agent's own number for the list. One that he has is replaced by this.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub list: u64,
    /// Who is in it: an object of at most 32 clauses, all of which must hold; everybody when missing. A clause is a field
    /// with the value that it equals, or with an object of operators: `visitorid`, `url`, `data.KEY` (`eq`, `prefix`,
    /// `contains`; of `data.KEY` also `exists`, `lt`, `lte`, `gt`, `gte`), `text` (in the id or any value), `anonymous`,
    /// `transit`, `visibility`, `terms`, `help`, `since` and `updated` (`before`, `after`).
    #[schema(value_type = Object, nullable = false, required = false)]
    pub filter: Option<Json>,
    /// The order: `since`, `updated`, `help` (when it was asked for), `visitorid` or `data.KEY`, with `-` before it for the
    /// greatest first; `-since` when missing.
    #[schema(nullable = false)]
    pub sort: Option<String>,
    /// Which part is looked at: the first 50 when missing.
    #[schema(nullable = false)]
    pub window: Option<Window>,
}

/// Fields of `unlist`.
#[derive(ToSchema)]
pub struct UnlistFields {
    /// The list.
    #[schema(minimum = 1, maximum = 9_007_199_254_740_991_u64)]
    pub list: u64,
}

/// Fields of `lookup`.
#[derive(ToSchema)]
pub struct AddresseeFields {
    /// The visitor by his id; this or `uniqueid`.
    #[schema(nullable = false)]
    pub visitorid: Option<VisitorId>,
    /// The visitor by the code that he read out; this or `visitorid`. Too many wrong codes are `ratelimited`.
    #[schema(nullable = false)]
    pub uniqueid: Option<Code>,
}

/// Fields of `unwatch`.
#[derive(ToSchema)]
pub struct UnwatchFields {
    /// The visitor.
    pub visitorid: VisitorId,
}

/// Fields of `signal`.
#[derive(ToSchema)]
pub struct SignalFields {
    /// The visitor by his id; this or `uniqueid`.
    #[schema(nullable = false)]
    pub visitorid: Option<VisitorId>,
    /// The visitor by the code that he read out; this or `visitorid`.
    #[schema(nullable = false)]
    pub uniqueid: Option<Code>,
    /// Any JSON, for the page's handler; `null` too.
    #[schema(value_type = Value)]
    pub data: Json,
    /// Which of the visitor's pages get it; `focus` when missing.
    #[schema(nullable = false)]
    pub target: Option<Target>,
    /// Makes a retry harmless: within 60 s the same key of the same token's subject gives the same signal's `id` and
    /// `outcome`.
    #[schema(nullable = false)]
    pub key: Option<IdempotencyKey>,
}

/// Fields of `invoke`.
#[derive(ToSchema)]
pub struct InvokeFields {
    /// The visitor by his id; this or `uniqueid`.
    #[schema(nullable = false)]
    pub visitorid: Option<VisitorId>,
    /// The visitor by the code that he read out; this or `visitorid`.
    #[schema(nullable = false)]
    pub uniqueid: Option<Code>,
    /// The function's name: a path of plain names under `GLANCE.`, of at most 200 bytes, other than
    /// `GLANCE.Authorization`.
    #[schema(max_length = 200)]
    pub func: String,
    /// Its argument: any JSON.
    #[schema(value_type = Value, nullable = false, required = false)]
    pub args: Option<Json>,
    /// Which of the visitor's pages call it; `focus` when missing.
    #[schema(nullable = false)]
    pub target: Option<Target>,
    /// As for `signal`.
    #[schema(nullable = false)]
    pub key: Option<IdempotencyKey>,
}
