use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::auth::{
    IssuerRules, JwksSource, Key, KeyAlgorithm, KeySet, Revocation, Secret, Target,
    key::tests::{EDDSA, EDDSA_PUBLIC, ES256, ES256_PUBLIC, RS256, RS256_PUBLIC},
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const KEY: &str = "0123456789abcdef0123456789abcdef";
const OTHER_KEY: &str = "fedcba9876543210fedcba9876543210";

fn service_with(current: &str, previous: &[Secret]) -> TokenService {
    let own = KeyRing::hs256(&current.into(), previous).unwrap();
    TokenService::new(Believed { own, issuers: vec![] }, Minutes::checked(60).unwrap())
}

/// A service with one key of each kind; the one named `signing` signs.
fn service_of_all_kinds(signing: &str) -> TokenService {
    let keys = vec![
        Key::secret("hs", &KEY.into()).unwrap(),
        Key::private("rs", KeyAlgorithm::Rs256, &RS256.into()).unwrap(),
        Key::private("es", KeyAlgorithm::Es256, &ES256.into()).unwrap(),
        Key::private("ed", KeyAlgorithm::EdDSA, &EDDSA.into()).unwrap(),
    ];
    let own = KeyRing::new(KeySet::new(keys).unwrap(), signing).unwrap();
    TokenService::new(Believed { own, issuers: vec![] }, Minutes::checked(60).unwrap())
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
        topics: Rights::default(),
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

#[test]
fn each_kind_of_key_signs_and_verifies_what_the_others_do_not() {
    let names = ["hs", "rs", "es", "ed"];
    for (name, algorithm) in names.into_iter().zip(["HS256", "RS256", "ES256", "EdDSA"]) {
        let service = service_of_all_kinds(name);
        let token = service.issue(request(), NOW).unwrap().token;
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(
            (header.kid.as_deref(), format!("{:?}", header.alg).as_str()),
            (Some(name), algorithm)
        );
        // Any server with the same keys believes it, whichever key signs there.
        for other in names {
            assert!(service_of_all_kinds(other).verify(&token, NOW).is_ok(), "{name} {other}");
        }
        // Under another key's name it is nothing.
        for other in names.into_iter().filter(|other| *other != name) {
            let header = json!({"alg": algorithm, "kid": other}).to_string();
            let (_, rest) = token.split_once('.').unwrap();
            let renamed = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header));
            assert_eq!(
                service.verify(&renamed, NOW),
                Err(AuthError::BadSignature),
                "{name} {other}"
            );
        }
    }
}

/// The attack that "the algorithm is fixed by the key" is about: the public key is no secret.
#[test]
fn a_public_key_is_never_taken_for_a_secret() {
    let service = service_of_all_kinds("rs");
    let public = [
        ("rs", RS256_PUBLIC),
        ("es", ES256_PUBLIC),
        ("ed", EDDSA_PUBLIC),
        ("rs", RS256_PUBLIC.trim_end()),
    ];
    for (name, public) in public {
        let mut header = Header::new(Algorithm::HS256);
        header.kid = Some(name.into());
        let key = EncodingKey::from_secret(public.as_bytes());
        let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
        assert_eq!(service.verify(&token, NOW), Err(AuthError::BadSignature), "{name}");
    }
}

#[test]
fn only_secrets_are_tried_for_a_token_that_names_no_key() {
    let service = service_of_all_kinds("rs");
    assert!(service.verify(&foreign(&claims(), Algorithm::HS256, KEY), NOW).is_ok());
    let key = EncodingKey::from_rsa_pem(RS256.as_bytes()).unwrap();
    let unnamed = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims(), &key).unwrap();
    assert_eq!(service.verify(&unnamed, NOW), Err(AuthError::BadSignature));
}

#[test]
fn an_extension_that_must_be_understood_is_not() {
    let mut header = Header::new(Algorithm::HS256);
    header.crit = Some(vec!["b64".into()]);
    let key = EncodingKey::from_secret(KEY.as_bytes());
    let token = jsonwebtoken::encode(&header, &claims(), &key).unwrap();
    assert_eq!(service().verify(&token, NOW), Err(AuthError::Critical));
}

#[test]
fn a_key_is_believed_for_its_groups_only() {
    let only = Key::secret("other", &OTHER_KEY.into()).unwrap();
    let only = only.for_groups(vec!["777".parse().unwrap()]);
    let keys = KeySet::new(vec![Key::secret("all", &KEY.into()).unwrap(), only]).unwrap();
    let own = KeyRing::new(keys, "all").unwrap();
    let service =
        TokenService::new(Believed { own, issuers: vec![] }, Minutes::checked(60).unwrap());
    let with_group = |group: &str, secret: &str| {
        let mut claims = claims();
        claims["group"] = group.into();
        service.verify(&foreign(&claims, Algorithm::HS256, secret), NOW).map(|agent| agent.group)
    };
    assert!(with_group("777", KEY).is_ok() && with_group("12345", KEY).is_ok());
    assert!(with_group("777", OTHER_KEY).is_ok());
    assert_eq!(with_group("12345", OTHER_KEY), Err(AuthError::WrongGroup));
}

fn revocation(target: Target, made: Timestamp) -> Revocation {
    let group = "12345".parse().unwrap();
    Revocation { id: "r".into(), group, target, made, by: "op".into(), reason: None }
}

#[test]
fn a_revoked_token_is_refused_and_one_made_right_after_is_not() {
    let service = service();
    let old = service.issue(request(), NOW + 400).unwrap();
    let other = service.issue(TokenRequest { subject: "bob".into(), ..request() }, NOW).unwrap();
    let revocations = service.revocations();
    revocations.put(revocation(Target::Subject("ada".into()), NOW + 500)).unwrap();
    assert_eq!(service.verify(&old.token, NOW + 500), Err(AuthError::Revoked));
    assert!(service.verify(&other.token, NOW + 500).is_ok());
    let fresh = service.issue(request(), NOW + 600).unwrap();
    assert!(service.verify(&fresh.token, NOW + 600).is_ok());
    assert_eq!(fresh.expires_in(), 3_600);
    let named = Target::Token(fresh.claims.jti.as_str().into());
    revocations.put(revocation(named, NOW + 700)).unwrap();
    assert_eq!(service.verify(&fresh.token, NOW + 700), Err(AuthError::Revoked));
}

#[test]
fn somebody_vouched_for_is_believed_like_the_bearer_of_a_token() {
    let service = service();
    let vouched = service.vouch(request(), NOW).unwrap();
    let token = service.issue(request(), NOW).unwrap().token;
    let borne = service.verify(&token, NOW).unwrap();
    assert_eq!(Agent { jti: borne.jti.clone(), ..vouched.clone() }, borne);
    assert!(service.still_believes(&vouched));
    service.revocations().put(revocation(Target::Group, NOW + 500)).unwrap();
    assert!(!service.still_believes(&vouched));
    assert!(service.still_believes(&service.vouch(request(), NOW + 600).unwrap()));
    let bad = service.vouch(TokenRequest { subject: String::new(), ..request() }, NOW);
    assert_eq!(bad.unwrap_err().field.as_deref(), Some("subject"));
}

#[test]
fn believing_others_is_one_step_and_forgets_no_issuers_keys() {
    let rules = IssuerRules {
        name: "https://id.example".into(),
        audience: "us".into(),
        source: JwksSource::Address("https://id.example/jwks".parse().unwrap()),
        groups: vec!["12345".parse().unwrap()],
        scopes: Scope::AGENT,
        group_claim: "group".into(),
        scope_claim: "scope".into(),
        refresh_ms: 60_000,
        refetch_ms: 1_000,
    };
    let believed = |rules: &IssuerRules| {
        let issuer = Arc::new(Issuer::new(rules.clone(), KeySet::default()));
        let own = KeyRing::hs256(&KEY.into(), &[]).unwrap();
        Believed { own, issuers: vec![issuer] }
    };
    let service = TokenService::new(believed(&rules), Minutes::checked(60).unwrap());
    let key = Key::public("k", KeyAlgorithm::Es256, &ES256_PUBLIC.into()).unwrap();
    let keys = KeySet::new(vec![key]).unwrap();
    service.believed().issuers[0].ask(NOW).unwrap().answered(Some(keys), NOW);
    service.believe(believed(&rules));
    assert_eq!(service.believed().issuers[0].known_keys(), 1);
    let elsewhere = JwksSource::Address("https://id.example/other".parse().unwrap());
    service.believe(believed(&IssuerRules { source: elsewhere, ..rules }));
    assert_eq!(service.believed().issuers[0].known_keys(), 0);
}

#[test]
fn a_bearer_is_believed_as_long_as_his_key_is() {
    let secret = |text: &str| Key::secret("a", &text.into()).unwrap();
    let (first, second) = (secret(KEY), secret("another secret of thirty-two characters"));
    let ring = |keys: Vec<Key>| {
        let signing = keys[0].id().to_owned();
        KeyRing::new(KeySet::new(keys).unwrap(), &signing).unwrap()
    };
    let own = |keys| Believed { own: ring(keys), issuers: Vec::new() };
    let service = TokenService::new(own(vec![first.clone()]), Minutes::checked(60).unwrap());
    let token = service.issue(request(), NOW).unwrap().token;
    let bearer = service.verify(&token, NOW).unwrap();
    let eddsa = Key::private("b", KeyAlgorithm::EdDSA, &EDDSA.into()).unwrap();
    let group = bearer.group.clone();
    let other_group = "999".parse().unwrap();
    for (keys, is_believed) in [
        (vec![eddsa.clone(), first.clone()], true),
        (vec![eddsa.clone(), first.clone().for_groups(vec![group])], true),
        (vec![eddsa.clone(), first.clone().for_groups(vec![other_group])], false),
        (vec![first.clone()], true),
        (vec![second], false),
        (vec![eddsa], false),
        (vec![first], true),
    ] {
        let before = service.changes().number();
        service.believe(own(keys));
        assert_ne!(service.changes().number(), before);
        assert_eq!(service.still_believes(&bearer), is_believed);
        assert_eq!(service.verify(&token, NOW).is_ok(), is_believed);
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,120}", parts in "[A-Za-z0-9_-]{0,60}(\\.[A-Za-z0-9_-]{0,60}){0,3}") {
        prop_assert!(service().verify(&text, NOW).is_err());
        prop_assert!(service().verify(&parts, NOW).is_err());
    }
}
