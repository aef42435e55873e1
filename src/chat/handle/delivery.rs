//! Where effects turn into messages, and into what agents and pages look at.

use std::sync::{Arc, atomic::Ordering};

use super::{ChatEngine, Shared, replica};
use crate::{
    chat::{
        conversation::{
            Conversation,
            command::{Effect, Tell},
        },
        staff::{self, Staff},
    },
    model::{
        chat::{ChatMessage, ChatRow, ChatStatus},
        ids::{ChatId, GroupId, SocketId, VisitorKey},
        protocol::{agent::ToAgent, chats::ChatsChange},
    },
    presence::visitor::command::Command as InPresence,
    store::{
        Deliver, Engine, Origin,
        history::{Line, PastChat, SaidLine},
    },
};

/// Sends what follows from a chat's transitions.
pub(super) struct ChatDelivery(pub Arc<Shared>);

impl<E: Engine<Conversation>> Deliver<Conversation, E> for ChatDelivery {
    fn deliver(&self, _: &E, key: &VisitorKey, effects: &mut Vec<Effect>, origin: Origin) {
        let Shared { presence, metrics, arrivals, ledger, .. } = &*self.0;
        // What is done once is done where the transition was made.
        let is_ours = origin == Origin::Here;
        for effect in effects.drain(..) {
            match effect {
                Effect::Stands { view, row, tell, turn } => {
                    if tell != Tell::Agents {
                        arrivals.has_chat(key, row.status != ChatStatus::Ended);
                    }
                    if is_ours {
                        if let Some(reason) = row.reason {
                            metrics.chats_ended.of(reason).inc();
                        }
                        ledger.write(Line::Chat(self.past(key, &row)));
                    }
                    if is_ours && tell != Tell::Agents {
                        let news = tell == Tell::News;
                        let told = InPresence::Chat { view, said: None, news, turn };
                        presence.tell_chat(key.clone(), told);
                    }
                    self.show(key, &row);
                }
                Effect::Said { message, view, row, turn, quiet } => {
                    if is_ours {
                        metrics.chat_messages.of(message.from).inc();
                        ledger.write(Line::Said(said(key, row.chat, &message)));
                    }
                    if quiet {
                        continue;
                    }
                    if is_ours {
                        let said = Some(Arc::clone(&message));
                        let told = InPresence::Chat { view, said, news: false, turn };
                        presence.tell_chat(key.clone(), told);
                    }
                    self.show(key, &row);
                    if let Some(agent) = &row.agent {
                        let visitorid = key.visitor.clone();
                        let told = ToAgent::ChatMessage { chat: row.chat, visitorid, message };
                        self.to_agent(&key.group, &agent.subject, &told);
                    }
                }
                Effect::Typing { chat, visitor: true, agent } => {
                    let told = ToAgent::Typing { chat, visitorid: key.visitor.clone() };
                    self.to_agent(&key.group, &agent.subject, &told);
                }
                Effect::Typing { .. } if !is_ours => {}
                Effect::Typing { agent, .. } => {
                    let typing = InPresence::ChatTyping { name: agent.name };
                    presence.tell_chat(key.clone(), typing);
                }
            }
        }
    }

    fn missed(&self, engine: &E) {
        replica::read_boards(&self.0, engine);
    }
}

impl ChatDelivery {
    /// As the history keeps it.
    fn past(&self, key: &VisitorKey, row: &ChatRow) -> PastChat {
        let is_over = row.status == ChatStatus::Ended;
        PastChat {
            group: key.group.clone(),
            chat: row.chat,
            visitor: row.visitorid.clone(),
            began: row.began,
            ended: is_over.then(|| self.0.presence.clock().wall()),
            summary: json(row),
        }
    }

    fn show(&self, key: &VisitorKey, row: &ChatRow) {
        let Shared { floors, arrivals, .. } = &*self.0;
        let Some(floor) = floors.get(&key.group) else { return };
        let before = floor.board.stands(row, |put, remove| self.0.shows(row, put, remove));
        // It went along with a visitor who became known.
        if let Some(visitor) = before.filter(|before| *before != row.visitorid) {
            arrivals.has_chat(&VisitorKey { group: key.group.clone(), visitor }, false);
        }
    }

    fn to_agent(&self, group: &GroupId, subject: &str, message: &ToAgent) {
        let Shared { floors, post, .. } = &*self.0;
        if let Some(floor) = floors.get(group) {
            post.agents(&floor.board.sockets_of(subject), message);
        }
    }
}

impl Shared {
    /// Shows agents how a chat stands, or that they see it no more.
    pub(super) fn shows(&self, row: &ChatRow, put: &[SocketId], remove: &[SocketId]) {
        if !put.is_empty() {
            self.post.agents(put, &ToAgent::Chats(ChatsChange::put(vec![row.clone()])));
        }
        if !remove.is_empty() {
            self.post.agents(remove, &ToAgent::Chats(ChatsChange::remove(vec![row.chat])));
        }
    }
}

fn said(key: &VisitorKey, chat: ChatId, message: &ChatMessage) -> SaidLine {
    let (group, message, n, at) = (key.group.clone(), json(message), message.n, message.at);
    SaidLine { group, chat, n, at, message }
}

/// Our own types always have a JSON form.
fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Sends what follows from who is there.
pub(super) struct StaffDelivery(pub Arc<Shared>, pub ChatEngine);

impl<E: Engine<Staff>> Deliver<Staff, E> for StaffDelivery {
    fn deliver(&self, _: &E, group: &GroupId, effects: &mut Vec<staff::Effect>, _: Origin) {
        let Shared { node, floors, post, .. } = &*self.0;
        let Some(floor) = floors.get(group) else { return effects.clear() };
        for effect in effects.drain(..) {
            match effect {
                staff::Effect::Button { button, enabled } => {
                    floor.buttons.change(&button, enabled, |pages| {
                        post.button(pages, &button, enabled);
                    });
                }
                staff::Effect::Told { to, buttons } => {
                    let here = to.into_iter().filter(|to| to.node == *node);
                    let here: Vec<_> = here.map(|to| to.socket).collect();
                    post.agents(&here, &ToAgent::Available { buttons });
                }
                staff::Effect::Lost { subject } => {
                    replica::lose(&self.1, group.clone(), &floor.board, subject);
                }
                staff::Effect::Counted { available } => {
                    floor.available.store(available, Ordering::Relaxed);
                }
            }
        }
    }

    fn missed(&self, engine: &E) {
        replica::read_panels(&self.0, engine);
    }
}
