//! `/v1/groups/{group}/visitors/{visitor}/explain`: what happened to a visitor or a signal, and why.

use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Named, Operating, parse, query as read_query},
    paging,
    state::{State, ask},
};
use crate::model::{
    error::Problem,
    explain::Explanation,
    ids::{GroupId, SignalId, VisitorId, VisitorKey},
};

/// How many entries one answer holds where nothing else is asked for.
const USUAL: usize = 200;

/// What to explain.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExplainQuery {
    /// Only this signal: what happened to it, and to the visitor's pages before and meanwhile.
    #[param(value_type = Option<SignalId>)]
    signal: Option<String>,
    /// At most so many entries, the newest: 1 to 1000; 200 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Explains a visitor, or one signal to him: how his record stands, and what led to that. Kept in memory, for the newest
/// events of all visitors only.
#[utoipa::path(tag = "visitors", operation_id = "explain", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("visitor" = VisitorId, Path, description = "The visitor id"),
        ExplainQuery),
    responses((status = 200, body = Explanation, description = "How the record stands, and its timeline"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`notfound`: nothing is remembered"),
        (status = 429, body = ProblemBody, description = "`ratelimited`"), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/visitors/{visitor}/explain")]
pub async fn explain(
    request: HttpRequest,
    state: State,
    _: Bearer<Operating>,
    Named(key): Named<VisitorKey>,
) -> Result<HttpResponse, ApiError> {
    let query: ExplainQuery = read_query(&request)?;
    let named = |problem| Problem { field: Some("signal".to_owned()), ..problem };
    let signal = query.signal.as_deref().map(parse::<SignalId>).transpose().map_err(named)?;
    let limit = paging::limit(query.limit, USUAL)?;
    let explained = ask(|answer| state.presence.explain(key, signal, limit, answer)).await??;
    Ok(HttpResponse::Ok().json(explained))
}
