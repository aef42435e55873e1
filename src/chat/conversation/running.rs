//! A chat that is not over.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Rules, Step,
    command::{Effect, Reply, Saying, Tell, Voice},
    refuse_taken,
};
use crate::{
    clock::Timestamp,
    model::{
        chat::{
            ChatAgent, ChatEnd, ChatMessage, ChatRow, ChatStatus, ChatView, Person, Speaker,
            VIEW_BYTES, VIEW_MESSAGES, beginning, last_of,
        },
        error::{ErrorCode, Problem},
        ids::{ButtonId, ChatId, IdempotencyKey, VisitorId},
    },
};

/// Names of sayings that are remembered, of all speakers of a chat.
const REMEMBERED: usize = 64;
/// Typing is told at most so often, in ms: a little less than pages send it, which may come early.
const TYPING_MS: u64 = 2_500;

/// How far a chat is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stage {
    /// The visitor has not answered.
    Invited,
    /// No agent has it.
    Waiting,
    /// An agent has it.
    Open,
}

/// A chat that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// Which.
    pub chat: ChatId,
    /// Whose.
    pub(super) visitor: VisitorId,
    pub(super) stage: Stage,
    button: Option<ButtonId>,
    /// Who has it, or invited.
    pub(super) agent: Option<Person>,
    began: Timestamp,
    /// Since when it is at this stage.
    since: Timestamp,
    /// When it ends if nothing happens.
    pub(super) due: Timestamp,
    /// Since when the visitor is not on the site.
    pub(super) away: Option<Timestamp>,
    /// The last messages.
    messages: VecDeque<Arc<ChatMessage>>,
    /// How many there were.
    count: u32,
    /// How often somebody was told how it stands: what is told later has the greater number.
    #[serde(default)]
    turn: u64,
    /// Names of the last sayings, and what became of them.
    said: VecDeque<Said>,
    /// When the visitor, and the agent, last were told to be typing.
    typed: [Timestamp; 2],
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Said {
    by: Box<str>,
    id: IdempotencyKey,
    n: u32,
    at: Timestamp,
}

impl Running {
    /// The visitor waits.
    pub(super) fn waits(chat: ChatId, button: Option<ButtonId>, step: &Step<'_>) -> Self {
        let due = step.now + step.rules.waiting_ms;
        Self::new(chat, Stage::Waiting, button, None, due, step)
    }

    /// An agent invited him.
    pub(super) fn invited(
        chat: ChatId,
        button: Option<ButtonId>,
        by: Person,
        step: &Step<'_>,
    ) -> Self {
        let due = step.now + step.rules.invited_ms;
        Self::new(chat, Stage::Invited, button, Some(by), due, step)
    }

    fn new(
        chat: ChatId,
        stage: Stage,
        button: Option<ButtonId>,
        agent: Option<Person>,
        due: Timestamp,
        step: &Step<'_>,
    ) -> Self {
        Self {
            chat,
            visitor: step.visitor.clone(),
            stage,
            button,
            agent,
            began: step.now,
            since: step.now,
            due,
            away: None,
            messages: VecDeque::new(),
            count: 0,
            turn: 0,
            said: VecDeque::new(),
            typed: [Timestamp(0); 2],
        }
    }

    /// When it ends if nothing happens, and why.
    pub(super) fn due(&self, rules: &Rules) -> (Timestamp, ChatEnd) {
        let reason = if self.stage == Stage::Open { ChatEnd::Idle } else { ChatEnd::Unanswered };
        match self.away.map(|away| away + rules.visitor_grace_ms) {
            Some(gone) if gone <= self.due => (gone, ChatEnd::Left),
            _ => (self.due, reason),
        }
    }

    /// Whether the agent with this subject has it, or invited to it.
    #[must_use]
    pub fn has_agent(&self, subject: &str) -> bool {
        self.agent.as_ref().is_some_and(|agent| *agent.subject == *subject)
    }

    /// Whether this agent has it.
    pub(super) fn is_of(&self, agent: &Person) -> bool {
        self.agent.as_ref().is_some_and(|has| has.subject == agent.subject)
    }

    /// Whether these were the first words.
    pub(super) fn began_with(&self, text: &str) -> bool {
        self.messages.front().is_some_and(|first| first.n == 1 && *first.text == *text)
    }

    /// The visitor answers the invitation, if he has not.
    pub(super) fn accept(&mut self, step: &mut Step<'_>) {
        if self.stage == Stage::Invited {
            let stage = if self.agent.is_some() { Stage::Open } else { Stage::Waiting };
            self.moves_to(stage, step);
        }
    }

    pub(super) fn claim(&mut self, by: Person, step: &mut Step<'_>) -> Reply {
        match &self.agent {
            Some(has) if has.subject != by.subject => return refuse_taken(),
            Some(_) => {}
            None => {
                self.agent = Some(by);
                let stage = if self.stage == Stage::Waiting { Stage::Open } else { self.stage };
                self.moves_to(stage, step);
            }
        }
        Reply::View(self.shared())
    }

    pub(super) fn release(&mut self, by: &Person, step: &mut Step<'_>) -> Reply {
        match &self.agent {
            Some(has) if has.subject != by.subject => refuse_taken(),
            Some(_) if self.stage == Stage::Open => {
                self.waits_again(step);
                Reply::Done
            }
            _ => {
                let sentence = "the chat is not open";
                Reply::Refused(Problem::new(ErrorCode::NotFound, sentence))
            }
        }
    }

    pub(super) fn agent_lost(&mut self, subject: &str, step: &mut Step<'_>) {
        if self.has_agent(subject) {
            if self.stage == Stage::Open {
                self.waits_again(step);
            } else {
                self.agent = None;
                self.tell(Tell::News, step.effects);
            }
        }
    }

    fn waits_again(&mut self, step: &mut Step<'_>) {
        self.agent = None;
        self.moves_to(Stage::Waiting, step);
    }

    fn moves_to(&mut self, stage: Stage, step: &mut Step<'_>) {
        if stage != self.stage {
            (self.stage, self.since) = (stage, step.now);
            self.due = step.now
                + match stage {
                    Stage::Invited => step.rules.invited_ms,
                    Stage::Waiting => step.rules.waiting_ms,
                    Stage::Open => step.rules.idle_ms,
                };
        }
        self.tell(Tell::News, step.effects);
    }

    pub(super) fn say(&mut self, saying: Saying, step: &mut Step<'_>) -> Reply {
        let Saying { by, text, id, .. } = saying;
        let name = match &by {
            Voice::Visitor | Voice::System => None,
            Voice::Agent(agent) => match &self.agent {
                Some(has) if has.subject == agent.subject => agent.name.clone(),
                Some(_) => return refuse_taken(),
                None => {
                    let rule = "is nobody's: claim it first";
                    return Reply::Refused(Problem::field("chat", rule));
                }
            },
        };
        let who: Box<str> = match &by {
            Voice::Visitor => "v".into(),
            Voice::Agent(agent) => format!("a{}", agent.subject).into(),
            Voice::System => "s".into(),
        };
        let known = id
            .as_ref()
            .and_then(|id| self.said.iter().find(|said| said.id == *id && said.by == who));
        if let Some(Said { n, at, .. }) = known {
            return Reply::Said { n: *n, at: *at };
        }
        if self.count >= step.rules.most_messages {
            let sentence = format!("a chat may have {} messages", step.rules.most_messages);
            return Reply::Refused(Problem::new(ErrorCode::TooMany, sentence));
        }
        if by == Voice::Visitor {
            self.accept(step);
        }
        let message = self.adds(by.speaker(), name, text, step.now);
        let (n, at) = (message.n, message.at);
        if let Some(id) = id {
            if self.said.len() >= REMEMBERED {
                self.said.pop_front();
            }
            self.said.push_back(Said { by: who, id, n, at });
        }
        if self.stage == Stage::Open {
            self.due = step.now + step.rules.idle_ms;
        }
        let (view, row) = (self.shared(), Box::new(self.row()));
        let turn = self.next_turn();
        step.effects.push(Effect::Said { message, view, row, turn, quiet: false });
        Reply::Said { n, at }
    }

    /// Adds a message, and forgets what no view will show any more.
    pub(super) fn adds(
        &mut self,
        from: Speaker,
        name: Option<Box<str>>,
        text: Box<str>,
        at: Timestamp,
    ) -> Arc<ChatMessage> {
        self.count += 1;
        let message = Arc::new(ChatMessage { n: self.count, at, from, name, text });
        self.messages.push_back(Arc::clone(&message));
        let mut bytes: usize = self.messages.iter().map(|message| message.text.len()).sum();
        while self.messages.len() > VIEW_MESSAGES || (bytes > VIEW_BYTES && self.messages.len() > 1)
        {
            let forgotten = self.messages.pop_front();
            bytes -= forgotten.map_or(0, |message| message.text.len());
        }
        message
    }

    pub(super) fn typing(&mut self, by: &Voice, step: &mut Step<'_>) {
        let (visitor, place) = match by {
            Voice::Visitor => (true, 0),
            Voice::Agent(agent) if self.is_of(agent) => (false, 1),
            Voice::Agent(_) | Voice::System => return,
        };
        let (Some(agent), Some(typed)) = (&self.agent, self.typed.get_mut(place)) else { return };
        if self.stage == Stage::Open && step.now.since(*typed) >= TYPING_MS {
            *typed = step.now;
            let (chat, agent) = (self.chat, agent.clone());
            step.effects.push(Effect::Typing { chat, visitor, agent });
        }
    }

    /// The chat as its visitor sees it.
    #[must_use]
    pub fn view(&self) -> ChatView {
        ChatView {
            chat: self.chat,
            button: self.button.clone(),
            status: match self.stage {
                Stage::Invited => ChatStatus::Invited,
                Stage::Waiting => ChatStatus::Waiting,
                Stage::Open => ChatStatus::Open,
            },
            agent: self.agent.as_ref().map(|agent| ChatAgent { name: agent.name.clone() }),
            reason: None,
            messages: last_of(self.messages.iter()),
        }
    }

    pub(super) fn shared(&self) -> Arc<ChatView> {
        Arc::new(self.view())
    }

    /// The chat as lists of agents show it.
    #[must_use]
    pub fn row(&self) -> ChatRow {
        let ChatView { chat, button, status, .. } = self.view();
        ChatRow {
            chat,
            visitorid: self.visitor.clone(),
            button,
            status,
            began: self.began,
            since: self.since,
            agent: self.agent.clone(),
            reason: None,
            messages: self.count,
            last: self.messages.back().map(|message| beginning(&message.text)),
        }
    }

    pub(super) fn tell(&mut self, tell: Tell, effects: &mut Vec<Effect>) {
        let (view, row) = (self.shared(), Box::new(self.row()));
        effects.push(Effect::Stands { view, row, tell, turn: self.next_turn() });
    }

    pub(super) fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    pub(super) fn tell_end(&mut self, reason: ChatEnd, tell: Tell, effects: &mut Vec<Effect>) {
        let (mut view, mut row) = (self.view(), self.row());
        (view.status, view.reason) = (ChatStatus::Ended, Some(reason));
        (row.status, row.reason) = (ChatStatus::Ended, Some(reason));
        let turn = self.next_turn();
        effects.push(Effect::Stands { view: Arc::new(view), row: Box::new(row), tell, turn });
    }
}
