//! `/openapi.json` and `/asyncapi.json`: the interfaces in machine form, from the Rust types.
//!
//! Facades describe themselves; whoever composes the server hands their parts in.

mod asyncapi;
mod codes;
mod openapi;

use actix_web::{HttpResponse, get, web};
use utoipa::openapi::OpenApi;

pub use self::openapi::problems;

/// Both documents, as JSON text.
#[derive(Clone, Debug)]
pub struct Documents {
    /// OpenAPI 3.1, of everything that is asked by plain HTTP.
    pub openapi: String,
    /// AsyncAPI 3.0, of the sockets.
    pub asyncapi: String,
}

impl Documents {
    /// The documents of a server that is reached at `public_url`, with the parts that facades add.
    pub fn new(public_url: Option<&str>, facades: impl IntoIterator<Item = OpenApi>) -> Self {
        Self {
            openapi: pretty(&openapi::document(public_url, facades)),
            asyncapi: pretty(&asyncapi::document(public_url)),
        }
    }
}

fn pretty(document: &impl serde::Serialize) -> String {
    let mut text = serde_json::to_string_pretty(document).unwrap_or_default();
    text.push('\n');
    text
}

/// The OpenAPI document.
#[utoipa::path(tag = "operations", operation_id = "read_openapi",
    responses((status = 200, body = Value, description = "This document")))]
#[get("/openapi.json")]
pub async fn openapi_json(documents: web::Data<Documents>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(documents.openapi.clone())
}

/// The AsyncAPI document.
#[utoipa::path(tag = "operations", operation_id = "read_asyncapi",
    responses((status = 200, body = Value, description = "The AsyncAPI 3.0 document of the sockets")))]
#[get("/asyncapi.json")]
pub async fn asyncapi_json(documents: web::Data<Documents>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(documents.asyncapi.clone())
}
