//! The addresses that browsers load: the scripts (`glance.md` 1.1), and the agent's viewer (6.4).

use actix_web::{HttpRequest, HttpResponse, get};
use serde::Deserialize;

use super::presence::fail;
use crate::http::{extract, guard::not_found, pages, state::State};

/// The agent's viewer: brings him to the session of the visitor whom `VisitorId` or `SessionKey` names, at once or, with
/// `Wait=1`, as soon as it starts. What the query says is for the page's script.
#[get("/agentjoin/AgentView.aspx")]
pub async fn viewer(state: State) -> HttpResponse {
    pages::page(&state, "join/index.html")
}

/// Which script, for which group.
#[derive(Deserialize)]
pub struct ScriptQuery {
    script: Option<String>,
}

/// The script of an agent's page (`script=PresenceAgent`), the module with which a visitor's page shows the terms
/// (`script=Terms`), or the script of a visitor's page (otherwise). The group is the script's
/// own business: it reads its tag and address.
#[get("/cobrowse/CobrowseJS.ashx")]
pub async fn script(request: HttpRequest) -> HttpResponse {
    let query: ScriptQuery = match extract::query(&request) {
        Ok(query) => query,
        Err(problem) => return fail(problem),
    };
    let name = match query.script.as_deref() {
        None | Some("" | "PresenceVisitor") => "PresenceVisitor",
        Some("PresenceAgent") => "PresenceAgent",
        Some("Terms") => "Terms",
        Some(_) => return not_found(),
    };
    pages::script(&request, &format!("facades/glance/{name}.js"))
}
