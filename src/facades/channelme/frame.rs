//! The frame: a page of ours in a customer's page, which alone speaks with the server. Only pages of the group's visitors may
//! hold it, and it carries a ticket that its socket shows in place of an origin.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError as _, get,
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    auth::Mode,
    http::{error::ApiError, extract, pages, state::State, watch::framed_by},
    model::{
        error::{ErrorCode, Problem},
        ids::GroupId,
    },
    settings::Group,
};

/// The frame runs its own script and speaks with this server; `frame-ancestors` says who may hold it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
    base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors";

/// A page with a `Cross-Origin-Embedder-Policy` takes frames that have one, and that let themselves be embedded.
const EMBEDDABLE: [(HeaderName, HeaderValue); 2] = [
    (header::CROSS_ORIGIN_EMBEDDER_POLICY, HeaderValue::from_static("require-corp")),
    (header::CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin")),
];

/// Which group.
#[derive(Deserialize)]
struct FrameQuery {
    partner: Option<String>,
}

/// What the frame is told.
#[derive(Serialize)]
#[serde(untagged)]
enum Facts<'a> {
    Given {
        group: &'a GroupId,
        ticket: String,
        /// The pages that it may talk to, beside our own.
        origins: Vec<&'a str>,
        /// Whether it may talk to any page of this machine.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        loopback: bool,
    },
    Refused {
        refused: &'static str,
    },
}

impl Facts<'_> {
    fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// The frame of the group that `partner` names, or of the default group. Of an unknown group it says so to whoever holds it,
/// and can do nothing else.
#[get("/site_connect/frame")]
pub async fn frame(request: HttpRequest, state: State) -> HttpResponse {
    match asked_for(&request, &state) {
        Ok(group) => {
            let facts = Facts::Given {
                group: &group.id,
                ticket: state.frames.write(&group.id, state.clock().wall()),
                origins: group.visitor_origins.iter().map(|origin| origin.as_str()).collect(),
                loopback: state.settings.mode == Mode::Development,
            };
            page(&state, &framed_by(&state, &group.visitor_origins), &facts)
        }
        Err(_) => {
            let mut response = page(&state, "*", &Facts::Refused { refused: "group" });
            *response.status_mut() = StatusCode::NOT_FOUND;
            response
        }
    }
}

fn page(state: &State, ancestors: &str, facts: &Facts<'_>) -> HttpResponse {
    let policy = format!("{POLICY} {ancestors}");
    let mut response = pages::page_with(state, "connect/index.html", &policy, &facts.text());
    let headers = response.headers_mut();
    for (name, value) in EMBEDDABLE {
        headers.insert(name, value);
    }
    // A ticket that was kept would be out of date.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A fresh ticket for a frame that connects again. Other origins' pages cannot read the answer.
#[get("/site_connect/ticket")]
pub async fn fresh_ticket(request: HttpRequest, state: State) -> HttpResponse {
    match asked_for(&request, &state) {
        Ok(group) => HttpResponse::Ok()
            .content_type("text/plain")
            .body(state.frames.write(&group.id, state.clock().wall())),
        Err(problem) => ApiError(problem).error_response(),
    }
}

fn asked_for<'a>(request: &HttpRequest, state: &'a State) -> Result<&'a Group, Problem> {
    let FrameQuery { partner } = extract::query(request)?;
    let unknown = || Problem::new(ErrorCode::NotFound, "there is no such group");
    let id = match partner.filter(|partner| !partner.is_empty()) {
        Some(text) => text.parse::<GroupId>().map_err(|_| unknown())?,
        None => state.default_group().cloned().ok_or_else(unknown)?,
    };
    state.settings.groups.get(&id).map(|group| &**group).ok_or_else(unknown)
}
