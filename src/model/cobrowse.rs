//! Co-browse sessions: who takes part, what he may do, what is told (design section 7).

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::Problem,
    ids::{Code, Reference, SessionId, TabId, VisitorId},
    json::Json,
};
use crate::clock::Timestamp;

/// How many digits somebody wants the code of a session to have, if he says so.
///
/// # Errors
/// A problem with the field `digits`.
pub fn code_digits(asked: Option<u8>) -> Result<Option<u8>, Problem> {
    match asked {
        None | Some(4..=12) => Ok(asked),
        Some(_) => Err(Problem::field("digits", "must be 4 to 12")),
    }
}

/// What somebody is in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The visitor, who shares.
    Customer,
    /// Views.
    Agent,
    /// Controls the session for an agent's desktop: sees its state and may end it, and does not make it active.
    Controller,
}

/// Numbers somebody within a session, from 1.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(transparent)]
pub struct UserId(pub u32);

/// What an agent may do to the visitor's page. What the visitor's page does not offer, no permission gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Permissions {
    /// Point: a spotlight on the visitor's page.
    pub point: bool,
    /// Draw on the visitor's page.
    pub draw: bool,
    /// Ask for remote control.
    pub control: bool,
}

impl Permissions {
    /// Everything.
    pub const ALL: Self = Self { point: true, draw: true, control: true };

    /// What both give.
    #[must_use]
    pub const fn narrowed(self, by: Self) -> Self {
        Self {
            point: self.point && by.point,
            draw: self.draw && by.draw,
            control: self.control && by.control,
        }
    }
}

impl Default for Permissions {
    fn default() -> Self {
        Self::ALL
    }
}

/// What the visitor is asked to agree to.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ConsentTo {
    /// That agents see his pages.
    View,
    /// That an agent works on them.
    Control,
}

/// How it stands with a consent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConsentState {
    /// Not asked for.
    #[default]
    Unasked,
    /// The visitor is being asked.
    Asked,
    /// He agreed.
    Given,
    /// He declined.
    Declined,
    /// He agreed, and then took it back; or its reason is gone.
    Withdrawn,
}

/// Whether agents see the visitor's pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ViewState {
    /// No: the visitor has not agreed, or nobody is there to see, or to show.
    #[default]
    Off,
    /// Yes.
    On,
    /// The visitor paused.
    Paused,
}

/// Why a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndReason {
    /// The visitor ended it.
    Visitor,
    /// He did not agree to be seen.
    Declined,
    /// An agent ended it, or the last one left a session that ends with that.
    Agent,
    /// A controller, or a back end by REST, ended it.
    Controller,
    /// The visitor did nothing for too long.
    UserTimeout,
    /// The visitor's connection, or that of the last agent in a session that ends with that, did not come back.
    NetworkTimeout,
    /// No agent came in time.
    NeverJoined,
    /// It ran as long as a session may.
    TooLong,
}

/// Why somebody is not in a session any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum LeaveReason {
    /// He left.
    Left,
    /// His connection did not come back.
    Lost,
    /// Another agent took over.
    Transferred,
}

/// Somebody in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberView {
    /// His number.
    pub user: UserId,
    /// What he is.
    pub role: Role,
    /// What he is called; empty when he has no name.
    pub name: Box<str>,
    /// Whether his connection is there; if not, he is waited for.
    pub connected: bool,
    /// What he may do, if he is an agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub permissions: Option<Permissions>,
}

/// A seat that waits for the agent to whom it was handed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HandedOver {
    /// Who hands it over.
    pub from: UserId,
    /// The subject of the agent who is to come.
    #[schema(value_type = String)]
    pub to: Box<str>,
    /// Until when he may, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub until: Timestamp,
}

/// An agent hands his seat in a session to the one who reads this.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionOffer {
    /// The session.
    pub session: SessionId,
    /// What the agent is called who hands it over.
    #[schema(value_type = String)]
    pub from: Box<str>,
    /// Until when it can be taken, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub until: Timestamp,
}

/// A page of the visitor that is in the session now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PageView {
    /// Numbers the pages of a session from 1; what is streamed of a page carries it.
    pub epoch: u32,
    /// The tab that shows it.
    pub tab: TabId,
    /// Its address.
    pub url: Box<str>,
    /// Its title.
    pub title: Box<str>,
    /// Whether it is the one that is shown to agents.
    pub shown: bool,
}

/// A page that the visitor was on during a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Visit {
    /// Its address.
    pub url: Box<str>,
    /// When he came, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub entered: Timestamp,
    /// When he left; `null` while he is there.
    #[schema(required = true, value_type = Option<u64>)]
    pub left: Option<Timestamp>,
}

/// What happened in a session, for those who take part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "what", rename_all = "lowercase")]
pub enum SessionEventKind {
    /// Somebody came.
    Joined {
        /// Who.
        member: MemberView,
    },
    /// Somebody's connection was lost, or came back.
    Connection {
        /// Whose.
        user: UserId,
        /// Which of the two.
        connected: bool,
    },
    /// Somebody is gone.
    Left {
        /// Who.
        user: UserId,
        /// Why.
        reason: LeaveReason,
    },
    /// The visitor and an agent are there for the first time.
    Activated,
    /// Whether agents see the visitor's pages.
    View {
        /// Whether.
        state: ViewState,
    },
    /// How it stands with a consent.
    Consent {
        /// To what.
        to: ConsentTo,
        /// How.
        state: ConsentState,
        /// The agent for whom it is, if it is for one.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        user: Option<UserId>,
    },
    /// The visitor's pages, and which of them is shown.
    Pages {
        /// All of them, in the order in which they came.
        pages: Vec<PageView>,
    },
    /// A page of the visitor says something to those who view it.
    Message {
        /// What.
        #[schema(value_type = Value)]
        data: Json,
    },
    /// The session ended.
    Ended {
        /// Why.
        reason: EndReason,
        /// Words for people; at most 200 characters.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        text: Option<Box<str>>,
    },
}

/// An event of a session, as it is sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionTold {
    /// Which session.
    pub session: SessionId,
    /// The event's place in the session's order, from 1.
    pub sequence: u64,
    /// When, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub time: Timestamp,
    /// What happened.
    pub event: SessionEventKind,
}

/// What a session is called in other systems.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Its name there, such as a chat's, by which it can be found while it runs.
    pub reference: Option<Reference>,
    /// Its name in reports; kept with it in the history.
    pub reportingid: Option<Reference>,
}

/// What a page comes into.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Entered {
    /// The visitor's number.
    pub user: UserId,
    /// Whether agents see the visitor's pages.
    pub view: ViewState,
    /// Who else is there.
    pub members: Vec<MemberView>,
    /// The code that leads agents here, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<Code>,
    /// What the session is called elsewhere, if it has a name there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reference: Option<Reference>,
    /// How long the visitor is waited for when his last page is lost, in milliseconds.
    pub grace_ms: u64,
    /// How the group wants its sessions.
    #[schema(value_type = PageSettings)]
    pub settings: Arc<PageSettings>,
}

/// How a group wants its sessions, as far as the visitor's page must know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct PageSettings {
    /// CSS selectors of elements whose texts and values are blotted out.
    pub mask: Vec<String>,
    /// Whether everything is blotted out but what `allow` selects.
    pub private: bool,
    /// CSS selectors of elements that are shown although all else is blotted out.
    pub allow: Vec<String>,
    /// Regular expressions of what is blotted out of every text.
    pub patterns: Vec<String>,
    /// The language of dialogs and bar; `null`: the page's.
    #[schema(required = true)]
    pub language: Option<String>,
    /// Texts of dialogs and bar, in place of the built-in ones.
    pub texts: BTreeMap<String, String>,
    /// Origins of the group's pages: a link to any other leads out of the session.
    pub origins: Vec<String>,
}

/// A line of the consent ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ConsentEntry {
    /// When, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub time: Timestamp,
    /// The visitor.
    pub visitorid: VisitorId,
    /// To what.
    pub to: ConsentTo,
    /// What happened.
    pub state: ConsentState,
    /// The agent for whom, by the subject of his token.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub agent: Option<Box<str>>,
}
