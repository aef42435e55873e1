//! `/watch/`: the page in which an agent sees a visitor's page, alone or in a frame of a desktop.
//!
//! A link's ticket stands behind `#`, where no server sees it, or in the path, for those who open it in a frame. The page takes
//! it out of its address at once, to `/watch/` or `/watch/{group}`; what it needs for a reload it keeps in its tab.

use actix_web::{
    HttpResponse, get,
    http::header::{CACHE_CONTROL, HeaderValue},
    web,
};
use serde::Serialize;

use super::{pages, state::State};
use crate::{
    auth::{Mode, OriginList},
    cobrowse::link::LinkTerms,
    model::{
        ids::GroupId,
        watch::{Naked, WebAddress},
    },
    settings::Group,
};

/// What the visitor's page brings is shown, and can do nothing: its frame has this policy too (design section 7).
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data: blob:; font-src 'self' data: blob:; media-src 'self' data: blob:; frame-src 'self' data: blob:; \
    base-uri 'none'; form-action 'none'; object-src 'none'; frame-ancestors";

/// The page in frames of these, with what its script is to know.
#[must_use]
pub fn page_in(state: &State, ancestors: &str, facts: &str) -> HttpResponse {
    let mut page =
        pages::page_with(state, "watch/index.html", &format!("{POLICY} {ancestors}"), facts);
    page.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    page
}

/// What the page is told of its link.
#[derive(Serialize)]
struct Facts<'a> {
    group: &'a GroupId,
    naked: Naked,
    retry_url: Option<&'a WebAddress>,
    on_end_url: Option<&'a WebAddress>,
    parent: Option<&'a str>,
    closes: bool,
}

/// The page for those who bring their ticket behind `#`. It stands in no frame.
#[get("/watch/")]
pub async fn watch(state: State) -> HttpResponse {
    pages::page_with(&state, "watch/index.html", &format!("{POLICY} 'none'"), "")
}

/// The page for those who bring their ticket in the path, and for those who reload it, who name the group. It opens nothing:
/// programs that look at links may read it as often as they like.
#[get("/watch/{link}")]
pub async fn link(state: State, link: web::Path<String>) -> HttpResponse {
    let known = match link.parse::<GroupId>() {
        Ok(group) => Some((group, None)),
        Err(_) => state.cobrowse.link_terms(&link).map(|(group, terms)| (group, Some(terms))),
    };
    let group = known.as_ref().map(|(group, _)| group).or_else(|| state.default_group());
    let group = group.and_then(|group| state.settings.groups.get(group));
    let terms = known.and_then(|(_, terms)| terms);
    let ancestors = group.map_or("'none'".to_owned(), |group| ancestors(&state, group));
    let facts = group.zip(terms.as_ref()).map(|(group, terms)| facts(group, terms));
    // Not kept: the address opens a session.
    page_in(&state, &ancestors, &facts.unwrap_or_default())
}

fn facts(group: &Group, terms: &LinkTerms) -> String {
    let LinkTerms { branding, parent, closes } = terms;
    let facts = Facts {
        group: &group.id,
        naked: branding.naked,
        retry_url: branding.retry_url.as_ref(),
        on_end_url: branding.on_end_url.as_ref(),
        parent: parent.as_deref(),
        closes: *closes,
    };
    serde_json::to_string(&facts).unwrap_or_default()
}

/// In whose frames a page for the group's agents may stand: our own, and those of the pages that they work on. A desktop may
/// stand in a frame itself, so that the one to whom messages go is not all of them.
#[must_use]
pub fn ancestors(state: &State, group: &Group) -> String {
    framed_by(state, &group.agent_origins)
}

/// The sources in a policy for a page that may stand in frames of our own pages, and of those of these origins.
#[must_use]
pub fn framed_by(state: &State, origins: &OriginList) -> String {
    let mut list = "'self'".to_owned();
    for origin in origins.iter() {
        list.push(' ');
        list.push_str(origin.as_str());
    }
    if state.settings.mode == Mode::Development {
        // Where every page of this machine may talk to us.
        list.push_str(" http://localhost:* http://127.0.0.1:*");
    }
    list
}
