//! Days of a group's agents, drawn at random, against a list of everything that happened. What pages are told must be enough
//! to know which buttons are enabled, and who is lost must be lost once, and in time.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{Command, Effect, Reply, Rules, Staff};
use crate::{
    clock::Timestamp,
    model::ids::{ButtonId, GroupId, NodeId, SocketAddress, SocketId},
    store::Record as _,
};

const GRACE: u64 = 1_000;
const RULES: Rules = Rules { grace_ms: GRACE, most_agents: 3 };

#[derive(Clone, Debug)]
enum Happening {
    Arrive { agent: u8, socket: u8 },
    Available { agent: u8, socket: u8, buttons: BTreeSet<u8> },
    Gone { agent: u8, socket: u8, at_once: bool },
    Nothing,
}

fn happening() -> impl Strategy<Value = Happening> {
    let (agent, socket) = (0_u8..4, 0_u8..3);
    let buttons = prop::collection::btree_set(0_u8..3, 0..3);
    prop_oneof![
        3 => (agent.clone(), socket.clone()).prop_map(|(agent, socket)| Happening::Arrive { agent, socket }),
        4 => (agent.clone(), socket.clone(), buttons)
            .prop_map(|(agent, socket, buttons)| Happening::Available { agent, socket, buttons }),
        4 => (agent, socket, prop::bool::weighted(0.2))
            .prop_map(|(agent, socket, at_once)| Happening::Gone { agent, socket, at_once }),
        2 => Just(Happening::Nothing),
    ]
}

fn subject(agent: u8) -> Box<str> {
    format!("agent{agent}").into()
}

fn button(number: u8) -> ButtonId {
    format!("b{number}").parse().unwrap()
}

/// No two agents share a socket.
fn address(agent: u8, socket: u8) -> SocketAddress {
    let node = NodeId { node: 0, incarnation: 1 };
    SocketAddress { node, socket: SocketId(u64::from(agent) * 10 + u64::from(socket)) }
}

/// An agent as a list of facts says: never cleaned up, and looked at from the beginning each time.
#[derive(Clone, Debug, Default)]
struct Facts {
    here: Vec<u8>,
    buttons: BTreeSet<u8>,
    /// Since when nobody is here, and how long he is waited for.
    alone: Option<(u64, u64)>,
}

impl Facts {
    fn counts(&self, now: u64) -> bool {
        self.alone.is_none_or(|(since, patience)| now < since + patience)
    }
}

#[derive(Default)]
struct Model(BTreeMap<u8, Facts>);

impl Model {
    fn agents(&self, now: u64) -> usize {
        self.0.values().filter(|facts| facts.counts(now)).count()
    }

    fn enabled(&self, now: u64) -> BTreeSet<ButtonId> {
        let there = self.0.values().filter(|facts| facts.counts(now));
        there.flat_map(|facts| facts.buttons.iter().copied().map(button)).collect()
    }

    /// Whether it is taken.
    fn happens(&mut self, happening: &Happening, now: u64) -> bool {
        self.0.retain(|_, facts| facts.counts(now));
        match happening {
            Happening::Arrive { agent, socket } | Happening::Available { agent, socket, .. } => {
                if !self.0.contains_key(agent) && self.agents(now) >= RULES.most_agents {
                    return false;
                }
                let facts = self.0.entry(*agent).or_default();
                facts.alone = None;
                facts.here.retain(|other| other != socket);
                facts.here.push(*socket);
                if let Happening::Available { buttons, .. } = happening {
                    facts.buttons.clone_from(buttons);
                }
            }
            Happening::Gone { agent, socket, at_once } => {
                if let Some(facts) = self.0.get_mut(agent)
                    && let Some(place) = facts.here.iter().position(|other| other == socket)
                {
                    facts.here.remove(place);
                    if facts.here.is_empty() {
                        facts.alone = Some((now, if *at_once { 0 } else { GRACE }));
                    }
                }
            }
            Happening::Nothing => {}
        }
        true
    }
}

proptest! {
    #[test]
    fn what_is_told_is_what_is(
        day in prop::collection::vec((happening(), prop_oneof![Just(0_u64), 1..600_u64, Just(GRACE)]), 1..80),
        punctual in any::<bool>(),
    ) {
        let group: GroupId = "1".parse().unwrap();
        let (mut staff, mut model, mut now) = (Staff::default(), Model::default(), 5_000_u64);
        let (mut told, mut lost) = (BTreeSet::<ButtonId>::new(), BTreeMap::<Box<str>, u32>::new());
        let mut expected_losses: BTreeMap<Box<str>, u32> = BTreeMap::new();
        for (happening, pause) in day {
            let mut effects = Vec::new();
            let then = now;
            now += pause;
            let due = staff.deadline(&RULES).filter(|due| punctual && due.0 <= now);
            if let Some(due) = due {
                staff.apply(&group, Command::Tick, due, &RULES, &mut effects);
            }
            for (agent, facts) in &model.0 {
                if facts.counts(then) && !facts.counts(now) {
                    *expected_losses.entry(subject(*agent)).or_default() += 1;
                }
            }
            let command = match &happening {
                Happening::Arrive { agent, socket } => {
                    Command::Arrive { subject: subject(*agent), socket: address(*agent, *socket) }
                }
                Happening::Available { agent, socket, buttons } => Command::Available {
                    subject: subject(*agent),
                    socket: address(*agent, *socket),
                    buttons: buttons.iter().copied().map(button).collect(),
                },
                Happening::Gone { agent, socket, at_once } => Command::Gone {
                    subject: subject(*agent),
                    socket: address(*agent, *socket),
                    at_once: *at_once,
                },
                Happening::Nothing => Command::Tick,
            };
            let reply = staff.apply(&group, command, Timestamp(now), &RULES, &mut effects);
            let taken = model.happens(&happening, now);
            prop_assert_eq!(taken, !matches!(reply, Reply::Refused(_)));
            for (agent, facts) in &model.0 {
                // Who left with a word is lost at once.
                if facts.alone == Some((now, 0)) {
                    *expected_losses.entry(subject(*agent)).or_default() += 1;
                }
            }
            for effect in effects {
                match effect {
                    Effect::Button { button, enabled: true } => prop_assert!(told.insert(button)),
                    Effect::Button { button, enabled: false } => prop_assert!(told.remove(&button)),
                    Effect::Lost { subject } => *lost.entry(subject).or_default() += 1,
                    Effect::Told { to, .. } => prop_assert!(!to.is_empty()),
                    Effect::Counted { .. } => {}
                }
            }
            prop_assert_eq!(&told, &model.enabled(now));
            prop_assert_eq!(&told, &staff.enabled().into_keys().collect());
            prop_assert_eq!(&lost, &expected_losses);
            prop_assert!(staff.deadline(&RULES).is_none_or(|due| due.0 > now));
            prop_assert_eq!(staff.is_vacant(&RULES, Timestamp(now)), model.agents(now) == 0);
        }
    }
}

#[test]
fn after_a_restart_all_is_told_anew_and_everybody_is_waited_for() {
    let group: GroupId = "1".parse().unwrap();
    let mut staff = Staff::default();
    let mut effects = Vec::new();
    let available = Command::Available {
        subject: subject(1),
        socket: address(1, 1),
        buttons: [button(1)].into(),
    };
    staff.apply(&group, available, Timestamp(1), &RULES, &mut effects);
    let saved = serde_json::to_string(&staff).unwrap();
    let mut staff: Staff = serde_json::from_str(&saved).unwrap();
    effects.clear();
    for command in [Command::Resume, Command::NodeLost { node: 0, before: 2 }] {
        staff.apply(&group, command, Timestamp(90_000), &RULES, &mut effects);
    }
    let enabled = Effect::Button { button: button(1), enabled: true };
    assert_eq!(effects, [enabled, Effect::Counted { available: 1 }]);
    assert_eq!(staff.deadline(&RULES), Some(Timestamp(90_000 + GRACE)));
}

#[test]
fn of_a_node_that_is_lost_only_its_own_agents_are_waited_for() {
    let group: GroupId = "1".parse().unwrap();
    let (mut staff, mut effects) = (Staff::default(), Vec::new());
    let mut apply = |command, at| staff.apply(&group, command, Timestamp(at), &RULES, &mut effects);
    let elsewhere = |agent| {
        let node = NodeId { node: 7, incarnation: 1 };
        SocketAddress { node, ..address(agent, 9) }
    };
    // One is there alone, one on another node, too, and one is waited for already.
    for (agent, socket) in
        [(1, address(1, 1)), (2, address(2, 1)), (2, elsewhere(2)), (3, address(3, 1))]
    {
        apply(Command::Arrive { subject: subject(agent), socket }, 1);
    }
    let gone = Command::Gone { subject: subject(3), socket: address(3, 1), at_once: false };
    apply(gone, 100);
    apply(Command::NodeLost { node: 0, before: 2 }, 500);
    apply(Command::Tick, 100 + GRACE);
    apply(Command::Tick, 500 + GRACE - 1);
    assert_eq!(effects, [Effect::Lost { subject: subject(3) }]);
    staff.apply(&group, Command::Tick, Timestamp(500 + GRACE), &RULES, &mut effects);
    assert_eq!(effects.pop(), Some(Effect::Lost { subject: subject(1) }));
    assert_eq!((effects.len(), staff.deadline(&RULES)), (1, None));
}
