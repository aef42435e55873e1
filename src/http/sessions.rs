//! `/v1/groups/{group}/sessions`: co-browse sessions.

use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Body, Named, Sessions, client_address, json, query as read_query},
    paging,
    past_sessions::stored,
    state::{State, ask},
    visitors::resolve,
};
use crate::{
    auth::Agent,
    cobrowse::{
        handle::{Standing, Start},
        session::{MAX_TEXT, SessionView, Summary},
    },
    model::{
        cobrowse::{EndReason, Permissions, code_digits},
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, Reference, SessionId, SessionKey, VisitorId, VisitorKey},
    },
    telemetry::labels::Limited,
};

/// Whom to begin a session with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    visitorid: Option<VisitorId>,
    uniqueid: Option<Code>,
    code: Option<Code>,
    reference: Option<Reference>,
    #[serde(default)]
    permissions: Permissions,
}

/// Which of the ways to name somebody: a list of optional fields would allow what is refused.
#[derive(ToSchema)]
#[schema(as = NewSession)]
#[allow(dead_code, reason = "for the document only")]
#[serde(untagged)]
enum NewSessionForm {
    /// With a visitor, by his id.
    Visitor(ByVisitor),
    /// With a visitor, by the code that he reads out.
    Unique(ByUnique),
    /// The session that runs, by its code, which the visitor reads out.
    Code(ByCode),
    /// The session that runs, by its name in another system; the newest, if there are several.
    Reference(ByReference),
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only")]
#[serde(deny_unknown_fields)]
struct ByVisitor {
    /// The visitor's id.
    visitorid: VisitorId,
    /// What the holder of the ticket may do; everything when missing.
    #[schema(required = false)]
    permissions: Permissions,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only")]
#[serde(deny_unknown_fields)]
struct ByUnique {
    /// The visitor's unique id.
    uniqueid: Code,
    /// What the holder of the ticket may do; everything when missing.
    #[schema(required = false)]
    permissions: Permissions,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only")]
#[serde(deny_unknown_fields)]
struct ByCode {
    /// The session's code.
    code: Code,
    /// What the holder of the ticket may do; everything when missing.
    #[schema(required = false)]
    permissions: Permissions,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only")]
#[serde(deny_unknown_fields)]
struct ByReference {
    /// What the page said that the session is called elsewhere.
    reference: Reference,
    /// What the holder of the ticket may do; everything when missing.
    #[schema(required = false)]
    permissions: Permissions,
}

/// What a new ticket is for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// What its holder may do; everything when missing.
    #[serde(default)]
    #[schema(required = false)]
    permissions: Permissions,
}

/// A way to view a session. The ticket opens it within five minutes, and then for that one tab.
#[derive(Serialize, ToSchema)]
pub struct SessionTicket {
    /// The session.
    session: SessionId,
    /// The ticket.
    ticket: String,
    /// The page that shows the session, with the ticket behind `#`, where no server sees it.
    watch_url: String,
}

/// A code that leads to a session.
#[derive(Serialize, ToSchema)]
pub struct SessionCode {
    /// The session.
    session: SessionId,
    /// The code.
    code: Code,
}

/// A session, running or over.
#[derive(Serialize, ToSchema)]
pub struct SessionBody {
    /// Which.
    session: SessionId,
    /// How it stands; `null` when it is over.
    #[schema(required = true)]
    running: Option<SessionView>,
    /// How it was; `null` while it runs.
    #[schema(required = true)]
    over: Option<Summary>,
}

/// A session that runs.
#[derive(Serialize, ToSchema)]
pub struct RunningSession {
    /// Which.
    session: SessionId,
    /// How it stands.
    #[serde(flatten)]
    #[schema(inline)]
    view: SessionView,
}

/// Sessions that run.
#[derive(Serialize, ToSchema)]
pub struct SessionList {
    /// The newest first.
    sessions: Vec<RunningSession>,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<SessionId>,
}

/// Which sessions that run.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RunningParams {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before.
    cursor: Option<SessionId>,
    /// Only those of this visitor.
    visitorid: Option<VisitorId>,
    /// Only those that are called this elsewhere.
    reference: Option<Reference>,
    /// Whether only those in which a seat is handed over to the caller.
    #[serde(default)]
    #[param(required = false)]
    offered: bool,
}

/// What code a session is to have.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CodeParams {
    /// How many digits it is to have; `cobrowse.code_digits` when missing. A session that has a code keeps that one. In a chat an
    /// offer has nine.
    #[param(minimum = 4, maximum = 12)]
    digits: Option<u8>,
}

/// How to end a session.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EndParams {
    /// Words for people; at most 200 characters.
    #[param(max_length = 200)]
    text: Option<String>,
}

fn ticket(state: &State, agent: Agent, key: SessionKey, permissions: Permissions) -> SessionTicket {
    let session = key.session;
    let ticket = state.cobrowse.seat_ticket(key, agent, permissions);
    let base = state.settings.server.public_url.as_deref().unwrap_or_default();
    SessionTicket { session, watch_url: format!("{base}/watch/#{ticket}"), ticket }
}

fn unknown() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such session")
}

/// Begins a session with a visitor, or joins the one that he has. He is asked before anybody sees his page.
#[utoipa::path(tag = "sessions", operation_id = "begin_session", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group")),
    request_body = NewSessionForm,
    responses((status = 201, body = SessionTicket, description = "The session, and a ticket to view it"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`visitornotpresent`; `notfound` for a code or reference of no session"),
        (status = 429, body = ProblemBody, description = "`ratelimited`, `toomany`"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/sessions")]
pub async fn begin(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Sessions>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let NewSession { visitorid, uniqueid, code, reference, permissions } = json(&body)?;
    let visitor = match (visitorid, uniqueid, code, reference) {
        (Some(visitor), None, None, None) => visitor,
        (None, Some(code), None, None) => resolve(&request, &state, group.clone(), code).await?,
        (None, None, Some(code), None) => {
            let session = by_code(&request, &state, group, code).await?;
            return Ok(HttpResponse::Created().json(ticket(
                &state,
                bearer.0,
                session,
                permissions,
            )));
        }
        (None, None, None, Some(reference)) => {
            let is_called = move |view: &SessionView| view.reference.as_ref() == Some(&reference);
            let of = group.clone();
            let found = ask(|answer| state.cobrowse.running(of, is_called, None, 1, answer));
            let (session, _) = found.await??.pop().ok_or_else(unknown)?;
            let session = SessionKey { group, session };
            return Ok(HttpResponse::Created().json(ticket(
                &state,
                bearer.0,
                session,
                permissions,
            )));
        }
        (None, None, None, None) => return Err(Problem::field("visitorid", "is missing").into()),
        _ => {
            let rule = "must stand alone: give one of visitorid, uniqueid, code and reference";
            return Err(Problem::field("visitorid", rule).into());
        }
    };
    let key = VisitorKey { group, visitor };
    let start = Start::by_agent(state.cobrowse.policy());
    let session = ask(|answer| state.cobrowse.begin(key, start, answer)).await??;
    Ok(HttpResponse::Created().json(ticket(&state, bearer.0, session, permissions)))
}

/// The session that a code leads to.
///
/// # Errors
/// `notfound` when it leads to none, `ratelimited` after too many wrong guesses.
pub async fn by_code(
    request: &HttpRequest,
    state: &State,
    group: GroupId,
    code: Code,
) -> Result<SessionKey, Problem> {
    let address = client_address(state, request);
    let found = ask(|answer| state.cobrowse.by_code(group, code, address, answer)).await?;
    found.inspect_err(|problem| {
        if problem.code == ErrorCode::RateLimited {
            state.metrics.limited.of(Limited::Guess).inc();
        }
    })
}

/// Gives the code that leads agents to a session that runs; draws one where there is none. It lives as long as the session.
#[utoipa::path(tag = "sessions", operation_id = "give_session_code", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("session" = SessionId, Path, description = "The session"), CodeParams),
    responses((status = 200, body = SessionCode, description = "The code"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 429, body = ProblemBody, description = "`toomany`"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/sessions/{session}/code")]
pub async fn give_code(
    request: HttpRequest,
    state: State,
    _: Bearer<Sessions>,
    Named(key): Named<SessionKey>,
) -> Result<HttpResponse, ApiError> {
    let CodeParams { digits } = read_query(&request)?;
    let (session, digits) = (key.session, code_digits(digits)?);
    let code = ask(|answer| state.cobrowse.code(key, digits, answer)).await??;
    Ok(HttpResponse::Ok().json(SessionCode { session, code }))
}

/// Lists the sessions that run.
#[utoipa::path(tag = "sessions", operation_id = "list_sessions", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), RunningParams),
    responses((status = 200, body = SessionList, description = "The sessions"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/sessions")]
pub async fn list(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Sessions>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let RunningParams { limit, cursor, visitorid, reference, offered } = read_query(&request)?;
    let limit = paging::limit(limit, paging::USUAL)?;
    let subject = bearer.0.subject.clone();
    let is_asked_for = move |view: &SessionView| {
        visitorid.as_ref().is_none_or(|visitor| view.visitorid == *visitor)
            && (reference.is_none() || view.reference == reference)
            && (!offered || view.transfer.as_ref().is_some_and(|to| *to.to == *subject))
    };
    let found = ask(|answer| state.cobrowse.running(group, is_asked_for, cursor, limit, answer));
    let found = found.await??;
    let sessions: Vec<_> =
        found.into_iter().map(|(session, view)| RunningSession { session, view }).collect();
    let next = paging::next(&sessions, limit, |last| last.session);
    Ok(HttpResponse::Ok().json(SessionList { sessions, next }))
}

/// Reads one session, running or over.
#[utoipa::path(tag = "sessions", operation_id = "read_session", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("session" = SessionId, Path, description = "The session")),
    responses((status = 200, body = SessionBody, description = "The session"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/sessions/{session}")]
pub async fn one(
    state: State,
    _: Bearer<Sessions>,
    Named(key): Named<SessionKey>,
) -> Result<HttpResponse, ApiError> {
    let session = key.session;
    let standing = ask(|answer| state.cobrowse.look_up(key.clone(), answer)).await??;
    let (running, over) = match standing {
        Some(Standing::Running(view)) => (Some(*view), None),
        Some(Standing::Over(summary)) => (None, Some(*summary)),
        None => {
            let past = state.cobrowse.ledger().store().await.session(&key.group, session).await;
            let past = past.map_err(stored)?.ok_or_else(unknown)?;
            let summary = serde_json::from_str(&past.summary).map_err(|error| {
                tracing::error!(%error, %session, "a past session cannot be read");
                Problem::new(ErrorCode::Internal, "the session's history cannot be read")
            })?;
            (None, Some(summary))
        }
    };
    Ok(HttpResponse::Ok().json(SessionBody { session, running, over }))
}

/// Ends a session. That it is over already is no error.
#[utoipa::path(tag = "sessions", operation_id = "end_session", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("session" = SessionId, Path, description = "The session"), EndParams),
    responses((status = 204, description = "It is over"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[delete("/v1/groups/{group}/sessions/{session}")]
pub async fn end(
    request: HttpRequest,
    state: State,
    _: Bearer<Sessions>,
    Named(key): Named<SessionKey>,
) -> Result<HttpResponse, ApiError> {
    let EndParams { text } = read_query(&request)?;
    if text.as_ref().is_some_and(|text| text.chars().count() > MAX_TEXT) {
        let rule = format!("must have at most {MAX_TEXT} characters");
        return Err(Problem::field("text", rule).into());
    }
    let text = text.map(String::into_boxed_str);
    ask(|answer| state.cobrowse.end(key, EndReason::Controller, text, answer)).await??;
    Ok(HttpResponse::NoContent().finish())
}

/// Gives a ticket to view a session that runs.
#[utoipa::path(tag = "sessions", operation_id = "create_session_ticket", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("session" = SessionId, Path, description = "The session")),
    request_body = NewTicket,
    responses((status = 201, body = SessionTicket, description = "The ticket"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/sessions/{session}/tickets")]
pub async fn create_ticket(
    state: State,
    bearer: Bearer<Sessions>,
    Named(key): Named<SessionKey>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let NewTicket { permissions } = json(&body)?;
    let standing = ask(|answer| state.cobrowse.look_up(key.clone(), answer)).await??;
    if !matches!(standing, Some(Standing::Running(_))) {
        return Err(unknown().into());
    }
    Ok(HttpResponse::Created().json(ticket(&state, bearer.0, key, permissions)))
}
