//! The calls (`genesys.md` 3).

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::{StatusCode, header},
    post, web,
};
use url::Url;

use super::{
    channels::begin,
    types::{DIGITS, Deactivated, Found, GenesysError, Past, PastPage, history_id, session_of},
};
use crate::{
    auth::{Agent, Scope},
    bayeux::server::group_of,
    cobrowse::{handle::Standing, session::Summary},
    http::{
        extract::{client_address, text, verify},
        past_sessions::stored,
        sessions::by_code,
        state::{State, ask},
    },
    model::{
        cobrowse::{EndReason, Role, Visit},
        error::{ErrorCode, Problem},
        ids::{Code, SessionId, SessionKey},
    },
    settings::{Group, Trust},
    sockets::service::PageOrigin,
    store::history::PastQuery,
};

/// Names the node that has a session, as a cookie and as a header.
pub const SERVER: &str = "gcbsessionserver";

pub(super) struct Refusal(StatusCode, &'static str, Option<u64>);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let (status, error) = match problem.code {
            ErrorCode::NotFound | ErrorCode::VisitorNotPresent => (404, "session unknown"),
            ErrorCode::RateLimited => (429, "too many requests"),
            ErrorCode::Authorization => (401, "token refused"),
            ErrorCode::Scope | ErrorCode::Group | ErrorCode::Origin | ErrorCode::Signature => {
                (403, "not allowed")
            }
            ErrorCode::BadRequest | ErrorCode::ForbiddenFunction | ErrorCode::TooLarge => {
                (400, "malformed")
            }
            ErrorCode::Method => (405, "method not allowed"),
            ErrorCode::Taken | ErrorCode::Unavailable => (409, "taken"),
            ErrorCode::Unready | ErrorCode::TooMany => (503, "try again later"),
            ErrorCode::Internal => (500, "failed"),
        };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self(status, error, problem.retry_ms)
    }
}

pub(super) fn refuse(Refusal(status, error, retry_ms): Refusal) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    if let Some(retry_ms) = retry_ms {
        response.insert_header((header::RETRY_AFTER, retry_ms.div_ceil(1000).to_string()));
    }
    response.json(GenesysError { error })
}

pub(super) const FORBIDDEN: Refusal = Refusal(StatusCode::FORBIDDEN, "not allowed", None);
pub(super) const UNREADABLE: Refusal =
    Refusal(StatusCode::BAD_REQUEST, "the query cannot be read", None);
pub(super) const UNKNOWN: Refusal = Refusal(StatusCode::NOT_FOUND, "unknown", None);

/// Who asks: the bearer of a token, or whoever comes from where the group lets people come from.
struct Asker<'a> {
    group: &'a Group,
    agent: Option<Agent>,
    /// Whether the request says which page it comes from.
    has_page: bool,
}

fn asker<'a>(request: &HttpRequest, state: &'a State) -> Result<Asker<'a>, Refusal> {
    let mut origin = state.origin_of(request.headers());
    let referrer = text(request, header::REFERER).and_then(|text| Url::parse(text).ok());
    if let (PageOrigin::NoPage, Some(referrer)) = (&origin, referrer) {
        let page = referrer.origin().ascii_serialization();
        origin = state.page_origin(Some(&page), text(request, header::HOST));
    }
    let has_page = origin != PageOrigin::NoPage;
    if request.headers().contains_key(header::AUTHORIZATION) {
        let agent = verify(request)?;
        agent.require(Scope::SESSION)?;
        let group = state.settings.groups.get(&agent.group).ok_or(FORBIDDEN)?;
        if group.bayeux == Trust::Off {
            return Err(FORBIDDEN);
        }
        return Ok(Asker { group, agent: Some(agent), has_page });
    }
    let group = group_of(state, &origin).filter(|group| group.bayeux != Trust::Off);
    Ok(Asker { group: group.ok_or(FORBIDDEN)?, agent: None, has_page })
}

impl Asker<'_> {
    /// Where the group wants tokens, nothing goes without one.
    fn trusted(&self) -> Result<(), Refusal> {
        if self.agent.is_none() && self.group.bayeux != Trust::Code {
            return Err(FORBIDDEN);
        }
        Ok(())
    }
}

/// A session's token as a code.
pub(super) fn code(token: &str) -> Result<Code, Refusal> {
    let is_token = token.len() == usize::from(DIGITS);
    token.parse().ok().filter(|_| is_token).ok_or(UNKNOWN)
}

fn server_name(state: &State) -> String {
    format!("vestibule-{}", state.cobrowse.node().node)
}

/// Where the session is found, with the node's name as cookie and header.
fn found(state: &State, code: &Code) -> HttpResponse {
    let name = server_name(state);
    let public = state.settings.server.public_url.as_deref();
    let is_secure =
        state.settings.server.tls.is_some() || public.is_some_and(|url| url.starts_with("https:"));
    let across = if is_secure { "; Secure; SameSite=None" } else { "" };
    HttpResponse::Ok()
        .insert_header((header::SET_COOKIE, format!("gcbSessionServer={name}; Path=/{across}")))
        .insert_header((SERVER, name.clone()))
        .json(Found {
            session_token: code.to_string(),
            session_server_name: name,
            session_server_url: public.map(|url| format!("{url}/cobrowse")),
        })
}

/// Begins a session, whose customer comes by the channels.
#[utoipa::path(tag = "genesys", operation_id = "genesys_create_session",
    responses((status = 200, body = Found, description = "The session's token"), (status = 401, body = GenesysError),
        (status = 403, body = GenesysError), (status = 429, body = GenesysError), (status = 500, body = GenesysError), (status = 503, body = GenesysError)))]
#[post("/cobrowse/rest/live/sessions")]
pub(super) async fn create(request: HttpRequest, state: State) -> HttpResponse {
    let answer = async {
        let asker = asker(&request, &state)?;
        asker.trusted()?;
        let address = client_address(&state, &request);
        let (group, agent) = (&asker.group.id, asker.agent.as_ref());
        let begun = ask(|answer| begin(&state, group, (agent, address), answer)).await?;
        Ok(found(&state, &begun?.1))
    };
    answer.await.unwrap_or_else(refuse)
}

/// Says which node has a session.
#[utoipa::path(tag = "genesys", operation_id = "genesys_find_session",
    params(("token" = String, Path, description = "The session's token: nine digits")),
    responses((status = 200, body = Found, description = "Where the session is"), (status = 401, body = GenesysError), (status = 403, body = GenesysError),
        (status = 404, body = GenesysError), (status = 429, body = GenesysError), (status = 500, body = GenesysError), (status = 503, body = GenesysError)))]
#[get("/cobrowse/rest/live/sessions/{token}")]
pub(super) async fn find(
    request: HttpRequest,
    state: State,
    token: web::Path<String>,
) -> HttpResponse {
    let answer = async {
        let asker = asker(&request, &state)?;
        asker.trusted()?;
        let lists_pages = asker.group.agent_origins.iter().next().is_some();
        if asker.agent.is_none() && !asker.has_page && lists_pages && asker.group.bayeux_pages_only
        {
            return Err(FORBIDDEN);
        }
        let code = code(&token)?;
        by_code(&request, &state, asker.group.id.clone(), code.clone()).await?;
        Ok(found(&state, &code))
    };
    answer.await.unwrap_or_else(refuse)
}

/// Ends a session at its controller's wish.
#[utoipa::path(tag = "genesys", operation_id = "genesys_stop_session",
    params(("token" = String, Path, description = "The controller's own token, from his join")),
    responses((status = 200, body = Deactivated, description = "When it was active"), (status = 403, body = GenesysError),
        (status = 404, body = GenesysError), (status = 429, body = GenesysError), (status = 500, body = GenesysError), (status = 503, body = GenesysError)))]
#[get("/cobrowse/rest/live/users/{token}/session/stop")]
pub(super) async fn stop(state: State, token: web::Path<String>) -> HttpResponse {
    end(&state, &token).await.unwrap_or_else(refuse)
}

/// The same, by the method that fits what it does.
#[utoipa::path(tag = "genesys", operation_id = "genesys_stop_session_by_post",
    params(("token" = String, Path, description = "The controller's own token, from his join")),
    responses((status = 200, body = Deactivated, description = "When it was active"), (status = 403, body = GenesysError),
        (status = 404, body = GenesysError), (status = 429, body = GenesysError), (status = 500, body = GenesysError), (status = 503, body = GenesysError)))]
#[post("/cobrowse/rest/live/users/{token}/session/stop")]
pub(super) async fn stop_by_post(state: State, token: web::Path<String>) -> HttpResponse {
    end(&state, &token).await.unwrap_or_else(refuse)
}

async fn end(state: &State, token: &str) -> Result<HttpResponse, Refusal> {
    let found = ask(|answer| state.cobrowse.by_member_name(token, answer)).await??;
    let (session, member) = found.ok_or(UNKNOWN)?;
    if member.role != Role::Controller {
        return Err(FORBIDDEN);
    }
    let key = session.clone();
    ask(|answer| state.cobrowse.end(key, EndReason::Controller, None, answer)).await??;
    match ask(|answer| state.cobrowse.look_up(session, answer)).await?? {
        Some(Standing::Over(over)) => Ok(HttpResponse::Ok().json(Deactivated {
            activation_time: over.activated.map(|time| time.0),
            deactivation_time: over.ended.0,
        })),
        _ => Err(UNKNOWN),
    }
}

/// A session as it was, or as it is so far. For holders of a token with the scope `session`, and for who is in it by his own
/// token, as the parameter `userToken`.
#[utoipa::path(tag = "genesys", operation_id = "genesys_read_history",
    params(("id" = String, Path, description = "The session's name in the history"),
        ("userToken" = Option<String>, Query, description = "The token of one who is in the session")),
    responses((status = 200, body = Past, description = "The session"), (status = 401, body = GenesysError), (status = 403, body = GenesysError),
        (status = 404, body = GenesysError), (status = 429, body = GenesysError), (status = 500, body = GenesysError), (status = 503, body = GenesysError)))]
#[get("/cobrowse/rest/history/sessions/{id}")]
pub(super) async fn history(
    request: HttpRequest,
    state: State,
    id: web::Path<String>,
) -> HttpResponse {
    let answer = async {
        let session = session_of(&id).ok_or(UNKNOWN)?;
        let own = form_urlencoded::parse(request.query_string().as_bytes())
            .find(|(name, _)| name == "userToken");
        let own = match own {
            Some((_, token)) => {
                ask(|answer| state.cobrowse.by_member_name(&token, answer)).await??
            }
            None => None,
        };
        let key = match own.filter(|(of, _)| of.session == session) {
            Some((key, _)) => key,
            None => {
                let asker = asker(&request, &state)?;
                let agent = asker.agent.ok_or(FORBIDDEN)?;
                SessionKey { group: agent.group, session }
            }
        };
        past(&state, key).await.map(|past| HttpResponse::Ok().json(past))
    };
    answer.await.unwrap_or_else(refuse)
}

async fn past(state: &State, key: SessionKey) -> Result<Past, Refusal> {
    let id = history_id(key.session);
    match ask(|answer| state.cobrowse.look_up(key.clone(), answer)).await?? {
        Some(Standing::Running(view)) => Ok(Past {
            id,
            session_token: view.code.map(|code| code.to_string()),
            creation_time: view.created.0,
            activation_time: view.activated.map(|time| time.0),
            deactivation_time: None,
            pages: Vec::new(),
        }),
        Some(Standing::Over(over)) => Ok(told(id, *over)),
        None => {
            let summary = kept(state, &key).await?;
            summary.map(|summary| told(id, summary)).ok_or(UNKNOWN)
        }
    }
}

/// What the history holds of a session: it lists those before another one.
async fn kept(state: &State, key: &SessionKey) -> Result<Option<Summary>, Refusal> {
    let number = u128::from_str_radix(&key.session.to_string(), 16).unwrap_or_default();
    let before = Some(SessionId::from_u128(number.saturating_add(1)));
    let query = PastQuery { group: key.group.clone(), visitor: None, before, limit: 1 };
    let found = state.cobrowse.ledger().store().await.sessions(query).await.map_err(stored)?;
    let past = found.into_iter().find(|past| past.session == key.session);
    Ok(past.and_then(|past| serde_json::from_str(&past.summary).ok()))
}

fn told(id: String, over: Summary) -> Past {
    let page = |visit: Visit| PastPage {
        duration: visit.left.unwrap_or(over.ended).since(visit.entered) / 1_000,
        url: visit.url.into(),
        entered_timestamp: visit.entered.0,
    };
    // A customer of this interface shows no pages.
    let pages = over.pages.iter().filter(|visit| !visit.url.is_empty()).cloned().map(page);
    Past {
        id,
        session_token: over.code.as_ref().map(ToString::to_string),
        creation_time: over.created.0,
        activation_time: over.activated.map(|time| time.0),
        deactivation_time: Some(over.ended.0),
        pages: pages.collect(),
    }
}

/// Whether the server takes sessions.
#[utoipa::path(tag = "genesys", operation_id = "genesys_health",
    responses((status = 200, description = "It does"), (status = 503, description = "It does not")))]
#[get("/cobrowse/health")]
pub(super) async fn health(state: State) -> HttpResponse {
    if state.lifecycle.is_ready() {
        HttpResponse::Ok().finish()
    } else {
        HttpResponse::ServiceUnavailable().finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_failed_here_is_a_fault_of_ours() {
        for code in ErrorCode::ALL {
            let Refusal(status, ..) = Problem::new(*code, "").into();
            assert_eq!(status == StatusCode::INTERNAL_SERVER_ERROR, *code == ErrorCode::Internal);
            assert_eq!(
                status.is_server_error(),
                code.status() >= 500 || *code == ErrorCode::TooMany
            );
        }
    }
}
