//! `/v1/groups/{group}/topics`: publishing, and reading what is kept.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Body, Named, Topics, json, query as read_query},
    paging,
    state::{State, ask},
};
use crate::{
    auth::Agent,
    model::{
        error::Problem,
        ids::GroupId,
        json::{Json, Whole},
        topic::{Epoch, Message, Party, Position, PublishWish, Topic, TopicFilter, expiry_ms},
    },
    topics::{client::Client, reading::HistoryWish},
};

/// Most messages of one batch.
const MOST_OF_BATCH: usize = 100;

/// A message to publish.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishBody {
    /// Where to.
    topic: Topic,
    /// Any JSON, within `topics.payload_bytes`.
    #[schema(value_type = Value)]
    data: Json,
    /// Whether it becomes the topic's retained value; `data` of `null` takes the value away.
    #[serde(default)]
    retain: bool,
    /// For how many seconds the message is kept at most.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 31_536_000)]
    expiry: Option<Whole>,
}

impl PublishBody {
    fn wish(self) -> Result<PublishWish, Problem> {
        let Self { topic, data, retain, expiry } = self;
        let expiry_ms = expiry_ms(expiry.map(|Whole(seconds)| seconds))?;
        Ok(PublishWish { topic, data, retain, expiry_ms })
    }
}

/// Messages to publish in their order.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchBody {
    /// The messages.
    #[schema(min_items = 1, max_items = 100)]
    messages: Vec<PublishBody>,
}

/// A message was published.
#[derive(Default, Serialize, ToSchema)]
pub struct Published {
    /// Where it stands, if it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    position: Option<Position>,
    /// Why it was refused, in a batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<ProblemBody>,
}

/// What became of each message.
#[derive(Serialize, ToSchema)]
pub struct BatchResult {
    /// In the order of the messages.
    results: Vec<Published>,
}

/// A message that is kept.
#[derive(Serialize, ToSchema)]
pub struct KeptMessage {
    /// Where it was published to.
    topic: Topic,
    /// What was published.
    #[schema(value_type = Value)]
    data: Json,
    /// When the server took it, in Unix milliseconds.
    at: u64,
    /// With `offset`: where it stands.
    epoch: Epoch,
    /// Grows from message to message of the group.
    offset: u64,
}

impl From<&Arc<Message>> for KeptMessage {
    fn from(message: &Arc<Message>) -> Self {
        let Message { topic, data, at, position } = &**message;
        let Position { epoch, offset } =
            position.unwrap_or(Position { epoch: Epoch(0), offset: 0 });
        Self { topic: topic.clone(), data: data.clone(), at: at.0, epoch, offset }
    }
}

/// Which retained values.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RetainedQuery {
    /// Of which topics; `#` when missing.
    filter: Option<TopicFilter>,
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the answer before.
    after: Option<Topic>,
}

/// Retained values in the order of their topics.
#[derive(Serialize, ToSchema)]
pub struct RetainedList {
    /// The values.
    messages: Vec<KeptMessage>,
    /// Where the next answer begins; `null` when this is the end.
    #[schema(required = true)]
    next: Option<Topic>,
}

/// Which messages.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct HistoryQuery {
    /// Of which topics; `#` when missing.
    filter: Option<TopicFilter>,
    /// With `offset`: behind which place; all that is kept when missing.
    #[param(value_type = Option<Epoch>)]
    epoch: Option<Epoch>,
    /// See `epoch`.
    #[param(maximum = 9_007_199_254_740_991_u64)]
    offset: Option<u64>,
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
}

/// Messages in the order in which they were published.
#[derive(Serialize, ToSchema)]
pub struct HistoryList {
    /// The messages.
    messages: Vec<KeptMessage>,
    /// The place behind which the next answer begins.
    position: Position,
    /// Whether there is more at once.
    more: bool,
    /// Whether messages behind the place that was asked for are lost, or cannot be known of.
    missed: bool,
}

/// Who calls, as one who publishes.
fn client(state: &State, group: GroupId, agent: &Agent) -> Client {
    state.topics.client(group, None, Party::Agent, agent.topic_rights())
}

/// Publishes a message. The token needs the scope `topics` and a claim that covers the topic. A repeated request publishes
/// twice.
#[utoipa::path(tag = "topics", operation_id = "publish", security(("token" = [])), request_body = PublishBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, body = Published, description = "Published to all who have subscribed"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody, description = "`scope`"), (status = 413, body = ProblemBody, description = "`toolarge`"),
        (status = 429, body = ProblemBody, description = "`ratelimited`, or `toomany` retained values"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/topics/publish")]
pub async fn publish(
    state: State,
    bearer: Bearer<Topics>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let client = client(&state, group, &bearer.0);
    let wish = json::<PublishBody>(&body)?.wish()?;
    let position = ask(|answer| client.publish(wish, answer)).await??;
    Ok(HttpResponse::Ok().json(Published { position, error: None }))
}

/// Publishes messages in their order, each as if it came alone; those that are refused do not hold up the others.
#[utoipa::path(tag = "topics", operation_id = "publish_batch", security(("token" = [])), request_body = BatchBody,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, body = BatchResult, description = "What became of each message"),
        (status = 400, body = ProblemBody, description = "`badrequest`: nothing is published"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody, description = "`scope`"), (status = 413, body = ProblemBody),
        (status = 429, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/topics/publish/batch")]
pub async fn publish_batch(
    state: State,
    bearer: Bearer<Topics>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let client = client(&state, group, &bearer.0);
    let BatchBody { messages } = json(&body)?;
    if !(1..=MOST_OF_BATCH).contains(&messages.len()) {
        let rule = format!("must have 1 to {MOST_OF_BATCH} messages");
        return Err(Problem::field("messages", rule).into());
    }
    let wish = |(index, body): (usize, PublishBody)| {
        body.wish().map_err(|problem| {
            let field = problem.field.as_deref().unwrap_or_default();
            let field = Some(format!("messages[{index}].{field}"));
            Problem { field, ..problem }
        })
    };
    let wishes = messages.into_iter().enumerate().map(wish).collect::<Result<Vec<_>, _>>()?;
    let mut results = Vec::with_capacity(wishes.len());
    for wish in wishes {
        results.push(match ask(|answer| client.publish(wish, answer)).await? {
            Ok(position) => Published { position, error: None },
            Err(problem) => Published { position: None, error: Some(problem.into()) },
        });
    }
    Ok(HttpResponse::Ok().json(BatchResult { results }))
}

/// Reads retained values. The token needs the scope `topics` and a claim that covers the filter for subscribing.
#[utoipa::path(tag = "topics", operation_id = "read_retained", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), RetainedQuery),
    responses((status = 200, body = RetainedList, description = "Retained values, and where the next answer begins"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody, description = "`scope`"), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/topics/retained")]
pub async fn retained(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Topics>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let RetainedQuery { filter, limit, after } = read_query(&request)?;
    let filter = readable(&bearer.0, filter)?;
    let limit = paging::limit(limit, paging::USUAL)?;
    let page = ask(|answer| state.topics.retained(group, filter, after, limit, answer)).await??;
    let messages: Vec<_> = page.messages.iter().map(KeptMessage::from).collect();
    let next = messages.last().filter(|_| page.more).map(|last| last.topic.clone());
    Ok(HttpResponse::Ok().json(RetainedList { messages, next }))
}

/// Reads the messages that are kept. Permission as for retained values.
#[utoipa::path(tag = "topics", operation_id = "read_history", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), HistoryQuery),
    responses((status = 200, body = HistoryList, description = "Messages, and where the next answer begins"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody, description = "`scope`"), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/topics/history")]
pub async fn history(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Topics>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let HistoryQuery { filter, epoch, offset, limit } = read_query(&request)?;
    let filter = readable(&bearer.0, filter)?;
    let most = paging::limit(limit, paging::USUAL)?;
    let after = match (epoch, offset) {
        (Some(epoch), Some(offset)) => Some(Position { epoch, offset }),
        (None, None) => None,
        (None, Some(_)) => return Err(Problem::field("epoch", "is missing").into()),
        (Some(_), None) => return Err(Problem::field("offset", "is missing").into()),
    };
    let wish = HistoryWish { filter, after, most };
    let page = ask(|answer| state.topics.history(group, wish, answer)).await??;
    Ok(HttpResponse::Ok().json(HistoryList {
        messages: page.messages.iter().map(|(message, _)| KeptMessage::from(message)).collect(),
        position: page.position,
        more: page.more.is_some(),
        missed: page.missed,
    }))
}

/// The filter that is read, if the bearer may subscribe to it.
fn readable(agent: &Agent, filter: Option<TopicFilter>) -> Result<TopicFilter, Problem> {
    let filter = match filter {
        Some(filter) => filter,
        None => "#".parse()?,
    };
    agent.topic_rights().require_subscribe(&filter)?;
    Ok(filter)
}
