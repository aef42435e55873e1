//! An agent's chats, from his socket's side.

use std::sync::Arc;

use super::{AgentSocket, answer};
use crate::{
    auth::Agent,
    chat::{
        conversation::command::{EndedBy, Voice},
        handle::{Desk, Reader},
    },
    clock::Timestamp,
    model::{
        chat::{ChatRow, ChatView},
        error::Problem,
        ids::{VisitorId, VisitorKey},
        protocol::{
            agent::ToAgent,
            chats::{AgentChat, ChatAnswer, ChatsChange},
        },
    },
    sockets::{
        outbox::{Class, Outbox},
        service::refuse,
        table::{Line, text},
    },
    telemetry::labels::Limited,
};

/// Rows in one message: some hundred bytes each, so that a message stays well below what may wait for a socket.
const ROWS: usize = 64;

impl AgentSocket {
    pub(super) fn chat(&mut self, asked: AgentChat, request: Option<u64>) {
        let Some(agent) = self.agent.clone() else { return };
        let (chat, line) = (self.service.chat.clone(), Arc::clone(&self.line));
        let (group, person) = (agent.group.clone(), agent.person());
        let done = {
            let line = Arc::clone(&line);
            move |done: Result<(), Problem>| match done {
                Ok(()) => answer(&line, request, |_| ()),
                Err(problem) => refuse(&line.outbox, request, problem),
            }
        };
        match asked {
            AgentChat::Available(buttons) => {
                let now = self.service.clock().now();
                let admitted = self.service.admission.availability(&group, &person.subject, now);
                if let Err(problem) = admitted {
                    self.service.metrics.limited.of(Limited::Availability).inc();
                    return refuse(&line.outbox, request, problem);
                }
                chat.available(self.desk(&agent), buttons, move |available| match available {
                    Ok(buttons) => answer(&line, request, |ok| ok.buttons = Some(buttons)),
                    Err(problem) => refuse(&line.outbox, request, problem),
                });
            }
            AgentChat::Watch => {
                let refused = Arc::clone(&line);
                chat.watch(
                    self.desk(&agent),
                    move |buttons, rows| {
                        let buttons = Some(buttons.clone());
                        answer(&line, request, |ok| ok.buttons = buttons);
                        tell_all(&line.outbox, rows);
                    },
                    move |problem| refuse(&refused.outbox, request, problem),
                );
            }
            AgentChat::Read(id) => {
                chat.read(&group, id, Reader::of(&agent), move |read| match read {
                    Ok((row, view)) => answer(&line, request, |ok| {
                        (ok.visitorid, ok.chat) = (Some(row.visitorid), Arc::from(view).into());
                    }),
                    Err(problem) => refuse(&line.outbox, request, problem),
                });
            }
            AgentChat::Claim(id) => {
                let told = move |claimed: Claimed| tell_claimed(&line, request, claimed);
                let then = chat.clone();
                chat.attend(self.desk(&agent), move |there| match there {
                    Ok(_) => then.claim(&group, id, person, told),
                    Err(problem) => told(Err(problem)),
                });
            }
            AgentChat::Release(id) => chat.release(&group, id, person, done),
            AgentChat::Say { chat: id, text, id: name } => {
                let masked = self.masked(&group, &text).unwrap_or(text);
                let saying = (Voice::Agent(person), masked, Some(name));
                chat.say_in(&group, id, saying, move |said| match said {
                    Ok((n, at)) => said_at(&line, request, n, at),
                    Err(problem) => refuse(&line.outbox, request, problem),
                });
            }
            AgentChat::End(id) => chat.end(&group, id, EndedBy::Agent(person), done),
            AgentChat::Invite { visitor, text, button } => {
                let masked = self.masked(&group, &text).unwrap_or(text);
                let key = VisitorKey { group, visitor: visitor.clone() };
                let told = move |invited: Result<_, Problem>| {
                    tell_claimed(&line, request, invited.map(|view| (visitor, view)));
                };
                let then = chat.clone();
                chat.attend(self.desk(&agent), move |there| match there {
                    Ok(_) => then.invite(key, (person, masked, button), told),
                    Err(problem) => told(Err(problem)),
                });
            }
            AgentChat::Typing(id) => {
                chat.agent_types(&group, id, person);
                done(Ok(()));
            }
        }
    }

    /// Where the agent works with chats, as long as this socket is open.
    fn desk(&mut self, agent: &Agent) -> &Desk {
        let (chat, socket) = (&self.service.chat, self.entry.id);
        self.desk.get_or_insert_with(|| chat.desk(agent.group.clone(), &agent.subject, socket))
    }

    fn masked(&self, group: &crate::model::ids::GroupId, text: &str) -> Option<Box<str>> {
        let group = self.service.settings.groups.get(group)?;
        group.cobrowse.masking.text(text).map(String::into_boxed_str)
    }
}

/// A chat that became the agent's, and whose it is.
type Claimed = Result<(VisitorId, Arc<ChatView>), Problem>;

fn tell_claimed(line: &Line, request: Option<u64>, claimed: Claimed) {
    match claimed {
        Ok((visitor, view)) => answer(line, request, |ok| {
            (ok.visitorid, ok.chat) = (Some(visitor), view.into());
        }),
        Err(problem) => refuse(&line.outbox, request, problem),
    }
}

fn said_at(line: &Line, request: Option<u64>, n: u32, at: Timestamp) {
    answer(line, request, |ok| ok.chat = ChatAnswer::said(n, at));
}

/// All that an agent sees, in as many messages as it takes; at least one, which says that it is all anew.
fn tell_all(outbox: &Outbox, rows: &mut dyn Iterator<Item = &ChatRow>) {
    let mut reset = true;
    loop {
        let put: Vec<_> = rows.take(ROWS).cloned().collect();
        let is_last = put.len() < ROWS;
        let change = ChatsChange { reset, put, remove: Vec::new() };
        if reset || !change.put.is_empty() {
            let _ = outbox.push(Class::Reliable, text(&ToAgent::Chats(change)));
        }
        reset = false;
        if is_last {
            return;
        }
    }
}
