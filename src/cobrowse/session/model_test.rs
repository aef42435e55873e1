//! Lives of sessions, drawn at random. What a member hears must be enough to know the session; what is recorded must be
//! what the visitor agreed to; and late timers must change nothing.

mod heard;

use std::collections::BTreeMap;

use proptest::prelude::*;

use self::heard::Heard;
use super::{
    Policy, Session,
    command::{Command, Create, Effect, Enter, Join, Reply, Seated, Way},
};
use crate::{
    clock::Timestamp,
    model::{
        cobrowse::{
            ConsentState, ConsentTo, EndReason, Labels, MemberView, Permissions, Role, UserId,
            ViewState,
        },
        ids::{Code, NodeId, SocketAddress, SocketId},
    },
};

const START: u64 = 1_700_000_000_000;
/// The socket of a member who hears everything.
const LISTENER: u64 = 9_999;

#[derive(Clone, Debug)]
enum Happening {
    Enter { tab: u8, visible: bool },
    PageGone { tab: u8 },
    Navigate { tab: u8 },
    Visibility { tab: u8, visible: bool },
    Message { tab: u8 },
    Activity { tab: u8 },
    Consent { to: ConsentTo, given: bool },
    Pause { paused: bool },
    Join { agent: u8, controller: bool },
    AgentGone { agent: u8 },
    Leave { user: u32 },
    AskControl { user: u32 },
    Release { user: u32 },
    Transfer { user: u32, to: u8 },
    Restart,
    End { reason: EndReason },
    Nothing,
}

fn happening() -> impl Strategy<Value = Happening> {
    let (tab, agent, user, either) = (0_u8..3, 0_u8..3, 1_u32..7, any::<bool>());
    let to = prop_oneof![Just(ConsentTo::View), Just(ConsentTo::Control)];
    let reason = prop_oneof![Just(EndReason::Agent), Just(EndReason::Controller)];
    prop_oneof![
        8 => (tab.clone(), either).prop_map(|(tab, visible)| Happening::Enter { tab, visible }),
        6 => tab.clone().prop_map(|tab| Happening::PageGone { tab }),
        2 => tab.clone().prop_map(|tab| Happening::Navigate { tab }),
        2 => (tab.clone(), either).prop_map(|(tab, visible)| Happening::Visibility { tab, visible }),
        2 => tab.clone().prop_map(|tab| Happening::Message { tab }),
        2 => tab.prop_map(|tab| Happening::Activity { tab }),
        5 => (to, prop::bool::weighted(0.8)).prop_map(|(to, given)| Happening::Consent { to, given }),
        3 => either.prop_map(|paused| Happening::Pause { paused }),
        8 => (agent.clone(), prop::bool::weighted(0.2))
            .prop_map(|(agent, controller)| Happening::Join { agent, controller }),
        5 => agent.clone().prop_map(|agent| Happening::AgentGone { agent }),
        1 => user.clone().prop_map(|user| Happening::Leave { user }),
        3 => user.clone().prop_map(|user| Happening::AskControl { user }),
        1 => user.clone().prop_map(|user| Happening::Release { user }),
        1 => (user, agent).prop_map(|(user, to)| Happening::Transfer { user, to }),
        1 => Just(Happening::Restart),
        1 => reason.prop_map(|reason| Happening::End { reason }),
        3 => Just(Happening::Nothing),
    ]
}

/// What leads to the session, and what it is called elsewhere, from its beginning to its end.
fn code() -> Code {
    "204816".parse().unwrap()
}

fn labels() -> Labels {
    Labels { reference: "chat-7".parse().ok(), reportingid: "visit-7".parse().ok() }
}

struct Life {
    session: Session,
    now: u64,
    policy: Policy,
    heard: Heard,
    recording: BTreeMap<SocketAddress, u32>,
    agreed: bool,
    ends: u32,
    overs: u32,
    pages: BTreeMap<u8, SocketAddress>,
    agents: BTreeMap<u8, SocketAddress>,
    sockets: u64,
    incarnation: u64,
    /// The listener has just come back, or cannot have heard.
    is_back: bool,
}

impl Life {
    fn new(policy: Policy, agreed: bool) -> Self {
        let mut life = Self {
            session: Session::vacant(),
            now: START,
            policy,
            heard: Heard::default(),
            recording: BTreeMap::new(),
            agreed: false,
            ends: 0,
            overs: 0,
            pages: BTreeMap::new(),
            agents: BTreeMap::new(),
            sockets: 0,
            incarnation: 1,
            is_back: false,
        };
        let visitor = "ada".parse().unwrap();
        let (code, labels) = (Some(code()), labels());
        life.apply(Command::Create(Box::new(Create {
            visitor,
            policy,
            agreed,
            code,
            labels,
            apart: false,
        })));
        if agreed {
            life.heard.consents.insert((ConsentTo::View, None), ConsentState::Given);
        }
        // He is told of the others, not of himself.
        let itself = MemberView {
            user: UserId(1),
            role: Role::Controller,
            name: "listener".into(),
            connected: true,
            permissions: None,
        };
        life.heard.members.insert(itself.user, itself);
        life.joins(LISTENER, Seated::Controller, "listener");
        life
    }

    fn socket(&mut self) -> SocketAddress {
        self.sockets += 1;
        self.address(self.sockets)
    }

    fn address(&self, socket: u64) -> SocketAddress {
        let node = NodeId { node: 1, incarnation: self.incarnation };
        SocketAddress { node, socket: SocketId(socket) }
    }

    fn joins(&mut self, socket: u64, role: Seated, subject: &str) {
        let join = Join {
            socket: self.address(socket),
            role,
            tab: "t".parse().unwrap(),
            subject: subject.into(),
            name: subject.into(),
            permissions: Permissions::ALL,
            link: None,
        };
        self.apply(Command::Join(Box::new(join)));
    }

    fn happens(&mut self, happening: Happening) {
        let gone = |socket: Option<SocketAddress>| {
            socket.map_or(Command::Tick, |socket| Command::Gone { socket })
        };
        let page = |life: &Self, tab: &u8| life.pages.get(tab).copied();
        let nowhere =
            SocketAddress { node: NodeId { node: 7, incarnation: 7 }, socket: SocketId(7) };
        let command = match happening {
            Happening::Enter { tab, visible } => {
                let socket = self.socket();
                self.pages.insert(tab, socket);
                let url = format!("https://shop.example/{}", self.sockets).into();
                let tab = format!("t{tab}").parse().unwrap();
                Command::Enter(Box::new(Enter {
                    socket,
                    tab,
                    url,
                    title: "".into(),
                    visible,
                    agreed: false,
                    way: Way::Page,
                }))
            }
            Happening::PageGone { tab } => gone(self.pages.remove(&tab)),
            Happening::Navigate { tab } => Command::Navigate {
                socket: page(self, &tab).unwrap_or(nowhere),
                url: format!("https://shop.example/n{}", self.now).into(),
                title: "next".into(),
            },
            Happening::Visibility { tab, visible } => {
                Command::Visibility { socket: page(self, &tab).unwrap_or(nowhere), visible }
            }
            Happening::Message { tab } => Command::Message {
                socket: page(self, &tab).unwrap_or(nowhere),
                data: serde_json::from_str("7").unwrap(),
            },
            Happening::Activity { tab } => {
                Command::Activity { socket: page(self, &tab).unwrap_or(nowhere) }
            }
            Happening::Consent { to, given } => Command::Consent { to, given },
            Happening::Pause { paused } => Command::Pause { paused },
            Happening::Join { agent, controller } => {
                let socket = self.socket();
                self.agents.insert(agent, socket);
                let role = if controller { Seated::Controller } else { Seated::Agent };
                return self.joins(socket.socket.0, role, &format!("agent{agent}"));
            }
            Happening::AgentGone { agent } => gone(self.agents.remove(&agent)),
            Happening::Leave { user: 1 } => Command::Tick,
            Happening::Leave { user } => Command::Leave { user: UserId(user) },
            Happening::AskControl { user } => Command::AskControl { user: UserId(user) },
            Happening::Release { user } => Command::ReleaseControl { user: UserId(user) },
            Happening::Transfer { user, to } => {
                Command::Transfer { user: UserId(user), to: format!("agent{to}").into() }
            }
            Happening::Restart => return self.restart(),
            Happening::End { reason } => Command::End { reason, text: None },
            Happening::Nothing => Command::Tick,
        };
        self.apply(command);
    }

    /// A new process has the record, and nobody's socket; the listener comes back at once.
    fn restart(&mut self) {
        let saved = serde_json::to_string(&self.session).unwrap();
        self.session = serde_json::from_str(&saved).unwrap();
        assert_eq!(serde_json::to_string(&self.session).unwrap(), saved);
        let (node, before) = (1, self.incarnation + 1);
        self.incarnation = before;
        self.pages.clear();
        self.agents.clear();
        let (now, mut effects) = (Timestamp(self.now), Vec::new());
        self.session.apply(Command::Restored { node, before }, now, &mut effects);
        assert!(effects.iter().all(|effect| !matches!(effect, Effect::Tell { .. })), "to nobody");
        self.is_back = true;
        self.watch(&effects);
        self.is_back = true;
        self.joins(LISTENER, Seated::Controller, "listener");
    }

    /// Applies a command once after punctual timers and once without them, which must be the same.
    fn apply(&mut self, command: Command) {
        let now = Timestamp(self.now);
        let mut late = self.session.clone();
        let mut effects = Vec::new();
        while let Some(due) = self.session.deadline().filter(|due| *due < now) {
            self.session.apply(Command::Tick, due, &mut effects);
            assert!(self.session.deadline().is_none_or(|next| next > due), "time stands still");
        }
        let reply = self.session.apply(command.clone(), now, &mut effects);
        if let Reply::Entered(entrance) = &reply {
            assert_eq!((&entrance.code, &entrance.reference), (&Some(code()), &labels().reference));
            assert_eq!(entrance.grace_ms, self.policy.visitor_grace_ms);
        }
        let mut late_effects = Vec::new();
        assert_eq!(late.apply(command, now, &mut late_effects), reply);
        assert_eq!((&late, &late_effects), (&self.session, &effects));
        assert!(self.session.deadline().is_none_or(|due| due > now || self.has_no_grace()));
        self.watch(&effects);
    }

    fn has_no_grace(&self) -> bool {
        self.policy.agent_grace_ms == 0 || self.policy.visitor_grace_ms == 0
    }

    fn watch(&mut self, effects: &[Effect]) {
        for effect in effects {
            match effect {
                Effect::Tell { to, event } => {
                    assert!(!to.is_empty());
                    if to.iter().any(|socket| socket.socket.0 == LISTENER) {
                        self.heard.hear(event);
                    }
                }
                Effect::Record { socket, epoch, on: true, .. } => {
                    assert!(self.agreed, "recorded without consent");
                    assert!(self.recording.insert(*socket, *epoch).is_none());
                }
                Effect::Record { socket, epoch, .. } => {
                    let stopped = self.recording.remove(socket);
                    assert_eq!(stopped, Some(*epoch), "stopped what did not run");
                }
                Effect::Ask { to, .. } => {
                    assert!(*to == ConsentTo::Control || !self.agreed, "asked once more");
                }
                Effect::Consent(entry) if entry.to == ConsentTo::View => {
                    self.agreed = entry.state == ConsentState::Given;
                }
                Effect::Consent(_) | Effect::Offer { .. } | Effect::Streams { .. } => {}
                Effect::Over { .. } => self.overs += 1,
                Effect::Lost { .. } => unreachable!("nothing panics here"),
                Effect::Ended(summary) => {
                    self.ends += 1;
                    assert_eq!(summary.code, Some(code()));
                    assert_eq!(summary.reference, labels().reference);
                    assert_eq!(summary.reportingid, labels().reportingid);
                    assert!(summary.created <= summary.ended);
                    assert!(summary.pages.iter().all(|visit| visit.left >= Some(visit.entered)));
                    assert!(summary.parts.iter().all(|part| part.left >= Some(part.joined)));
                }
            }
        }
        match self.session.view() {
            Some(view) => {
                if std::mem::take(&mut self.is_back) {
                    self.heard.catch_up(&view);
                }
                self.heard.compare(&view);
                let shown = view.pages.iter().find(|page| page.shown).map(|page| page.epoch);
                let expected = (view.view == ViewState::On).then_some(shown).flatten();
                let recorded: Vec<_> = self.recording.values().copied().collect();
                assert_eq!(recorded, Vec::from_iter(expected), "what agents see is recorded");
                assert_eq!((self.ends, self.overs), (0, 0));
            }
            None => {
                assert_eq!((self.ends, self.overs), (1, 1), "one end, one history");
                assert!(self.recording.is_empty());
                // What it leads to is done at once.
                let now = Timestamp(self.now);
                let reply = self.session.apply(Command::Concluded, now, &mut Vec::new());
                assert_eq!(reply, Reply::Done);
            }
        }
    }
}

proptest! {
    #[test]
    fn a_sessions_life_follows_the_rules(
        happenings in prop::collection::vec((0_u64..400, happening()), 1..120),
        agreed in any::<bool>(),
        agents in 1_u32..4,
        ends_with_agents in any::<bool>(),
        graces in (0_u64..300, 0_u64..300),
        (join_ms, idle_ms, longest_ms) in (1_u64..2_000, 1_u64..2_000, 1_u64..20_000),
    ) {
        let (agent_grace_ms, visitor_grace_ms) = graces;
        let policy = Policy {
            agents, ends_with_agents, agent_grace_ms, visitor_grace_ms, join_ms, idle_ms, longest_ms,
        };
        let mut life = Life::new(policy, agreed);
        for (wait, happening) in happenings {
            life.now += wait;
            life.happens(happening);
        }
        while life.ends == 0 {
            life.now = life.session.deadline().expect("an end").0;
            life.apply(Command::Tick);
        }
        life.now += super::ENDED_MEMORY_MS;
        life.apply(Command::Tick);
        prop_assert!(life.session.is_vacant());
    }
}
