//! Text that must never reach a log.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// A secret text: wiped from memory when dropped, not serializable, and silent in `Debug`.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// A fresh secret of 256 random bits, as 64 hexadecimal digits.
    #[must_use]
    pub fn generate() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self::from(bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
            use fmt::Write as _;
            let _ = write!(text, "{byte:02x}");
            text
        }))
    }

    /// The text itself; say at the call why it may leave its shell.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The bytes of the text; see [`Secret::expose`].
    #[must_use]
    pub fn expose_bytes(&self) -> &[u8] {
        self.expose().as_bytes()
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.expose().len()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_is_silent() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "…");
    }

    #[test]
    fn generated_secrets_differ_and_are_long() {
        let (one, other) = (Secret::generate(), Secret::generate());
        assert_eq!(one.len(), 64);
        assert_ne!(one.expose(), other.expose());
    }
}
