//! The scripts that browsers load (`oracle.md` 5).

use actix_web::{HttpRequest, HttpResponse, ResponseError as _, get};
use serde::Serialize;

use crate::{
    http::{error::ApiError, extract, guard::not_found, pages, state::State},
    model::{
        error::{ErrorCode, Problem},
        ids::GroupId,
    },
    settings::{Group, Launch},
};

/// What the bundle has in place of the site.
const PLACE: &str = "\"{{site}}\"";

/// What the script must know before it asks anybody.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Site<'a> {
    group: &'a GroupId,
    site_code: &'a str,
    launch: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms: Option<&'a str>,
}

impl<'a> Site<'a> {
    fn new(group: &'a Group) -> Self {
        let Launch { site_code, by, terms } = &group.cobrowse.launch;
        Self { group: &group.id, site_code, launch: by, terms: terms.as_deref() }
    }
}

/// The script of a customer's page, for the group that `groupid` names. Names of parameters are in any case; `lang` is the
/// script's own business, and others are passed over.
#[get("/cobrowse/launcher.js")]
pub async fn launcher(request: HttpRequest, state: State) -> HttpResponse {
    let site = match asked_for(&request, &state) {
        Ok(group) => serde_json::to_string(&Site::new(group)).unwrap_or_default(),
        Err(problem) => return ApiError(problem).error_response(),
    };
    match pages::text("facades/oracle/launcher.js") {
        Some(script) => pages::made_script(&request, script.replacen(PLACE, &site, 1)),
        None => not_found(),
    }
}

/// What draws the button, the code and the questions; the script above loads it when there is something to be seen.
#[get("/cobrowse/panel.js")]
pub async fn panel(request: HttpRequest) -> HttpResponse {
    pages::script(&request, "facades/oracle/panel.js")
}

fn asked_for<'a>(request: &HttpRequest, state: &'a State) -> Result<&'a Group, Problem> {
    let query = form_urlencoded::parse(request.query_string().as_bytes());
    let given = query
        .filter(|(name, _)| ["groupid", "group"].iter().any(|own| name.eq_ignore_ascii_case(own)))
        .map(|(_, value)| value)
        .find(|value| !value.is_empty());
    let id: GroupId = match (given, state.default_group()) {
        (Some(text), _) => extract::parse(&text).map_err(|problem| problem.called("groupid"))?,
        (None, Some(group)) => group.clone(),
        (None, None) => return Err(Problem::field("groupid", "is missing")),
    };
    let group = state.settings.groups.get(&id);
    let unknown = || Problem::new(ErrorCode::NotFound, "there is no such group");
    group.map(|group| &**group).ok_or_else(unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bundle_has_one_place_for_the_site() {
        let script = pages::text("facades/oracle/launcher.js").unwrap();
        assert_eq!(script.matches(PLACE).count(), 1);
    }
}
