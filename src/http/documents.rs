//! `/openapi.json` and `/asyncapi.json`: the interfaces in machine form, from the Rust types.
//!
//! Facades describe themselves; whoever composes the server hands their parts in.

mod asyncapi;
mod codes;
mod openapi;

use std::collections::BTreeMap;

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
    /// The methods of each address of the OpenAPI document, by its pattern, as `Allow` lists them.
    allowed: BTreeMap<String, String>,
}

impl Documents {
    /// The documents of a server that is reached at `public_url`, with the parts that facades add.
    pub fn new(public_url: Option<&str>, facades: impl IntoIterator<Item = OpenApi>) -> Self {
        let openapi = openapi::document(public_url, facades);
        Self {
            allowed: openapi.allowed(),
            openapi: pretty(&openapi),
            asyncapi: pretty(&asyncapi::document(public_url)),
        }
    }

    /// The methods of an address, if it is documented.
    #[must_use]
    pub fn allowed(&self, pattern: &str) -> Option<&str> {
        self.allowed.get(&without_rules(pattern)).map(String::as_str)
    }
}

/// A route's pattern without the rules of its parameters: `/letters/{id}` of `/letters/{id:[0-9]+}`.
fn without_rules(pattern: &str) -> String {
    let mut parts = pattern.split('{');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |plain, part| {
        let (parameter, rest) = part.split_once('}').unwrap_or((part, ""));
        let name = parameter.split(':').next().unwrap_or_default();
        format!("{plain}{{{name}}}{rest}")
    })
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
