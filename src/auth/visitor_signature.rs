//! Signed visitor ids: the site's server vouches for who a visitor is.
//!
//! A signature is either
//! - HMAC-SHA256, under one of the group's visitor keys, of the text `{group}:{visitor id}`, written as 64 hexadecimal
//!   digits or in Base64URL (43 characters, with or without the `=` behind them). It holds as long as the key does;
//! - or a JWT (RFC 7519), HS256 under such a key, with `sub` (the visitor id), `group` (text or number) and `exp`.
//!
//! An anonymous id needs none. It has a shape of its own ([`VisitorId::is_anonymous`]), so that where signatures are
//! demanded nobody gets a known visitor's id without one, and whoever carries no signature can be told by his id.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq};

use super::{Secret, claims::text_or_number};
use crate::{
    clock::Timestamp,
    model::{
        error::{ErrorCode, Problem},
        ids::{GroupId, VisitorId},
    },
};

/// Longest signature, in bytes.
const LONGEST: usize = 4 * 1024;
/// How far the site's clock may run ahead of ours.
const SKEW_SECONDS: u64 = 5;

/// Why a visitor id is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The group demands a signature, and there is none.
    #[error("this group takes signed visitor ids only")]
    Missing,
    /// The group has no key that could have made it.
    #[error("this group has no visitor_keys")]
    NoKeys,
    /// Neither a MAC nor a JWT.
    #[error("must be 64 hexadecimal digits, 43 characters of Base64URL, or a JWT")]
    Malformed,
    /// Made with another key, or for another visitor or group.
    #[error("is not that of this visitor id")]
    Wrong,
    /// Its time is over, or has not come.
    #[error("has expired, or is not valid yet")]
    Expired,
}

impl SignatureError {
    /// Every reason.
    pub const ALL: &'static [Self] =
        &[Self::Missing, Self::NoKeys, Self::Malformed, Self::Wrong, Self::Expired];

    /// A stable word for metrics.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::NoKeys => "no_keys",
            Self::Malformed => "malformed",
            Self::Wrong => "wrong",
            Self::Expired => "expired",
        }
    }
}

impl From<SignatureError> for Problem {
    fn from(error: SignatureError) -> Self {
        let problem = Problem::field("signature", error.to_string());
        Problem { code: ErrorCode::Signature, ..problem }
    }
}

/// What a group asks of its visitors' ids.
#[derive(Clone, Default)]
pub struct VisitorSignatures {
    keys: Vec<Secret>,
    required: bool,
}

impl VisitorSignatures {
    /// Signatures under any of `keys`; each known visitor must have one where they are `required`.
    #[must_use]
    pub fn new(keys: Vec<Secret>, required: bool) -> Self {
        Self { keys, required }
    }

    /// Whether each known visitor must be signed for.
    #[must_use]
    pub fn are_required(&self) -> bool {
        self.required
    }

    /// The signature of a visitor id under the first key, in hexadecimal; `None` without keys.
    #[must_use]
    pub fn sign(&self, group: &GroupId, visitor: &VisitorId) -> Option<String> {
        let mac = mac(self.keys.first()?, group, visitor)?;
        Some(mac.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// Checks that a page may go by `visitor`. A signature that is there must be right, demanded or not.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn check(
        &self,
        group: &GroupId,
        visitor: &VisitorId,
        signature: Option<&str>,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let Some(signature) = signature else {
            let needed = self.required && !visitor.is_anonymous();
            return if needed { Err(SignatureError::Missing) } else { Ok(()) };
        };
        if self.keys.is_empty() {
            return Err(SignatureError::NoKeys);
        }
        if signature.len() > LONGEST {
            return Err(SignatureError::Malformed);
        }
        if signature.contains('.') {
            return self.check_token(group, visitor, signature, now);
        }
        let given = bytes(signature).ok_or(SignatureError::Malformed)?;
        let is_right = self.keys.iter().fold(Choice::from(0), |found, key| {
            found | mac(key, group, visitor).map_or(Choice::from(0), |mac| mac.ct_eq(&given))
        });
        if is_right.into() { Ok(()) } else { Err(SignatureError::Wrong) }
    }

    fn check_token(
        &self,
        group: &GroupId,
        visitor: &VisitorId,
        token: &str,
        now: Timestamp,
    ) -> Result<(), SignatureError> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| SignatureError::Malformed)?;
        // It names what must be understood, and none of it is here (RFC 7515, section 4.1.11).
        if header.crit.is_some() {
            return Err(SignatureError::Malformed);
        }
        // The algorithm is the key's, whatever the token says; times are judged by our clock below.
        let mut validation = Validation::new(Algorithm::HS256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        let decode = |key: &Secret| {
            let key = DecodingKey::from_secret(key.expose_bytes());
            jsonwebtoken::decode::<Claims>(token, &key, &validation).ok()
        };
        let claims = self.keys.iter().find_map(decode).ok_or(SignatureError::Wrong)?.claims;
        if claims.sub != visitor.as_str() || claims.group != *group {
            return Err(SignatureError::Wrong);
        }
        let now = now.0 / 1_000;
        if now >= claims.exp || claims.nbf.unwrap_or(0) > now.saturating_add(SKEW_SECONDS) {
            return Err(SignatureError::Expired);
        }
        Ok(())
    }
}

impl std::fmt::Debug for VisitorSignatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let required = if self.required { ", required" } else { "" };
        write!(f, "VisitorSignatures({}{required})", self.keys.len())
    }
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    #[serde(deserialize_with = "text_or_number")]
    group: GroupId,
    exp: u64,
    nbf: Option<u64>,
}

fn mac(key: &Secret, group: &GroupId, visitor: &VisitorId) -> Option<[u8; 32]> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.expose_bytes()).ok()?;
    // Neither part may hold a colon, so the text has one reading.
    for part in [group.as_str(), ":", visitor.as_str()] {
        mac.update(part.as_bytes());
    }
    Some(mac.finalize().into_bytes().into())
}

fn bytes(signature: &str) -> Option<[u8; 32]> {
    if signature.len() == 64 && signature.is_ascii() {
        let mut bytes = [0; 32];
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            let digits = signature.get(at..at + 2)?;
            let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            *byte = if is_hex { u8::from_str_radix(digits, 16).ok()? } else { return None };
        }
        return Some(bytes);
    }
    let text = signature.strip_suffix('=').unwrap_or(signature);
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "a visitor key of thirty-two chars";
    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn signatures() -> VisitorSignatures {
        VisitorSignatures::new(vec!["another key, that is newer than it".into(), KEY.into()], true)
    }

    fn check(visitor: &str, signature: Option<&str>) -> Result<(), SignatureError> {
        let visitor = visitor.parse().unwrap();
        signatures().check(&"12345".parse().unwrap(), &visitor, signature, NOW)
    }

    fn token(claims: Value, algorithm: Algorithm) -> String {
        encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(KEY.as_bytes())).unwrap()
    }

    /// By `printf 12345:ada | openssl dgst -sha256 -hmac "$KEY"`.
    const OF_ADA: &str = "811844ca40aed80f914a7aa901d33e94ab14867d31b32b79088b025e46238027";

    #[test]
    fn a_mac_in_either_form_is_believed_for_its_visitor_only() {
        assert_eq!(check("ada", Some(OF_ADA)), Ok(()));
        assert_eq!(check("ada", Some(&OF_ADA.to_uppercase())), Ok(()));
        let base64 = URL_SAFE_NO_PAD.encode(bytes(OF_ADA).unwrap());
        assert_eq!(check("ada", Some(&base64)), Ok(()));
        assert_eq!(check("ada", Some(&format!("{base64}="))), Ok(()));
        assert_eq!(check("bob", Some(OF_ADA)), Err(SignatureError::Wrong));
        let group = "1".parse().unwrap();
        let other = signatures().check(&group, &"ada".parse().unwrap(), Some(OF_ADA), NOW);
        assert_eq!(other, Err(SignatureError::Wrong), "of another group");
        for malformed in ["", "x", &OF_ADA[1..], &OF_ADA.replace('a', "+"), &"é".repeat(32)] {
            assert_eq!(
                check("ada", Some(malformed)),
                Err(SignatureError::Malformed),
                "{malformed}"
            );
        }
        let own = signatures().sign(&"12345".parse().unwrap(), &"ada".parse().unwrap()).unwrap();
        assert_eq!(check("ada", Some(&own)), Ok(()), "each key is good");
    }

    #[test]
    fn a_token_is_believed_in_its_time() {
        let now = NOW.0 / 1_000;
        let with = |changes: Value| {
            let mut claims = json!({"sub": "ada", "group": 12345, "exp": now + 60});
            claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            check("ada", Some(&token(claims, Algorithm::HS256)))
        };
        assert_eq!(with(json!({})), Ok(()));
        assert_eq!(with(json!({"group": "12345", "nbf": now + 4})), Ok(()));
        assert_eq!(with(json!({"exp": now})), Err(SignatureError::Expired));
        assert_eq!(with(json!({"nbf": now + 6})), Err(SignatureError::Expired));
        for other in
            [json!({"sub": "bob"}), json!({"group": 1}), json!({"exp": null}), json!({"sub": null})]
        {
            assert_eq!(with(other.clone()), Err(SignatureError::Wrong), "{other}");
        }
        let claims = json!({"sub": "ada", "group": 12345, "exp": now + 60});
        let swapped = token(claims.clone(), Algorithm::HS512);
        assert_eq!(check("ada", Some(&swapped)), Err(SignatureError::Wrong));
        let none = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
            URL_SAFE_NO_PAD.encode(claims.to_string())
        );
        assert!(check("ada", Some(&none)).is_err());
        let critical = Header { crit: Some(vec!["exp".into()]), ..Header::default() };
        let critical = encode(&critical, &claims, &EncodingKey::from_secret(KEY.as_bytes()));
        assert_eq!(check("ada", Some(&critical.unwrap())), Err(SignatureError::Malformed));
        assert_eq!(check("ada", Some("a.b.c")), Err(SignatureError::Malformed));
        assert_eq!(check("ada", Some(&"a.".repeat(3_000))), Err(SignatureError::Malformed));
    }

    #[test]
    fn where_they_are_demanded_only_anonymous_ids_go_without() {
        assert_eq!(check("ada", None), Err(SignatureError::Missing));
        let anonymous = format!("~{}", "0".repeat(32));
        assert_eq!(check(&anonymous, None), Ok(()));
        for almost in [format!("~{}", "0".repeat(31)), format!("~{}", "A".repeat(32)), "~".into()] {
            assert_eq!(check(&almost, None), Err(SignatureError::Missing), "{almost}");
        }
        let (group, ada) = ("12345".parse().unwrap(), "ada".parse().unwrap());
        let offered = VisitorSignatures::new(vec![KEY.into()], false);
        assert_eq!(offered.check(&group, &ada, None, NOW), Ok(()));
        let wrong = "0".repeat(64);
        assert_eq!(offered.check(&group, &ada, Some(&wrong), NOW), Err(SignatureError::Wrong));
        let none = VisitorSignatures::default();
        assert_eq!(none.check(&group, &ada, Some(OF_ADA), NOW), Err(SignatureError::NoKeys));
        assert!(!format!("{:?}", signatures()).contains("key of"));
    }

    proptest! {
        #[test]
        fn no_text_is_believed_by_chance(text in "[0-9a-fA-F.=_-]{0,90}") {
            prop_assume!(!text.eq_ignore_ascii_case(OF_ADA));
            prop_assert!(check("ada", Some(&text)).is_err());
        }
    }
}
