//! Makes tokens as other machines do: with any key, any header and any claims.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, JwkSet},
};
use serde_json::{Value, json};

use super::server::{GROUP, SIGNING_KEY};

/// The private halves of the fixtures, and the public ones.
pub const RS256: &str = include_str!("../fixtures/keys/rs256.pem");
pub const RS256_PUBLIC: &str = include_str!("../fixtures/keys/rs256-public.pem");
pub const ES256: &str = include_str!("../fixtures/keys/es256.pem");
pub const EDDSA: &str = include_str!("../fixtures/keys/eddsa.pem");

/// The time in Unix seconds.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A key that signs.
#[derive(Clone)]
pub struct Signing {
    header: Header,
    key: EncodingKey,
}

impl Signing {
    /// An HS256 secret.
    pub fn secret(kid: Option<&str>, secret: &[u8]) -> Self {
        Self::new(kid, Algorithm::HS256, EncodingKey::from_secret(secret))
    }

    /// The secret that every server of the tests has.
    pub fn of_the_tests() -> Self {
        Self::secret(None, SIGNING_KEY.as_bytes())
    }

    pub fn rs256(kid: &str) -> Self {
        Self::new(Some(kid), Algorithm::RS256, EncodingKey::from_rsa_pem(RS256.as_bytes()).unwrap())
    }

    pub fn es256(kid: &str) -> Self {
        Self::new(Some(kid), Algorithm::ES256, EncodingKey::from_ec_pem(ES256.as_bytes()).unwrap())
    }

    pub fn eddsa(kid: &str) -> Self {
        Self::new(Some(kid), Algorithm::EdDSA, EncodingKey::from_ed_pem(EDDSA.as_bytes()).unwrap())
    }

    fn new(kid: Option<&str>, algorithm: Algorithm, key: EncodingKey) -> Self {
        let mut header = Header::new(algorithm);
        header.kid = kid.map(str::to_owned);
        Self { header, key }
    }

    /// The same, whose tokens name no key.
    pub fn unnamed(mut self) -> Self {
        self.header.kid = None;
        self
    }

    /// A token that says this.
    pub fn sign(&self, claims: &Value) -> String {
        jsonwebtoken::encode(&self.header, claims, &self.key).unwrap()
    }

    /// The public half, as a JWKS document has it.
    pub fn public(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.header.alg).unwrap();
        jwk.common.key_id.clone_from(&self.header.kid);
        serde_json::to_value(jwk).unwrap()
    }
}

/// A JWKS document of these keys.
pub fn document(keys: &[&Signing]) -> Value {
    json!({"keys": keys.iter().map(|key| key.public()).collect::<Vec<_>>()})
}

/// The key of a document that a token names, and whether it verifies the token.
pub fn verifies(document: &Value, token: &str) -> bool {
    let keys: JwkSet = serde_json::from_value(document.clone()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = keys.find(&header.kid.unwrap()).unwrap();
    let mut validation = jsonwebtoken::Validation::new(header.alg);
    validation.set_audience(&["vestibule"]);
    let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
    jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
}

/// The claims of a good token, with changes: `null` takes a claim out.
pub fn claims(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "vestibule", "aud": "vestibule", "sub": "agent-7", "jti": "1", "group": GROUP,
        "scope": "read signal invoke", "iat": now() - 10, "exp": now() + 600,
    });
    for (claim, value) in changes.as_object().unwrap() {
        claims[claim] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

/// A token of these very parts, with a signature of your own or none.
pub fn compose(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
    format!("{}.{}.{signature}", part(header), part(claims))
}
