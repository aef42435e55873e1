//! `/v1/groups/{group}/events`: what happened, as a stream or page by page.

use std::{sync::Arc, time::Duration};

use actix_web::{HttpRequest, HttpResponse, get, http::header};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    event_stream::{self, Wishes},
    extract::{Bearer, Named, Reading, query as read_query, text},
    paging,
    state::State,
};
use crate::{
    auth::{Agent, AuthError},
    events::{
        cursor::Place,
        filter::Filter,
        hub::Feed,
        log::{Batch, Reset},
    },
    model::{
        error::{ErrorCode, Problem},
        event::GroupEvent,
        ids::{GroupId, VisitorId},
    },
};

/// Longest wait for an event, milliseconds.
const LONGEST_WAIT_MS: u64 = 30_000;

/// Which events.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Behind which place: the `cursor` of an earlier answer, `start` (the oldest event that is kept) or `now`. Missing:
    /// `start`, and `now` for a stream.
    #[param(pattern = r"^(start|now|[0-9a-f]{16}-[0-9]{1,19})$", example = "start")]
    after: Option<String>,
    /// For a stream: the `id` of the last event that came, where a client cannot send the header `Last-Event-ID`.
    #[param(pattern = r"^(start|now|[0-9a-f]{16}-[0-9]{1,19})$")]
    last_event_id: Option<String>,
    /// At most so many: 1 to 1000; 100 when missing. Not for a stream.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// How long to wait for an event when there is none yet, milliseconds: 0 to 30000; 0 when missing. Not for a stream.
    #[param(minimum = 0, maximum = 30000)]
    wait_ms: Option<u64>,
    /// Only these types, between commas.
    #[param(
        pattern = r"^ *(visitorconn|visitorsock|presence|terms|visibility|visitorsessionstart|visitorsessionend|visitorerror|visitorjoined|helprequest|chatstatus) *(, *(visitorconn|visitorsock|presence|terms|visibility|visitorsessionstart|visitorsessionend|visitorerror|visitorjoined|helprequest|chatstatus) *)*$",
        example = "presence,visitorconn"
    )]
    types: Option<String>,
    /// Only this visitor's.
    #[param(value_type = Option<VisitorId>)]
    visitor: Option<String>,
}

/// Events in the order in which they happened.
#[derive(Serialize, ToSchema)]
pub struct EventList {
    /// The events.
    #[schema(value_type = Vec<GroupEvent>)]
    events: Vec<Box<RawValue>>,
    /// Where the next answer begins.
    #[schema(example = "9f86d081884c7d65-1042")]
    cursor: String,
    /// Whether there is more at once.
    more: bool,
    /// Events before these were missed: read the visitors anew.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reset: Option<Reset>,
}

impl From<Batch> for EventList {
    fn from(batch: Batch) -> Self {
        let body = |item: &crate::events::item::Item| item.text().to_owned();
        let events = batch.items.iter().map(|(_, item)| RawValue::from_string(body(item)));
        Self {
            events: events.filter_map(Result::ok).collect(),
            cursor: batch.cursor.to_string(),
            more: batch.more,
            reset: batch.reset.map(|(reset, _)| reset),
        }
    }
}

/// Tells what happened to the group's visitors: as a stream of server-sent events to who accepts `text/event-stream`, else
/// page by page.
#[utoipa::path(tag = "events", operation_id = "read_events", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), EventQuery,
        ("Last-Event-ID" = Option<String>, Header, pattern = r"^(|start|now|[0-9a-f]{16}-[0-9]{1,19})$", description = "For a stream: the `id` of the last event that came")),
    responses((status = 200, description = "Events, and where the next answer begins; or the stream, whose `id` is the place behind an event, `event` its type and `data` a GroupEvent",
            content((EventList = "application/json"), (String = "text/event-stream"))),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 429, body = ProblemBody, description = "`toomany`"), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/events")]
pub async fn read(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Reading>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let query: EventQuery = read_query(&request)?;
    let filter = Filter::read(query.types.as_deref(), query.visitor.as_deref())?;
    let feed = state.events.feed_to_read(&group)?;
    // A client that comes back says where it was, whatever the address says.
    let last = request.headers().get("last-event-id").map(|last| last.to_str().unwrap_or("?"));
    let last = place("Last-Event-ID", last.filter(|last| !last.is_empty()))?;
    let last = last.or(place("last_event_id", query.last_event_id.as_deref())?);
    let after = place("after", query.after.as_deref())?;
    let limit = paging::limit(query.limit, paging::USUAL)?;
    let wait_ms = query.wait_ms.unwrap_or(0);
    if wait_ms > LONGEST_WAIT_MS {
        let rule = format!("must be 0 to {LONGEST_WAIT_MS}");
        return Err(Problem::field("wait_ms", rule).into());
    }
    let accept = text(&request, header::ACCEPT).unwrap_or_default();
    if accept.contains("text/event-stream") {
        return stream(&state, feed, &bearer.0, last.or(after).unwrap_or(Place::Now), filter);
    }
    let after = after.unwrap_or(Place::Start);
    let asked = Asked { after, limit, filter, wait_ms };
    let batch = pull(&state, feed, &bearer.0, &asked).await?;
    Ok(HttpResponse::Ok().json(EventList::from(batch)))
}

fn stream(
    state: &State,
    feed: &Arc<Feed>,
    agent: &Agent,
    place: Place,
    filter: Filter,
) -> Result<HttpResponse, ApiError> {
    if !state.lifecycle.is_ready() {
        let sentence = "the service is starting or stopping";
        return Err(Problem::new(ErrorCode::Unready, sentence).retry_in(1_000).into());
    }
    let wishes = Wishes {
        place,
        filter,
        bearer: agent.clone(),
        heartbeat: state.settings.events.heartbeat,
        write_deadline: state.settings.limits.write_deadline,
    };
    let (clock, draining) = (state.clock().clone(), state.events.draining());
    Ok(event_stream::answer(
        feed.open_stream()?,
        wishes,
        clock,
        Arc::clone(&state.tokens),
        draining,
    ))
}

/// What a pull is to give.
struct Asked {
    after: Place,
    limit: usize,
    filter: Filter,
    wait_ms: u64,
}

/// Reads events, and waits for one if there is none yet; no longer than the bearer is believed.
async fn pull(
    state: &State,
    feed: &Arc<Feed>,
    agent: &Agent,
    asked: &Asked,
) -> Result<Batch, Problem> {
    let Asked { after, limit, ref filter, wait_ms } = *asked;
    let has_something =
        |batch: &Batch| !batch.items.is_empty() || batch.reset.is_some() || batch.more;
    let mut batch = feed.read(after, limit, filter);
    if has_something(&batch) || wait_ms == 0 {
        return Ok(batch);
    }
    let _waiting = feed.open_stream()?;
    let mut draining = state.events.draining();
    let mut changes = state.tokens.changes().watch();
    let over = tokio::time::sleep(Duration::from_millis(wait_ms));
    tokio::pin!(over);
    loop {
        if !state.tokens.still_believes(agent) {
            return Err(AuthError::Revoked.into());
        }
        let changed = feed.changed();
        batch = feed.read(Place::At(batch.cursor), limit, filter);
        if has_something(&batch) || *draining.borrow() {
            return Ok(batch);
        }
        tokio::select! {
            () = changed => {}
            () = &mut over => return Ok(batch),
            _ = draining.changed() => {}
            _ = changes.changed() => {}
        }
    }
}

fn place(field: &str, text: Option<&str>) -> Result<Option<Place>, Problem> {
    let rule = "must be a cursor that an earlier answer gave, start or now";
    text.map(str::parse).transpose().map_err(|_| Problem::field(field, rule))
}
