//! The actor of a visitor's socket. Thin: it reads messages, hands them to presence, and passes answers back.

/// His chat.
mod chatting;
/// Who the socket speaks for.
mod identity;
/// His co-browse session.
mod sharing;

use std::{net::IpAddr, ops::ControlFlow, rc::Rc, sync::Arc};

use actix::{Actor, Context};

pub use self::identity::Door;
use self::{
    identity::{Introduction, Page, stripped},
    sharing::Sharing,
};
use super::{
    dialect::{Said, Voice},
    lease::Lease,
    pump::{Connection, Endpoint, Pump},
    service::SocketService,
    table::Entry,
    takeover::Opened,
    topics::TopicSeat,
    traffic::{Excess, Traffic},
};
use crate::{
    chat::handle::ButtonWatch,
    clock::Timestamp,
    cobrowse::session::command::Command as InSession,
    limits::Place,
    model::{
        close::{Close, CloseCode},
        error::Problem,
        event::Visibility,
        ids::{Code, SocketAddress},
        json::is_too_deep,
        protocol::{
            Numbered,
            visitor::{CodePurpose, Signature, ToVisitor, VisitorMessage},
        },
        topic::Party,
    },
    presence::{
        handle::UniqueKind,
        visitor::command::{Command, Departure},
    },
    telemetry::labels::{Limited, SocketKind},
};

/// A visitor's socket: first nobody's, then, after its hello, a page of a visitor.
pub struct VisitorSocket {
    service: SocketService,
    door: Door,
    voice: Voice,
    lease: Rc<Lease>,
    entry: Entry,
    accepted: Timestamp,
    traffic: Traffic,
    /// Visitor ids that the socket went by.
    identities: u32,
    page: Option<Page>,
    /// The session that the page is in.
    sharing: Option<Box<Sharing>>,
    /// The page is told of chat buttons.
    buttons: Option<Box<ButtonWatch>>,
    /// What the hello said of the page.
    introduction: Option<Introduction>,
    topics: TopicSeat,
    place: Place<IpAddr>,
}

impl VisitorSocket {
    /// Serves a connection that was taken over.
    pub fn serve<T: Connection>(service: SocketService, door: Door, opened: Opened<'_, T>) {
        let Opened { connection, early, line, place } = opened;
        let (reader, lease) = (service.reader(), service.lease(Arc::clone(&line.outbox)));
        let entry = service.enter(Arc::clone(&line), SocketKind::Visitor);
        let accepted = service.clock().now();
        let pump = Pump::new(connection, early, reader, Rc::clone(&lease), service.clone());
        let socket = Self {
            service,
            door,
            voice: Voice(line),
            lease,
            entry,
            accepted,
            traffic: Traffic::default(),
            identities: 0,
            page: None,
            sharing: None,
            buttons: None,
            introduction: None,
            topics: TopicSeat::default(),
            place,
        };
        Self::create(|context| {
            pump.run(context);
            socket
        });
    }

    fn address(&self) -> SocketAddress {
        self.service.presence.address(self.entry.id)
    }

    fn after_hello(&mut self, message: VisitorMessage, request: Option<u64>) -> ControlFlow<Close> {
        let socket = self.address();
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
                self.remember(|page| page.listen = true);
                Command::Listen { socket }
            }
            VisitorMessage::Presence(update) => {
                Command::Presence { socket, update: stripped(group, update) }
            }
            VisitorMessage::Visibility(visibility) => {
                let visible = visibility == Visibility::Visible;
                self.remember(|page| page.visible = visible);
                self.session_hears(|socket| InSession::Visibility { socket, visible });
                Command::Visibility { socket, visible }
            }
            VisitorMessage::Activity => {
                self.session_hears(|socket| InSession::Activity { socket });
                Command::Activity { socket }
            }
            VisitorMessage::Ack(ids) => Command::Acknowledge { ids },
            VisitorMessage::Failed(id, failure) => Command::Failed { id, failure },
            VisitorMessage::Report(kind) => {
                self.service.presence.report(key, socket, kind, move |result| match result {
                    Ok(()) => voice.done(request),
                    Err(problem) => voice.refuse(request, problem),
                });
                return ControlFlow::Continue(());
            }
            VisitorMessage::Unique { purpose } => {
                let kind = match purpose {
                    CodePurpose::Reach => UniqueKind::Usual,
                    CodePurpose::Lookup => UniqueKind::Lookup { address: *self.place.key() },
                    CodePurpose::Contact => UniqueKind::Contact,
                };
                self.service.presence.unique(key, socket, kind, unique_answer(voice, request));
                return ControlFlow::Continue(());
            }
            VisitorMessage::ExtendUnique => {
                self.service.presence.extend_unique(key, socket, unique_answer(voice, request));
                return ControlFlow::Continue(());
            }
            VisitorMessage::Identify { known, signature } => {
                self.identify(&key, known, signature.as_ref().map(Signature::as_str), request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::StartSession(wish) => {
                self.start_session(key, *wish, request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Enter { session, page, agreed } => {
                self.enter_session(key, session, (page, agreed), request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Navigate(page) => {
                self.navigate(page, request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Message(data) => {
                self.say(&data, request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Consent { to, given } => {
                self.tell_session(InSession::Consent { to, given }, request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Pause { paused } => {
                self.tell_session(InSession::Pause { paused }, request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::EndSession { text } => {
                self.end_session(key, text, request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::AskHelp { text } => {
                self.service.presence.ask_help(key, text, move |asked| match (asked, request) {
                    (Ok(told), Some(request)) => {
                        voice.say(&ToVisitor::answer(request, |ok| ok.help = Some(told)));
                    }
                    (Ok(_), None) => {}
                    (Err(problem), _) => voice.refuse(request, problem),
                });
                return ControlFlow::Continue(());
            }
            VisitorMessage::CancelHelp => {
                self.service.presence.cancel_help(key, move |done| match done {
                    Ok(()) => voice.done(request),
                    Err(problem) => voice.refuse(request, problem),
                });
                return ControlFlow::Continue(());
            }
            VisitorMessage::Chat(asked) => {
                self.chat(key, asked, request);
                return ControlFlow::Continue(());
            }
            VisitorMessage::Topics(call) => {
                let (topics, rights) = (&self.service.topics, group.topics.visitors.clone());
                let party = Party::Visitor { retains: group.topics.visitors_retain };
                let client = || topics.client(group.id.clone(), Some(socket.socket), party, rights);
                self.topics.call(client, *call, move |done| match (done, request) {
                    (Ok(told), Some(request)) => {
                        voice.say(&ToVisitor::answer(request, |ok| ok.topics = Some(told)));
                    }
                    (Ok(_), None) => {}
                    (Err(problem), _) => voice.refuse(request, problem),
                });
                return ControlFlow::Continue(());
            }
            VisitorMessage::Disconnect => {
                voice.done(request);
                self.page.iter_mut().for_each(|page| page.departure = Departure::Disconnect);
                return ControlFlow::Break(CloseCode::Normal.into());
            }
        };
        self.service.presence.command(key, command, move |result| match result {
            Ok(()) => voice.done(request),
            Err(problem) => voice.refuse(request, problem),
        });
        ControlFlow::Continue(())
    }

    /// Counts a message. An acknowledgement of what was sent here is free.
    fn count(&mut self, message: Option<&VisitorMessage>, bytes: usize) -> Result<(), Excess> {
        let is_answer = match message {
            Some(VisitorMessage::Ack(ids)) => self.voice.is_owed(ids.len()),
            _ => false,
        };
        if is_answer {
            return Ok(());
        }
        let rate = &self.service.settings.limits.visitor_messages;
        self.traffic.count(&self.service, rate, bytes, Limited::VisitorMessage)
    }
}

impl Actor for VisitorSocket {
    type Context = Context<Self>;
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
                self.hello(group, *hello)
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
        self.topics.written();
        let ids = self.voice.take_written();
        let key = self.page.as_ref().map(|page| page.key.clone());
        if let (Some(key), false) = (key, ids.is_empty()) {
            self.service.presence.command(key, Command::Acknowledge { ids }, |_| ());
        }
    }

    fn ended(&mut self) {
        self.sharing = None;
        self.buttons = None;
        self.topics = TopicSeat::default();
        self.page = None;
    }
}

/// Tells whether a request was carried out.
fn done(voice: Voice, request: Option<u64>) -> impl FnOnce(Result<(), Problem>) + Send + 'static {
    move |done| match done {
        Ok(()) => voice.done(request),
        Err(problem) => voice.refuse(request, problem),
    }
}

fn unique_answer(
    voice: Voice,
    request: Option<u64>,
) -> impl FnOnce(Result<(Code, u64), Problem>) + Send + 'static {
    move |answer| match answer {
        Ok((code, life_ms)) => {
            let Some(request) = request else { return };
            voice.say(&ToVisitor::answer(request, |ok| {
                ok.uniqueid = Some(code.to_string());
                ok.seconds = Some(life_ms.div_ceil(1000));
            }));
        }
        Err(problem) => voice.refuse(request, problem),
    }
}
