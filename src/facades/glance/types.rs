//! The words of the interface.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::model::{
    ids::{Code, GroupId, SignalId, VisitorId},
    json::Json,
    signal::Outcome,
};

/// Who is meant: `groupid` and one of `visitorid` and `uniqueid`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct VisitorQuery {
    /// The group; the token's when missing.
    #[param(value_type = Option<GroupId>)]
    pub groupid: Option<String>,
    /// A synonym of `groupid` that the script's address uses.
    #[param(value_type = Option<GroupId>)]
    pub group: Option<String>,
    /// The visitor by his id; this or `uniqueid`.
    #[param(value_type = Option<VisitorId>)]
    pub visitorid: Option<String>,
    /// The visitor by the code that he read out.
    #[param(value_type = Option<Code>)]
    pub uniqueid: Option<String>,
}

/// Where a visitor is to be reached: always this service. Missing where nobody is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Location {
    /// Host and instance.
    #[schema(required = false)]
    pub ds: String,
    /// Host and port.
    #[schema(required = false)]
    pub direct: String,
    /// Host.
    #[schema(required = false)]
    pub directserver: String,
    /// Always that of `httpsport`.
    #[schema(required = false)]
    pub tlsport: u16,
    /// The port.
    #[schema(required = false)]
    pub httpsport: u16,
}

/// The answer of `/lookupvisitor`: presence data with the fixed fields over it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Lookup {
    /// The merged presence data: strings and numbers.
    #[serde(flatten)]
    #[schema(value_type = HashMap<String, Value>)]
    pub data: Map<String, Value>,
    /// The visitor.
    #[schema(required = false)]
    pub visitorid: String,
    /// The group.
    #[schema(required = false)]
    pub groupid: String,
    /// Unix seconds as text with one decimal: when he became connected.
    #[schema(required = false)]
    pub visitorpresent: String,
    /// Likewise: when he was last heard of.
    #[schema(required = false)]
    pub timestamp: String,
    #[serde(flatten)]
    pub location: Location,
}

/// The answer of `/findvisitor`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Find {
    /// Whether he is there; without him, nothing else is here.
    pub visitorfound: bool,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

/// The body of `/signalvisitor`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[schema(as = GlanceSignal)]
pub struct Signal {
    /// `signal` or `invoke`; `type` is what the sockets of the original say.
    #[serde(alias = "type")]
    #[schema(pattern = "^(signal|invoke)$", example = "invoke")]
    pub mtype: String,
    /// For `signal` any JSON; for `invoke` an object with `func` and `args`.
    #[serde(default, deserialize_with = "Json::present")]
    #[schema(value_type = Value, required = true)]
    pub data: Option<Json>,
}

/// The answer of `/signalvisitor`.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// The visitor.
    pub visitorid: VisitorId,
    /// The signal.
    pub id: SignalId,
    /// What became of it so far.
    pub outcome: Outcome,
}

/// The `data` of an invocation.
#[derive(Clone, Debug, Deserialize)]
pub struct Invocation {
    pub func: String,
    #[serde(default, deserialize_with = "Json::present")]
    pub args: Option<Json>,
}

/// Credentials for a token, by any of the spellings in use.
#[derive(Clone, Default, Deserialize, ToSchema)]
pub struct Credentials {
    /// The group, as number or text; also `groupId` and `group`.
    #[serde(alias = "groupId", alias = "group")]
    pub groupid: Option<Value>,
    /// The user, beside `password` or `loginkey`; also `userName`.
    #[serde(alias = "userName")]
    pub username: Option<String>,
    /// An API key of the group.
    pub password: Option<String>,
    /// The partner who made the login key, as number or text; also `partnerId`.
    #[serde(alias = "partnerId")]
    pub partnerid: Option<Value>,
    /// The partner's user; also `partnerUserId`.
    #[serde(alias = "partnerUserId")]
    pub partneruserid: Option<String>,
    /// A login key, `$1$expiry$signature`; also `loginKey`.
    #[serde(alias = "loginKey")]
    pub loginkey: Option<String>,
    /// `presence` or `webservices`; both mean the same here.
    #[schema(pattern = "^(presence|webservices)$")]
    pub service: Option<String>,
    /// The token's life in minutes, as number or text; brought into 1 to 120.
    pub duration: Option<Value>,
}

/// The query of `/authorization`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AuthorizationQuery {
    /// `presence` or `webservices`; both mean the same here.
    #[param(pattern = "^(presence|webservices)$")]
    pub service: Option<String>,
    /// The token's life in minutes; brought into 1 to 120.
    #[param(pattern = "^-?[0-9]{1,18}$")]
    pub duration: Option<String>,
    /// The group.
    #[param(value_type = Option<GroupId>)]
    pub groupid: Option<String>,
    /// A synonym of `groupid`.
    #[param(value_type = Option<GroupId>)]
    pub group: Option<String>,
    /// Read and not used.
    #[serde(default, rename = "site")]
    pub _site: Option<String>,
}

/// A token, in all the fields that callers may read. Those that belong to other products stay `null`.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Authorization {
    /// The token: a JWT.
    pub auth_token: String,
    /// The original's spelling.
    #[serde(rename = "authTokeExp")]
    pub auth_toke_exp: String,
    /// The same, spelt right.
    pub auth_token_exp: String,
    /// The group, as a number where it is one.
    pub group_id: Value,
    pub gssn_id: Option<String>,
    /// What the token allows.
    pub privilege_string: String,
    /// The presence service's number.
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
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Failure {
    /// The word that programs compare.
    pub error: &'static str,
    /// A sentence for people.
    pub detail: String,
}
