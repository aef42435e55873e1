//! What holds for every request: the host that it names, its figures, and the answer to unknown addresses.

use std::time::Instant;

use actix_web::{
    Error, HttpRequest, HttpResponse, ResponseError as _,
    body::{EitherBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
    web,
};

use super::{documents::Documents, error::ApiError, state::State};
use crate::{
    auth::{Mode, is_loopback_host},
    model::error::{ErrorCode, Problem},
    telemetry::labels::{Limited, StatusClass},
};

/// Counts every request, and in development mode refuses those that name another host than this machine: a hostile
/// page may have bound its own name to 127.0.0.1.
///
/// # Errors
/// Those of the handlers.
pub async fn guard<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let started = Instant::now();
    let state = request.app_data::<State>().cloned();
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let is_foreign = state.as_ref().is_some_and(|state| {
        state.settings.mode == Mode::Development && !host.is_some_and(is_loopback_host)
    });
    let limited = state.as_ref().and_then(|state| limited(state, &request).err());
    let response = if let Some(problem) = limited {
        let response = ApiError(problem).error_response();
        request.into_response(response).map_into_right_body()
    } else if is_foreign {
        let sentence = "development mode serves this machine only; name it localhost";
        let mut response = ApiError(Problem::new(ErrorCode::Origin, sentence)).error_response();
        *response.status_mut() = actix_web::http::StatusCode::MISDIRECTED_REQUEST;
        request.into_response(response).map_into_right_body()
    } else {
        next.call(request).await?.map_into_left_body()
    };
    if let Some(state) = state {
        state.metrics.http_requests.of(StatusClass::of(response.status().as_u16())).inc();
        state.metrics.http_duration_seconds.observe(started.elapsed().as_secs_f64());
    }
    Ok(response)
}

/// Counts the request for its client. Health is always told: who asks for it may be about to restart us.
fn limited(state: &State, request: &ServiceRequest) -> Result<(), Problem> {
    if matches!(request.path(), "/healthz" | "/readyz") {
        return Ok(());
    }
    let address = state.client_address(request.peer_addr(), request.headers());
    let admitted = state.admission.request(address, state.clock().now());
    admitted.inspect_err(|_| {
        state.metrics.limited.of(Limited::Request).inc();
    })
}

/// The answer at an address where nothing is.
pub fn not_found() -> HttpResponse {
    ApiError(Problem::new(ErrorCode::NotFound, "there is nothing at this address")).error_response()
}

/// The answer to what no route takes: an address that is documented takes other methods.
pub async fn no_route(request: HttpRequest, documents: web::Data<Documents>) -> HttpResponse {
    let pattern = request.resource_map().match_pattern(request.path());
    let allowed = pattern.as_deref().and_then(|pattern| documents.allowed(pattern));
    let Some(allowed) = allowed else { return not_found() };
    let problem = Problem::new(ErrorCode::Method, format!("this address takes {allowed}"));
    let mut response = ApiError(problem).error_response();
    // A list of methods is a header's text.
    if let Ok(allowed) = header::HeaderValue::try_from(allowed) {
        response.headers_mut().insert(header::ALLOW, allowed);
    }
    response
}
