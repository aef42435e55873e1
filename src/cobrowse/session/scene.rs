//! A small vocabulary for the tests: the visitor's pages and the agents do things, time passes, and what follows is read
//! as text.
//!
//! Page `a1` is the page `1` of the tab `a`; the agent `ann` has the subject `ann`, and comes from the tab `t`.

use std::collections::BTreeMap;

use super::{
    Policy, Session, Summary,
    command::{Command, Create, Effect, Enter, Join, Reply, Seated, Way},
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::{ConsentTo, EndReason, Labels, Permissions, SessionEventKind, UserId},
        error::ErrorCode,
        ids::{NodeId, SocketAddress, SocketId},
    },
};

pub(super) const START: Timestamp = Timestamp(1_700_000_000_000);

pub(super) struct Scene {
    pub session: Session,
    pub now: Timestamp,
    pub effects: Vec<Effect>,
    sockets: BTreeMap<String, SocketAddress>,
    users: BTreeMap<String, UserId>,
}

impl Scene {
    pub fn new(policy: Policy, agreed: bool) -> Self {
        Self::begun(policy, agreed, false)
    }

    /// The customer is to come by an interface of his own.
    pub fn apart(policy: Policy) -> Self {
        Self::begun(policy, false, true)
    }

    fn begun(policy: Policy, agreed: bool, apart: bool) -> Self {
        let session = Session::vacant();
        let (now, effects) = (START, Vec::new());
        let mut scene =
            Self { session, now, effects, sockets: BTreeMap::new(), users: BTreeMap::new() };
        let visitor = "ada".parse().unwrap();
        let labels = Labels::default();
        let create = Create { visitor, policy, agreed, code: None, labels, apart };
        assert_eq!(scene.apply(Command::Create(Box::new(create))), Reply::Done);
        scene
    }

    /// The visitor shows page `a1` to `ann`; nothing told yet.
    pub fn shared(policy: Policy) -> Self {
        let mut scene = Self::new(policy, true);
        scene.enters("a1");
        scene.joins("ann").unwrap();
        scene.told();
        scene
    }

    pub fn apply(&mut self, command: Command) -> Reply {
        let reply = self.session.apply(command, self.now, &mut self.effects);
        assert!(self.session.deadline().is_none_or(|due| due >= self.now), "due in the past");
        reply
    }

    pub fn socket(&mut self, name: &str) -> SocketAddress {
        let socket = SocketId(self.sockets.len() as u64 + 1);
        let node = NodeId { node: 1, incarnation: 1 };
        *self.sockets.entry(name.into()).or_insert(SocketAddress { node, socket })
    }

    pub fn user(&self, name: &str) -> UserId {
        self.users[name]
    }

    pub fn enters(&mut self, page: &str) -> Reply {
        let enter = Enter {
            socket: self.socket(page),
            tab: page[..1].parse().unwrap(),
            url: format!("https://shop.example/{page}").into(),
            title: page.into(),
            visible: true,
            agreed: false,
            way: Way::Page,
        };
        let reply = self.apply(Command::Enter(Box::new(enter)));
        if let Reply::Entered(entrance) = &reply {
            self.users.insert("visitor".into(), entrance.user);
        }
        reply
    }

    /// A customer comes by an interface of his own.
    pub fn comes_apart(&mut self, page: &str, way: Way) -> Reply {
        let socket = self.socket(page);
        let (url, title) = ("".into(), "".into());
        let tab = page[..1].parse().unwrap();
        let enter = Enter { socket, tab, url, title, visible: true, agreed: false, way };
        self.apply(Command::Enter(Box::new(enter)))
    }

    pub fn joins(&mut self, name: &str) -> Result<UserId, ErrorCode> {
        self.joins_as(Seated::Agent, name, name)
    }

    /// Comes by the socket `by`.
    pub fn joins_as(&mut self, role: Seated, name: &str, by: &str) -> Result<UserId, ErrorCode> {
        self.joins_by(None, "t", role, name, by)
    }

    /// Comes by a link, in a tab.
    pub fn joins_by(
        &mut self,
        link: Option<u64>,
        tab: &str,
        role: Seated,
        name: &str,
        by: &str,
    ) -> Result<UserId, ErrorCode> {
        let join = Join {
            socket: self.socket(by),
            role,
            tab: tab.parse().unwrap(),
            subject: name.into(),
            name: name.into(),
            permissions: Permissions::ALL,
            link,
        };
        match self.apply(Command::Join(Box::new(join))) {
            Reply::Joined { user, .. } => {
                self.users.insert(name.into(), user);
                Ok(user)
            }
            Reply::Refused(problem) => Err(problem.code),
            other => panic!("{other:?}"),
        }
    }

    pub fn loses(&mut self, name: &str) {
        let socket = self.socket(name);
        self.apply(Command::Gone { socket });
    }

    pub fn leaves(&mut self, name: &str) {
        let user = self.user(name);
        self.apply(Command::Leave { user });
    }

    pub fn consents(&mut self, to: ConsentTo, given: bool) -> Reply {
        self.apply(Command::Consent { to, given })
    }

    pub fn asks_control(&mut self, name: &str) -> Reply {
        let user = self.user(name);
        self.apply(Command::AskControl { user })
    }

    pub fn ends(&mut self, reason: EndReason) {
        self.apply(Command::End { reason, text: None });
    }

    /// Time passes, and every timer rings when it should.
    pub fn advance(&mut self, milliseconds: u64) {
        let end = self.now + milliseconds;
        while let Some(due) = self.session.deadline().filter(|due| *due <= end) {
            self.now = due;
            self.apply(Command::Tick);
        }
        self.now = end;
        self.apply(Command::Tick);
    }

    pub fn restarts_after(&mut self, milliseconds: u64) {
        let saved = serde_json::to_string(&self.session).unwrap();
        self.session = serde_json::from_str(&saved).unwrap();
        self.now = self.now + milliseconds;
        self.apply(Command::Restored { node: 1, before: 2 });
    }

    pub fn summary(&self) -> &Summary {
        self.session.summary().expect("the session is over")
    }

    pub fn has_ended(&self) -> Option<EndReason> {
        self.session.summary().map(|summary| summary.reason)
    }

    /// What followed since the last time, in its order: `to: what`.
    pub fn told(&mut self) -> Vec<String> {
        let effects = std::mem::take(&mut self.effects);
        effects.iter().filter_map(|effect| self.text(effect)).collect()
    }

    fn text(&self, effect: &Effect) -> Option<String> {
        let name = |socket: &SocketAddress| {
            let named = self.sockets.iter().find(|(_, known)| *known == socket);
            named.map(|(name, _)| name.clone()).unwrap_or_default()
        };
        let who = |user: &UserId| {
            let named = self.users.iter().find(|(_, known)| *known == user);
            named.map_or_else(|| format!("user {}", user.0), |(name, _)| name.clone())
        };
        Some(match effect {
            Effect::Tell { to, event } => {
                let mut to: Vec<_> = to.iter().map(name).collect();
                to.sort_unstable();
                let what = match &event.kind {
                    SessionEventKind::Joined { member } => format!("joined {}", member.user.0),
                    SessionEventKind::Connection { user, connected } => {
                        format!("connection {} {connected}", who(user))
                    }
                    SessionEventKind::Left { user, reason } => {
                        format!("left {} {reason:?}", who(user)).to_lowercase()
                    }
                    SessionEventKind::Activated => "activated".into(),
                    SessionEventKind::View { state } => format!("view {state:?}").to_lowercase(),
                    SessionEventKind::Consent { to, state, .. } => {
                        format!("consent {to:?} {state:?}").to_lowercase()
                    }
                    SessionEventKind::Pages { pages } => {
                        let shown = pages.iter().find(|page| page.shown);
                        let shown = shown.map(|page| page.title.to_string()).unwrap_or_default();
                        format!("{} pages, {shown}", pages.len())
                    }
                    SessionEventKind::Message { data } => format!("message {}", data.text()),
                    SessionEventKind::Ended { reason, .. } => {
                        format!("ended {reason:?}").to_lowercase()
                    }
                };
                format!("{}: {what}", to.join(" "))
            }
            Effect::Record { socket, on, .. } => {
                format!("{}: {}", name(socket), if *on { "record" } else { "stop" })
            }
            Effect::Ask { socket, to, .. } => {
                format!("{}: ask {to:?}", name(socket)).to_lowercase()
            }
            Effect::Offer { to, .. } => format!("{to}: offer"),
            Effect::Streams { .. }
            | Effect::Over { .. }
            | Effect::Consent(_)
            | Effect::Ended(_)
            | Effect::Lost { .. } => return None,
        })
    }
}
