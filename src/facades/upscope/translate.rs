//! Our visitors and sessions in their words; no I/O.

use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{
    search::{CODE_DIGITS, is_email},
    types::{PermissionsBody, UpscopeAgent, UpscopeSession, UpscopeVisitor},
};
use crate::{
    cobrowse::session::Summary,
    model::{
        cobrowse::{Permissions, Role},
        ids::SessionId,
        view::VisitorView,
    },
};

/// What a page of theirs said of its visitor: their script puts it into the presence data, lists as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// What the site calls him.
    pub unique_id: Option<String>,
    /// By what else he is known.
    pub identities: Vec<String>,
    /// His tags.
    pub tags: Vec<String>,
    /// The names and ids of other systems that know him.
    pub integrations: Vec<String>,
    /// The network address that he comes from.
    pub address: Option<IpAddr>,
}

fn data(view: &VisitorView) -> Map<String, Value> {
    serde_json::from_str(view.row.data.text()).unwrap_or_default()
}

fn text(data: &Map<String, Value>, key: &str) -> Option<String> {
    match data.get(key)? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A list as their script writes it; any other text is a list of one.
fn list(data: &Map<String, Value>, key: &str) -> Vec<String> {
    let Some(text) = text(data, key) else { return Vec::new() };
    serde_json::from_str(&text).unwrap_or_else(|_| vec![text])
}

/// What is known of a visitor.
#[must_use]
pub fn known(view: &VisitorView) -> Known {
    known_by(view, &data(view))
}

fn known_by(view: &VisitorView, data: &Map<String, Value>) -> Known {
    let own = || (!view.row.anonymous).then(|| view.row.visitorid.to_string());
    Known {
        unique_id: text(data, "uniqueId").or_else(own),
        identities: list(data, "identities"),
        tags: list(data, "tags"),
        integrations: list(data, "integrationIds"),
        address: view.address,
    }
}

/// A visitor in their words.
#[must_use]
pub fn visitor(view: &VisitorView, is_in_session: bool) -> UpscopeVisitor {
    let data = data(view);
    let Known { unique_id, identities, tags, integrations, address } = known_by(view, &data);
    let names = identities.iter().chain(&unique_id);
    // Codes of another length are not what their searches take.
    let code = view.uniqueid.as_ref().filter(|code| code.as_str().len() == CODE_DIGITS);
    let came = view.row.since.to_rfc3339();
    let platform = text(&data, "platform").filter(|platform| platform != "Unknown");
    UpscopeVisitor {
        _type: "visitor",
        short_id: view.row.visitorid.to_string(),
        email: names.into_iter().find(|name| is_email(name)).cloned(),
        unique_id,
        identities: Some(identities).filter(|list| !list.is_empty()),
        tags,
        lookup_code: code.map(ToString::to_string),
        is_online: view.connected,
        is_in_session,
        is_supported: true,
        is_waiting_for_call: false,
        added_at: came.clone(),
        first_seen_at: came,
        last_seen_at: view.row.updated.to_rfc3339(),
        last_url: text(&data, "url"),
        ip_address: address.map(|address| address.to_string()),
        browser_name: text(&data, "browser").filter(|browser| browser != "Unknown"),
        device_type: platform.as_deref().map(device_type),
        device_name: platform,
        integration: Some(integrations).filter(|list| !list.is_empty()),
        api_key: view.group.to_string(),
        ..UpscopeVisitor::default()
    }
}

fn device_type(platform: &str) -> &'static str {
    match platform.to_ascii_lowercase().as_str() {
        "ipad" | "ipados" => "tablet",
        "android" | "ios" | "iphone" => "mobile",
        _ => "desktop",
    }
}

/// A session that is over in their words.
#[must_use]
pub fn session(id: SessionId, summary: &Summary) -> UpscopeSession {
    let seconds = summary.ended.since(summary.created) / 1_000;
    let viewers = summary.parts.iter().filter(|part| part.role == Role::Agent);
    let agents = viewers.map(|part| {
        let id = part.subject.as_deref().unwrap_or_default().to_owned();
        let (name, agent_identifier) = (part.name.to_string(), id.clone());
        UpscopeAgent { _type: "external_agent", id, name, agent_identifier }
    });
    UpscopeSession {
        _type: "session",
        id: id.to_string(),
        length_seconds: seconds,
        formatted_length: duration(seconds),
        started_at: summary.created.to_rfc3339(),
        ended_at: summary.ended.to_rfc3339(),
        went_live: summary.activated.is_some(),
        visitor_id: summary.visitorid.to_string(),
        agents: agents.collect(),
        metadata: summary.metadata.clone(),
    }
}

fn duration(seconds: u64) -> String {
    let (hours, minutes, seconds) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        return format!("{hours}:{minutes:02}:{seconds:02}");
    }
    format!("{minutes}:{seconds:02}")
}

/// What a link's holder may do. Remote control is one thing here, so whoever forbids a part of it forbids it.
#[must_use]
pub fn permissions(body: PermissionsBody) -> Permissions {
    let allowed = |permission: Option<bool>| permission.unwrap_or(true);
    let PermissionsBody { allow_draw, allow_click, allow_scroll, allow_type } = body;
    Permissions {
        point: true,
        draw: allowed(allow_draw),
        control: allowed(allow_click) && allowed(allow_scroll) && allowed(allow_type),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(data: Value) -> VisitorView {
        VisitorView::example("~0123456789abcdef0123456789abcdef", data)
    }

    #[test]
    fn a_visitor_reads_as_documented() {
        let said = serde_json::json!({
            "uniqueId": "7", "identities": r#"["Ada","ada@example.com"]"#, "tags": r##"["#VIP"]"##, "integrationIds": "crm:42",
            "url": "https://shop.example/cart", "browser": "Chrome", "platform": "Android",
        });
        let visitor = serde_json::to_value(visitor(&view(said), true)).unwrap();
        for (field, expected) in [
            ("short_id", "~0123456789abcdef0123456789abcdef".into()),
            ("unique_id", "7".into()),
            ("identities", vec!["Ada", "ada@example.com"].into()),
            ("tags", vec!["#VIP"].into()),
            ("email", "ada@example.com".into()),
            ("integration", vec!["crm:42"].into()),
            ("is_online", true.into()),
            ("is_in_session", true.into()),
            ("added_at", "2020-03-11T19:08:22.049Z".into()),
            ("last_url", "https://shop.example/cart".into()),
            ("browser_name", "Chrome".into()),
            ("device_type", "mobile".into()),
            ("ip_address", Value::Null),
            ("lookup_code", Value::Null),
            ("api_key", "12345".into()),
        ] {
            assert_eq!(visitor[field], expected, "{field}");
        }
        assert!(visitor.get("sessions").is_none());
    }

    #[test]
    fn a_page_that_says_nothing_or_nonsense_is_a_visitor_too() {
        let nameless = visitor(&view(serde_json::json!({"identities": "{", "tags": 7})), false);
        assert_eq!(nameless.identities, Some(vec!["{".to_owned()]));
        assert_eq!(nameless.tags, ["7"]);
        assert_eq!((nameless.unique_id, nameless.email, nameless.device_type), (None, None, None));
    }

    #[test]
    fn permissions_never_widen() {
        let all = PermissionsBody::default();
        assert_eq!(permissions(all), Permissions::ALL);
        let no = Some(false);
        assert!(!permissions(PermissionsBody { allow_draw: no, ..all }).draw);
        for part in [
            PermissionsBody { allow_click: no, ..all },
            PermissionsBody { allow_scroll: no, ..all },
            PermissionsBody { allow_type: no, ..all },
        ] {
            assert!(!permissions(part).control);
        }
    }

    #[test]
    fn durations_read_like_a_clock() {
        assert_eq!(duration(0), "0:00");
        assert_eq!(duration(62), "1:02");
        assert_eq!(duration(3_723), "1:02:03");
    }
}
