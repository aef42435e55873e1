//! `/v1/groups/{group}/past-chats`: what is kept of chats, and how it is erased.

use actix_web::{HttpRequest, HttpResponse, delete, get};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Named, Operating, Sessions, query as read_query},
    paging,
    past_sessions::stored,
    state::{State, ask},
};
use crate::{
    chat::{conversation::command::EndedBy, handle::Reader},
    clock::Timestamp,
    model::{
        chat::{ChatMessage, ChatRow},
        error::{ErrorCode, Problem},
        ids::{ChatId, GroupId, VisitorId},
    },
    store::history::{ChatQuery, Erased, PastChat},
};

/// A chat as it was.
#[derive(Serialize, ToSchema)]
pub struct PastChatBody {
    /// When it ended, in Unix milliseconds; `null` for one that goes on, or whose end was lost with the process.
    #[schema(value_type = Option<u64>, required = true)]
    ended: Option<Timestamp>,
    /// How it stood last.
    #[serde(flatten)]
    #[schema(value_type = ChatRow, inline)]
    summary: serde_json::Map<String, serde_json::Value>,
}

impl From<PastChat> for PastChatBody {
    fn from(past: PastChat) -> Self {
        let summary = serde_json::from_str(&past.summary).unwrap_or_default();
        Self { ended: past.ended, summary }
    }
}

/// What was said.
#[derive(Serialize, ToSchema)]
pub struct Messages {
    /// In its order.
    #[schema(value_type = Vec<ChatMessage>)]
    messages: Vec<Box<RawValue>>,
    /// The `after` of what follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<u32>,
}

/// Chats that are kept.
#[derive(Serialize, ToSchema)]
pub struct PastChatList {
    /// The newest first, those that go on among them.
    chats: Vec<PastChatBody>,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<ChatId>,
}

/// Which chats.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PastChatParams {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before.
    cursor: Option<ChatId>,
    /// Only those of this visitor.
    visitorid: Option<VisitorId>,
}

/// Whose chats are to be erased.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EraseParams {
    /// The visitor.
    visitorid: VisitorId,
}

/// What was erased.
#[derive(Serialize, ToSchema)]
pub struct ErasedBody {
    /// How many chats.
    chats: u64,
}

/// A chat as it is kept, and what was said in it after the message `after`.
///
/// # Errors
/// `internal` when the history cannot be read.
pub(super) async fn last_messages(
    state: &State,
    group: &GroupId,
    chat: ChatId,
    after: Option<u32>,
    limit: usize,
) -> Result<(Option<PastChatBody>, Messages), Problem> {
    let store = state.chat.ledger().store().await;
    let past = store.chat(group, chat).await.map_err(stored)?;
    let said = store.said(group, chat, after.unwrap_or_default(), limit).await.map_err(stored)?;
    let next = paging::next(&said, limit, |last| last.n);
    let messages = said.into_iter().filter_map(|line| RawValue::from_string(line.message).ok());
    Ok((past.map(PastChatBody::from), Messages { messages: messages.collect(), next }))
}

/// Lists the chats that are kept. Those that another agent has now are left out, unless the caller has the scope `operate`.
#[utoipa::path(tag = "chats", operation_id = "list_past_chats", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), PastChatParams),
    responses((status = 200, body = PastChatList, description = "The chats"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/past-chats")]
pub async fn list(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Sessions>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let PastChatParams { limit, cursor, visitorid } = read_query(&request)?;
    let limit = paging::limit(limit, paging::USUAL)?;
    let (group, by) = (group, Reader::of(&bearer.0));
    state.chat.knows_all(&group)?;
    let query = ChatQuery { group: group.clone(), visitor: visitorid, before: cursor, limit };
    let mut found = state.chat.ledger().store().await.chats(query).await.map_err(stored)?;
    let next = paging::next(&found, limit, |last| last.chat);
    found.retain(|past| state.chat.may_read(&group, past.chat, &by));
    let chats = found.into_iter().map(PastChatBody::from).collect();
    Ok(HttpResponse::Ok().json(PastChatList { chats, next }))
}

/// Erases all chats of a visitor, with what was said. One that goes on is ended first. What he said under an anonymous id
/// goes too, where the chat went along to this one.
#[utoipa::path(tag = "chats", operation_id = "erase_chats_of_visitor", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), EraseParams),
    responses((status = 200, body = ErasedBody, description = "How many"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[delete("/v1/groups/{group}/past-chats")]
pub async fn erase_of_visitor(
    request: HttpRequest,
    state: State,
    _: Bearer<Operating>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let EraseParams { visitorid } = read_query(&request)?;
    let chats = erase(&state, &group, Erased::Visitor(visitorid)).await?;
    Ok(HttpResponse::Ok().json(ErasedBody { chats }))
}

/// Erases a chat, with what was said. One that goes on is ended first.
#[utoipa::path(tag = "chats", operation_id = "erase_chat", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("chat" = ChatId, Path, description = "The chat")),
    responses((status = 204, description = "Nothing is kept of it"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 503, body = ProblemBody)))]
#[delete("/v1/groups/{group}/past-chats/{chat}")]
pub async fn erase_one(
    state: State,
    _: Bearer<Operating>,
    Named((group, chat)): Named<(GroupId, ChatId)>,
) -> Result<HttpResponse, ApiError> {
    if erase(&state, &group, Erased::Chat(chat)).await? == 0 {
        return Err(Problem::new(ErrorCode::NotFound, "there is no such chat").into());
    }
    Ok(HttpResponse::NoContent().finish())
}

async fn erase(state: &State, group: &GroupId, erased: Erased) -> Result<u64, Problem> {
    let is_meant = |row: &ChatRow| match &erased {
        Erased::Chat(chat) => row.chat == *chat,
        Erased::Visitor(visitor) => row.visitorid == *visitor,
    };
    for row in state.chat.list(group, &Reader::Supervisor, is_meant, None, usize::MAX)? {
        // It may end by itself meanwhile.
        let ended = ask(|answer| state.chat.end(group, row.chat, EndedBy::Group, answer)).await?;
        if let Err(problem) = ended
            && problem.code != ErrorCode::NotFound
        {
            return Err(problem);
        }
        // What its end writes is written when its record can be looked at again; else it would come behind the erasing.
        let _ = ask(|answer| state.chat.read(group, row.chat, Reader::Supervisor, answer)).await?;
    }
    let store = state.chat.ledger().store().await;
    store.erase(group, erased).await.map_err(stored)
}
