//! `/v1/groups/{group}/webhooks`: how the group's webhooks are doing, and what they did not take.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Named, Operating, query as read_query},
    paging,
    state::State,
};
use crate::{
    clock::Timestamp,
    events::{
        item::Item,
        webhook::{endpoint::Endpoint, queue::Waiting},
    },
    model::{
        error::{ErrorCode, Problem},
        event::GroupEvent,
        ids::GroupId,
    },
    store::{
        dead_letters::{Letter, Mailbox, Which},
        saved::StorageError,
    },
};

/// Most dead letters that one call sends again.
const MOST: u32 = 1_000;

/// How an endpoint is doing.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum WebhookHealth {
    /// It takes events.
    Up,
    /// Many requests in a row failed; now and then one event is tried.
    Down,
    /// It answered 410 and gets nothing more, until dead letters are sent again or the service starts anew.
    Gone,
}

/// A webhook of the group.
#[derive(Serialize, ToSchema)]
pub struct WebhookView {
    /// Its name in addresses.
    #[schema(value_type = String, example = "3f1b0c9a77d2")]
    id: Arc<str>,
    /// Where events are posted, without the query.
    url: String,
    /// Which types of events.
    types: Vec<&'static str>,
    /// How it is doing.
    health: WebhookHealth,
    /// Events that wait for it.
    waiting: usize,
    /// How long the oldest of them has been waiting, milliseconds.
    oldest_ms: u64,
    /// Dead letters.
    dead: u64,
}

/// The webhooks of a group.
#[derive(Serialize, ToSchema)]
pub struct WebhookList {
    /// In the order of the settings.
    webhooks: Vec<WebhookView>,
}

/// An event that a webhook did not take.
#[derive(Serialize, ToSchema)]
pub struct DeadLetter {
    /// Its number; greater in each later one.
    id: u64,
    /// Why it was given up: `failed` until it was too old, `down`, `gone` (410) or `overflow`.
    cause: String,
    /// What the last try met; empty when there was none.
    error: String,
    /// How often it was tried.
    tries: u32,
    /// When it was given up, in Unix milliseconds.
    #[schema(value_type = u64)]
    died: Timestamp,
    /// The event.
    #[schema(value_type = GroupEvent)]
    event: Option<Box<RawValue>>,
}

/// Dead letters in the order in which they were given up.
#[derive(Serialize, ToSchema)]
pub struct DeadLetterList {
    /// The letters.
    letters: Vec<DeadLetter>,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<u64>,
}

/// Which dead letters.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LetterQuery {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before.
    #[param(minimum = 0, maximum = 9223372036854775807_i64)]
    cursor: Option<u64>,
}

/// What was done with dead letters.
#[derive(Serialize, ToSchema)]
pub struct Handled {
    /// How many letters.
    letters: u64,
}

/// Lists the group's webhooks.
#[utoipa::path(tag = "events", operation_id = "list_webhooks", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, body = WebhookList, description = "The webhooks"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`")))]
#[get("/v1/groups/{group}/webhooks")]
pub async fn list(
    state: State,
    _: Bearer<Operating>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let mut webhooks = Vec::new();
    for endpoint in state.events.feed(&group)?.endpoints() {
        let doing = endpoint.state(state.clock().now());
        webhooks.push(WebhookView {
            id: Arc::clone(&endpoint.id),
            url: endpoint.address.to_string(),
            types: endpoint.kinds.names().collect(),
            health: match (doing.gone, doing.down) {
                (true, _) => WebhookHealth::Gone,
                (false, true) => WebhookHealth::Down,
                (false, false) => WebhookHealth::Up,
            },
            waiting: doing.waiting,
            oldest_ms: doing.oldest_ms,
            dead: state.letters.count(&mailbox(&group, endpoint)).await.map_err(broken)?,
        });
    }
    Ok(HttpResponse::Ok().json(WebhookList { webhooks }))
}

/// Lists what a webhook did not take.
#[utoipa::path(tag = "events", operation_id = "list_dead_letters", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("webhook" = String, Path, description = "The webhook's id"), LetterQuery),
    responses((status = 200, body = DeadLetterList, description = "The letters, and where the next list begins"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`")))]
#[get("/v1/groups/{group}/webhooks/{webhook}/dead-letters")]
pub async fn list_letters(
    request: HttpRequest,
    state: State,
    _: Bearer<Operating>,
    Named((group, id)): Named<(GroupId, String)>,
) -> Result<HttpResponse, ApiError> {
    let (mailbox, _) = find(&state, &group, &id)?;
    let query: LetterQuery = read_query(&request)?;
    let limit = paging::limit(query.limit, paging::USUAL)?;
    let cursor = query.cursor.unwrap_or(0);
    if i64::try_from(cursor).is_err() {
        return Err(Problem::field("cursor", "must be the next of an earlier list").into());
    }
    let found = state.letters.list(&mailbox, cursor, limit).await;
    let found = found.map_err(broken)?;
    let next = paging::next(&found, limit, |last| last.id);
    let letters = found.into_iter().map(|Letter { id, letter }| DeadLetter {
        id,
        cause: letter.cause,
        error: letter.error,
        tries: letter.tries,
        died: letter.died,
        event: RawValue::from_string(letter.body).ok(),
    });
    Ok(HttpResponse::Ok().json(DeadLetterList { letters: letters.collect(), next }))
}

/// Sends the oldest dead letters again, at most 1000, as many as there is room for. A webhook that was gone or down is
/// tried anew.
#[utoipa::path(tag = "events", operation_id = "redeliver_dead_letters", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("webhook" = String, Path, description = "The webhook's id")),
    responses((status = 202, body = Handled, description = "How many are sent again"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 429, body = ProblemBody, description = "`toomany`")))]
#[post("/v1/groups/{group}/webhooks/{webhook}/dead-letters/redeliver")]
pub async fn redeliver_all(
    state: State,
    _: Bearer<Operating>,
    Named((group, id)): Named<(GroupId, String)>,
) -> Result<HttpResponse, ApiError> {
    let (mailbox, endpoint) = find(&state, &group, &id)?;
    redeliver(&state, &mailbox, &endpoint, Which::Oldest(MOST)).await
}

/// Sends one dead letter again. A webhook that was gone or down is tried anew.
#[utoipa::path(tag = "events", operation_id = "redeliver_dead_letter", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("webhook" = String, Path, description = "The webhook's id"),
        ("letter" = u64, Path, description = "The letter's id")),
    responses((status = 202, body = Handled, description = "It is sent again"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 429, body = ProblemBody, description = "`toomany`")))]
#[post("/v1/groups/{group}/webhooks/{webhook}/dead-letters/{letter:[0-9]+}/redeliver")]
pub async fn redeliver_one(
    state: State,
    _: Bearer<Operating>,
    Named((group, id, letter)): Named<(GroupId, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (mailbox, endpoint) = find(&state, &group, &id)?;
    redeliver(&state, &mailbox, &endpoint, Which::One(number(&letter)?)).await
}

/// Throws all dead letters of a webhook away.
#[utoipa::path(tag = "events", operation_id = "delete_dead_letters", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("webhook" = String, Path, description = "The webhook's id")),
    responses((status = 200, body = Handled, description = "How many are thrown away"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`")))]
#[delete("/v1/groups/{group}/webhooks/{webhook}/dead-letters")]
pub async fn delete_all(
    state: State,
    _: Bearer<Operating>,
    Named((group, id)): Named<(GroupId, String)>,
) -> Result<HttpResponse, ApiError> {
    let (mailbox, _) = find(&state, &group, &id)?;
    let letters = state.letters.clear(&mailbox).await.map_err(broken)?;
    Ok(HttpResponse::Ok().json(Handled { letters }))
}

/// Throws one dead letter away.
#[utoipa::path(tag = "events", operation_id = "delete_dead_letter", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("webhook" = String, Path, description = "The webhook's id"),
        ("letter" = u64, Path, description = "The letter's id")),
    responses((status = 200, body = Handled, description = "It is thrown away"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`")))]
#[delete("/v1/groups/{group}/webhooks/{webhook}/dead-letters/{letter:[0-9]+}")]
pub async fn delete_one(
    state: State,
    _: Bearer<Operating>,
    Named((group, id, letter)): Named<(GroupId, String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (mailbox, _) = find(&state, &group, &id)?;
    let taken = state.letters.take(&mailbox, Which::One(number(&letter)?)).await.map_err(broken)?;
    if taken.is_empty() {
        return Err(no_such_letter().into());
    }
    Ok(HttpResponse::Ok().json(Handled { letters: 1 }))
}

async fn redeliver(
    state: &State,
    mailbox: &Mailbox,
    endpoint: &Endpoint,
    which: Which,
) -> Result<HttpResponse, ApiError> {
    let room = endpoint.change(|queue| {
        queue.revive();
        u32::try_from(queue.room()).unwrap_or(MOST)
    });
    if room == 0 {
        let sentence = "as many events as may already wait for this webhook";
        return Err(Problem::new(ErrorCode::TooMany, sentence).into());
    }
    let which = match which {
        Which::Oldest(most) => Which::Oldest(most.min(room)),
        one @ Which::One(_) => one,
    };
    let taken = state.letters.take(mailbox, which).await.map_err(broken)?;
    if taken.is_empty() && matches!(which, Which::One(_)) {
        return Err(no_such_letter().into());
    }
    let since = state.clock().now();
    let items = taken.iter().filter_map(|letter| Item::from_body(&letter.letter.body));
    let waiting: Vec<_> = items.map(|item| Waiting { item, since, tries: 0 }).collect();
    let letters = waiting.len() as u64;
    endpoint.change(|queue| waiting.into_iter().for_each(|waiting| queue.push(waiting)));
    Ok(HttpResponse::Accepted().json(Handled { letters }))
}

/// The webhook of a path.
fn find(state: &State, group: &GroupId, id: &str) -> Result<(Mailbox, Arc<Endpoint>), ApiError> {
    let feed = state.events.feed(group)?;
    let endpoint = feed.endpoints().iter().find(|endpoint| *endpoint.id == *id);
    let endpoint = endpoint
        .ok_or_else(|| Problem::new(ErrorCode::NotFound, "the group has no such webhook"))?;
    Ok((mailbox(group, endpoint), Arc::clone(endpoint)))
}

fn mailbox(group: &GroupId, endpoint: &Endpoint) -> Mailbox {
    Mailbox { group: group.to_string(), endpoint: endpoint.id.to_string() }
}

fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::field("letter", "must be a number"))
}

fn no_such_letter() -> Problem {
    Problem::new(ErrorCode::NotFound, "there is no such dead letter")
}

fn broken(error: StorageError) -> Problem {
    tracing::error!(%error, "dead letters");
    Problem::new(ErrorCode::Internal, "the storage failed")
}
