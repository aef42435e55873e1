//! The words of the interface.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::json::Json;

/// Who is meant: `groupid` and one of `visitorid` and `uniqueid`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct VisitorQuery {
    pub groupid: Option<String>,
    /// A synonym of `groupid` that the script's address uses.
    pub group: Option<String>,
    pub visitorid: Option<String>,
    pub uniqueid: Option<String>,
}

/// Where a visitor is to be reached: always this service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Location {
    pub ds: String,
    pub direct: String,
    pub directserver: String,
    pub tlsport: u16,
    pub httpsport: u16,
}

/// The answer of `/lookupvisitor`: presence data with the fixed fields over it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lookup {
    #[serde(flatten)]
    pub data: Map<String, Value>,
    pub visitorid: String,
    pub groupid: String,
    /// Unix seconds as text with one decimal: when he became connected.
    pub visitorpresent: String,
    /// Likewise: when he was last heard of.
    pub timestamp: String,
    #[serde(flatten)]
    pub location: Location,
}

/// The answer of `/findvisitor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Find {
    pub visitorfound: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// The body of `/signalvisitor`.
#[derive(Clone, Debug, Deserialize)]
pub struct Signal {
    /// `signal` or `invoke`; `type` is what the sockets of the original say.
    #[serde(alias = "type")]
    pub mtype: String,
    #[serde(default, deserialize_with = "Json::present")]
    pub data: Option<Json>,
}

/// The `data` of an invocation.
#[derive(Clone, Debug, Deserialize)]
pub struct Invocation {
    pub func: String,
    #[serde(default, deserialize_with = "Json::present")]
    pub args: Option<Json>,
}

/// Credentials for a token, by any of the spellings in use.
#[derive(Clone, Default, Deserialize)]
pub struct Credentials {
    #[serde(alias = "groupId", alias = "group")]
    pub groupid: Option<Value>,
    #[serde(alias = "userName")]
    pub username: Option<String>,
    pub password: Option<String>,
    #[serde(alias = "partnerId")]
    pub partnerid: Option<Value>,
    #[serde(alias = "partnerUserId")]
    pub partneruserid: Option<String>,
    #[serde(alias = "loginKey")]
    pub loginkey: Option<String>,
    pub service: Option<String>,
    pub duration: Option<Value>,
}

/// The query of `/authorization`.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct AuthorizationQuery {
    pub service: Option<String>,
    pub duration: Option<String>,
    pub groupid: Option<String>,
    pub group: Option<String>,
    #[serde(default, rename = "site")]
    pub _site: Option<String>,
}

/// A token, in all the fields that callers may read. Those that belong to other products stay `null`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    pub auth_token: String,
    /// The original's spelling.
    #[serde(rename = "authTokeExp")]
    pub auth_toke_exp: String,
    /// The same, spelt right.
    pub auth_token_exp: String,
    pub group_id: Value,
    pub gssn_id: Option<String>,
    pub privilege_string: String,
    pub service: u8,
    pub is_trial: bool,
    pub message: Option<String>,
    pub plan_timeout: Option<u32>,
    pub plan_title: Option<String>,
    #[serde(rename = "VServer")]
    pub v_server: Option<String>,
    pub application_settings: Option<String>,
    pub colo_select_url: Option<String>,
    pub glance_address: Option<String>,
}

/// An error answer: `authorization`, `visitornotpresent`, or one of our codes.
#[derive(Clone, Debug, Serialize)]
pub struct Failure {
    pub error: &'static str,
    pub detail: String,
}
