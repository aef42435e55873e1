//! Sets of keys: those of this server, of which one signs, and those that an outside issuer publishes.

use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use serde::Serialize;

use super::{
    Agent, AuthError, Key, KeyAlgorithm, KeyPrint, Secret,
    key::{InvalidKey, LONGEST_ID},
};
use crate::model::json::sentence;

/// Most keys in one set.
pub const MAX_KEYS: usize = 32;
/// The longest JWKS document, in bytes.
pub const MAX_JWKS_BYTES: usize = 256 * 1024;

/// Keys of one issuer, each with a name of its own.
#[derive(Clone, Debug, Default)]
pub struct KeySet(Vec<Key>);

/// Why keys make no set.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKeySet {
    /// Two keys with one name: a token could mean either.
    #[error("two keys have the kid {0}")]
    Duplicate(String),
    /// More than [`MAX_KEYS`].
    #[error("there are more than {MAX_KEYS} keys")]
    TooMany,
    /// A document that is too long, not JSON, or not of the form of RFC 7517, section 5.
    #[error("not a JWKS document: {0}")]
    Form(String),
    /// A document of which no key can be used here.
    #[error("no key of it can be used: RS256 of 2048 bits or more, ES256 or EdDSA, with a kid")]
    Empty,
}

impl KeySet {
    /// These keys.
    ///
    /// # Errors
    /// [`InvalidKeySet::Duplicate`], [`InvalidKeySet::TooMany`].
    pub fn new(keys: Vec<Key>) -> Result<Self, InvalidKeySet> {
        if keys.len() > MAX_KEYS {
            return Err(InvalidKeySet::TooMany);
        }
        let twice = keys
            .iter()
            .enumerate()
            .find(|(place, key)| keys.iter().skip(place + 1).any(|other| other.id() == key.id()));
        match twice {
            Some((_, key)) => Err(InvalidKeySet::Duplicate(key.id().to_owned())),
            None => Ok(Self(keys)),
        }
    }

    /// The usable keys of a JWKS document (RFC 7517, section 5), and the names of those that are for signing but are
    /// left out, at most 128 characters of each, with the reason. Keys of other kinds, for other algorithms or for encryption say nothing to us and are
    /// passed over; a secret (`oct`) is never taken from a document. A key without a `kid` counts only where it is alone,
    /// for tokens that name none.
    ///
    /// # Errors
    /// The document has no usable key, or is not to be trusted at all.
    pub fn parse(document: &[u8]) -> Result<(Self, Vec<(String, InvalidKey)>), InvalidKeySet> {
        #[derive(serde::Deserialize)]
        struct Document {
            keys: Vec<serde_json::Value>,
        }
        if document.len() > MAX_JWKS_BYTES {
            return Err(InvalidKeySet::Form(format!("it has more than {MAX_JWKS_BYTES} bytes")));
        }
        let document: Document = serde_json::from_slice(document)
            .map_err(|error| InvalidKeySet::Form(sentence(&error)))?;
        if document.keys.len() > MAX_KEYS {
            return Err(InvalidKeySet::TooMany);
        }
        let is_alone = document.keys.len() == 1;
        let (mut keys, mut left_out) = (Vec::new(), Vec::new());
        // A key of a kind that the library does not know must not take the others with it.
        let known =
            document.keys.into_iter().filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        for jwk in known.filter(is_for_signing) {
            let Some(algorithm) = KeyAlgorithm::of_jwk(&jwk) else { continue };
            let id = match &jwk.common.key_id {
                Some(id) => id.clone(),
                None if is_alone => "the-only-one".to_owned(),
                None => continue,
            };
            match Key::jwk(id.clone(), algorithm, &jwk) {
                Ok(key) => keys.push(key),
                Err(invalid) => left_out.push((id.chars().take(LONGEST_ID).collect(), invalid)),
            }
        }
        if keys.is_empty() {
            return Err(InvalidKeySet::Empty);
        }
        Ok((Self::new(keys)?, left_out))
    }

    /// The key with this name.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Key> {
        self.0.iter().find(|key| key.id() == id)
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.0.iter()
    }

    /// Whether this very key is among them.
    #[must_use]
    pub fn has(&self, print: KeyPrint) -> bool {
        self.0.iter().any(|key| key.print() == print)
    }

    /// The key, where there is only one: it need not be named.
    pub(super) fn only(&self) -> Option<&Key> {
        match self.0.as_slice() {
            [only] => Some(only),
            _ => None,
        }
    }
}

fn is_for_signing(jwk: &Jwk) -> bool {
    matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature))
}

/// The keys of this server: one signs, all verify.
#[derive(Clone)]
pub struct KeyRing {
    keys: KeySet,
    signing: String,
}

/// The public halves of this server's keys, in the form of RFC 7517, section 5.
#[derive(Debug, Serialize)]
pub struct PublicKeys {
    keys: Vec<Jwk>,
}

impl KeyRing {
    /// A ring in which the key named `signing` signs. `None` when there is no such key, or it has no secret half.
    #[must_use]
    pub fn new(keys: KeySet, signing: &str) -> Option<Self> {
        keys.get(signing).filter(|key| key.can_sign())?;
        Some(Self { keys, signing: signing.to_owned() })
    }

    /// A ring of HS256 secrets: `current` signs; tokens under one of `previous` are still believed.
    ///
    /// # Errors
    /// A secret is too short, or stands there twice.
    pub fn hs256(current: &Secret, previous: &[Secret]) -> Result<Self, InvalidKey> {
        let keys = std::iter::once(current).chain(previous).map(Key::unnamed_secret);
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let signing = keys.first().map(|key| key.id().to_owned()).unwrap_or_default();
        let keys = KeySet::new(keys).map_err(|_| InvalidKey::Id)?;
        Ok(Self { keys, signing })
    }

    /// Whether what one of the keys said of a bearer is still believed.
    pub(super) fn vouches_for(&self, agent: &Agent) -> bool {
        let of_his = |key: &&Key| key.print() == agent.voucher.key;
        self.keys.iter().filter(of_his).any(|key| key.is_believed_for(&agent.group))
    }

    /// The key that signs.
    pub(super) fn signing(&self) -> Option<&Key> {
        self.keys.get(&self.signing)
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// The keys that may have signed a token: the named one. Where the token names none, as tokens made by a customer's
    /// own server often do, each of the secrets: they are cheap to try.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
    ) -> Result<impl Iterator<Item = &Key>, AuthError> {
        let may = move |key: &&Key| match id {
            Some(id) => key.id() == id,
            None => key.algorithm() == KeyAlgorithm::Hs256,
        };
        let mut found = self.keys.iter().filter(may).peekable();
        found.peek().ok_or(AuthError::UnknownKey)?;
        Ok(found)
    }

    /// What others need to verify our tokens; of secrets, nothing.
    #[must_use]
    pub fn public(&self) -> PublicKeys {
        PublicKeys { keys: self.keys.iter().filter_map(Key::public_half).cloned().collect() }
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.keys.iter()).finish()
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
