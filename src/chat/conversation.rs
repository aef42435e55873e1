//! One visitor's chat, and every rule of it, as a pure function: [`Conversation::apply`] takes a command and the time,
//! changes the record and says what follows.
//!
//! A visitor has one chat at a time. It is his, whatever page he is on: it waits for an agent, exactly one has it, and it
//! goes back to wait when that agent is lost. `running` is a chat that is not over.

pub mod command;
#[cfg(test)]
mod model_test;
mod record;
pub mod running;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use self::{
    command::{Command, Effect, EndedBy, Invitation, Reply, Tell},
    running::{Running, Stage},
};
use crate::{
    clock::Timestamp,
    model::{
        chat::{ChatEnd, Speaker},
        error::{ErrorCode, Problem},
        ids::{ChatId, VisitorId},
    },
};

/// How long a record that was joined to a known one leads there, in milliseconds.
pub const MOVED_MS: u64 = 60_000;

/// The times and numbers that the rules speak of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How long an invitation waits for its answer, in ms.
    pub invited_ms: u64,
    /// How long a visitor waits for an agent, in ms.
    pub waiting_ms: u64,
    /// How long a chat goes on in which nobody says anything, in ms.
    pub idle_ms: u64,
    /// How long a visitor who left is waited for, in ms.
    pub visitor_grace_ms: u64,
    /// Messages of one chat.
    pub most_messages: u32,
}

/// What the service holds of one visitor's chat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conversation(State);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// He has none.
    #[default]
    None,
    /// He has one.
    Running(Box<Running>),
    /// His chat went along to a known id; this record leads there until this moment.
    Moved { to: VisitorId, until: Timestamp },
}

/// What one `apply` works with.
struct Step<'a> {
    visitor: &'a VisitorId,
    now: Timestamp,
    rules: &'a Rules,
    effects: &'a mut Vec<Effect>,
}

impl Conversation {
    /// Applies a command at `now`, which must not be earlier than in the call before. What was due by then happens first.
    pub fn apply(
        &mut self,
        visitor: &VisitorId,
        command: Command,
        now: Timestamp,
        rules: &Rules,
        effects: &mut Vec<Effect>,
    ) -> Reply {
        let mut step = Step { visitor, now, rules, effects };
        if let (Command::Resume, State::Running(running)) = (&command, &mut self.0) {
            // Time stood still while the records were away.
            running.due = running.due.max(now + rules.visitor_grace_ms);
            running.tell(Tell::Again, step.effects);
        }
        self.let_time_pass(&mut step);
        if let State::Moved { to, .. } = &self.0
            && command.is_addressed()
        {
            return Reply::Elsewhere { known: to.clone() };
        }
        match command {
            Command::Open { chat, button, available } => match &mut self.0 {
                State::Running(running) => {
                    running.accept(&mut step);
                    Reply::View(running.shared())
                }
                _ if !available => {
                    let sentence = "nobody is available for this button";
                    Reply::Refused(Problem::new(ErrorCode::Unavailable, sentence))
                }
                _ => self.begin(Running::waits(chat, button, &step), &mut step),
            },
            Command::Invite(invitation) => self.invite(*invitation, &mut step),
            Command::Answer { accepted } => self.answer(accepted, &mut step),
            Command::Say(saying) => match self.of(saying.chat) {
                Some(running) => running.say(*saying, &mut step),
                None => none(),
            },
            Command::Typing { chat, by } => {
                if let Some(running) = self.of(chat) {
                    running.typing(&by, &mut step);
                }
                Reply::Done
            }
            Command::Claim { chat, by } => match self.of(Some(chat)) {
                Some(running) => running.claim(by, &mut step),
                None => none(),
            },
            Command::Release { chat, by } => match self.of(Some(chat)) {
                Some(running) => running.release(&by, &mut step),
                None => none(),
            },
            Command::End { chat, by } => self.end(chat, &by, &mut step),
            Command::AgentLost { subject } => {
                if let State::Running(running) = &mut self.0 {
                    running.agent_lost(&subject, &mut step);
                }
                Reply::Done
            }
            Command::Present { present } => {
                if let State::Running(running) = &mut self.0 {
                    running.away = if present { None } else { running.away.or(Some(now)) };
                }
                Reply::Done
            }
            Command::Join { known } => self.join(known, &step),
            Command::Inherit(running) => {
                self.inherit(running, &mut step);
                Reply::Done
            }
            Command::Strand(mut running) => {
                running.tell_end(ChatEnd::Error, Tell::News, step.effects);
                Reply::Done
            }
            Command::Resume | Command::Tick => Reply::Done,
        }
    }

    /// When time alone will next change something.
    #[must_use]
    pub fn deadline(&self, rules: &Rules) -> Option<Timestamp> {
        match &self.0 {
            State::None => None,
            State::Running(running) => Some(running.due(rules).0),
            State::Moved { until, .. } => Some(*until),
        }
    }

    /// Whether he has no chat.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        matches!(self.0, State::None)
    }

    /// The chat that he has.
    #[must_use]
    pub fn running(&self) -> Option<&Running> {
        match &self.0 {
            State::Running(running) => Some(running),
            _ => None,
        }
    }

    fn let_time_pass(&mut self, step: &mut Step<'_>) {
        match &self.0 {
            State::Running(running) => {
                let (due, reason) = running.due(step.rules);
                if due <= step.now {
                    self.over(reason, step);
                }
            }
            State::Moved { until, .. } if *until <= step.now => self.0 = State::None,
            _ => {}
        }
    }

    /// The chat that he has, if it is this one.
    fn of(&mut self, chat: Option<ChatId>) -> Option<&mut Running> {
        match &mut self.0 {
            State::Running(running) if chat.is_none_or(|chat| chat == running.chat) => {
                Some(running)
            }
            _ => None,
        }
    }

    fn begin(&mut self, mut running: Running, step: &mut Step<'_>) -> Reply {
        running.tell(Tell::News, step.effects);
        let view = running.shared();
        self.0 = State::Running(Box::new(running));
        Reply::View(view)
    }

    fn invite(&mut self, invitation: Invitation, step: &mut Step<'_>) -> Reply {
        let Invitation { chat, by, text, button } = invitation;
        if let State::Running(running) = &self.0 {
            // A retry, whose first try was heard.
            if running.stage == Stage::Invited && running.is_of(&by) && running.began_with(&text) {
                return Reply::View(running.shared());
            }
            let sentence = "the visitor has a chat already";
            return Reply::Refused(Problem::new(ErrorCode::Taken, sentence));
        }
        let name = by.name.clone();
        let mut running = Running::invited(chat, button, by, step);
        let message = running.adds(Speaker::Agent, name, text, step.now);
        let (view, row) = (running.shared(), Box::new(running.row()));
        let turn = running.next_turn();
        let reply = self.begin(running, step);
        step.effects.push(Effect::Said { message, view, row, turn, quiet: true });
        reply
    }

    fn answer(&mut self, accepted: bool, step: &mut Step<'_>) -> Reply {
        match &mut self.0 {
            State::Running(running) if accepted => {
                running.accept(step);
                Reply::View(running.shared())
            }
            State::Running(running) if running.stage == Stage::Invited => {
                self.over(ChatEnd::Declined, step);
                Reply::Done
            }
            _ => none(),
        }
    }

    fn end(&mut self, chat: Option<ChatId>, by: &EndedBy, step: &mut Step<'_>) -> Reply {
        let Some(running) = self.of(chat) else {
            // A visitor who has none has what he wants.
            return if *by == EndedBy::Visitor { Reply::Done } else { none() };
        };
        let reason = match by {
            EndedBy::Visitor if running.stage == Stage::Invited => ChatEnd::Declined,
            EndedBy::Visitor => ChatEnd::Visitor,
            EndedBy::Agent(agent) => match &running.agent {
                Some(has) if has.subject != agent.subject => return refuse_taken(),
                _ => ChatEnd::Agent,
            },
            EndedBy::Group => ChatEnd::Agent,
        };
        self.over(reason, step);
        Reply::Done
    }

    /// It is over; everybody is told once.
    fn over(&mut self, reason: ChatEnd, step: &mut Step<'_>) {
        if let State::Running(mut running) = std::mem::take(&mut self.0) {
            running.tell_end(reason, Tell::News, step.effects);
        }
    }

    fn join(&mut self, known: VisitorId, step: &Step<'_>) -> Reply {
        match std::mem::take(&mut self.0) {
            State::Running(running) => {
                self.0 = State::Moved { to: known, until: step.now + MOVED_MS };
                Reply::Joined(Some(running))
            }
            before => {
                self.0 = before;
                Reply::Joined(None)
            }
        }
    }

    /// The chat goes on under a known id, as the visitor does, unless he has one there.
    fn inherit(&mut self, mut running: Box<Running>, step: &mut Step<'_>) {
        running.visitor = step.visitor.clone();
        if let State::Running(_) = self.0 {
            return running.tell_end(ChatEnd::Visitor, Tell::Agents, step.effects);
        }
        running.tell(Tell::Again, step.effects);
        self.0 = State::Running(running);
    }

    /// What everybody is told last of a chat that cannot go on.
    fn broken(&self, effects: &mut Vec<Effect>) {
        if let State::Running(running) = &self.0 {
            running.clone().tell_end(ChatEnd::Error, Tell::News, effects);
        }
    }
}

fn none() -> Reply {
    Reply::Refused(Problem::new(ErrorCode::NotFound, "there is no such chat"))
}

fn refuse_taken() -> Reply {
    Reply::Refused(taken())
}

/// What agents hear of a chat that another has.
pub(super) fn taken() -> Problem {
    Problem::new(ErrorCode::Taken, "another agent has this chat")
}
