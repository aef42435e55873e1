//! Tickets to view co-browse sessions: `POST /v1/groups/{group}/sessions` gives one for the session with a visitor, which
//! begins if he has none, or for that of a code or reference; `POST …/sessions/{session}/tickets` for one by its id.

use actix_web::{HttpRequest, HttpResponse, post};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Body, Named, Sessions, json},
    sessions::{by_code, unknown},
    state::{State, ask},
    visitors::resolve,
};
use crate::{
    auth::Agent,
    cobrowse::{
        handle::{Standing, Start},
        session::SessionView,
    },
    model::{
        cobrowse::Permissions,
        error::Problem,
        ids::{Code, GroupId, Reference, SessionId, SessionKey, VisitorId, VisitorKey},
    },
};

/// Whom to begin a session with.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewSession {
    visitorid: Option<VisitorId>,
    uniqueid: Option<Code>,
    code: Option<Code>,
    reference: Option<Reference>,
    #[serde(default)]
    permissions: Permissions,
}

/// Which of the ways to name somebody: a list of optional fields would allow what is refused.
#[derive(ToSchema)]
#[schema(as = NewSession)]
#[allow(dead_code, reason = "for the document only")]
#[serde(untagged)]
enum NewSessionForm {
    /// With a visitor, by his id.
    Visitor(ByVisitor),
    /// With a visitor, by the code that he reads out.
    Unique(ByUnique),
    /// The session that runs, by its code, which the visitor reads out.
    Code(ByCode),
    /// The session that runs, by its name in another system; the newest, if there are several.
    Reference(ByReference),
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only")]
#[serde(deny_unknown_fields)]
struct ByVisitor {
    /// The visitor's id.
    visitorid: VisitorId,
    /// What the holder of the ticket may do; everything when missing.
    #[schema(required = false)]
    permissions: Permissions,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only")]
#[serde(deny_unknown_fields)]
struct ByUnique {
    /// The visitor's unique id.
    uniqueid: Code,
    /// What the holder of the ticket may do; everything when missing.
    #[schema(required = false)]
    permissions: Permissions,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only")]
#[serde(deny_unknown_fields)]
struct ByCode {
    /// The session's code.
    code: Code,
    /// What the holder of the ticket may do; everything when missing.
    #[schema(required = false)]
    permissions: Permissions,
}

#[derive(ToSchema)]
#[allow(dead_code, reason = "for the document only")]
#[serde(deny_unknown_fields)]
struct ByReference {
    /// What the page said that the session is called elsewhere.
    reference: Reference,
    /// What the holder of the ticket may do; everything when missing.
    #[schema(required = false)]
    permissions: Permissions,
}

/// What a new ticket is for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTicket {
    /// What its holder may do; everything when missing.
    #[serde(default)]
    #[schema(required = false)]
    permissions: Permissions,
}

/// A way to view a session. The ticket opens it within five minutes, and then for that one tab.
#[derive(Serialize, ToSchema)]
pub struct SessionTicket {
    /// The session.
    session: SessionId,
    /// The ticket.
    ticket: String,
    /// The page that shows the session, with the ticket behind `#`, where no server sees it.
    watch_url: String,
}

fn ticket(state: &State, agent: Agent, key: SessionKey, permissions: Permissions) -> SessionTicket {
    let session = key.session;
    let ticket = state.cobrowse.seat_ticket(key, agent, permissions);
    let base = state.settings.server.public_url.as_deref().unwrap_or_default();
    SessionTicket { session, watch_url: format!("{base}/watch/#{ticket}"), ticket }
}

/// Begins a session with a visitor, or joins the one that he has. He is asked before anybody sees his page.
#[utoipa::path(tag = "sessions", operation_id = "begin_session", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group")),
    request_body = NewSessionForm,
    responses((status = 201, body = SessionTicket, description = "The session, and a ticket to view it"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`visitornotpresent`; `notfound` for a code or reference of no session"),
        (status = 429, body = ProblemBody, description = "`ratelimited`, `toomany`"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/sessions")]
pub async fn begin(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Sessions>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let NewSession { visitorid, uniqueid, code, reference, permissions } = json(&body)?;
    let session = match (visitorid, uniqueid, code, reference) {
        (Some(visitor), None, None, None) => with(&state, VisitorKey { group, visitor }).await?,
        (None, Some(code), None, None) => {
            let visitor = resolve(&request, &state, group.clone(), code).await?;
            with(&state, VisitorKey { group, visitor }).await?
        }
        (None, None, Some(code), None) => by_code(&request, &state, group, code).await?,
        (None, None, None, Some(reference)) => by_reference(&state, group, reference).await?,
        (None, None, None, None) => return Err(Problem::field("visitorid", "is missing").into()),
        _ => {
            let rule = "must stand alone: give one of visitorid, uniqueid, code and reference";
            return Err(Problem::field("visitorid", rule).into());
        }
    };
    Ok(HttpResponse::Created().json(ticket(&state, bearer.0, session, permissions)))
}

/// A session with this visitor: a new one, or the one that he has.
async fn with(state: &State, visitor: VisitorKey) -> Result<SessionKey, Problem> {
    let start = Start::by_agent(state.cobrowse.policy());
    ask(|answer| state.cobrowse.begin(visitor, start, answer)).await?
}

/// The newest session that is called this elsewhere.
async fn by_reference(
    state: &State,
    group: GroupId,
    reference: Reference,
) -> Result<SessionKey, Problem> {
    let is_called = move |view: &SessionView| view.reference.as_ref() == Some(&reference);
    let of = group.clone();
    let found = ask(|answer| state.cobrowse.running(of, is_called, None, 1, answer));
    let (session, _) = found.await??.pop().ok_or_else(unknown)?;
    Ok(SessionKey { group, session })
}

/// Gives a ticket to view a session that runs.
#[utoipa::path(tag = "sessions", operation_id = "create_session_ticket", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("session" = SessionId, Path, description = "The session")),
    request_body = NewTicket,
    responses((status = 201, body = SessionTicket, description = "The ticket"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/sessions/{session}/tickets")]
pub async fn create(
    state: State,
    bearer: Bearer<Sessions>,
    Named(key): Named<SessionKey>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let NewTicket { permissions } = json(&body)?;
    let standing = ask(|answer| state.cobrowse.look_up(key.clone(), answer)).await??;
    if !matches!(standing, Some(Standing::Running(_))) {
        return Err(unknown().into());
    }
    Ok(HttpResponse::Created().json(ticket(&state, bearer.0, key, permissions)))
}
