//! `/healthz`, `/readyz`, `/metrics`: for those who run the service.

use actix_web::{HttpResponse, get};
use serde::Serialize;
use utoipa::ToSchema;

use super::state::State;
use crate::telemetry::metrics::CONTENT_TYPE;

/// Whether the service is well.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`, `ready` or `unready`.
    pub status: &'static str,
}

/// The process lives and its threads answer. Says nothing of whether it takes sockets.
#[utoipa::path(tag = "operations", responses((status = 200, body = Health, description = "The process lives")))]
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// The service takes sockets: it has started and does not drain.
#[utoipa::path(tag = "operations",
    responses((status = 200, body = Health, description = "Takes sockets"), (status = 503, body = Health, description = "Starting or draining")))]
#[get("/readyz")]
pub async fn readyz(state: State) -> HttpResponse {
    if state.lifecycle.is_ready() {
        HttpResponse::Ok().json(Health { status: "ready" })
    } else {
        HttpResponse::ServiceUnavailable().json(Health { status: "unready" })
    }
}

/// All figures, as OpenMetrics text.
#[utoipa::path(tag = "operations",
    responses((status = 200, body = String, content_type = "application/openmetrics-text", description = "OpenMetrics 1.0")))]
#[get("/metrics")]
pub async fn metrics(state: State) -> HttpResponse {
    state.refresh_metrics();
    HttpResponse::Ok().content_type(CONTENT_TYPE).body(state.metrics.encode())
}
