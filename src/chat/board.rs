//! What the agents of one group look at: the chats that wait, and those that each of them has.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
};

use parking_lot::Mutex;

use crate::{
    auth::{Agent, Scope},
    limits::Place,
    model::{
        chat::{ChatRow, ChatStatus},
        ids::{ChatId, GroupId, SocketId, VisitorId},
    },
};

/// A place among those who wait, of an address.
pub(super) type WaitingPlace = Place<(GroupId, IpAddr)>;

/// Who reads chats that go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reader {
    /// An agent: what nobody has, and his own. What others talk about is between them and their visitors.
    Agent(Box<str>),
    /// Whoever runs the group: all.
    Supervisor,
}

impl Reader {
    /// The bearer of a token: a supervisor by the scope `operate`.
    #[must_use]
    pub fn of(agent: &Agent) -> Self {
        if agent.scope.contains(Scope::OPERATE) {
            return Self::Supervisor;
        }
        Self::Agent(agent.subject.as_ref().into())
    }

    /// Whether he may read this chat, wherever he asks.
    #[must_use]
    pub fn may_read(&self, row: &ChatRow) -> bool {
        match (self, &row.agent) {
            (Self::Supervisor, _) | (Self::Agent(_), None) => true,
            (Self::Agent(subject), Some(has)) => has.subject == *subject,
        }
    }
}

/// The chats of a group that are not over, and who looks at them.
#[derive(Default)]
pub(super) struct Board(Mutex<State>);

#[derive(Default)]
struct State {
    /// Bounded by the limit on chats.
    rows: BTreeMap<ChatId, ChatRow>,
    /// Whose each of them is; known a moment earlier than the row.
    visitors: HashMap<ChatId, VisitorId>,
    /// The subject of each socket. Bounded by the limits on sockets and on agents who chat.
    watchers: HashMap<SocketId, Box<str>>,
    /// Held by chats that wait for the first time, and began on this node.
    places: HashMap<ChatId, WaitingPlace>,
    /// How often all rows were read anew, where several nodes share the chats; and the chats that were told of since the
    /// last such reading began, as long as it goes on.
    readings: u64,
    told: Option<HashSet<ChatId>>,
    /// Whether a reading came to its end.
    is_read: bool,
}

/// What one agent's sockets are told of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It stands so.
    Put,
    /// He sees it no more.
    Remove,
}

/// Chats, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub invited: usize,
    pub waiting: usize,
    pub open: usize,
}

/// Whether a chat is among this agent's work: it waits, or it is his.
fn sees(row: &ChatRow, subject: &str) -> bool {
    match &row.agent {
        None => row.status == ChatStatus::Waiting,
        Some(agent) => *agent.subject == *subject,
    }
}

impl Board {
    /// A socket looks from now on, if it is still open. `begin` gets what its agent sees, and is done before the first
    /// change is told.
    pub(super) fn watch(
        &self,
        (socket, subject): (SocketId, &str),
        is_open: impl FnOnce() -> bool,
        begin: impl FnOnce(&mut dyn Iterator<Item = &ChatRow>),
    ) {
        let mut state = self.0.lock();
        // Whoever closes says so before he is taken out: one that comes too late is not entered for ever.
        if !is_open() {
            return;
        }
        state.watchers.insert(socket, subject.into());
        begin(&mut state.rows.values().filter(|row| sees(row, subject)));
    }

    /// A socket looks no more. Gives its agent's subject, if it looked.
    pub(super) fn unwatch(&self, socket: SocketId) -> Option<Box<str>> {
        self.0.lock().watchers.remove(&socket)
    }

    /// A chat stands so. `tell` gets whoever is to be told, and what; a chat that ended is told to those who saw it, and
    /// forgotten. Gives whose it was before.
    pub(super) fn stands(
        &self,
        row: &ChatRow,
        tell: impl FnOnce(&[SocketId], &[SocketId]),
    ) -> Option<VisitorId> {
        let mut state = self.0.lock();
        if let Some(told) = &mut state.told {
            told.insert(row.chat);
        }
        state.stands(row, tell)
    }

    /// All rows are read anew from now on. Gives the number of the reading.
    pub(super) fn reads(&self) -> u64 {
        let mut state = self.0.lock();
        state.readings += 1;
        state.told = Some(HashSet::new());
        state.readings
    }

    /// Whether the first reading goes on: there may be chats of which nothing is here.
    pub(super) fn is_unread(&self) -> bool {
        let state = self.0.lock();
        state.readings > 0 && !state.is_read
    }

    /// Whether no later reading has begun.
    pub(super) fn is_last(&self, reading: u64) -> bool {
        self.0.lock().readings == reading
    }

    /// These are all chats that were found by the reading of this number. What was told meanwhile is newer, or the same.
    /// `tell` gets whoever is to be told of a row, and what; `has_chat` who has a chat, and who has none. A later reading
    /// leaves nothing to do.
    pub(super) fn was_read(
        &self,
        reading: u64,
        rows: &[ChatRow],
        mut tell: impl FnMut(&ChatRow, &[SocketId], &[SocketId]),
        mut has_chat: impl FnMut(&VisitorId, bool),
    ) {
        let mut state = self.0.lock();
        if state.readings != reading {
            return;
        }
        state.is_read = true;
        let told = state.told.take().unwrap_or_default();
        let found: HashSet<ChatId> = rows.iter().map(|row| row.chat).collect();
        let is_gone = |chat: &ChatId| !found.contains(chat) && !told.contains(chat);
        let over: Vec<ChatRow> =
            state.rows.values().filter(|row| is_gone(&row.chat)).cloned().collect();
        for mut row in over {
            (row.status, row.agent) = (ChatStatus::Ended, None);
            has_chat(&row.visitorid, false);
            state.stands(&row, |put, remove| tell(&row, put, remove));
        }
        for row in rows.iter().filter(|row| !told.contains(&row.chat)) {
            has_chat(&row.visitorid, true);
            state.stands(row, |put, remove| tell(row, put, remove));
        }
    }

    /// The sockets of this agent that look.
    pub(super) fn sockets_of(&self, subject: &str) -> Vec<SocketId> {
        let state = self.0.lock();
        let his = state.watchers.iter().filter(|(_, of)| ***of == *subject);
        his.map(|(socket, _)| *socket).collect()
    }

    /// A chat began: whoever is told of it may ask for it at once, before its row is here. It keeps its place as long as
    /// it waits.
    pub(super) fn began(&self, chat: ChatId, visitor: &VisitorId, place: Option<WaitingPlace>) {
        let mut state = self.0.lock();
        state.visitors.insert(chat, visitor.clone());
        if let Some(place) = place {
            state.places.insert(chat, place);
        }
        if let Some(told) = &mut state.told {
            told.insert(chat);
        }
    }

    /// Whether somebody may read a chat; one that is not here is over, and everybody's.
    pub(super) fn may_read(&self, chat: ChatId, reader: &Reader) -> bool {
        self.0.lock().rows.get(&chat).is_none_or(|row| reader.may_read(row))
    }

    /// Whose chat this is.
    pub(super) fn visitor_of(&self, chat: ChatId) -> Option<VisitorId> {
        self.0.lock().visitors.get(&chat).cloned()
    }

    /// The chats that an agent has, or invited to.
    pub(super) fn of_agent(&self, subject: &str) -> Vec<ChatRow> {
        let state = self.0.lock();
        let is_his =
            |row: &&ChatRow| row.agent.as_ref().is_some_and(|agent| *agent.subject == *subject);
        state.rows.values().filter(is_his).cloned().collect()
    }

    /// The chats that are asked for, the newest first; at most `limit` of those that began before `before`.
    pub(super) fn rows(
        &self,
        is_asked_for: impl Fn(&ChatRow) -> bool,
        before: Option<ChatId>,
        limit: usize,
    ) -> Vec<ChatRow> {
        let state = self.0.lock();
        let rows = state.rows.values().rev();
        rows.filter(|row| before.is_none_or(|before| row.chat < before) && is_asked_for(row))
            .take(limit)
            .cloned()
            .collect()
    }

    /// How many there are.
    pub(super) fn count(&self) -> Count {
        let mut count = Count::default();
        for row in self.0.lock().rows.values() {
            match row.status {
                ChatStatus::Invited => count.invited += 1,
                ChatStatus::Waiting => count.waiting += 1,
                ChatStatus::Open => count.open += 1,
                ChatStatus::Ended => {}
            }
        }
        count
    }
}

impl State {
    fn stands(
        &mut self,
        row: &ChatRow,
        tell: impl FnOnce(&[SocketId], &[SocketId]),
    ) -> Option<VisitorId> {
        let is_over = row.status == ChatStatus::Ended;
        if row.status != ChatStatus::Waiting {
            self.places.remove(&row.chat);
        }
        let (whose, before) = if is_over {
            (self.visitors.remove(&row.chat), self.rows.remove(&row.chat))
        } else {
            let whose = self.visitors.insert(row.chat, row.visitorid.clone());
            (whose, self.rows.insert(row.chat, row.clone()))
        };
        let (mut put, mut remove) = (Vec::new(), Vec::new());
        for (socket, subject) in &self.watchers {
            let saw = before.as_ref().is_some_and(|before| sees(before, subject));
            // His own chat is shown to him once more, with the reason.
            match told(row, saw, subject) {
                Some(Told::Put) => put.push(*socket),
                Some(Told::Remove) => remove.push(*socket),
                None => {}
            }
        }
        if !put.is_empty() || !remove.is_empty() {
            tell(&put, &remove);
        }
        whose
    }
}

fn told(row: &ChatRow, saw: bool, subject: &str) -> Option<Told> {
    let is_his = row.agent.as_ref().is_some_and(|agent| *agent.subject == *subject);
    match row.status {
        ChatStatus::Ended if saw && is_his => Some(Told::Put),
        ChatStatus::Ended => saw.then_some(Told::Remove),
        _ if sees(row, subject) => Some(Told::Put),
        _ => saw.then_some(Told::Remove),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Timestamp,
        model::chat::{ChatEnd, Person},
    };

    fn row(chat: u128, status: ChatStatus, agent: Option<&str>) -> ChatRow {
        ChatRow {
            chat: ChatId::from_u128(chat),
            visitorid: "ada".parse().unwrap(),
            button: None,
            status,
            began: Timestamp(1),
            since: Timestamp(1),
            agent: agent.map(|subject| Person { subject: subject.into(), name: None }),
            reason: (status == ChatStatus::Ended).then_some(ChatEnd::Visitor),
            messages: 0,
            last: None,
        }
    }

    fn stands(board: &Board, row: &ChatRow) -> (Vec<SocketId>, Vec<SocketId>) {
        let mut told = (Vec::new(), Vec::new());
        board.stands(row, |put, remove| {
            told = (put.to_vec(), remove.to_vec());
        });
        told.0.sort_unstable();
        told.1.sort_unstable();
        told
    }

    #[test]
    fn what_is_read_anew_counts_but_for_what_was_told_meanwhile() {
        use ChatStatus::{Ended, Open, Waiting};
        let board = Board::default();
        let ann = SocketId(1);
        board.watch((ann, "ann"), || true, |_| ());
        for chat in 1..=3 {
            stands(&board, &row(chat, Waiting, None));
        }
        assert!(!board.is_unread(), "who shares with nobody knows all");
        let late = board.reads();
        let reading = board.reads();
        stands(&board, &row(2, Open, Some("ann")));
        stands(&board, &row(3, Ended, None));
        let found = [row(2, Waiting, None), row(3, Waiting, None), row(4, Waiting, None)];
        let (mut told, mut has) = (Vec::new(), Vec::new());
        let mut read = |reading| {
            board.was_read(
                reading,
                &found,
                |row, put, remove| told.push((row.chat, put.len(), remove.len())),
                |_, has_chat| has.push(has_chat),
            );
        };
        read(late);
        assert!(board.is_unread());
        read(reading);
        assert!(!board.is_unread());
        board.reads();
        assert!(!board.is_unread(), "from now on it hears of all");
        let id = ChatId::from_u128;
        assert_eq!(told, [(id(1), 0, 1), (id(4), 1, 0)]);
        assert_eq!(has, [false, true]);
        let rows = board.rows(|_| true, None, 10);
        let rows: Vec<_> = rows.iter().map(|row| (row.chat, row.status)).collect();
        assert_eq!(rows, [(id(4), Waiting), (id(2), Open)]);
    }

    #[test]
    fn everybody_sees_who_waits_and_his_own() {
        use ChatStatus::{Ended, Open, Waiting};
        let (ann, bob, tab) = (SocketId(1), SocketId(2), SocketId(3));
        let board = Board::default();
        stands(&board, &row(1, Waiting, None));
        stands(&board, &row(2, Open, Some("bob")));
        let seen = |socket, subject: &str| {
            let mut seen = Vec::new();
            board.watch(
                (socket, subject),
                || true,
                |rows| seen = rows.map(|row| row.chat).collect(),
            );
            seen
        };
        let id = ChatId::from_u128;
        assert_eq!(seen(ann, "ann"), [id(1)]);
        assert_eq!(seen(bob, "bob"), [id(1), id(2)]);
        assert_eq!(seen(tab, "ann"), [id(1)]);
        assert_eq!(stands(&board, &row(1, Open, Some("ann"))), (vec![ann, tab], vec![bob]));
        assert_eq!(stands(&board, &row(1, Open, Some("ann"))), (vec![ann, tab], vec![]));
        assert_eq!(stands(&board, &row(2, Ended, Some("bob"))), (vec![bob], vec![]));
        assert_eq!(stands(&board, &row(2, Ended, Some("bob"))), (vec![], vec![]), "once");
        assert_eq!(stands(&board, &row(1, Waiting, None)), (vec![ann, bob, tab], vec![]));
        assert_eq!(board.unwatch(tab).as_deref(), Some("ann"));
        assert_eq!(stands(&board, &row(1, Ended, None)), (vec![], vec![ann, bob]));
        assert_eq!((board.count(), board.visitor_of(id(1))), (Count::default(), None));
        board.began(id(3), &"bea".parse().unwrap(), None);
        assert_eq!(board.visitor_of(id(3)), "bea".parse().ok());
        board.watch((tab, "ann"), || false, |_| panic!("it is closed"));
        assert_eq!(board.unwatch(tab), None);
    }
}
