//! The session as readers see it, and what remains of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Open, Session, State, seats::Member};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::{
            ConsentEntry, ConsentState, EndReason, HandedOver, MemberView, PageView, Permissions,
            Role, UserId, ViewState, Visit,
        },
        ids::{Code, Reference, SocketAddress, VisitorId},
        watch::Metadata,
    },
};

/// A session that runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionView {
    /// Who shares.
    pub visitorid: VisitorId,
    /// The code that leads here, if there is one.
    #[schema(required = true)]
    pub code: Option<Code>,
    /// What it is called in another system, such as a chat, by which it can be found while it runs.
    #[schema(required = true)]
    pub reference: Option<Reference>,
    /// What it is called in reports.
    #[schema(required = true)]
    pub reportingid: Option<Reference>,
    /// What the links by which agents came carry for their back ends.
    pub metadata: Metadata,
    /// When it was made, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub created: Timestamp,
    /// When the visitor and an agent were first there; `null` before. In Unix milliseconds.
    #[schema(required = true, value_type = Option<u64>)]
    pub activated: Option<Timestamp>,
    /// Whether the visitor and an agent are there, or waited for after a lost connection.
    pub active: bool,
    /// Whether agents see the visitor's pages.
    pub view: ViewState,
    /// How it stands with the visitor's consent to that.
    pub consent: ConsentState,
    /// The agent who works on the visitor's page.
    #[schema(required = true)]
    pub control: Option<UserId>,
    /// A seat that waits for the agent to whom it was handed.
    #[schema(required = true)]
    pub transfer: Option<HandedOver>,
    /// Who is there.
    pub members: Vec<MemberView>,
    /// The visitor's pages.
    pub pages: Vec<PageView>,
}

/// Where the stream of a page comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The page's number.
    pub epoch: u32,
    /// The stream's socket.
    pub socket: SocketAddress,
}

/// What of a session is shown to those who view it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The page that is recorded.
    pub recorded: Option<u32>,
    /// Where its stream comes in, once it does.
    pub stream: Option<Stream>,
}

/// Somebody who took part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Part {
    /// His number.
    pub user: UserId,
    /// What he was.
    pub role: Role,
    /// What he was called.
    pub name: Box<str>,
    /// The subject of his token, if he had one.
    #[schema(required = true)]
    pub subject: Option<Box<str>>,
    /// When he came, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub joined: Timestamp,
    /// When he was gone, in Unix milliseconds; `null` while he is there.
    #[schema(required = true, value_type = Option<u64>)]
    pub left: Option<Timestamp>,
}

impl Part {
    pub(super) fn new(
        user: UserId,
        role: Role,
        name: &str,
        subject: Option<&str>,
        joined: Timestamp,
    ) -> Self {
        Self { user, role, name: name.into(), subject: subject.map(Into::into), joined, left: None }
    }
}

/// How a session was, for the history.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// Who shared.
    pub visitorid: VisitorId,
    /// The code that led here, if there was one.
    #[schema(required = true)]
    pub code: Option<Code>,
    /// What it was called in another system.
    #[serde(default)]
    #[schema(required = true)]
    pub reference: Option<Reference>,
    /// What it is called in reports.
    #[serde(default)]
    #[schema(required = true)]
    pub reportingid: Option<Reference>,
    /// What the links by which agents came carried for their back ends.
    #[serde(default)]
    #[schema(required = true)]
    pub metadata: Metadata,
    /// When it was made, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub created: Timestamp,
    /// When the visitor and an agent were first there; `null`: never. In Unix milliseconds.
    #[schema(required = true, value_type = Option<u64>)]
    pub activated: Option<Timestamp>,
    /// When it ended, in Unix milliseconds.
    #[schema(value_type = u64)]
    pub ended: Timestamp,
    /// Why it ended.
    pub reason: EndReason,
    /// Words that whoever ended it gave.
    #[schema(required = true)]
    pub text: Option<Box<str>>,
    /// The pages that the visitor was on, in the order in which he came.
    pub pages: Vec<Visit>,
    /// Further pages, which are not remembered.
    pub more_pages: u64,
    /// Who took part.
    pub parts: Vec<Part>,
    /// What the visitor was asked, and what he said.
    pub consents: Vec<ConsentEntry>,
}

impl Session {
    /// The session as readers see it; `None` when it does not run.
    #[must_use]
    pub fn view(&self) -> Option<SessionView> {
        match &self.0 {
            State::Open(open) => Some(open.view()),
            State::Ended { .. } | State::Vacant => None,
        }
    }

    /// How the session was, if it is over and still remembered.
    #[must_use]
    pub fn summary(&self) -> Option<&Summary> {
        match &self.0 {
            State::Ended { summary, .. } => Some(summary),
            State::Open(_) | State::Vacant => None,
        }
    }
}

impl Open {
    pub(super) fn view(&self) -> SessionView {
        let controlling =
            self.control.as_ref().filter(|control| control.state == ConsentState::Given);
        SessionView {
            visitorid: self.visitor.clone(),
            code: self.code.clone(),
            reference: self.labels.reference.clone(),
            reportingid: self.labels.reportingid.clone(),
            metadata: self.metadata.clone(),
            created: self.created,
            activated: self.activated,
            active: self.is_active(),
            view: self.seen,
            consent: self.view,
            control: controlling.map(|control| control.user),
            transfer: self.transfer.clone(),
            members: self
                .customer_view()
                .into_iter()
                .chain(self.members.iter().map(Member::view))
                .collect(),
            pages: self.page_views(),
        }
    }

    pub(super) fn customer_view(&self) -> Option<MemberView> {
        self.customer.map(|user| MemberView {
            user,
            role: Role::Customer,
            name: "".into(),
            connected: !self.pages.is_empty(),
            permissions: None,
        })
    }

    pub(super) fn member_view(&self, user: UserId) -> Option<MemberView> {
        self.members.iter().find(|member| member.user == user).map(Member::view)
    }

    /// Everybody but this one.
    pub(super) fn others(&self, user: UserId) -> Vec<MemberView> {
        let members = self.members.iter().filter(|member| member.user != user).map(Member::view);
        let customer = self.customer_view().filter(|customer| customer.user != user);
        customer.into_iter().chain(members).collect()
    }

    pub(super) fn page_views(&self) -> Vec<PageView> {
        let shown = self.shown().map(|page| page.epoch);
        let pages = self.pages.iter().map(|page| PageView {
            epoch: page.epoch,
            tab: page.tab.clone(),
            url: page.url.clone(),
            title: page.title.clone(),
            shown: shown == Some(page.epoch),
        });
        pages.collect()
    }

    /// What remains of it.
    pub(super) fn summary(
        mut self,
        reason: EndReason,
        text: Option<Box<str>>,
        ended: Timestamp,
    ) -> Summary {
        self.visits.iter_mut().for_each(|visit| visit.left = visit.left.or(Some(ended)));
        self.parts.iter_mut().for_each(|part| part.left = part.left.or(Some(ended)));
        Summary {
            visitorid: self.visitor,
            code: self.code,
            reference: self.labels.reference,
            reportingid: self.labels.reportingid,
            metadata: self.metadata,
            created: self.created,
            activated: self.activated,
            ended,
            reason,
            text,
            pages: self.visits,
            more_pages: self.more_visits,
            parts: self.parts,
            consents: self.consents,
        }
    }
}

impl Member {
    fn view(&self) -> MemberView {
        let permissions: Permissions = self.permissions;
        let role = Role::from(self.role);
        MemberView {
            user: self.user,
            role,
            name: self.name.clone(),
            connected: self.socket().is_some(),
            permissions: (role == Role::Agent).then_some(permissions),
        }
    }
}
