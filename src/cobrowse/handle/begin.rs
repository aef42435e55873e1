//! How sessions begin, or are found where the visitor has one.

use super::{Answer, Cobrowse, MOST_FORWARDS, Shared, Standing, over};
use crate::{
    cobrowse::session::{
        Policy,
        command::{Command, Create},
    },
    codes::Lead,
    model::{
        cobrowse::{ConsentTo, Labels},
        error::{ErrorCode, Problem},
        event::SessionEndReason,
        ids::{Code, GroupId, SessionId, SessionKey, VisitorKey},
    },
};

/// How a session is to begin.
#[derive(Clone, Debug)]
pub struct Start {
    /// How it goes.
    pub policy: Policy,
    /// Whether the visitor has agreed to be seen.
    pub agreed: bool,
    /// Whether a code leads to it from its beginning on.
    pub with_code: bool,
    /// How many digits it has; else as many as usual.
    pub digits: Option<u8>,
    /// What it is called elsewhere.
    pub labels: Labels,
}

impl Start {
    /// At an agent's wish: the visitor is asked, and there is no code.
    #[must_use]
    pub fn by_agent(policy: Policy) -> Self {
        Self { policy, agreed: false, with_code: false, digits: None, labels: Labels::default() }
    }
}

impl Cobrowse {
    /// Begins a session of a visitor, or finds the one that he has, which goes on as it began. `answer` gets the session;
    /// `visitornotpresent` when he is not there.
    pub fn begin(
        &self,
        visitor: VisitorKey,
        start: Start,
        answer: impl FnOnce(Result<SessionKey, Problem>) + Send + 'static,
    ) {
        self.begin_as(visitor, start, MOST_FORWARDS, Box::new(answer));
    }

    fn begin_as(
        &self,
        visitor: VisitorKey,
        start: Start,
        forwards: u32,
        answer: Answer<SessionKey>,
    ) {
        let new = SessionId::generate();
        if !start.with_code {
            return self.begin_with(visitor, start, (new, None), forwards, answer);
        }
        // Whoever comes into the session must find its code there, so it is drawn before anybody hears of the session.
        let (cobrowse, key) = (self.clone(), visitor.clone());
        self.shared.presence.session_of(key, move |has| match has {
            Ok(Some(_)) => cobrowse.begin_with(visitor, start, (new, None), forwards, answer),
            Ok(None) => {
                let again = cobrowse.clone();
                cobrowse.draw(visitor.group.clone(), new, start.digits, move |drawn| match drawn {
                    Ok(code) => {
                        again.begin_with(visitor, start, (new, Some(code)), forwards, answer);
                    }
                    Err(problem) => answer(Err(problem)),
                });
            }
            Err(problem) => answer(Err(problem)),
        });
    }

    fn begin_with(
        &self,
        visitor: VisitorKey,
        start: Start,
        (new, code): (SessionId, Option<Code>),
        forwards: u32,
        answer: Answer<SessionKey>,
    ) {
        let (cobrowse, key) = (self.clone(), visitor.clone());
        self.shared.presence.begin_session(visitor.clone(), new, move |begun| {
            if !matches!(begun, Ok((session, None)) if session == new) {
                cobrowse.give_back(&key.group, new, code.clone());
            }
            match begun {
                Ok((_, Some(known))) if forwards > 0 => {
                    let known = VisitorKey { group: key.group, visitor: known };
                    cobrowse.begin_as(known, start, forwards - 1, answer);
                }
                Ok((session, _)) if session == new => {
                    cobrowse.create(key, start, (new, code), answer)
                }
                Ok((session, _)) => {
                    let agreed = start.agreed;
                    cobrowse.goes_on(
                        key,
                        session,
                        agreed,
                        move |cobrowse, goes_on| match goes_on {
                            Err(problem) if problem.code == ErrorCode::NotFound && forwards > 0 => {
                                cobrowse.begin_as(visitor, start, forwards - 1, answer);
                            }
                            other => answer(other),
                        },
                    );
                }
                Err(problem) => answer(Err(problem)),
            }
        });
    }

    fn create(
        &self,
        key: VisitorKey,
        start: Start,
        (session, code): (SessionId, Option<Code>),
        answer: Answer<SessionKey>,
    ) {
        let Start { policy, agreed, labels, .. } = start;
        let of = SessionKey { group: key.group.clone(), session };
        let visitor = key.visitor.clone();
        let create = Create { visitor, policy, agreed, code: code.clone(), labels, apart: false };
        let cobrowse = self.clone();
        self.command(of.clone(), Command::Create(Box::new(create)), move |created| {
            if created.is_err() {
                // What does not run must not keep the visitor from another one.
                cobrowse.give_back(&key.group, session, code);
                cobrowse.forget(key, session);
            }
            answer(created.map(|()| of));
        });
    }

    /// Draws a code for a session; the session's end ends it sooner.
    pub(super) fn draw(
        &self,
        group: GroupId,
        session: SessionId,
        digits: Option<u8>,
        answer: impl FnOnce(Result<Code, Problem>) + Send + 'static,
    ) {
        let Shared { presence, code_digits, policy, .. } = &*self.shared;
        let (lead, digits) = (Lead::Session(session), digits.map_or(*code_digits, u32::from));
        presence.codes().claim(group, lead, digits, policy.longest_ms, answer);
    }

    /// The code leads nowhere.
    pub(super) fn give_back(&self, group: &GroupId, session: SessionId, code: Option<Code>) {
        if let Some(code) = code {
            self.shared.presence.codes().release(group.clone(), code, Lead::Session(session));
        }
    }

    /// The visitor's record names a session; `answer` gets it if it runs, else `notfound`, and the record forgets it.
    fn goes_on(
        &self,
        visitor: VisitorKey,
        session: SessionId,
        agreed: bool,
        answer: impl FnOnce(&Self, Result<SessionKey, Problem>) + Send + 'static,
    ) {
        let (cobrowse, of) = (self.clone(), SessionKey { group: visitor.group.clone(), session });
        let known = of.clone();
        let answer = move |runs: Result<(), Problem>| {
            // One that was only too busy to answer runs on.
            if runs.as_ref().is_err_and(|problem| problem.code == ErrorCode::NotFound) {
                cobrowse.forget(visitor, session);
            }
            answer(&cobrowse, runs.map(|()| known));
        };
        if agreed {
            let agrees = Command::Consent { to: ConsentTo::View, given: true };
            return self.command(of, agrees, answer);
        }
        self.look_up(of, move |found| {
            answer(match found {
                Ok(Some(Standing::Running(_))) => Ok(()),
                Ok(_) => Err(over()),
                Err(problem) => Err(problem),
            });
        });
    }

    /// The visitor's record is not to name a session that does not run.
    pub(super) fn forget(&self, visitor: VisitorKey, session: SessionId) {
        self.shared.presence.end_session(visitor, session, SessionEndReason::Error, || ());
    }
}
