//! Codes that lead to sessions: short numbers that a visitor reads out.

use std::net::IpAddr;

use super::{Answer, Cobrowse, Standing, over};
use crate::{
    cobrowse::session::command::Command,
    codes::{Found, Lead},
    model::{
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, SessionKey},
    },
};

impl Cobrowse {
    /// The code that leads to a session; a fresh one where there is none, of so many digits, or as many as usual. It lives
    /// as long as the session.
    pub fn code(
        &self,
        session: SessionKey,
        digits: Option<u8>,
        answer: impl FnOnce(Result<Code, Problem>) + Send + 'static,
    ) {
        let cobrowse = self.clone();
        self.look_up(session.clone(), move |standing| match standing {
            Ok(Some(Standing::Running(view))) => match view.code {
                Some(code) => answer(Ok(code)),
                None => cobrowse.draw_code(session, digits, Box::new(answer)),
            },
            Ok(_) => answer(Err(over())),
            Err(problem) => answer(Err(problem)),
        });
    }

    fn draw_code(&self, session: SessionKey, digits: Option<u8>, answer: Answer<Code>) {
        let cobrowse = self.clone();
        self.draw(session.group.clone(), session.session, digits, move |drawn| match drawn {
            Ok(code) => {
                let (again, of) = (cobrowse.clone(), session.clone());
                cobrowse.command(session, Command::Code(code.clone()), move |given| match given {
                    Ok(()) => answer(Ok(code)),
                    Err(problem) => {
                        again.give_back(&of.group, of.session, Some(code));
                        // Somebody else asked for one at the same time.
                        if problem.code == ErrorCode::TooMany {
                            return again.code(of, digits, answer);
                        }
                        answer(Err(problem));
                    }
                });
            }
            Err(problem) => answer(Err(problem)),
        });
    }

    /// The session that a code leads to, for somebody at `address`. Every question is a guess, and costs nothing
    /// where it is right.
    pub fn by_code(
        &self,
        group: GroupId,
        code: Code,
        address: IpAddr,
        answer: impl FnOnce(Result<SessionKey, Problem>) + Send + 'static,
    ) {
        let now = self.shared.clock.now();
        let (cobrowse, of) = (self.clone(), group.clone());
        self.shared.presence.codes().resolve(group, code, address, now, move |found| match found {
            Ok(Found { lead: Lead::Session(session), guess }) => {
                let session = SessionKey { group: of, session };
                // A session that just ended is about to give its code back.
                cobrowse.look_up(session.clone(), move |standing| {
                    answer(match standing {
                        Ok(Some(Standing::Running(_))) => {
                            guess.was_right();
                            Ok(session)
                        }
                        Ok(_) => Err(nowhere()),
                        Err(problem) => Err(problem),
                    });
                });
            }
            Ok(Found { lead: Lead::Visitor(_), .. }) => {
                let sentence = "the code leads to a visitor, not to a session";
                answer(Err(Problem::new(ErrorCode::NotFound, sentence)));
            }
            Err(problem) if problem.code == ErrorCode::VisitorNotPresent => answer(Err(nowhere())),
            Err(problem) => answer(Err(problem)),
        });
    }
}

fn nowhere() -> Problem {
    Problem::new(ErrorCode::NotFound, "the code leads to no session")
}
