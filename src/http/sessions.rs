//! `/v1/groups/{group}/sessions`: co-browse sessions, how they stand, their codes and their ends. `session_tickets` has how
//! they begin and who may view them.

use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Named, Sessions, client_address, query as read_query},
    paging,
    past_sessions::stored,
    state::{State, ask},
};
use crate::{
    cobrowse::{
        handle::Standing,
        session::{MAX_TEXT, SessionView, Summary},
    },
    model::{
        cobrowse::{EndReason, code_digits},
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, Reference, SessionId, SessionKey, VisitorId},
    },
};

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

pub(super) fn unknown() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such session")
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
    found.inspect_err(|problem| state.metrics.guess_refused(problem))
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
