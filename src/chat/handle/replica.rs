//! A node's own picture of chats and buttons, where several nodes share them.
//!
//! Every node hears of every change, since any may be asked for any chat. What it did not hear, because it was not there or
//! was cut off, it reads: a group's chats from the list beside their records, its buttons from its one record of agents.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use parking_lot::Mutex;

use super::{Chat, ChatEngine, Floor, Shared};
use crate::{
    chat::{
        board::Board,
        conversation::{Conversation, command::Command},
        staff::Staff,
    },
    model::{
        chat::ChatRow,
        ids::{ButtonId, GroupId, VisitorId, VisitorKey},
    },
    store::{Afterwards, Engine, Expect, Record, Refusal, place::Store},
};

/// How long to wait before what could not be read is read again. Nothing tells when that will do: a way that was cut and is
/// there again has all be read by [`Deliver::missed`](crate::store::Deliver::missed), but a server may refuse, or be late,
/// without a cut.
const PAUSE: Duration = Duration::from_millis(500);

/// Something that a group's floor shows could not be read: it is read again, unless a later reading of it has begun by then.
fn unless_later<R: Record, E: Engine<R>>(
    engine: &E,
    shared: Arc<Shared>,
    group: GroupId,
    is_last: impl FnOnce(&Floor) -> bool + 'static,
    read: impl FnOnce(&Arc<Shared>, &E, &GroupId) + 'static,
) {
    engine.later(PAUSE, move |engine| {
        if shared.floors.get(&group).is_some_and(is_last) {
            read(&shared, engine, &group);
        }
    });
}

impl Chat {
    /// This node shows chats and buttons that other nodes change.
    pub(super) fn replicate(&self) {
        read_boards(&self.0.shared, &self.0.conversations);
        read_panels(&self.0.shared, &self.0.staff);
    }
}

/// Reads the chats of all groups.
pub(super) fn read_boards<E: Engine<Conversation>>(shared: &Arc<Shared>, engine: &E) {
    for group in shared.floors.keys() {
        read_board(shared, engine, group);
    }
}

/// Reads a group's chats, until it succeeds or a later reading begins.
fn read_board<E: Engine<Conversation>>(shared: &Arc<Shared>, engine: &E, group: &GroupId) {
    let Some(floor) = shared.floors.get(group) else { return };
    let reading = floor.board.reads();
    let rows = Arc::new(Mutex::new(Vec::<ChatRow>::new()));
    let found = Arc::clone(&rows);
    let visit = Box::new(move |_: &VisitorKey, conversation: &Conversation| {
        found.lock().extend(conversation.running().map(|running| running.row()));
    });
    let (shared, again, of) = (Arc::clone(shared), engine.clone(), group.clone());
    let done = Box::new(move |is_read: bool| {
        if is_read {
            return shared.was_read(&of, reading, &rows.lock());
        }
        let is_last = move |floor: &Floor| floor.board.is_last(reading);
        unless_later(&again, shared, of, is_last, read_board);
    });
    engine.list(group.to_string(), visit, done);
}

impl Shared {
    fn was_read(&self, group: &GroupId, reading: u64, rows: &[ChatRow]) {
        let Some(floor) = self.floors.get(group) else { return };
        let key =
            |visitor: &VisitorId| VisitorKey { group: group.clone(), visitor: visitor.clone() };
        let has_chat = |visitor: &VisitorId, has| self.arrivals.has_chat(&key(visitor), has);
        floor.board.was_read(
            reading,
            rows,
            |row, put, remove| self.shows(row, put, remove),
            has_chat,
        );
    }

    fn panel_was_read(
        &self,
        group: &GroupId,
        reading: u64,
        enabled: BTreeSet<ButtonId>,
        available: usize,
    ) {
        let Some(floor) = self.floors.get(group) else { return };
        let counts = floor.buttons.were_read(reading, enabled, |button, is_enabled, pages| {
            self.post.button(pages, button, is_enabled);
        });
        if counts {
            floor.available.store(available, Ordering::Relaxed);
        }
    }
}

/// Reads which buttons are enabled in all groups.
pub(super) fn read_panels<E: Engine<Staff>>(shared: &Arc<Shared>, engine: &E) {
    for group in shared.floors.keys() {
        read_panel(shared, engine, group);
    }
}

/// Reads a group's buttons, until it succeeds or a later reading begins.
fn read_panel<E: Engine<Staff>>(shared: &Arc<Shared>, engine: &E, group: &GroupId) {
    let Some(floor) = shared.floors.get(group) else { return };
    let reading = floor.buttons.reads();
    let (shared, again, of) = (Arc::clone(shared), engine.clone(), group.clone());
    let reader = move |found: Result<Option<&Staff>, Refusal>| -> Afterwards {
        let found = found.map(|staff| {
            staff.map(|staff| (staff.enabled(), staff.available())).unwrap_or_default()
        });
        Box::new(move || match found {
            Ok((enabled, available)) => {
                shared.panel_was_read(&of, reading, enabled.into_keys().collect(), available);
            }
            Err(_) => {
                let is_last = move |floor: &Floor| floor.buttons.is_last(reading);
                unless_later(&again, shared, of, is_last, read_panel);
            }
        })
    };
    engine.read(group.clone(), Box::new(reader));
}

/// An agent is lost: the chats that he has go back to wait. Where several nodes share the chats, the records themselves
/// are asked which those are.
pub(super) fn lose(engine: &ChatEngine, group: GroupId, board: &Board, subject: Box<str>) {
    let lose = |engine: &ChatEngine, key, subject: &str| {
        let lost = Command::AgentLost { subject: subject.into() };
        engine.submit(key, Expect::Any, lost, Box::new(|_| ()));
    };
    if let Store::Memory(_) = engine {
        for row in board.of_agent(&subject) {
            lose(engine, VisitorKey { group: group.clone(), visitor: row.visitorid }, &subject);
        }
        return;
    }
    lose_listed(engine, group, subject, lose);
}

fn lose_listed(
    engine: &ChatEngine,
    group: GroupId,
    subject: Box<str>,
    lose: impl Fn(&ChatEngine, VisitorKey, &str) + Copy + Send + 'static,
) {
    let (chats, of) = (engine.clone(), subject.clone());
    let visit = Box::new(move |key: &VisitorKey, conversation: &Conversation| {
        if conversation.running().is_some_and(|running| running.has_agent(&of)) {
            lose(&chats, key.clone(), &of);
        }
    });
    let (again, listed) = (engine.clone(), group.to_string());
    let done = Box::new(move |is_read: bool| {
        if !is_read {
            again.later(PAUSE, move |engine| lose_listed(engine, group, subject, lose));
        }
    });
    engine.list(listed, visit, done);
}
