//! Who a visitor's socket speaks for: how it comes in under a visitor id, and goes on under another.

use std::{ops::ControlFlow, sync::Arc};

use super::VisitorSocket;
use crate::{
    model::{
        close::{Close, CloseCode},
        error::{ErrorCode, Problem},
        ids::{GroupId, PageId, SignalId, SocketAddress, TabId, VisitorId, VisitorKey},
        presence::PresenceUpdate,
        protocol::visitor::{Hello, Signature, ToVisitor},
        timeline::PageEnd,
    },
    presence::{
        handle::{NotWelcome, Presence},
        visitor::command::{Connect, Departure, Welcome},
    },
    settings::Group,
    sockets::{
        keepalive::Keepalive,
        service::{PageOrigin, SocketService, close_of},
        table::Line,
    },
    telemetry::labels::Limited,
};

/// How far a visitor's socket has come in.
pub enum Door {
    /// As a visitor of this group.
    Group(Arc<Group>),
    /// Likewise, by a frame of ours, which must show its ticket: its origin says nothing of the page around it.
    Frame(Arc<Group>),
    /// The first message names the group, which must let in who comes from there.
    Anywhere(Box<PageOrigin>),
}

/// What a page says of itself, under whichever visitor id; kept for going on under another one.
pub(super) struct Introduction {
    pub(super) tab: TabId,
    page: PageId,
    pub(super) visible: bool,
    pub(super) listen: bool,
}

/// What a page has told; reports the page's end when it is dropped, on whatever path that happens.
pub(super) struct Page {
    service: SocketService,
    pub(super) key: VisitorKey,
    socket: SocketAddress,
    pub(super) departure: Departure,
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
        let presence = &self.service.presence;
        presence.close(self.key.clone(), self.socket, self.departure, cause);
    }
}

impl VisitorSocket {
    /// The group that the socket is of, once that is settled.
    fn enter_group(
        &mut self,
        named: Option<GroupId>,
        ticket: Option<&str>,
    ) -> Result<Arc<Group>, Close> {
        let origin = match &self.door {
            Door::Group(group) => return Ok(Arc::clone(group)),
            Door::Frame(group) => {
                let (group, wall) = (Arc::clone(group), self.service.clock().wall());
                let frames = &self.service.frames;
                if !ticket.is_some_and(|ticket| frames.opens(ticket, &group.id, wall)) {
                    return Err(CloseCode::Origin.into());
                }
                self.door = Door::Group(Arc::clone(&group));
                return Ok(group);
            }
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

    pub(super) fn hello(&mut self, named: Option<GroupId>, hello: Hello) -> ControlFlow<Close> {
        let Hello { visitorid, signature, ticket, from, tab, page, visible, listen, seen, data } =
            hello;
        let group = match self.enter_group(named, ticket.as_deref()) {
            Ok(group) => group,
            Err(close) => return ControlFlow::Break(close),
        };
        let key = match self.admit(&group, &visitorid, signature.as_ref().map(Signature::as_str)) {
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
        self.lease.keepalive(Keepalive::greeted);
        let data = data.map(|data| stripped(&group, data));
        let introduction = Introduction { tab, page, visible, listen };
        let connect = self.connect(&introduction, seen, data);
        self.introduction = Some(introduction);
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
                session: welcome.session,
                help: welcome.help,
                chat: welcome.chat,
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

    fn connect(
        &self,
        introduction: &Introduction,
        seen: Vec<SignalId>,
        data: Option<PresenceUpdate>,
    ) -> Connect {
        let from = match &self.door {
            Door::Group(group) if group.addresses => Some(self.place.key().to_canonical()),
            _ => None,
        };
        Connect {
            socket: self.address(),
            tab: introduction.tab.clone(),
            page: introduction.page.clone(),
            accepted: self.accepted,
            visible: introduction.visible,
            listening: introduction.listen,
            seen,
            data,
            from,
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
            service: self.service.clone(),
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
            Err(NotWelcome::Superseded) => voice.outbox().close(CloseCode::Superseded.into()),
            Err(NotWelcome::Refused(problem)) => voice.outbox().close(close_of(&problem)),
        });
        before
    }

    pub(super) fn remember(&mut self, change: impl FnOnce(&mut Introduction)) {
        if let Some(introduction) = &mut self.introduction {
            change(introduction);
        }
    }

    /// Goes on under another id: connects to its record first, then leaves the present one, so that what waits there
    /// finds the page where it goes.
    pub(super) fn identify(
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
        let Some(introduction) = &self.introduction else { return };
        let connect = self.connect(introduction, Vec::new(), None);
        let (socket, current) = (connect.socket, current.visitor.clone());
        // Until all is carried over, the anonymous record keeps the page.
        let leaving = Arc::new(parking_lot::Mutex::new(None::<Page>));
        let left = Arc::clone(&leaving);
        let before = self.enter(key.clone(), connect, move |presence, welcome| {
            if let Some(request) = request {
                voice.say(&ToVisitor::answer(request, |ok| {
                    (ok.visitorid, ok.epoch) = (Some(known), Some(welcome.epoch));
                }));
            }
            // Somebody else's chat is not his; one that goes along is told as it comes.
            if !current.is_anonymous() || welcome.chat.is_some() {
                voice.say(&ToVisitor::Chat { chat: welcome.chat });
            }
            if current.is_anonymous() {
                presence.join(current, Some(socket), key, move || drop(left.lock().take()));
            }
        });
        *leaving.lock() = before.map(|mut page| {
            page.moved = true;
            if !page.key.visitor.is_anonymous() {
                // Somebody else: the old visitor leaves, and his session is not the new one's.
                page.departure = Departure::Disconnect;
                self.sharing = None;
            }
            page
        });
    }
}

/// What the group lets through of presence data.
pub(super) fn stripped(group: &Group, mut data: PresenceUpdate) -> PresenceUpdate {
    if group.strip_query {
        data.strip_queries();
    }
    data
}
