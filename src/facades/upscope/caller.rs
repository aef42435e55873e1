//! Who asks, by the API key of his group, and how he is answered when something is wrong (`upscope.md` 3).

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};

use super::types::UpscopeError;
use crate::{
    auth::{Agent, AuthError, Scope, TokenRequest},
    http::{
        extract::{check_origin, offered, text},
        state::State,
    },
    model::{
        error::{ErrorCode, Problem},
        topic::Rights,
    },
    settings::Group,
};

/// The header in which a key stands, in lower case.
pub const KEY_HEADER: &str = "x-api-key";
/// Said where no group has a key that could be shown.
const NOT_ENABLED: &str = "no group has an API key";

/// The group whose key a request shows.
///
/// # Errors
/// `authorization`, `origin`, `ratelimited`.
pub(super) fn caller<'a>(request: &HttpRequest, state: &'a State) -> Result<&'a Group, Problem> {
    if state.settings.groups.iter().all(|group| group.api_keys.is_empty()) {
        return Err(Problem::new(ErrorCode::Authorization, NOT_ENABLED));
    }
    let key = key_of(
        text(request, header::HeaderName::from_static(KEY_HEADER)),
        text(request, header::AUTHORIZATION),
    );
    let group = offered(state, request, || {
        let key = key.ok_or(AuthError::Missing)?;
        // All groups are asked, so that the time does not tell whose key is nearly right.
        let groups = state.settings.groups.iter().filter(|group| group.api_keys.accept(key));
        groups.last().ok_or(AuthError::BadSignature)
    })?;
    check_origin(state, request, group)?;
    Ok(group)
}

/// The key of these two headers: as it is, or after `Bearer`.
fn key_of<'a>(own: Option<&'a str>, authorization: Option<&'a str>) -> Option<&'a str> {
    let bearer = authorization.map(|value| match value.split_once(' ') {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim(),
        _ => value,
    });
    own.or(bearer).filter(|key| !key.is_empty())
}

/// An agent of this group whom its back end vouches for, by its key.
///
/// # Errors
/// Names the field: his id or name is too long.
pub(super) fn agent(
    state: &State,
    group: &Group,
    id: String,
    name: String,
) -> Result<Agent, Problem> {
    let wish = TokenRequest {
        group: group.id.clone(),
        subject: id,
        name: Some(name).filter(|name| !name.is_empty()),
        scope: Scope::SESSION | Scope::CONTROL,
        topics: Rights::default(),
        minutes: None,
    };
    let wall = state.clock().wall();
    let token = state.tokens.issue(wish, wall).map_err(|problem| {
        let is_name = problem.field.as_deref() == Some("name");
        problem.called(if is_name { "agent.name" } else { "agent.id" })
    })?;
    state.metrics.tokens_issued.inc();
    Ok(state.tokens.verify(&token.token, wall)?)
}

/// An error answer in their form.
pub(super) fn fail(problem: Problem) -> HttpResponse {
    let Problem { code, field, message, retry_ms, .. } = problem;
    let error = match code {
        ErrorCode::Authorization if message == NOT_ENABLED => "api_not_enabled",
        // Another origin is a question of who asks, too.
        ErrorCode::Authorization | ErrorCode::Origin | ErrorCode::Scope | ErrorCode::Group => {
            "invalid_api_key"
        }
        ErrorCode::VisitorNotPresent | ErrorCode::NotFound => "not_found",
        ErrorCode::RateLimited | ErrorCode::TooMany => "too_many_requests",
        ErrorCode::Unready => "unavailable",
        ErrorCode::Internal => "internal_error",
        _ => "invalid_parameters",
    };
    let status = match error {
        "invalid_api_key" | "api_not_enabled" => StatusCode::UNAUTHORIZED,
        _ => StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
    };
    let message = field.map(|field| format!("{field}: {message}"));
    let mut response = HttpResponse::build(status);
    if let Some(retry_ms) = retry_ms {
        response.insert_header((header::RETRY_AFTER, retry_ms.div_ceil(1000).to_string()));
    }
    response.json(UpscopeError { status: "error", error, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stands_in_either_header_and_in_either_form() {
        assert_eq!(key_of(Some("k"), None), Some("k"));
        assert_eq!(key_of(None, Some("k")), Some("k"), "the on-premise edition");
        assert_eq!(key_of(None, Some("Bearer k")), Some("k"));
        assert_eq!(key_of(None, Some("bearer  k")), Some("k"));
        assert_eq!(key_of(Some("k"), Some("Bearer other")), Some("k"));
        for missing in [(None, None), (Some(""), None), (None, Some("")), (None, Some("Bearer "))] {
            assert_eq!(key_of(missing.0, missing.1), None, "{missing:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_one_of_their_words() {
        let status = |code| fail(Problem::new(code, "x")).status().as_u16();
        assert_eq!(status(ErrorCode::Authorization), 401);
        assert_eq!(status(ErrorCode::Origin), 401);
        assert_eq!(status(ErrorCode::VisitorNotPresent), 404);
        assert_eq!(status(ErrorCode::BadRequest), 400);
        assert_eq!(status(ErrorCode::RateLimited), 429);
    }
}
