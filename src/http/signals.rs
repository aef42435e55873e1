//! `/v1/groups/{group}/visitors/{visitor}/signals` and `/invocations`: what is sent to a visitor.

use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Body, Invoking, Named, Reading, Signalling, idempotency_key, json},
    state::{State, ask},
};
use crate::{
    auth::Agent,
    model::{
        error::Problem,
        ids::{GroupId, IdempotencyKey, SignalId, VisitorId, VisitorKey},
        json::Json,
        signal::{InvokeFailure, Message, Outcome, Target},
    },
    presence::visitor::command::Submission,
};

/// A signal to send.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignalBody {
    /// Any JSON, for the page's handler.
    #[schema(value_type = Value)]
    data: Json,
    /// Which of the visitor's pages get it.
    #[serde(default)]
    target: Target,
}

/// A function of the page to call.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvocationBody {
    /// Its name, under `GLANCE.`.
    #[schema(
        pattern = r"^GLANCE\.[A-Za-z0-9_$]+(\.[A-Za-z0-9_$]+)*$",
        max_length = 200,
        example = "GLANCE.Cobrowse.Visitor.showTerms"
    )]
    func: String,
    /// Its argument.
    #[schema(value_type = Value, nullable = false)]
    #[serde(default, deserialize_with = "Json::present")]
    args: Option<Json>,
    /// Which of the visitor's pages call it.
    #[serde(default)]
    target: Target,
}

/// How a signal stands.
#[derive(Serialize, ToSchema)]
pub struct SignalState {
    /// The signal.
    id: SignalId,
    /// The visitor.
    visitorid: VisitorId,
    /// What became of it so far.
    outcome: Outcome,
    /// Why the function that it named did not run to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<InvokeFailure>,
}

/// Sends a signal. 202: accepted and held until a page acknowledges it.
#[utoipa::path(tag = "signals", operation_id = "send_signal", security(("token" = [])), request_body = SignalBody,
    params(("group" = GroupId, Path, description = "The group"), ("visitor" = VisitorId, Path, description = "The visitor id"),
        ("Idempotency-Key" = Option<IdempotencyKey>, Header, description = "Makes a retry harmless for 60 s, within the same token's subject: 1 to 64 printable ASCII characters")),
    responses((status = 202, body = SignalState, description = "Accepted"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`visitornotpresent`"),
        (status = 413, body = ProblemBody), (status = 429, body = ProblemBody, description = "`toomany`"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/visitors/{visitor}/signals")]
pub async fn send_signal(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Signalling>,
    Named(key): Named<VisitorKey>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let SignalBody { data, target } = json(&body)?;
    send(&request, &state, (&bearer.0, key), Message::Signal { data }, target).await
}

/// Calls a function of the visitor's page. 202: accepted and held until a page acknowledges it.
#[utoipa::path(tag = "signals", operation_id = "send_invocation", security(("token" = [])), request_body = InvocationBody,
    params(("group" = GroupId, Path, description = "The group"), ("visitor" = VisitorId, Path, description = "The visitor id"),
        ("Idempotency-Key" = Option<IdempotencyKey>, Header, description = "Makes a retry harmless for 60 s, within the same token's subject: 1 to 64 printable ASCII characters")),
    responses((status = 202, body = SignalState, description = "Accepted"), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`visitornotpresent`"), (status = 413, body = ProblemBody),
        (status = 429, body = ProblemBody, description = "`toomany`"), (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/visitors/{visitor}/invocations")]
pub async fn send_invocation(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Invoking>,
    Named(key): Named<VisitorKey>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let InvocationBody { func, args, target } = json(&body)?;
    send(&request, &state, (&bearer.0, key), Message::invoke(&func, args)?, target).await
}

async fn send(
    request: &HttpRequest,
    state: &State,
    (agent, key): (&Agent, VisitorKey),
    message: Message,
    target: Target,
) -> Result<HttpResponse, ApiError> {
    let retry_key = idempotency_key(request)?.map(|key| key.of(&agent.subject));
    let visitorid = key.visitor.clone();
    let (id, outcome) = submit(state, key, message, target, retry_key).await?;
    Ok(HttpResponse::Accepted().json(SignalState { id, visitorid, outcome, error: None }))
}

/// Hands a signal to presence, for a sender without a socket.
///
/// # Errors
/// What presence says: `visitornotpresent`, `toomany`, `unready`.
pub async fn submit(
    state: &State,
    key: VisitorKey,
    message: Message,
    target: Target,
    retry_key: Option<IdempotencyKey>,
) -> Result<(SignalId, Outcome), Problem> {
    let id = SignalId::generate();
    let submission = Submission { id, message, target, key: retry_key, sender: None };
    ask(|answer| state.presence.signal(key, submission, answer)).await?
}

/// What became of a signal. Known for 60 s after its end.
#[utoipa::path(tag = "signals", operation_id = "read_signal", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("visitor" = VisitorId, Path, description = "The visitor id"),
        ("id" = SignalId, Path, description = "The signal's id")),
    responses((status = 200, body = SignalState, description = "How the signal stands"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`notfound`")))]
#[get("/v1/groups/{group}/visitors/{visitor}/signals/{id}")]
pub async fn signal_state(
    state: State,
    _: Bearer<Reading>,
    Named((key, id)): Named<(VisitorKey, SignalId)>,
) -> Result<HttpResponse, ApiError> {
    let visitorid = key.visitor.clone();
    let (outcome, error) = ask(|answer| state.presence.outcome(key, id, answer)).await??;
    Ok(HttpResponse::Ok().json(SignalState { id, visitorid, outcome, error }))
}
