//! Upscope's interface for back ends and desktops (`upscope.md`): REST with an API key, and the address of a visitor's page.
//!
//! [`types`] are its words, [`search`] what its searches mean, [`translate`] turns our visitors and sessions into its own, all
//! without I/O; [`caller`] knows who asks, [`visitors`] and [`sessions`] are the calls, [`scripts`] what browsers load.

mod caller;
mod scripts;
mod search;
mod sessions;
mod translate;
mod types;
mod visitors;

pub use self::caller::KEY_HEADER;

use actix_web::{
    guard::{GuardContext, fn_guard},
    http::Method,
    web::{ServiceConfig, resource},
};
use utoipa::OpenApi;

use crate::http::documents::problems;

/// Where the interface is served: its versions, and the paths of its on-premise edition. Each is the same.
const PREFIXES: [&str; 4] = ["/v1.1", "/v1.2", "/v1.3", "/api"];
/// Its first version ended its paths like this.
const ENDINGS: [&str; 2] = ["", ".json"];

/// Adds the facade's routes.
pub fn routes(service: &mut ServiceConfig) {
    for prefix in PREFIXES {
        let at = |method: Method, rest: &str| {
            let is_asked = move |asked: &GuardContext<'_>| asked.head().method == method;
            resource(format!("{prefix}{rest}")).guard(fn_guard(is_asked))
        };
        for end in ENDINGS {
            let visitor = |call: &str| format!("/visitors/{{short_id}}/{call}{end}");
            service
                .service(at(Method::GET, &format!("/list{end}")).to(visitors::list))
                .service(at(Method::DELETE, &format!("/visitors{end}")).to(visitors::forget_all))
                .service(at(Method::POST, &visitor("watch_url")).to(sessions::watch_url))
                .service(at(Method::DELETE, &visitor("session")).to(sessions::end));
        }
        service
            .service(at(Method::GET, "/visitors/list/latest").to(visitors::latest))
            .service(at(Method::GET, "/visitors/list/search").to(visitors::list))
            .service(at(Method::GET, "/visitors/{short_id}").to(visitors::one))
            .service(at(Method::DELETE, "/visitors/{short_id}").to(visitors::forget));
    }
    service.service(scripts::agent_link).service(scripts::visitor_script);
}

/// The facade's part of the OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Upscope::openapi();
    problems(&mut document, "UpscopeError", "application/json");
    document
}

#[derive(OpenApi)]
#[openapi(
    tags((name = "upscope", description = "The REST interface of Upscope, with one of the group's `api_keys`. Also at `/v1.1`, \
        `/v1.2`, with `.json` at the end, and at `/api`. `docs/compatibility.md` says what is as documented there and what is our \
        choice.")),
    paths(
        visitors::list,
        visitors::one,
        visitors::forget,
        visitors::forget_all,
        sessions::watch_url,
        sessions::end,
    )
)]
struct Upscope;
