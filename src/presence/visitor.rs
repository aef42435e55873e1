//! One visitor's record, and every rule of presence and signals (design sections 2 and 3), as a pure function:
//! [`Visitor::apply`] takes a command and the time, changes the record and says what follows. It does no I/O, reads no
//! clock and draws no random number, so that a run can be repeated exactly.
//!
//! * [`command`] names what can happen, [`effect`] what follows from it,
//! * `pages`: connecting, leaving, grace, focus, visibility,
//! * `dismissed`: pages that are to be closed,
//! * `holds`: pages that the record lost sight of,
//! * `held`: the signals that wait, and their outcomes,
//! * `chat`: what his pages know of his chat,
//! * `help`: his wish for help, and who takes it,
//! * `identity`: anonymous visitors who become known, and unique ids,
//! * `sharing`: the co-browse session that he has,
//! * `time`: the times that all this speaks of, and what time alone changes,
//! * `view`: what readers and watchers see,
//! * `standing`: what lists and figures say.

mod chat;
pub mod command;
mod dismissed;
pub mod effect;
mod held;
pub mod help;
mod holds;
mod identity;
#[cfg(test)]
mod model_test;
mod pages;
mod record;
pub mod sharing;
mod standing;
#[cfg(test)]
mod tests;
mod time;
mod view;

use std::{net::IpAddr, sync::Arc};

pub use self::{
    record::{rows_of, watched},
    standing::Share,
    time::Rules,
    view::Whereabouts,
};
use serde::{Deserialize, Serialize};

use self::{
    command::{Command, Reply, Unique},
    dismissed::Dismissed,
    effect::Effect,
    held::Signals,
    help::Help,
    sharing::Sharing,
};
use crate::{
    clock::Timestamp,
    model::{
        chat::ChatView,
        error::{ErrorCode, Problem},
        event::{Event, EventKind, TermsStatus, Visibility},
        ids::{ChatId, PageId, SocketAddress, TabId, VisitorId},
        presence::{PresenceData, PresenceUpdate},
        timeline::{Entry, Note},
    },
};

/// How long an anonymous record that was joined to a known one leads there, in milliseconds.
pub const JOIN_MEMORY_MS: u64 = 600_000;
/// Most sockets of one visitor. One more is refused.
pub const MAX_SOCKETS: usize = 64;

/// Whether the visitor counts as connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Phase {
    /// Records were lost: he may be in transit. Nobody is told that he is away before this moment.
    Unknown { until: Timestamp },
    /// Not connected, but a record made anew would not say so: it could repeat the epoch, or know nothing because others
    /// were lost. Absent from this moment.
    Left { until: Timestamp },
    /// Not connected.
    Absent,
    /// Has a socket.
    Connected,
    /// The last socket went; he is connected until this moment, or longer if he comes back.
    Transit { until: Timestamp },
    /// An anonymous visitor who goes on under a known id; this record leads there until this moment.
    Joined { to: VisitorId, until: Timestamp },
}

/// A page's socket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Socket {
    address: SocketAddress,
    tab: TabId,
    page: PageId,
    /// Of sockets from before this was kept: earlier than any.
    #[serde(default)]
    accepted: Timestamp,
    visible: bool,
    listening: bool,
    /// Whether the page came by a unique id, and so goes when that ends.
    by_unique: bool,
    /// Greater than that of every socket whose last activity was earlier.
    activity: u64,
}

/// What the service holds of one visitor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    phase: Phase,
    epoch: u64,
    sequence: u64,
    since: Timestamp,
    updated: Timestamp,
    data: PresenceData,
    /// The sequence of the event that told the last change of the data.
    #[serde(default = "unknown_sequence")]
    data_sequence: u64,
    terms: Option<TermsStatus>,
    visibility: Option<Visibility>,
    sockets: Vec<Socket>,
    /// Sockets that were his, and are not known to be closed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dismissed: Vec<Dismissed>,
    focus: Option<SocketAddress>,
    activities: u64,
    /// When the last listening socket went; `None` while there is one, or if there never was.
    listened: Option<Timestamp>,
    /// The network address of the page that connected last, where the group wants to see that.
    #[serde(default)]
    from: Option<IpAddr>,
    /// The codes that lead here, the one that was given last at the end; at most one for each purpose.
    #[serde(default)]
    uniques: Vec<Unique>,
    /// His co-browse session.
    #[serde(default)]
    sharing: Option<Sharing>,
    /// His wish for help.
    #[serde(default)]
    help: Option<Box<Help>>,
    /// His chat, as its own record said last.
    #[serde(default)]
    chat: Option<Arc<ChatView>>,
    /// The last turn of a chat that was told here, and of which. Nodes tell side by side: what is older comes too late.
    #[serde(default)]
    chat_turn: Option<(ChatId, u64)>,
    /// A watcher waits for the state that is unknown yet.
    awaited: bool,
    signals: Signals,
}

/// Of records that were saved before this was kept: later than anything that a watcher knows.
fn unknown_sequence() -> u64 {
    u64::MAX
}

/// What one `apply` works with, so that its parts need few arguments.
struct Step<'a> {
    visitor: &'a VisitorId,
    now: Timestamp,
    rules: &'a Rules,
    effects: &'a mut Vec<Effect>,
}

impl Step<'_> {
    fn note(&mut self, note: Note) {
        self.effects.push(Effect::Note(Entry { time: self.now, note }));
    }
}

impl Visitor {
    /// The record of a visitor of whom nothing is known.
    #[must_use]
    pub fn vacant(rules: &Rules, now: Timestamp) -> Self {
        let phase = if now < rules.unknown_until {
            Phase::Unknown { until: rules.unknown_until }
        } else {
            Phase::Absent
        };
        Self {
            phase,
            // Greater than that of any forgotten record of this visitor, so that a watcher who knew him then believes
            // that he is away; and less than that of a page which connects now, on whichever node.
            epoch: now.0.saturating_sub(rules.late_ms + 1),
            sequence: 0,
            since: now,
            updated: now,
            data: PresenceData::EMPTY,
            data_sequence: 0,
            terms: None,
            visibility: None,
            sockets: Vec::new(),
            dismissed: Vec::new(),
            focus: None,
            activities: 0,
            listened: None,
            from: None,
            uniques: Vec::new(),
            sharing: None,
            help: None,
            chat: None,
            chat_turn: None,
            awaited: false,
            signals: Signals::default(),
        }
    }

    /// Applies a command at `now`, which must not be earlier than in the call before. What was due by then happens
    /// first, in its order, so that late timers change nothing but the moment of telling. Only a node's loss goes before
    /// it: while the records were away, time stood still for what the loss gives a fresh grace.
    pub fn apply(
        &mut self,
        visitor: &VisitorId,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let mut step = Step { visitor, now, rules, effects };
        if let Command::NodeLost { node, before } = command {
            self.node_lost(node, before, &mut step);
        }
        self.let_time_pass(&mut step);
        match command {
            Command::Connect(connect) => self.connect(*connect, &mut step),
            Command::Close { socket, departure, cause } => {
                self.dismissed_is_closed(socket, &mut step);
                self.close(socket, departure, cause, &mut step);
                Reply::Done
            }
            Command::Listen { socket } => {
                self.touch(socket, &mut step, |socket| {
                    !std::mem::replace(&mut socket.listening, true)
                });
                Reply::Done
            }
            Command::Visibility { socket, visible } => {
                self.touch(socket, &mut step, |socket| {
                    let before = std::mem::replace(&mut socket.visible, visible);
                    visible && !before
                });
                Reply::Done
            }
            Command::Activity { socket } => {
                self.touch(socket, &mut step, |_| true);
                Reply::Done
            }
            Command::Presence { socket, update } => self.presence(socket, update, &mut step),
            Command::Report { socket, report } => {
                if self.socket(socket).is_some() {
                    if let EventKind::Terms { status } = report.0 {
                        self.terms = Some(status);
                    }
                    self.updated = now;
                    self.publish(report.0, &mut step);
                }
                Reply::Done
            }
            Command::Acknowledge { ids } => {
                for id in ids {
                    self.signals.acknowledge(id, &mut step);
                }
                self.flush(&mut step);
                Reply::Done
            }
            Command::Failed { id, failure } => {
                self.signals.failed(id, failure, &mut step);
                self.flush(&mut step);
                Reply::Done
            }
            Command::Signal(submission) => self.signal(*submission, &mut step),
            Command::Join { page, known } => self.join(page, known, &mut step),
            Command::Inherit { data, terms, sharing, help } => {
                self.take_session_along(sharing, &mut step);
                let reply = self.inherit(&data, terms, &mut step);
                self.take_help_along(help, &mut step);
                reply
            }
            Command::AskHelp { id, text } => self.ask_help(id, text, &mut step),
            Command::CancelHelp => self.cancel_help(&mut step),
            Command::ClaimHelp { id, helper } => self.claim_help(id, helper, &mut step),
            Command::DeclineHelp { id } => self.decline_help(id, &mut step),
            Command::Chat { view, said, news, turn } => {
                self.chat_stands(view, said, (news, turn), &mut step)
            }
            Command::ChatTyping { name } => self.chat_typing(name, &mut step),
            Command::AskChat { socket } => {
                self.ask_chat(socket, &mut step);
                Reply::Done
            }
            Command::SessionBegins { session } => self.session_begins(session, &mut step),
            Command::SessionStarted { session } => self.session_started(session, &mut step),
            Command::SessionOver { session, reason } => {
                self.session_over(session, reason, &mut step)
            }
            Command::Attach { watcher, since } => {
                self.attach(watcher, since, &mut step);
                Reply::Done
            }
            Command::UniqueGiven { socket, unique } => self.unique_given(socket, unique, &mut step),
            Command::UniqueExpired { code } => {
                self.unique_expired(&code, &mut step);
                Reply::Done
            }
            Command::Missed { node } => {
                self.tell_again(node, &mut step);
                Reply::Done
            }
            Command::Holds { node, pages, told } => {
                self.node_holds(node, pages.0, &mut step);
                if let Some(told) = told {
                    self.was_told(told, &mut step);
                }
                Reply::Done
            }
            Command::NodeLost { .. } | Command::Tick => Reply::Done,
            #[cfg(test)]
            Command::Panic => {
                self.sockets.clear();
                self.phase = Phase::Absent;
                self.signals = Signals::default();
                panic!("asked to");
            }
        }
    }

    fn presence(
        &mut self,
        socket: SocketAddress,
        update: PresenceUpdate,
        step: &mut Step<'_>,
    ) -> Reply {
        if self.socket(socket).is_none() {
            let sentence = "the socket does not belong to this visitor any more";
            return Reply::Refused(Problem::new(ErrorCode::VisitorNotPresent, sentence));
        }
        match self.merge(update, step) {
            Ok(()) => Reply::Done,
            Err(problem) => Reply::Refused(problem),
        }
    }

    fn merge(&mut self, update: PresenceUpdate, step: &mut Step<'_>) -> Result<(), Problem> {
        self.data.merge(&update)?;
        self.updated = step.now;
        if !update.is_empty() {
            self.publish(EventKind::Presence(update), step);
            self.data_sequence = self.sequence;
        }
        Ok(())
    }

    fn socket(&self, address: SocketAddress) -> Option<&Socket> {
        self.sockets.iter().find(|socket| socket.address == address)
    }

    fn is_listening(&self) -> bool {
        self.sockets.iter().any(|socket| socket.listening)
    }

    fn publish(&mut self, kind: EventKind, step: &mut Step<'_>) {
        self.sequence += 1;
        let event = self.event(kind, step);
        step.effects.push(Effect::Publish(event));
    }

    fn event(&self, kind: EventKind, step: &Step<'_>) -> Event {
        Event {
            visitorid: step.visitor.clone(),
            epoch: self.epoch,
            sequence: self.sequence,
            time: step.now,
            present: false,
            kind,
        }
    }
}
