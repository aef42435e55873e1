//! The Glance presence interface: REST for agents, tokens, and the addresses of the scripts.
//!
//! [`types`] are its words, [`translate`] turns them into ours and back without I/O, [`authorization`] and [`presence`]
//! are the calls. `docs/compatibility.md` says what is as documented and what is our choice.

mod authorization;
mod presence;
mod scripts;
mod translate;
mod types;
mod visitorws;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

use crate::{http::documents::problems, sockets::dialect::Dialect};

/// What apps speak on their sockets.
pub static DIALECTS: &[&Dialect] = &[&visitorws::VISITORWS];

/// Adds the facade's routes.
pub fn routes(service: &mut ServiceConfig) {
    service
        .service(presence::look_up_visitor)
        .service(presence::find_visitor)
        .service(presence::signal_visitor)
        .service(authorization::authorize)
        .service(scripts::viewer)
        .service(scripts::script);
}

/// The facade's part of the OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Glance::openapi();
    problems(&mut document, "Failure", "application/json");
    document
}

#[derive(OpenApi)]
#[openapi(
    tags((name = "glance", description = "The presence REST interface of Glance. `docs/compatibility.md` says what is as \
        documented there and what is our choice. An error is `{error, detail}`; `authorization` also stands for `scope`, \
        `origin` and `group`.")),
    paths(
        presence::look_up_visitor,
        presence::find_visitor,
        presence::signal_visitor,
        authorization::authorize,
    )
)]
struct Glance;
