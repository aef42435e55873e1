use utoipa::ToSchema;

use super::{Shape, topics};
use crate::model::{
    cobrowse::ConsentTo,
    event::{Visibility, VisitorError},
    ids::{ButtonId, IdempotencyKey, PageId, Reference, SessionId, SignalId, TabId, VisitorId},
    json::Json,
    presence::PresenceUpdate,
    protocol::visitor::{SessionEnd, Terms, VisitorKind},
};

impl VisitorKind {
    /// How the message looks.
    #[must_use]
    pub const fn shape(self) -> Shape {
        match self {
            Self::Hello => Shape::of::<HelloFields>(
                r#"{"type":"hello","visitorid":"ada","signature":"c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2","from":"~0123456789abcdef0123456789abcdef","tab":"t8Xq2","page":"p41Lz","visible":true,"listen":true,"seen":["0190163d8694739b8a8c1e7ee7a2b3c4"],"data":{"url":"https://shop.example.com/cart","title":"Basket","cart":2}}"#,
            ),
            Self::Listen => Shape::bare(r#"{"type":"listen","request":1}"#),
            Self::Presence => Shape::of::<PresenceFields>(
                r#"{"type":"presence","request":2,"data":{"url":"https://shop.example.com/mug","cart":3}}"#,
            ),
            Self::Visibility => Shape::of::<VisibilityFields>(
                r#"{"type":"visibility","request":3,"visibility":"hidden"}"#,
            ),
            Self::Activity => Shape::bare(r#"{"type":"activity","request":4}"#),
            Self::Ack => Shape::of::<AckFields>(
                r#"{"type":"ack","request":5,"ids":["0190163d8694739b8a8c1e7ee7a2b3c4"]}"#,
            ),
            Self::Failed => Shape::of::<FailedFields>(
                r#"{"type":"failed","request":6,"id":"0190163d8694739b8a8c1e7ee7a2b3c4","code":"exception","msg":"TypeError: cart is undefined"}"#,
            ),
            Self::Terms => Shape::of::<TermsFields>(
                r#"{"type":"terms","request":7,"data":{"status":"accepted"}}"#,
            ),
            Self::SessionStart => Shape::of::<SessionStartFields>(
                r#"{"type":"visitorsessionstart","request":8,"data":{"sessionkey":"123456789"}}"#,
            ),
            Self::SessionEnd => Shape::of::<SessionEndFields>(
                r#"{"type":"visitorsessionend","request":9,"data":{"reason":"agent"}}"#,
            ),
            Self::Error => Shape::of::<ErrorFields>(
                r#"{"type":"visitorerror","request":10,"data":{"code":"conndrop","msg":"Connection lost","params":{"tries":3}}}"#,
            ),
            Self::Unique => {
                Shape::of::<UniqueFields>(r#"{"type":"unique","request":11,"lookup":true}"#)
            }
            Self::ExtendUnique => Shape::bare(r#"{"type":"extendunique","request":12}"#),
            Self::Identify => Shape::of::<IdentifyFields>(
                r#"{"type":"identify","request":13,"visitorid":"ada","signature":"c3ab8ff13720e8ad9047dd39466b3c8974e592c2fa383d4a3960714caef0c4f2"}"#,
            ),
            Self::StartSession => Shape::of::<StartSessionFields>(
                r#"{"type":"startsession","request":14,"agreed":true,"withcode":true,"digits":9,"reportingid":"visit-4711"}"#,
            ),
            Self::Enter => Shape::of::<EnterFields>(
                r#"{"type":"enter","request":15,"session":"0190163d8694739b8a8c1e7ee7a2b3c5","url":"https://shop.example.com/cart","title":"Basket","agreed":false}"#,
            ),
            Self::Navigate => Shape::of::<NavigateFields>(
                r#"{"type":"navigate","request":16,"url":"https://shop.example.com/cart/address","title":"Address"}"#,
            ),
            Self::Message => Shape::of::<MessageFields>(
                r#"{"type":"message","request":20,"data":{"step":"paid"}}"#,
            ),
            Self::Consent => Shape::of::<ConsentFields>(
                r#"{"type":"consent","request":17,"to":"view","given":true}"#,
            ),
            Self::Pause => {
                Shape::of::<PauseFields>(r#"{"type":"pause","request":18,"paused":true}"#)
            }
            Self::EndSession => Shape::of::<EndSessionFields>(
                r#"{"type":"endsession","request":19,"text":"the order is placed"}"#,
            ),
            Self::AskHelp => Shape::of::<AskHelpFields>(
                r#"{"type":"askhelp","request":20,"text":"Which size fits a narrow hall?"}"#,
            ),
            Self::CancelHelp => Shape::bare(r#"{"type":"cancelhelp","request":21}"#),
            Self::WatchButtons => Shape::bare(r#"{"type":"watchbuttons","request":22}"#),
            Self::OpenChat => {
                Shape::of::<OpenChatFields>(r#"{"type":"openchat","request":23,"button":"sales"}"#)
            }
            Self::Say => Shape::of::<SayFields>(
                r#"{"type":"say","request":24,"text":"Does the stool come in oak?","id":"m-1"}"#,
            ),
            Self::CloseChat => Shape::bare(r#"{"type":"closechat","request":25}"#),
            Self::AnswerInvitation => Shape::of::<AnswerInvitationFields>(
                r#"{"type":"answerinvitation","request":26,"accepted":true}"#,
            ),
            Self::Typing => Shape::bare(r#"{"type":"typing"}"#),
            Self::Publish => topics::PUBLISH,
            Self::Subscribe => topics::SUBSCRIBE,
            Self::Unsubscribe => topics::UNSUBSCRIBE,
            Self::Disconnect => Shape::bare(r#"{"type":"disconnect"}"#),
        }
    }
}

/// Fields of `unique`.
#[derive(ToSchema)]
pub struct UniqueFields {
    /// Whether it is a short one to be found by: 4 digits, for an hour, and the page stays when it ends.
    #[schema(nullable = false)]
    pub lookup: Option<bool>,
    /// Whether it is good for one session and ends with that, or when the visitor leaves; not beside `lookup`.
    #[schema(nullable = false)]
    pub contact: Option<bool>,
}

/// Fields of `startsession`.
#[derive(ToSchema)]
pub struct StartSessionFields {
    /// Whether the visitor has agreed to be seen: he began the session himself, or accepted the terms. If not, he is asked.
    #[schema(nullable = false)]
    pub agreed: Option<bool>,
    /// Whether he wants a code that leads agents to the session, which he can read out.
    #[schema(nullable = false)]
    pub withcode: Option<bool>,
    /// How many digits the code is to have; what the settings say when missing.
    #[schema(nullable = false, minimum = 4, maximum = 12)]
    pub digits: Option<u8>,
    /// What the session is called in another system, such as a chat: agents can find it by that while it runs.
    #[schema(nullable = false)]
    pub reference: Option<Reference>,
    /// What the session is called in reports; kept with it in the history.
    #[schema(nullable = false)]
    pub reportingid: Option<Reference>,
}

/// Fields of `endsession`.
#[derive(ToSchema)]
pub struct EndSessionFields {
    /// Why, in words of the page; at most 200 characters are kept.
    #[schema(nullable = false, max_length = 800)]
    pub text: Option<String>,
}

/// Fields of `askhelp`.
#[derive(ToSchema)]
pub struct AskHelpFields {
    /// What it is about, in the visitor's words.
    #[schema(nullable = false, max_length = 500)]
    pub text: Option<String>,
}

/// Fields of `openchat`.
#[derive(ToSchema)]
pub struct OpenChatFields {
    /// The button that was clicked.
    #[schema(nullable = false)]
    pub button: Option<ButtonId>,
}

/// Fields of `say`.
#[derive(ToSchema)]
pub struct SayFields {
    /// What the visitor says: at most 4,000 bytes. `{start:` and nine digits and `}` offers to join the co-browse session of
    /// that code.
    #[schema(pattern = r"^[^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]{1,4000}$")]
    pub text: String,
    /// The page's own name for it, which makes a retry harmless.
    pub id: IdempotencyKey,
}

/// Fields of `answerinvitation`.
#[derive(ToSchema)]
pub struct AnswerInvitationFields {
    /// Whether the visitor accepts.
    pub accepted: bool,
}

/// Fields of `enter`.
#[derive(ToSchema)]
pub struct EnterFields {
    /// The session that `welcome` or `session` named.
    pub session: SessionId,
    /// The page's address.
    #[schema(max_length = 2048)]
    pub url: String,
    /// The page's title.
    #[schema(max_length = 512)]
    pub title: String,
    /// Whether the site has settled with the visitor that he need not be asked before agents see its pages.
    #[schema(nullable = false)]
    pub agreed: Option<bool>,
}

/// Fields of `navigate`.
#[derive(ToSchema)]
pub struct NavigateFields {
    /// The page's address now.
    #[schema(max_length = 2048)]
    pub url: String,
    /// The page's title now.
    #[schema(max_length = 512)]
    pub title: String,
}

/// Fields of `message`.
#[derive(ToSchema)]
pub struct MessageFields {
    /// Any JSON of at most 5,000 bytes.
    #[schema(value_type = Value)]
    pub data: Json,
}

/// Fields of `consent`.
#[derive(ToSchema)]
pub struct ConsentFields {
    /// To what.
    pub to: ConsentTo,
    /// Whether the visitor agrees. `false` after he agreed takes that back; of `view` it ends the session.
    pub given: bool,
}

/// Fields of `pause`.
#[derive(ToSchema)]
pub struct PauseFields {
    /// Whether agents see nothing from now on.
    pub paused: bool,
}

/// Fields of `hello`.
#[derive(ToSchema)]
pub struct HelloFields {
    /// Who the visitor is. An anonymous id is `~` and 32 lower-case hexadecimal digits.
    pub visitorid: VisitorId,
    /// The site's signature of the visitor id, where the group has keys for that: an HMAC or a JWT.
    #[schema(nullable = false)]
    pub signature: Option<String>,
    /// What a frame that the server itself gave out shows, whose socket's address ends in `&frame=1`: the origin of such a page
    /// is the server's own.
    #[schema(nullable = false)]
    pub ticket: Option<String>,
    /// The anonymous id that the same browser went by before: that record is joined into the known one without a leave.
    #[schema(nullable = false)]
    pub from: Option<VisitorId>,
    /// The tab, named by the page; the same for every page of the tab.
    pub tab: TabId,
    /// This page, named by itself.
    pub page: PageId,
    /// Whether the page can be seen.
    pub visible: bool,
    /// `false` opens in report-only mode: counted as connected, gets no signals. `true` when missing.
    #[schema(nullable = false)]
    pub listen: Option<bool>,
    /// Signals that this tab saw and knows no acknowledgement for.
    #[schema(nullable = false, max_items = 64)]
    pub seen: Option<Vec<SignalId>>,
    /// As in `presence`. Data that breaks a limit of the record does not refuse the hello: an `error` without
    /// `request` follows the `welcome`.
    #[schema(nullable = false)]
    pub data: Option<PresenceUpdate>,
}

/// Fields of `presence`.
#[derive(ToSchema)]
pub struct PresenceFields {
    /// Flat. At most 64 keys of 64 characters, values of 1 KiB, and 16 KiB of JSON text for the whole record; `toolarge`
    /// beyond, and nothing is merged.
    pub data: PresenceUpdate,
}

/// Fields of `visibility`.
#[derive(ToSchema)]
pub struct VisibilityFields {
    /// Whether the page can be seen now.
    pub visibility: Visibility,
}

/// Fields of `ack`.
#[derive(ToSchema)]
pub struct AckFields {
    /// The signals.
    #[schema(min_items = 1, max_items = 64)]
    pub ids: Vec<SignalId>,
}

/// Fields of `failed`.
#[derive(ToSchema)]
pub struct FailedFields {
    /// The invocation.
    pub id: SignalId,
    /// What went wrong.
    #[schema(inline)]
    pub code: InvokeFailureCode,
    /// The page's words, at most 1,000 bytes.
    #[schema(nullable = false)]
    pub msg: Option<String>,
}

/// Why a function did not run to its end.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum InvokeFailureCode {
    /// The page has no such function.
    UnknownFunction,
    /// The page does not let it be called.
    ForbiddenFunction,
    /// It threw.
    Exception,
}

/// Fields of `terms`.
#[derive(ToSchema)]
pub struct TermsFields {
    /// Where the visitor stands.
    pub data: Terms,
}

/// Fields of `visitorsessionstart`.
#[derive(ToSchema)]
pub struct SessionStartFields {
    /// Flat, under the limits of `presence`, but not merged into the record.
    #[schema(nullable = false)]
    pub data: Option<PresenceUpdate>,
}

/// Fields of `visitorsessionend`.
#[derive(ToSchema)]
pub struct SessionEndFields {
    /// Why.
    pub data: SessionEnd,
}

/// Fields of `visitorerror`.
#[derive(ToSchema)]
pub struct ErrorFields {
    /// What went wrong. A part over its limit is `badrequest`.
    pub data: VisitorError,
}

/// Fields of `identify`.
#[derive(ToSchema)]
pub struct IdentifyFields {
    /// Who the visitor is from now on.
    pub visitorid: VisitorId,
    /// As in `hello`.
    #[schema(nullable = false)]
    pub signature: Option<String>,
}
