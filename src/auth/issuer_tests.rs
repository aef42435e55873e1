use proptest::prelude::*;
use serde_json::json;

use super::{schedule::MOST_NAMES, *};
use crate::auth::{
    Agent, Believed, KeyAlgorithm, KeyRing, Minutes, TokenService,
    key::tests::{ES256, ES256_PUBLIC, RS256},
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn rules() -> IssuerRules {
    IssuerRules {
        name: "https://id.example/".into(),
        audience: "presence".into(),
        source: JwksSource::Address("https://id.example/jwks".parse().unwrap()),
        groups: vec!["12345".parse().unwrap(), "777".parse().unwrap()],
        scopes: Scope::AGENT,
        group_claim: "https://id.example/tenant".into(),
        scope_claim: "permissions".into(),
        refresh_ms: 60_000,
        refetch_ms: 10_000,
    }
}

fn service(rules: IssuerRules) -> TokenService {
    let key = Key::public("es-1", KeyAlgorithm::Es256, &ES256_PUBLIC.into()).unwrap();
    let issuer = Arc::new(Issuer::new(rules, KeySet::new(vec![key]).unwrap()));
    let own = KeyRing::hs256(&"0123456789abcdef0123456789abcdef".into(), &[]).unwrap();
    TokenService::new(Believed { own, issuers: vec![issuer] }, Minutes::checked(60).unwrap())
}

fn claims() -> Value {
    json!({
        "iss": "https://id.example/", "aud": ["presence", "others"], "sub": "ada",
        "https://id.example/tenant": 12345, "permissions": ["read", "operate", "openid"],
        "iat": 1_700_000_000_u64, "exp": 1_700_000_600_u64, "jti": "one",
    })
}

/// A token under the issuer's key, whatever it is called there.
fn token(id: &str, claims: &Value) -> String {
    Key::private(id, KeyAlgorithm::Es256, &ES256.into()).unwrap().sign(claims).unwrap()
}

fn verdict_on(rules: IssuerRules, changes: Value) -> Result<Agent, AuthError> {
    let mut claims = claims();
    for (claim, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(claim);
        } else {
            claims[claim] = value.clone();
        }
    }
    service(rules).verify(&token("es-1", &claims), NOW)
}

#[test]
fn his_claims_become_ours_within_bounds() {
    let agent = verdict_on(rules(), json!({})).unwrap();
    assert_eq!((agent.group.as_str(), &*agent.subject, &*agent.jti), ("12345", "ada", "one"));
    assert_eq!(agent.scope, Scope::READ, "operate is more than the settings allow him");
    let generous = IssuerRules { scopes: Scope::ALL, ..rules() };
    assert_eq!(verdict_on(generous, json!({})).unwrap().scope, Scope::READ | Scope::OPERATE);
    let claim = json!({"topics": {"publish": ["a/#", "b+"], "more": 1}});
    let topics = verdict_on(rules(), claim).unwrap().topics;
    assert_eq!(
        (topics.publish.len(), topics.subscribe.len()),
        (1, 0),
        "what is no filter is passed over"
    );
    // Where he may speak for one group only, he need not name it.
    let tenant = json!({"https://id.example/tenant": null});
    assert_eq!(verdict_on(rules(), tenant.clone()), Err(AuthError::Malformed));
    let one = IssuerRules { groups: vec!["777".parse().unwrap()], ..rules() };
    assert_eq!(verdict_on(one.clone(), tenant).unwrap().group.as_str(), "777");
    assert_eq!(verdict_on(one, json!({})), Err(AuthError::WrongGroup));
}

#[test]
fn each_broken_claim_has_its_error() {
    for (changes, error) in [
        (json!({"https://id.example/tenant": "999"}), AuthError::WrongGroup),
        (json!({"https://id.example/tenant": "x"}), AuthError::Malformed),
        // Our own words for the claims mean nothing where the settings name others.
        (json!({"permissions": null, "scope": "read"}), AuthError::Malformed),
        (json!({"aud": "vestibule"}), AuthError::WrongAudience),
        (json!({"iss": "https://id.example"}), AuthError::WrongIssuer),
        (json!({"iss": null}), AuthError::Malformed),
        (json!({"exp": 1_700_000_000_u64}), AuthError::Expired),
        (json!({"iat": 1_700_000_006_u64}), AuthError::NotYetValid),
        (json!({"exp": 1_700_086_400_u64}), AuthError::LivesTooLong),
        // His key is not ours.
        (json!({"iss": "vestibule", "aud": "vestibule"}), AuthError::UnknownKey),
    ] {
        assert_eq!(verdict_on(rules(), changes.clone()), Err(error), "{changes}");
    }
}

#[test]
fn a_token_without_a_name_is_named_by_what_was_signed() {
    let jti = |sub: &str| verdict_on(rules(), json!({"jti": null, "sub": sub})).unwrap().jti;
    assert_eq!(jti("ada").len(), 43);
    assert_ne!(jti("ada"), jti("bob"));
}

#[test]
fn his_key_may_go_unnamed_where_it_is_the_only_one() {
    let service = service(rules());
    let unnamed = |pem: &str, algorithm| {
        let key = match algorithm {
            jsonwebtoken::Algorithm::ES256 => {
                jsonwebtoken::EncodingKey::from_ec_pem(pem.as_bytes())
            }
            _ => jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()),
        };
        let header = jsonwebtoken::Header::new(algorithm);
        jsonwebtoken::encode(&header, &claims(), &key.unwrap()).unwrap()
    };
    assert!(service.verify(&unnamed(ES256, jsonwebtoken::Algorithm::ES256), NOW).is_ok());
    let other = unnamed(RS256, jsonwebtoken::Algorithm::RS256);
    assert_eq!(service.verify(&other, NOW), Err(AuthError::BadSignature));
}

#[test]
fn an_unknown_key_is_asked_for_but_not_too_often() {
    let service = service(rules());
    let issuer = Arc::clone(&service.believed().issuers[0]);
    let question = issuer.ask(NOW).expect("at the start");
    let unknown = token("es-2", &claims());
    let verdict = |seconds: u64| service.verify(&unknown, NOW + seconds * 1_000).unwrap_err();
    assert_eq!(verdict(0), AuthError::KeyPending, "being asked");
    question.answered(None, NOW);
    assert_eq!(verdict(1), AuthError::KeyPending, "no answer says that he does not have it");
    assert!(issuer.ask(NOW + 9_999).is_none());
    let question = issuer.ask(NOW + 10_000).unwrap();
    assert!(issuer.ask(NOW + 10_000).is_none(), "one at a time");
    assert_eq!(issuer.known_keys(), 1, "the last good keys stay meanwhile");
    let key = Key::public("es-2", KeyAlgorithm::Es256, &ES256_PUBLIC.into()).unwrap();
    let bearer = service.verify(&token("es-1", &claims()), NOW + 10_000).unwrap();
    let number = service.changes().number();
    service.learn(question, None, NOW + 10_000);
    assert_eq!(service.changes().number(), number, "no answer is no news");
    assert!(service.still_believes(&bearer));
    let question = issuer.ask(NOW + 20_000).unwrap();
    service.learn(question, Some(KeySet::new(vec![key]).unwrap()), NOW + 20_000);
    assert_ne!(service.changes().number(), number, "a key is gone");
    assert!(!service.still_believes(&bearer));
    assert!(service.verify(&unknown, NOW + 20_000).is_ok());
    assert!(issuer.ask(NOW + 79_999).is_none() && issuer.ask(NOW + 80_000).is_some());
}

/// A token that comes just after a question, whose key is new: the next answer may hold it.
#[test]
fn a_key_is_refused_for_good_only_by_an_answer_that_was_asked_for_since() {
    let service = service(rules());
    let issuer = Arc::clone(&service.believed().issuers[0]);
    let verdict = |id: &str, seconds: u64| {
        service.verify(&token(id, &claims()), NOW + seconds * 1_000).map(|_| ())
    };
    let keys = |ids: &[&str]| {
        let key = |id: &&str| Key::public(*id, KeyAlgorithm::Es256, &ES256_PUBLIC.into()).unwrap();
        Some(KeySet::new(ids.iter().map(key).collect()).unwrap())
    };
    let ask = |seconds: u64| issuer.ask(NOW + seconds * 1_000);
    ask(0).unwrap().answered(keys(&["es-1"]), NOW);
    // Two new names within `refetch_ms` of the answer; one more while the next question is under way.
    assert_eq!(verdict("es-2", 1), Err(AuthError::KeyPending));
    assert_eq!(verdict("es-3", 2), Err(AuthError::KeyPending));
    assert!(ask(9).is_none());
    let question = ask(10).unwrap();
    assert_eq!(verdict("es-4", 11), Err(AuthError::KeyPending));
    question.answered(keys(&["es-1", "es-2"]), NOW + 12_000);
    assert_eq!(verdict("es-2", 12), Ok(()));
    assert_eq!(verdict("es-3", 12), Err(AuthError::UnknownKey));
    assert_eq!(verdict("es-4", 12), Err(AuthError::KeyPending), "asked for before it was heard of");
    ask(20).unwrap().answered(keys(&["es-2", "es-4"]), NOW + 20_000);
    assert_eq!(verdict("es-4", 20), Ok(()));
    // A key that he no longer has, as one that was only made up, is worth one more question.
    assert_eq!(verdict("es-1", 21), Err(AuthError::KeyPending));
    ask(30).unwrap().answered(keys(&["es-2", "es-4"]), NOW + 30_000);
    assert_eq!(verdict("es-1", 31), Err(AuthError::UnknownKey));
    assert_eq!(verdict("es-1", 40), Err(AuthError::KeyPending), "he may have it again");
}

#[test]
fn a_question_that_breaks_off_has_failed() {
    let issuer = Arc::new(Issuer::new(rules(), KeySet::default()));
    let question = issuer.ask(NOW).unwrap();
    let asking = std::thread::spawn(move || {
        let _question = question;
        panic!("asked to");
    });
    assert!(asking.join().is_err());
    assert!(issuer.ask(NOW + 9_999).is_none(), "no sooner than after any failure");
    assert!(issuer.ask(NOW + 10_000).is_some());
}

#[test]
fn names_of_keys_take_no_more_than_their_room() {
    let issuer = Arc::new(Issuer::new(rules(), KeySet::default()));
    issuer.ask(NOW).unwrap().answered(Some(KeySet::default()), NOW);
    for name in 0..3 * MOST_NAMES {
        assert_eq!(issuer.unknown_key(&name.to_string(), NOW + 1), AuthError::KeyPending);
    }
    assert_eq!(issuer.schedule.lock().unknown.len(), MOST_NAMES);
    for seconds in [10_u64, 20] {
        let now = NOW + seconds * 1_000;
        issuer.ask(now).unwrap().answered(Some(KeySet::default()), now);
        issuer.unknown_key("of an honest agent", now + 1);
    }
    assert_eq!(issuer.schedule.lock().unknown.len(), 1);
}

#[test]
fn a_bearer_is_believed_as_long_as_his_issuer_is() {
    let service = service(rules());
    let bearer = service.verify(&token("es-1", &claims()), NOW).unwrap();
    assert!(service.still_believes(&bearer));
    let believed = |rules: IssuerRules| {
        let key = Key::public("es-1", KeyAlgorithm::Es256, &ES256_PUBLIC.into()).unwrap();
        let issuer = Issuer::new(rules, KeySet::new(vec![key]).unwrap());
        Believed { own: service.believed().own.clone(), issuers: vec![Arc::new(issuer)] }
    };
    let groups = vec!["777".parse().unwrap()];
    for (rules, is_believed) in [
        (rules(), true),
        (IssuerRules { groups, ..rules() }, false),
        (IssuerRules { scopes: Scope::SIGNAL, ..rules() }, false),
        (IssuerRules { scopes: Scope::READ, ..rules() }, true),
        (IssuerRules { name: "https://other.example/".into(), ..rules() }, false),
    ] {
        service.believe(believed(rules));
        assert_eq!(service.still_believes(&bearer), is_believed);
    }
}

#[test]
fn a_file_is_never_asked() {
    let source = JwksSource::File("/keys".into());
    let service = service(IssuerRules { source, ..rules() });
    assert!(service.believed().issuers[0].ask(NOW).is_none());
    let unknown = token("es-2", &claims());
    assert_eq!(service.verify(&unknown, NOW), Err(AuthError::UnknownKey));
}

proptest! {
    /// However often unknown keys come and whatever comes of asking: two questions are never closer than `refetch_ms`.
    #[test]
    fn nobody_is_hammered(steps in prop::collection::vec((0..15_000_u64, 0..5_u8), 1..200)) {
        let issuer = Arc::new(Issuer::new(rules(), KeySet::default()));
        let (mut now, mut last) = (NOW, None::<Timestamp>);
        let mut under_way = None;
        for (pause, kind) in steps {
            now = now + pause;
            match kind {
                0 => { issuer.unknown_key(&(now.0 % 3).to_string(), now); }
                1 => {
                    let answer = now.0.is_multiple_of(2).then(KeySet::default);
                    under_way.take().map(|question: Question| question.answered(answer, now));
                }
                2 => under_way = None,
                _ => if let Some(question) = issuer.ask(now) {
                    prop_assert!(under_way.is_none());
                    prop_assert!(last.is_none_or(|last| now.since(last) >= 10_000));
                    (last, under_way) = (Some(now), Some(question));
                }
            }
        }
    }
}
