//! The browser interface of Channel.me: the script with the global `site_connect`, and the frame that it puts into a
//! customer's page. What they do is in `sdk/facades/channelme`; presence, sessions, topics and chat are ours.
//! `docs/compatibility.md` says what is as documented and what differs.

mod frame;
mod scripts;

use actix_web::web::ServiceConfig;

/// Adds the facade's routes.
pub fn routes(service: &mut ServiceConfig) {
    service
        .service(scripts::script)
        .service(scripts::script_by_its_later_name)
        .service(frame::frame)
        .service(frame::fresh_ticket);
}
