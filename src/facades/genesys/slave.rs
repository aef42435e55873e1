//! `slave.html` (`genesys.md` 8): our own page for agents under the name that desktops know, and what it takes its seat by.
//!
//! The page is the same for everybody and opens nothing. Its script asks for a seat by the session's token, from our own
//! origin, or brings a ticket that the desktop asked for.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, http::header, post, web};
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::{
    rest::{FORBIDDEN, Refusal, UNREADABLE, code, refuse},
    types::GenesysError,
};
use crate::{
    auth::{Agent, Scope, TokenRequest},
    bayeux::server::group_of,
    http::{
        extract::{check_origin, query, text, verify},
        pages::{PAGE_RULES, page_with},
        sessions::by_code,
        state::State,
        watch,
    },
    model::{cobrowse::Permissions, ids::GroupId, topic::Rights},
    settings::{Group, Trust},
    sockets::service::PageOrigin,
};

/// What the page is told.
#[derive(Serialize)]
struct Facts<'a> {
    group: Option<&'a GroupId>,
    /// Whether agents may come at all, by a code, or by a token only.
    trust: Trust,
}

/// Whose agents come, where the address says so.
#[derive(Deserialize)]
struct Whose {
    group: Option<GroupId>,
}

/// The page. Its group is the one that the address names, else the one of the page in whose frame it stands, else the one that
/// serves whoever names none. It stands in frames of that group's desktops, and in no others.
#[get("/cobrowse/slave.html")]
pub(super) async fn page(request: HttpRequest, state: State) -> HttpResponse {
    let group = match query::<Whose>(&request) {
        Ok(Whose { group: Some(named) }) => state.settings.groups.get(&named),
        Ok(Whose { group: None }) => around(&request, &state),
        Err(_) => None,
    };
    let facts = Facts {
        group: group.map(|group| &group.id),
        trust: group.map_or(Trust::Off, |group| group.bayeux),
    };
    let ancestors = group.map_or("'none'".to_owned(), |group| {
        let list = watch::ancestors(&state, group);
        group.bayeux_frames.iter().fold(list, |list, origin| format!("{list} {origin}"))
    });
    watch::page_in(&state, &ancestors, &serde_json::to_string(&facts).unwrap_or_default())
}

/// An example of a desktop that shows the page in a frame. Its client's timers run in a worker, which no hidden tab slows down.
#[get("/demo/desktop")]
pub(super) async fn desktop(state: State) -> HttpResponse {
    let policy = format!("{PAGE_RULES}; worker-src 'self' blob:; frame-ancestors 'none'");
    page_with(&state, "demo/desktop.html", &policy, "")
}

/// The group in one of whose pages the frame is that asks.
fn around<'a>(request: &HttpRequest, state: &'a State) -> Option<&'a Arc<Group>> {
    let referrer = text(request, header::REFERER).and_then(|text| Url::parse(text).ok());
    let from = referrer.map(|referrer| referrer.origin().ascii_serialization());
    let origin = state.page_origin(from.as_deref(), text(request, header::HOST));
    let holds_it = |group: &&Arc<Group>| {
        from.is_some() && group.bayeux_frames.allows(from.as_deref(), state.settings.mode)
    };
    group_of(state, &origin)
        .or_else(|| state.settings.groups.iter().find(holds_it))
        // A page that a link led to, from anywhere; it may stand in no frame there.
        .or_else(|| group_of(state, &PageOrigin::NoPage))
}

/// An agent's way into a session.
#[derive(Serialize, ToSchema)]
pub(super) struct SeatGiven {
    /// Opens the session's view once, within five minutes, in the tab that uses it first: `slave.html#ticket=`.
    ticket: String,
}

/// Gives an agent a seat, for `slave.html`; ours. In `code` mode whoever knows the token gets one that cannot control the page;
/// with one of our tokens, which `token` mode needs, it is the bearer's. The visitor is asked all the same.
#[utoipa::path(tag = "genesys", operation_id = "genesys_take_seat",
    params(("token" = String, Path, description = "The session's token: nine digits"),
        ("group" = Option<GroupId>, Query, description = "Whose session; as for the other calls when missing")),
    responses((status = 200, body = SeatGiven, description = "The seat"), (status = 400, body = GenesysError), (status = 401, body = GenesysError),
        (status = 403, body = GenesysError), (status = 404, body = GenesysError), (status = 429, body = GenesysError), (status = 500, body = GenesysError),
        (status = 503, body = GenesysError)))]
#[post("/cobrowse/rest/live/sessions/{token}/seats")]
pub(super) async fn seat(
    request: HttpRequest,
    state: State,
    token: web::Path<String>,
) -> HttpResponse {
    match seated(&request, &state, &token).await {
        Ok(ticket) => HttpResponse::Ok().json(SeatGiven { ticket }),
        Err(refusal) => refuse(refusal),
    }
}

async fn seated(request: &HttpRequest, state: &State, token: &str) -> Result<String, Refusal> {
    let agent = asker(request, state)?;
    let session = by_code(request, state, agent.group.clone(), code(token)?).await?;
    let control = agent.scope.contains(Scope::CONTROL);
    let permissions = Permissions { control, ..Permissions::ALL };
    Ok(state.cobrowse.seat_ticket(session, agent, permissions))
}

/// The bearer of the request's token, or somebody without a name where a code is enough.
fn asker(request: &HttpRequest, state: &State) -> Result<Agent, Refusal> {
    let named = query::<Whose>(request).map_err(|_| UNREADABLE)?.group;
    if request.headers().contains_key(header::AUTHORIZATION) {
        let agent = verify(request)?;
        agent.require(Scope::SESSION)?;
        let trust = state.settings.groups.get(&agent.group).map(|group| group.bayeux);
        let is_his = named.is_none_or(|named| named == agent.group);
        return if is_his && trust.is_some_and(|trust| trust != Trust::Off) {
            Ok(agent)
        } else {
            Err(FORBIDDEN)
        };
    }
    let group = match named {
        Some(named) => state.settings.groups.get(&named),
        None => group_of(state, &state.origin_of(request.headers())),
    };
    let group = group.filter(|group| group.bayeux == Trust::Code).ok_or(FORBIDDEN)?;
    check_origin(state, request, group)?;
    let nobody = TokenRequest {
        group: group.id.clone(),
        subject: format!("~{:016x}", rand::random::<u64>()),
        name: None,
        scope: Scope::NONE,
        topics: Rights::default(),
        minutes: None,
    };
    Ok(state.tokens.vouch(nobody, state.clock().wall())?)
}
