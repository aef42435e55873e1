//! What a page sends over `/v1/visitor`; [`told`] has what it is sent.

/// From text to messages.
mod read;
pub mod told;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::told::{ToVisitor, VisitorOk};
use super::chats::VisitorChat;
use crate::model::{
    cobrowse::{ConsentTo, Labels},
    event::{EventKind, SessionEndReason, TermsStatus, Visibility},
    ids::{PageId, SessionId, SignalId, TabId, VisitorId},
    json::Json,
    presence::PresenceUpdate,
    signal::InvokeFailure,
    topic::TopicCall,
};

kinds! {
    /// What a page may send, by `type`.
    VisitorKind {
        /// The first message: who the page is and what it knows.
        Hello = "hello",
        /// A report-only page now wants signals.
        Listen = "listen",
        /// Presence data, merged into the record.
        Presence = "presence",
        /// The page was shown or hidden. To repeat what the server knows is harmless.
        Visibility = "visibility",
        /// The window got the focus.
        Activity = "activity",
        /// The page has marked these signals as seen.
        Ack = "ack",
        /// The function of an invocation is unknown, is refused, or threw.
        Failed = "failed",
        /// The terms dialog was shown, accepted or declined.
        Terms = "terms",
        /// A co-browse session started.
        SessionStart = "visitorsessionstart",
        /// A co-browse session ended.
        SessionEnd = "visitorsessionend",
        /// The page reports an error.
        Error = "visitorerror",
        /// Asks for a unique id: a code by which an agent of the group can reach this visitor. Asked again, it gives
        /// the living one. `ok` carries `uniqueid` and `seconds`, the life that is left. One for `lookup` has 4 digits and
        /// lives for an hour, and the page stays when it ends. One for `contact` is good for one session, and ends with that or
        /// when the visitor leaves; asked for again, it lives for another day.
        Unique = "unique",
        /// Gives the unique id its whole life again; `ok` as for `unique`.
        ExtendUnique = "extendunique",
        /// The page goes on under another visitor id. From an anonymous id the record is joined to the known one and
        /// nobody sees a leave; from a known id the old visitor leaves. `ok` carries `visitorid` and `epoch`.
        Identify = "identify",
        /// The visitor begins a co-browse session, or asks for the one that he has. `ok` carries
        /// `session`, and `code` where one was asked for.
        StartSession = "startsession",
        /// The page comes into the visitor's session. `ok` carries `user`, `epoch`, `view`, `members` and `settings`.
        Enter = "enter",
        /// The page in the session has another address or title, without a load.
        Navigate = "navigate",
        /// The page in the session says something to those who view it.
        Message = "message",
        /// The visitor answers what he was asked, or takes back what he agreed to.
        Consent = "consent",
        /// The visitor pauses what agents see, or goes on.
        Pause = "pause",
        /// The visitor ends the session.
        EndSession = "endsession",
        /// The visitor asks for help: agents of the group see it, and one may take it. `ok` carries `help` and `status`; while
        /// he waits already, those of that wish.
        AskHelp = "askhelp",
        /// The visitor wants no help any more.
        CancelHelp = "cancelhelp",
        /// Asks which chat buttons are enabled: those that an agent is available for. `ok` carries `enabled`; `button` tells
        /// each change, and `chat` how the visitor's chat stands, if he has one.
        WatchButtons = "watchbuttons",
        /// The visitor begins a chat, or asks for the one that he has. `ok` carries `chat`. Refused with `unavailable` when
        /// nobody is there for the button, or, without one, for any.
        OpenChat = "openchat",
        /// The visitor says something. `ok` carries `n` and `at`; the same `id` again is answered as the first time.
        Say = "say",
        /// The visitor closes his chat, or declines the invitation to one. Without one there is nothing to do.
        CloseChat = "closechat",
        /// The visitor answers an agent's invitation.
        AnswerInvitation = "answerinvitation",
        /// The visitor is typing; told to the agent at most every 3 s.
        Typing = "typing",
        /// Publishes a message to a topic, for which the group must let visitors. `ok` carries `position` if the
        /// message is kept.
        Publish = "publish",
        /// Subscribes to topics, for which likewise. `ok` carries `subscription` and `position`; then follow
        /// retained values, or what was missed, and every message from now on.
        Subscribe = "subscribe",
        /// Ends a subscription.
        Unsubscribe = "unsubscribe",
        /// Ends the presence of this page without grace; the server closes with 1000.
        Disconnect = "disconnect",
    }
}

/// Longest words of a failed invocation, in bytes.
pub const MAX_FAILURE_BYTES: usize = 1_000;
/// Longest address of a page in a session, in bytes.
pub const MAX_URL_BYTES: usize = 2_048;
/// Longest message of a page to those who view it, in bytes of JSON.
pub const MAX_MESSAGE_BYTES: usize = 5_000;
/// Longest title of a page in a session, in bytes.
pub const MAX_TITLE_BYTES: usize = 512;

/// The site's word that a visitor is who he says; a secret of his, so `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(Box<str>);

impl Signature {
    /// The text, for checking it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Signature {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// The first message of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Who the visitor is.
    pub visitorid: VisitorId,
    /// The site's word that he is.
    pub signature: Option<Signature>,
    /// What one of our own frames has in place of an origin that the group lists.
    pub ticket: Option<Box<str>>,
    /// Who he was before he became known: his anonymous id.
    pub from: Option<VisitorId>,
    /// The tab that shows the page.
    pub tab: TabId,
    /// The page.
    pub page: PageId,
    /// Whether it can be seen.
    pub visible: bool,
    /// Whether it wants signals.
    pub listen: bool,
    /// Signals that the tab saw and knows no acknowledgement for.
    pub seen: Vec<SignalId>,
    /// Presence data.
    pub data: Option<PresenceUpdate>,
}

/// What a page sends after its hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VisitorMessage {
    /// A second hello is an error; the first is one of these.
    Hello(Box<Hello>),
    /// The page now wants signals.
    Listen,
    /// Presence data.
    Presence(PresenceUpdate),
    /// The page was shown or hidden.
    Visibility(Visibility),
    /// The window got the focus.
    Activity,
    /// Signals are marked as seen.
    Ack(Vec<SignalId>),
    /// An invoked function did not run to its end.
    Failed(SignalId, InvokeFailure),
    /// Something for the watchers: terms, session start and end, errors.
    Report(EventKind),
    /// Asks for a unique id.
    Unique {
        /// What for.
        purpose: CodePurpose,
    },
    /// Gives the unique id its whole life again.
    ExtendUnique,
    /// Goes on under another visitor id.
    Identify {
        /// Who he is from now on.
        known: VisitorId,
        /// The site's word on that.
        signature: Option<Signature>,
    },
    /// The visitor begins a co-browse session.
    StartSession(Box<StartSession>),
    /// The page comes into his session.
    Enter {
        /// Which.
        session: SessionId,
        /// The page's address and title.
        page: PageTitle,
        /// Whether the visitor need not be asked there.
        agreed: bool,
    },
    /// It has another address or title.
    Navigate(PageTitle),
    /// It says something to those who view it.
    Message(Json),
    /// He answers, or takes back what he agreed to.
    Consent {
        /// To what.
        to: ConsentTo,
        /// Whether he agrees.
        given: bool,
    },
    /// He pauses, or goes on.
    Pause {
        /// Which of the two.
        paused: bool,
    },
    /// He ends the session.
    EndSession {
        /// Why, in words of the page.
        text: Option<Box<str>>,
    },
    /// He asks for help, in these words.
    AskHelp {
        /// His words; may be empty.
        text: Box<str>,
    },
    /// He wants no help any more.
    CancelHelp,
    /// Something about his chat.
    Chat(VisitorChat),
    /// Something about topics.
    Topics(Box<TopicCall>),
    /// The visitor leaves.
    Disconnect,
}

/// What a code that leads to a visitor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CodePurpose {
    /// To be reached by, for a few minutes; the page goes with it.
    Reach,
    /// To be found by: short, for an hour. The page outlives it.
    Lookup,
    /// For one session. The page outlives it.
    Contact,
}

/// A session that the visitor begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StartSession {
    /// Whether he has agreed to be seen.
    pub agreed: bool,
    /// Whether he wants a code that leads agents there.
    pub with_code: bool,
    /// How many digits the code is to have; else what the settings say.
    pub digits: Option<u8>,
    /// What it is called elsewhere.
    pub labels: Labels,
}

/// A page as a session knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTitle {
    /// Its address.
    pub url: Box<str>,
    /// Its title.
    pub title: Box<str>,
}

/// The `data` of `terms`.
#[derive(Deserialize, ToSchema)]
#[schema(as = TermsData)]
pub struct Terms {
    /// Which of the three.
    pub status: TermsStatus,
}

/// The `data` of `visitorsessionend`.
#[derive(Deserialize, ToSchema)]
#[schema(as = SessionEndData)]
pub struct SessionEnd {
    /// Who or what ended it.
    pub reason: SessionEndReason,
}
