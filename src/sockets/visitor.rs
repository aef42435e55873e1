//! The actor of a visitor's socket. Thin: it reads messages, hands them to presence, and passes answers back.

use std::{ops::ControlFlow, rc::Rc, sync::Arc};

use actix::{Actor, Context};

use super::{
    framing::Reader,
    lease::Lease,
    outbox::{Class, Outbox},
    pump::{Connection, Endpoint, Pump},
    service::{SocketService, close_of, refuse},
    table::{Entry, text},
};
use crate::{
    model::{
        close::{Close, CloseCode},
        error::{ErrorCode, Problem},
        event::Visibility,
        ids::{SignalId, SocketAddress, VisitorId, VisitorKey},
        presence::PresenceUpdate,
        protocol::{
            Numbered,
            visitor::{Hello, ToVisitor, VisitorMessage},
        },
    },
    presence::{
        handle::Presence,
        visitor::command::{Command, Connect, Departure, Welcome},
    },
    settings::Group,
    telemetry::labels::SocketKind,
};

/// A visitor's socket: first nobody's, then, after its hello, a page of a visitor.
pub struct VisitorSocket {
    service: SocketService,
    group: Arc<Group>,
    lease: Rc<Lease>,
    entry: Entry,
    page: Option<Page>,
    /// The hello, kept for going on under another id.
    identity: Option<Box<Hello>>,
}

/// What a page has told; reports the page's end when it is dropped, on whatever path that happens.
struct Page {
    presence: Presence,
    key: VisitorKey,
    socket: SocketAddress,
    departure: Departure,
}

impl Drop for Page {
    fn drop(&mut self) {
        self.presence.close(self.key.clone(), self.socket, self.departure);
    }
}

impl VisitorSocket {
    /// Serves a connection that was taken over, as a visitor of `group`.
    pub fn serve<T: Connection>(
        service: SocketService,
        group: Arc<Group>,
        connection: T,
        early: &[u8],
        reader: Reader,
        outbox: Arc<Outbox>,
    ) {
        let lease = service.lease(Arc::clone(&outbox));
        let entry = service.sockets.enter(outbox);
        let (clock, metrics) = (service.clock().clone(), service.metrics.clone());
        let pump = Pump::new(connection, early, reader, Rc::clone(&lease), clock, metrics);
        let (page, identity) = (None, None);
        let socket = Self { service, group, lease, entry, page, identity };
        Self::create(|context| {
            pump.run(context);
            socket
        });
    }

    fn address(&self) -> SocketAddress {
        self.service.presence.address(self.entry.id)
    }

    fn key(&self, visitor: VisitorId) -> VisitorKey {
        VisitorKey { group: self.group.id.clone(), visitor }
    }

    fn hello(&mut self, mut hello: Box<Hello>) -> ControlFlow<Close> {
        let key = self.key(hello.visitorid.clone());
        if let Err(close) = self.service.admission.hello(&key) {
            return ControlFlow::Break(close);
        }
        self.lease.keepalive(super::keepalive::Keepalive::greeted);
        let (seen, data) = (std::mem::take(&mut hello.seen), hello.data.take());
        let data = data.map(|data| self.stripped(data));
        let from = hello.from.take();
        let connect = self.connect(&hello, seen, data);
        self.identity = Some(hello);
        let outbox = Arc::clone(&self.lease.outbox);
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
            let _ = outbox.push(Class::Reliable, text(&message));
            if let Some(problem) = welcome.refused_data {
                refuse(&outbox, None, problem);
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
        let page = Page { presence: presence.clone(), key: key.clone(), socket, departure };
        let before = self.page.replace(page);
        let outbox = Arc::clone(&self.lease.outbox);
        let then = presence.clone();
        presence.connect(key, connect, move |welcome| match welcome {
            Ok(welcome) => welcomed(&then, welcome),
            Err(problem) => outbox.close(close_of(&problem)),
        });
        before
    }

    fn stripped(&self, mut data: PresenceUpdate) -> PresenceUpdate {
        if self.group.strip_query {
            data.strip_queries();
        }
        data
    }

    fn after_hello(&mut self, message: VisitorMessage, request: Option<u64>) -> ControlFlow<Close> {
        let socket = self.address();
        let presence = self.service.presence.clone();
        let Some(key) = self.page.as_ref().map(|page| page.key.clone()) else {
            return ControlFlow::Break(CloseCode::BadRequest.into());
        };
        let outbox = Arc::clone(&self.lease.outbox);
        let command = match message {
            VisitorMessage::Hello(_) => {
                let problem = Problem::field("type", "hello comes once");
                refuse(&outbox, request, problem);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Listen => {
                self.remember(|hello| hello.listen = true);
                Command::Listen { socket }
            }
            VisitorMessage::Presence(update) => {
                Command::Presence { socket, update: self.stripped(update) }
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
                    Ok(()) => done(&outbox, request),
                    Err(problem) => refuse(&outbox, request, problem),
                });
                return ControlFlow::Continue(());
            }
            VisitorMessage::Unique => {
                presence.unique(key, socket, unique_answer(outbox, request));
                return ControlFlow::Continue(());
            }
            VisitorMessage::ExtendUnique => {
                presence.extend_unique(key, socket, unique_answer(outbox, request));
                return ControlFlow::Continue(());
            }
            VisitorMessage::Identify(known) => {
                self.identify(&key, known, request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Disconnect => {
                done(&outbox, request);
                self.page.iter_mut().for_each(|page| page.departure = Departure::Disconnect);
                return ControlFlow::Break(CloseCode::Normal.into());
            }
        };
        presence.command(key, command, move |result| match result {
            Ok(()) => done(&outbox, request),
            Err(problem) => refuse(&outbox, request, problem),
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
    fn identify(&mut self, current: &VisitorKey, known: VisitorId, request: Option<u64>) {
        let outbox = Arc::clone(&self.lease.outbox);
        if known == current.visitor {
            return done(&outbox, request);
        }
        let key = self.key(known.clone());
        if self.service.admission.hello(&key).is_err() {
            let problem = Problem::new(ErrorCode::RateLimited, "this visitor connects too often");
            return refuse(&outbox, request, problem.retry_in(1_000));
        }
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
                let _ = outbox.push(Class::Reliable, text(&message));
            }
            if current.is_anonymous() {
                presence.join(current, Some(socket), key, move || drop(left.lock().take()));
            }
        });
        *leaving.lock() = before.map(|mut page| {
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

    fn started(&mut self, _: &mut Self::Context) {
        self.service.metrics.sockets_open.of(SocketKind::Visitor).inc();
    }

    fn stopped(&mut self, _: &mut Self::Context) {
        self.service.metrics.sockets_open.of(SocketKind::Visitor).dec();
    }
}

impl Endpoint for VisitorSocket {
    fn message(&mut self, text: &str, _: &mut Context<Self>) -> ControlFlow<Close> {
        match VisitorMessage::read(text) {
            Ok(Numbered { message: VisitorMessage::Hello(hello), .. }) if self.page.is_none() => {
                self.hello(hello)
            }
            Ok(Numbered { message, request }) => self.after_hello(message, request),
            Err(unreadable) if self.page.is_some() => {
                refuse(&self.lease.outbox, unreadable.request, unreadable.problem);
                ControlFlow::Continue(())
            }
            Err(unreadable) => {
                // A first message that is wrong: said why, then closed.
                refuse(&self.lease.outbox, unreadable.request, unreadable.problem);
                ControlFlow::Break(CloseCode::BadRequest.into())
            }
        }
    }

    fn ended(&mut self) {
        self.page = None;
    }
}

fn done(outbox: &Outbox, request: Option<u64>) {
    if let Some(request) = request {
        let _ = outbox.push(Class::Reliable, text(&ToVisitor::ok(request)));
    }
}

fn unique_answer(
    outbox: Arc<Outbox>,
    request: Option<u64>,
) -> impl FnOnce(Result<(crate::model::ids::Code, u64), Problem>) + Send + 'static {
    move |answer| match answer {
        Ok((code, life_ms)) => {
            let Some(request) = request else { return };
            let message = ToVisitor::Ok {
                request,
                uniqueid: Some(code.to_string()),
                seconds: Some(life_ms.div_ceil(1000)),
                visitorid: None,
                epoch: None,
            };
            let _ = outbox.push(Class::Reliable, text(&message));
        }
        Err(problem) => refuse(&outbox, request, problem),
    }
}
