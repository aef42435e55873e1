//! Outside issuers: whose keys stand in a file, or at an address.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    Server, Socket,
    issuer::Issuer,
    mint::{Signing, claims, document},
    server::SETTINGS,
    soon, until,
};

const NAME: &str = "https://id.example/";
const VISITORS: &str = "/v1/groups/12345/visitors";

fn settings(jwks: &str) -> String {
    format!(
        "{SETTINGS}[[auth.issuers]]\nissuer = \"{NAME}\"\naudience = \"presence\"\njwks = \"{jwks}\"\n\
         groups = [\"12345\"]\nscopes = \"read signal\"\nrefetch_seconds = 1\n"
    )
}

/// What the issuer says of an agent.
fn theirs(changes: Value) -> Value {
    let mut all =
        json!({"iss": NAME, "aud": "presence", "group": null, "scope": "read invoke operate"});
    for (claim, value) in changes.as_object().unwrap() {
        all[claim] = value.clone();
    }
    claims(all)
}

async fn status(server: &Server, token: &str) -> u16 {
    server.rest_as(token, "GET", VISITORS, None, &[]).await.0
}

fn fetched(server: &Server, result: &str) -> f64 {
    server.figure(&format!("issuer_fetches_total{{result=\"{result}\"}}"))
}

#[tokio::test]
async fn an_issuers_keys_may_stand_in_a_file() {
    let (first, second) = (Signing::es256("id-1"), Signing::eddsa("id-2"));
    let server = Server::of(&settings("id.json"), &[("id.json", &document(&[&first]).to_string())]);
    let mut agent = server.agent_with(&first.sign(&theirs(json!({})))).await;
    assert_eq!(agent.welcome["group"], "12345", "the only group that he may speak for");
    assert_eq!(agent.welcome["scope"], "read", "no more than both allow");
    let signal = json!({"type": "invoke", "visitorid": "ada", "func": "GLANCE.a", "args": []});
    agent.refused(signal, "scope").await;
    for (token, expected) in [
        (first.sign(&theirs(json!({"group": "12345"}))), 200),
        (first.sign(&theirs(json!({"group": "777"}))), 401),
        (first.sign(&theirs(json!({"aud": "vestibule"}))), 401),
        (first.sign(&theirs(json!({"iss": "vestibule"}))), 401),
        // Our own key does not speak for him.
        (Signing::of_the_tests().sign(&theirs(json!({}))), 401),
        (second.sign(&theirs(json!({}))), 401),
    ] {
        assert_eq!(status(&server, &token).await, expected);
    }
    // The file changes: who came by the former key goes.
    server.write("id.json", &document(&[&second]).to_string());
    assert_eq!(agent.closed().await.word(), "revoked");
    assert_eq!(status(&server, &first.sign(&theirs(json!({})))).await, 401);
    assert_eq!(status(&server, &second.sign(&theirs(json!({})))).await, 200);
}

#[tokio::test]
async fn an_unknown_key_is_asked_for_and_nobody_can_have_us_ask_often() {
    let (first, second) = (Signing::es256("id-1"), Signing::eddsa("id-2"));
    let issuer = Issuer::publishing(&document(&[&first])).await;
    let server = Server::of(&settings(&issuer.url()), &[]);
    until("the first keys", || fetched(&server, "done") >= 1.0).await;
    let agent = server.agent_with(&first.sign(&theirs(json!({})))).await;

    // The issuer turns to a new key, of which we know nothing yet.
    issuer.publish(&document(&[&first, &second]));
    let asked = issuer.asked();
    let fresh = second.sign(&theirs(json!({})));
    // It is asked for a second after the last question; until then, too, it may come again.
    let is_taken = async {
        let mut pending = 0;
        loop {
            let (status, problem) = server.rest_as(&fresh, "GET", VISITORS, None, &[]).await;
            match status {
                200 => return pending,
                _ => {
                    let told = (status, &problem["code"], &problem["retry_ms"]);
                    assert_eq!(told, (503, &json!("unready"), &json!(1_000)));
                    pending += 1;
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(soon("the new key", is_taken).await > 0);
    assert_eq!(issuer.asked(), asked + 1);

    // Made-up names: one question a second at the most, however many come.
    let (asked, started) = (issuer.asked(), Instant::now());
    let stranger = Signing::secret(Some("made-up"), b"a secret of thirty-two characters");
    let (mut refusals, mut told) = (0, BTreeSet::new());
    while started.elapsed().as_millis() < 2_500 {
        let made_up = stranger.sign(&theirs(json!({"jti": refusals.to_string()})));
        let status = status(&server, &made_up).await;
        assert!(matches!(status, 401 | 503), "{status}");
        told.insert(status);
        refusals += 1;
    }
    let questions = issuer.asked() - asked;
    assert!(refusals > 30 && (1..=4).contains(&questions), "{questions} of {refusals}");
    assert_eq!(told, BTreeSet::from([401, 503]), "asked for, and refused when he does not have it");
    agent.leave().await;
}

#[tokio::test]
async fn a_bad_answer_leaves_the_last_good_keys() {
    let key = Signing::es256("id-1");
    let issuer = Issuer::publishing(&document(&[&key])).await;
    let server = Server::of(&settings(&issuer.url()), &[]);
    until("the first keys", || fetched(&server, "done") >= 1.0).await;
    let token = key.sign(&theirs(json!({})));
    let unknown = Signing::eddsa("made-up").sign(&theirs(json!({})));
    let elsewhere = Issuer::publishing(&document(&[&Signing::eddsa("made-up")])).await;
    let secret = json!({"keys": [{"kty": "oct", "kid": "made-up", "k": "c2VjcmV0"}]}).to_string();
    let location = format!("location: {}\r\n", elsewhere.url());
    let long = format!("{{\"keys\": [], \"padding\": \"{}\"}}", "x".repeat(256 * 1024));
    for (status, headers, body) in [
        ("500 Oh", "", ""),
        ("302 Found", location.as_str(), ""),
        ("200 OK", "", "no JSON"),
        ("200 OK", "", r#"{"keys": []}"#),
        ("200 OK", "", &long),
        ("200 OK", "", &secret),
    ] {
        issuer.answer(status, headers, body);
        let failed = fetched(&server, "failed");
        // Asks until the second since the last question is over.
        let deadline = tokio::time::Instant::now() + crate::support::SOON;
        while fetched(&server, "failed") == failed {
            assert!(matches!(self::status(&server, &unknown).await, 401 | 503));
            assert!(tokio::time::Instant::now() < deadline, "{status} {headers}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(self::status(&server, &token).await, 200, "{status} {headers}");
    }
    assert_eq!(elsewhere.asked(), 0, "no redirect is followed");
    let log = server.final_log();
    assert!(log.contains("the last good ones stay") && !log.contains("planted"), "{log}");
}

#[tokio::test]
async fn who_comes_before_the_issuers_first_answer_is_told_to_come_again() {
    let key = Signing::es256("id-1");
    let issuer = Issuer::publishing(&json!({})).await;
    issuer.answer("503 Later", "", "");
    let server = Server::of(&settings(&issuer.url()), &[]);
    until("a question", || fetched(&server, "failed") >= 1.0).await;
    let token = key.sign(&theirs(json!({})));
    issuer.publish(&document(&[&key]));
    let deadline = tokio::time::Instant::now() + crate::support::SOON;
    loop {
        let mut socket = Socket::open(&server, "/v1/agent", None).await;
        socket.say(json!({"type": "hello", "token": token})).await;
        match socket.next_or_close().await {
            Ok(welcome) => break assert_eq!(welcome["type"], "welcome"),
            Err(closed) => {
                assert!(matches!(closed.word(), "unready" | "authorization"), "{closed:?}")
            }
        }
        assert!(tokio::time::Instant::now() < deadline);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
