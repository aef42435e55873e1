//! One co-browse session, and every rule of it (design section 7), as a pure function: [`Session::apply`] takes a command
//! and the time, changes the session and says what follows.
//!
//! A session is one visitor's. It is *active* while he and an agent are there; a connection that is lost counts as there
//! for a while, so that page changes, reloads and restarts end nothing. Nothing is recorded unless the visitor has agreed,
//! has not paused, and an agent is there to see it.
//!
//! * [`command`] names what can happen and what follows from it,
//! * `visitor`: the visitor's pages, which of them is shown, and what he agrees to,
//! * `seats`: agents and controllers who come, are waited for, and go,
//! * `view`: the session as readers see it.

pub mod command;
#[cfg(test)]
mod model_test;
mod record;
#[cfg(test)]
mod scene;
mod seats;
#[cfg(test)]
mod tests;
mod view;
mod visitor;

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

pub use self::view::{Part, SessionView, Summary};
use self::{
    command::{Command, Create, Effect, Reply, SessionEvent},
    seats::{Member, Transfer},
    visitor::{Control, Page},
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::{
            ConsentEntry, ConsentState, ConsentTo, EndReason, SessionEventKind, UserId, ViewState,
            Visit,
        },
        error::{ErrorCode, Problem},
        ids::{Code, SocketAddress, TabId, VisitorId},
        watch::Metadata,
    },
};

/// How long an ended session still answers, in milliseconds. Then only the history knows of it.
pub const ENDED_MEMORY_MS: u64 = 60_000;
/// Most pages of the visitor in a session at a time. One more is refused.
pub const MAX_PAGES: usize = 32;
/// Most visits of pages that a session remembers; further ones are counted.
pub const MAX_VISITS: usize = 1_000;
/// Most agents and controllers who come into a session over its life. One more is refused.
pub const MAX_PARTS: usize = 64;
/// Most opened links that a session remembers; each is good for five minutes only.
pub const MAX_LINKS: usize = 256;
/// Most questions to the visitor in a session. One more is refused.
pub const MAX_QUESTIONS: u32 = 100;
/// Longest text with which a session is ended, in characters; what is longer is cut.
pub const MAX_TEXT: usize = 200;

/// How a session goes. Times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Agents at a time.
    pub agents: u32,
    /// Whether the session ends when its last agent is gone; if not, it waits for another.
    pub ends_with_agents: bool,
    /// How long an agent or controller whose connection is lost is waited for.
    pub agent_grace_ms: u64,
    /// How long the visitor is waited for when his last page is lost.
    pub visitor_grace_ms: u64,
    /// How long the session waits to become active, and for the agent of a transfer.
    pub join_ms: u64,
    /// How long the visitor may do nothing.
    pub idle_ms: u64,
    /// How long it may last.
    pub longest_ms: u64,
}

impl Policy {
    /// Several agents, who are waited for when they reload.
    pub const NATIVE: Self = Self {
        agents: 8,
        ends_with_agents: false,
        agent_grace_ms: 30_000,
        visitor_grace_ms: 60_000,
        join_ms: 600_000,
        idle_ms: 600_000,
        longest_ms: 8 * 3_600_000,
    };
}

/// A co-browse session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session(State);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// There is none.
    Vacant,
    Open(Box<Open>),
    /// It ended; answers until this moment.
    Ended {
        summary: Box<Summary>,
        until: Timestamp,
    },
}

/// A session that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    visitor: VisitorId,
    policy: Policy,
    code: Option<Code>,
    #[serde(default)]
    metadata: Metadata,
    created: Timestamp,
    activated: Option<Timestamp>,
    /// It is not active, and ends then unless it becomes so.
    wait: Option<Timestamp>,
    /// The visitor's number, once a page of his came in.
    customer: Option<UserId>,
    pages: Vec<Page>,
    /// The visitor has no page, and is waited for until then.
    away: Option<Timestamp>,
    /// When the visitor last did something.
    active: Timestamp,
    epochs: u32,
    activities: u64,
    visits: Vec<Visit>,
    /// Visits beyond those that are remembered.
    more_visits: u64,
    members: Vec<Member>,
    /// All who ever came, for the history.
    parts: Vec<Part>,
    users: u32,
    /// Links that were opened, and in which tab; the newest first.
    links: VecDeque<(u64, TabId)>,
    transfer: Option<Transfer>,
    view: ConsentState,
    control: Option<Control>,
    questions: u32,
    /// The page that asks the visitor something now.
    asked_on: Option<SocketAddress>,
    /// Pages changed, and nobody has been told.
    stale: bool,
    /// The page that was shown when that was told last.
    told_shown: Option<u32>,
    paused: bool,
    /// What was told last of whether agents see the pages.
    seen: ViewState,
    consents: Vec<ConsentEntry>,
    sequence: u64,
}

/// What one `apply` works with, so that its parts need few arguments.
struct Step<'a> {
    now: Timestamp,
    effects: &'a mut Vec<Effect>,
}

/// An end that a part of the session has come to.
struct End {
    reason: EndReason,
    text: Option<Box<str>>,
}

impl From<EndReason> for End {
    fn from(reason: EndReason) -> Self {
        Self { reason, text: None }
    }
}

impl Session {
    /// No session.
    #[must_use]
    pub fn vacant() -> Self {
        Self(State::Vacant)
    }

    /// Applies a command at `now`, which must not be earlier than in the call before. What was due by then happens
    /// first, in its order and as of its time, so that late timers change nothing but the moment of telling. Only a
    /// node's loss goes before it: time stood still for those who come back from it.
    pub fn apply(&mut self, command: Command, now: Timestamp, effects: &mut Vec<Effect>) -> Reply {
        let mut step = Step { now, effects };
        if let (State::Open(open), Command::NodeLost { node, before }) = (&mut self.0, &command) {
            open.node_lost(*node, *before, &mut step);
        }
        self.let_time_pass(&mut step);
        let open = match (&mut self.0, command) {
            (State::Vacant, Command::Create(create)) => {
                self.0 = State::Open(Box::new(Open::new(*create, &mut step)));
                return Reply::Done;
            }
            (_, Command::Tick | Command::NodeLost { .. }) => return Reply::Done,
            (State::Open(_), Command::Create(_)) => {
                return refused(ErrorCode::TooMany, "the session is there already");
            }
            (State::Open(open), command) => open.apply(command, &mut step),
            // Whoever leaves what is over has what he wants.
            (_, Command::Leave { .. } | Command::Gone { .. } | Command::End { .. }) => {
                return Reply::Done;
            }
            (State::Vacant, _) => return refused(ErrorCode::NotFound, "there is no such session"),
            (State::Ended { .. }, _) => return refused(ErrorCode::NotFound, "the session is over"),
        };
        match open {
            Ok(reply) => reply,
            Err(end) => {
                self.end(end, &mut step);
                Reply::Done
            }
        }
    }

    /// When time alone will next change something.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        match &self.0 {
            State::Vacant => None,
            State::Open(open) => Some(open.next_due().0),
            State::Ended { until, .. } => Some(*until),
        }
    }

    /// Whether there is no session, or it is over and forgotten.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        matches!(self.0, State::Vacant)
    }

    fn let_time_pass(&mut self, step: &mut Step<'_>) {
        let now = step.now;
        loop {
            match &mut self.0 {
                State::Open(open) => {
                    let (at, due) = open.next_due();
                    if at > now {
                        break;
                    }
                    step.now = at;
                    if let Err(end) = open.happens(due, step) {
                        self.end(end, step);
                    }
                }
                State::Ended { until, .. } if *until <= now => self.0 = State::Vacant,
                State::Ended { .. } | State::Vacant => break,
            }
        }
        step.now = now;
    }

    fn end(&mut self, end: End, step: &mut Step<'_>) {
        if let State::Open(open) = std::mem::replace(&mut self.0, State::Vacant) {
            let summary = Box::new(open.end(end, step));
            step.effects.push(Effect::Ended(summary.clone()));
            self.0 = State::Ended { summary, until: step.now + ENDED_MEMORY_MS };
        }
    }
}

/// What time brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Due {
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
    fn new(create: Create, step: &mut Step<'_>) -> Self {
        let Create { visitor, policy, agreed, code } = create;
        let now = step.now;
        let mut open = Self {
            visitor,
            policy,
            code,
            metadata: Metadata::default(),
            created: now,
            activated: None,
            wait: Some(now + policy.join_ms),
            customer: None,
            pages: Vec::new(),
            away: None,
            active: now,
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

    fn apply(&mut self, command: Command, step: &mut Step<'_>) -> Result<Reply, End> {
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
            Command::Enter(enter) => self.enter(*enter, step),
            Command::Navigate { socket, url, title } => self.navigate(socket, url, title, step),
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
            Command::Create(_) | Command::NodeLost { .. } | Command::Tick => Reply::Done,
        };
        self.settle_down(step);
        Ok(reply)
    }

    /// The next thing that time brings, and when. There is always one: no session lasts for ever.
    fn next_due(&self) -> (Timestamp, Due) {
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

    fn happens(&mut self, due: Due, step: &mut Step<'_>) -> Result<(), End> {
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
    fn is_active(&self) -> bool {
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

    fn node_lost(&mut self, node: u32, before: u64, step: &mut Step<'_>) {
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

    fn end(mut self, end: End, step: &mut Step<'_>) -> Summary {
        self.take_back_control(step);
        self.show(false, step);
        let End { reason, text } = end;
        self.tell(SessionEventKind::Ended { reason, text: text.clone() }, step);
        self.summary(reason, text, step.now)
    }

    /// Tells everybody who is connected.
    fn tell(&mut self, kind: SessionEventKind, step: &mut Step<'_>) {
        self.tell_but(None, kind, step);
    }

    fn tell_but(
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

    fn next_user(&mut self) -> UserId {
        self.users += 1;
        UserId(self.users)
    }
}

fn refused(code: ErrorCode, sentence: impl Into<String>) -> Reply {
    Reply::Refused(Problem::new(code, sentence.into()))
}
