//! JWKS documents, as an outside issuer, or whoever broke into one, may answer with them.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use vestibule::{
    auth::{
        Believed, Issuer, IssuerRules, JwksSource, Key, KeyAlgorithm, KeyRing, KeySet, MAX_KEYS,
        Minutes, Scope, TokenService,
    },
    clock::Timestamp,
};

use super::tokens::sign;

const NAME: &str = "https://id.example/";
const NOW: Timestamp = Timestamp(1_700_000_000_000);
const OWN: &str = "own";

pub fn run(bytes: &[u8]) {
    let (keys, left_out) = match KeySet::parse(bytes) {
        Ok(parsed) => parsed,
        Err(error) => {
            // It is logged: without what the document says, but for names of keys.
            let words = error.to_string();
            assert!(words.len() < 256, "{words}");
            return;
        }
    };
    assert!(left_out.iter().all(|(id, _)| id.chars().count() <= 128), "{left_out:?}");
    let ids: BTreeSet<_> = keys.iter().map(Key::id).collect();
    assert_eq!(ids.len(), keys.iter().count(), "a name stands for one key");
    assert!((1..=MAX_KEYS).contains(&ids.len()));
    for key in keys.iter() {
        assert!((1..=128).contains(&key.id().len()) && !key.id().contains(char::is_whitespace));
        assert_ne!(key.algorithm(), KeyAlgorithm::Hs256, "no secret is taken from a document");
        assert!(!key.can_sign());
        assert_eq!(keys.get(key.id()).map(Key::print), Some(key.print()));
    }
    let published = published(&keys);
    reads_back(&keys, &published);
    believes_nobody(keys, &published);
}

/// The public halves, as this server would publish them.
fn published(keys: &KeySet) -> Vec<Value> {
    let own = Key::secret(OWN, &"a secret that only the fuzzer knows".into()).expect("a key");
    let all = keys.iter().filter(|key| key.id() != OWN).take(MAX_KEYS - 1).cloned().chain([own]);
    let all = KeySet::new(all.collect()).expect("names of their own");
    let ring = KeyRing::new(all, OWN).expect("a key that signs");
    let document = serde_json::to_value(ring.public()).expect("JSON");
    document["keys"].as_array().expect("a list").clone()
}

/// What is published leads to the very keys, in whatever order.
fn reads_back(keys: &KeySet, published: &[Value]) {
    let reversed: Vec<_> = published.iter().rev().collect();
    for document in [json!({"keys": published}), json!({"keys": reversed})] {
        let Ok((again, left_out)) = KeySet::parse(document.to_string().as_bytes()) else {
            assert!(published.is_empty());
            return;
        };
        assert!(left_out.is_empty(), "{left_out:?}");
        assert_eq!(again.iter().count(), published.len());
        assert!(again.iter().all(|key| keys.has(key.print())));
    }
}

/// Whoever knows public keys only can sign for nobody: they are no secrets of HS256, whatever the token says.
fn believes_nobody(keys: KeySet, published: &[Value]) {
    let rules = IssuerRules {
        name: NAME.into(),
        audience: "presence".to_owned(),
        source: JwksSource::File("/dev/null".into()),
        groups: vec!["12345".parse().expect("a group")],
        scopes: Scope::AGENT,
        group_claim: "group".to_owned(),
        scope_claim: "scope".to_owned(),
        refresh_ms: 300_000,
        refetch_ms: 10_000,
    };
    let own = KeyRing::hs256(&"a secret that only the fuzzer knows".into(), &[]).expect("a ring");
    let issuers = vec![Issuer::new(rules, keys).into()];
    let service = TokenService::new(Believed { own, issuers }, Minutes::clamped(60));
    let claims = json!({
        "iss": NAME, "aud": "presence", "sub": "mallory", "scope": "read", "jti": "1",
        "iat": 1_700_000_000_u64, "exp": 1_700_000_600_u64,
    });
    for key in published {
        for algorithm in [&json!("HS256"), &key["alg"]] {
            let header = json!({"alg": algorithm, "kid": key["kid"]}).to_string();
            for part in ["n", "e", "x", "y"] {
                let Some(text) = key[part].as_str() else { continue };
                let number = URL_SAFE_NO_PAD.decode(text).unwrap_or_default();
                for secret in [text.as_bytes(), &number] {
                    let token = sign(&header, &claims.to_string(), secret);
                    assert!(service.verify(&token, NOW).is_err(), "{token}");
                }
            }
        }
    }
}
