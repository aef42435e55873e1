//! What comes by the service channels (`genesys.md` 4.1). The answer is a message on the same channel, without an id, and
//! before the acknowledgement; where something is wrong there is the acknowledgement alone.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    seats::{Seat, Seats, say_first},
    types::{ByUser, Created, DIGITS, Join, Joined, User, history_id},
};
use crate::{
    auth::Scope,
    bayeux::{
        application::{Application, Caller, Outcome},
        channel::Channel,
        client::{ClientId, command::Member},
        fault::Fault,
        server::Bayeux,
    },
    cobrowse::session::{
        SessionView,
        command::{self, Command, Enter, Seated},
    },
    limits::client_key,
    model::{
        cobrowse::{EndReason, Permissions, Role, UserId},
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, SessionKey, SocketAddress, TabId, VisitorId, VisitorKey},
        json::Json,
    },
    sockets::service::SocketService,
    telemetry::labels::Limited,
};

/// Longest name, in characters.
const LONGEST_NAME: usize = 100;
/// What the customers of sessions are called that began by this interface.
const CUSTOMER: &str = "customer~";

fn fault(code: u16, text: &'static str) -> Fault {
    Fault::Application { code, argument: Box::default(), text }
}

/// What the core says, in the words of an acknowledgement; `about` is the session token.
fn refused(problem: &Problem, about: &str) -> Fault {
    match problem.code {
        ErrorCode::NotFound | ErrorCode::VisitorNotPresent => {
            Fault::Application { code: 404, argument: about.into(), text: "session_unknown" }
        }
        ErrorCode::TooMany => fault(403, "role_taken"),
        ErrorCode::RateLimited => Fault::TooFast(problem.retry_ms.unwrap_or(1_000)),
        _ => Fault::Unready,
    }
}

fn read<T: DeserializeOwned>(data: &Json) -> Result<T, Fault> {
    serde_json::from_str(data.text()).map_err(|_| fault(400, "data_invalid"))
}

/// A session that a desktop or a customer's page begins, for a customer who comes by this interface too.
pub(super) fn begin(
    service: &SocketService,
    group: &GroupId,
    address: std::net::IpAddr,
    answer: impl FnOnce(Result<(SessionKey, Code), Problem>) + Send + 'static,
) {
    let name = |rest: String| format!("{CUSTOMER}{rest}").parse::<VisitorId>().ok();
    let of_address = name(client_key(address).to_string().replace(':', "."));
    let customer = name(format!("{:032x}", rand::random::<u128>()));
    let (Some(of_address), Some(customer)) = (of_address, customer) else { return };
    let key = |visitor| VisitorKey { group: group.clone(), visitor };
    // There is no visitor yet whose sessions could be counted, so it is those of the address.
    if let Err(problem) = service.admission.session(&key(of_address), service.clock().now()) {
        service.metrics.limited.of(Limited::Session).inc();
        return answer(Err(problem));
    }
    let policy = service.cobrowse.policy().with_one_agent();
    service.cobrowse.begin_apart(key(customer), policy, DIGITS, answer);
}

impl Application for Arc<Seats> {
    fn call(
        &self,
        bayeux: &Bayeux,
        service: &SocketService,
        caller: Caller,
        channel: &Channel,
        data: &Json,
        outcome: Outcome,
    ) {
        if caller.member.agent.as_ref().is_some_and(|agent| !agent.scope.contains(Scope::SESSION)) {
            return outcome(Err(fault(403, "scope_not_allowed")));
        }
        match channel.as_str() {
            "/service/session/create" => create(bayeux, service, &caller, outcome),
            "/service/session/join" => match read::<Join>(data) {
                Ok(wish) => join(self, bayeux, service, caller, wish, outcome),
                Err(fault) => outcome(Err(fault)),
            },
            "/service/session/exit" => match self.seat(data) {
                Ok((_, seat)) => {
                    let leave = Command::Leave { user: seat.user() };
                    let done = done(bayeux, &caller, "/service/session/exit", outcome);
                    service.cobrowse.command(seat.session.clone(), leave, done);
                }
                Err(fault) => outcome(Err(fault)),
            },
            "/service/session/stop" => match self.seat(data) {
                Ok((_, seat)) if seat.role == Role::Controller => {
                    let done = done(bayeux, &caller, "/service/session/stop", outcome);
                    service.cobrowse.end(seat.session.clone(), EndReason::Controller, None, done);
                }
                Ok(_) => outcome(Err(fault(403, "role_not_allowed"))),
                Err(fault) => outcome(Err(fault)),
            },
            _ => outcome(Err(Fault::PublishDenied)),
        }
    }

    /// Whoever does not come back in time has left.
    fn ended(&self, service: &SocketService, client: ClientId, _: &Member, _: Option<Json>) {
        for seat in self.leave_all(client) {
            let leave = Command::Leave { user: seat.user() };
            service.cobrowse.command(seat.session.clone(), leave, |_| ());
        }
    }
}

impl Seats {
    fn seat(&self, data: &Json) -> Result<(Box<str>, Arc<Seat>), Fault> {
        let ByUser { user_token } = read(data)?;
        let seat = self.of(&user_token).ok_or_else(|| fault(404, "user_unknown"))?;
        Ok((user_token.into(), seat))
    }
}

/// Answers `{}`, then acknowledges.
fn done(
    bayeux: &Bayeux,
    caller: &Caller,
    channel: &'static str,
    outcome: Outcome,
) -> impl FnOnce(Result<(), Problem>) + Send + 'static {
    let (bayeux, client) = (bayeux.clone(), caller.client);
    move |done| match done {
        Ok(()) => {
            let nothing = Json::of(&json!({}));
            say_first(&bayeux, client, channel, &nothing, || outcome(Ok(())));
        }
        Err(problem) => outcome(Err(refused(&problem, ""))),
    }
}

fn create(bayeux: &Bayeux, service: &SocketService, caller: &Caller, outcome: Outcome) {
    let (bayeux, client) = (bayeux.clone(), caller.client);
    begin(service, &caller.member.group, caller.address, move |begun| match begun {
        Ok((_, code)) => {
            let created = Json::of(&Created { session_token: code.as_str() });
            let channel = "/service/session/create";
            say_first(&bayeux, client, channel, &created, || outcome(Ok(())));
        }
        Err(problem) => outcome(Err(refused(&problem, ""))),
    });
}

fn join(
    seats: &Arc<Seats>,
    bayeux: &Bayeux,
    service: &SocketService,
    caller: Caller,
    wish: Join,
    outcome: Outcome,
) {
    let role = match wish.role {
        1 => Role::Customer,
        2 => Role::Agent,
        3 => Role::Controller,
        _ => return outcome(Err(fault(403, "role_not_allowed"))),
    };
    let code = wish.session_token.parse::<Code>().ok();
    let is_token = wish.session_token.len() == usize::from(DIGITS);
    let Some(code) = code.filter(|_| is_token) else {
        return outcome(Err(fault(400, "session_token_invalid")));
    };
    let (seats, bayeux, again) = (Arc::clone(seats), bayeux.clone(), service.clone());
    let (group, address) = (caller.member.group.clone(), caller.address);
    service.cobrowse.by_code(group, code, address, move |found| match found {
        Ok(session) => {
            let coming = Coming { seats, bayeux, caller, wish, role };
            coming.into_session(&again, session, outcome);
        }
        Err(problem) => {
            if problem.code == ErrorCode::RateLimited {
                again.metrics.limited.of(Limited::Guess).inc();
            }
            outcome(Err(refused(&problem, &wish.session_token)));
        }
    });
}

/// Somebody on his way into a session.
struct Coming {
    seats: Arc<Seats>,
    bayeux: Bayeux,
    caller: Caller,
    wish: Join,
    role: Role,
}

impl Coming {
    fn into_session(self, service: &SocketService, session: SessionKey, outcome: Outcome) {
        let (client, role) = (self.caller.client, self.role);
        let taken = self.seats.take(&self.bayeux, service, client, (session.clone(), role));
        let Some((token, seat, address)) = taken else {
            return outcome(Err(fault(403, "too_many_sessions")));
        };
        match role {
            Role::Customer => self.enters(service, session, (token, seat, address), outcome),
            Role::Agent => {
                self.seated(service, session, Seated::Agent, (token, seat, address), outcome)
            }
            Role::Controller => {
                self.seated(service, session, Seated::Controller, (token, seat, address), outcome);
            }
        }
    }

    fn tab(&self) -> Option<TabId> {
        self.caller.client.to_string().parse().ok()
    }

    fn seated(
        self,
        service: &SocketService,
        session: SessionKey,
        role: Seated,
        (token, seat, socket): (Box<str>, Arc<Seat>, SocketAddress),
        outcome: Outcome,
    ) {
        let Some(tab) = self.tab() else { return outcome(Err(Fault::Unready)) };
        let agent = self.caller.member.agent.as_ref();
        let known = agent.and_then(|agent| agent.name.as_deref()).unwrap_or_default();
        let name = self.wish.name.as_deref().unwrap_or(known);
        // Without a token nobody works on a page.
        let may_control = agent.is_some_and(|agent| agent.scope.contains(Scope::CONTROL));
        let join = command::Join {
            socket,
            role,
            tab,
            subject: agent.map_or_else(
                || format!("~{:016x}", rand::random::<u64>()).into(),
                |agent| (&*agent.subject).into(),
            ),
            name: name.chars().take(LONGEST_NAME).collect(),
            permissions: Permissions { control: may_control, ..Permissions::ALL },
            link: None,
        };
        let key = session.clone();
        service.cobrowse.join_apart(session, join, move |joined| match joined {
            Ok((user, view)) => {
                self.came(&token, &seat, (&key, user), &view, outcome);
            }
            Err(problem) => {
                self.seats.forget(&token);
                outcome(Err(refused(&problem, &self.wish.session_token)));
            }
        });
    }

    /// One customer at a time, of sessions that began by this interface only: those of visitors have their own.
    fn enters(
        self,
        service: &SocketService,
        session: SessionKey,
        (token, seat, socket): (Box<str>, Arc<Seat>, SocketAddress),
        outcome: Outcome,
    ) {
        let (service, key) = (service.clone(), session.clone());
        service.clone().cobrowse.look_up(session, move |standing| {
            use crate::cobrowse::handle::Standing;
            let view = match standing {
                Ok(Some(Standing::Running(view))) => view,
                _ => {
                    self.seats.forget(&token);
                    return outcome(Err(fault(404, "session_unknown")));
                }
            };
            let is_taken = view.members.iter().any(|member| member.role == Role::Customer);
            let Some(tab) = self.tab() else { return outcome(Err(Fault::Unready)) };
            if is_taken || !view.visitorid.as_str().starts_with(CUSTOMER) {
                self.seats.forget(&token);
                return outcome(Err(fault(403, "role_taken")));
            }
            let enter = Enter {
                socket,
                tab,
                url: "".into(),
                title: "".into(),
                visible: true,
                agreed: false,
            };
            let of = key.clone();
            service.cobrowse.enter_apart(of, enter, move |entered| match entered {
                Ok(entrance) => {
                    self.came(&token, &seat, (&key, entrance.user), &view, outcome);
                }
                Err(problem) => {
                    self.seats.forget(&token);
                    outcome(Err(refused(&problem, &self.wish.session_token)));
                }
            });
        });
    }

    /// He is in: says so, before anything that his coming leads to.
    fn came(
        &self,
        token: &str,
        seat: &Seat,
        (session, user): (&SessionKey, UserId),
        view: &SessionView,
        outcome: Outcome,
    ) {
        seat.came(user, view.activated.map(|time| time.0));
        let others = view.members.iter().filter(|member| member.user != user);
        let joined = Joined {
            user_token: token,
            user_id: user,
            users: others.map(User::from).collect(),
            session_history_id: history_id(session.session),
        };
        let joined = Json::of(&joined);
        let channel = "/service/session/join";
        say_first(&self.bayeux, self.caller.client, channel, &joined, || outcome(Ok(())));
    }
}
