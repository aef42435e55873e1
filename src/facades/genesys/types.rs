//! The words of the interface, as `genesys.md` 3 and 4 have them.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use utoipa::ToSchema;

use crate::model::{
    cobrowse::{MemberView, Role, UserId},
    ids::SessionId,
};

/// Digits of a session token.
pub(super) const DIGITS: u8 = 9;

/// `data` of a join.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Join {
    /// Leads to the session.
    pub(super) session_token: String,
    /// What he comes as.
    #[serde(deserialize_with = "number")]
    pub(super) role: u64,
    /// What he is called.
    #[serde(default)]
    pub(super) name: Option<String>,
}

/// `data` of an exit or a stop.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ByUser {
    /// Whose.
    pub(super) user_token: String,
}

/// Numbers that are written as text in some places.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(String),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => Ok(number),
        Either::Text(text) => text.parse().map_err(D::Error::custom),
    }
}

/// The answer to a create.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created<'a> {
    pub(super) session_token: &'a str,
}

/// The answer to a join.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Joined<'a> {
    pub(super) user_token: &'a str,
    /// A number here, a text everywhere else.
    pub(super) user_id: UserId,
    pub(super) users: Vec<User>,
    pub(super) session_history_id: String,
}

/// Somebody in a session.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    user_id: String,
    role: u8,
    name: String,
}

impl From<&MemberView> for User {
    fn from(member: &MemberView) -> Self {
        Self {
            user_id: member.user.0.to_string(),
            role: role(member.role),
            name: member.name.to_string(),
        }
    }
}

/// The number of a role.
pub(super) const fn role(role: Role) -> u8 {
    match role {
        Role::Customer => 1,
        Role::Agent => 2,
        Role::Controller => 3,
    }
}

/// It became active.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Activated {
    pub(super) activation_time: u64,
}

/// When a session became active, and when it ended, in Unix milliseconds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deactivated {
    /// `null` when it never became active.
    #[schema(required = true)]
    pub(super) activation_time: Option<u64>,
    /// When it ended.
    pub(super) deactivation_time: u64,
}

/// What everybody may know of a session.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Found {
    /// Leads to the session.
    pub(super) session_token: String,
    /// The node that has it.
    pub(super) session_server_name: String,
    /// Where that node is reached; missing where `server.public_url` is not set.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) session_server_url: Option<String>,
}

/// A session in the history. Times in Unix milliseconds.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Past {
    /// Names it for ever.
    pub(super) id: String,
    /// What led to it.
    #[schema(required = true)]
    pub(super) session_token: Option<String>,
    /// When it was made.
    pub(super) creation_time: u64,
    /// When it became active.
    #[schema(required = true)]
    pub(super) activation_time: Option<u64>,
    /// When it ended; `null` while it runs.
    #[schema(required = true)]
    pub(super) deactivation_time: Option<u64>,
    /// The pages that were shown.
    pub(super) pages: Vec<PastPage>,
}

/// A page in the history.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PastPage {
    /// Its address.
    pub(super) url: String,
    /// When the customer came there, in Unix milliseconds.
    pub(super) entered_timestamp: u64,
    /// How long he stayed, in seconds.
    pub(super) duration: u64,
}

/// What is wrong.
#[derive(Serialize, ToSchema)]
pub(super) struct GenesysError {
    /// In words.
    pub(super) error: &'static str,
}

/// A session's name for the history: in the form of a UUID, which it is.
pub(super) fn history_id(session: SessionId) -> String {
    let text = session.to_string();
    let parts =
        [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| text.get(part).unwrap_or_default());
    parts.join("-")
}

/// The session that such a name means.
pub(super) fn session_of(history_id: &str) -> Option<SessionId> {
    history_id.replace('-', "").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_id_reads_as_it_is_written() {
        let session = SessionId::from_u128(0x83d0_3970_c959_11e2_857d_082e_5f12_b9a1);
        assert_eq!(history_id(session), "83d03970-c959-11e2-857d-082e5f12b9a1");
        assert_eq!(session_of(&history_id(session)), Some(session));
        assert_eq!(session_of("x"), None);
    }

    #[test]
    fn a_role_is_a_number_or_its_text() {
        for role in ["2", "\"2\""] {
            let text = format!(r#"{{"sessionToken":"123456789","role":{role}}}"#);
            assert_eq!(serde_json::from_str::<Join>(&text).unwrap().role, 2);
        }
    }
}
