//! How a problem becomes an HTTP answer: `application/problem+json` (RFC 9457) with our stable `code`.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::error::{ErrorCode, Problem};

/// The body of an error answer (RFC 9457, section 3).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// The code as an address that names this error.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status's usual words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The word that programs compare.
    pub code: ErrorCode,
    /// A sentence for people.
    pub detail: String,
    /// Which field of the input broke a rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// When trying again makes sense, in milliseconds from now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub retry_ms: Option<u64>,
    /// Whether it was refused because the server that the nodes share is away.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub degraded: bool,
}

impl From<Problem> for ProblemBody {
    fn from(problem: Problem) -> Self {
        let Problem { code, field, message, retry_ms, degraded } = problem;
        let status =
            StatusCode::from_u16(code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self {
            kind: format!("urn:vestibule:error:{}", code.as_str()),
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code,
            detail: message,
            field,
            retry_ms,
            degraded,
        }
    }
}

/// A problem on its way out by HTTP.
#[derive(Clone, Debug)]
pub struct ApiError(pub Problem);

impl From<Problem> for ApiError {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let Problem { code, retry_ms, .. } = self.0;
        let status = self.status_code();
        let mut response = HttpResponse::build(status);
        response.content_type("application/problem+json");
        if let Some(retry_ms) = retry_ms {
            response.insert_header(("retry-after", retry_ms.div_ceil(1000).to_string()));
        }
        if code == ErrorCode::Authorization {
            // RFC 6750, section 3.
            response.insert_header(("www-authenticate", "Bearer"));
        }
        response.json(ProblemBody::from(self.0.clone()))
    }
}
