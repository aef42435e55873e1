//! What comes by the service channels (`genesys.md` 4.1). The answer is a message on the same channel, without an id, and
//! before the acknowledgement; where something is wrong there is the acknowledgement alone.

use std::{net::IpAddr, sync::Arc};

use serde::de::DeserializeOwned;
use serde_json::json;

use super::{
    seats::{Arrival, Seat, Seats, say_first},
    types::{ByUser, Created, DIGITS, Join, Joined, User, history_id},
};
use crate::{
    auth::{Agent, Scope},
    bayeux::{
        application::{Application, Caller, Outcome},
        channel::Channel,
        client::ClientId,
        fault::Fault,
        server::Bayeux,
    },
    cobrowse::session::command::{Command, Entrance, Way},
    limits::client_key,
    model::{
        cobrowse::{EndReason, MemberView, Permissions, Role, UserId},
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, SessionKey, VisitorId, VisitorKey},
        json::Json,
    },
    sockets::{admission::Beginner, service::SocketService},
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
    (agent, address): (Option<&Agent>, IpAddr),
    answer: impl FnOnce(Result<(SessionKey, Code), Problem>) + Send + 'static,
) {
    let name = format!("{CUSTOMER}{:032x}", rand::random::<u128>());
    let Ok(visitor) = name.parse::<VisitorId>() else { return };
    // There is no visitor yet whose sessions could be counted, so it is those of whoever asks.
    let beginner = match agent {
        Some(agent) => Beginner::Subject(group.clone(), (&*agent.subject).into()),
        None => Beginner::Address(client_key(address)),
    };
    if let Err(problem) = service.admission.session_apart(&beginner, service.clock().now()) {
        service.metrics.limited.of(Limited::Session).inc();
        return answer(Err(problem));
    }
    let policy = service.cobrowse.policy().with_one_agent();
    let customer = VisitorKey { group: group.clone(), visitor };
    service.cobrowse.begin_apart(customer, policy, DIGITS, answer);
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
            "/service/session/exit" => {
                let (again, bayeux) = (service.clone(), bayeux.clone());
                member(service, data, move |found| match found {
                    Ok((session, member)) => {
                        let done = done(&bayeux, &caller, "/service/session/exit", outcome);
                        let leave = Command::Leave { user: member.user };
                        again.cobrowse.command(session, leave, done);
                    }
                    Err(fault) => outcome(Err(fault)),
                });
            }
            "/service/session/stop" => {
                let (again, bayeux) = (service.clone(), bayeux.clone());
                member(service, data, move |found| match found {
                    Ok((session, member)) if member.role == Role::Controller => {
                        let done = done(&bayeux, &caller, "/service/session/stop", outcome);
                        again.cobrowse.end(session, EndReason::Controller, None, done);
                    }
                    Ok(_) => outcome(Err(fault(403, "role_not_allowed"))),
                    Err(fault) => outcome(Err(fault)),
                });
            }
            _ => outcome(Err(Fault::PublishDenied)),
        }
    }

    fn adopt(
        &self,
        bayeux: &Bayeux,
        service: &SocketService,
        client: ClientId,
        kept: &mut dyn Iterator<Item = (&str, &str)>,
    ) {
        kept.for_each(|seat| self.take_again(bayeux, service, client, seat));
    }

    /// Whoever does not come back in time has left.
    fn ended(&self, service: &SocketService, client: ClientId) {
        for (session, user) in self.leave_all(client) {
            service.cobrowse.command(session, Command::Leave { user }, |_| ());
        }
    }
}

/// Who is meant by his own token.
fn member(
    service: &SocketService,
    data: &Json,
    answer: impl FnOnce(Result<(SessionKey, MemberView), Fault>) + Send + 'static,
) {
    let ByUser { user_token } = match read(data) {
        Ok(by) => by,
        Err(fault) => return answer(Err(fault)),
    };
    service.cobrowse.by_member_name(&user_token, |found| match found {
        Ok(found) => answer(found.ok_or_else(|| fault(404, "user_unknown"))),
        Err(problem) => answer(Err(refused(&problem, ""))),
    });
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
    let by = (caller.member.agent.as_ref(), caller.address);
    begin(service, &caller.member.group, by, move |begun| match begun {
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
            again.metrics.guess_refused(&problem);
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
        let arrival = self.arrival(&session);
        let (seat, socket) = match self.seats.take(&self.bayeux, service, arrival) {
            Ok(taken) => taken,
            Err(fault) => return outcome(Err(fault)),
        };
        let again = service.clone();
        if let Some(join) = seat.arrival.join(socket) {
            service.cobrowse.join_apart(session, join, move |joined| {
                let came = joined.map(|(user, view)| {
                    let others = view.members.iter().filter(|member| member.user != user);
                    (user, view.activated.map(|time| time.0), others.map(User::from).collect())
                });
                self.came(&again, &seat, came, outcome);
            });
        } else if let Some(enter) = seat.arrival.enter(socket, Way::Apart) {
            service.cobrowse.enter_apart(session, enter, move |entered| {
                let others = |entrance: &Entrance| entrance.others.iter().map(User::from).collect();
                let came = entered.map(|entrance| (entrance.user, None, others(&entrance)));
                self.came(&again, &seat, came, outcome);
            });
        }
    }

    fn arrival(&self, session: &SessionKey) -> Arrival {
        let agent = self.caller.member.agent.as_ref();
        let known = agent.and_then(|agent| agent.name.as_deref()).unwrap_or_default();
        let name = self.wish.name.as_deref().unwrap_or(known);
        // Without a token nobody works on a page.
        let may_control = agent.is_some_and(|agent| agent.scope.contains(Scope::CONTROL));
        Arrival {
            session: session.clone(),
            role: self.role,
            client: self.caller.client,
            subject: agent.map_or_else(
                || format!("~{:016x}", rand::random::<u64>()).into(),
                |agent| (&*agent.subject).into(),
            ),
            name: name.chars().take(LONGEST_NAME).collect(),
            permissions: Permissions { control: may_control, ..Permissions::ALL },
        }
    }

    /// He is in: says so, before anything that his coming leads to. Or he is not.
    fn came(
        &self,
        service: &SocketService,
        seat: &Seat,
        came: Result<(UserId, Option<u64>, Vec<User>), Problem>,
        outcome: Outcome,
    ) {
        let (user, activated, users) = match came {
            Ok(came) => came,
            Err(problem) => {
                self.seats.leave(&self.bayeux, seat);
                return outcome(Err(refused(&problem, &self.wish.session_token)));
            }
        };
        let session = &seat.arrival.session;
        if !seat.came(user, activated) {
            service.cobrowse.command(session.clone(), Command::Leave { user }, |_| ());
            return outcome(Err(Fault::Unknown));
        }
        seat.keep(&self.bayeux);
        let token = service.cobrowse.member_name(session, user);
        let joined = Joined {
            user_token: &token,
            user_id: user,
            users,
            session_history_id: history_id(session.session),
        };
        let joined = Json::of(&joined);
        let channel = "/service/session/join";
        say_first(&self.bayeux, self.caller.client, channel, &joined, || outcome(Ok(())));
    }
}
