//! Handshakes: whom the server lets in, and as what.

use std::sync::{Arc, atomic::Ordering};

use super::{Bayeux, TRANSPORTS, carry_out::Visit};
use crate::{
    auth::Agent,
    bayeux::{
        answer::{AckAnswer, Advice, Answer, ExtAnswer, Text, Time, VERSION},
        client::{
            ClientId,
            command::{Command, Member},
        },
        delivery::Known,
        fault::Fault,
        hearing::Hearing,
        message::Message,
    },
    limits::client_key,
    settings::{Group, Trust},
    sockets::{
        admission::Verdict,
        service::{PageOrigin, SocketService},
    },
    telemetry::labels::Limited,
    topics::post::ListenerId,
};

/// A handshake always makes a new session, whatever else comes with it.
impl Bayeux {
    pub(super) async fn shake_hands(
        &self,
        service: &SocketService,
        visit: &Visit,
        message: &Message,
    ) -> (Option<ClientId>, Text) {
        let made = match self.admit(service, visit, message) {
            Ok(member) => self.open(service, visit, message, member).await,
            Err(fault) => Err(fault),
        };
        let errors = self.settings().errors;
        let timeout = self.settings().timeout_ms;
        let now = service.clock().wall().0;
        let timesync = message.ext.timesync.and_then(|asked| Time::answer(asked, now));
        match made {
            Ok(client) => {
                let acks = message.ext.ack.is_some_and(|ack| ack.is_wanted());
                let ext = ExtAnswer { ack: acks.then_some(AckAnswer::On(true)), timesync };
                let answer = Answer::to(message, Ok(()), errors).extended(ext);
                let answer = answer.advised(Advice::retry(timeout));
                (Some(client), answer.welcome(&client.to_string(), TRANSPORTS).text())
            }
            Err(fault) => {
                self.refused(&fault);
                let advice = match fault {
                    Fault::TooFast(pause) => {
                        Advice { interval: pause, ..Advice::handshake(timeout) }
                    }
                    Fault::Unready => Advice { interval: 1_000, ..Advice::handshake(timeout) },
                    _ => Advice::stop(),
                };
                let answer = Answer::to(message, Err(&fault), errors).advised(advice);
                (None, answer.offer(TRANSPORTS).text())
            }
        }
    }

    async fn open(
        &self,
        service: &SocketService,
        visit: &Visit,
        message: &Message,
        member: Member,
    ) -> Result<ClientId, Fault> {
        let client = ClientId::generate();
        let acks = message.ext.ack.is_some_and(|ack| ack.is_wanted());
        // Before the record is, whose end takes it out.
        self.0.local.enter(client, self.known(service, &member, acks));
        let open = Command::Open {
            member: Box::new(member),
            browser: visit.from.browser.clone(),
            socket: visit.from.is_socket.then_some(visit.from.at),
            acks,
            home: self.node(),
        };
        match self.ask(client, open).await {
            Ok(_) => self.0.local.opened(client),
            Err(fault) => {
                self.0.local.forget(client);
                return Err(fault);
            }
        }
        Ok(client)
    }

    /// What this node has of a client besides its record.
    pub(in crate::bayeux) fn known(
        &self,
        service: &SocketService,
        member: &Member,
        acks: bool,
    ) -> Known {
        let rights = member.agent.as_ref().map(Agent::topic_rights);
        let hearing = rights.filter(|rights| !rights.is_empty()).map(|rights| {
            let id = ListenerId(self.0.next_listener.fetch_add(1, Ordering::Relaxed));
            let client = service.topics.listener(member.group.clone(), id, rights);
            Arc::new(Hearing::new(id, client, acks))
        });
        Known { bearer: member.agent.clone().map(Arc::new), hearing, is_open: false }
    }

    /// Who comes in, by his token where he shows one, else by where he comes from.
    fn admit(
        &self,
        service: &SocketService,
        visit: &Visit,
        message: &Message,
    ) -> Result<Member, Fault> {
        if message.version.as_deref().is_some_and(|version| version != VERSION) {
            return Err(Fault::Field { name: "version", rule: "must be 1.0".into() });
        }
        if !message.transports.iter().any(|name| TRANSPORTS.contains(&&**name)) {
            return Err(Fault::NoTransport);
        }
        // Beside the socket's own opening: each makes a client, however many come over one socket.
        self.pace(service, visit)?;
        if !service.lifecycle.is_ready() {
            return Err(Fault::Unready);
        }
        match &message.ext.token {
            Some(token) => {
                let agent = self.bearer(service, visit, token)?;
                Ok(Member { group: agent.group.clone(), agent: Some(agent) })
            }
            None => {
                let group = group_of(service, &visit.origin).ok_or(Fault::HandshakeDenied)?;
                if group.bayeux != Trust::Code {
                    return Err(Fault::HandshakeDenied);
                }
                Ok(Member { group: group.id.clone(), agent: None })
            }
        }
    }

    fn pace(&self, service: &SocketService, visit: &Visit) -> Result<(), Fault> {
        match service.admission.handshake(visit.address, service.clock().now()) {
            Verdict::Admit => Ok(()),
            Verdict::Close(close) => {
                service.metrics.limited.of(Limited::Handshake).inc();
                Err(Fault::TooFast(close.retry_ms.unwrap_or(1_000)))
            }
            Verdict::Refuse => {
                service.metrics.limited.of(Limited::Handshake).inc();
                Err(Fault::TooFast(1_000))
            }
        }
    }

    fn bearer(&self, service: &SocketService, visit: &Visit, token: &str) -> Result<Agent, Fault> {
        let (address, now) = (client_key(visit.address), service.clock().now());
        if let Err(problem) = service.admission.may_offer(address, now) {
            service.metrics.limited.of(Limited::Guess).inc();
            return Err(Fault::TooFast(problem.retry_ms.unwrap_or(1_000)));
        }
        let agent = service.tokens.verify(token, service.clock().wall()).map_err(|error| {
            service.admission.was_wrong(address, now);
            service.metrics.authorization_failures.of(error).inc();
            Fault::HandshakeDenied
        })?;
        let group = service.settings.groups.get(&agent.group).ok_or(Fault::HandshakeDenied)?;
        if group.bayeux == Trust::Off || !service.allows_agent(group, &visit.origin) {
            return Err(Fault::HandshakeDenied);
        }
        Ok(agent)
    }
}

/// The group of a request that names none: the one whose agents' pages come from there, else the default one.
#[must_use]
pub fn group_of<'a>(service: &'a SocketService, origin: &PageOrigin) -> Option<&'a Arc<Group>> {
    let groups = &service.settings.groups;
    match origin {
        PageOrigin::Other(_) => groups
            .iter()
            .find(|group| group.bayeux != Trust::Off && service.allows_agent(group, origin)),
        PageOrigin::NoPage | PageOrigin::Own => {
            service.default_group().and_then(|id| groups.get(id))
        }
    }
}
