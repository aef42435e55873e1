//! Whose token an agent's socket lives by: how it comes in, goes on with another token, and what ends with that.

use std::{ops::ControlFlow, rc::Rc, sync::Arc};

use super::{AgentSocket, answer};
use crate::{
    auth::{Agent, Scope},
    chat::handle::Desk,
    lists::Lists,
    model::{
        close::{Close, CloseCode},
        ids::{GroupId, SocketId},
        protocol::agent::ToAgent,
    },
    presence::handle::Presence,
    sockets::{keepalive::Keepalive, outbox::Class, table::text},
};

/// Ends all watches and lists of the socket when it is dropped, on whatever path that happens.
pub(super) struct Watching {
    presence: Presence,
    lists: Arc<Lists>,
    group: GroupId,
    socket: SocketId,
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.end();
    }
}

impl Watching {
    fn end(&self) {
        self.presence.watchers().close(self.socket);
        self.lists.close_all(&self.group, self.socket);
    }
}

impl AgentSocket {
    pub(super) fn hello(&mut self, token: &str) -> ControlFlow<Close> {
        let agent = match self.verify(token) {
            Ok(agent) => agent,
            Err(close) => return ControlFlow::Break(close),
        };
        let settings = &self.service.settings;
        let Some(group) = settings.groups.get(&agent.group) else {
            return ControlFlow::Break(CloseCode::Group.into());
        };
        if self.caller.group.as_ref().is_some_and(|group| *group != agent.group) {
            return ControlFlow::Break(CloseCode::Authorization.into());
        }
        if !self.service.allows_agent(group, &self.caller.origin) {
            return ControlFlow::Break(CloseCode::Origin.into());
        }
        let presence = self.service.presence.clone();
        let socket = self.entry.id;
        presence.watchers().open(socket);
        let (lists, group) = (Arc::clone(&self.service.lists), agent.group.clone());
        self.watching = Some(Watching { presence, lists, group, socket });
        let address = self.service.presence.address(socket);
        let welcome = ToAgent::Welcome {
            socket: address.to_string(),
            group: agent.group.to_string(),
            subject: agent.subject.to_string(),
            name: agent.name.as_deref().map(str::to_owned),
            scope: agent.scope.to_string(),
            expires: agent.expires,
            now: self.service.clock().wall(),
        };
        self.take_on(agent);
        self.lease.keepalive(Keepalive::greeted);
        let _ = self.lease.outbox.push(Class::Reliable, text(&welcome));
        self.hearing = Some(self.service.outages.hear(socket, Arc::clone(&self.lease.outbox)));
        ControlFlow::Continue(())
    }

    fn verify(&self, token: &str) -> Result<Agent, Close> {
        let verified = self.service.tokens.verify(token, self.service.clock().wall());
        verified.map_err(|error| {
            self.service.metrics.authorization_failures.of(error).inc();
            error.close()
        })
    }

    /// The socket lives as long as the token, and no longer than it is believed.
    fn take_on(&mut self, agent: Agent) {
        let clock = self.service.clock();
        let expires = clock.now() + agent.expires.since(clock.wall());
        self.lease.keepalive(|keepalive| keepalive.expire_at(Some(expires)));
        let agent = Rc::new(agent);
        self.lease.borne_by(Rc::clone(&agent));
        let may_have_sessions = agent.require(Scope::SESSION).is_ok();
        // Chats are one agent's, and need that scope.
        let is_his = |desk: &Desk| desk.is_of(&agent.subject);
        if !may_have_sessions || !self.desk.as_ref().is_some_and(is_his) {
            self.desk = None;
        }
        self.borne =
            may_have_sessions.then(|| self.entry.borne_by(agent.group.clone(), &agent.subject));
        self.topics.change_rights(agent.topic_rights());
        self.agent = Some(agent);
    }

    pub(super) fn renew(&mut self, token: &str, request: Option<u64>) -> ControlFlow<Close> {
        let current = self.agent.as_ref().map(|agent| agent.group.clone());
        match self.verify(token) {
            Ok(agent) if Some(&agent.group) == current.as_ref() => {
                let expires = Some(agent.expires);
                if agent.require(Scope::READ).is_err()
                    && let Some(watching) = &self.watching
                {
                    watching.end();
                    watching.presence.watchers().open(watching.socket);
                }
                self.take_on(agent);
                answer(&self.line, request, |ok| ok.expires = expires);
                ControlFlow::Continue(())
            }
            Ok(_) => ControlFlow::Break(CloseCode::Authorization.into()),
            Err(close) => ControlFlow::Break(close),
        }
    }
}
