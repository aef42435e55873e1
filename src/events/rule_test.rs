//! The rule of `docs/protocol.md` by which a back end keeps its visitors' state: what it makes of events that come in any
//! order, and again and again, is what the record says.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    clock::Timestamp,
    model::{
        event::{Event, EventKind, TermsStatus},
        ids::{NodeId, SocketAddress, SocketId, VisitorId, VisitorKey},
        presence::PresenceUpdate,
        timeline::PageEnd,
    },
    presence::visitor::{
        Rules, Visitor,
        command::{Command, Connect, Departure, Report},
        effect::Effect,
    },
};

const RULES: Rules = Rules { grace_ms: 50, signal_window_ms: 50, ack_ms: 50, ..Rules::USUAL };

/// A visitor's fields: the newest value of each, with the epoch and sequence of its event.
type Fields = BTreeMap<(String, String), (u64, u64, Value)>;

/// The rule, line by line as it is written there.
fn apply(visitors: &mut BTreeMap<String, Fields>, event: &Value) {
    let fields = visitors.entry(event["visitorid"].as_str().unwrap().to_owned()).or_default();
    let (kind, data) = (event["type"].as_str().unwrap(), &event["data"]);
    let (epoch, sequence) = (event["epoch"].as_u64().unwrap(), event["sequence"].as_u64().unwrap());
    let parts: Vec<(&str, &Value)> = match data.as_object() {
        Some(data) if kind == "presence" => {
            data.iter().map(|(key, value)| (key.as_str(), value)).collect()
        }
        _ => vec![("", data)],
    };
    for (key, value) in parts {
        let name = (kind.to_owned(), key.to_owned());
        let known = fields.get(&name).map_or((0, 0), |known| (known.0, known.1));
        if (epoch, sequence) > known {
            fields.insert(name, (epoch, sequence, value.clone()));
        }
    }
}

/// What counts of a visitor's fields: those of his newest epoch.
fn current(fields: &Fields) -> BTreeMap<(String, String), Value> {
    let newest = fields.values().map(|field| field.0).max();
    let current = fields.iter().filter(|(_, field)| Some(field.0) == newest);
    current.map(|(name, field)| (name.clone(), field.2.clone())).collect()
}

#[derive(Clone, Debug)]
enum Act {
    Connect { tab: u8, visible: bool, data: Vec<(u8, u8)> },
    Close { tab: u8, bye: bool },
    Tell { tab: u8, data: Vec<(u8, u8)> },
    Terms { tab: u8, accepted: bool },
    Look { tab: u8, visible: bool },
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let data = || prop::collection::vec((0_u8..4, any::<u8>()), 0..4);
    let (tab, either) = (0_u8..3, any::<bool>());
    prop_oneof![
        3 => (tab.clone(), either, data()).prop_map(|(tab, visible, data)| Act::Connect { tab, visible, data }),
        2 => (tab.clone(), prop::bool::weighted(0.3)).prop_map(|(tab, bye)| Act::Close { tab, bye }),
        4 => (tab.clone(), data()).prop_map(|(tab, data)| Act::Tell { tab, data }),
        1 => (tab.clone(), either).prop_map(|(tab, accepted)| Act::Terms { tab, accepted }),
        2 => (tab, either).prop_map(|(tab, visible)| Act::Look { tab, visible }),
        2 => (1_u64..80).prop_map(Act::Wait),
    ]
}

/// A visitor's life: his record at the end, and every event of it.
struct Life {
    id: VisitorId,
    visitor: Visitor,
    now: Timestamp,
    open: BTreeMap<u8, SocketAddress>,
    sockets: u64,
    told: Vec<Event>,
}

impl Life {
    fn new(id: &str) -> Self {
        let now = Timestamp(1_700_000_000_000);
        let visitor = Visitor::vacant(&RULES, now);
        let (open, told) = (BTreeMap::new(), Vec::new());
        Self { id: id.parse().unwrap(), visitor, now, open, sockets: 0, told }
    }

    fn submit(&mut self, command: Command) {
        let mut effects = Vec::new();
        self.visitor.apply(&self.id, command, self.now, &RULES, &mut effects);
        self.told.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::Publish(event) => Some(event),
            _ => None,
        }));
    }

    fn act(&mut self, act: Act) {
        let update = |data: Vec<(u8, u8)>| -> PresenceUpdate {
            let text = |(key, value): (u8, u8)| (format!("k{key}"), value.to_string());
            data.into_iter().map(text).collect()
        };
        match act {
            Act::Connect { tab, visible, data } => {
                self.sockets += 1;
                let node = NodeId { node: 0, incarnation: 1 };
                let socket = SocketAddress { node, socket: SocketId(self.sockets) };
                self.open.insert(tab, socket);
                self.submit(Command::Connect(Box::new(Connect {
                    socket,
                    tab: format!("t{tab}").parse().unwrap(),
                    page: format!("p{}", self.sockets).parse().unwrap(),
                    accepted: self.now,
                    visible,
                    listening: true,
                    seen: Vec::new(),
                    data: Some(update(data)),
                    from: None,
                })));
            }
            Act::Close { tab, bye } => {
                let departure = if bye { Departure::Disconnect } else { Departure::Gone };
                if let Some(socket) = self.open.remove(&tab) {
                    let cause = PageEnd::Lost;
                    self.submit(Command::Close { socket, departure, cause });
                }
            }
            Act::Tell { tab, data } => {
                if let Some(&socket) = self.open.get(&tab) {
                    self.submit(Command::Presence { socket, update: update(data) });
                }
            }
            Act::Terms { tab, accepted } => {
                let status = if accepted { TermsStatus::Accepted } else { TermsStatus::Declined };
                if let Some(&socket) = self.open.get(&tab) {
                    let report = Report::new(EventKind::Terms { status }).unwrap();
                    self.submit(Command::Report { socket, report });
                }
            }
            Act::Look { tab, visible } => {
                if let Some(&socket) = self.open.get(&tab) {
                    self.submit(Command::Visibility { socket, visible });
                }
            }
            Act::Wait(milliseconds) => {
                self.now = self.now + milliseconds;
                self.submit(Command::Tick);
            }
        }
    }

    /// What the record says, in the rule's words.
    fn expected(&self) -> Option<(Value, Value, Option<Value>, Value)> {
        let key = VisitorKey { group: "12345".parse().unwrap(), visitor: self.id.clone() };
        let view = self.visitor.view(&key)?;
        let terms = view.row.terms.map(|status| json!({"status": status}));
        let data = serde_json::to_value(&view.row.data).unwrap();
        Some((json!({"connected": true}), json!(view.row.sockets), terms, data))
    }
}

proptest! {
    #[test]
    fn any_order_and_any_repetition_give_the_records_own_state(
        lives in prop::collection::vec(prop::collection::vec(act(), 1..40), 1..3),
        shuffle in prop::collection::vec(any::<prop::sample::Index>(), 300),
        repeated in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
    ) {
        let names = ["ada", "__proto__"];
        let mut ended = Vec::new();
        for (acts, name) in lives.into_iter().zip(names) {
            let mut life = Life::new(name);
            acts.into_iter().for_each(|act| life.act(act));
            ended.push(life);
        }
        let events = ended.iter().flat_map(|life| &life.told);
        let events: Vec<Value> = events.map(|event| serde_json::to_value(event).unwrap()).collect();
        let mut shuffled = events.clone();
        if !events.is_empty() {
            shuffled.extend(repeated.iter().map(|which| which.get(&events).clone()));
        }
        for (place, other) in (1..shuffled.len()).zip(&shuffle) {
            shuffled.swap(place, other.index(place + 1));
        }

        let (mut in_order, mut visitors) = (BTreeMap::new(), BTreeMap::new());
        events.iter().for_each(|event| apply(&mut in_order, event));
        shuffled.iter().for_each(|event| apply(&mut visitors, event));
        prop_assert_eq!(&visitors, &in_order);

        for life in &ended {
            let fields = visitors.get(life.id.as_str()).map(current).unwrap_or_default();
            let field = |name: &str| fields.get(&(name.to_owned(), String::new()));
            let is_connected = field("visitorconn").is_some_and(|conn| conn["connected"] == true);
            let Some((conn, sockets, terms, data)) = life.expected() else {
                prop_assert!(!is_connected);
                continue;
            };
            prop_assert_eq!(field("visitorconn"), Some(&conn));
            prop_assert_eq!(&field("visitorsock").unwrap()["sockets"], &sockets);
            prop_assert_eq!(field("terms").cloned(), terms);
            let told = fields.iter().filter(|((kind, _), _)| kind == "presence");
            let told: serde_json::Map<_, _> =
                told.map(|((_, key), value)| (key.clone(), value.clone())).collect();
            prop_assert_eq!(Value::Object(told), data);
        }
    }
}
