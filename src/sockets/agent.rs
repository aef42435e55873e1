//! The actor of an agent's socket. Thin: it checks the token and its scopes, hands requests to presence, and passes
//! answers back.

/// Whom he means.
mod addressee;
/// By whose token he is here.
mod bearer;
/// The agent's chats.
mod chatting;

use std::{net::IpAddr, ops::ControlFlow, rc::Rc, sync::Arc};

use actix::{Actor, Context};

use self::bearer::Watching;
use super::{
    bearers::Borne,
    lease::Lease,
    outages::Hearing,
    outbox::{Class, Outbox},
    pump::{Connection, Endpoint, Pump},
    service::{PageOrigin, SocketService, close_of, refuse},
    table::{Entry, Line, text},
    takeover::Opened,
    topics::TopicSeat,
    traffic::{Excess, Traffic},
};
use crate::{
    auth::{Agent, Scope},
    chat::handle::Desk,
    limits::Place,
    lists::Reader,
    model::{
        close::{Close, CloseCode},
        error::Problem,
        ids::{GroupId, SignalId, VisitorKey},
        json::is_too_deep,
        protocol::{
            Numbered,
            agent::{AgentMessage, AgentOk, ListChange, ToAgent},
        },
        signal::Message,
        topic::Party,
    },
    presence::visitor::command::Submission,
    telemetry::labels::{Limited, SocketKind},
};

/// An agent's socket: first nobody's, then, after its hello, an agent's.
pub struct AgentSocket {
    service: SocketService,
    caller: Caller,
    lease: Rc<Lease>,
    line: Arc<Line>,
    entry: Entry,
    traffic: Traffic,
    agent: Option<Rc<Agent>>,
    watching: Option<Watching>,
    /// The agent's subject leads to this socket, as long as he may have sessions.
    borne: Option<Borne>,
    /// He works with chats here.
    desk: Option<Desk>,
    /// He hears when what the nodes share is away.
    hearing: Option<Hearing>,
    topics: TopicSeat,
    _place: Place<IpAddr>,
}

/// Who opened an agent's socket, as far as the handshake tells.
pub struct Caller {
    /// The group that was asked for; the token must be for it.
    pub group: Option<GroupId>,
    /// The page's origin, checked against the token's group.
    pub origin: PageOrigin,
    /// The client's address.
    pub address: IpAddr,
}

/// An agent who reads a live list. He gets the next change only when he has read most of what was sent before.
struct ListReader(Arc<Outbox>);

impl Reader for ListReader {
    fn is_ready(&self) -> bool {
        self.0.has_room()
    }

    fn tell(&self, change: ListChange) {
        let _ = self.0.push(Class::Reliable, text(&ToAgent::Rows(change)));
    }
}

impl AgentSocket {
    /// Serves a connection that was taken over.
    pub fn serve<T: Connection>(service: SocketService, caller: Caller, opened: Opened<'_, T>) {
        let Opened { connection, early, line, place } = opened;
        let (reader, lease) = (service.reader(), service.lease(Arc::clone(&line.outbox)));
        let entry = service.enter(Arc::clone(&line), SocketKind::Agent);
        let pump = Pump::new(connection, early, reader, Rc::clone(&lease), service.clone());
        let socket = Self {
            service,
            caller,
            lease,
            line,
            entry,
            traffic: Traffic::default(),
            agent: None,
            watching: None,
            borne: None,
            desk: None,
            hearing: None,
            topics: TopicSeat::default(),
            _place: place,
        };
        Self::create(|context| {
            pump.run(context);
            socket
        });
    }

    fn count(&mut self, bytes: usize) -> Result<(), Excess> {
        let rate = &self.service.settings.limits.agent_messages;
        self.traffic.count(&self.service, rate, bytes, Limited::AgentMessage)
    }

    fn after_hello(&mut self, message: AgentMessage, request: Option<u64>) -> ControlFlow<Close> {
        let line = Arc::clone(&self.line);
        let Some(agent) = &self.agent else {
            return ControlFlow::Break(CloseCode::BadRequest.into());
        };
        // The sweep ends the socket soon; until then it does nothing any more.
        if !self.service.tokens.still_believes(agent) {
            return ControlFlow::Break(CloseCode::Revoked.into());
        }
        let needed = match &message {
            AgentMessage::Watch { .. } | AgentMessage::List { .. } | AgentMessage::Lookup(_) => {
                Some(Scope::READ)
            }
            AgentMessage::Send { message: Message::Signal { .. }, .. } => Some(Scope::SIGNAL),
            AgentMessage::Send { message: Message::Invoke { .. }, .. } => Some(Scope::INVOKE),
            AgentMessage::Help { .. } | AgentMessage::Chat(_) => Some(Scope::SESSION),
            AgentMessage::Topics(_) => Some(Scope::TOPICS),
            _ => None,
        };
        if let Some(Err(problem)) = needed.map(|needed| agent.require(needed)) {
            refuse(&line.outbox, request, problem);
            return ControlFlow::Continue(());
        }
        let presence = self.service.presence.clone();
        let group = agent.group.clone();
        let socket = self.entry.id;
        match message {
            AgentMessage::Hello { .. } => {
                refuse(&line.outbox, request, Problem::field("type", "hello comes once"));
            }
            AgentMessage::Renew { token } => return self.renew(&token, request),
            AgentMessage::Watch { to, since } => self.address(to, request, move |visitor| {
                let visitorid = Some(visitor.clone());
                let key = VisitorKey { group, visitor };
                presence.watch(key, socket, since, move |result| match result {
                    Ok(()) => answer(&line, request, |ok| ok.visitorid = visitorid),
                    Err(problem) => refuse(&line.outbox, request, problem),
                });
            }),
            AgentMessage::Unwatch(visitor) => {
                presence.unwatch(&VisitorKey { group, visitor }, socket);
                answer(&line, request, |_| ());
            }
            AgentMessage::List { list, query } => {
                let reader = Arc::new(ListReader(Arc::clone(&line.outbox)));
                self.service.lists.open(&group, (socket, list), query, reader, move |opened| {
                    match opened {
                        Ok(()) => answer(&line, request, |_| ()),
                        Err(problem) => refuse(&line.outbox, request, problem),
                    }
                });
            }
            AgentMessage::Unlist(list) => {
                self.service.lists.close(&group, socket, list);
                answer(&line, request, |_| ());
            }
            AgentMessage::Lookup(to) => self.address_or_nobody(to, request, move |visitor| {
                let Some(visitor) = visitor else {
                    return answer(&line, request, |ok| ok.visitor = Some(None));
                };
                let visitorid = Some(visitor.clone());
                presence.look_up(VisitorKey { group, visitor }, move |found| match found {
                    Ok(view) => answer(&line, request, |ok| {
                        (ok.visitorid, ok.visitor) = (visitorid, Some(view));
                    }),
                    Err(problem) => refuse(&line.outbox, request, problem),
                });
            }),
            AgentMessage::Send { to, message, target, key } => {
                let sender = Some(presence.address(socket));
                let id = SignalId::generate();
                let key = key.map(|key| key.of(&agent.subject));
                let submission = Submission { id, message, target, key, sender };
                self.address(to, request, move |visitor| {
                    let visitorid = Some(visitor.clone());
                    let key = VisitorKey { group, visitor };
                    presence.signal(key, submission, move |result| match result {
                        Ok((id, outcome)) => answer(&line, request, |ok| {
                            (ok.visitorid, ok.id, ok.outcome) =
                                (visitorid, Some(id), Some(outcome));
                        }),
                        Err(problem) => refuse(&line.outbox, request, problem),
                    });
                });
            }
            AgentMessage::Help { visitor, help, comes } => {
                let visitorid = Some(visitor.clone());
                let key = VisitorKey { group, visitor };
                let answered = move |done: Result<(), Problem>| match done {
                    Ok(()) => answer(&line, request, |ok| ok.visitorid = visitorid),
                    Err(problem) => refuse(&line.outbox, request, problem),
                };
                if comes {
                    let claimed = move |told: Result<_, Problem>| answered(told.map(|_| ()));
                    presence.claim_help(key, help, (&**agent).into(), claimed);
                } else {
                    presence.decline_help(key, help, answered);
                }
            }
            AgentMessage::Chat(asked) => self.chat(asked, request),
            AgentMessage::Topics(call) => {
                let (topics, rights) = (&self.service.topics, agent.topic_rights());
                let client = || topics.client(group, Some(socket), Party::Agent, rights);
                self.topics.call(client, *call, move |done| match done {
                    Ok(told) => answer(&line, request, |ok| ok.topics = Some(told)),
                    Err(problem) => refuse(&line.outbox, request, problem),
                });
            }
            AgentMessage::Disconnect => {
                answer(&line, request, |_| ());
                self.desk.iter_mut().for_each(|desk| desk.leaves = true);
                return ControlFlow::Break(CloseCode::Normal.into());
            }
        }
        ControlFlow::Continue(())
    }
}

impl Actor for AgentSocket {
    type Context = Context<Self>;
}

impl Endpoint for AgentSocket {
    fn message(&mut self, text: &str, _: &mut Context<Self>) -> ControlFlow<Close> {
        let read = AgentMessage::read(text);
        match self.count(text.len()) {
            Ok(()) => {}
            Err(Excess::Refuse(problem)) => {
                let request = match &read {
                    Ok(numbered) => numbered.request,
                    Err(unreadable) => unreadable.request,
                };
                refuse(&self.lease.outbox, request, problem);
                return ControlFlow::Continue(());
            }
            Err(Excess::Close(close)) => return ControlFlow::Break(close),
        }
        match read {
            Ok(Numbered { message: AgentMessage::Hello { token }, .. }) if self.agent.is_none() => {
                self.hello(&token)
            }
            Ok(Numbered { message, request }) => self.after_hello(message, request),
            Err(unreadable) => {
                let is_first = self.agent.is_none();
                if is_too_deep(&unreadable.problem) {
                    self.service.metrics.limited.of(Limited::Depth).inc();
                }
                let close = close_of(&unreadable.problem);
                refuse(&self.lease.outbox, unreadable.request, unreadable.problem);
                if is_first { ControlFlow::Break(close) } else { ControlFlow::Continue(()) }
            }
        }
    }

    fn control(&mut self) -> ControlFlow<Close> {
        match self.count(0) {
            Err(Excess::Close(close)) => ControlFlow::Break(close),
            _ => ControlFlow::Continue(()),
        }
    }

    fn written(&mut self) {
        self.topics.written();
    }

    fn ended(&mut self) {
        self.watching = None;
        self.borne = None;
        self.hearing = None;
        if let Some(mut desk) = self.desk.take() {
            // Who is believed no longer keeps nothing.
            desk.leaves |= self.lease.outbox.close_code() == Some(CloseCode::Revoked);
        }
        self.topics = TopicSeat::default();
    }
}

fn answer(line: &Line, request: Option<u64>, fill: impl FnOnce(&mut AgentOk)) {
    if let Some(request) = request {
        let degraded = line.lifecycle.is_degraded();
        let mut ok = AgentOk { request, degraded, ..AgentOk::default() };
        fill(&mut ok);
        let _ = line.outbox.push(Class::Reliable, text(&ToAgent::Ok(ok)));
    }
}
