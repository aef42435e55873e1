//! What agents ask for.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{Answer, Chat, Reader, done, unexpected, view as view_of};
use crate::{
    chat::{
        conversation::{
            Conversation,
            command::{Command, EndedBy, Invitation, Saying, Voice},
            taken,
        },
        staff::{self, Staff},
    },
    clock::Timestamp,
    model::{
        chat::{ChatRow, ChatView, Person},
        error::{ErrorCode, Problem},
        ids::{ButtonId, ChatId, GroupId, IdempotencyKey, SocketId, VisitorId, VisitorKey},
    },
    store::{Afterwards, Applied, Engine, Expect, Refusal},
};

/// An agent's socket that looks at chats, until this is dropped.
pub struct Desk {
    chat: Chat,
    group: GroupId,
    subject: Box<str>,
    socket: SocketId,
    is_open: Arc<AtomicBool>,
    /// Whether he leaves, or is trusted no longer, so that he is not waited for.
    pub leaves: bool,
}

impl Desk {
    /// Whether it is the desk of the agent with this subject.
    #[must_use]
    pub fn is_of(&self, subject: &str) -> bool {
        *self.subject == *subject
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.is_open.store(false, Ordering::SeqCst);
        if let Ok(floor) = self.chat.floor(&self.group) {
            floor.board.unwatch(self.socket);
        }
        let socket = self.chat.address(self.socket);
        let (subject, at_once) = (std::mem::take(&mut self.subject), self.leaves);
        let gone = staff::Command::Gone { subject, socket, at_once };
        self.chat.0.staff.submit(self.group.clone(), Expect::Any, gone, Box::new(|_| ()));
    }
}

impl Chat {
    /// An agent is to work with chats on this socket.
    #[must_use]
    pub fn desk(&self, group: GroupId, subject: &str, socket: SocketId) -> Desk {
        let is_open = Arc::new(AtomicBool::new(true));
        Desk { chat: self.clone(), group, subject: subject.into(), socket, is_open, leaves: false }
    }

    /// The desk's agent is there, which `answer` hears with the buttons that he is available for: as long as he is, he
    /// keeps the chats that he has, and he is missed when he goes. `toomany` when as many agents of his group are there as
    /// may be: then he may have no chats, since nobody would miss him.
    pub fn attend(
        &self,
        desk: &Desk,
        answer: impl FnOnce(Result<BTreeSet<ButtonId>, Problem>) + Send + 'static,
    ) {
        let Desk { group, subject, socket, .. } = desk;
        let (subject, socket) = (subject.clone(), self.address(*socket));
        let arrive = staff::Command::Arrive { subject, socket };
        self.of_staff(group.clone(), arrive, Box::new(answer));
    }

    /// The desk's socket looks at the chats that wait and at the agent's own. `begin` gets those before any change is told;
    /// it is called with the buttons that he is available for.
    pub fn watch(
        &self,
        desk: &Desk,
        begin: impl FnOnce(&BTreeSet<ButtonId>, &mut dyn Iterator<Item = &ChatRow>) + Send + 'static,
        refuse: impl FnOnce(Problem) + Send + 'static,
    ) {
        let Desk { group, subject, socket, .. } = desk;
        let (chat, of, subject, socket) = (self.clone(), group.clone(), subject.clone(), *socket);
        let is_open = Arc::clone(&desk.is_open);
        self.attend(desk, move |buttons| match buttons {
            Ok(buttons) => match chat.floor(&of) {
                Ok(floor) => floor.board.watch(
                    (socket, &subject),
                    || is_open.load(Ordering::SeqCst),
                    |rows| begin(&buttons, rows),
                ),
                Err(problem) => refuse(problem),
            },
            Err(problem) => refuse(problem),
        });
    }

    /// The agent is available for these buttons from now on, and for no others. A group that declares its buttons has no
    /// others.
    pub fn available(
        &self,
        desk: &Desk,
        buttons: BTreeSet<ButtonId>,
        answer: impl FnOnce(Result<BTreeSet<ButtonId>, Problem>) + Send + 'static,
    ) {
        let Desk { group, subject, socket, .. } = desk;
        let declared = match self.floor(group) {
            Ok(floor) => &floor.declared,
            Err(problem) => return answer(Err(problem)),
        };
        let unknown = |button: &&ButtonId| !declared.is_empty() && !declared.contains(button);
        if let Some(unknown) = buttons.iter().find(unknown) {
            let rule = format!("{unknown} is not one of the group's buttons");
            return answer(Err(Problem::field("buttons", rule)));
        }
        let (subject, socket) = (subject.clone(), self.address(*socket));
        let available = staff::Command::Available { subject, socket, buttons };
        self.of_staff(group.clone(), available, Box::new(answer));
    }

    fn of_staff(
        &self,
        group: GroupId,
        command: staff::Command,
        answer: Answer<BTreeSet<ButtonId>>,
    ) {
        let sink = Box::new(move |result: Result<Applied<staff::Reply>, Refusal>| {
            answer(match result.map(|applied| applied.reply) {
                Ok(staff::Reply::Buttons(buttons)) => Ok(buttons),
                Ok(staff::Reply::Refused(problem)) => Err(problem),
                Ok(staff::Reply::Done) => Err(unexpected()),
                Err(refusal) => Err(refusal.into()),
            });
        });
        self.0.staff.submit(group, Expect::Any, command, sink);
    }

    /// A group's buttons: those that it declares and those that somebody is available for, each with the number of agents
    /// who are, and whether it is declared.
    pub fn buttons(
        &self,
        group: GroupId,
        answer: impl FnOnce(Result<BTreeMap<ButtonId, (usize, bool)>, Problem>) + Send + 'static,
    ) {
        let declared = match self.floor(&group) {
            Ok(floor) => floor.declared.clone(),
            Err(problem) => return answer(Err(problem)),
        };
        let reader = move |found: Result<Option<&Staff>, Refusal>| -> Afterwards {
            let enabled = found.map(|staff| staff.map(Staff::enabled).unwrap_or_default());
            Box::new(move || {
                answer(enabled.map_err(Problem::from).map(|enabled| {
                    let declared = declared.into_iter().map(|button| (button, (0, true)));
                    let mut buttons: BTreeMap<_, _> = declared.collect();
                    for (button, agents) in enabled {
                        buttons.entry(button).or_insert((0, false)).0 = agents;
                    }
                    buttons
                }));
            })
        };
        self.0.staff.read(group, Box::new(reader));
    }

    /// A chat that is not over, with whose it is. `taken` when another agent has it.
    pub fn read(
        &self,
        group: &GroupId,
        chat: ChatId,
        by: Reader,
        answer: impl FnOnce(Result<(ChatRow, ChatView), Problem>) + Send + 'static,
    ) {
        let here = self.clone();
        self.find(group, chat, move |key| match key {
            Ok(key) => here.read_of(key, chat, by, answer),
            Err(problem) => answer(Err(problem)),
        });
    }

    fn read_of(
        &self,
        key: VisitorKey,
        chat: ChatId,
        by: Reader,
        answer: impl FnOnce(Result<(ChatRow, ChatView), Problem>) + Send + 'static,
    ) {
        let reader = move |found: Result<Option<&Conversation>, Refusal>| -> Afterwards {
            let found = found.map(|conversation| {
                let running = conversation.and_then(Conversation::running);
                let running = running.filter(|running| running.chat == chat);
                running.map(|running| (running.row(), running.view()))
            });
            Box::new(move || {
                let over = || Problem::new(ErrorCode::NotFound, "the chat is over");
                let found = found.map_err(Problem::from).and_then(|found| found.ok_or_else(over));
                answer(found.and_then(|(row, view)| {
                    if by.may_read(&row) { Ok((row, view)) } else { Err(taken()) }
                }));
            })
        };
        self.0.conversations.read(key, Box::new(reader));
    }

    /// The chats of a group that are not over, that he may read, and that are asked for, the newest first; at most `limit`
    /// of those that began before `before`.
    ///
    /// # Errors
    /// `group`; `unready` as [`Chat::knows_all`] says.
    pub fn list(
        &self,
        group: &GroupId,
        by: &Reader,
        is_asked_for: impl Fn(&ChatRow) -> bool,
        before: Option<ChatId>,
        limit: usize,
    ) -> Result<Vec<ChatRow>, Problem> {
        self.knows_all(group)?;
        let is_listed = |row: &ChatRow| by.may_read(row) && is_asked_for(row);
        Ok(self.floor(group)?.board.rows(is_listed, before, limit))
    }

    /// Whether he may read what is kept of a chat: of one that goes on, what he may read of that.
    #[must_use]
    pub fn may_read(&self, group: &GroupId, chat: ChatId, by: &Reader) -> bool {
        self.floor(group).is_ok_and(|floor| floor.board.may_read(chat, by))
    }

    /// An agent takes a chat: exactly one does. Who has it may say so again. `taken` when another has it, `toomany` when he
    /// has as many as he may.
    pub fn claim(
        &self,
        group: &GroupId,
        chat: ChatId,
        by: Person,
        answer: impl FnOnce(Result<(VisitorId, Arc<ChatView>), Problem>) + Send + 'static,
    ) {
        let his = self.floor(group).map(|floor| floor.board.of_agent(&by.subject));
        let most = self.0.shared.most_of_agent;
        match his {
            Ok(his) if his.len() >= most && his.iter().all(|row| row.chat != chat) => {
                let sentence = "the agent has as many chats as he may";
                return answer(Err(Problem::new(ErrorCode::TooMany, sentence)));
            }
            Ok(_) => {}
            Err(problem) => return answer(Err(problem)),
        }
        let here = self.clone();
        self.find(group, chat, move |key| match key {
            Ok(key) => {
                let visitor = key.visitor.clone();
                here.submit(key, Command::Claim { chat, by }, |reply| {
                    answer(view_of(reply).map(|view| (visitor, view)));
                });
            }
            Err(problem) => answer(Err(problem)),
        });
    }

    /// Its agent gives a chat back: it waits again.
    pub fn release(
        &self,
        group: &GroupId,
        chat: ChatId,
        by: Person,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.of_chat(group, chat, Command::Release { chat, by }, answer);
    }

    /// Ends a chat.
    pub fn end(
        &self,
        group: &GroupId,
        chat: ChatId,
        by: EndedBy,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        self.of_chat(group, chat, Command::End { chat: Some(chat), by }, answer);
    }

    /// Somebody says something in a chat.
    pub fn say_in(
        &self,
        group: &GroupId,
        chat: ChatId,
        (by, text, id): (Voice, Box<str>, Option<IdempotencyKey>),
        answer: impl FnOnce(Result<(u32, Timestamp), Problem>) + Send + 'static,
    ) {
        let here = self.clone();
        self.find(group, chat, move |key| match key {
            Ok(key) => here.say(key, Saying { chat: Some(chat), by, text, id }, answer),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// An agent is typing.
    pub fn agent_types(&self, group: &GroupId, chat: ChatId, by: Person) {
        let typing = Command::Typing { chat: Some(chat), by: Voice::Agent(by) };
        self.of_chat(group, chat, typing, |_| ());
    }

    /// An agent invites a visitor. `visitornotpresent` when he is not there, `taken` when he has a chat already.
    pub fn invite(
        &self,
        visitor: VisitorKey,
        (by, text, button): (Person, Box<str>, Option<ButtonId>),
        answer: impl FnOnce(Result<Arc<ChatView>, Problem>) + Send + 'static,
    ) {
        let his = self.floor(&visitor.group).map(|floor| floor.board.of_agent(&by.subject).len());
        match his {
            Ok(his) if his >= self.0.shared.most_of_agent => {
                let sentence = "the agent has as many chats as he may";
                return answer(Err(Problem::new(ErrorCode::TooMany, sentence)));
            }
            Ok(_) => {}
            Err(problem) => return answer(Err(problem)),
        }
        let chat = self.clone();
        self.0.shared.presence.look_up(visitor.clone(), move |found| match found {
            Ok(Some(view)) if view.connected => {
                let (new, key, here) = (ChatId::generate(), visitor.clone(), chat.clone());
                let command = Command::Invite(Box::new(Invitation { chat: new, by, text, button }));
                chat.submit(visitor, command, move |reply| {
                    answer(here.began(&key, (new, None), view_of(reply)));
                });
            }
            Ok(_) => {
                let sentence = "the visitor is not there";
                answer(Err(Problem::new(ErrorCode::VisitorNotPresent, sentence)));
            }
            Err(problem) => answer(Err(problem)),
        });
    }

    fn of_chat(
        &self,
        group: &GroupId,
        chat: ChatId,
        command: Command,
        answer: impl FnOnce(Result<(), Problem>) + Send + 'static,
    ) {
        let here = self.clone();
        self.find(group, chat, move |key| match key {
            Ok(key) => here.submit(key, command, |reply| answer(done(reply))),
            Err(problem) => answer(Err(problem)),
        });
    }
}
