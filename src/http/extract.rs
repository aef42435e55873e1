//! What handlers take out of a request: the agent, the group in the path, a JSON body whose errors name the field.

use std::{
    future::{Ready, ready},
    net::IpAddr,
};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header,
    web::{self, Bytes},
};
use serde::de::DeserializeOwned;

use super::{error::ApiError, state::State};
use crate::{
    auth::{Agent, AuthError, Scope, bearer},
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, InvalidId, VisitorId, VisitorKey},
        json::{check_depth, sentence},
    },
    settings::Group,
    telemetry::labels::Limited,
};

/// The bearer of the request's token; his token is for the group in the path, if there is one, and his page's origin
/// is in that group's list, if there is one.
pub struct Bearer(pub Agent);

impl Bearer {
    /// Checks that he may do `needed`.
    ///
    /// # Errors
    /// `scope`.
    pub fn require(&self, needed: Scope) -> Result<(), ApiError> {
        Ok(self.0.require(needed)?)
    }
}

impl FromRequest for Bearer {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(verify(request).map(Self).map_err(ApiError))
    }
}

/// The agent of a request.
///
/// # Errors
/// `authorization`, `ratelimited`, `group` or `origin`.
pub fn verify(request: &HttpRequest) -> Result<Agent, Problem> {
    let state = state(request)?;
    let failed = |error: AuthError| {
        state.metrics.authorization_failures.of(error).inc();
        Problem::from(error)
    };
    let token = bearer(text(request, header::AUTHORIZATION)).map_err(failed)?;
    let agent = state.tokens.verify(token, state.clock().wall()).map_err(failed)?;
    let now = state.clock().now();
    state.admission.request_of(&agent.group, &agent.subject, now).inspect_err(|_| {
        state.metrics.limited.of(Limited::RequestOfSubject).inc();
    })?;
    if let Some(group) = request.match_info().get("group") {
        agent.require_group(&parse(group)?)?;
    }
    let group = state.settings.groups.get(&agent.group);
    let group = group.ok_or_else(|| Problem::new(ErrorCode::Group, "there is no such group"))?;
    check_origin(state, request, group)?;
    Ok(agent)
}

/// The address that counts for a request.
#[must_use]
pub fn client_address(state: &State, request: &HttpRequest) -> IpAddr {
    state.client_address(request.peer_addr(), request.headers())
}

/// Checks credentials, unless too many that were wrong came from the request's address.
///
/// # Errors
/// `ratelimited`, or what `check` says, which counts as wrong then.
pub fn offered<T>(
    state: &State,
    request: &HttpRequest,
    check: impl FnOnce() -> Result<T, AuthError>,
) -> Result<T, Problem> {
    let (address, now) = (client_address(state, request), state.clock().now());
    state.admission.may_offer(address, now).inspect_err(|_| {
        state.metrics.limited.of(Limited::Guess).inc();
    })?;
    check().map_err(|error| {
        state.admission.was_wrong(address, now);
        state.metrics.authorization_failures.of(error).inc();
        error.into()
    })
}

/// Checks that the request's page, if it comes from one, is in the group's list of agents' origins.
///
/// # Errors
/// `origin`.
pub fn check_origin(state: &State, request: &HttpRequest, group: &Group) -> Result<(), Problem> {
    if state.allows_agent(group, &state.origin_of(request.headers())) {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::Origin, "the page's origin is not in the group's agent_origins"))
}

/// The visitor that the path names.
///
/// # Errors
/// `badrequest` with the field's name.
pub fn visitor_key(group: &str, visitor: &str) -> Result<VisitorKey, Problem> {
    Ok(VisitorKey { group: parse(group)?, visitor: parse::<VisitorId>(visitor)? })
}

/// Text of the request as an identity.
///
/// # Errors
/// `badrequest` with the field's name.
pub fn parse<T: std::str::FromStr<Err = InvalidId>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(Problem::from)
}

/// A JSON body.
///
/// # Errors
/// `badrequest` that names the field.
pub fn json<T: DeserializeOwned>(body: &web::Bytes) -> Result<T, Problem> {
    check_depth(body, "body")?;
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        // A question mark stands for what ended before it had a name.
        let field = if matches!(&*path, "." | "?") { "body".to_owned() } else { path };
        Problem::field(field, sentence(error.inner()))
    })?;
    deserializer.end().map_err(|_| Problem::field("body", "must be one JSON object"))?;
    Ok(value)
}

/// What a query, or a form, says; `whole` is what errors name where no field is to blame.
///
/// # Errors
/// `badrequest` that names the field.
pub fn form<T: DeserializeOwned>(text: &str, whole: &str) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text.as_bytes()));
    serde_path_to_error::deserialize(pairs).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { whole.to_owned() } else { path };
        Problem::field(field, sentence(error.inner()))
    })
}

/// What a request's query says.
///
/// # Errors
/// `badrequest` that names the field.
pub fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    form(request.query_string(), "query")
}

/// A request's body, within the settings' limit.
pub struct Body(pub Bytes);

impl FromRequest for Body {
    type Error = ApiError;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<Self, ApiError>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Bytes::from_request(request, payload);
        Box::pin(async move {
            body.await.map(Self).map_err(|error| {
                let too_large = error.as_response_error().status_code() == 413;
                ApiError(if too_large {
                    Problem::new(ErrorCode::TooLarge, "the body is over the limit")
                } else {
                    Problem::field("body", "could not be read")
                })
            })
        })
    }
}

fn state(request: &HttpRequest) -> Result<&State, Problem> {
    let missing = || Problem::new(ErrorCode::Internal, "the application has no state");
    request.app_data::<State>().ok_or_else(missing)
}

/// A header's text.
#[must_use]
pub fn text(request: &HttpRequest, name: header::HeaderName) -> Option<&str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// The group of an id that came with a request.
///
/// # Errors
/// `group` when there is none.
pub fn group<'a>(state: &'a State, id: &GroupId) -> Result<&'a std::sync::Arc<Group>, Problem> {
    let missing = || Problem::new(ErrorCode::Group, "there is no such group");
    state.settings.groups.get(id).ok_or_else(missing)
}
