//! Which pages of other origins may read our answers: those in a group's `agent_origins`, and where visitors' pages put
//! their assets those in `visitor_origins`. The handlers check the very
//! group; a preflight cannot say which it will be.

use actix_cors::Cors;
use actix_web::http::{Method, header};

use crate::sockets::service::SocketService;

/// How long a browser may remember a preflight's answer, in seconds.
const MAX_AGE_SECONDS: usize = 600;

/// The middleware.
pub fn cors(service: &SocketService) -> Cors {
    let service = service.clone();
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
            header::HeaderName::from_static("idempotency-key"),
            header::HeaderName::from_static("last-event-id"),
        ])
        .expose_headers([header::RETRY_AFTER])
        .block_on_origin_mismatch(false)
        .max_age(MAX_AGE_SECONDS)
}
