//! `/v1/groups/{group}/chats` and `/buttons`: chats that are not over, and who is available.

use actix_web::{HttpRequest, HttpResponse, delete, get, post};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Bearer, Body, Named, Sessions, idempotency_key, json, query as read_query},
    paging,
    past_chats::{Messages, last_messages},
    state::{State, ask},
};
use crate::{
    auth::Scope,
    chat::{
        conversation::command::{EndedBy, Voice},
        handle::Reader,
    },
    clock::Timestamp,
    model::{
        chat::{ChatRow, ChatStatus, ChatView, check_said},
        error::{ErrorCode, Problem},
        ids::{ButtonId, ChatId, GroupId, IdempotencyKey, VisitorId, VisitorKey},
    },
};

/// A chat button.
#[derive(Serialize, ToSchema)]
pub struct ButtonBody {
    /// Its name.
    button: ButtonId,
    /// How many agents are available for it; it is enabled while there is one.
    agents: usize,
    /// Whether the group's settings name it. Agents of a group that declares buttons are available for no others.
    declared: bool,
}

/// The chat buttons of a group.
#[derive(Serialize, ToSchema)]
pub struct ButtonList {
    /// Those that it declares, and those that somebody is available for.
    buttons: Vec<ButtonBody>,
}

/// Chats that are not over.
#[derive(Serialize, ToSchema)]
pub struct ChatList {
    /// The newest first.
    chats: Vec<ChatRow>,
    /// The cursor of the list that follows; `null` when this is the end.
    #[schema(required = true)]
    next: Option<ChatId>,
}

/// Which chats.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ChatParams {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// The `next` of the list before.
    cursor: Option<ChatId>,
    /// Only those that stand so.
    status: Option<ChatStatus>,
    /// Only those of this visitor.
    visitorid: Option<VisitorId>,
}

/// Whom to invite.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewChat {
    /// The visitor.
    visitorid: VisitorId,
    /// The first words: at most 4,000 bytes.
    #[schema(
        pattern = r"^[\t\n\r ]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]{0,3999}$"
    )]
    text: String,
    /// The button that the chat counts for.
    #[schema(nullable = false)]
    button: Option<ButtonId>,
}

/// A chat of the caller's.
#[derive(Serialize, ToSchema)]
pub struct ChatOfVisitor {
    /// Whose.
    visitorid: VisitorId,
    /// The chat.
    chat: ChatView,
}

/// A chat, over or not, with what was said.
#[derive(Serialize, ToSchema)]
pub struct ChatBody {
    /// How it stands; `null` when it is over.
    #[schema(required = true)]
    running: Option<ChatRow>,
    /// How it was; `null` while it goes on.
    #[schema(required = true)]
    over: Option<super::past_chats::PastChatBody>,
    /// What was said.
    #[serde(flatten)]
    #[schema(inline)]
    messages: Messages,
}

/// Which part of what was said.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct MessageParams {
    /// At most so many: 1 to 1000; 100 when missing.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<usize>,
    /// Only what came after the message with this number: the `next` of the answer before.
    after: Option<u32>,
}

/// Something to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// What: at most 4,000 bytes.
    #[schema(
        pattern = r"^[\t\n\r ]*[^\s\x00-\x1F\x7F-\x9F][^\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]{0,3999}$"
    )]
    text: String,
    /// Whether the site itself says it, in whosever chat; that needs the scope `operate` too.
    #[serde(default)]
    #[schema(required = false)]
    system: bool,
}

/// Something that was said.
#[derive(Serialize, ToSchema)]
pub struct SaidBody {
    /// The message's number.
    n: u32,
    /// When, in Unix milliseconds.
    #[schema(value_type = u64)]
    at: Timestamp,
}

/// What is said, within the limit and less what must not be seen.
fn words(state: &State, group: &GroupId, text: &str) -> Result<Box<str>, Problem> {
    check_said(text)?;
    let group = state.settings.groups.get(group);
    let masked = group.and_then(|group| group.cobrowse.masking.text(text));
    Ok(masked.map_or_else(|| text.into(), String::into_boxed_str))
}

/// Lists the group's chat buttons.
#[utoipa::path(tag = "chats", operation_id = "list_buttons", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 200, body = ButtonList, description = "The buttons"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/buttons")]
pub async fn buttons(
    state: State,
    _: Bearer<Sessions>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let buttons = ask(|answer| state.chat.buttons(group, answer)).await??;
    let buttons = buttons.into_iter().map(|(button, (agents, declared))| ButtonBody {
        button,
        agents,
        declared,
    });
    Ok(HttpResponse::Ok().json(ButtonList { buttons: buttons.collect() }))
}

/// Lists the chats that are not over and that the caller may read: those that wait and his own; with the scope `operate`, all.
#[utoipa::path(tag = "chats", operation_id = "list_chats", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ChatParams),
    responses((status = 200, body = ChatList, description = "The chats"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)))]
#[get("/v1/groups/{group}/chats")]
pub async fn list(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Sessions>,
    Named(group): Named<GroupId>,
) -> Result<HttpResponse, ApiError> {
    let ChatParams { limit, cursor, status, visitorid } = read_query(&request)?;
    let limit = paging::limit(limit, paging::USUAL)?;
    let is_asked_for = |row: &ChatRow| {
        status.is_none_or(|status| row.status == status)
            && visitorid.as_ref().is_none_or(|visitor| row.visitorid == *visitor)
    };
    let chats = state.chat.list(&group, &Reader::of(&bearer.0), is_asked_for, cursor, limit)?;
    let next = paging::next(&chats, limit, |last| last.chat);
    Ok(HttpResponse::Ok().json(ChatList { chats, next }))
}

/// Invites a visitor to a chat. The same words again, as long as he has not answered, change nothing.
#[utoipa::path(tag = "chats", operation_id = "invite_to_chat", security(("token" = [])), request_body = NewChat,
    params(("group" = GroupId, Path, description = "The group")),
    responses((status = 201, body = ChatOfVisitor, description = "He is invited"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody, description = "`visitornotpresent`"),
        (status = 409, body = ProblemBody, description = "`taken`: he has a chat already"),
        (status = 413, body = ProblemBody),
        (status = 429, body = ProblemBody, description = "`toomany`: the caller has as many chats as he may"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/chats")]
pub async fn invite(
    state: State,
    bearer: Bearer<Sessions>,
    Named(group): Named<GroupId>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let NewChat { visitorid, text, button } = json(&body)?;
    let text = words(&state, &group, &text)?;
    let key = VisitorKey { group, visitor: visitorid.clone() };
    let asked = (bearer.0.person(), text, button);
    let view = ask(|answer| state.chat.invite(key, asked, answer)).await??;
    let chat = std::sync::Arc::unwrap_or_clone(view);
    Ok(HttpResponse::Created().json(ChatOfVisitor { visitorid, chat }))
}

/// Reads a chat, over or not, and what was said in it. One that another agent has needs the scope `operate` too.
#[utoipa::path(tag = "chats", operation_id = "read_chat", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("chat" = ChatId, Path, description = "The chat"), MessageParams),
    responses((status = 200, body = ChatBody, description = "The chat"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 409, body = ProblemBody, description = "`taken`: another agent has it"),
        (status = 503, body = ProblemBody)))]
#[get("/v1/groups/{group}/chats/{chat}")]
pub async fn one(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Sessions>,
    Named((group, chat)): Named<(GroupId, ChatId)>,
) -> Result<HttpResponse, ApiError> {
    let MessageParams { limit, after } = read_query(&request)?;
    let limit = paging::limit(limit, paging::USUAL)?;
    let by = Reader::of(&bearer.0);
    let running = ask(|answer| state.chat.read(&group, chat, by, answer)).await?;
    let running = match running {
        Ok((row, _)) => Some(row),
        Err(problem) if problem.code == ErrorCode::NotFound => None,
        Err(problem) => return Err(problem.into()),
    };
    let (over, messages) = last_messages(&state, &group, chat, after, limit).await?;
    if running.is_none() && over.is_none() {
        return Err(Problem::new(ErrorCode::NotFound, "there is no such chat").into());
    }
    let over = over.filter(|_| running.is_none());
    Ok(HttpResponse::Ok().json(ChatBody { running, over, messages }))
}

/// Takes a chat that waits: exactly one agent does. Who has it may say so again.
#[utoipa::path(tag = "chats", operation_id = "claim_chat", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("chat" = ChatId, Path, description = "The chat")),
    responses((status = 200, body = ChatOfVisitor, description = "It is the caller's, and the visitor knows"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 409, body = ProblemBody, description = "`taken`: another agent has it"),
        (status = 429, body = ProblemBody, description = "`toomany`: the caller has as many chats as he may"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/chats/{chat}/claim")]
pub async fn claim(
    state: State,
    bearer: Bearer<Sessions>,
    Named((group, chat)): Named<(GroupId, ChatId)>,
) -> Result<HttpResponse, ApiError> {
    let by = bearer.0.person();
    let (visitorid, view) = ask(|answer| state.chat.claim(&group, chat, by, answer)).await??;
    let chat = std::sync::Arc::unwrap_or_clone(view);
    Ok(HttpResponse::Ok().json(ChatOfVisitor { visitorid, chat }))
}

/// Gives a chat of the caller's back: it waits again.
#[utoipa::path(tag = "chats", operation_id = "release_chat", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("chat" = ChatId, Path, description = "The chat")),
    responses((status = 204, description = "It waits"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 409, body = ProblemBody, description = "`taken`: another agent has it"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/chats/{chat}/release")]
pub async fn release(
    state: State,
    bearer: Bearer<Sessions>,
    Named((group, chat)): Named<(GroupId, ChatId)>,
) -> Result<HttpResponse, ApiError> {
    let by = bearer.0.person();
    ask(|answer| state.chat.release(&group, chat, by, answer)).await??;
    Ok(HttpResponse::NoContent().finish())
}

/// Says something in a chat of the caller's; as the site itself, in any.
#[utoipa::path(tag = "chats", operation_id = "say_in_chat", security(("token" = [])), request_body = NewMessage,
    params(("group" = GroupId, Path, description = "The group"), ("chat" = ChatId, Path, description = "The chat"),
        ("Idempotency-Key" = Option<IdempotencyKey>, Header, description = "Makes a retry harmless, among the chat's last 64 messages: 1 to 64 printable ASCII characters")),
    responses((status = 201, body = SaidBody, description = "It was said"),
        (status = 400, body = ProblemBody, description = "`badrequest`, also for a chat that nobody has"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 409, body = ProblemBody, description = "`taken`: another agent has it"),
        (status = 413, body = ProblemBody), (status = 429, body = ProblemBody, description = "`toomany`"),
        (status = 503, body = ProblemBody)))]
#[post("/v1/groups/{group}/chats/{chat}/messages")]
pub async fn say(
    request: HttpRequest,
    state: State,
    bearer: Bearer<Sessions>,
    Named((group, chat)): Named<(GroupId, ChatId)>,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let NewMessage { text: said, system } = json(&body)?;
    if system {
        bearer.0.require(Scope::OPERATE)?;
    }
    let words = words(&state, &group, &said)?;
    let key = idempotency_key(&request)?;
    let by = if system { Voice::System } else { Voice::Agent(bearer.0.person()) };
    let saying = (by, words, key);
    let (n, at) = ask(|answer| state.chat.say_in(&group, chat, saying, answer)).await??;
    Ok(HttpResponse::Created().json(SaidBody { n, at }))
}

/// Ends a chat: the caller's, or one that waits; with the scope `operate`, any.
#[utoipa::path(tag = "chats", operation_id = "end_chat", security(("token" = [])),
    params(("group" = GroupId, Path, description = "The group"), ("chat" = ChatId, Path, description = "The chat")),
    responses((status = 204, description = "It is over, and the visitor knows"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody, description = "`notfound`"),
        (status = 409, body = ProblemBody, description = "`taken`: another agent has it"),
        (status = 503, body = ProblemBody)))]
#[delete("/v1/groups/{group}/chats/{chat}")]
pub async fn end(
    state: State,
    bearer: Bearer<Sessions>,
    Named((group, chat)): Named<(GroupId, ChatId)>,
) -> Result<HttpResponse, ApiError> {
    let may_all = bearer.0.scope.contains(Scope::OPERATE);
    let by = if may_all { EndedBy::Group } else { EndedBy::Agent(bearer.0.person()) };
    ask(|answer| state.chat.end(&group, chat, by, answer)).await??;
    Ok(HttpResponse::NoContent().finish())
}
