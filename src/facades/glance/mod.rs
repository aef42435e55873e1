//! The Glance presence interface: REST for agents, tokens, and the addresses of the scripts.
//!
//! [`types`] are its words, [`translate`] turns them into ours and back without I/O, [`authorization`] and [`presence`]
//! are the calls. `docs/compatibility.md` says what is as documented and what is our choice.

mod authorization;
mod presence;
mod scripts;
mod translate;
mod types;

use actix_web::web::ServiceConfig;

/// Adds the facade's routes.
pub fn routes(service: &mut ServiceConfig) {
    service
        .service(presence::look_up_visitor)
        .service(presence::find_visitor)
        .service(presence::signal_visitor)
        .service(authorization::authorize)
        .service(scripts::script);
}
