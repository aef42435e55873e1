//! Login keys: a partner's server vouches for one of its users for at most a day, without asking us first.
//!
//! `$1$<expiry>$<signature>`: the expiry in Unix seconds; the signature is HMAC-SHA256 under the partner's key of
//! partner id, user id, `1` and expiry joined without separators, in Base64URL without padding. Published samples
//! also write the standard alphabet, so both are read.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::{AuthError, Secret};
use crate::clock::Timestamp;

const PREFIX: &str = "$1$";
const SIGNATURE_LENGTH: usize = 43;
const LONGEST_LIFE_SECONDS: u64 = 24 * 60 * 60;
const LONGEST_USER: usize = 255;

/// A partner: a system that may make login keys for its users.
#[derive(Clone, Debug)]
pub struct Partner {
    /// Usually the group's id.
    pub id: String,
    /// Signs its login keys.
    pub key: Secret,
}

impl Partner {
    /// A login key for `user`, valid before `expires` (whole seconds; a fraction is cut off).
    ///
    /// # Errors
    /// [`AuthError::Malformed`] for an empty user id or one of more than 255 characters.
    pub fn login_key(&self, user: &str, expires: Timestamp) -> Result<String, AuthError> {
        let expiry = (expires.0 / 1_000).to_string();
        let signature = self.sign(user, &expiry)?;
        Ok(format!("{PREFIX}{expiry}${signature}"))
    }

    /// Checks that `login_key` was made for `user` and is in its time.
    ///
    /// # Errors
    /// [`AuthError::Malformed`], [`AuthError::BadSignature`], [`AuthError::Expired`], or
    /// [`AuthError::LivesTooLong`] when it ends more than a day ahead.
    pub fn verify(&self, user: &str, login_key: &str, now: Timestamp) -> Result<(), AuthError> {
        let (expiry, signature) = login_key
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split_once('$'))
            .ok_or(AuthError::Malformed)?;
        let digits = (1..=12).contains(&expiry.len()) && expiry.bytes().all(|b| b.is_ascii_digit());
        if !digits || expiry.starts_with('0') || signature.len() != SIGNATURE_LENGTH {
            return Err(AuthError::Malformed);
        }
        let ends: u64 = expiry.parse().map_err(|_| AuthError::Malformed)?;
        let given = signature.replace('+', "-").replace('/', "_");
        let expected = self.sign(user, expiry)?;
        if !bool::from(expected.as_bytes().ct_eq(given.as_bytes())) {
            return Err(AuthError::BadSignature);
        }
        // Without separators, digits can wander between user id and expiry; only because both ends of the time
        // are bounded does the expiry have one reading.
        let now = now.0 / 1_000;
        if now >= ends {
            return Err(AuthError::Expired);
        }
        if ends - now > LONGEST_LIFE_SECONDS {
            return Err(AuthError::LivesTooLong);
        }
        Ok(())
    }

    fn sign(&self, user: &str, expiry: &str) -> Result<String, AuthError> {
        if user.is_empty() || user.chars().count() > LONGEST_USER {
            return Err(AuthError::Malformed);
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(self.key.expose_bytes())
            .map_err(|_| AuthError::Malformed)?;
        for part in [self.id.as_str(), user, "1", expiry] {
            mac.update(part.as_bytes());
        }
        Ok(URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VECTOR: &str = "$1$1700000000$A7ooDI3rmyfkaNLppuJ5hruHES4l7pR2JSgQnkyA5FY";
    const EXPIRY: u64 = 1_700_000_000_000;

    fn partner() -> Partner {
        Partner { id: "98765".into(), key: "RedactedApiKey".into() }
    }

    #[test]
    fn the_published_vector_holds() {
        assert_eq!(partner().login_key("UserId", Timestamp(EXPIRY)).unwrap(), VECTOR);
        assert_eq!(partner().verify("UserId", VECTOR, Timestamp(EXPIRY - 1_000)), Ok(()));
    }

    #[test]
    fn both_alphabets_are_read() {
        let standard = (0..)
            .map(|n| partner().login_key(&format!("user{n}"), Timestamp(EXPIRY)).unwrap())
            .zip(0..)
            .find(|(key, _)| key.contains('-') && key.contains('_'));
        let (key, n) = standard.unwrap();
        let other = key.replace('-', "+").replace('_', "/");
        assert_eq!(partner().verify(&format!("user{n}"), &other, Timestamp(EXPIRY - 1)), Ok(()));
    }

    #[test]
    fn time_is_bounded_on_both_sides() {
        let verify = |now| partner().verify("UserId", VECTOR, Timestamp(now));
        assert_eq!(verify(EXPIRY), Err(AuthError::Expired));
        assert_eq!(verify(EXPIRY - 86_400_000), Ok(()));
        assert_eq!(verify(EXPIRY - 86_401_000), Err(AuthError::LivesTooLong));
    }

    #[test]
    fn another_user_partner_or_signature_is_refused() {
        let now = Timestamp(EXPIRY - 1_000);
        assert_eq!(partner().verify("Other", VECTOR, now), Err(AuthError::BadSignature));
        let other = Partner { id: "98766".into(), ..partner() };
        assert_eq!(other.verify("UserId", VECTOR, now), Err(AuthError::BadSignature));
        let bent = VECTOR.replace("A7oo", "A7op");
        assert_eq!(partner().verify("UserId", &bent, now), Err(AuthError::BadSignature));
        for malformed in ["", "$1$", "$2$1700000000$x", "$1$017$x", VECTOR.get(..56).unwrap()] {
            let verdict = partner().verify("UserId", malformed, now);
            assert_eq!(verdict, Err(AuthError::Malformed), "{malformed}");
        }
    }

    proptest! {
        #[test]
        fn makes_what_it_believes(user in "\\PC{1,255}", ahead in 1_u64..=86_400) {
            let now = Timestamp(1_700_000_000_000);
            let key = partner().login_key(&user, now + ahead * 1_000).unwrap();
            prop_assert_eq!(key.len(), 57);
            prop_assert_eq!(partner().verify(&user, &key, now), Ok(()));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,80}", tail in "[$0-9A-Za-z_-]{0,60}") {
            let now = Timestamp(EXPIRY - 1_000);
            prop_assert!(partner().verify("UserId", &text, now).is_err());
            let prefixed = format!("$1${tail}");
            prop_assert!(partner().verify("UserId", &prefixed, now).is_err());
        }
    }
}
