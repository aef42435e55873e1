//! What the visitor of a session agrees to.

use serde::{Deserialize, Serialize};

use super::{
    End, MAX_QUESTIONS, Open, Step,
    command::{Effect, Reply},
    refused,
};
use crate::model::{
    cobrowse::{ConsentEntry, ConsentState, ConsentTo, EndReason, SessionEventKind, UserId},
    error::ErrorCode,
};

/// An agent works on the visitor's page, or asks to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Control {
    pub(super) user: UserId,
    pub(super) state: ConsentState,
}

impl Open {
    pub(super) fn consent_to_view(
        &mut self,
        given: bool,
        step: &mut Step<'_>,
    ) -> Result<Reply, End> {
        let (state, end) = match (self.view, given) {
            (ConsentState::Given, true) => return Ok(Reply::Done),
            (_, true) => (ConsentState::Given, None),
            (ConsentState::Given, false) => (ConsentState::Withdrawn, Some(EndReason::Visitor)),
            (_, false) => (ConsentState::Declined, Some(EndReason::Declined)),
        };
        self.active = step.now;
        self.asked_on = None;
        self.view = state;
        self.consents(ConsentTo::View, state, None, step);
        end.map_or(Ok(Reply::Done), |reason| Err(reason.into()))
    }

    pub(super) fn consent_to_control(&mut self, given: bool, step: &mut Step<'_>) -> Reply {
        let Some(control) = &mut self.control else {
            let sentence = "nobody asks for control";
            return refused(ErrorCode::NotFound, sentence);
        };
        let user = control.user;
        let state = match (control.state, given) {
            (ConsentState::Given, true) => return Reply::Done,
            (_, true) => ConsentState::Given,
            (ConsentState::Given, false) => ConsentState::Withdrawn,
            (_, false) => ConsentState::Declined,
        };
        control.state = state;
        if !given {
            self.control = None;
        }
        self.active = step.now;
        self.asked_on = None;
        self.consents(ConsentTo::Control, state, Some(user), step);
        Reply::Done
    }

    pub(super) fn ask_control(&mut self, user: UserId, step: &mut Step<'_>) -> Reply {
        if !self.is_agent_here(user, |permissions| permissions.control) {
            return refused(ErrorCode::Scope, "this member may not ask for control");
        }
        if self.view != ConsentState::Given || self.paused || !self.is_active() {
            return refused(ErrorCode::NotFound, "the visitor's page is not seen");
        }
        match &self.control {
            Some(control) if control.user == user => return Reply::Done,
            Some(_) => {
                return refused(ErrorCode::TooMany, "another agent has control, or asks for it");
            }
            None => {}
        }
        if self.questions >= MAX_QUESTIONS {
            let sentence = format!("a visitor may be asked {MAX_QUESTIONS} times in a session");
            return refused(ErrorCode::TooMany, sentence);
        }
        self.questions += 1;
        self.control = Some(Control { user, state: ConsentState::Asked });
        self.consents(ConsentTo::Control, ConsentState::Asked, Some(user), step);
        Reply::Done
    }

    pub(super) fn release_control(&mut self, user: UserId, step: &mut Step<'_>) -> Reply {
        if self.control.as_ref().is_some_and(|control| control.user == user) {
            self.take_back_control(step);
        }
        Reply::Done
    }

    /// Ends control, or the question for it.
    pub(super) fn take_back_control(&mut self, step: &mut Step<'_>) {
        if let Some(control) = self.control.take() {
            if control.state == ConsentState::Asked {
                self.asked_on = None;
            }
            let state = ConsentState::Withdrawn;
            self.consents(ConsentTo::Control, state, Some(control.user), step);
        }
    }

    /// Asks what is to be asked, on the page that is shown; again where the page that asked went.
    pub(super) fn ask(&mut self, step: &mut Step<'_>) {
        if self.view == ConsentState::Unasked {
            self.questions += 1;
            self.view = ConsentState::Asked;
            self.consents(ConsentTo::View, ConsentState::Asked, None, step);
        }
        let asks_for_control =
            self.control.as_ref().filter(|control| control.state == ConsentState::Asked);
        let (to, agent) = match (self.view, asks_for_control) {
            (ConsentState::Asked, _) => (ConsentTo::View, None),
            (_, Some(control)) => (ConsentTo::Control, self.member_view(control.user)),
            _ => return,
        };
        if let (None, Some(socket)) = (self.asked_on, self.shown().map(|page| page.socket)) {
            self.asked_on = Some(socket);
            step.effects.push(Effect::Ask { socket, to, agent });
        }
    }

    /// Writes a consent down, and tells of it.
    pub(super) fn consents(
        &mut self,
        to: ConsentTo,
        state: ConsentState,
        user: Option<UserId>,
        step: &mut Step<'_>,
    ) {
        let entry = ConsentEntry {
            time: step.now,
            visitorid: self.visitor.clone(),
            to,
            state,
            agent: user.and_then(|user| self.subject(user)),
        };
        self.consents.push(entry.clone());
        step.effects.push(Effect::Consent(entry));
        self.tell(SessionEventKind::Consent { to, state, user }, step);
    }
}
