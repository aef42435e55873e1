//! Plays a life to the record and to the model, and compares what follows.

use std::collections::BTreeMap;

use super::{
    Happening, START, Sender, Step, Wait,
    compare::Watcher,
    model::{Model, Whereabouts},
    replay::Replay,
};
use crate::{
    clock::Timestamp,
    model::{
        event::{EventKind, TermsStatus},
        ids::{Code, NodeId, SignalId, SocketAddress, SocketId, VisitorId},
        json::Json,
        presence::PresenceUpdate,
        protocol::visitor::CodePurpose,
        signal::{InvokeFailure, Message, Outcome, Target},
        timeline::PageEnd,
    },
    presence::visitor::{
        Rules, Visitor,
        command::{Command, Connect, Departure, Reply, Report, Submission, Unique},
        effect::Effect,
        held::MAX_HELD_BYTES,
    },
};

pub(super) struct Harness {
    id: VisitorId,
    pub record: Visitor,
    pub model: Model,
    /// The last socket of each tab, there or gone.
    sockets: BTreeMap<u8, SocketAddress>,
    /// What the pages of each tab saw and got no word of.
    pub seen: BTreeMap<u8, Vec<SignalId>>,
    incarnations: BTreeMap<u32, u64>,
    count: u64,
    submitted: Vec<Submission>,
    pub watcher: Watcher,
    pub replay: Replay,
    /// Epoch and sequence of the last event.
    pub last: (u64, u64),
    /// The record before time passed, and what that told: a command without a timer before it must do the same.
    before: Option<(Visitor, Vec<Effect>)>,
}

impl Harness {
    pub fn new(rules: Rules) -> Self {
        Self {
            id: "ada".parse().unwrap(),
            record: Visitor::vacant(&rules, Timestamp(START)),
            model: Model::new(rules, START),
            sockets: BTreeMap::new(),
            seen: BTreeMap::new(),
            incarnations: BTreeMap::from([(1, 1), (2, 1)]),
            count: 0,
            submitted: Vec::new(),
            watcher: Watcher::default(),
            replay: Replay::default(),
            last: (0, 0),
            before: None,
        }
    }

    pub fn play(&mut self, step: Step) {
        self.model.now = match step.wait {
            Wait::Milliseconds(time) => self.model.now + time,
            Wait::Deadline => {
                let deadline = self.record.deadline(&self.model.rules);
                deadline.map_or(self.model.now, |at| at.0.max(self.model.now))
            }
        };
        if step.reload {
            self.reload();
        }
        self.happen(step.happening);
        if self.record.is_vacant(&self.model.rules, Timestamp(self.model.now)) {
            // As if there had never been a record, but for the watchers' memory.
            self.record = Visitor::vacant(&self.model.rules, Timestamp(self.model.now));
        }
    }

    /// All pages leave, and timers alone bring the record to its end.
    pub fn end(&mut self) {
        for tab in 0..4 {
            self.happen(Happening::Close { tab });
        }
        for _ in 0..2000 {
            self.time_passes();
            if self.record.is_vacant(&self.model.rules, Timestamp(self.model.now)) {
                assert!(self.model.open.is_empty());
                return;
            }
            self.model.now = self.record.deadline(&self.model.rules).expect("a future").0;
        }
        panic!("the record never ends: {:?}", self.record);
    }

    /// Saves and loads the record. The order of its data's keys may change by that, once.
    fn reload(&mut self) {
        let reloaded = |record: &Visitor| -> Visitor {
            serde_json::from_str(&serde_json::to_string(record).unwrap()).unwrap()
        };
        self.record = reloaded(&self.record);
        assert_eq!(reloaded(&self.record), self.record);
    }

    fn address(&mut self, node: u32) -> SocketAddress {
        self.count += 1;
        let incarnation = self.incarnations.get(&node).copied().unwrap_or_default();
        SocketAddress { node: NodeId { node, incarnation }, socket: SocketId(self.count) }
    }

    fn socket(&mut self, tab: u8) -> SocketAddress {
        let unknown = self.address(2);
        self.sockets.get(&tab).copied().unwrap_or(unknown)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Connect { tab, node, visible, listening, seen, data, late } => {
                self.time_passes();
                let socket = self.address(node);
                let seen =
                    if seen { self.seen.remove(&tab).unwrap_or_default() } else { Vec::new() };
                let data = data.map(|(key, value)| (format!("k{key}"), value));
                let accepted = self.model.now.saturating_add_signed(-late);
                let (page, looks) = ((tab, accepted), (visible, listening));
                let is_welcome = self.model.connect(socket, page, looks, &seen, data.clone());
                let connect = Connect {
                    socket,
                    tab: format!("tab{tab}").parse().unwrap(),
                    page: format!("page{}", socket.socket.0).parse().unwrap(),
                    accepted: Timestamp(accepted),
                    visible,
                    listening,
                    seen,
                    data: data.map(|(key, value)| update(key, value)),
                    from: None,
                };
                match self.apply(Command::Connect(Box::new(connect))) {
                    Reply::Welcome(welcome) => {
                        assert_eq!((is_welcome, welcome.refused_data), (true, None))
                    }
                    reply => assert_eq!((is_welcome, reply), (false, Reply::Superseded)),
                }
                if is_welcome {
                    self.sockets.insert(tab, socket);
                }
            }
            Happening::Close { tab } => self.close(tab, Departure::Gone),
            Happening::Disconnect { tab } => self.close(tab, Departure::Disconnect),
            Happening::GhostCloses { index } => {
                self.time_passes();
                let ghosts = &self.model.superseded;
                let ghost = ghosts.get(index % ghosts.len().max(1)).map(|(ghost, _)| *ghost);
                let socket = ghost.unwrap_or_else(|| self.address(2));
                self.model.ghost_closes(socket);
                let (departure, cause) = (Departure::Gone, PageEnd::Lost);
                self.apply(Command::Close { socket, departure, cause });
            }
            Happening::Listen { tab } => {
                self.time_passes();
                let socket = self.socket(tab);
                self.model.touch(socket, |page| !std::mem::replace(&mut page.listening, true));
                self.apply(Command::Listen { socket });
            }
            Happening::Visibility { tab, visible } => {
                self.time_passes();
                let socket = self.socket(tab);
                self.model.touch(socket, |page| {
                    let before = std::mem::replace(&mut page.visible, visible);
                    visible && !before
                });
                self.apply(Command::Visibility { socket, visible });
            }
            Happening::Activity { tab } => {
                self.time_passes();
                let socket = self.socket(tab);
                self.model.touch(socket, |_| true);
                self.apply(Command::Activity { socket });
            }
            Happening::Presence { tab, key, value } => {
                self.time_passes();
                let socket = self.socket(tab);
                let key = format!("k{key}");
                if self.model.pages.iter().any(|page| page.address == socket) {
                    self.model.data.insert(key.clone(), value);
                    self.model.told.presence += 1;
                }
                self.apply(Command::Presence { socket, update: update(key, value) });
            }
            Happening::Terms { tab } => {
                self.time_passes();
                let socket = self.socket(tab);
                if self.model.pages.iter().any(|page| page.address == socket) {
                    self.model.told.terms += 1;
                }
                let report = Report::new(EventKind::Terms { status: TermsStatus::Accepted });
                self.apply(Command::Report { socket, report: report.unwrap() });
            }
            Happening::Acknowledge { tab, count } => {
                self.time_passes();
                let seen = self.seen.entry(tab).or_default();
                let mut ids: Vec<_> = seen.drain(..count.min(seen.len())).collect();
                if ids.is_empty() {
                    ids.extend(self.model.open.get(count).map(|open| open.id));
                }
                for id in &ids {
                    self.model.finish(*id, Outcome::Delivered);
                }
                self.apply(Command::Acknowledge { ids });
            }
            Happening::Failed { index } => {
                self.time_passes();
                let open = self.model.open.get(index).map(|open| open.id);
                let id = open.unwrap_or(SignalId::from_u128(0));
                self.model.finish(id, Outcome::Delivered);
                let failure = InvokeFailure { code: "exception".into(), msg: "".into() };
                self.apply(Command::Failed { id, failure });
            }
            Happening::Signal { count, all, sender, big } => {
                for _ in 0..count {
                    self.signal(all, sender, big);
                }
            }
            Happening::Retry { index } => self.retry(index),
            Happening::Join { tab } => {
                self.time_passes();
                let socket = self.socket(tab);
                let joins = self.model.join(socket);
                let reply = self
                    .apply(Command::Join { page: Some(socket), known: "known".parse().unwrap() });
                assert_eq!(matches!(reply, Reply::Joined { .. }), joins);
            }
            Happening::Attach => {
                self.time_passes();
                self.watcher.attached = true;
                if let Whereabouts::Unknown { .. } = self.model.whereabouts {
                    self.model.awaited = true;
                }
                let watcher = self.address(9);
                self.apply(Command::Attach { watcher, since: None });
            }
            Happening::UniqueExpired => {
                self.time_passes();
                let all: Vec<_> = self.model.pages.iter().map(|page| page.address).collect();
                let code: Code = "123456".parse().unwrap();
                let until = Timestamp(self.model.now + 1);
                for socket in &all {
                    let (socket, code) = (*socket, code.clone());
                    let unique = Unique { purpose: CodePurpose::Reach, code, until };
                    self.apply(Command::UniqueGiven { socket, unique });
                }
                self.model.close(&all, Departure::Disconnect);
                self.model.told.closed.extend(all);
                self.apply(Command::UniqueExpired { code });
            }
            Happening::NodeLost { node } => {
                // A restart: nobody was there to let time pass. Else the other node was.
                if self.model.pages.iter().any(|page| page.address.node.node != node) {
                    self.time_passes();
                }
                let before = self.incarnations.entry(node).or_default();
                *before += 1;
                let before = *before;
                self.model.lose(node, before);
                self.model.pass();
                self.apply(Command::NodeLost { node, before });
            }
            Happening::Nothing => self.time_passes(),
        }
    }

    fn close(&mut self, tab: u8, departure: Departure) {
        self.time_passes();
        let socket = self.socket(tab);
        self.model.close(&[socket], departure);
        let cause = PageEnd::Lost;
        self.apply(Command::Close { socket, departure, cause });
    }

    fn signal(&mut self, all: bool, sender: Sender, big: bool) {
        self.time_passes();
        self.count += 1;
        let sender = match sender {
            Sender::Nobody => None,
            Sender::Agent => Some(self.address(9)),
            Sender::OnNodeOne => Some(self.address(1)),
        };
        let text = "x".repeat(if big { MAX_HELD_BYTES / 4 } else { 3 });
        let submission = Submission {
            id: SignalId::from_u128(u128::from(self.count)),
            message: Message::Signal { data: Json::of(&text) },
            target: if all { Target::All } else { Target::Focus },
            key: Some(format!("key{}", self.count).parse().unwrap()),
            sender,
        };
        let (id, bytes) = (submission.id, submission.message.len());
        let joined = matches!(self.model.whereabouts, Whereabouts::Joined { .. });
        let takes = self.model.takes(bytes);
        if joined {
            self.model.told.forwarded.push(id);
        } else if takes {
            self.model.accept(id, sender, all, bytes);
            self.submitted.push(submission.clone());
        }
        let reply = self.apply(Command::Signal(Box::new(submission)));
        match reply {
            Reply::Signal { id: answered, outcome } => {
                assert_eq!((answered, outcome), (id, Outcome::Held));
                assert!(takes || joined);
            }
            Reply::Refused(_) => assert!(!takes && !joined),
            other => panic!("{other:?}"),
        }
    }

    fn retry(&mut self, index: usize) {
        self.time_passes();
        let Some(mut again) = self.submitted.iter().rev().nth(index).cloned() else { return };
        let id = again.id;
        again.sender = Some(self.address(9));
        again.id = SignalId::from_u128(u128::MAX);
        let held = self.model.open.iter_mut().find(|open| open.id == id);
        let expected = if let Some(open) = held {
            open.sender = again.sender;
            Outcome::Held
        } else if let Some((_, outcome, _)) = self.model.ended.iter().find(|ended| ended.0 == id) {
            *outcome
        } else {
            return;
        };
        let reply = self.apply(Command::Signal(Box::new(again)));
        assert_eq!(reply, Reply::Signal { id, outcome: expected });
    }

    fn time_passes(&mut self) {
        self.model.pass();
        let before = self.record.clone();
        let mut effects = Vec::new();
        self.perform(Command::Tick, &mut effects);
        self.before = Some((before, effects));
        let deadline = self.record.deadline(&self.model.rules);
        assert!(deadline.is_none_or(|at| at.0 > self.model.now), "a deadline in the past");
    }

    /// Applies a command after the model did, and compares.
    fn apply(&mut self, command: Command) -> Reply {
        let (now, rules) = (Timestamp(self.model.now), self.model.rules);
        let before = self.before.take();
        let before = before.filter(|_| !matches!(command, Command::NodeLost { .. }));
        let late = before.map(|(mut record, expected)| {
            let mut effects = Vec::new();
            let reply = record.apply(&self.id, command.clone(), now, &rules, &mut effects);
            (reply, record, effects, expected)
        });
        let mut effects = Vec::new();
        let reply = self.perform(command, &mut effects);
        if let Some((late_reply, record, late_effects, mut expected)) = late {
            expected.append(&mut effects);
            assert_eq!((late_reply, late_effects), (reply.clone(), expected));
            assert_eq!(record, self.record);
        }
        reply
    }

    fn perform(&mut self, command: Command, effects: &mut Vec<Effect>) -> Reply {
        let (now, rules) = (Timestamp(self.model.now), self.model.rules);
        let (standing, row) = (self.record.standing(), self.record.row(&self.id));
        let reply = self.record.apply(&self.id, command, now, &rules, effects);
        if self.record.standing().row == standing.row {
            assert_eq!(self.record.row(&self.id), row, "lists would not hear of it");
        }
        if let Reply::Welcome(welcome) = &reply
            && let Some(page) = self.model.pages.last_mut()
        {
            page.has_focus = welcome.focus;
        }
        self.compare_effects(effects.clone());
        self.compare_states();
        reply
    }
}

fn update(key: String, value: u8) -> PresenceUpdate {
    PresenceUpdate::from_json(serde_json::json!({ key: value }), "data").unwrap()
}
