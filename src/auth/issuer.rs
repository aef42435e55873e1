//! Outside issuers: who else may make tokens, for which groups, and when his keys are asked for again.

/// When an address is asked.
mod schedule;

use std::{path::PathBuf, sync::Arc};

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use self::schedule::Schedule;
use super::{Agent, AuthError, Claims, Key, KeyPrint, KeySet, OutsideAddress, Scope};
use crate::{clock::Timestamp, model::ids::GroupId};

/// Where an issuer's JWKS document is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwksSource {
    /// In a file.
    File(PathBuf),
    /// At an address.
    Address(OutsideAddress),
}

/// What the settings say of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerRules {
    /// His name: the `iss` of his tokens.
    pub name: Arc<str>,
    /// What he calls us: an `aud` of his tokens.
    pub audience: String,
    /// Where his keys are.
    pub source: JwksSource,
    /// The groups that his tokens may be for; never all.
    pub groups: Vec<GroupId>,
    /// What his tokens may allow at most.
    pub scopes: Scope,
    /// The claim that holds the group. Where it is missing and there is only one group, that one is meant.
    pub group_claim: String,
    /// The claim that holds the scope.
    pub scope_claim: String,
    /// How often an address is asked, in ms.
    pub refresh_ms: u64,
    /// How soon it may be asked again, in ms: for a key that is not known yet, or after a failure.
    pub refetch_ms: u64,
}

/// An outside issuer, with the keys that he is known to have.
#[derive(Debug)]
pub struct Issuer {
    /// What the settings say.
    pub rules: IssuerRules,
    keys: ArcSwap<KeySet>,
    schedule: Mutex<Schedule>,
}

impl Issuer {
    /// An issuer with these keys; from an address none are known at first.
    #[must_use]
    pub fn new(rules: IssuerRules, keys: KeySet) -> Self {
        let schedule = Mutex::new(Schedule::new(rules.refresh_ms, rules.refetch_ms));
        Self { rules, keys: ArcSwap::from_pointee(keys), schedule }
    }

    /// Takes over what `former` had got from the same address, so that reading the settings again forgets no keys.
    pub(super) fn follow(&mut self, former: &Issuer) {
        let is_address = matches!(self.rules.source, JwksSource::Address(_));
        if is_address && self.rules.source == former.rules.source {
            self.keys.store(former.keys.load_full());
        }
    }

    /// A question to put to him now, if one is due.
    pub fn ask(self: &Arc<Self>, now: Timestamp) -> Option<Question> {
        match &self.rules.source {
            JwksSource::Address(address) if self.schedule.lock().begin(now) => {
                let (issuer, address) = (Arc::clone(self), address.clone());
                Some(Question { issuer, address, began: now, is_open: true })
            }
            _ => None,
        }
    }

    /// Takes new keys; whether one of the former is gone.
    fn take(&self, keys: KeySet) -> bool {
        let former = self.keys.swap(Arc::new(keys));
        let stays = |key: &Key| self.keys.load().has(key.print());
        !former.iter().all(stays)
    }

    /// Whether what he said of a bearer is still believed.
    pub(super) fn vouches_for(&self, agent: &Agent) -> bool {
        self.rules.groups.contains(&agent.group)
            && self.rules.scopes.contains(agent.scope)
            && self.keys.load().has(agent.voucher.key)
    }

    /// How many keys are known.
    #[must_use]
    pub fn known_keys(&self) -> usize {
        self.keys.load().iter().count()
    }

    /// The claims of a token of his, in our words.
    pub(super) fn read(
        &self,
        token: &str,
        id: Option<&str>,
        now: Timestamp,
    ) -> Result<(Claims, KeyPrint), AuthError> {
        let keys = self.keys.load();
        let key = match id {
            Some(id) => keys.get(id),
            None => keys.only(),
        };
        let Some(key) = key else { return Err(self.unknown_key(id.unwrap_or_default(), now)) };
        Ok((self.translate(key, token)?, key.print()))
    }

    /// A key that is not known: the issuer may have made it since, so he is asked, but not too often. Only what he does
    /// not have when he is asked is refused for good.
    fn unknown_key(&self, id: &str, now: Timestamp) -> AuthError {
        let can_ask = matches!(self.rules.source, JwksSource::Address(_));
        if can_ask && self.schedule.lock().want(id, now) {
            AuthError::KeyPending
        } else {
            AuthError::UnknownKey
        }
    }

    fn translate(&self, key: &Key, token: &str) -> Result<Claims, AuthError> {
        let mut claims: Map<String, Value> = key.read(token)?;
        let rules = &self.rules;
        let group = match (claims.remove(&rules.group_claim), rules.groups.as_slice()) {
            (Some(group), _) => group,
            (None, [only]) => Value::from(only.as_str()),
            (None, _) => return Err(AuthError::Malformed),
        };
        let scope = claims.remove(&rules.scope_claim).ok_or(AuthError::Malformed)?;
        claims.insert("group".to_owned(), group);
        claims.insert("scope".to_owned(), scope);
        // A token without a name can be revoked by the hash of what was signed; a signature can have several forms.
        claims.entry("jti").or_insert_with(|| {
            let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
            Value::from(URL_SAFE_NO_PAD.encode(Sha256::digest(signed)))
        });
        let mut claims: Claims =
            serde_json::from_value(Value::Object(claims)).map_err(|_| AuthError::Malformed)?;
        if !rules.groups.contains(&claims.group) {
            return Err(AuthError::WrongGroup);
        }
        claims.scope = claims.scope & rules.scopes;
        Ok(claims)
    }
}

/// A question that is under way. Dropped without an answer, as by a panic, it has failed.
#[derive(Debug)]
pub struct Question {
    /// Who is asked.
    pub issuer: Arc<Issuer>,
    /// Where.
    pub address: OutsideAddress,
    began: Timestamp,
    is_open: bool,
}

impl Question {
    /// What came of it, and whether a key is gone since. Without a good answer the last good keys stay.
    pub(super) fn answered(mut self, keys: Option<KeySet>, now: Timestamp) -> bool {
        self.is_open = false;
        let is_good = keys.is_some();
        let is_gone = keys.is_some_and(|keys| self.issuer.take(keys));
        self.issuer.schedule.lock().end(is_good, self.began, now);
        is_gone
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        if self.is_open {
            self.issuer.schedule.lock().end(false, self.began, self.began);
        }
    }
}

#[cfg(test)]
#[path = "issuer_tests.rs"]
mod tests;
