use serde_json::{Value, json};

use super::*;
use crate::auth::key::tests::{EDDSA_PUBLIC, ES256_PUBLIC, RS256, RS256_PUBLIC};

const SECRET: &str = "planted-secret-planted-secret-42";

fn public(id: &str, algorithm: KeyAlgorithm, pem: &str) -> Key {
    Key::public(id, algorithm, &pem.into()).unwrap()
}

fn jwk(id: &str, algorithm: KeyAlgorithm, pem: &str) -> Value {
    serde_json::to_value(public(id, algorithm, pem).public_half().unwrap()).unwrap()
}

fn parse(keys: Value) -> Result<(Vec<String>, Vec<String>), InvalidKeySet> {
    let (keys, left_out) = KeySet::parse(json!({"keys": keys}).to_string().as_bytes())?;
    let ids = keys.iter().map(|key| key.id().to_owned()).collect();
    Ok((ids, left_out.into_iter().map(|(id, _)| id).collect()))
}

#[test]
fn a_name_stands_for_one_key() {
    let twice = || public("a", KeyAlgorithm::Es256, ES256_PUBLIC);
    let refused = KeySet::new(vec![twice(), twice()]).unwrap_err();
    assert_eq!(refused, InvalidKeySet::Duplicate("a".into()));
    let many = (0..33).map(|n| public(&n.to_string(), KeyAlgorithm::Es256, ES256_PUBLIC));
    assert_eq!(KeySet::new(many.collect()).unwrap_err(), InvalidKeySet::TooMany);
}

#[test]
fn only_a_key_with_its_secret_half_signs() {
    let keys = || {
        KeySet::new(vec![
            public("es", KeyAlgorithm::Es256, ES256_PUBLIC),
            Key::private("rs", KeyAlgorithm::Rs256, &RS256.into()).unwrap(),
            Key::secret("hs", &SECRET.into()).unwrap(),
        ])
        .unwrap()
    };
    assert!(KeyRing::new(keys(), "es").is_none() && KeyRing::new(keys(), "other").is_none());
    let ring = KeyRing::new(keys(), "rs").unwrap();
    let published = serde_json::to_value(ring.public()).unwrap();
    let ids: Vec<_> =
        published["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str()).collect();
    assert_eq!(ids, [Some("es"), Some("rs")]);
    let text = published.to_string() + &format!("{ring:?}");
    assert!(!text.contains("planted") && !text.contains("\"d\""), "{text}");
}

#[test]
fn a_documents_usable_keys_are_taken() {
    let rs = jwk("rs", KeyAlgorithm::Rs256, RS256_PUBLIC);
    let es = jwk("es", KeyAlgorithm::Es256, ES256_PUBLIC);
    let ed = jwk("ed", KeyAlgorithm::EdDSA, EDDSA_PUBLIC);
    let with = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        key
    };
    let without = |key: &Value, name: &str| {
        let mut key = key.clone();
        key.as_object_mut().unwrap().remove(name);
        key
    };
    let bare = without(&without(&es, "use"), "alg");
    let oct = json!({"kty": "oct", "kid": "oct", "alg": "HS256", "k": "c2VjcmV0"});
    let passed_over = [
        oct.clone(),
        with(&with(&rs, "kid", "enc".into()), "use", "enc".into()),
        with(&with(&rs, "kid", "ps".into()), "alg", "PS256".into()),
        with(&with(&rs, "kid", "hs".into()), "alg", "HS256".into()),
        json!({"kty": "AKP", "kid": "new", "alg": "ML-DSA-44", "pub": "AA"}),
        json!("nonsense"),
        without(&rs, "kid"),
    ];
    let mut all = vec![rs.clone(), bare, ed];
    all.extend(passed_over);
    let weak = with(&with(&rs, "kid", "weak".into()), "n", "_____w".into());
    all.push(weak.clone());
    let (taken, left_out) = parse(all.into()).unwrap();
    assert_eq!(
        (taken, left_out),
        (vec!["rs".into(), "es".into(), "ed".into()], vec!["weak".into()])
    );
    assert_eq!(parse(json!([without(&rs, "kid")])).unwrap().0.len(), 1, "alone, it needs no name");
    for nothing in [json!([]), json!([oct]), json!([weak])] {
        assert_eq!(parse(nothing), Err(InvalidKeySet::Empty));
    }
    assert_eq!(parse(json!([rs, rs])), Err(InvalidKeySet::Duplicate("rs".into())));
    assert_eq!(parse(vec![es; 33].into()), Err(InvalidKeySet::TooMany));
    for broken in [b"".as_slice(), b"[]", b"{}", b"{\"keys\":{}}", &vec![b' '; MAX_JWKS_BYTES + 1]]
    {
        assert!(matches!(KeySet::parse(broken), Err(InvalidKeySet::Form(_))));
    }
}
