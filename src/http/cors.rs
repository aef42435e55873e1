//! Which pages of other origins may read our answers: those in a group's `agent_origins`, and where visitors' pages put
//! their assets those in `visitor_origins`. The handlers check the very
//! group; a preflight cannot say which it will be.

use actix_cors::Cors;
use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method,
        header::{self, HeaderName},
    },
    middleware::Next,
};

use super::headers::DEGRADED;
use crate::sockets::service::SocketService;

/// How long a browser may remember a preflight's answer, in seconds.
const MAX_AGE_SECONDS: usize = 600;

/// Adds, for the paths at `bases` and below, that pages which may read the answers may send cookies too.
///
/// # Errors
/// Those of the handlers.
pub async fn credentials<B: MessageBody>(
    bases: &[&str],
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let is_below = |base: &&str| {
        let rest = request.path().strip_prefix(*base);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let is_there = bases.iter().any(is_below);
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    if is_there && headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        let yes = header::HeaderValue::from_static("true");
        headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, yes);
    }
    Ok(response)
}

/// Headers of facades, in lower case.
#[derive(Clone, Copy)]
pub struct Foreign {
    /// What pages may send.
    pub sent: &'static [&'static str],
    /// What they may read too.
    pub both: &'static [&'static str],
}

/// The middleware.
pub fn cors(service: &SocketService, foreign: Foreign) -> Cors {
    let service = service.clone();
    let names = |list: &'static [&'static str]| list.iter().copied().map(HeaderName::from_static);
    Cors::default()
        .allowed_origin_fn(move |origin, request| {
            let Ok(origin) = origin.to_str() else { return false };
            let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
            let origin = service.page_origin(Some(origin), host);
            let mut groups = service.settings.groups.iter();
            if request.uri.path().starts_with("/v1/assets/") {
                return groups.any(|group| service.allows_visitor(group, &origin));
            }
            groups.any(|group| service.allows_agent(group, &origin))
        })
        .allowed_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
        ])
        .allowed_headers(names(foreign.sent).chain(names(foreign.both)))
        .expose_headers([header::RETRY_AFTER, DEGRADED].into_iter().chain(names(foreign.both)))
        .block_on_origin_mismatch(false)
        .max_age(MAX_AGE_SECONDS)
}
