//! What browsers load: the SDK's bundles and our own pages, built by `build.rs` and embedded.

use std::borrow::Cow;

use actix_web::{
    HttpRequest, HttpResponse, get,
    http::header::{self, ContentType},
    post, web,
};
use rust_embed::{EmbeddedFile, RustEmbed};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

use super::{error::ApiError, state::State};
use crate::{
    auth::{Mode, Scope, TokenRequest},
    model::{
        error::{ErrorCode, Problem},
        topic::Rights,
    },
};

/// The files that the SDK's build wrote.
#[derive(RustEmbed)]
#[folder = "$OUT_DIR/web"]
struct Files;

/// Pages may run what this server serves, and nothing else. Sockets to this server count as `'self'`.
pub const PAGE_RULES: &str = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; object-src 'none'";

/// An embedded file as it is, with its validator.
#[must_use]
pub fn file(request: &HttpRequest, path: &str) -> HttpResponse {
    let Some(EmbeddedFile { data, metadata }) = Files::get(path) else {
        return not_found();
    };
    let body = match data {
        Cow::Borrowed(bytes) => web::Bytes::from_static(bytes),
        Cow::Owned(bytes) => bytes.into(),
    };
    validated(request, metadata.mimetype(), &metadata.sha256_hash(), body)
}

/// An answer that browsers keep, and ask about each time.
fn validated(request: &HttpRequest, kind: &str, hash: &[u8], body: web::Bytes) -> HttpResponse {
    let tag: String = hash.iter().take(12).map(|b| format!("{b:02x}")).collect();
    let tag = header::EntityTag::new_strong(tag);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
    let caching = (header::CACHE_CONTROL, "public, max-age=0, must-revalidate");
    if known.is_some_and(|tags| tags.contains(tag.tag())) {
        return HttpResponse::NotModified()
            .insert_header(header::ETag(tag))
            .insert_header(caching)
            .finish();
    }
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header(header::ETag(tag))
        .insert_header(caching)
        .body(body)
}

/// The text of an embedded file.
#[must_use]
pub fn text(path: &str) -> Option<String> {
    Files::get(path).map(|file| String::from_utf8_lossy(&file.data).into_owned())
}

/// A script that was made for the one who asks, and is the same for everybody who asks alike.
#[must_use]
pub fn made_script(request: &HttpRequest, script: String) -> HttpResponse {
    let hash = Sha256::digest(&script);
    for_customers(validated(request, "text/javascript", &hash, script.into()))
}

fn not_found() -> HttpResponse {
    let problem = Problem::new(ErrorCode::NotFound, "there is nothing at this address");
    actix_web::ResponseError::error_response(&ApiError(problem))
}

/// A page, with the group that its scripts serve.
#[must_use]
pub fn page(state: &State, path: &str) -> HttpResponse {
    page_with(state, path, &format!("{PAGE_RULES}; frame-ancestors 'none'"), "")
}

/// A page under this policy; its script reads `facts` in an attribute of the page.
#[must_use]
pub fn page_with(state: &State, path: &str, policy: &str, facts: &str) -> HttpResponse {
    let Some(file) = Files::get(&format!("pages/{path}")) else { return not_found() };
    let group = state.default_group().map(ToString::to_string).unwrap_or_default();
    let html = String::from_utf8_lossy(&file.data)
        .replace("{{group}}", &group)
        .replace("{{version}}", env!("CARGO_PKG_VERSION"))
        .replace("{{facts}}", &in_attribute(facts));
    HttpResponse::Ok()
        .content_type(ContentType::html())
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        // Stored pages come back from the back-forward cache; `no-store` would shut them out of it.
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(html)
}

/// Text as it may stand between the quotes of an attribute.
fn in_attribute(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            other => safe.push(other),
        }
    }
    safe
}

/// What is here.
#[get("/")]
pub async fn index(state: State) -> HttpResponse {
    page(&state, "index.html")
}

/// The readable reference.
#[get("/docs")]
pub async fn docs(state: State) -> HttpResponse {
    page(&state, "docs/index.html")
}

/// The shop's first page.
#[get("/demo/")]
pub async fn shop(state: State) -> HttpResponse {
    page(&state, "demo/index.html")
}

/// The agent's desk.
#[get("/demo/agent")]
pub async fn desk(state: State) -> HttpResponse {
    page(&state, "demo/agent/index.html")
}

/// The shop's other pages, and every path of its single-page application.
#[get("/demo/{page:.*}")]
pub async fn shop_page(state: State, name: web::Path<String>) -> HttpResponse {
    let name = name.strip_suffix(".html").unwrap_or(&name);
    let name = if name.starts_with("spa/") { "spa" } else { name };
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    if name.is_empty() || !name.chars().all(is_name) {
        return not_found();
    }
    page(&state, &format!("demo/{name}.html"))
}

/// The shop's form: a real post and redirect, as shops do it.
#[post("/demo/checkout")]
pub async fn checkout() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/demo/thanks")).finish()
}

/// Style sheets, scripts and pictures of the pages.
#[get("/pages/{path:.*}")]
pub async fn asset(request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    if path.ends_with(".html") || path.contains("..") {
        return not_found();
    }
    file(&request, &format!("pages/{path}"))
}

/// A script that customers' pages load, those with a `Cross-Origin-Embedder-Policy` too.
#[must_use]
pub fn script(request: &HttpRequest, path: &str) -> HttpResponse {
    for_customers(file(request, path))
}

fn for_customers(mut response: HttpResponse) -> HttpResponse {
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
    ] {
        response.headers_mut().insert(name, header::HeaderValue::from_static(value));
    }
    response
}

/// The SDK.
#[get("/sdk/{path:.*\\.js}")]
pub async fn sdk(request: HttpRequest, path: web::Path<String>) -> HttpResponse {
    script(&request, &format!("sdk/{path}"))
}

/// What the agent's desk must know before it signs in.
#[derive(Serialize)]
struct DeskConfig {
    mode: &'static str,
    group: String,
}

/// Tells the agent's desk how to sign in.
#[get("/demo/config.json")]
pub async fn desk_config(state: State) -> HttpResponse {
    let group = state.default_group().map(ToString::to_string).unwrap_or_default();
    HttpResponse::Ok().json(DeskConfig { mode: mode(&state), group })
}

fn mode(state: &State) -> &'static str {
    match state.settings.mode {
        Mode::Development => "development",
        Mode::Production => "configured",
    }
}

#[derive(Serialize)]
struct DeskToken {
    token: String,
    group: String,
    expires_in: u64,
}

/// Mints a token for the agent's desk, in development mode only: there every caller is on this machine, and the
/// `Host` and `Origin` checks keep other sites' pages out.
#[post("/demo/token")]
pub async fn desk_token(request: HttpRequest, state: State) -> Result<HttpResponse, ApiError> {
    let Some(group) = state.default_group().filter(|_| state.settings.mode == Mode::Development)
    else {
        let sentence = "tokens are given here in development mode only";
        return Err(Problem::new(ErrorCode::NotFound, sentence).into());
    };
    super::extract::check_origin(&state, &request, super::extract::group(&state, group)?)?;
    let wish = TokenRequest {
        group: group.clone(),
        subject: "demo".to_owned(),
        name: Some("Demo agent".to_owned()),
        scope: Scope::AGENT,
        topics: Rights::all(),
        minutes: None,
    };
    let token = state.tokens.issue(wish, state.clock().wall())?;
    state.metrics.tokens_issued.inc();
    let answer =
        DeskToken { group: group.to_string(), expires_in: token.expires_in(), token: token.token };
    Ok(HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(answer))
}

/// What runs here.
#[derive(Serialize, ToSchema)]
pub struct About {
    /// The server's version.
    version: &'static str,
    /// `development` or `configured`.
    mode: &'static str,
    /// The group of requests that name none; empty when there is no such group.
    group: String,
    /// How many groups there are.
    groups: usize,
    /// Connected visitors.
    visitors: i64,
    /// Agents' open sockets.
    agents: i64,
    /// When the process started, in Unix milliseconds.
    started: u64,
}

/// What runs here, in a few figures; nothing that would help a stranger.
#[utoipa::path(tag = "operations", responses((status = 200, body = About, description = "A few figures")))]
#[get("/v1/about")]
pub async fn about(state: State) -> HttpResponse {
    state.refresh_metrics();
    let sockets = &state.metrics.sockets_open;
    HttpResponse::Ok().json(About {
        version: env!("CARGO_PKG_VERSION"),
        mode: mode(&state),
        group: state.default_group().map(ToString::to_string).unwrap_or_default(),
        groups: state.settings.groups.len(),
        visitors: state.metrics.visitors_connected.get(),
        agents: sockets.of(crate::telemetry::labels::SocketKind::Agent).get(),
        started: state.started.0,
    })
}
