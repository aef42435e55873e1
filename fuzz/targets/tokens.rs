//! Tokens. What has a line end in it is a header and claims, and is signed with the right key, so that the rules behind
//! the signature are met too; all else is a token as it stands.

use std::sync::OnceLock;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use vestibule::{
    auth::{AUDIENCE, ISSUER, MAX_MINUTES, MAX_TOKEN_BYTES, TokenService, bearer},
    clock::Timestamp,
    settings::{Sources, load},
};

const KEY: &str = "a signing key that only the fuzzer knows";
const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(token) = bearer(Some(text)) {
        assert!(!token.is_empty() && !token.contains(char::is_whitespace) && text.contains(token));
    }
    let Some((header, claims)) = text.split_once('\n') else {
        // Nobody guesses a MAC.
        assert!(service().verify(text, NOW).is_err());
        return;
    };
    let token = sign(header, claims, KEY.as_bytes());
    let Ok(agent) = service().verify(&token, NOW) else { return };
    assert!(token.len() <= MAX_TOKEN_BYTES);
    let header: Value = serde_json::from_str(header).expect("a header that was believed is JSON");
    assert_eq!(header["alg"], "HS256");
    // Of a claim that stands there twice, the library's parser and this one could take another each: it refuses those.
    let claims: Value = serde_json::from_str(claims).expect("claims that were believed are JSON");
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["sub"], *agent.subject);
    let audience = &claims["aud"];
    assert!(
        audience == AUDIENCE
            || audience.as_array().is_some_and(|all| all.contains(&AUDIENCE.into()))
    );
    let group = claims["group"].as_str().map_or_else(|| claims["group"].to_string(), str::to_owned);
    assert_eq!(group, agent.group.as_str());
    let time = |claim: &str| claims[claim].as_u64().expect("a time in whole seconds");
    assert_eq!(agent.expires.0, time("exp") * 1_000);
    assert!(agent.expires > NOW && time("exp") - time("iat") <= MAX_MINUTES * 60);
    assert!(!agent.subject.is_empty() && !agent.subject.contains(char::is_control));
    // One bit elsewhere, or another key, and nobody believes it.
    assert!(service().verify(&tampered(&token), NOW).is_err());
    assert!(service().verify(&token, agent.expires).is_err());
}

fn service() -> &'static TokenService {
    static SERVICE: OnceLock<TokenService> = OnceLock::new();
    SERVICE.get_or_init(|| {
        let variables = [("AUTH__SIGNING_KEY", KEY), ("GROUPS__0__ID", "12345")];
        let environment =
            variables.map(|(name, text)| (format!("VESTIBULE_{name}"), text.to_owned())).into();
        let settings = load(&Sources { environment, ..Sources::default() });
        settings.expect("settings that are right").auth.token_service()
    })
}

/// The compact form of RFC 7515, section 3.1, with an HMAC-SHA256.
pub fn sign(header: &str, claims: &str, key: &[u8]) -> String {
    let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(signed.as_bytes());
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

/// The token with one bit of its signature changed.
fn tampered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let mut signature = URL_SAFE_NO_PAD.decode(signature).expect("Base64URL");
    signature[0] ^= 1;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
