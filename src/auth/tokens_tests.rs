use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::Secret;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

fn service_with(current: &str, previous: &[Secret]) -> TokenService {
    TokenService::new(KeyRing::hs256(&current.into(), previous), Minutes::checked(60).unwrap())
}

fn service() -> TokenService {
    service_with(KEY, &[])
}

fn request() -> TokenRequest {
    TokenRequest {
        group: "12345".parse().unwrap(),
        subject: "ada".into(),
        name: Some("Ada Lovelace".into()),
        scope: Scope::AGENT,
        minutes: None,
    }
}

fn claims() -> Value {
    json!({
        "iss": "vestibule", "aud": "vestibule", "sub": "ada", "group": "12345", "scope": "read",
        "iat": 1_700_000_000_u64, "exp": 1_700_000_600_u64, "jti": "one",
    })
}

/// A token as another server makes it: without a key id, under our secret.
fn foreign(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

fn verdict_on(changes: Value) -> Result<Agent, AuthError> {
    let mut claims = claims();
    for (claim, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value.clone();
        }
    }
    service().verify(&foreign(&claims, Algorithm::HS256, KEY), NOW)
}

#[test]
fn believes_what_it_issues() {
    let issued = service().issue(request(), NOW).unwrap();
    assert_eq!(issued.expires_in(), 3_600);
    let agent = service().verify(&issued.token, NOW).unwrap();
    assert_eq!(agent.group.as_str(), "12345");
    assert_eq!((&*agent.subject, agent.name.as_deref()), ("ada", Some("Ada Lovelace")));
    assert_eq!((agent.scope, agent.issued), (Scope::AGENT, NOW));
    assert_eq!(agent.expires, issued.expires_at());
    assert!(agent.require(Scope::READ).is_ok());
    assert_eq!(agent.require(Scope::OPERATE).unwrap_err().code, ErrorCode::Scope);
    assert_eq!(agent.require_group(&"1".parse().unwrap()).unwrap_err().code, ErrorCode::Group);
}

#[test]
fn expires_to_the_second() {
    let minutes = Some(Minutes::checked(1).unwrap());
    let issued = service().issue(TokenRequest { minutes, ..request() }, NOW).unwrap();
    assert!(service().verify(&issued.token, NOW + 59_999).is_ok());
    assert_eq!(service().verify(&issued.token, NOW + 60_000), Err(AuthError::Expired));
}

#[test]
fn each_broken_claim_has_its_error() {
    for (changes, error) in [
        (json!({"iss": "other"}), AuthError::WrongIssuer),
        (json!({"aud": "other"}), AuthError::WrongAudience),
        (json!({"aud": ["other"]}), AuthError::WrongAudience),
        (json!({"exp": 1_700_000_000}), AuthError::Expired),
        (json!({"nbf": 1_700_000_006}), AuthError::NotYetValid),
        (json!({"iat": 1_700_000_006}), AuthError::NotYetValid),
        (json!({"exp": 1_700_007_201}), AuthError::LivesTooLong),
        (json!({"exp": u64::MAX}), AuthError::LivesTooLong),
        (json!({"exp": -1}), AuthError::Malformed),
        (json!({"exp": null}), AuthError::Malformed),
        (json!({"iat": null}), AuthError::Malformed),
        (json!({"jti": ""}), AuthError::Malformed),
        (json!({"sub": ""}), AuthError::Malformed),
        (json!({"sub": "a\nb"}), AuthError::Malformed),
        (json!({"group": "abc"}), AuthError::Malformed),
        (json!({"scope": 3}), AuthError::Malformed),
    ] {
        assert_eq!(verdict_on(changes.clone()), Err(error), "{changes}");
    }
}

#[test]
fn reads_the_forms_that_others_write() {
    assert!(verdict_on(json!({"aud": ["other", "vestibule"]})).is_ok());
    assert_eq!(verdict_on(json!({"group": 12345})).unwrap().group.as_str(), "12345");
    let scope = verdict_on(json!({"scope": ["read", "signal", "fly"]})).unwrap().scope;
    assert_eq!(scope, Scope::READ | Scope::SIGNAL);
    assert!(verdict_on(json!({"nbf": 1_700_000_005})).is_ok());
    assert!(verdict_on(json!({"unknown": {"nested": true}})).is_ok());
}

#[test]
fn the_key_fixes_the_algorithm() {
    let other = foreign(&claims(), Algorithm::HS512, KEY);
    assert_eq!(service().verify(&other, NOW), Err(AuthError::BadSignature));

    let body = URL_SAFE_NO_PAD.encode(claims().to_string());
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"none","typ":"JWT"}"#);
    assert_eq!(service().verify(&format!("{header}.{body}."), NOW), Err(AuthError::Malformed));
}

#[test]
fn a_previous_key_is_still_believed_and_a_strange_one_never() {
    let old = service().issue(request(), NOW).unwrap().token;
    let old_without_id = foreign(&claims(), Algorithm::HS256, KEY);
    let rotated = service_with(OTHER_KEY, &[KEY.into()]);
    let done = service_with(OTHER_KEY, &[]);
    assert!(rotated.verify(&old, NOW).is_ok() && rotated.verify(&old_without_id, NOW).is_ok());
    assert_eq!(done.verify(&old, NOW), Err(AuthError::UnknownKey));
    assert_eq!(done.verify(&old_without_id, NOW), Err(AuthError::BadSignature));
    let fresh = rotated.issue(request(), NOW).unwrap().token;
    assert!(done.verify(&fresh, NOW).is_ok());
}

#[test]
fn a_bent_token_is_refused() {
    let token = service().issue(request(), NOW).unwrap().token;
    let (head, signature) = token.rsplit_once('.').unwrap();
    let (header, body) = head.split_once('.').unwrap();
    let richer = String::from_utf8(URL_SAFE_NO_PAD.decode(body).unwrap())
        .unwrap()
        .replace("topics", "topics operate");
    let bent = format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(richer));
    assert_eq!(service().verify(&bent, NOW), Err(AuthError::BadSignature));
}

#[test]
fn oversized_tokens_are_not_read() {
    assert_eq!(service().verify(&"a".repeat(4_097), NOW), Err(AuthError::TooLarge));
    assert_eq!(service().verify("", NOW), Err(AuthError::Missing));
}

#[test]
fn wishes_are_checked() {
    for (minutes, clamped) in [(-5, 1), (0, 1), (1, 1), (120, 120), (121, 120)] {
        assert_eq!(Minutes::clamped(minutes).get(), clamped);
    }
    assert!(Minutes::checked(0).is_err() && Minutes::checked(121).is_err());
    let nobody = TokenRequest { subject: String::new(), ..request() };
    assert_eq!(service().issue(nobody, NOW).unwrap_err().field.as_deref(), Some("subject"));
    let noisy = TokenRequest { name: Some("a\u{7}".into()), ..request() };
    assert_eq!(service().issue(noisy, NOW).unwrap_err().field.as_deref(), Some("name"));
}

#[test]
fn debug_hides_tokens() {
    let issued = service().issue(request(), NOW).unwrap();
    assert!(!format!("{issued:?}").contains(&issued.token));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,120}", parts in "[A-Za-z0-9_-]{0,60}(\\.[A-Za-z0-9_-]{0,60}){0,3}") {
        prop_assert!(service().verify(&text, NOW).is_err());
        prop_assert!(service().verify(&parts, NOW).is_err());
    }
}
