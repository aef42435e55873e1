//! The visitor's wish for help: he asks, an agent of the group takes it, and exactly one. It is his, whatever page he is
//! on, and ends with his leaving.

use serde::{Deserialize, Serialize};

use super::{
    Phase, Step, Visitor,
    command::Reply,
    effect::{Effect, ToPage},
};
use crate::{
    auth::Agent,
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        event::EventKind,
        help::{HelpNews, HelpStatus, HelpTold, HelpView},
        ids::HelpId,
        timeline::Note,
    },
};

/// An agent who takes a wish for help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Helper {
    /// The subject of his token.
    pub subject: Box<str>,
    /// What he is called.
    pub name: Option<Box<str>>,
}

impl From<&Agent> for Helper {
    fn from(agent: &Agent) -> Self {
        let name = agent.name.as_deref().map(Into::into);
        Self { subject: agent.subject.as_ref().into(), name }
    }
}

/// A wish for help.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Help {
    id: HelpId,
    text: Box<str>,
    asked: Timestamp,
    state: State,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    /// Until then.
    Waits(Timestamp),
    Taken(Helper),
}

impl Help {
    fn told(&self) -> HelpTold {
        let (status, agent) = match &self.state {
            State::Waits(_) => (HelpStatus::Pending, None),
            State::Taken(helper) => (HelpStatus::Accepted, helper.name.clone()),
        };
        HelpTold { help: self.id, status, agent }
    }

    fn waits_until(&self) -> Option<Timestamp> {
        match self.state {
            State::Waits(until) => Some(until),
            State::Taken(_) => None,
        }
    }
}

impl Visitor {
    /// He asks for help, unless he waits for it already; then that wish stays as it is.
    pub(super) fn ask_help(&mut self, id: HelpId, text: Box<str>, step: &mut Step<'_>) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        if !self.is_connected() {
            let sentence = "the visitor is not there";
            return Reply::Refused(Problem::new(ErrorCode::VisitorNotPresent, sentence));
        }
        if let Some(help) = self.help.as_ref().filter(|help| help.waits_until().is_some()) {
            return Reply::Help(help.told());
        }
        let state = State::Waits(step.now + step.rules.help_ms);
        let help = Help { id, text, asked: step.now, state };
        let told = help.told();
        let words = Some(help.text.clone()).filter(|text| !text.is_empty());
        self.help = Some(Box::new(help));
        self.tell_help(told.clone(), words, step);
        Reply::Help(told)
    }

    /// He wants it no more.
    pub(super) fn cancel_help(&mut self, step: &mut Step<'_>) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        self.end_help(HelpStatus::Canceled, step);
        Reply::Done
    }

    /// An agent takes it. Whoever has it may say so again.
    pub(super) fn claim_help(&mut self, id: HelpId, helper: Helper, step: &mut Step<'_>) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        let Some(help) = self.help.as_mut().filter(|help| help.id == id) else {
            return gone();
        };
        match &help.state {
            State::Taken(before) if before.subject == helper.subject => {
                return Reply::Help(help.told());
            }
            State::Taken(_) => return taken(),
            State::Waits(_) => help.state = State::Taken(helper),
        }
        let told = help.told();
        self.tell_help(told.clone(), None, step);
        Reply::Help(told)
    }

    /// An agent says that nobody comes.
    pub(super) fn decline_help(&mut self, id: HelpId, step: &mut Step<'_>) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        match self.help.as_ref().filter(|help| help.id == id) {
            None => gone(),
            Some(help) if help.waits_until().is_none() => taken(),
            Some(_) => {
                self.end_help(HelpStatus::Unavailable, step);
                Reply::Done
            }
        }
    }

    /// Nobody came in time, if that was due before he left.
    pub(super) fn help_expires(&mut self, step: &mut Step<'_>) {
        let leaves = match self.phase {
            Phase::Transit { until } => Some(until),
            _ => None,
        };
        let due = self.help_deadline().filter(|due| *due <= step.now);
        if due.is_some_and(|due| leaves.is_none_or(|leaves| due <= leaves)) {
            self.end_help(HelpStatus::Unavailable, step);
        }
    }

    /// It is over; told with this word.
    pub(super) fn end_help(&mut self, status: HelpStatus, step: &mut Step<'_>) {
        if let Some(help) = self.help.take() {
            self.tell_help(HelpTold { help: help.id, status, agent: None }, None, step);
        }
    }

    /// The wish goes on under a known id, as the visitor does, unless he has one there.
    pub(super) fn take_help_along(&mut self, help: Option<Box<Help>>, step: &mut Step<'_>) {
        if let (None, Some(help), true) = (&self.help, help, self.is_connected()) {
            let words = Some(help.text.clone()).filter(|text| !text.is_empty());
            let told = help.told();
            self.help = Some(help);
            self.tell_help(told, words, step);
        }
    }

    /// Until when he waits for help.
    pub(super) fn help_deadline(&self) -> Option<Timestamp> {
        self.help.as_ref().and_then(|help| help.waits_until())
    }

    /// What his pages are told of it.
    pub(super) fn help_told(&self) -> Option<HelpTold> {
        self.help.as_ref().map(|help| help.told())
    }

    /// What lists show of it.
    pub(super) fn help_view(&self) -> Option<Box<HelpView>> {
        let help = self.help.as_ref()?;
        let HelpTold { help: id, status, agent } = help.told();
        let (asked, text) = (help.asked, help.text.clone());
        Some(Box::new(HelpView { help: id, status, agent, asked, text }))
    }

    fn tell_help(&mut self, told: HelpTold, text: Option<Box<str>>, step: &mut Step<'_>) {
        self.updated = step.now;
        step.note(Note::Help { help: told.help, status: told.status });
        let pages = self
            .sockets
            .iter()
            .map(|socket| Effect::Page { to: socket.address, message: ToPage::Help(told.clone()) });
        step.effects.extend(pages);
        let HelpTold { help, status, agent } = told;
        self.publish(EventKind::HelpRequest(HelpNews { help, status, agent, text }), step);
    }
}

fn gone() -> Reply {
    let sentence = "the visitor does not ask for this help any more";
    Reply::Refused(Problem::new(ErrorCode::NotFound, sentence))
}

fn taken() -> Reply {
    let sentence = "another agent has taken this request for help";
    Reply::Refused(Problem::new(ErrorCode::Taken, sentence))
}
