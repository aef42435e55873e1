//! The words of the interface (`upscope.md` 4 and 5). What is always `null` here is not known to this service.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::model::watch::{Branding, Metadata};

/// An error answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpscopeError {
    /// `error`.
    pub status: &'static str,
    /// The word that programs compare.
    pub error: &'static str,
    /// Which field broke which rule; ours.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub message: Option<String>,
}

/// Nothing went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct Done {
    /// `ok`.
    pub status: &'static str,
}

/// Which visitors.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Words that all must fit; see `docs/compatibility.md`. Everybody when missing.
    #[param(max_length = 256)]
    pub search: Option<String>,
    /// The same under the name of the on-premise edition; counts where `search` is missing.
    #[param(max_length = 256)]
    pub q: Option<String>,
    /// At most so many, and never more than 200; 50 when missing.
    #[param(minimum = 1)]
    pub max_results: Option<usize>,
}

/// Which visitors to forget.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ForgetQuery {
    /// Must be true.
    pub all: Option<bool>,
}

/// Visitors.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpscopeVisitors {
    /// `ok`.
    pub status: &'static str,
    /// The latest first.
    pub visitors: Vec<UpscopeVisitor>,
}

/// One visitor.
#[derive(Debug, Serialize, ToSchema)]
pub struct UpscopeVisitorAnswer {
    /// `ok`.
    pub status: &'static str,
    /// The visitor.
    pub visitor: UpscopeVisitor,
}

/// A visitor who is there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct UpscopeVisitor {
    /// `visitor`.
    pub _type: &'static str,
    /// His visitor id.
    pub short_id: String,
    /// What the site calls him.
    #[schema(required = true)]
    pub unique_id: Option<String>,
    /// By what else he is known.
    #[schema(required = true)]
    pub identities: Option<Vec<String>>,
    /// His tags.
    pub tags: Vec<String>,
    /// The first of his names that is an e-mail address.
    #[schema(required = true)]
    pub email: Option<String>,
    /// The living code that leads to him.
    #[schema(required = true)]
    pub lookup_code: Option<String>,
    /// Whether he is there.
    pub is_online: bool,
    /// Whether a session of his runs.
    pub is_in_session: bool,
    /// Always true.
    pub is_supported: bool,
    /// Always false.
    pub is_waiting_for_call: bool,
    /// When he came.
    pub added_at: String,
    /// The same, in the words of the first version.
    pub first_seen_at: String,
    /// When he was last heard of.
    pub last_seen_at: String,
    /// The page that he is on.
    #[schema(required = true)]
    pub last_url: Option<String>,
    /// The network address that he comes from; `null` unless the group has `addresses = true`.
    #[schema(required = true)]
    pub ip_address: Option<String>,
    /// Always `null`.
    #[schema(required = true)]
    pub location_city: Option<String>,
    /// Always `null`.
    #[schema(required = true)]
    pub location_country: Option<String>,
    /// Always `null`.
    #[schema(required = true)]
    pub location_country_name: Option<String>,
    /// His browser.
    #[schema(required = true)]
    pub browser_name: Option<String>,
    /// What it runs on.
    #[schema(required = true)]
    pub device_name: Option<String>,
    /// `desktop`, `mobile` or `tablet`.
    #[schema(required = true)]
    pub device_type: Option<&'static str>,
    /// The names and ids of other systems that know him.
    #[schema(required = true)]
    pub integration: Option<Vec<String>>,
    /// Always `null`.
    #[schema(required = true)]
    pub call_name: Option<String>,
    /// Always `null`: what a page is configured with stays there.
    #[schema(required = true, value_type = Option<Value>)]
    pub js_configuration: Option<Value>,
    /// The group's id, which pages are configured with.
    pub api_key: String,
    /// His past sessions, the newest first; where one visitor is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sessions: Option<Vec<UpscopeSession>>,
}

/// A session that is over.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct UpscopeSession {
    /// `session`.
    pub _type: &'static str,
    /// Which.
    pub id: String,
    /// How long it was, from its first to its last moment.
    pub length_seconds: u64,
    /// The same as `1:02:03`.
    pub formatted_length: String,
    /// When it was made.
    pub started_at: String,
    /// When it ended.
    pub ended_at: String,
    /// Whether the visitor and an agent were there.
    pub went_live: bool,
    /// Whose it was.
    pub visitor_id: String,
    /// Who viewed.
    pub agents: Vec<UpscopeAgent>,
    /// What the link carried.
    pub metadata: Metadata,
}

/// Somebody who viewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UpscopeAgent {
    /// `external_agent`.
    pub _type: &'static str,
    /// His id in the back end that made his link.
    pub id: String,
    /// His name.
    pub name: String,
    /// The same as `id`.
    pub agent_identifier: String,
}

/// A link to be made. Fields that are not listed are passed over.
#[derive(Debug, Deserialize, ToSchema)]
pub struct WatchUrlBody {
    /// For whom.
    pub agent: AgentBody,
    /// How the page looks, and where it leads.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = false)]
    pub branding: Branding,
    /// Kept with the session.
    #[serde(default)]
    #[schema(required = false, value_type = Metadata)]
    pub metadata: Value,
    /// What the agent may do. Narrows what the page and the group allow, and never widens it.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(required = false)]
    pub permissions: PermissionsBody,
    /// The origin of the page in whose frame it is to stand: ours.
    pub parent_origin: Option<String>,
}

/// An agent, in the words of the back end.
#[derive(Debug, Deserialize, ToSchema)]
pub struct AgentBody {
    /// His id there.
    #[serde(deserialize_with = "text_or_number")]
    #[schema(min_length = 1, max_length = 255)]
    pub id: String,
    /// What the visitor reads.
    #[schema(max_length = 255)]
    pub name: String,
}

/// What an agent may do, each where it is not false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(default)]
pub struct PermissionsBody {
    /// Draw on the page.
    #[schema(nullable = false)]
    pub allow_draw: Option<bool>,
    /// Click; remote control needs all three.
    #[schema(nullable = false)]
    pub allow_click: Option<bool>,
    /// Scroll.
    #[schema(nullable = false)]
    pub allow_scroll: Option<bool>,
    /// Type.
    #[schema(nullable = false)]
    pub allow_type: Option<bool>,
}

/// A link, good for one tab that opens it within five minutes.
#[derive(Debug, Serialize, ToSchema)]
pub struct WatchUrl {
    /// `ok`.
    pub status: &'static str,
    /// The page that shows the visitor's page.
    pub watch_url: String,
}

/// A part of a body that may be `null`.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(text),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(serde::de::Error::custom("must be a string")),
    }
}
