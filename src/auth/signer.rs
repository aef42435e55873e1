//! Signatures of webhooks, as the specification of Standard Webhooks 1.0.0 says: HMAC-SHA256 over id, timestamp and body
//! between full stops, in base64, one for each secret so that secrets can be changed without a gap.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;

use super::Secret;

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Signs with all of an endpoint's secrets. Silent in `Debug`, like the secrets.
#[derive(Clone)]
pub struct Signer(Vec<Hmac<Sha256>>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl Signer {
    /// A signer for secrets in their written form: `whsec_` and the base64 of 24 to 64 bytes. `None` when one is
    /// written otherwise.
    #[must_use]
    pub fn new(secrets: &[Secret]) -> Option<Self> {
        let key = |secret: &Secret| {
            // The key itself is needed to sign; it goes no further than the MAC's state.
            let text = secret.expose().strip_prefix(SECRET_PREFIX)?;
            let key: SecretSlice<u8> = BASE64_STANDARD.decode(text).ok()?.into();
            let key = key.expose_secret();
            if !(24..=64).contains(&key.len()) {
                return None;
            }
            Hmac::new_from_slice(key).ok()
        };
        secrets.iter().map(key).collect::<Option<_>>().map(Self)
    }

    /// The header `webhook-signature`. `timestamp` is in seconds.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let sign = |mac: &Hmac<Sha256>| {
            let mut mac = mac.clone();
            mac.update(format!("{id}.{timestamp}.").as_bytes());
            mac.update(body);
            format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
        };
        self.0.iter().map(sign).collect::<Vec<_>>().join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that the specification's own libraries are tested with.
    #[test]
    fn a_signature_is_what_others_verify() {
        let secret = Secret::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let sign = |secrets: &[Secret]| {
            Signer::new(secrets).unwrap().sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body)
        };
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(sign(std::slice::from_ref(&secret)), signature);
        let both = sign(&[Secret::from("whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), secret]);
        assert!(both.starts_with("v1,") && both.ends_with(&format!(" {signature}")), "{both}");
    }

    #[test]
    fn a_secret_has_its_form() {
        let long = |bytes: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; bytes]));
        let is_secret = |text: &str| Signer::new(&[text.into()]).is_some();
        for good in [long(24), long(64)] {
            assert!(is_secret(&good), "{good}");
        }
        for bad in [long(23), long(65), long(24).replace("whsec_", ""), "whsec_?".to_owned()] {
            assert!(!is_secret(&bad), "{bad}");
        }
    }
}
