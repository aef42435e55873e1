//! `/lookupvisitor`, `/findvisitor`, `/signalvisitor` (`glance.md` 4.2).

use actix_web::{HttpRequest, HttpResponse, Responder, get, http::header, post};
use serde_json::json;

use super::{
    translate::{failure, find, location, lookup, message},
    types::{Accepted, Failure, Find, Location, Lookup, Signal, VisitorQuery},
};
use crate::{
    auth::{Agent, Scope},
    http::{
        extract::{Body, json as read_json, parse, query as read_query, text, verify},
        signals::submit,
        state::State,
        visitors::{look_up, resolve},
    },
    model::{
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, VisitorId, VisitorKey},
        signal::{Message, Target},
        view::VisitorView,
    },
};

/// What 403 means here: their scripts know one word for all of it.
pub(super) const REFUSED: &str = "`authorization`: the token lacks the scope or is for another group, or the page's origin is \
    not in the group's list.";

/// The visitor's presence data; `{}` when he is not there.
#[utoipa::path(tag = "glance", operation_id = "glance_lookupvisitor", security(("token" = [])), params(VisitorQuery),
    responses((status = 200, body = Lookup, description = "The visitor, or `{}`"), (status = 400, body = Failure, description = "`badrequest`"),
        (status = 401, body = Failure), (status = 403, body = Failure, description = REFUSED), (status = 429, body = Failure, description = "`ratelimited`"),
        (status = 503, body = Failure)))]
#[get("/lookupvisitor")]
pub async fn look_up_visitor(request: HttpRequest, state: State) -> impl Responder {
    match found(&request, &state).await {
        Ok(Some(visitor)) => {
            HttpResponse::Ok().json(lookup(&visitor, own_location(&request, &state)))
        }
        Ok(None) => HttpResponse::Ok().json(json!({})),
        Err(problem) => fail(problem),
    }
}

/// Where the visitor's signals go to: this service, if he is there.
#[utoipa::path(tag = "glance", operation_id = "glance_findvisitor", security(("token" = [])), params(VisitorQuery),
    responses((status = 200, body = Find, description = "Where the visitor is, or `visitorfound: false`"),
        (status = 400, body = Failure, description = "`badrequest`"), (status = 401, body = Failure), (status = 403, body = Failure, description = REFUSED),
        (status = 429, body = Failure, description = "`ratelimited`"), (status = 503, body = Failure)))]
#[get("/findvisitor")]
pub async fn find_visitor(request: HttpRequest, state: State) -> impl Responder {
    match found(&request, &state).await {
        Ok(visitor) => {
            HttpResponse::Ok().json(find(visitor.is_some(), own_location(&request, &state)))
        }
        Err(problem) => fail(problem),
    }
}

/// Sends a signal or calls a function. 200: accepted by the service.
#[utoipa::path(tag = "glance", operation_id = "glance_signalvisitor", security(("token" = [])), params(VisitorQuery),
    request_body = Signal,
    responses((status = 200, body = Accepted, description = "Accepted by the service"), (status = 400, body = Failure),
        (status = 401, body = Failure), (status = 403, body = Failure, description = REFUSED), (status = 404, body = Failure, description = "`visitornotpresent`"),
        (status = 413, body = Failure), (status = 429, body = Failure), (status = 503, body = Failure)))]
#[post("/signalvisitor")]
pub async fn signal_visitor(
    request: HttpRequest,
    state: State,
    Body(body): Body,
) -> impl Responder {
    let send = async {
        let agent = verify(&request)?;
        let message = message(read_json::<Signal>(&body)?)?;
        let scope = match message {
            Message::Signal { .. } => Scope::SIGNAL,
            Message::Invoke { .. } => Scope::INVOKE,
        };
        agent.require(scope)?;
        let key = addressee(&request, &state, &agent).await?;
        let visitorid = key.visitor.clone();
        let (id, outcome) = submit(&state, key, message, Target::Focus, None).await?;
        Ok(HttpResponse::Ok().json(Accepted { visitorid, id, outcome }))
    };
    send.await.unwrap_or_else(fail)
}

/// An error answer in their form.
pub(super) fn fail(problem: Problem) -> HttpResponse {
    let retry_ms = problem.retry_ms;
    let (status, body) = failure(problem);
    let mut response = HttpResponse::build(status);
    if let Some(retry_ms) = retry_ms {
        response.insert_header((header::RETRY_AFTER, retry_ms.div_ceil(1000).to_string()));
    }
    response.json(body)
}

async fn found(request: &HttpRequest, state: &State) -> Result<Option<VisitorView>, Problem> {
    let agent = verify(request)?;
    agent.require(Scope::READ)?;
    match addressee(request, state, &agent).await {
        Ok(key) => look_up(state, key).await,
        Err(problem) if problem.code == ErrorCode::VisitorNotPresent => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The visitor that a query means, if this agent may mean him.
async fn addressee(
    request: &HttpRequest,
    state: &State,
    agent: &Agent,
) -> Result<VisitorKey, Problem> {
    let query: VisitorQuery = read_query(request)?;
    let named = query.groupid.as_deref().map(|id| (id, "groupid"));
    let group = match named.or_else(|| Some((query.group.as_deref()?, "group"))) {
        Some((id, name)) => parse::<GroupId>(id).map_err(|problem| problem.called(name))?,
        None => agent.group.clone(),
    };
    agent.require_group(&group)?;
    let visitor = match (query.visitorid.as_deref(), query.uniqueid.as_deref()) {
        (Some(visitor), None) => parse::<VisitorId>(visitor)?,
        (None, Some(code)) => {
            let code = parse::<Code>(code).map_err(|problem| problem.called("uniqueid"))?;
            resolve(request, state, group.clone(), code).await?
        }
        _ => return Err(Problem::field("visitorid", "give either visitorid or uniqueid")),
    };
    Ok(VisitorKey { group, visitor })
}

fn own_location(request: &HttpRequest, state: &State) -> Location {
    let public = state.settings.server.public_url.as_deref();
    location(public.or_else(|| text(request, header::HOST)).unwrap_or("localhost"))
}
