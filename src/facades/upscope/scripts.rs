//! The addresses that browsers load: the page that leads an agent to a visitor, and the visitor's script.

use actix_web::{HttpRequest, HttpResponse, get};

use crate::{
    http::{
        pages::{self, PAGE_RULES},
        state::State,
        watch::ancestors,
    },
    model::ids::GroupId,
};

/// Leads a signed-in agent to the page of the visitor whom `id` names, and others to sign in; it may stand in a frame of an
/// agent's page of the group that `group` names, else of the one of requests that name none. All else that the query says
/// is for the page's script.
#[get("/cobrowse")]
pub async fn agent_link(request: HttpRequest, state: State) -> HttpResponse {
    let mut query = form_urlencoded::parse(request.query_string().as_bytes());
    let named = query.find(|(name, _)| name == "group").map(|(_, value)| value.parse::<GroupId>());
    let group = match &named {
        Some(named) => named.as_ref().ok(),
        None => state.default_group(),
    };
    let group = group.and_then(|group| state.settings.groups.get(group));
    let ancestors = group.map_or("'none'".to_owned(), |group| ancestors(&state, group));
    let policy = format!("{PAGE_RULES}; frame-ancestors {ancestors}");
    pages::page_with(&state, "visit/index.html", &policy, "")
}

/// The script of a visitor's page.
#[get("/sdk/upscope.js")]
pub async fn visitor_script(request: HttpRequest) -> HttpResponse {
    pages::script(&request, "facades/upscope/upscope.js")
}
