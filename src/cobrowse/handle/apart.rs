//! Those who take part without a page or a stream of ours: they come by an interface of their own, and hear what happens
//! where the socket that they name listens.

use super::{Cobrowse, Standing, plain, unexpected};
use crate::{
    cobrowse::session::{
        Policy, SessionView,
        command::{Command, Create, Enter, Entrance, Join, Reply},
    },
    model::{
        cobrowse::{Labels, MemberView, UserId},
        error::Problem,
        ids::{Code, SessionId, SessionKey, VisitorKey},
    },
    store::{Engine as _, Expect},
};

impl Cobrowse {
    /// Begins a session of somebody who is not among the visitors, under a name that is nobody's there. Its code has
    /// `digits` digits, of which the first is no nought.
    pub fn begin_apart(
        &self,
        customer: VisitorKey,
        policy: Policy,
        digits: u8,
        answer: impl FnOnce(Result<(SessionKey, Code), Problem>) + Send + 'static,
    ) {
        let (cobrowse, session) = (self.clone(), SessionId::generate());
        self.draw(customer.group.clone(), session, Some(digits), move |drawn| match drawn {
            // It rests now, so that the next one is another.
            Ok(code) if code.as_str().starts_with('0') => {
                cobrowse.give_back(&customer.group, session, Some(code));
                cobrowse.begin_apart(customer, policy, digits, answer);
            }
            Ok(code) => {
                let of = SessionKey { group: customer.group, session };
                let create = Create {
                    visitor: customer.visitor,
                    policy,
                    agreed: false,
                    code: Some(code.clone()),
                    labels: Labels::default(),
                    apart: true,
                };
                let again = cobrowse.clone();
                cobrowse.command(of.clone(), Command::Create(Box::new(create)), move |created| {
                    if created.is_err() {
                        again.give_back(&of.group, session, Some(code.clone()));
                    }
                    answer(created.map(|()| (of, code)));
                });
            }
            Err(problem) => answer(Err(problem)),
        });
    }

    /// The customer of such a session comes in.
    pub fn enter_apart(
        &self,
        session: SessionKey,
        enter: Enter,
        answer: impl FnOnce(Result<Entrance, Problem>) + Send + 'static,
    ) {
        self.submit(session, Command::Enter(Box::new(enter)), move |reply| match reply {
            Ok(Reply::Entered(entrance)) => answer(Ok(*entrance)),
            Ok(_) => answer(Err(unexpected())),
            Err(problem) => answer(Err(problem)),
        });
    }

    /// What such a member is called by himself alone, on every node.
    #[must_use]
    pub fn member_name(&self, session: &SessionKey, user: UserId) -> String {
        self.shared.tickets.member(session, user)
    }

    /// The member who has this name, and his session, as long as he takes part and it runs.
    pub fn by_member_name(
        &self,
        name: &str,
        answer: impl FnOnce(Result<Option<(SessionKey, MemberView)>, Problem>) + Send + 'static,
    ) {
        let Some((session, user)) = self.shared.tickets.member_of(name) else {
            return answer(Ok(None));
        };
        self.look_up(session.clone(), move |standing| {
            let member = standing.map(|standing| match standing {
                Some(Standing::Running(view)) => {
                    view.members.into_iter().find(|member| member.user == user)
                }
                Some(Standing::Over(_)) | None => None,
            });
            answer(member.map(|member| member.map(|member| (session, member))));
        });
    }

    /// An agent or controller comes in, without a stream. `answer` gets his number and what he comes into, before anything
    /// that his coming leads to is told.
    pub fn join_apart(
        &self,
        session: SessionKey,
        join: Join,
        answer: impl FnOnce(Result<(UserId, SessionView), Problem>) + Send + 'static,
    ) {
        let sink = Box::new(move |result| match plain(result) {
            Ok(Reply::Joined { user, view, .. }) => answer(Ok((user, *view))),
            Ok(_) => answer(Err(unexpected())),
            Err(problem) => answer(Err(problem)),
        });
        self.engine.submit(session, Expect::Any, Command::Join(Box::new(join)), sink);
    }
}
