use serde_json::{Value, json};

use super::*;

pub const RS256: &str = include_str!("../../tests/fixtures/keys/rs256.pem");
pub const RS256_PUBLIC: &str = include_str!("../../tests/fixtures/keys/rs256-public.pem");
pub const ES256: &str = include_str!("../../tests/fixtures/keys/es256.pem");
pub const ES256_PUBLIC: &str = include_str!("../../tests/fixtures/keys/es256-public.pem");
pub const EDDSA: &str = include_str!("../../tests/fixtures/keys/eddsa.pem");
pub const EDDSA_PUBLIC: &str = include_str!("../../tests/fixtures/keys/eddsa-public.pem");
const PKCS1: &str = include_str!("../../tests/fixtures/keys/rs256-pkcs1.pem");
const WEAK: &str = include_str!("../../tests/fixtures/keys/weak-rsa.pem");
const WEAK_PUBLIC: &str = include_str!("../../tests/fixtures/keys/weak-rsa-public.pem");
const P384: &str = include_str!("../../tests/fixtures/keys/p384.pem");

const KINDS: [(KeyAlgorithm, &str, &str); 3] = [
    (KeyAlgorithm::Rs256, RS256, RS256_PUBLIC),
    (KeyAlgorithm::Es256, ES256, ES256_PUBLIC),
    (KeyAlgorithm::EdDSA, EDDSA, EDDSA_PUBLIC),
];

fn shown(key: &Key) -> Value {
    serde_json::to_value(key.public_half().unwrap()).unwrap()
}

#[test]
fn a_private_key_has_the_public_half_of_its_file() {
    for (algorithm, private, public) in KINDS {
        let private = Key::private("k", algorithm, &private.into()).unwrap();
        let public = Key::public("k", algorithm, &public.into()).unwrap();
        assert_eq!(shown(&private), shown(&public), "{algorithm}");
        assert!(private.can_sign() && !public.can_sign());
        let token = private.sign(&json!({"a": 1})).unwrap();
        assert_eq!(public.read::<Value>(&token).unwrap(), json!({"a": 1}));
    }
    let traditional = Key::private("k", KeyAlgorithm::Rs256, &PKCS1.into()).unwrap();
    let usual = Key::private("k", KeyAlgorithm::Rs256, &RS256.into()).unwrap();
    assert_eq!(shown(&traditional), shown(&usual));
}

#[test]
fn what_is_published_is_a_public_key_and_nothing_more() {
    for (algorithm, kty, names) in [
        (KINDS[0], "RSA", ["e", "n"].as_slice()),
        (KINDS[1], "EC", &["crv", "x", "y"]),
        (KINDS[2], "OKP", &["crv", "x"]),
    ] {
        let (algorithm, private, _) = algorithm;
        let shown = shown(&Key::private("k-1", algorithm, &private.into()).unwrap());
        let common = json!({"kty": kty, "kid": "k-1", "use": "sig", "alg": algorithm.to_string()});
        let mut expected: Vec<_> =
            names.iter().copied().chain(["kty", "kid", "use", "alg"]).collect();
        expected.sort_unstable();
        let mut found: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, expected);
        for (name, value) in common.as_object().unwrap() {
            assert_eq!(&shown[name], value);
        }
    }
    assert!(Key::secret("k", &"x".repeat(32).as_str().into()).unwrap().public_half().is_none());
}

#[test]
fn what_is_no_key_is_refused_with_the_reason() {
    let private = |algorithm, pem: &str| Key::private("k", algorithm, &pem.into()).unwrap_err();
    let public = |algorithm, pem: &str| Key::public("k", algorithm, &pem.into()).unwrap_err();
    for (algorithm, own_private, own_public) in KINDS {
        for (other, other_private, other_public) in KINDS {
            if other != algorithm {
                assert_eq!(private(algorithm, other_private), InvalidKey::NotPrivate(algorithm));
                assert_eq!(public(algorithm, other_public), InvalidKey::NotPublic(algorithm));
            }
        }
        assert_eq!(private(algorithm, own_public), InvalidKey::NotPrivate(algorithm));
        assert_eq!(public(algorithm, own_private), InvalidKey::Private);
        for nothing in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(private(algorithm, nothing), InvalidKey::NotPrivate(algorithm));
        }
    }
    assert_eq!(private(KeyAlgorithm::Es256, P384), InvalidKey::NotPrivate(KeyAlgorithm::Es256));
    assert_eq!(private(KeyAlgorithm::Rs256, WEAK), InvalidKey::Bits(1_024));
    assert_eq!(public(KeyAlgorithm::Rs256, WEAK_PUBLIC), InvalidKey::Bits(1_024));
    assert_eq!(private(KeyAlgorithm::Hs256, RS256), InvalidKey::NotPrivate(KeyAlgorithm::Hs256));
    let short = Key::secret("k", &"x".repeat(31).as_str().into());
    assert_eq!(short.unwrap_err(), InvalidKey::ShortSecret);
    for id in ["", "a b", "ä", &"x".repeat(129)] {
        let key = Key::secret(id, &"x".repeat(32).as_str().into());
        assert_eq!(key.unwrap_err(), InvalidKey::Id, "{id}");
    }
}

/// A hostile document must not make the library panic, or cost much.
#[test]
fn parameters_of_a_document_are_checked() {
    let es256 = shown(&Key::public("k", KeyAlgorithm::Es256, &ES256_PUBLIC.into()).unwrap());
    let eddsa = shown(&Key::public("k", KeyAlgorithm::EdDSA, &EDDSA_PUBLIC.into()).unwrap());
    let rs256 = shown(&Key::public("k", KeyAlgorithm::Rs256, &RS256_PUBLIC.into()).unwrap());
    let of_bytes = |length| URL_SAFE_NO_PAD.encode(vec![0xff; length]);
    for (algorithm, key, changes) in [
        (KeyAlgorithm::EdDSA, &eddsa, json!({"x": of_bytes(5)})),
        (KeyAlgorithm::EdDSA, &eddsa, json!({"x": ""})),
        (KeyAlgorithm::EdDSA, &eddsa, json!({"x": "not base64!"})),
        (KeyAlgorithm::Es256, &es256, json!({"x": of_bytes(32)})),
        (KeyAlgorithm::Es256, &es256, json!({"x": of_bytes(33)})),
        (KeyAlgorithm::Es256, &es256, json!({"y": of_bytes(31)})),
        (KeyAlgorithm::Es256, &es256, json!({"crv": "P-384"})),
        (KeyAlgorithm::Rs256, &rs256, json!({"e": "AA"})),
        (KeyAlgorithm::Rs256, &rs256, json!({"e": "AQ"})),
        (KeyAlgorithm::Rs256, &rs256, json!({"e": of_bytes(5)})),
    ] {
        let mut key = key.clone();
        for (name, value) in changes.as_object().unwrap() {
            key[name] = value.clone();
        }
        let jwk: Jwk = serde_json::from_value(key).unwrap();
        let refused = Key::jwk("k", algorithm, &jwk).unwrap_err();
        assert_eq!(refused, InvalidKey::Parameters(algorithm), "{changes}");
    }
    for (bytes, bits) in [(255, 2_040), (513, 4_104), (0, 0)] {
        let mut key = rs256.clone();
        key["n"] = of_bytes(bytes).into();
        let jwk: Jwk = serde_json::from_value(key).unwrap();
        assert_eq!(Key::jwk("k", KeyAlgorithm::Rs256, &jwk).unwrap_err(), InvalidKey::Bits(bits));
    }
}

#[test]
fn debug_shows_names_only() {
    let key = Key::secret("the-name", &"planted-secret-planted-secret-42".into()).unwrap();
    assert_eq!(format!("{key:?}"), "the-name (HS256)");
}
