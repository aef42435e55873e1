//! `/v1/groups/{group}/visitors`: who is there.

use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, client_address, parse, query as read_query, visitor_key},
    paging,
    state::{State, ask},
};
use crate::{
    auth::Scope,
    lists::page::{Cursor, Page, PageQuery},
    model::{
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, VisitorId, VisitorKey},
        list::{Filter, Sort},
        view::VisitorView,
    },
    telemetry::labels::Limited,
};

/// Which visitors.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before, asked for with the same `sort`.
    cursor: Option<String>,
    /// The order: `visitorid`, `since`, `updated` or `data.KEY`, with `-` before it for the greatest first; visitors
    /// without a value come last. `visitorid` when missing.
    sort: Option<String>,
    /// Only the visitor whom this code leads to. Stands alone.
    #[param(value_type = Option<Code>)]
    uniqueid: Option<String>,
    /// Only visitors who fulfil every clause, `field=value` or `field[operator]=value`; at most 16. Fields: `visitorid` and
    /// `url` (operators `eq`, `prefix`, `contains`), `data.KEY` (also `exists`, `lt`, `lte`, `gt`, `gte`), `text` (in the
    /// id or in any value), `anonymous`, `transit`, `visibility`, `terms`, `since` and `updated` (`before`, `after`).
    #[param(style = Form, explode, value_type = Option<std::collections::HashMap<String, String>>)]
    filter: Filter,
}

impl ListParams {
    /// Takes a query's pairs apart.
    ///
    /// # Errors
    /// `badrequest` that names the field.
    pub fn read(pairs: &[(String, String)]) -> Result<Self, Problem> {
        let (mut limit, mut cursor, mut sort, mut uniqueid) = (None, None, None, None);
        let mut clauses = Vec::new();
        for (name, value) in pairs {
            let place = match name.as_str() {
                "limit" => &mut limit,
                "cursor" => &mut cursor,
                "sort" => &mut sort,
                "uniqueid" => &mut uniqueid,
                _ => {
                    clauses.push((name.as_str(), value.as_str()));
                    continue;
                }
            };
            if place.replace(value.clone()).is_some() {
                return Err(Problem::field(name.as_str(), "must stand once"));
            }
        }
        // What is no number is as wrong as one that is too small.
        let limit = limit.map(|limit| limit.parse().unwrap_or_default());
        let limit = paging::limit(limit, paging::USUAL)?;
        let filter = Filter::from_query(clauses)?;
        if uniqueid.is_some() && !(filter.is_all() && cursor.is_none() && sort.is_none()) {
            return Err(Problem::field("uniqueid", "must stand alone"));
        }
        Ok(Self { limit: Some(limit), cursor, sort, uniqueid, filter })
    }

    fn page(self) -> Result<PageQuery, Problem> {
        Ok(PageQuery {
            filter: self.filter,
            sort: self.sort.map_or(Ok(Sort::BY_VISITOR), |sort| sort.parse())?,
            after: self.cursor.as_deref().map(Cursor::read).transpose()?,
            limit: self.limit.unwrap_or(paging::USUAL),
        })
    }
}

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
    group: web::Path<String>,
    bearer: Bearer,
) -> Result<HttpResponse, ApiError> {
    bearer.require(Scope::READ)?;
    let group: GroupId = parse(&group)?;
    let params = ListParams::read(&read_query::<Vec<_>>(&request)?)?;
    if let Some(code) = &params.uniqueid {
        let found = by_code(&request, &state, group.clone(), parse(code)?).await?;
        let none = PageQuery { limit: 0, ..PageQuery::default() };
        let total = ask(|answer| state.lists.page(&group, none, answer)).await??.total;
        let visitors: Vec<_> = found.into_iter().collect();
        let list = VisitorList { count: visitors.len(), visitors, total, next: None };
        return Ok(HttpResponse::Ok().json(list));
    }
    let query = params.page()?;
    let Page { visitors, count, total, next } =
        ask(|answer| state.lists.page(&group, query, answer)).await??;
    // Who left since then is not among them.
    let visitors = ask(|answer| state.presence.views(&group, visitors, answer)).await?;
    let next = next.as_ref().map(Cursor::text);
    Ok(HttpResponse::Ok().json(VisitorList { visitors, count, total, next }))
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
