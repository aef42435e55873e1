//! `/openapi.json` and `/asyncapi.json`: the interfaces in machine form, from the Rust types.

mod asyncapi;

use std::sync::LazyLock;

use actix_web::{HttpResponse, get};
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

/// The OpenAPI document as JSON text.
pub static OPENAPI: LazyLock<String> = LazyLock::new(|| pretty(&Rest::openapi()));
/// The AsyncAPI document as JSON text.
pub static ASYNCAPI: LazyLock<String> = LazyLock::new(|| pretty(&asyncapi::document()));

/// The REST interface.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Vestibule",
        description = "Presence and signals for web sites: who is there, and what reaches him.",
    ),
    paths(
        super::tokens::create,
        super::visitors::list,
        super::visitors::one,
        super::signals::send_signal,
        super::signals::send_invocation,
        super::signals::signal_state,
        super::operations::healthz,
        super::operations::readyz,
        super::operations::metrics,
    ),
    modifiers(&Security),
)]
struct Rest;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = |description: &str| {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer);
            SecurityScheme::Http(scheme.description(Some(description)).build())
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", bearer("An agent's token: a JWT for one group"));
        components.add_security_scheme("api_key", bearer("An API key of the group"));
    }
}

fn pretty(document: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// The OpenAPI document.
#[get("/openapi.json")]
pub async fn openapi_json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(OPENAPI.as_str())
}

/// The AsyncAPI document.
#[get("/asyncapi.json")]
pub async fn asyncapi_json() -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(ASYNCAPI.as_str())
}
