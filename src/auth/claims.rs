//! What a token says, and who is left once it has been believed.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::{KeyPrint, Scope};
use crate::{
    clock::Timestamp,
    model::{
        chat::Person,
        error::{ErrorCode, Problem},
        ids::GroupId,
        topic::Rights,
    },
};

/// The `iss` of every token of ours.
pub const ISSUER: &str = "vestibule";
/// The `aud` of every token of ours.
pub const AUDIENCE: &str = "vestibule";

/// The claims of a token (RFC 7519, section 4.1, and ours). Times are whole Unix seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who made the token: [`ISSUER`], or an outside issuer of the settings.
    pub iss: String,
    /// Who bears it: 1 to 255 characters, no control characters.
    pub sub: String,
    /// For whom it is: [`AUDIENCE`], or what the outside issuer calls us, alone or among others.
    pub aud: Audience,
    /// The one group that it is for; a number is read alike.
    #[serde(deserialize_with = "text_or_number")]
    pub group: GroupId,
    /// What its bearer may do.
    #[serde(deserialize_with = "Scope::deserialize_known")]
    pub scope: Scope,
    /// When it ends.
    pub exp: u64,
    /// When it was made.
    pub iat: u64,
    /// When it begins, if later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// The token's own name: 1 to 64 printable ASCII characters.
    pub jti: String,
    /// What people call the bearer: at most 255 characters, no control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Which topics he may publish to and subscribe to; none when missing. Needs the scope `topics` too.
    #[serde(default, skip_serializing_if = "Rights::is_empty")]
    pub topics: Rights,
}

/// One audience or several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// The usual form.
    One(String),
    /// The array form.
    Several(Vec<String>),
}

impl Audience {
    pub(super) fn includes(&self, audience: &str) -> bool {
        match self {
            Audience::One(one) => one == audience,
            Audience::Several(several) => several.iter().any(|one| one == audience),
        }
    }
}

pub(super) fn text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<GroupId, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Text(GroupId),
    }
    match Either::deserialize(deserializer)? {
        Either::Number(number) => number.to_string().parse().map_err(serde::de::Error::custom),
        Either::Text(group) => Ok(group),
    }
}

/// The bearer of a verified token. Only [`super::TokenService`] makes one outside tests, of a token that it verified or could
/// have issued; what is written is read only under a signature of this service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// The one group that he may touch.
    pub group: GroupId,
    /// Who he is to the group's systems.
    pub subject: Arc<str>,
    /// What people call him.
    pub name: Option<Arc<str>>,
    /// What he may do.
    pub scope: Scope,
    /// What he may do with topics, where his scope lets him.
    #[serde(default)]
    pub topics: Rights,
    /// The token's own name, by which it can be revoked.
    pub jti: Arc<str>,
    /// When the token was made.
    pub issued: Timestamp,
    /// When the token ends, on the wall clock; his sockets end then too.
    pub expires: Timestamp,
    /// On whose word he is believed.
    pub voucher: Voucher,
}

/// On whose word a bearer is believed: who signed his token, and with which key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Voucher {
    /// The outside issuer; `None` means this server or who shares its keys.
    pub issuer: Option<Arc<str>>,
    /// The key.
    pub key: KeyPrint,
}

impl Agent {
    /// Checks that he may do `needed`.
    ///
    /// # Errors
    /// [`ErrorCode::Scope`], naming what is needed.
    pub fn require(&self, needed: Scope) -> Result<(), Problem> {
        if self.scope.contains(needed) {
            return Ok(());
        }
        Err(Problem::new(ErrorCode::Scope, format!("this needs the scope {needed}")))
    }

    /// He, as other agents and visitors see him.
    #[must_use]
    pub fn person(&self) -> Person {
        Person { subject: self.subject.as_ref().into(), name: self.name.as_deref().map(Into::into) }
    }

    /// What he may do with topics: nothing without the scope.
    #[must_use]
    pub fn topic_rights(&self) -> Rights {
        if self.scope.contains(Scope::TOPICS) { self.topics.clone() } else { Rights::default() }
    }

    /// Checks that `group` is his.
    ///
    /// # Errors
    /// [`ErrorCode::Group`].
    pub fn require_group(&self, group: &GroupId) -> Result<(), Problem> {
        if self.group == *group {
            return Ok(());
        }
        Err(Problem::new(ErrorCode::Group, "the token is for another group"))
    }
}

impl Agent {
    /// The bearer of a token that says this and is vouched for.
    pub(super) fn new(claims: Claims, voucher: Voucher) -> Self {
        Self {
            group: claims.group,
            subject: claims.sub.into(),
            name: claims.name.map(Into::into),
            scope: claims.scope,
            topics: claims.topics,
            jti: claims.jti.into(),
            issued: Timestamp(claims.iat.saturating_mul(1_000)),
            expires: Timestamp(claims.exp.saturating_mul(1_000)),
            voucher,
        }
    }
}
