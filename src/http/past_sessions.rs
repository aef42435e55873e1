//! `/v1/groups/{group}/past-sessions` and the consent ledger: what remains of co-browse sessions.

use actix_web::{HttpRequest, HttpResponse, get};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Named, Sessions, query as read_query},
    paging,
    state::State,
};
use crate::{
    cobrowse::session::Summary,
    model::{
        cobrowse::ConsentEntry,
        error::{ErrorCode, Problem},
        ids::{GroupId, SessionId, SessionKey, VisitorId},
    },
    store::{history::PastQuery, saved::StorageError},
};

/// A session that is over.
#[derive(Serialize, ToSchema)]
pub struct PastSessionBody {
    /// Which.
    session: SessionId,
    /// How it was.
    #[serde(flatten)]
    #[schema(inline)]
    summary: Summary,
}

/// Sessions that are over.
#[derive(Serialize, ToSchema)]
pub struct PastSessionList {
    /// The newest first.
    #[schema(value_type = Vec<PastSessionBody>)]
    sessions: Vec<PastLine>,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<SessionId>,
}

/// As it was written.
#[derive(Serialize)]
pub struct PastLine {
    session: SessionId,
    #[serde(flatten)]
    summary: serde_json::Map<String, serde_json::Value>,
}

/// Which sessions that are over.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PastParams {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before.
    cursor: Option<SessionId>,
    /// Only those of this visitor.
    visitorid: Option<VisitorId>,
}

/// The consent ledger of a session.
#[derive(Serialize, ToSchema)]
pub struct ConsentList {
    /// In the order in which it happened.
    #[schema(value_type = Vec<ConsentEntry>)]
    consents: Vec<Box<RawValue>>,
}

/// Lists the sessions that are over.
#[utoipa::path(tag = "sessions", operation_id = "list_past_sessions", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), PastParams),
    responses((status = 200, body = PastSessionList, description = "The sessions"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/past-sessions")]
pub async fn list(
    request: HttpRequest,
    state: State,
    _: Bearer<Sessions>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let PastParams { limit, cursor, visitorid } = read_query(&request)?;
    let limit = paging::limit(limit, paging::USUAL)?;
    let query = PastQuery { group, visitor: visitorid, before: cursor, limit };
    let found = state.cobrowse.ledger().store().await.sessions(query).await.map_err(stored)?;
    let next = paging::next(&found, limit, |last| last.session);
    let sessions = found.into_iter().map(|past| PastLine {
        session: past.session,
        summary: serde_json::from_str(&past.summary).unwrap_or_default(),
    });
    Ok(HttpResponse::Ok().json(PastSessionList { sessions: sessions.collect(), next }))
}

/// Reads the consent ledger of a session: what the visitor was asked, and what he said.
#[utoipa::path(tag = "sessions", operation_id = "read_consents", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("session" = SessionId, Path, description = "The session")),
    responses((status = 200, body = ConsentList, description = "The ledger; empty when nothing is known of the session"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/sessions/{session}/consents")]
pub async fn consents(
    state: State,
    _: Bearer<Sessions>,
    Named(key): Named<SessionKey>,
) -> Result<HttpResponse, ApiError> {
    let SessionKey { group, session } = key;
    let lines =
        state.cobrowse.ledger().store().await.consents(&group, session).await.map_err(stored)?;
    let consents = lines.into_iter().filter_map(|line| RawValue::from_string(line.entry).ok());
    Ok(HttpResponse::Ok().json(ConsentList { consents: consents.collect() }))
}

/// The history cannot be read: the log says why.
#[must_use]
pub fn stored(error: StorageError) -> Problem {
    tracing::error!(%error, "the history cannot be read");
    Problem::new(ErrorCode::Internal, "the history cannot be read")
}
