//! The API keys of a group.

use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use super::Secret;

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
    fn debug_shows_a_count_only() {
        let secret = Secret::from("planted-secret");
        assert_eq!(format!("{:?}", ApiKeys::new(std::iter::once(&secret))), "ApiKeys(1)");
    }
}
