//! Lives of a visitor's chats, drawn at random, against a list of everything that was said and done. What a page hears must
//! be enough to know the chat, and late timers must change nothing.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    Conversation, Rules,
    command::{Command, Effect, EndedBy, Invitation, Reply, Saying, Tell, Voice},
};
use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatEnd, ChatMessage, ChatStatus, ChatView, Person},
        ids::{ChatId, VisitorId},
    },
};

const RULES: Rules = Rules {
    invited_ms: 500,
    waiting_ms: 2_000,
    idle_ms: 3_000,
    visitor_grace_ms: 700,
    most_messages: 12,
};

#[derive(Clone, Debug)]
enum Happening {
    Open { available: bool },
    Invite { agent: u8 },
    Answer { accepted: bool },
    Say { by: Option<u8>, id: u8 },
    Claim { agent: u8 },
    Release { agent: u8 },
    End { by: Option<u8> },
    Lost { agent: u8 },
    Present { present: bool },
    Nothing,
}

fn happening() -> impl Strategy<Value = Happening> {
    let (agent, by) = (0_u8..3, prop::option::of(0_u8..3));
    prop_oneof![
        3 => prop::bool::weighted(0.8).prop_map(|available| Happening::Open { available }),
        2 => agent.clone().prop_map(|agent| Happening::Invite { agent }),
        2 => any::<bool>().prop_map(|accepted| Happening::Answer { accepted }),
        8 => (by.clone(), 0_u8..20).prop_map(|(by, id)| Happening::Say { by, id }),
        4 => agent.clone().prop_map(|agent| Happening::Claim { agent }),
        1 => agent.clone().prop_map(|agent| Happening::Release { agent }),
        1 => by.prop_map(|by| Happening::End { by }),
        2 => agent.prop_map(|agent| Happening::Lost { agent }),
        2 => any::<bool>().prop_map(|present| Happening::Present { present }),
        2 => Just(Happening::Nothing),
    ]
}

fn person(agent: u8) -> Person {
    Person { subject: format!("agent{agent}").into(), name: Some(format!("Agent {agent}").into()) }
}

/// A chat as a diary has it.
#[derive(Clone, Debug)]
struct Diary {
    chat: ChatId,
    status: ChatStatus,
    agent: Option<u8>,
    /// When it came to this status; then each word of an open one counts.
    stirred: u64,
    away: Option<u64>,
    /// Who said what under which name; the invitation has none.
    said: Vec<(Option<u8>, Option<u8>)>,
}

impl Diary {
    fn ends(&self) -> (u64, ChatEnd) {
        let (patience, reason) = match self.status {
            ChatStatus::Invited => (RULES.invited_ms, ChatEnd::Unanswered),
            ChatStatus::Waiting => (RULES.waiting_ms, ChatEnd::Unanswered),
            _ => (RULES.idle_ms, ChatEnd::Idle),
        };
        let stirs = (self.stirred + patience, reason);
        let leaves = self.away.map(|away| (away + RULES.visitor_grace_ms, ChatEnd::Left));
        leaves.filter(|leaves| leaves.0 <= stirs.0).unwrap_or(stirs)
    }

    fn becomes(&mut self, status: ChatStatus, now: u64) {
        if self.status != status {
            (self.status, self.stirred) = (status, now);
        }
    }

    fn accepts(&mut self, now: u64) {
        if self.status == ChatStatus::Invited {
            let open = self.agent.is_some();
            self.becomes(if open { ChatStatus::Open } else { ChatStatus::Waiting }, now);
        }
    }
}

#[derive(Default)]
struct Model {
    diary: Option<Diary>,
    ended: Vec<ChatEnd>,
}

/// What the answer should be like.
#[derive(Debug, PartialEq)]
enum Answer {
    Fine,
    Said(u32),
    Refused,
}

impl Model {
    fn end(&mut self, reason: ChatEnd) {
        self.diary = None;
        self.ended.push(reason);
    }

    fn happens(&mut self, happening: &Happening, new: ChatId, now: u64) -> Answer {
        if let Some((due, reason)) = self.diary.as_ref().map(Diary::ends)
            && due <= now
        {
            self.end(reason);
        }
        let begin = |status, agent, said| {
            Some(Diary { chat: new, status, agent, stirred: now, away: None, said })
        };
        let Some(diary) = &mut self.diary else {
            return match happening {
                Happening::Open { available: true } => {
                    self.diary = begin(ChatStatus::Waiting, None, Vec::new());
                    Answer::Fine
                }
                Happening::Invite { agent } => {
                    let said = vec![(Some(*agent), None)];
                    self.diary = begin(ChatStatus::Invited, Some(*agent), said);
                    Answer::Fine
                }
                Happening::End { by: None }
                | Happening::Lost { .. }
                | Happening::Present { .. }
                | Happening::Nothing => Answer::Fine,
                _ => Answer::Refused,
            };
        };
        let has = |agent: u8| diary.agent == Some(agent);
        match *happening {
            Happening::Open { .. } | Happening::Answer { accepted: true } => diary.accepts(now),
            Happening::Invite { agent } => {
                return if diary.status == ChatStatus::Invited && has(agent) {
                    Answer::Fine
                } else {
                    Answer::Refused
                };
            }
            Happening::Answer { accepted: false } => {
                if diary.status != ChatStatus::Invited {
                    return Answer::Refused;
                }
                self.end(ChatEnd::Declined);
            }
            Happening::Say { by, id } => {
                if by.is_some_and(|agent| !has(agent)) {
                    return Answer::Refused;
                }
                let same = diary.said.iter().position(|said| *said == (by, Some(id)));
                if let Some(place) = same {
                    return Answer::Said(place as u32 + 1);
                }
                if diary.said.len() >= RULES.most_messages as usize {
                    return Answer::Refused;
                }
                if by.is_none() {
                    diary.accepts(now);
                }
                diary.said.push((by, Some(id)));
                if diary.status == ChatStatus::Open {
                    diary.stirred = now;
                }
                return Answer::Said(diary.said.len() as u32);
            }
            Happening::Claim { agent } => match diary.agent {
                Some(other) if other != agent => return Answer::Refused,
                Some(_) => {}
                None => {
                    diary.agent = Some(agent);
                    if diary.status == ChatStatus::Waiting {
                        diary.becomes(ChatStatus::Open, now);
                    }
                }
            },
            Happening::Release { agent } => {
                if !has(agent) || diary.status != ChatStatus::Open {
                    return Answer::Refused;
                }
                diary.agent = None;
                diary.becomes(ChatStatus::Waiting, now);
            }
            Happening::End { by: Some(agent) } => {
                if diary.agent.is_some() && !has(agent) {
                    return Answer::Refused;
                }
                self.end(ChatEnd::Agent);
            }
            Happening::End { by: None } => {
                let declines = diary.status == ChatStatus::Invited;
                self.end(if declines { ChatEnd::Declined } else { ChatEnd::Visitor });
            }
            Happening::Lost { agent } => {
                if has(agent) {
                    diary.agent = None;
                    if diary.status == ChatStatus::Open {
                        diary.becomes(ChatStatus::Waiting, now);
                    }
                }
            }
            Happening::Present { present } => {
                diary.away = if present { None } else { diary.away.or(Some(now)) };
            }
            Happening::Nothing => {}
        }
        Answer::Fine
    }
}

fn command(happening: &Happening, new: ChatId, has: ChatId) -> Command {
    let by = |by: Option<u8>| by.map_or(Voice::Visitor, |agent| Voice::Agent(person(agent)));
    match *happening {
        Happening::Open { available } => Command::Open { chat: new, button: None, available },
        Happening::Invite { agent } => {
            let (by, text) = (person(agent), "hello".into());
            Command::Invite(Box::new(Invitation { chat: new, by, text, button: None }))
        }
        Happening::Answer { accepted } => Command::Answer { accepted },
        Happening::Say { by: who, id } => Command::Say(Box::new(Saying {
            chat: who.map(|_| has),
            by: by(who),
            text: format!("text {id}").into(),
            id: Some(id.to_string().parse().unwrap()),
        })),
        Happening::Claim { agent } => Command::Claim { chat: has, by: person(agent) },
        Happening::Release { agent } => Command::Release { chat: has, by: person(agent) },
        Happening::End { by: None } => Command::End { chat: None, by: EndedBy::Visitor },
        Happening::End { by: Some(agent) } => {
            Command::End { chat: Some(has), by: EndedBy::Agent(person(agent)) }
        }
        Happening::Lost { agent } => Command::AgentLost { subject: person(agent).subject },
        Happening::Present { present } => Command::Present { present },
        Happening::Nothing => Command::Tick,
    }
}

/// A page that goes by what it hears alone.
#[derive(Default)]
struct Page {
    view: Option<ChatView>,
    ended: Vec<ChatEnd>,
}

impl Page {
    fn hears(&mut self, effect: Effect) {
        match effect {
            Effect::Stands { view, row, tell, .. } => {
                assert_ne!(tell, Tell::Agents, "this visitor has one name only");
                assert_eq!((row.status, row.reason), (view.status, view.reason));
                if let Some(reason) = view.reason {
                    self.ended.push(reason);
                    self.view = None;
                } else {
                    self.view = Some(Arc::unwrap_or_clone(view));
                }
            }
            Effect::Said { quiet: true, .. } => {}
            Effect::Said { message, view, .. } => {
                let known = self.view.as_mut().expect("nothing is said before it begins");
                assert_eq!(known.chat, view.chat);
                known.messages.push(message);
            }
            Effect::Typing { .. } => {}
        }
    }
}

proptest! {
    #[test]
    fn a_chat_is_what_was_said_and_done(
        life in prop::collection::vec((happening(), prop_oneof![Just(0_u64), 1..400_u64, 500..2_500_u64]), 1..100),
    ) {
        let visitor: VisitorId = "ada".parse().unwrap();
        let (mut model, mut page) = (Model::default(), Page::default());
        let (mut late, mut punctual) = (Conversation::default(), Conversation::default());
        let mut now = 10_000;
        for (place, (happening, pause)) in life.into_iter().enumerate() {
            now += pause;
            let new = ChatId::from_u128(place as u128 + 1);
            let has = model.diary.as_ref().map_or(new, |diary| diary.chat);
            let command = command(&happening, new, has);
            let mut effects = Vec::new();
            // One is told of time as soon as something is due, the other only when something happens.
            while let Some(due) = punctual.deadline(&RULES).filter(|due| due.0 <= now) {
                punctual.apply(&visitor, Command::Tick, due, &RULES, &mut effects);
            }
            punctual.apply(&visitor, command.clone(), Timestamp(now), &RULES, &mut effects);
            let mut heard = Vec::new();
            let reply = late.apply(&visitor, command, Timestamp(now), &RULES, &mut heard);
            prop_assert_eq!(&late, &punctual);
            prop_assert_eq!(&heard, &effects);
            heard.into_iter().for_each(|effect| page.hears(effect));
            let expected = model.happens(&happening, new, now);
            let answer = match &reply {
                Reply::Said { n, .. } => Answer::Said(*n),
                Reply::Refused(_) => Answer::Refused,
                _ => Answer::Fine,
            };
            prop_assert_eq!(answer, expected, "{:?}: {:?}", happening, reply);
            prop_assert_eq!(&page.ended, &model.ended);
            let view = late.running().map(super::running::Running::view);
            prop_assert_eq!(&page.view, &view);
            prop_assert_eq!(late.is_vacant(), model.diary.is_none());
            if let (Some(view), Some(diary)) = (view, &model.diary) {
                prop_assert_eq!((view.chat, view.status), (diary.chat, diary.status));
                prop_assert_eq!(
                    view.agent.and_then(|agent| agent.name),
                    diary.agent.and_then(|agent| person(agent).name)
                );
                let numbers: Vec<u32> = view.messages.iter().map(|message: &Arc<ChatMessage>| message.n).collect();
                prop_assert_eq!(numbers, (1..=diary.said.len() as u32).collect::<Vec<_>>());
                let due = late.deadline(&RULES).unwrap();
                prop_assert_eq!(due, Timestamp(diary.ends().0));
                prop_assert!(due.0 > now);
            }
            // It is the same after a restart.
            let saved = serde_json::to_vec(&late).unwrap();
            prop_assert_eq!(&serde_json::from_slice::<Conversation>(&saved).unwrap(), &late);
        }
    }
}
