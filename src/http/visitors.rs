//! `/v1/groups/{group}/visitors`: who is there.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, client_address, parse, query as read_query, visitor_key},
    state::{State, ask},
};
use crate::{
    auth::Scope,
    model::{
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, VisitorId, VisitorKey},
        view::VisitorView,
    },
    presence::handle::MAX_LIST,
    telemetry::labels::Limited,
};

/// Which visitors.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before.
    #[param(value_type = Option<VisitorId>)]
    cursor: Option<String>,
    /// Only the visitor whom this code leads to.
    #[param(value_type = Option<Code>)]
    uniqueid: Option<String>,
}

/// Visitors who are there, in the order of their ids.
#[derive(Serialize, ToSchema)]
pub struct VisitorList {
    /// The visitors.
    visitors: Vec<VisitorView>,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// Lists the visitors who are there.
#[utoipa::path(tag = "visitors", operation_id = "list_visitors", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ListQuery),
    responses((status = 200, body = VisitorList, description = "The visitors, and where the next list begins"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 429, body = ProblemBody, description = "`ratelimited`"),
        (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/visitors")]
pub async fn list(
    request: HttpRequest,
    state: State,
    group: web::Path<String>,
    bearer: Bearer,
) -> Result<HttpResponse, ApiError> {
    bearer.require(Scope::READ)?;
    let group: GroupId = parse(&group)?;
    let query: ListQuery = read_query(&request)?;
    let limit = query.limit.unwrap_or(100);
    if !(1..=MAX_LIST).contains(&limit) {
        return Err(Problem::field("limit", format!("must be 1 to {MAX_LIST}")).into());
    }
    if let Some(code) = &query.uniqueid {
        let found = by_code(&request, &state, group, parse(code)?).await?;
        let visitors = found.into_iter().collect();
        return Ok(HttpResponse::Ok().json(VisitorList { visitors, next: None }));
    }
    let after = query.cursor.as_deref().map(parse::<VisitorId>).transpose();
    let after =
        after.map_err(|_| Problem::field("cursor", "must be the next of an earlier list"))?;
    let presence = state.presence.clone();
    let visitors = ask(|answer| presence.list(group, after, limit, answer)).await?;
    let next = (visitors.len() == limit)
        .then(|| visitors.last().map(|visitor| visitor.visitorid.to_string()))
        .flatten();
    Ok(HttpResponse::Ok().json(VisitorList { visitors, next }))
}

/// The visitor whom a code leads to, if he is there.
///
/// # Errors
/// `ratelimited` after too many guesses, `unready` right after a crash.
pub async fn by_code(
    request: &HttpRequest,
    state: &State,
    group: GroupId,
    code: Code,
) -> Result<Option<VisitorView>, Problem> {
    match resolve(request, state, group.clone(), code).await {
        Ok(visitor) => look_up(state, VisitorKey { group, visitor }).await,
        Err(problem) if problem.code == ErrorCode::VisitorNotPresent => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The visitor whom a code leads to.
///
/// # Errors
/// `visitornotpresent` when it leads nowhere, `ratelimited` after too many guesses.
pub async fn resolve(
    request: &HttpRequest,
    state: &State,
    group: GroupId,
    code: Code,
) -> Result<VisitorId, Problem> {
    let address = client_address(state, request);
    let found = ask(|answer| state.presence.resolve(group, code, address, answer)).await?;
    found.inspect_err(|problem| {
        if problem.code == ErrorCode::RateLimited {
            state.metrics.limited.of(Limited::Guess).inc();
        }
    })
}

/// A visitor, if he is there.
///
/// # Errors
/// `unready` while that is not known.
pub async fn look_up(state: &State, key: VisitorKey) -> Result<Option<VisitorView>, Problem> {
    ask(|answer| state.presence.look_up(key, answer)).await?
}

/// Reads one visitor.
#[utoipa::path(tag = "visitors", operation_id = "read_visitor", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("visitor" = VisitorId, Path, description = "The visitor id")),
    responses((status = 200, body = VisitorView, description = "The visitor"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`visitornotpresent`"), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/visitors/{visitor}")]
pub async fn one(
    state: State,
    path: web::Path<(String, String)>,
    bearer: Bearer,
) -> Result<HttpResponse, ApiError> {
    bearer.require(Scope::READ)?;
    let key = visitor_key(&path.0, &path.1)?;
    let found = look_up(&state, key).await?;
    let missing = || Problem::new(ErrorCode::VisitorNotPresent, "the visitor is not there");
    Ok(HttpResponse::Ok().json(found.ok_or_else(missing)?))
}
