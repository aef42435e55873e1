//! The keys that sign and verify tokens, and the API keys of a group.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::{AuthError, Secret};

/// The keys of the token service: one signs, all verify.
///
/// Each key brings its algorithm along. A token only names a key (`kid`), never an algorithm, so that nobody can
/// have a public key taken for an HMAC secret.
pub struct KeyRing {
    pub(super) current: SigningKey,
    verifying: Vec<VerifyingKey>,
}

pub(super) struct SigningKey {
    pub(super) id: String,
    pub(super) algorithm: Algorithm,
    pub(super) key: EncodingKey,
}

pub(super) struct VerifyingKey {
    id: String,
    pub(super) key: DecodingKey,
    pub(super) validation: Validation,
}

impl KeyRing {
    /// A ring of HS256 secrets: `current` signs; tokens under one of `previous` are still believed.
    #[must_use]
    pub fn hs256(current: &Secret, previous: &[Secret]) -> Self {
        let signing = SigningKey {
            id: key_id(current),
            algorithm: Algorithm::HS256,
            key: EncodingKey::from_secret(current.expose_bytes()),
        };
        let verifying = std::iter::once(current)
            .chain(previous)
            .map(|secret| {
                let key = DecodingKey::from_secret(secret.expose_bytes());
                VerifyingKey::new(key_id(secret), Algorithm::HS256, key)
            })
            .collect();
        Self { current: signing, verifying }
    }

    /// The keys that may have signed a token: the named one, or any where the token names none, as tokens made
    /// by a customer's own server often do.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
    ) -> Result<impl Iterator<Item = &VerifyingKey>, AuthError> {
        let mut found =
            self.verifying.iter().filter(move |key| id.is_none_or(|id| key.id == id)).peekable();
        found.peek().ok_or(AuthError::UnknownKey)?;
        Ok(found)
    }
}

impl std::fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.verifying.iter().map(|key| &key.id)).finish()
    }
}

impl VerifyingKey {
    fn new(id: String, algorithm: Algorithm, key: DecodingKey) -> Self {
        let mut validation = Validation::new(algorithm);
        // The library reads the system clock and leaves a minute's leeway; claims are checked by us, under the
        // caller's clock.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { id, key, validation }
    }
}

/// A key's public name: 12 characters of a hash, which tell nothing that a signed token does not.
fn key_id(secret: &Secret) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let hash = Sha256::new().chain_update("vestibule kid").chain_update(secret.expose_bytes());
    URL_SAFE_NO_PAD.encode(hash.finalize()).chars().take(12).collect()
}

/// The API keys of one group. Only hashes are kept, so that a comparison's time tells neither content nor length.
#[derive(Clone, Default)]
pub struct ApiKeys(Vec<[u8; 32]>);

impl ApiKeys {
    /// The keys as a set.
    #[must_use]
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a Secret>) -> Self {
        Self(keys.into_iter().map(|key| Sha256::digest(key.expose_bytes()).into()).collect())
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the group has no API key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `presented` is one of the keys; takes the same time whichever it is.
    #[must_use]
    pub fn accept(&self, presented: &str) -> bool {
        let presented: [u8; 32] = Sha256::digest(presented.as_bytes()).into();
        self.0.iter().fold(Choice::from(0), |found, key| found | key.ct_eq(&presented)).into()
    }
}

impl std::fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ApiKeys({})", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_of_the_keys_opens_and_nothing_else() {
        let keys = ApiKeys::new(&[Secret::from("first-key-of-ours"), Secret::from("second-key")]);
        assert!(keys.accept("first-key-of-ours") && keys.accept("second-key"));
        for wrong in ["", "first-key-of-our", "first-key-of-ours ", "third"] {
            assert!(!keys.accept(wrong), "{wrong}");
        }
        assert!(!ApiKeys::default().accept(""));
    }

    #[test]
    fn debug_shows_names_and_counts_only() {
        let secret = Secret::from("planted-secret-planted-secret-42");
        let shown = format!(
            "{:?} {:?}",
            KeyRing::hs256(&secret, &[]),
            ApiKeys::new(std::iter::once(&secret))
        );
        assert!(!shown.contains("planted"), "{shown}");
    }
}
