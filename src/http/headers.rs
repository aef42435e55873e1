//! What every answer tells browsers, errors too. A handler that needs something else sets it first and keeps it.

use actix_http::ConnectionType;
use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{self, HeaderName, HeaderValue},
    middleware::Next,
};

use super::state::State;
use crate::sockets::lifecycle::Lifecycle;

/// Answers that are no pages load nothing and stand in no frame, whatever a browser takes them for.
const NO_PAGE_POLICY: &str =
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// Nothing here asks for any of these, so that nothing injected can either.
const PERMISSIONS: &str = "accelerometer=(), browsing-topics=(), camera=(), display-capture=(), geolocation=(), \
    gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()";

const DEFAULTS: [(HeaderName, &str); 7] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::CONTENT_SECURITY_POLICY, NO_PAGE_POLICY),
    (header::CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    (header::PERMISSIONS_POLICY, PERMISSIONS),
    (header::REFERRER_POLICY, "same-origin"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];
/// A year, for this host and not for others below it, of which we know nothing (RFC 6797, section 6.1).
const TRANSPORT: &str = "max-age=31536000";

/// Says that the server that the nodes share is away: what is answered may be old, or not kept.
pub const DEGRADED: HeaderName = HeaderName::from_static("vestibule-degraded");

/// Adds what the answer does not say itself.
///
/// # Errors
/// Those of the handlers.
pub async fn headers<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let state = request.app_data::<State>();
    let has_tls = state.is_some_and(|state| state.settings.server.tls.is_some());
    let lifecycle = state.map(|state| state.lifecycle.clone());
    let mut response = next.call(request).await?;
    if lifecycle.as_ref().is_some_and(Lifecycle::is_left_to_others) {
        // Whoever asks again is to ask somebody else.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    let headers = response.headers_mut();
    for (name, value) in DEFAULTS {
        if !headers.contains_key(&name) {
            headers.insert(name, HeaderValue::from_static(value));
        }
    }
    if lifecycle.is_some_and(|lifecycle| lifecycle.is_degraded()) {
        headers.insert(DEGRADED, HeaderValue::from_static("true"));
    }
    if has_tls {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT));
    }
    Ok(response)
}
