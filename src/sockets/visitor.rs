//! The actor of a visitor's socket. Thin: it reads messages, hands them to presence, and passes answers back.

use std::{net::IpAddr, ops::ControlFlow, rc::Rc, sync::Arc};

use actix::{Actor, Context};

use super::{
    dialect::{Said, Voice},
    lease::Lease,
    pump::{Connection, Endpoint, Pump},
    service::{PageOrigin, SocketService, close_of},
    table::{Entry, Line},
    takeover::Opened,
    traffic::{Excess, Traffic},
};
use crate::{
    limits::Place,
    model::{
        close::{Close, CloseCode},
        error::{ErrorCode, Problem},
        event::Visibility,
        ids::{GroupId, SignalId, SocketAddress, VisitorId, VisitorKey},
        json::is_too_deep,
        presence::PresenceUpdate,
        protocol::{
            Numbered,
            visitor::{Hello, Signature, ToVisitor, VisitorMessage},
        },
        timeline::PageEnd,
    },
    presence::{
        handle::Presence,
        visitor::command::{Command, Connect, Departure, Welcome},
    },
    settings::Group,
    telemetry::labels::{Limited, SocketKind},
};

/// A visitor's socket: first nobody's, then, after its hello, a page of a visitor.
pub struct VisitorSocket {
    service: SocketService,
    door: Door,
    voice: Voice,
    lease: Rc<Lease>,
    entry: Entry,
    traffic: Traffic,
    /// Visitor ids that the socket went by.
    identities: u32,
    page: Option<Page>,
    /// The hello, kept for going on under another id.
    identity: Option<Box<Hello>>,
    _place: Place<IpAddr>,
}

/// How far a visitor's socket has come in.
pub enum Door {
    /// As a visitor of this group.
    Group(Arc<Group>),
    /// The first message names the group, which must let in who comes from there.
    Anywhere(Box<PageOrigin>),
}

/// What a page has told; reports the page's end when it is dropped, on whatever path that happens.
struct Page {
    presence: Presence,
    key: VisitorKey,
    socket: SocketAddress,
    departure: Departure,
    line: Arc<Line>,
    /// Whether the socket goes on under another visitor id.
    moved: bool,
}

impl Drop for Page {
    fn drop(&mut self) {
        let cause = match self.line.outbox.close_code() {
            _ if self.moved => PageEnd::Identified,
            Some(code) => PageEnd::Closed(code),
            None => PageEnd::Lost,
        };
        self.presence.close(self.key.clone(), self.socket, self.departure, cause);
    }
}

impl VisitorSocket {
    /// Serves a connection that was taken over.
    pub fn serve<T: Connection>(service: SocketService, door: Door, opened: Opened<'_, T>) {
        let Opened { connection, early, line, place } = opened;
        let (reader, lease) = (service.reader(), service.lease(Arc::clone(&line.outbox)));
        let entry = service.enter(Arc::clone(&line), SocketKind::Visitor);
        let (clock, metrics) = (service.clock().clone(), service.metrics.clone());
        let pump = Pump::new(connection, early, reader, Rc::clone(&lease), clock, metrics);
        let socket = Self {
            service,
            door,
            voice: Voice(line),
            lease,
            entry,
            traffic: Traffic::default(),
            identities: 0,
            page: None,
            identity: None,
            _place: place,
        };
        Self::create(|context| {
            pump.run(context);
            socket
        });
    }

    fn address(&self) -> SocketAddress {
        self.service.presence.address(self.entry.id)
    }

    /// The group that the socket is of, once that is settled.
    fn enter_group(&mut self, named: Option<GroupId>) -> Result<Arc<Group>, Close> {
        let origin = match &self.door {
            Door::Group(group) => return Ok(Arc::clone(group)),
            Door::Anywhere(origin) => origin,
        };
        let groups = &self.service.settings.groups;
        let named = named.as_ref().or_else(|| self.service.default_group());
        let group = named.and_then(|id| groups.get(id)).cloned().ok_or(CloseCode::Group)?;
        if !self.service.allows_visitor(&group, origin) {
            return Err(CloseCode::Origin.into());
        }
        self.door = Door::Group(Arc::clone(&group));
        Ok(group)
    }

    /// A page connects, or goes on, under a visitor id: it is signed as the group demands, and not too often.
    fn admit(
        &self,
        group: &Group,
        visitor: &VisitorId,
        signature: Option<&str>,
    ) -> Result<VisitorKey, Problem> {
        let wall = self.service.clock().wall();
        group.visitor_signatures.check(&group.id, visitor, signature, wall).inspect_err(
            |error| {
                self.service.metrics.visitor_signatures_refused.of(*error).inc();
            },
        )?;
        let key = VisitorKey { group: group.id.clone(), visitor: visitor.clone() };
        let now = self.service.clock().now();
        self.service.admission.hello(&key, now).map_err(|close| {
            self.service.metrics.limited.of(Limited::Connect).inc();
            let problem = Problem::new(ErrorCode::RateLimited, "this visitor connects too often");
            problem.retry_in(close.retry_ms.unwrap_or(1_000))
        })?;
        Ok(key)
    }

    fn hello(&mut self, named: Option<GroupId>, mut hello: Box<Hello>) -> ControlFlow<Close> {
        let group = match self.enter_group(named) {
            Ok(group) => group,
            Err(close) => return ControlFlow::Break(close),
        };
        let signature = hello.signature.take();
        let key =
            match self.admit(&group, &hello.visitorid, signature.as_ref().map(Signature::as_str)) {
                Ok(key) => key,
                Err(problem) => {
                    let close = close_of(&problem);
                    // What a close says by itself needs no words; what only the site can mend does.
                    if problem.code == ErrorCode::Signature {
                        self.voice.refuse(None, problem);
                    }
                    return ControlFlow::Break(close);
                }
            };
        self.identities = 1;
        self.lease.keepalive(super::keepalive::Keepalive::greeted);
        let (seen, data) = (std::mem::take(&mut hello.seen), hello.data.take());
        let data = data.map(|data| stripped(&group, data));
        let from = hello.from.take();
        let connect = self.connect(&hello, seen, data);
        self.identity = Some(hello);
        let voice = self.voice.clone();
        let (now, socket) = (self.service.clock().now(), connect.socket);
        let visitorid = key.visitor.clone();
        self.enter(key.clone(), connect, move |presence, welcome| {
            let message = ToVisitor::Welcome {
                socket: socket.to_string(),
                visitorid,
                epoch: welcome.epoch,
                now,
                focus: welcome.focus,
                terms: welcome.terms,
            };
            voice.say(&message);
            if let Some(problem) = welcome.refused_data {
                voice.refuse(None, problem);
            }
            if let Some(anonymous) = from {
                presence.join(anonymous, None, key, || ());
            }
        });
        ControlFlow::Continue(())
    }

    fn connect(&self, hello: &Hello, seen: Vec<SignalId>, data: Option<PresenceUpdate>) -> Connect {
        Connect {
            socket: self.address(),
            tab: hello.tab.clone(),
            page: hello.page.clone(),
            visible: hello.visible,
            listening: hello.listen,
            seen,
            data,
        }
    }

    /// Connects the page to a record; gives the page that it was until now.
    fn enter(
        &mut self,
        key: VisitorKey,
        connect: Connect,
        welcomed: impl FnOnce(&Presence, Welcome) + Send + 'static,
    ) -> Option<Page> {
        let presence = self.service.presence.clone();
        let (socket, departure) = (connect.socket, Departure::Gone);
        let page = Page {
            presence: presence.clone(),
            key: key.clone(),
            socket,
            departure,
            line: Arc::clone(&self.voice.0),
            moved: false,
        };
        let before = self.page.replace(page);
        let voice = self.voice.clone();
        let then = presence.clone();
        presence.connect(key, connect, move |welcome| match welcome {
            Ok(welcome) => welcomed(&then, welcome),
            Err(problem) => voice.outbox().close(close_of(&problem)),
        });
        before
    }

    fn after_hello(&mut self, message: VisitorMessage, request: Option<u64>) -> ControlFlow<Close> {
        let socket = self.address();
        let presence = self.service.presence.clone();
        let (Some(key), Door::Group(group)) =
            (self.page.as_ref().map(|page| page.key.clone()), &self.door)
        else {
            return ControlFlow::Break(CloseCode::BadRequest.into());
        };
        let voice = self.voice.clone();
        let command = match message {
            VisitorMessage::Hello(_) => {
                let problem = Problem::field("type", "hello comes once");
                voice.refuse(request, problem);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Listen => {
                self.remember(|hello| hello.listen = true);
                Command::Listen { socket }
            }
            VisitorMessage::Presence(update) => {
                Command::Presence { socket, update: stripped(group, update) }
            }
            VisitorMessage::Visibility(visibility) => {
                let visible = visibility == Visibility::Visible;
                self.remember(|hello| hello.visible = visible);
                Command::Visibility { socket, visible }
            }
            VisitorMessage::Activity => Command::Activity { socket },
            VisitorMessage::Ack(ids) => Command::Acknowledge { ids },
            VisitorMessage::Failed(id, failure) => Command::Failed { id, failure },
            VisitorMessage::Report(kind) => {
                presence.report(key, socket, kind, move |result| match result {
                    Ok(()) => voice.done(request),
                    Err(problem) => voice.refuse(request, problem),
                });
                return ControlFlow::Continue(());
            }
            VisitorMessage::Unique => {
                presence.unique(key, socket, unique_answer(voice, request));
                return ControlFlow::Continue(());
            }
            VisitorMessage::ExtendUnique => {
                presence.extend_unique(key, socket, unique_answer(voice, request));
                return ControlFlow::Continue(());
            }
            VisitorMessage::Identify { known, signature } => {
                self.identify(&key, known, signature.as_ref().map(Signature::as_str), request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Disconnect => {
                voice.done(request);
                self.page.iter_mut().for_each(|page| page.departure = Departure::Disconnect);
                return ControlFlow::Break(CloseCode::Normal.into());
            }
        };
        presence.command(key, command, move |result| match result {
            Ok(()) => voice.done(request),
            Err(problem) => voice.refuse(request, problem),
        });
        ControlFlow::Continue(())
    }

    fn remember(&mut self, change: impl FnOnce(&mut Hello)) {
        if let Some(hello) = &mut self.identity {
            change(hello);
        }
    }

    /// Goes on under another id: connects to its record first, then leaves the present one, so that what waits there
    /// finds the page where it goes.
    fn identify(
        &mut self,
        current: &VisitorKey,
        known: VisitorId,
        signature: Option<&str>,
        request: Option<u64>,
    ) {
        let voice = self.voice.clone();
        if known == current.visitor {
            return voice.done(request);
        }
        let Door::Group(group) = &self.door else { return };
        let most = self.service.settings.limits.identities_per_socket;
        if self.identities >= most {
            self.service.metrics.limited.of(Limited::Identity).inc();
            let sentence = format!("a socket may go by {most} visitor ids");
            return voice.refuse(request, Problem::new(ErrorCode::TooMany, sentence));
        }
        let key = match self.admit(group, &known, signature) {
            Ok(key) => key,
            Err(problem) => return voice.refuse(request, problem),
        };
        self.identities += 1;
        let Some(mut hello) = self.identity.take() else { return };
        hello.visitorid = known.clone();
        let connect = self.connect(&hello, Vec::new(), None);
        self.identity = Some(hello);
        let (socket, current) = (connect.socket, current.visitor.clone());
        // Until all is carried over, the anonymous record keeps the page.
        let leaving = Arc::new(parking_lot::Mutex::new(None::<Page>));
        let left = Arc::clone(&leaving);
        let before = self.enter(key.clone(), connect, move |presence, welcome| {
            if let Some(request) = request {
                let message = ToVisitor::Ok {
                    request,
                    uniqueid: None,
                    seconds: None,
                    visitorid: Some(known),
                    epoch: Some(welcome.epoch),
                };
                voice.say(&message);
            }
            if current.is_anonymous() {
                presence.join(current, Some(socket), key, move || drop(left.lock().take()));
            }
        });
        *leaving.lock() = before.map(|mut page| {
            page.moved = true;
            if !page.key.visitor.is_anonymous() {
                // Somebody else: the old visitor leaves.
                page.departure = Departure::Disconnect;
            }
            page
        });
    }
}

impl Actor for VisitorSocket {
    type Context = Context<Self>;
}

impl VisitorSocket {
    /// Counts a message. An acknowledgement of what was sent here is free.
    fn count(&mut self, message: Option<&VisitorMessage>, bytes: usize) -> Result<(), Excess> {
        let is_answer = match message {
            Some(VisitorMessage::Ack(ids)) => self.voice.is_owed(ids.len()),
            _ => false,
        };
        if is_answer {
            return Ok(());
        }
        let limits = &self.service.settings.limits;
        let excess = self.traffic.take(&limits.visitor_messages, bytes, self.service.clock().now());
        excess.inspect_err(|excess| {
            let what = match excess {
                Excess::Refuse(_) => Limited::VisitorMessage,
                Excess::Close(_) => Limited::Flood,
            };
            self.service.metrics.limited.of(what).inc();
        })
    }
}

impl Endpoint for VisitorSocket {
    fn message(&mut self, text: &str, _: &mut Context<Self>) -> ControlFlow<Close> {
        let read = (self.voice.0.dialect.read)(text);
        let request = match &read {
            Ok(said) => said.message.request,
            Err(unreadable) => unreadable.request,
        };
        match self.count(read.as_ref().ok().map(|said| &said.message.message), text.len()) {
            Ok(()) => {}
            Err(Excess::Refuse(problem)) => {
                self.voice.refuse(request, problem);
                return ControlFlow::Continue(());
            }
            Err(Excess::Close(close)) => return ControlFlow::Break(close),
        }
        match read {
            Ok(Said { group, message: Numbered { message: VisitorMessage::Hello(hello), .. } })
                if self.page.is_none() =>
            {
                self.hello(group, hello)
            }
            Ok(said) => self.after_hello(said.message.message, request),
            Err(unreadable) => {
                if is_too_deep(&unreadable.problem) {
                    self.service.metrics.limited.of(Limited::Depth).inc();
                }
                self.voice.refuse(request, unreadable.problem);
                // A first message that is wrong: said why, then closed.
                let is_first = self.page.is_none();
                if is_first {
                    ControlFlow::Break(CloseCode::BadRequest.into())
                } else {
                    ControlFlow::Continue(())
                }
            }
        }
    }

    fn control(&mut self) -> ControlFlow<Close> {
        match self.count(None, 0) {
            Err(Excess::Close(close)) => ControlFlow::Break(close),
            _ => ControlFlow::Continue(()),
        }
    }

    fn written(&mut self) {
        let ids = self.voice.take_written();
        let key = self.page.as_ref().map(|page| page.key.clone());
        if let (Some(key), false) = (key, ids.is_empty()) {
            self.service.presence.command(key, Command::Acknowledge { ids }, |_| ());
        }
    }

    fn ended(&mut self) {
        self.page = None;
    }
}

fn stripped(group: &Group, mut data: PresenceUpdate) -> PresenceUpdate {
    if group.strip_query {
        data.strip_queries();
    }
    data
}

fn unique_answer(
    voice: Voice,
    request: Option<u64>,
) -> impl FnOnce(Result<(crate::model::ids::Code, u64), Problem>) + Send + 'static {
    move |answer| match answer {
        Ok((code, life_ms)) => {
            let Some(request) = request else { return };
            voice.say(&ToVisitor::Ok {
                request,
                uniqueid: Some(code.to_string()),
                seconds: Some(life_ms.div_ceil(1000)),
                visitorid: None,
                epoch: None,
            });
        }
        Err(problem) => voice.refuse(request, problem),
    }
}
