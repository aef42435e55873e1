//! `/v1/tokens`: an API key buys an agent's token.

use actix_web::{HttpRequest, HttpResponse, http::header, post};
use serde::{Deserialize, Serialize};
use utoipa::{
    ToSchema,
    openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type},
};

use super::{
    error::{ApiError, ProblemBody},
    extract::{Body, check_origin, group, json, offered, text},
    state::State,
};
use crate::{
    auth::{AuthError, Minutes, Scope, TokenRequest, bearer},
    model::{error::Problem, ids::GroupId, json::Whole, topic::RightsWish},
};

/// What is asked for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenWish {
    /// The one group that the token is for.
    group: GroupId,
    /// Who will bear it: 1 to 255 characters, no control characters.
    #[schema(pattern = r"^[^\x00-\x1F\x7F-\x9F]{1,255}$", example = "agent-7")]
    subject: String,
    /// What people call him: likewise.
    #[schema(pattern = r"^[^\x00-\x1F\x7F-\x9F]{1,255}$")]
    name: Option<String>,
    /// What he may do; all but `operate` when missing.
    #[schema(schema_with = scope)]
    scope: Option<Scope>,
    /// Which topics he may publish to and subscribe to, with the scope `topics`; none when missing.
    topics: Option<RightsWish>,
    /// How long it lives, in minutes.
    #[schema(value_type = Option<u64>, minimum = 1, maximum = 120)]
    minutes: Option<Whole>,
}

/// Words between spaces, or a list of them.
fn scope() -> Schema {
    let words: Vec<_> = Scope::ALL.words().collect();
    let pattern = format!("^ *(({0})( +|$))*$", words.join("|"));
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern));
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words));
    let nothing = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new()
        .item(text)
        .item(ArrayBuilder::new().items(word))
        .item(nothing)
        .examples(["read signal"])
        .build()
        .into()
}

/// A fresh token.
#[derive(Serialize, ToSchema)]
pub struct Token {
    /// The token: a JWT.
    token: String,
    /// How to send it.
    token_type: &'static str,
    /// The one group that it is for.
    group: GroupId,
    /// What its bearer may do.
    #[schema(value_type = String)]
    scope: Scope,
    /// When it ends (RFC 3339).
    expires_at: String,
    /// How long it lives, in seconds.
    expires_in: u64,
}

/// Makes a token. The API key of the group stands in `Authorization: Bearer`.
#[utoipa::path(tag = "tokens", operation_id = "create_token", security(("api_key" = [])), request_body = TokenWish,
    responses((status = 201, body = Token, description = "A fresh token"),
        (status = 400, body = ProblemBody, description = "`badrequest`"), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody, description = "`origin`"), (status = 413, body = ProblemBody),
        (status = 429, body = ProblemBody, description = "`ratelimited`")))]
#[post("/v1/tokens")]
pub async fn create(
    request: HttpRequest,
    state: State,
    Body(body): Body,
) -> Result<HttpResponse, ApiError> {
    let key = bearer(text(&request, header::AUTHORIZATION)).map_err(|error| {
        state.metrics.authorization_failures.of(error).inc();
        Problem::from(error)
    })?;
    let wish: TokenWish = json(&body)?;
    let group = offered(&state, &request, || {
        // An unknown group and a wrong key look alike from outside.
        let group = group(&state, &wish.group).ok().filter(|group| group.api_keys.accept(key));
        group.ok_or(AuthError::BadSignature)
    })?;
    check_origin(&state, &request, group)?;
    let token = state.tokens.issue(
        TokenRequest {
            group: wish.group,
            subject: wish.subject,
            name: wish.name,
            scope: wish.scope.unwrap_or(Scope::AGENT),
            topics: wish.topics.unwrap_or_default().checked("topics")?,
            minutes: wish.minutes.map(|Whole(minutes)| Minutes::checked(minutes)).transpose()?,
        },
        state.clock().wall(),
    )?;
    state.metrics.tokens_issued.inc();
    Ok(HttpResponse::Created().insert_header((header::CACHE_CONTROL, "no-store")).json(Token {
        token_type: "Bearer",
        group: token.claims.group.clone(),
        scope: token.claims.scope,
        expires_at: token.expires_at().to_rfc3339(),
        expires_in: token.expires_in(),
        token: token.token,
    }))
}
