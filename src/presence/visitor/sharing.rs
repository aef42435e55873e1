//! The visitor's co-browse session: that he has one, so that each of his pages learns of it wherever it connects. What
//! happens in the session is the session's own record.

use serde::{Deserialize, Serialize};

use super::{
    Phase, Step, Visitor,
    command::Reply,
    effect::{Effect, ToPage},
};
use crate::model::{
    error::{ErrorCode, Problem},
    event::{EventKind, SessionEndReason},
    ids::SessionId,
    presence::PresenceUpdate,
};

/// A session that the visitor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sharing {
    session: SessionId,
    /// Whether watchers were told that it started.
    told: bool,
}

impl Visitor {
    /// A session of his is to begin. The answer names the one that he has then: this one, or an earlier one.
    pub(super) fn session_begins(&mut self, session: SessionId, step: &mut Step<'_>) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        if let Some(sharing) = self.sharing {
            return Reply::Session { session: sharing.session };
        }
        if !self.is_connected() {
            let sentence = "the visitor is not there";
            return Reply::Refused(Problem::new(ErrorCode::VisitorNotPresent, sentence));
        }
        self.sharing = Some(Sharing { session, told: false });
        self.spend_contact_code(step);
        self.tell_pages(step);
        Reply::Session { session }
    }

    /// He agreed to be seen in it: that is the start that watchers hear of.
    pub(super) fn session_started(&mut self, session: SessionId, step: &mut Step<'_>) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        let Some(sharing) = self.sharing.as_mut().filter(|sharing| sharing.session == session)
        else {
            return Reply::Done;
        };
        if !std::mem::replace(&mut sharing.told, true) {
            let data = PresenceUpdate::from_iter([("session", session.to_string())]);
            self.publish(EventKind::VisitorSessionStart(data), step);
        }
        Reply::Done
    }

    /// It is over.
    pub(super) fn session_over(
        &mut self,
        session: SessionId,
        reason: SessionEndReason,
        step: &mut Step<'_>,
    ) -> Reply {
        if let Phase::Joined { to, .. } = &self.phase {
            return Reply::Elsewhere { known: to.clone() };
        }
        if let Some(sharing) = self.sharing.take_if(|sharing| sharing.session == session) {
            self.tell_pages(step);
            if sharing.told {
                self.publish(EventKind::VisitorSessionEnd { reason }, step);
            }
        }
        Reply::Done
    }

    /// The session that he has.
    #[must_use]
    pub fn session(&self) -> Option<SessionId> {
        self.sharing.map(|sharing| sharing.session)
    }

    /// The session goes on under a known id, as the visitor does.
    pub(super) fn take_session_along(&mut self, sharing: Option<Sharing>, step: &mut Step<'_>) {
        if let (None, Some(_)) = (self.sharing, sharing) {
            self.sharing = sharing;
            self.tell_pages(step);
        }
    }

    fn tell_pages(&self, step: &mut Step<'_>) {
        let session = self.session();
        step.effects.extend(self.sockets().map(|to| {
            let message = ToPage::Session(session);
            Effect::Page { to, message }
        }));
    }
}
