//! A visitor's page shown to an agent: `watch_url`, and the end of it.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{self, ContentType},
    web,
};

use super::{
    caller::{agent, caller, fail},
    translate::permissions,
    types::{UpscopeError, WatchUrl, WatchUrlBody},
    visitors::visitor_key,
};
use crate::{
    http::{
        extract::{Body, json, text},
        links::{Wish, make},
        state::{State, ask},
    },
    model::{
        cobrowse::EndReason,
        error::{ErrorCode, Problem},
        ids::{SessionKey, VisitorId},
        watch::Metadata,
    },
};

/// Makes a link to a visitor's page, which begins the session when it is opened, and needs no further log-in.
#[utoipa::path(post, path = "/v1.3/visitors/{short_id}/watch_url", tag = "upscope", operation_id = "upscope_watch_url", security(("api_key" = [])),
    params(("short_id" = VisitorId, Path, description = "The visitor id")), request_body = WatchUrlBody,
    responses((status = 200, body = WatchUrl, description = "The link"), (status = 400, body = UpscopeError, description = "`invalid_parameters`"),
        (status = 401, body = UpscopeError), (status = 404, body = UpscopeError, description = "`not_found`"), (status = 413, body = UpscopeError),
        (status = 429, body = UpscopeError), (status = 503, body = UpscopeError)))]
pub(super) async fn watch_url(
    request: HttpRequest,
    state: State,
    short_id: web::Path<String>,
    Body(body): Body,
) -> HttpResponse {
    let answer = async {
        let group = caller(&request, &state)?;
        let visitor = visitor_key(group, &short_id)?;
        let WatchUrlBody { agent: who, branding, metadata, permissions: allowed, parent_origin } =
            json(&body)?;
        if who.id.is_empty() {
            return Err(Problem::field("agent.id", "must have 1 to 255 characters"));
        }
        let wish = Wish {
            permissions: permissions(allowed),
            branding,
            metadata: Metadata::from_json(metadata, "metadata")?,
            parent_origin,
            closes: true,
        };
        let agent = agent(&state, group, who.id, who.name)?;
        make(&state, visitor, agent, wish).await
    };
    let told = |watch_url| {
        let watch_url = absolute(&request, &state, watch_url);
        HttpResponse::Ok().json(WatchUrl { status: "ok", watch_url })
    };
    answer.await.map_or_else(fail, told)
}

/// An address of this server as the one who asks knows it.
fn absolute(request: &HttpRequest, state: &State, address: String) -> String {
    if address.contains("://") {
        return address;
    }
    let host = text(request, header::HOST).unwrap_or("localhost");
    format!("{}://{host}{address}", state.settings.server.scheme())
}

/// Ends the visitor's session, if there is one.
#[utoipa::path(delete, path = "/v1.3/visitors/{short_id}/session", tag = "upscope", operation_id = "upscope_end_session", security(("api_key" = [])),
    params(("short_id" = VisitorId, Path, description = "The visitor id")),
    responses((status = 200, body = String, content_type = "text/plain", description = "`ok`, whether there was a session or not"),
        (status = 400, body = UpscopeError), (status = 401, body = UpscopeError), (status = 429, body = UpscopeError), (status = 503, body = UpscopeError)))]
pub(super) async fn end(
    request: HttpRequest,
    state: State,
    short_id: web::Path<String>,
) -> HttpResponse {
    let answer = async {
        let group = caller(&request, &state)?;
        let key = visitor_key(group, &short_id)?;
        let session = ask(|answer| state.presence.session_of(key, answer)).await??;
        let Some(session) = session else { return Ok(()) };
        let key = SessionKey { group: group.id.clone(), session };
        ask(|answer| state.cobrowse.end(key, EndReason::Controller, None, answer)).await?
    };
    match answer.await {
        Err(problem) if problem.code != ErrorCode::NotFound => fail(problem),
        _ => HttpResponse::Ok().content_type(ContentType::plaintext()).body("ok"),
    }
}
