//! `/v1/groups/{group}/requests`: visitors who ask for help.

use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Body, Named, Reading, Sessions, json, query as read_query},
    paging,
    state::{State, ask},
};
use crate::{
    lists::page::{Cursor, Page, PageQuery},
    model::{
        help::{HelpTold, HelpView},
        ids::{GroupId, HelpId, VisitorId, VisitorKey},
        list::{Filter, Sort},
        presence::{PresenceData, PresenceUpdate},
    },
};

/// A visitor who waits for help.
#[derive(Serialize, ToSchema)]
pub struct HelpRequest {
    /// The visitor.
    visitorid: VisitorId,
    /// What he asks for.
    #[serde(flatten)]
    #[schema(inline)]
    help: HelpView,
    /// His presence data.
    #[schema(value_type = PresenceUpdate)]
    data: PresenceData,
}

/// Visitors who wait for help.
#[derive(Serialize, ToSchema)]
pub struct HelpRequestList {
    /// Who has waited longest comes first.
    requests: Vec<HelpRequest>,
    /// How many wait.
    count: usize,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<String>,
}

/// Which part of the list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HelpParams {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before.
    #[param(
        pattern = r"^(i|t[0-9]{1,19}|n[0-9a-f]{16}|x([0-9a-f]{2}){0,1024})\.[A-Za-z0-9._~-]{1,100}$"
    )]
    cursor: Option<String>,
}

/// Which wish, and whose.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WhichHelp {
    /// The visitor.
    visitorid: VisitorId,
    /// His wish, as the list names it.
    help: HelpId,
}

/// Lists the visitors who wait for help. Who comes or goes while pages are read may be missed.
#[utoipa::path(tag = "help", operation_id = "list_help_requests", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), HelpParams),
    responses((status = 200, body = HelpRequestList, description = "Who waits"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/requests")]
pub async fn list(
    request: HttpRequest,
    state: State,
    _: Bearer<Reading>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let HelpParams { limit, cursor } = read_query(&request)?;
    let query = PageQuery {
        filter: Filter::waiting_for_help(),
        sort: Sort::LONGEST_WAITING,
        after: cursor.as_deref().map(Cursor::read).transpose()?,
        limit: paging::limit(limit, paging::USUAL)?,
    };
    let Page { visitors, count, next, .. } =
        ask(|answer| state.lists.page(&group, query, answer)).await??;
    let views = ask(|answer| state.presence.views(&group, visitors, answer)).await?;
    // Who was taken since then is not among them.
    let requests = views.into_iter().filter_map(|view| {
        let help = view.row.help.filter(|help| help.is_waiting())?;
        Some(HelpRequest { visitorid: view.row.visitorid, help: *help, data: view.row.data })
    });
    let (requests, next) = (requests.collect(), next.as_ref().map(Cursor::text));
    Ok(HttpResponse::Ok().json(HelpRequestList { requests, count, next }))
}

/// Takes a visitor's wish for help: exactly one agent does. Who has it may say so again.
#[utoipa::path(tag = "help", operation_id = "claim_help_request", security(("token" = [])), request_body = WhichHelp,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, body = HelpTold, description = "It is the caller's, and the visitor knows"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`notfound`: the visitor does not ask for this any more"),
        (status = 409, body = ProblemBody, description = "`taken`: another agent has it"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/requests/claim")]
pub async fn claim(
    state: State,
    bearer: Bearer<Sessions>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let WhichHelp { visitorid: visitor, help } = json(&body)?;
    let key = VisitorKey { group, visitor };
    let helper = (&bearer.0).into();
    let told = ask(|answer| state.presence.claim_help(key, help, helper, answer)).await??;
    Ok(HttpResponse::Ok().json(told))
}

/// Says that nobody comes: the visitor hears `unavailable`.
#[utoipa::path(tag = "help", operation_id = "decline_help_request", security(("token" = [])), request_body = WhichHelp,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 204, description = "The visitor knows"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`notfound`: the visitor does not ask for this any more"),
        (status = 409, body = ProblemBody, description = "`taken`: an agent has it"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/requests/decline")]
pub async fn decline(
    state: State,
    _: Bearer<Sessions>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let WhichHelp { visitorid: visitor, help } = json(&body)?;
    let key = VisitorKey { group, visitor };
    ask(|answer| state.presence.decline_help(key, help, answer)).await??;
    Ok(HttpResponse::NoContent().finish())
}
