//! The interface of Genesys Co-browse for agents' desktops (`genesys.md`): seven service channels of Bayeux, and REST.
//!
//! [`types`] are its words, [`channels`] carries out what comes by the channels, [`seats`] is who came in by them, [`rest`]
//! are the calls, [`slave`] is the page in which agents see a session. `docs/compatibility.md` says what is as documented and what is our choice.

mod adopt;
mod channels;
mod rest;
mod seats;
mod slave;
mod types;

use actix_web::web::ServiceConfig;
use utoipa::OpenApi;

use crate::http::documents::problems;

pub use self::{rest::SERVER, seats::Seats};

/// Where Bayeux clients connect.
pub const COMETD: &str = "/cobrowse/cometd";
/// What is called across origins, with cookies.
pub const REST: &str = "/cobrowse/rest";

/// The channels on which clients ask.
pub const ASKED: [&str; 4] = [
    "/service/session/create",
    "/service/session/join",
    "/service/session/exit",
    "/service/session/stop",
];
/// The channels on which only the server speaks.
pub const TOLD: [&str; 3] =
    ["/service/session/joined", "/service/session/activated", "/service/session/deactivated"];

/// Adds the facade's routes.
pub fn routes(service: &mut ServiceConfig) {
    service
        .service(rest::create)
        .service(rest::find)
        .service(rest::stop)
        .service(rest::stop_by_post)
        .service(rest::history)
        .service(rest::health)
        .service(slave::seat)
        .service(slave::page)
        .service(slave::desktop);
}

/// The facade's part of the OpenAPI document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = Genesys::openapi();
    problems(&mut document, "GenesysError", "application/json");
    document
}

#[derive(OpenApi)]
#[openapi(
    tags((name = "genesys", description = "The REST interface of Genesys Co-browse, for groups whose `[groups.facades] genesys` is \
        `code` or `token`. `docs/compatibility.md` says what is as documented there and what is our choice. An error is `{error}`.")),
    paths(rest::create, rest::find, rest::stop, rest::stop_by_post, rest::history, rest::health, slave::seat)
)]
struct Genesys;

#[cfg(test)]
mod tests {
    use super::*;

    /// What the table says of a name: its first cell holds the name, its second how it stands.
    fn stands(name: &str) -> Option<String> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/compatibility.md");
        let text = std::fs::read_to_string(path).unwrap();
        let section =
            text.split("# Compatibility with Genesys Co-browse").nth(1).unwrap().to_owned();
        let section = section.split("\n# ").next().unwrap().to_owned();
        section.lines().find_map(|line| {
            let mut cells = line.split('|').map(str::trim).skip(1);
            (cells.next()? == format!("`{name}`")).then(|| cells.next().unwrap().to_owned())
        })
    }

    #[test]
    fn the_table_says_what_is_there() {
        let calls = document().paths.paths.into_iter().flat_map(|(path, item)| {
            let methods = [(item.get.is_some(), "GET"), (item.post.is_some(), "POST")];
            methods
                .into_iter()
                .filter(|(is_there, _)| *is_there)
                .map(move |(_, method)| format!("{method} {path}"))
                .collect::<Vec<_>>()
        });
        let names = ASKED.into_iter().chain(TOLD).map(str::to_owned).chain(calls);
        // The scripts, the page and the kit are held to it in the browser's tests.
        let beside = ["/cobrowse/slave.html", "{start:123456789}"].map(str::to_owned);
        for name in names.chain(beside) {
            let how = stands(&name);
            assert!(matches!(how.as_deref(), Some("works" | "differs")), "{name}: {how:?}");
        }
        for missing in [
            "/cobrowse/js/gcb.min.js",
            "startSession",
            "exitSession",
            "onReady",
            "onInitialized",
            "onSessionStarted",
            "onAgentJoined",
            "onSessionEnded",
            "onMaskedElement",
            "markServiceElement",
        ] {
            assert_eq!(stands(missing).as_deref(), Some("missing"), "{missing}");
        }
    }
}
