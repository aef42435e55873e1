//! The co-browse session and the chat of a visitor, as his record knows of them.

use super::{Presence, unexpected};
use crate::{
    model::{
        error::Problem,
        event::SessionEndReason,
        ids::{SessionId, VisitorId, VisitorKey},
    },
    presence::visitor::{
        Visitor, Whereabouts,
        command::{Command, Reply},
    },
};

impl Presence {
    /// A session of the visitor is to begin. `answer` gets the one that he has then: this one, or an earlier one; or who
    /// he has become, where to ask. `visitornotpresent` when he is not there.
    pub fn begin_session(
        &self,
        key: VisitorKey,
        session: SessionId,
        answer: impl FnOnce(Result<(SessionId, Option<VisitorId>), Problem>) + Send + 'static,
    ) {
        self.submit(key, Command::SessionBegins { session }, move |reply| match reply {
            Ok(Reply::Session { session }) => answer(Ok((session, None))),
            Ok(Reply::Elsewhere { known }) => answer(Ok((session, Some(known)))),
            Ok(_) => answer(Err(unexpected())),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// The visitor agreed to be seen in the session.
    pub fn session_started(&self, key: VisitorKey, session: SessionId) {
        self.of_session(key, move || Command::SessionStarted { session }, || ());
    }

    /// The session is over. `done` is called when the visitor's record knows it.
    pub fn end_session(
        &self,
        key: VisitorKey,
        session: SessionId,
        reason: SessionEndReason,
        done: impl FnOnce() + Send + 'static,
    ) {
        self.of_session(key, move || Command::SessionOver { session, reason }, done);
    }

    /// The session that the visitor has.
    pub fn session_of(
        &self,
        key: VisitorKey,
        answer: impl FnOnce(Result<Option<SessionId>, Problem>) + Send + 'static,
    ) {
        self.read(key, |visitor| visitor.and_then(|visitor| visitor.session()), answer);
    }

    /// Where the visitor is.
    pub fn whereabouts(
        &self,
        key: VisitorKey,
        answer: impl FnOnce(Result<Whereabouts, Problem>) + Send + 'static,
    ) {
        let read = |visitor: Option<&Visitor>| {
            visitor.map_or(Whereabouts::Away, |visitor| visitor.whereabouts())
        };
        self.read(key, read, answer);
    }

    /// The visitor's chat has something to tell.
    pub fn tell_chat(&self, key: VisitorKey, command: Command) {
        self.of_session(key, move || command.clone(), || ());
    }

    /// Submits where the visitor is; he may have become known since the session began.
    fn of_session(
        &self,
        key: VisitorKey,
        command: impl Fn() -> Command + Send + 'static,
        done: impl FnOnce() + Send + 'static,
    ) {
        let (presence, group) = (self.clone(), key.group.clone());
        self.submit(key, command(), move |reply| match reply {
            Ok(Reply::Elsewhere { known }) => {
                let key = VisitorKey { group, visitor: known };
                presence.submit(key, command(), |reply| {
                    if reply.is_ok() {
                        done();
                    }
                });
            }
            Ok(_) => done(),
            Err(_) => {}
        });
    }
}
