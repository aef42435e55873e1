//! A session that has not ended: who and what it knows, what time brings it, and what is told.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{
    End, MAX_TEXT, Policy, Step,
    command::{Command, Create, Effect, Reply, SessionEvent},
    consent::Control,
    refused,
    seats::Member,
    view::{Part, Stream, Summary},
    visitor::Page,
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::{
            ConsentEntry, ConsentState, ConsentTo, EndReason, HandedOver, Labels, SessionEventKind,
            UserId, ViewState, Visit,
        },
        error::ErrorCode,
        ids::{Code, SocketAddress, TabId, VisitorId},
        watch::Metadata,
    },
};

/// A session that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Open {
    pub(super) visitor: VisitorId,
    pub(super) policy: Policy,
    pub(super) code: Option<Code>,
    #[serde(default)]
    pub(super) metadata: Metadata,
    /// What it is called elsewhere.
    #[serde(default)]
    pub(super) labels: Labels,
    /// Whether the customer comes by an interface of his own.
    #[serde(default)]
    pub(super) apart: bool,
    pub(super) created: Timestamp,
    pub(super) activated: Option<Timestamp>,
    /// It is not active, and ends then unless it becomes so.
    pub(super) wait: Option<Timestamp>,
    /// The visitor's number, once a page of his came in.
    pub(super) customer: Option<UserId>,
    pub(super) pages: Vec<Page>,
    /// The visitor has no page, and is waited for until then.
    pub(super) away: Option<Timestamp>,
    /// When the visitor last did something.
    pub(super) active: Timestamp,
    /// Where the stream of the page that is recorded comes in, once it does.
    #[serde(default)]
    pub(super) stream: Option<Stream>,
    pub(super) epochs: u32,
    pub(super) activities: u64,
    pub(super) visits: Vec<Visit>,
    /// Visits beyond those that are remembered.
    pub(super) more_visits: u64,
    pub(super) members: Vec<Member>,
    /// All who ever came, for the history.
    pub(super) parts: Vec<Part>,
    pub(super) users: u32,
    /// Links that were opened, and in which tab; the newest first.
    pub(super) links: VecDeque<(u64, TabId)>,
    pub(super) transfer: Option<HandedOver>,
    pub(super) view: ConsentState,
    pub(super) control: Option<Control>,
    pub(super) questions: u32,
    /// The page that asks the visitor something now.
    pub(super) asked_on: Option<SocketAddress>,
    /// Pages changed, and nobody has been told.
    pub(super) stale: bool,
    /// The page that was shown when that was told last.
    pub(super) told_shown: Option<u32>,
    pub(super) paused: bool,
    /// What was told last of whether agents see the pages.
    pub(super) seen: ViewState,
    pub(super) consents: Vec<ConsentEntry>,
    pub(super) sequence: u64,
}

/// What time brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// The visitor did not come back.
    VisitorLost,
    /// A member did not come back.
    MemberLost(UserId),
    /// The agent to whom a seat was handed did not come.
    TransferOver,
    /// It did not become active.
    NeverJoined,
    /// The visitor did nothing.
    Idle,
    /// It lasted as long as it may.
    TooLong,
}

impl Open {
    pub(super) fn new(create: Create, step: &mut Step<'_>) -> Self {
        let Create { visitor, policy, agreed, code, labels, apart } = create;
        let now = step.now;
        let mut open = Self {
            visitor,
            policy,
            code,
            metadata: Metadata::default(),
            labels,
            apart,
            created: now,
            activated: None,
            wait: Some(now + policy.join_ms),
            customer: None,
            pages: Vec::new(),
            away: None,
            active: now,
            stream: None,
            epochs: 0,
            activities: 0,
            visits: Vec::new(),
            more_visits: 0,
            members: Vec::new(),
            parts: Vec::new(),
            users: 0,
            links: VecDeque::new(),
            transfer: None,
            view: ConsentState::Unasked,
            control: None,
            questions: 0,
            asked_on: None,
            stale: false,
            told_shown: None,
            paused: false,
            seen: ViewState::Off,
            consents: Vec::new(),
            sequence: 0,
        };
        if agreed {
            open.view = ConsentState::Given;
            open.consents(ConsentTo::View, ConsentState::Given, None, step);
        }
        open
    }

    pub(super) fn apply(&mut self, command: Command, step: &mut Step<'_>) -> Result<Reply, End> {
        let reply = match command {
            Command::Code(code) => match &self.code {
                Some(_) => refused(ErrorCode::TooMany, "the session has a code already"),
                None => {
                    self.code = Some(code);
                    Reply::Done
                }
            },
            Command::Describe(metadata) => {
                self.metadata = metadata;
                Reply::Done
            }
            Command::Enter(enter) => {
                let agreed = enter.agreed;
                let reply = self.enter(*enter, step);
                let is_in = matches!(reply, Reply::Entered { .. });
                if is_in && agreed && self.view == ConsentState::Unasked {
                    self.consent_to_view(true, step)?;
                }
                reply
            }
            Command::Navigate { socket, url, title } => self.navigate(socket, url, title, step),
            Command::Message { socket, data } => self.message(socket, data, step),
            Command::Visibility { socket, visible } => self.touch(socket, step, |page| {
                let before = std::mem::replace(&mut page.visible, visible);
                visible && !before
            }),
            Command::Activity { socket } => self.touch(socket, step, |_| true),
            Command::Consent { to: ConsentTo::View, given } => self.consent_to_view(given, step)?,
            Command::Consent { to: ConsentTo::Control, given } => {
                self.consent_to_control(given, step)
            }
            Command::Pause { paused } => {
                self.paused = paused;
                self.active = step.now;
                Reply::Done
            }
            Command::Stream(stream) => self.streams(stream, step),
            Command::Join(join) => self.join(*join, step),
            Command::Leave { user } if self.customer == Some(user) => {
                return Err(EndReason::Visitor.into());
            }
            Command::Leave { user } => self.leave(user, step)?,
            Command::AskControl { user } => self.ask_control(user, step),
            Command::ReleaseControl { user } => self.release_control(user, step),
            Command::Transfer { user, to } => self.hand_over(user, to, step),
            Command::Gone { socket } => self.gone(&|address| address == socket, step),
            Command::End { reason, text } => {
                let text = text.map(|text| text.chars().take(MAX_TEXT).collect());
                return Err(End { reason, text });
            }
            Command::NodeLost { node, before } => {
                let is_lost = |address: SocketAddress| {
                    address.node.node == node && address.node.incarnation < before
                };
                self.gone(&is_lost, step)
            }
            Command::Create(_) | Command::Restored { .. } | Command::Concluded | Command::Tick => {
                Reply::Done
            }
        };
        self.settle_down(step);
        Ok(reply)
    }

    /// The next thing that time brings, and when. There is always one: no session lasts for ever.
    pub(super) fn next_due(&self) -> (Timestamp, Due) {
        let lost = self
            .members
            .iter()
            .filter_map(|member| member.until().map(|until| (until, Due::MemberLost(member.user))));
        let idle = (self.active + self.policy.idle_ms, Due::Idle);
        let others = [
            self.away.map(|until| (until, Due::VisitorLost)),
            self.transfer.as_ref().map(|transfer| (transfer.until, Due::TransferOver)),
            self.wait.map(|until| (until, Due::NeverJoined)),
            // Who is away is judged by that.
            self.customer.filter(|_| self.away.is_none()).map(|_| idle),
        ];
        let longest = (self.created + self.policy.longest_ms, Due::TooLong);
        let first = others.into_iter().flatten().chain(lost).min_by_key(|(at, _)| *at);
        first.filter(|(at, _)| *at <= longest.0).unwrap_or(longest)
    }

    pub(super) fn happens(&mut self, due: Due, step: &mut Step<'_>) -> Result<(), End> {
        match due {
            Due::VisitorLost => return Err(EndReason::NetworkTimeout.into()),
            Due::MemberLost(user) => self.member_lost(user, step)?,
            Due::TransferOver => self.transfer = None,
            Due::NeverJoined => return Err(EndReason::NeverJoined.into()),
            Due::Idle => return Err(EndReason::UserTimeout.into()),
            Due::TooLong => return Err(EndReason::TooLong.into()),
        }
        self.settle_down(step);
        Ok(())
    }

    /// Whether the visitor and an agent are there.
    pub(super) fn is_active(&self) -> bool {
        self.customer.is_some() && self.agents() > 0
    }

    /// Brings activation, waiting, recording and what is told of them in line with who is there.
    fn settle_down(&mut self, step: &mut Step<'_>) {
        if self.is_active() {
            self.wait = None;
            if self.activated.is_none() {
                self.activated = Some(step.now);
                self.tell(SessionEventKind::Activated, step);
            }
            self.ask(step);
        } else {
            self.wait = self.wait.or(Some(step.now + self.policy.join_ms));
        }
        let state = match self.view {
            ConsentState::Given if self.is_active() && self.paused => ViewState::Paused,
            ConsentState::Given if self.is_active() => ViewState::On,
            _ => ViewState::Off,
        };
        if state != ViewState::On {
            self.take_back_control(step);
        }
        self.show(state == ViewState::On, step);
        if std::mem::replace(&mut self.seen, state) != state {
            self.tell(SessionEventKind::View { state }, step);
        }
    }

    /// All sockets of the process before are gone, and nobody could come back until now.
    pub(super) fn restored(&mut self, node: u32, before: u64, step: &mut Step<'_>) {
        let is_lost =
            |address: SocketAddress| address.node.node == node && address.node.incarnation < before;
        self.gone(&is_lost, step);
        // Those who were waited for before could not come while the records were away.
        if let Some(away) = &mut self.away {
            *away = step.now + self.policy.visitor_grace_ms;
        }
        let grace = step.now + self.policy.agent_grace_ms;
        self.members.iter_mut().for_each(|member| member.wait_until(grace));
        self.active = self.active.max(step.now);
        self.settle_down(step);
    }

    pub(super) fn end(mut self, end: End, step: &mut Step<'_>) -> Summary {
        self.take_back_control(step);
        self.show(false, step);
        let End { reason, text } = end;
        self.tell(SessionEventKind::Ended { reason, text: text.clone() }, step);
        self.summary(reason, text, step.now)
    }

    /// Tells everybody who is connected.
    pub(super) fn tell(&mut self, kind: SessionEventKind, step: &mut Step<'_>) {
        self.tell_but(None, kind, step);
    }

    pub(super) fn tell_but(
        &mut self,
        but: Option<SocketAddress>,
        kind: SessionEventKind,
        step: &mut Step<'_>,
    ) {
        self.sequence += 1;
        let pages = self.pages.iter().map(|page| page.socket);
        let members = self.members.iter().filter_map(Member::socket);
        let to: Vec<_> = pages.chain(members).filter(|socket| Some(*socket) != but).collect();
        if !to.is_empty() {
            let event = SessionEvent { sequence: self.sequence, time: step.now, kind };
            step.effects.push(Effect::Tell { to, event });
        }
    }

    pub(super) fn next_user(&mut self) -> UserId {
        self.users += 1;
        UserId(self.users)
    }
}
