//! The actor of a stream's socket: a page that shows, or an agent who views. Its own socket, so that a large key frame
//! never delays a signal.

use std::{net::IpAddr, ops::ControlFlow, rc::Rc, sync::Arc};

use actix::{Actor, AsyncContext as _, Context, Handler};

use super::{
    keepalive::Keepalive,
    lease::Lease,
    lifecycle::Lifecycle,
    outages::Hearing,
    outbox::{Class, Outbox},
    pump::{Connection, Endpoint, Pump},
    service::{PageOrigin, SocketService, close_of, refuse},
    table::{Entry, text},
    takeover::Opened,
    traffic::{Excess, Traffic},
};
use crate::{
    auth::Agent,
    cobrowse::{
        handle::{PagePass, ViewerSeat},
        session::command::Command,
        ticket::Ticket,
    },
    limits::Place,
    model::{
        close::{Close, CloseCode},
        cobrowse::{EndReason, Role},
        error::{ErrorCode, Problem},
        ids::{SessionKey, SocketAddress, TabId},
        json::is_too_deep,
        protocol::{
            Numbered,
            stream::{Seat, StreamMessage, StreamWelcome, ToStream},
        },
    },
    telemetry::labels::{Limited, SocketKind},
};

/// A stream's socket: first nobody's, then, after its hello, what its ticket says.
pub struct StreamSocket {
    service: SocketService,
    origin: PageOrigin,
    lease: Rc<Lease>,
    entry: Entry,
    traffic: Traffic,
    part: StreamPart,
    /// A viewer hears when what the nodes share is away.
    hearing: Option<Hearing>,
    _place: Place<IpAddr>,
}

/// What the socket is.
enum StreamPart {
    /// Nothing yet.
    Nobody,
    /// A page that shows.
    Page(PagePass),
    /// A page or an agent on the way in; what is said meanwhile is too early.
    Coming,
    /// An agent who views.
    Viewer(ViewerSeat),
}

/// A page or an agent is in, or may not. Comes once in the life of a socket.
struct Came(Result<Arrival, Problem>);

/// Who is in.
enum Arrival {
    /// A page, and what it is told before it begins.
    Page(PagePass, Box<StreamWelcome>),
    /// An agent, who was told already.
    Viewer(ViewerSeat),
}

impl actix::Message for Came {
    type Result = ();
}

impl StreamSocket {
    /// Serves a connection that was taken over.
    pub fn serve<T: Connection>(service: SocketService, origin: PageOrigin, opened: Opened<'_, T>) {
        let Opened { connection, early, line, place } = opened;
        let (reader, lease) = (service.stream_reader(), service.lease(Arc::clone(&line.outbox)));
        let entry = service.enter(line, SocketKind::Stream);
        let pump = Pump::new(connection, early, reader, Rc::clone(&lease), service.clone());
        let (traffic, part) = (Traffic::default(), StreamPart::Nobody);
        let hearing = None;
        let socket = Self { service, origin, lease, entry, traffic, part, hearing, _place: place };
        Self::create(|context| {
            pump.run(context);
            socket
        });
    }

    fn address(&self) -> SocketAddress {
        self.service.presence.address(self.entry.id)
    }

    fn hello(&mut self, ticket: &str, tab: TabId, context: &Context<Self>) -> ControlFlow<Close> {
        let opened = match self.service.cobrowse.ticket(ticket) {
            Ok((Ticket::Page { session, epoch }, _)) => self.open_page(session, epoch, context),
            Ok((Ticket::Seat(ticket), _)) => {
                let bearer = ticket.agent.clone();
                self.admit(bearer).map(|()| {
                    let answer = self.coming(context);
                    self.service.cobrowse.open_seat(*ticket, tab, self.address(), answer);
                })
            }
            Ok((Ticket::Link(link), until)) => {
                let bearer = link.agent.clone();
                self.admit(bearer).map(|()| {
                    let answer = self.coming(context);
                    self.service.cobrowse.open_link(*link, until, tab, self.address(), answer);
                })
            }
            Err(problem) => Err(problem),
        };
        match opened {
            Ok(()) => {
                self.lease.keepalive(Keepalive::greeted);
                ControlFlow::Continue(())
            }
            Err(problem) => self.refuse_first(problem),
        }
    }

    fn open_page(
        &mut self,
        session: SessionKey,
        epoch: u32,
        context: &Context<Self>,
    ) -> Result<(), Problem> {
        let groups = &self.service.settings.groups;
        let group = groups.get(&session.group).ok_or_else(|| Problem::from(NoGroup))?;
        if !self.service.allows_visitor(group, &self.origin) {
            let sentence = "the page's origin is not in the group's visitor_origins";
            return Err(Problem::new(ErrorCode::Origin, sentence));
        }
        let welcome = StreamWelcome {
            role: Role::Customer,
            session: session.session,
            epoch: Some(epoch),
            max_message_bytes: Some(self.service.settings.cobrowse.part_bytes),
            seat: None,
        };
        let actor = context.address();
        self.part = StreamPart::Coming;
        self.service.cobrowse.open_page(session, epoch, self.address(), move |opened| {
            let came = opened.map(|pass| Arrival::Page(pass, Box::new(welcome)));
            // An actor that is gone drops the pass, which tells the session.
            actor.do_send(Came(came));
        });
        Ok(())
    }

    /// An agent comes, who bore this when his ticket was made.
    fn admit(&mut self, bearer: Agent) -> Result<(), Problem> {
        let groups = &self.service.settings.groups;
        let group = groups.get(&bearer.group).ok_or_else(|| Problem::from(NoGroup))?;
        if !self.service.allows_agent(group, &self.origin) {
            let sentence = "the page's origin is not in the group's agent_origins";
            return Err(Problem::new(ErrorCode::Origin, sentence));
        }
        let bearer = Rc::new(bearer);
        if !self.service.tokens.still_believes(&bearer) {
            let sentence = "the token under the ticket is believed no longer";
            return Err(Problem::new(ErrorCode::Authorization, sentence));
        }
        self.lease.borne_by(bearer);
        self.part = StreamPart::Coming;
        Ok(())
    }

    /// Takes his seat, or what is wrong with it.
    fn coming(
        &self,
        context: &Context<Self>,
    ) -> impl FnOnce(Result<(Seat, ViewerSeat), Problem>) + Send + use<> {
        let address = context.address();
        let outbox = Arc::clone(&self.lease.outbox);
        move |came| {
            // Here and not in the actor: the welcome comes before all that the session tells from now on.
            let came = came.map(|(seat, viewer)| {
                let welcome = StreamWelcome {
                    role: Role::Agent,
                    session: viewer.session().session,
                    epoch: None,
                    max_message_bytes: None,
                    seat: Some(seat),
                };
                let _ = outbox.push(Class::Reliable, text(&ToStream::Welcome(Box::new(welcome))));
                viewer.begin();
                Arrival::Viewer(viewer)
            });
            // An actor that is gone drops the seat, which tells the session.
            address.do_send(Came(came));
        }
    }

    fn after_hello(&mut self, message: StreamMessage, request: Option<u64>) -> ControlFlow<Close> {
        let outbox = Arc::clone(&self.lease.outbox);
        let lifecycle = self.service.lifecycle.clone();
        let answer = move |done| answer(&outbox, &lifecycle, request, done);
        let done = match (&self.part, message) {
            (_, StreamMessage::Hello { .. }) => Err(Problem::field("type", "hello comes once")),
            (StreamPart::Page(page), StreamMessage::Asset { asset, content }) => {
                page.announce(asset, content)
            }
            (StreamPart::Page(page), StreamMessage::NoAsset { asset }) => {
                page.missing(asset);
                Ok(())
            }
            (StreamPart::Viewer(viewer), StreamMessage::KeyFrame) => {
                viewer.lost();
                Ok(())
            }
            (StreamPart::Viewer(viewer), StreamMessage::Mark(mark)) => viewer.mark(mark),
            (StreamPart::Viewer(viewer), message) => {
                let Some(command) = command(viewer, message) else {
                    let rule = "is not a message that a viewer sends";
                    answer(Err(Problem::field("type", rule)));
                    return ControlFlow::Continue(());
                };
                viewer.command(command, answer);
                return ControlFlow::Continue(());
            }
            (StreamPart::Page(_), _) => {
                Err(Problem::field("type", "is not a message that a page sends"))
            }
            (StreamPart::Coming | StreamPart::Nobody, _) => {
                Err(Problem::new(ErrorCode::BadRequest, "wait for the welcome"))
            }
        };
        answer(done);
        ControlFlow::Continue(())
    }

    /// Says what is wrong with a first message, and closes.
    fn refuse_first(&self, problem: Problem) -> ControlFlow<Close> {
        let close = match problem.code {
            ErrorCode::NotFound => CloseCode::SessionOver.into(),
            _ => close_of(&problem),
        };
        refuse(&self.lease.outbox, None, problem);
        ControlFlow::Break(close)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Excess> {
        let settings = &self.service.settings;
        let rate = match &self.part {
            StreamPart::Page(_) => &settings.cobrowse.stream_messages,
            _ => &settings.limits.agent_messages,
        };
        self.traffic.count(&self.service, rate, bytes, Limited::StreamMessage)
    }
}

/// What a viewer's message asks of the session.
fn command(viewer: &ViewerSeat, message: StreamMessage) -> Option<Command> {
    let user = viewer.user();
    Some(match message {
        StreamMessage::AskControl => Command::AskControl { user },
        StreamMessage::ReleaseControl => Command::ReleaseControl { user },
        StreamMessage::Transfer { to } => Command::Transfer { user, to },
        StreamMessage::Leave => Command::Leave { user },
        StreamMessage::End { text } => Command::End { reason: EndReason::Agent, text },
        _ => return None,
    })
}

fn answer(outbox: &Outbox, lifecycle: &Lifecycle, request: Option<u64>, done: Result<(), Problem>) {
    match (done, request) {
        (Ok(()), Some(request)) => {
            let ok = ToStream::Ok { request, degraded: lifecycle.is_degraded() };
            let _ = outbox.push(Class::Reliable, text(&ok));
        }
        (Ok(()), None) => {}
        (Err(problem), _) => refuse(outbox, request, problem),
    }
}

struct NoGroup;

impl From<NoGroup> for Problem {
    fn from(_: NoGroup) -> Self {
        Problem::new(ErrorCode::Group, "there is no such group")
    }
}

impl Actor for StreamSocket {
    type Context = Context<Self>;
}

impl Handler<Came> for StreamSocket {
    type Result = ();

    fn handle(&mut self, Came(came): Came, _: &mut Context<Self>) {
        let came = came.and_then(|arrival| match arrival {
            Arrival::Page(pass, welcome) => {
                // Said first: the session may ask for a key frame at once.
                let welcome = text(&ToStream::Welcome(welcome));
                let _ = self.lease.outbox.push(Class::Reliable, welcome);
                pass.begin().map(|()| StreamPart::Page(pass))
            }
            Arrival::Viewer(viewer) => {
                let outbox = Arc::clone(&self.lease.outbox);
                self.hearing = Some(self.service.outages.hear(self.entry.id, outbox));
                Ok(StreamPart::Viewer(viewer))
            }
        });
        match came {
            Ok(part) => self.part = part,
            Err(problem) => {
                if let ControlFlow::Break(close) = self.refuse_first(problem) {
                    self.lease.outbox.close(close);
                }
            }
        }
    }
}

impl Endpoint for StreamSocket {
    fn message(&mut self, text: &str, context: &mut Context<Self>) -> ControlFlow<Close> {
        let read = StreamMessage::read(text);
        let request = match &read {
            Ok(numbered) => numbered.request,
            Err(unreadable) => unreadable.request,
        };
        match self.count(text.len()) {
            Ok(()) => {}
            Err(Excess::Refuse(problem)) => {
                refuse(&self.lease.outbox, request, problem);
                return ControlFlow::Continue(());
            }
            Err(Excess::Close(close)) => return ControlFlow::Break(close),
        }
        let is_first = matches!(self.part, StreamPart::Nobody);
        match read {
            Ok(Numbered { message: StreamMessage::Hello { ticket, tab }, .. }) if is_first => {
                self.hello(&ticket, tab, context)
            }
            Ok(Numbered { message, request }) if !is_first => self.after_hello(message, request),
            Ok(_) => self.refuse_first(Problem::field("type", "must be hello")),
            Err(unreadable) => {
                if is_too_deep(&unreadable.problem) {
                    self.service.metrics.limited.of(Limited::Depth).inc();
                }
                if is_first {
                    return self.refuse_first(unreadable.problem);
                }
                refuse(&self.lease.outbox, request, unreadable.problem);
                ControlFlow::Continue(())
            }
        }
    }

    fn binary(&mut self, bytes: &[u8], _: &mut Context<Self>) -> ControlFlow<Close> {
        if let Err(excess) = self.count(bytes.len()) {
            self.service.metrics.stream_parts_refused.inc();
            return match excess {
                Excess::Refuse(problem) => {
                    refuse(&self.lease.outbox, None, problem);
                    ControlFlow::Continue(())
                }
                Excess::Close(close) => ControlFlow::Break(close),
            };
        }
        let StreamPart::Page(page) = &self.part else {
            return self.refuse_first(Problem::field("message", "must be text before the welcome"));
        };
        self.service.metrics.stream_parts.inc();
        if let Err(problem) = page.part(bytes) {
            self.service.metrics.stream_parts_refused.inc();
            // What comes while the page is being told to stop is dropped without a word.
            if problem.code != ErrorCode::NotFound {
                refuse(&self.lease.outbox, None, problem);
            }
        }
        ControlFlow::Continue(())
    }

    fn control(&mut self) -> ControlFlow<Close> {
        match self.count(0) {
            Err(Excess::Close(close)) => ControlFlow::Break(close),
            _ => ControlFlow::Continue(()),
        }
    }

    fn ended(&mut self) {
        self.hearing = None;
        self.part = StreamPart::Nobody;
    }
}
