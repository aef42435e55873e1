//! `/lookupvisitor`, `/findvisitor`, `/signalvisitor` (`glance.md` 4.2).

use actix_web::{HttpRequest, HttpResponse, Responder, get, http::header, post, web::Query};
use serde_json::json;

use super::{
    translate::{failure, find, location, lookup, message},
    types::{Location, Signal, VisitorQuery},
};
use crate::{
    auth::Scope,
    http::{
        extract::{Body, json as read_json, parse, text, verify},
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

/// The visitor's presence data; `{}` when he is not there.
#[get("/lookupvisitor")]
pub async fn look_up_visitor(
    request: HttpRequest,
    state: State,
    query: Query<VisitorQuery>,
) -> impl Responder {
    match found(&request, &state, &query).await {
        Ok(Some(visitor)) => {
            HttpResponse::Ok().json(lookup(&visitor, own_location(&request, &state)))
        }
        Ok(None) => HttpResponse::Ok().json(json!({})),
        Err(problem) => fail(problem),
    }
}

/// Where the visitor's signals go to: this service, if he is there.
#[get("/findvisitor")]
pub async fn find_visitor(
    request: HttpRequest,
    state: State,
    query: Query<VisitorQuery>,
) -> impl Responder {
    match found(&request, &state, &query).await {
        Ok(visitor) => {
            HttpResponse::Ok().json(find(visitor.is_some(), own_location(&request, &state)))
        }
        Err(problem) => fail(problem),
    }
}

/// Sends a signal or calls a function. 200: accepted by the service.
#[post("/signalvisitor")]
pub async fn signal_visitor(
    request: HttpRequest,
    state: State,
    query: Query<VisitorQuery>,
    Body(body): Body,
) -> impl Responder {
    let send = async {
        let message = message(read_json::<Signal>(&body)?)?;
        let scope = match message {
            Message::Signal { .. } => Scope::SIGNAL,
            Message::Invoke { .. } => Scope::INVOKE,
        };
        let key = addressee(&request, &state, &query, scope).await?;
        let visitorid = key.visitor.clone();
        let (id, outcome) = submit(&state, key, message, Target::Focus, None).await?;
        Ok(HttpResponse::Ok().json(json!({"visitorid": visitorid, "id": id, "outcome": outcome})))
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

async fn found(
    request: &HttpRequest,
    state: &State,
    query: &VisitorQuery,
) -> Result<Option<VisitorView>, Problem> {
    match addressee(request, state, query, Scope::READ).await {
        Ok(key) => look_up(state, key).await,
        Err(problem) if problem.code == ErrorCode::VisitorNotPresent => Ok(None),
        Err(problem) => Err(problem),
    }
}

/// The visitor that a query means, once the token allows what is wanted of him.
async fn addressee(
    request: &HttpRequest,
    state: &State,
    query: &VisitorQuery,
    scope: Scope,
) -> Result<VisitorKey, Problem> {
    let agent = verify(request)?;
    agent.require(scope)?;
    let group = query.groupid.as_deref().or(query.group.as_deref());
    let group: GroupId = group.map(parse).transpose()?.unwrap_or_else(|| agent.group.clone());
    agent.require_group(&group)?;
    let visitor = match (query.visitorid.as_deref(), query.uniqueid.as_deref()) {
        (Some(visitor), None) => parse::<VisitorId>(visitor)?,
        (None, Some(code)) => resolve(request, state, group.clone(), parse::<Code>(code)?).await?,
        _ => return Err(Problem::field("visitorid", "give either visitorid or uniqueid")),
    };
    Ok(VisitorKey { group, visitor })
}

fn own_location(request: &HttpRequest, state: &State) -> Location {
    let public = state.settings.server.public_url.as_deref();
    let public = public.and_then(|url| url.split_once("://")).map(|(_, host)| host);
    location(public.or_else(|| text(request, header::HOST)).unwrap_or("localhost"))
}
