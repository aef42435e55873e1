//! `/v1/groups/{group}/visitors`: who is there.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Named, Reading, client_address, query as read_query},
    list_params::ListParams,
    state::{State, ask},
};
use crate::{
    lists::page::{Cursor, Page, PageQuery},
    model::{
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, VisitorId, VisitorKey},
        view::VisitorView,
    },
};

/// Visitors who are there.
#[derive(Serialize, ToSchema)]
pub struct VisitorList {
    /// The visitors.
    visitors: Vec<VisitorView>,
    /// How many pass the filter, on this page or not.
    count: usize,
    /// How many of the group are there.
    total: usize,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// Lists the visitors who are there. Who comes, goes or changes his place while pages are read may be missed or be on two
/// of them.
#[utoipa::path(tag = "visitors", operation_id = "list_visitors", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ListParams),
    responses((status = 200, body = VisitorList, description = "The visitors, and where the next list begins"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 429, body = ProblemBody, description = "`ratelimited`"),
        (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/visitors")]
pub async fn list(
    request: HttpRequest,
    state: State,
    _: Bearer<Reading>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let ListParams { code, page } = ListParams::read(&read_query::<Vec<_>>(&request)?)?;
    if let Some(code) = code {
        let found = by_code(&request, &state, group.clone(), code).await?;
        let none = PageQuery { limit: 0, ..PageQuery::default() };
        let total = ask(|answer| state.lists.page(&group, none, answer)).await??.total;
        let part = Page::of_one(found.as_ref().map(|view| Arc::new(view.row.clone())), &page);
        let visitors: Vec<_> = found.into_iter().take(part.visitors.len()).collect();
        let list = VisitorList { visitors, count: part.count, total, next: None };
        return Ok(HttpResponse::Ok().json(list));
    }
    let Page { visitors, count, total, next } =
        ask(|answer| state.lists.page(&group, page, answer)).await??;
    // Who left since then is not among them.
    let visitors = ask(|answer| state.presence.views(&group, visitors, answer)).await?;
    let next = next.as_ref().map(Cursor::text);
    Ok(HttpResponse::Ok().json(VisitorList { visitors, count, total, next }))
}

/// The visitor whom a code leads to, if he is there.
///
/// # Errors
/// `ratelimited` after too many wrong guesses, `unready` right after a crash.
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
/// `visitornotpresent` when it leads nowhere, `ratelimited` after too many wrong guesses.
pub async fn resolve(
    request: &HttpRequest,
    state: &State,
    group: GroupId,
    code: Code,
) -> Result<VisitorId, Problem> {
    let address = client_address(state, request);
    let found = ask(|answer| state.presence.resolve(group, code, address, answer)).await?;
    found.inspect_err(|problem| state.metrics.guess_refused(problem))
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
    _: Bearer<Reading>,
    Named(key): Named<VisitorKey>,
) -> Result<HttpResponse, ApiError> {
    let found = look_up(&state, key).await?;
    let missing = || Problem::new(ErrorCode::VisitorNotPresent, "the visitor is not there");
    Ok(HttpResponse::Ok().json(found.ok_or_else(missing)?))
}
