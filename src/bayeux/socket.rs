//! The websocket transport: frames hold messages, and messages for the client are sent at any time, while its connect is
//! held as a sign of life. The session outlives the socket.

use std::{collections::VecDeque, net::IpAddr, ops::ControlFlow, rc::Rc, sync::Arc};

use actix::{Actor, ActorFutureExt as _, AsyncContext as _, Context, WrapFuture as _};

use super::{
    client::{ClientId, command::From},
    fault::Fault,
    lines,
    message::{Unreadable, read},
    polling::browser,
    server::{Bayeux, Read, Visit, group_of},
};
use crate::{
    limits::Place,
    model::{
        close::{Close, CloseCode},
        ids::SocketAddress,
    },
    sockets::{
        guest::{Guest, Guests},
        keepalive::Keepalive,
        lease::Lease,
        pump::{Connection, Endpoint, Pump},
        service::{PageOrigin, SocketService},
        table,
        takeover::Opened,
        traffic::{Excess, Traffic},
    },
    telemetry::labels::{Closing, Limited, SocketKind},
};

/// Frames of one socket that wait until those before them are carried out.
const MAX_PENDING: usize = 64;

/// Where sockets of the protocol are: at `base` and below.
pub struct Sockets {
    /// The handle.
    pub bayeux: Bayeux,
    /// The path.
    pub base: &'static str,
}

impl Guests for Sockets {
    fn name(&self) -> &'static str {
        "bayeux"
    }

    fn takes(&self, path: &str) -> bool {
        path.strip_prefix(self.base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    fn admit(&self, service: &SocketService, origin: &PageOrigin) -> Result<(), Close> {
        if matches!(origin, PageOrigin::Other(_)) && group_of(service, origin).is_none() {
            return Err(CloseCode::Origin.into());
        }
        Ok(())
    }

    fn serve(
        &self,
        service: SocketService,
        guest: Guest<'_>,
        opened: Opened<'_, Box<dyn Connection>>,
    ) {
        BayeuxSocket::serve(service, self.bayeux.clone(), guest, opened);
    }
}

/// The actor of one socket.
struct BayeuxSocket {
    service: SocketService,
    bayeux: Bayeux,
    from: From,
    address: IpAddr,
    origin: PageOrigin,
    lease: Rc<Lease>,
    traffic: Traffic,
    /// What waits until what came before it is carried out.
    pending: VecDeque<Read>,
    is_busy: bool,
    /// A frame could not be read, and nothing is read any more.
    is_garbled: bool,
    /// Who speaks here.
    client: Option<ClientId>,
    _line: lines::Entry,
    _entry: table::Entry,
    _place: Place<IpAddr>,
}

impl BayeuxSocket {
    fn serve(
        service: SocketService,
        bayeux: Bayeux,
        guest: Guest<'_>,
        opened: Opened<'_, Box<dyn Connection>>,
    ) {
        let Opened { connection, early, line, place } = opened;
        let (reader, lease) = (service.reader(), service.lease(Arc::clone(&line.outbox)));
        let outbox = Arc::clone(&line.outbox);
        let entry = service.enter(line, SocketKind::Bayeux);
        let own = bayeux.lines().socket(entry.id, outbox);
        let pump = Pump::new(connection, early, reader, Rc::clone(&lease), service.clone());
        let at = SocketAddress { node: bayeux.node(), socket: entry.id };
        let socket = Self {
            service,
            bayeux,
            from: From { at, is_socket: true, browser: browser(guest.headers) },
            address: guest.address,
            origin: guest.origin,
            lease,
            traffic: Traffic::default(),
            pending: VecDeque::new(),
            is_busy: false,
            is_garbled: false,
            client: None,
            _line: own,
            _entry: entry,
            _place: place,
        };
        Self::create(|context| {
            pump.run(context);
            socket
        });
    }

    /// Carries out what waits, one frame after another.
    fn go_on(&mut self, context: &mut Context<Self>) {
        let Some(messages) = (!self.is_busy).then(|| self.pending.pop_front()).flatten() else {
            return;
        };
        self.is_busy = true;
        let (from, address, origin) = (self.from.clone(), self.address, self.origin.clone());
        let visit = Visit { from, address, origin, pause: None };
        let carried_out = self.bayeux.begin(&self.service, visit, messages);
        context.spawn(carried_out.into_actor(self).map(|client, socket, context| {
            if let Some(client) = client.ok().flatten() {
                let before = socket.client.replace(client);
                if let Some(before) = before.filter(|before| *before != client) {
                    socket.bayeux.lost(before, socket.from.at);
                }
            }
            socket.is_busy = false;
            socket.go_on(context);
        }));
    }

    fn count(&mut self, bytes: usize) -> Result<(), Excess> {
        let rate = &self.service.settings.limits.agent_messages;
        self.traffic.count(&self.service, rate, bytes, Limited::AgentMessage)
    }
}

impl Actor for BayeuxSocket {
    type Context = Context<Self>;
}

impl Endpoint for BayeuxSocket {
    fn message(&mut self, text: &str, context: &mut Context<Self>) -> ControlFlow<Close> {
        let messages = match read(text.as_bytes()) {
            Ok(messages) => messages,
            Err(unreadable) => {
                if unreadable == Unreadable::Deep {
                    self.service.metrics.limited.of(Limited::Depth).inc();
                }
                tracing::debug!(%unreadable, "Bayeux frame refused");
                self.is_garbled = true;
                // As the official server closes.
                return ControlFlow::Break(CloseCode::Internal.into());
            }
        };
        match self.count(text.len()) {
            Ok(()) => {}
            Err(Excess::Refuse(problem)) => {
                let fault = Fault::TooFast(problem.retry_ms.unwrap_or(1_000));
                let answers =
                    messages.iter().map(|message| self.bayeux.refusal(message, &fault)).collect();
                self.bayeux.local().write(self.from.at.socket, answers);
                return ControlFlow::Continue(());
            }
            Err(Excess::Close(close)) => return ControlFlow::Break(close),
        }
        self.lease.keepalive(Keepalive::greeted);
        if self.pending.len() >= MAX_PENDING {
            self.service.metrics.limited.of(Limited::Flood).inc();
            return ControlFlow::Break(Close::from(CloseCode::RateLimited).retry_in(1_000));
        }
        self.pending.push_back(messages);
        self.go_on(context);
        ControlFlow::Continue(())
    }

    fn control(&mut self) -> ControlFlow<Close> {
        match self.count(0) {
            Err(Excess::Close(close)) => ControlFlow::Break(close),
            _ => ControlFlow::Continue(()),
        }
    }

    fn closing(&self, code: CloseCode) -> Closing {
        match code {
            CloseCode::Internal if self.is_garbled => Closing::Unreadable,
            _ => code.into(),
        }
    }

    fn ended(&mut self) {
        self.pending.clear();
        if let Some(client) = self.client.take() {
            self.bayeux.lost(client, self.from.at);
        }
    }
}
