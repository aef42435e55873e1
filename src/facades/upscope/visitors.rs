//! Who is there: `/list`, and `/visitors/{short_id}`.

use std::collections::HashSet;

use actix_web::{HttpRequest, HttpResponse, web};

use super::{
    caller::{caller, fail},
    search::Search,
    translate,
    types::{
        Done, ForgetQuery, ListQuery, UpscopeError, UpscopeVisitor, UpscopeVisitorAnswer,
        UpscopeVisitors,
    },
};
use crate::{
    cobrowse::session::Summary,
    http::{
        extract::{parse, query as read_query},
        state::{State, ask},
        visitors::{by_code, look_up},
    },
    lists::page::PageQuery,
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, VisitorId, VisitorKey},
        list::{Facts, Sort},
        view::VisitorView,
    },
    settings::Group,
    store::history::PastQuery,
};

/// Visitors of an answer where nothing else is asked for, and most of them.
const USUAL: usize = 50;
const MOST: usize = 200;
/// Visitors that are looked at in one step, and most steps of a search.
const STEP: usize = 500;
const STEPS: usize = 10;
/// Past sessions that are told of one visitor.
const MOST_SESSIONS: usize = 20;

/// Finds visitors who are there, the latest first.
#[utoipa::path(get, path = "/v1.3/list", tag = "upscope", operation_id = "upscope_list", security(("api_key" = [])), params(ListQuery),
    responses((status = 200, body = UpscopeVisitors, description = "The visitors"), (status = 400, body = UpscopeError, description = "`invalid_parameters`"),
        (status = 401, body = UpscopeError, description = "`invalid_api_key`, `api_not_enabled`"), (status = 429, body = UpscopeError, description = "`too_many_requests`"),
        (status = 503, body = UpscopeError)))]
pub(super) async fn list(request: HttpRequest, state: State) -> HttpResponse {
    let answer = async {
        let group = caller(&request, &state)?;
        let query: ListQuery = read_query(&request)?;
        // Both have to be good, even though only one counts.
        let search = query.search.map(|text| Search::read("search", &text)).transpose()?;
        let old = query.q.map(|text| Search::read("q", &text)).transpose()?;
        let search = search.or(old).unwrap_or_default();
        let most = query.max_results.unwrap_or(USUAL);
        if most == 0 {
            return Err(Problem::field("max_results", "must be at least 1"));
        }
        find(&request, &state, group, &search, most.min(MOST)).await
    };
    answer.await.map_or_else(fail, visitors)
}

/// The latest visitors: the on-premise edition's path.
pub(super) async fn latest(request: HttpRequest, state: State) -> HttpResponse {
    let answer = async {
        let group = caller(&request, &state)?;
        find(&request, &state, group, &Search::default(), USUAL).await
    };
    answer.await.map_or_else(fail, visitors)
}

fn visitors(visitors: Vec<UpscopeVisitor>) -> HttpResponse {
    HttpResponse::Ok().json(UpscopeVisitors { status: "ok", visitors })
}

async fn find(
    request: &HttpRequest,
    state: &State,
    group: &Group,
    search: &Search,
    most: usize,
) -> Result<Vec<UpscopeVisitor>, Problem> {
    if search.is_hopeless() {
        return Ok(Vec::new());
    }
    let sessions = in_session(state, &group.id).await?;
    let fits = |view: &VisitorView| search.fits(&translate::known(view));
    let told =
        |view: &VisitorView| translate::visitor(view, sessions.contains(&view.row.visitorid));
    if let Some(code) = &search.code {
        let found = by_code(request, state, group.id.clone(), code.clone()).await?;
        // The lists, which look for text, were not asked.
        let text = search.filter()?;
        let found = found.filter(|view| text.matches(&Facts::of(&view.row)) && fits(view));
        let found = found.as_ref().map(told);
        let coded =
            found.map(|visitor| UpscopeVisitor { lookup_code: Some(code.to_string()), ..visitor });
        return Ok(coded.into_iter().collect());
    }
    let mut found = Vec::new();
    let (sort, limit) = (Sort::NEWEST_FIRST, STEP);
    let mut query = PageQuery { filter: search.filter()?, sort, after: None, limit };
    for _ in 0..STEPS {
        let page = ask(|answer| state.lists.page(&group.id, query.clone(), answer)).await??;
        let views = page.visitors;
        let views = ask(|answer| state.presence.views(&group.id, views, answer)).await?;
        let left = most - found.len();
        found.extend(views.iter().filter(|view| fits(view)).take(left).map(told));
        query.after = page.next;
        if query.after.is_none() || found.len() == most {
            break;
        }
    }
    Ok(found)
}

/// Which visitors of the group have a session.
async fn in_session(state: &State, group: &GroupId) -> Result<HashSet<VisitorId>, Problem> {
    let (group, all) = (group.clone(), usize::MAX);
    let running =
        ask(|answer| state.cobrowse.running(group, |_| true, None, all, answer)).await??;
    let visitors = running.into_iter().map(|(_, view)| view.visitorid);
    Ok(visitors.collect())
}

/// Reads one visitor who is there, with his past sessions.
#[utoipa::path(get, path = "/v1.3/visitors/{short_id}", tag = "upscope", operation_id = "upscope_visitor", security(("api_key" = [])),
    params(("short_id" = VisitorId, Path, description = "The visitor id")),
    responses((status = 200, body = UpscopeVisitorAnswer, description = "The visitor"), (status = 400, body = UpscopeError),
        (status = 401, body = UpscopeError), (status = 404, body = UpscopeError, description = "`not_found`"),
        (status = 429, body = UpscopeError), (status = 503, body = UpscopeError)))]
pub(super) async fn one(
    request: HttpRequest,
    state: State,
    short_id: web::Path<String>,
) -> HttpResponse {
    let answer = async {
        let group = caller(&request, &state)?;
        let key = visitor_key(group, &short_id)?;
        let view = look_up(&state, key.clone()).await?.ok_or_else(nobody)?;
        let runs = ask(|answer| state.presence.session_of(key.clone(), answer)).await??.is_some();
        let sessions = Some(past_sessions(&state, key).await?);
        Ok(UpscopeVisitor { sessions, ..translate::visitor(&view, runs) })
    };
    let told = |visitor| HttpResponse::Ok().json(UpscopeVisitorAnswer { status: "ok", visitor });
    answer.await.map_or_else(fail, told)
}

async fn past_sessions(
    state: &State,
    key: VisitorKey,
) -> Result<Vec<super::types::UpscopeSession>, Problem> {
    let VisitorKey { group, visitor } = key;
    let query = PastQuery { group, visitor: Some(visitor), before: None, limit: MOST_SESSIONS };
    let past = state.cobrowse.ledger().store().await.sessions(query).await;
    let past = past.map_err(|error| {
        tracing::error!(%error, "past sessions cannot be read");
        Problem::new(ErrorCode::Internal, "past sessions cannot be read")
    })?;
    let told = past.iter().filter_map(|past| {
        let summary: Summary = serde_json::from_str(&past.summary).ok()?;
        Some(translate::session(past.session, &summary))
    });
    Ok(told.collect())
}

/// Forgets a visitor. Nothing is kept of one who left, and one who is there stays.
#[utoipa::path(delete, path = "/v1.3/visitors/{short_id}", tag = "upscope", operation_id = "upscope_forget_visitor", security(("api_key" = [])),
    params(("short_id" = VisitorId, Path, description = "The visitor id")),
    responses((status = 200, body = Done, description = "Done"), (status = 400, body = UpscopeError), (status = 401, body = UpscopeError),
        (status = 429, body = UpscopeError)))]
pub(super) async fn forget(
    request: HttpRequest,
    state: State,
    short_id: web::Path<String>,
) -> HttpResponse {
    let answer = caller(&request, &state).and_then(|group| visitor_key(group, &short_id));
    answer.map_or_else(fail, |_| done())
}

/// Forgets all visitors who are not there, of whom nothing is kept.
#[utoipa::path(delete, path = "/v1.3/visitors", tag = "upscope", operation_id = "upscope_forget_visitors", security(("api_key" = [])), params(ForgetQuery),
    responses((status = 200, body = Done, description = "Done"), (status = 400, body = UpscopeError, description = "`invalid_parameters`"),
        (status = 401, body = UpscopeError), (status = 429, body = UpscopeError)))]
pub(super) async fn forget_all(request: HttpRequest, state: State) -> HttpResponse {
    let answer = caller(&request, &state).and_then(|_| {
        let ForgetQuery { all } = read_query(&request)?;
        all.filter(|all| *all).ok_or_else(|| Problem::field("all", "must be true"))
    });
    answer.map_or_else(fail, |_| done())
}

fn done() -> HttpResponse {
    HttpResponse::Ok().json(Done { status: "ok" })
}

/// The visitor that a path names; the first version's paths end in `.json`.
///
/// # Errors
/// `badrequest`.
pub(super) fn visitor_key(group: &Group, short_id: &str) -> Result<VisitorKey, Problem> {
    let visitor = parse(short_id.strip_suffix(".json").unwrap_or(short_id))
        .map_err(|problem| problem.called("short_id"))?;
    Ok(VisitorKey { group: group.id.clone(), visitor })
}

/// The visitor is not there.
pub(super) fn nobody() -> Problem {
    Problem::new(ErrorCode::VisitorNotPresent, "the visitor is not there")
}
