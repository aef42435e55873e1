//! Agents and controllers: how they come, are waited for, hand over, and go.

use serde::{Deserialize, Serialize};

use super::{
    End, MAX_LINKS, MAX_PARTS, Open, Step,
    command::{Effect, Join, Reply, Seated},
    refused,
    view::Part,
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::{
            EndReason, HandedOver, LeaveReason, Permissions, Role, SessionEventKind, UserId,
        },
        error::ErrorCode,
        ids::{SocketAddress, TabId},
    },
};

/// An agent or controller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) user: UserId,
    pub(super) role: Seated,
    pub(super) subject: Box<str>,
    pub(super) name: Box<str>,
    tab: TabId,
    pub(super) permissions: Permissions,
    seat: Seat,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Seat {
    /// His connection is there.
    Here(SocketAddress),
    /// It was lost; he is waited for until then.
    Lost(Timestamp),
}

impl Member {
    pub(super) fn socket(&self) -> Option<SocketAddress> {
        match self.seat {
            Seat::Here(socket) => Some(socket),
            Seat::Lost(_) => None,
        }
    }

    /// Until when he is waited for.
    pub(super) fn until(&self) -> Option<Timestamp> {
        match self.seat {
            Seat::Here(_) => None,
            Seat::Lost(until) => Some(until),
        }
    }

    /// He is waited for until `until`, if he is waited for.
    pub(super) fn wait_until(&mut self, until: Timestamp) {
        if let Seat::Lost(time) = &mut self.seat {
            *time = until;
        }
    }
}

impl Open {
    /// How many agents are there, or waited for.
    pub(super) fn agents(&self) -> usize {
        self.members.iter().filter(|member| member.role == Seated::Agent).count()
    }

    pub(super) fn is_agent_here(&self, user: UserId, may: impl Fn(Permissions) -> bool) -> bool {
        self.members.iter().any(|member| {
            member.user == user
                && member.role == Seated::Agent
                && member.socket().is_some()
                && may(member.permissions)
        })
    }

    pub(super) fn subject(&self, user: UserId) -> Option<Box<str>> {
        let member = self.members.iter().find(|member| member.user == user);
        member.map(|member| member.subject.clone())
    }

    pub(super) fn join(&mut self, join: Join, step: &mut Step<'_>) -> Reply {
        let opened = join.link.map(|link| (link, join.tab.clone()));
        let is_stale = |(link, tab): &(u64, TabId)| {
            self.links.iter().any(|(known, by)| known == link && by != tab)
        };
        if opened.as_ref().is_some_and(is_stale) {
            let sentence = "the link was opened in another tab";
            return refused(ErrorCode::Authorization, sentence);
        }
        let reply = self.take_seat(join, step);
        if let (Reply::Joined { .. }, Some(opened)) = (&reply, opened)
            && !self.links.contains(&opened)
        {
            self.links.truncate(MAX_LINKS - 1);
            self.links.push_front(opened);
        }
        reply
    }

    fn take_seat(&mut self, join: Join, step: &mut Step<'_>) -> Reply {
        let is_same = |member: &&mut Member| {
            member.role == join.role && member.subject == join.subject && member.tab == join.tab
        };
        if let Some(member) = self.members.iter_mut().find(is_same) {
            let (user, socket) = (member.user, join.socket);
            let before = std::mem::replace(&mut member.seat, Seat::Here(socket));
            (member.name, member.permissions) = (join.name, join.permissions);
            if let Seat::Lost(_) = before {
                let connection = SessionEventKind::Connection { user, connected: true };
                self.tell_but(Some(socket), connection, step);
            }
            return self.joined(user);
        }
        let successor = self
            .transfer
            .take_if(|transfer| join.role == Seated::Agent && transfer.to == join.subject);
        let most = usize::try_from(self.policy.agents).unwrap_or(usize::MAX);
        let is_full = join.role == Seated::Agent && self.agents() >= most && successor.is_none();
        if is_full || self.parts.len() >= MAX_PARTS {
            self.transfer = self.transfer.take().or(successor);
            let sentence = if is_full {
                format!("the session may have {most} agents at a time")
            } else {
                format!("{MAX_PARTS} people may come into a session over its life")
            };
            return refused(ErrorCode::TooMany, sentence);
        }
        let user = self.next_user();
        let Join { socket, role, tab, subject, name, permissions, .. } = join;
        let part = Part::new(user, role.into(), &name, Some(&subject), step.now);
        self.parts.push(part);
        let seat = Seat::Here(socket);
        self.members.push(Member { user, role, subject, name, tab, permissions, seat });
        if let Some(member) = self.member_view(user) {
            self.tell_but(Some(socket), SessionEventKind::Joined { member }, step);
        }
        if let Some(transfer) = successor {
            self.remove(transfer.from, LeaveReason::Transferred, step);
        }
        self.joined(user)
    }

    fn joined(&self, user: UserId) -> Reply {
        let shown = self.what_is_shown();
        Reply::Joined { user, view: Box::new(self.view()), shown }
    }

    pub(super) fn leave(&mut self, user: UserId, step: &mut Step<'_>) -> Result<Reply, End> {
        match self.remove(user, LeaveReason::Left, step) {
            Some(Seated::Agent) if self.ends_without_agents() => Err(EndReason::Agent.into()),
            Some(_) => Ok(Reply::Done),
            None => Ok(refused(ErrorCode::NotFound, "nobody in the session has this number")),
        }
    }

    pub(super) fn member_lost(&mut self, user: UserId, step: &mut Step<'_>) -> Result<(), End> {
        match self.remove(user, LeaveReason::Lost, step) {
            Some(Seated::Agent) if self.ends_without_agents() => {
                Err(EndReason::NetworkTimeout.into())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn hand_over(&mut self, user: UserId, to: Box<str>, step: &mut Step<'_>) -> Reply {
        let agent = self.members.iter().find(|member| member.user == user);
        match agent.filter(|member| member.role == Seated::Agent) {
            None => refused(ErrorCode::NotFound, "no agent in the session has this number"),
            Some(member) if member.subject == to => {
                refused(ErrorCode::BadRequest, "the seat is that agent's already")
            }
            Some(member) => {
                let until = step.now + self.policy.join_ms;
                let (visitor, from) = (self.visitor.clone(), member.name.clone());
                step.effects.push(Effect::Offer { to: to.clone(), visitor, from, until });
                self.transfer = Some(HandedOver { from: user, to, until });
                Reply::Done
            }
        }
    }

    /// Sockets ended.
    pub(super) fn gone(
        &mut self,
        is_gone: &dyn Fn(SocketAddress) -> bool,
        step: &mut Step<'_>,
    ) -> Reply {
        self.stream.take_if(|stream| is_gone(stream.socket));
        let mut lost = Vec::from_iter(self.pages_gone(is_gone, step));
        let until = step.now + self.policy.agent_grace_ms;
        for member in &mut self.members {
            if member.socket().is_some_and(is_gone) {
                member.seat = Seat::Lost(until);
                lost.push(member.user);
            }
        }
        for user in lost {
            // Nobody works on a page whom nobody sees.
            self.release_control(user, step);
            self.tell(SessionEventKind::Connection { user, connected: false }, step);
        }
        Reply::Done
    }

    /// Takes somebody out. What he was.
    fn remove(&mut self, user: UserId, reason: LeaveReason, step: &mut Step<'_>) -> Option<Seated> {
        let at = self.members.iter().position(|member| member.user == user)?;
        self.release_control(user, step);
        self.transfer = self.transfer.take().filter(|transfer| transfer.from != user);
        // He is told too.
        self.tell(SessionEventKind::Left { user, reason }, step);
        if let Some(part) = self.parts.iter_mut().find(|part| part.user == user) {
            part.left = Some(step.now);
        }
        Some(self.members.remove(at).role)
    }

    fn ends_without_agents(&self) -> bool {
        self.policy.ends_with_agents && self.agents() == 0
    }
}

impl From<Seated> for Role {
    fn from(seated: Seated) -> Self {
        match seated {
            Seated::Agent => Self::Agent,
            Seated::Controller => Self::Controller,
        }
    }
}
