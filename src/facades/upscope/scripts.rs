//! The addresses that browsers load: the page that leads an agent to a visitor, and the visitor's script.

use actix_web::{HttpRequest, HttpResponse, get};

use crate::http::{
    pages::{self, PAGE_RULES},
    state::State,
    watch::ancestors,
};

/// Leads a signed-in agent to the page of the visitor whom `id` names, and others to sign in; it may stand in a frame of an
/// agent's page. What the query says is for the page's script.
#[get("/cobrowse")]
pub async fn agent_link(state: State) -> HttpResponse {
    let group = state.default_group().and_then(|group| state.settings.groups.get(group));
    let ancestors = group.map_or("'none'".to_owned(), |group| ancestors(&state, group));
    let policy = format!("{PAGE_RULES}; frame-ancestors {ancestors}");
    pages::page_with(&state, "visit/index.html", &policy, "")
}

/// The script of a visitor's page.
#[get("/sdk/upscope.js")]
pub async fn visitor_script(request: HttpRequest) -> HttpResponse {
    pages::script(&request, "facades/upscope/upscope.js")
}
