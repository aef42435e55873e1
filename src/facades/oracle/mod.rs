//! The browser interface of Oracle's Cobrowse: the script with the global `Cobrowse`. What it does is in
//! `sdk/facades/oracle`; sessions are ours. `docs/compatibility.md` says what is as documented and what differs.

mod scripts;

use actix_web::web::ServiceConfig;

/// Adds the facade's routes.
pub fn routes(service: &mut ServiceConfig) {
    service.service(scripts::launcher).service(scripts::panel);
}
