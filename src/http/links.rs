//! `/v1/groups/{group}/watch-links`: links that begin a session when they are opened, in a frame of a desktop too.

use actix_web::{HttpRequest, HttpResponse, post};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Body, Named, Sessions, group as read_group, json},
    state::State,
    visitors::{look_up, resolve},
};
use crate::{
    auth::{Agent, Origin},
    cobrowse::{handle::NewLink, link::LinkTerms},
    model::{
        cobrowse::Permissions,
        error::{ErrorCode, Problem},
        ids::{Code, GroupId, VisitorId, VisitorKey},
        watch::{Branding, Metadata},
    },
    settings::Group,
};

/// A link to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWatchLink {
    /// Whose page: this or `uniqueid`.
    visitorid: Option<VisitorId>,
    /// Whose page, by the code that he read out.
    uniqueid: Option<Code>,
    /// What the link's holder may do; everything when missing. Narrows what there is to do.
    #[serde(default)]
    #[schema(required = false)]
    permissions: Permissions,
    /// How the page looks, and where it leads.
    #[serde(default)]
    #[schema(required = false)]
    branding: Branding,
    /// Goes to the session, and to its history.
    #[serde(default)]
    #[schema(required = false, value_type = Metadata)]
    metadata: Value,
    /// The origin of the page in whose frame it is to stand, one of the group's `agent_origins`; any of them when missing. The
    /// page sends its messages to this one only.
    parent_origin: Option<String>,
}

/// A link, good for one tab that opens it within five minutes.
#[derive(Serialize, ToSchema)]
pub struct WatchLink {
    /// Whose page it shows.
    visitorid: VisitorId,
    /// The page that shows it. Whoever has the address has the seat.
    watch_url: String,
}

/// Makes a link to a visitor's page. The session begins when it is opened, and the visitor is asked then.
#[utoipa::path(tag = "sessions", operation_id = "create_watch_link", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group")),
    request_body = NewWatchLink,
    responses((status = 201, body = WatchLink, description = "The link"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`visitornotpresent`"),
        (status = 413, body = ProblemBody, description = "`toolarge`: the metadata, or the whole link"),
        (status = 429, body = ProblemBody, description = "`ratelimited`"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/watch-links")]
pub async fn create(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Sessions>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let new: NewWatchLink = json(&body)?;
    let visitor = match (new.visitorid, new.uniqueid) {
        (Some(visitor), None) => visitor,
        (None, Some(code)) => resolve(&request, &state, group.clone(), code).await?,
        _ => return Err(Problem::field("visitorid", "give either visitorid or uniqueid").into()),
    };
    let wish = Wish {
        permissions: new.permissions,
        branding: new.branding,
        metadata: Metadata::from_json(new.metadata, "metadata")?,
        parent_origin: new.parent_origin,
        closes: false,
    };
    let key = VisitorKey { group, visitor };
    let visitorid = key.visitor.clone();
    let watch_url = make(&state, key, bearer.0, wish).await?;
    Ok(HttpResponse::Created().json(WatchLink { visitorid, watch_url }))
}

/// What is wished for a link.
pub struct Wish {
    /// What its holder may do.
    pub permissions: Permissions,
    /// How the page looks, and where it leads.
    pub branding: Branding,
    /// Goes to the session.
    pub metadata: Metadata,
    /// The origin of the page in whose frame it is to stand.
    pub parent_origin: Option<String>,
    /// Whether its window is to be closed at the end.
    pub closes: bool,
}

/// Makes a link to the page of a visitor who is there.
///
/// # Errors
/// `visitornotpresent`; `badrequest` for a parent that is none of the agents' origins; `toolarge`.
pub async fn make(
    state: &State,
    visitor: VisitorKey,
    agent: Agent,
    wish: Wish,
) -> Result<String, Problem> {
    let Wish { permissions, branding, metadata, parent_origin, closes } = wish;
    let parent = parent_origin
        .map(|origin| parent(state, read_group(state, &visitor.group)?, &origin))
        .transpose()?;
    if look_up(state, visitor.clone()).await?.is_none() {
        return Err(Problem::new(ErrorCode::VisitorNotPresent, "the visitor is not there"));
    }
    let terms = LinkTerms { branding, parent, closes };
    let ticket = state.cobrowse.link(NewLink { visitor, agent, permissions, terms, metadata })?;
    let base = state.settings.server.public_url.as_deref().unwrap_or_default();
    Ok(format!("{base}/watch/{ticket}"))
}

fn parent(state: &State, group: &Group, origin: &str) -> Result<Box<str>, Problem> {
    let rule = "must be one of the group's agent_origins";
    let known: Origin = origin.parse().map_err(|_| Problem::field("parent_origin", rule))?;
    if !group.agent_origins.allows(Some(known.as_str()), state.settings.mode) {
        return Err(Problem::field("parent_origin", rule));
    }
    Ok(known.as_str().into())
}
