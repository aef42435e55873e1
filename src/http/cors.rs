//! Which pages of other origins may read our answers: those in a group's `agent_origins`. The handlers check the very
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
        .allowed_origin_fn(move |origin, _| {
            let origin = origin.to_str().ok();
            origin.is_some()
                && service.settings.groups.iter().any(|group| service.allows_agent(group, origin))
        })
        .allowed_methods([Method::GET, Method::POST])
        .allowed_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::HeaderName::from_static("idempotency-key"),
        ])
        .expose_headers([header::RETRY_AFTER])
        .block_on_origin_mismatch(false)
        .max_age(MAX_AGE_SECONDS)
}
