//! What handlers take out of a request: the bearer and what he may do, the identities of the path, a JSON body whose errors
//! name the field.

mod bearer;
mod named;

use std::net::IpAddr;

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header,
    web::{self, Bytes},
};
use serde::de::DeserializeOwned;

pub use self::{
    bearer::{
        Bearer, Invoking, Operating, Reading, Sessions, Signalling, Topics, check_origin, verify,
    },
    named::Named,
};

use super::{error::ApiError, state::State};
use crate::{
    auth::AuthError,
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, IdempotencyKey, InvalidId},
        json::{check_depth, sentence},
    },
    settings::Group,
    telemetry::labels::Limited,
};

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
    // A list would be read as an object's fields in their order.
    if body.trim_ascii_start().starts_with(b"[") {
        return Err(Problem::field("body", "must be one JSON object"));
    }
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

/// The sender's own name for what he asks for, by which a retry is harmless.
///
/// # Errors
/// `badrequest` that names the header.
pub fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, Problem> {
    let key = text(request, header::HeaderName::from_static("idempotency-key"));
    key.map(parse).transpose().map_err(|problem: Problem| problem.called("Idempotency-Key"))
}

/// The group of an id that came with a request.
///
/// # Errors
/// `group` when there is none.
pub fn group<'a>(state: &'a State, id: &GroupId) -> Result<&'a std::sync::Arc<Group>, Problem> {
    let missing = || Problem::new(ErrorCode::Group, "there is no such group");
    state.settings.groups.get(id).ok_or_else(missing)
}
