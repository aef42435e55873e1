//! A small vocabulary for the tests: pages do things, time passes, and what was told is read as text.
//!
//! Page `a1` is the page `1` of the tab `a`. Signals are numbered from 1, agents' sockets are on node 9.

use std::collections::HashMap;

use crate::{
    clock::Timestamp,
    model::{
        close::CloseCode,
        error::ErrorCode,
        event::{EventKind, Position, TermsStatus},
        ids::{NodeId, SignalId, SocketAddress, SocketId, VisitorId, VisitorKey},
        json::Json,
        presence::PresenceUpdate,
        signal::{InvokeFailure, Message, Outcome, Target},
        timeline::PageEnd,
        view::VisitorView,
    },
    presence::visitor::{
        Rules, Visitor,
        command::{Command, Connect, Departure, Reply, Report, Submission, Welcome},
        effect::{Effect, ToPage},
    },
};

pub(super) const START: Timestamp = Timestamp(1_700_000_000_000);

pub(super) struct Scene {
    pub visitor: Visitor,
    pub rules: Rules,
    pub now: Timestamp,
    /// Everything that was told since [`Scene::told`] was last asked.
    pub effects: Vec<Effect>,
    id: VisitorId,
    sockets: HashMap<String, SocketAddress>,
    sent: u64,
}

impl Scene {
    /// A visitor of whom nothing is known, with 5 s for everything.
    pub fn new() -> Self {
        Self::with(Rules::USUAL)
    }

    pub fn with(rules: Rules) -> Self {
        Self {
            visitor: Visitor::vacant(&rules, START),
            rules,
            now: START,
            effects: Vec::new(),
            id: "ada".parse().unwrap(),
            sockets: HashMap::new(),
            sent: 0,
        }
    }

    pub fn view(&self) -> Option<VisitorView> {
        let group = "12345".parse().unwrap();
        self.visitor.view(&VisitorKey { group, visitor: self.id.clone() })
    }

    /// A visible, listening page of each name, and nothing told.
    pub fn with_pages(names: &[&str]) -> Self {
        let mut scene = Self::new();
        for name in names {
            scene.page(name).connects();
        }
        scene.told();
        scene
    }

    /// Where a page is, or was.
    pub fn address(&self, page: &str) -> SocketAddress {
        self.sockets[page]
    }

    pub fn page(&mut self, name: &str) -> Page<'_> {
        let next = self.sockets.len() as u64 + 1;
        let node = NodeId { node: 1, incarnation: 1 };
        let socket = SocketAddress { node, socket: SocketId(next) };
        let socket = *self.sockets.entry(name.into()).or_insert(socket);
        let connect = Connect {
            socket,
            tab: name[..1].parse().unwrap(),
            page: name.parse().unwrap(),
            accepted: self.now,
            visible: true,
            listening: true,
            seen: Vec::new(),
            data: None,
            from: None,
        };
        Page { scene: self, connect }
    }

    pub fn apply(&mut self, command: Command) -> Reply {
        self.visitor.apply(&self.id, command, self.now, &self.rules, &mut self.effects)
    }

    /// Time passes, and every timer rings when it should.
    pub fn advance(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while let Some(due) = self.visitor.deadline(&self.rules).filter(|due| *due <= end) {
            assert!(due >= self.now);
            self.now = due;
            self.apply(Command::Tick);
            assert!(self.visitor.deadline(&self.rules).is_none_or(|next| next > due));
        }
        self.now = end;
        self.apply(Command::Tick);
    }

    /// Saves the record, is away for a while, loads it in a new process.
    pub fn restarts_after(&mut self, milliseconds: u64) {
        let saved = serde_json::to_string(&self.visitor).unwrap();
        self.visitor = serde_json::from_str(&saved).unwrap();
        self.now = self.now + milliseconds;
        self.apply(Command::NodeLost { node: 1, before: 2 });
    }

    /// An agent sends the next signal.
    pub fn signal(&mut self) -> Result<Outcome, ErrorCode> {
        self.send(|_| ())
    }

    pub fn send(&mut self, change: impl FnOnce(&mut Submission)) -> Result<Outcome, ErrorCode> {
        self.sent += 1;
        let mut submission = Submission {
            id: signal(self.sent),
            message: Message::Signal { data: Json::of(&self.sent) },
            target: Target::Focus,
            key: None,
            sender: Some(agent(1)),
        };
        change(&mut submission);
        match self.apply(Command::Signal(Box::new(submission))) {
            Reply::Signal { outcome, .. } => Ok(outcome),
            Reply::Refused(problem) => Err(problem.code),
            other => panic!("{other:?}"),
        }
    }

    pub fn outcome(&self, number: u64) -> Option<Outcome> {
        self.visitor.outcome(signal(number)).map(|(outcome, _)| outcome)
    }

    pub fn attach(&mut self) {
        self.apply(Command::Attach { watcher: agent(2), since: None });
    }

    /// An agent who comes back and knows what was told until `since`.
    pub fn attach_again(&mut self, since: Position) {
        self.apply(Command::Attach { watcher: agent(2), since: Some(since) });
    }

    /// What was told since the last time, in its order.
    pub fn told(&mut self) -> Vec<String> {
        let effects = std::mem::take(&mut self.effects);
        // An outcome that nobody waits for is counted, but told to nobody.
        let unheard =
            |effect: &&Effect| matches!(effect, Effect::Settled { to: None, .. } | Effect::Note(_));
        effects.iter().filter(|effect| !unheard(effect)).map(|effect| self.text(effect)).collect()
    }

    /// Whether anybody was told `visitorconn` since the last time.
    pub fn told_conn(&mut self) -> Vec<String> {
        self.told().into_iter().filter(|text| text.starts_with("visitorconn")).collect()
    }

    fn text(&self, effect: &Effect) -> String {
        let name = |address: &SocketAddress| {
            let named = self.sockets.iter().find(|(_, socket)| *socket == address);
            named.map_or_else(|| format!("agent{}", address.socket.0), |(name, _)| name.clone())
        };
        let number = |id: SignalId| (1..=self.sent).find(|n| signal(*n) == id).unwrap();
        match effect {
            Effect::Publish(event) => kind(&event.kind),
            Effect::Present { to, event } => format!("{}: {}", name(to), kind(&event.kind)),
            Effect::Page { to, message } => match message {
                ToPage::Signal { id, .. } => format!("{}: signal {}", name(to), number(*id)),
                ToPage::Focus => format!("{}: focus", name(to)),
                ToPage::Blur => format!("{}: blur", name(to)),
                ToPage::Session(session) => match session {
                    Some(_) => format!("{}: session", name(to)),
                    None => format!("{}: no session", name(to)),
                },
                ToPage::Help(told) => {
                    format!("{}: help {:?}", name(to), told.status).to_lowercase()
                }
                ToPage::Chat(view) => {
                    format!("{}: chat {:?}", name(to), view.status).to_lowercase()
                }
                ToPage::ChatMessage { message, .. } => format!("{}: said {}", name(to), message.n),
                ToPage::ChatTyping { .. } => format!("{}: typing", name(to)),
                ToPage::Close(code) => format!("{}: close {}", name(to), code.as_str()),
            },
            Effect::Settled { to, id, outcome } => {
                let to = to.as_ref().map(name).unwrap_or_default();
                format!("{to}: {} {outcome:?}", number(*id)).to_lowercase()
            }
            Effect::InvokeFailed { to, id, func, failure } => {
                format!("{}: {} {func} {}", name(to), number(*id), failure.code)
            }
            Effect::CodeSpent(code) => format!("{code} is spent"),
            Effect::Note(entry) => format!("{entry:?}"),
            Effect::Forward { to, submission } => format!("{} to {to}", number(submission.id)),
            Effect::Listed(_) | Effect::Counted(_) => unreachable!("told by the record's keeper"),
        }
    }
}

fn kind(kind: &EventKind) -> String {
    match kind {
        EventKind::VisitorConn { connected } => format!("visitorconn {connected}"),
        EventKind::VisitorSock { connected, sockets } => {
            format!("visitorsock {connected} {sockets}")
        }
        EventKind::Visibility { visibility } => format!("visibility {visibility:?}").to_lowercase(),
        EventKind::Terms { status } => format!("terms {status:?}").to_lowercase(),
        EventKind::VisitorJoined { visitorid } => format!("visitorjoined {visitorid}"),
        EventKind::Presence(_) => "presence".into(),
        EventKind::HelpRequest(news) => format!("help {:?}", news.status).to_lowercase(),
        EventKind::ChatStatus(news) => format!("chatstatus {:?}", news.status).to_lowercase(),
        other => format!("{other:?}"),
    }
}

pub(super) fn signal(number: u64) -> SignalId {
    SignalId::from_u128(number.into())
}

pub(super) fn agent(number: u64) -> SocketAddress {
    SocketAddress { node: NodeId { node: 9, incarnation: 1 }, socket: SocketId(number) }
}

/// A page about to do something.
pub(super) struct Page<'a> {
    scene: &'a mut Scene,
    connect: Connect,
}

impl Page<'_> {
    pub fn hidden(mut self) -> Self {
        self.connect.visible = false;
        self
    }

    /// Connected to this node.
    pub fn on(mut self, node: NodeId) -> Self {
        self.connect.socket.node = node;
        self
    }

    /// Its socket was accepted at this moment.
    pub fn accepted_at(mut self, moment: Timestamp) -> Self {
        self.connect.accepted = moment;
        self
    }

    pub fn in_tab(mut self, tab: &str) -> Self {
        self.connect.tab = tab.parse().unwrap();
        self
    }

    /// Uses `presence()` without `connect()`.
    pub fn reports_only(mut self) -> Self {
        self.connect.listening = false;
        self
    }

    /// Its tab saw this signal, and knows of no acknowledgement.
    pub fn saw(mut self, number: u64) -> Self {
        self.connect.seen.push(signal(number));
        self
    }

    pub fn with_data<const N: usize>(mut self, data: [(&str, &str); N]) -> Self {
        self.connect.data = Some(data.into_iter().collect());
        self
    }

    pub fn connects(self) -> Welcome {
        match self.tries_to_connect() {
            Reply::Welcome(welcome) => welcome,
            other => panic!("{other:?}"),
        }
    }

    pub fn tries_to_connect(self) -> Reply {
        self.scene.apply(Command::Connect(Box::new(self.connect)))
    }

    pub fn closes(self) {
        self.ends(Departure::Gone, PageEnd::Lost);
    }

    pub fn disconnects(self) {
        self.ends(Departure::Disconnect, PageEnd::Closed(CloseCode::Normal));
    }

    pub fn ends(self, departure: Departure, cause: PageEnd) {
        self.scene.apply(Command::Close { socket: self.connect.socket, departure, cause });
    }

    pub fn listens(self) {
        self.scene.apply(Command::Listen { socket: self.connect.socket });
    }

    pub fn hides(self) {
        let socket = self.connect.socket;
        self.scene.apply(Command::Visibility { socket, visible: false });
    }

    pub fn shows(self) {
        let socket = self.connect.socket;
        self.scene.apply(Command::Visibility { socket, visible: true });
    }

    pub fn gets_a_click(self) {
        self.scene.apply(Command::Activity { socket: self.connect.socket });
    }

    pub fn says<const N: usize>(self, data: [(&str, &str); N]) -> Reply {
        let update: PresenceUpdate = data.into_iter().collect();
        self.scene.apply(Command::Presence { socket: self.connect.socket, update })
    }

    pub fn accepts_the_terms(self) {
        let report = Report::new(EventKind::Terms { status: TermsStatus::Accepted }).unwrap();
        self.scene.apply(Command::Report { socket: self.connect.socket, report });
    }

    pub fn acknowledges(self, number: u64) {
        self.scene.apply(Command::Acknowledge { ids: vec![signal(number)] });
    }

    pub fn fails(self, number: u64) {
        let failure = InvokeFailure { code: "exception".into(), msg: "no".into() };
        self.scene.apply(Command::Failed { id: signal(number), failure });
    }

    pub fn joins(self, known: &str) -> Reply {
        let known = known.parse().unwrap();
        self.scene.apply(Command::Join { page: Some(self.connect.socket), known })
    }
}
