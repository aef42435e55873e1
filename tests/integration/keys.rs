//! Our own keys: of each kind, changed while sockets are open, and shown to those who verify for themselves.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{
    Server, Socket,
    mint::{self, Signing, claims, document, verifies},
    server::{GROUP, SETTINGS},
    until,
};

const VISITORS: &str = "/v1/groups/12345/visitors";
const JWKS: &str = "/.well-known/jwks.json";

/// The settings with these keys besides `signing_key`.
fn with_keys(keys: &str) -> String {
    format!("{SETTINGS}{keys}")
}

/// The settings without `signing_key`.
fn only_keys(keys: &str) -> String {
    with_keys(keys).replace("signing_key = ", "# ")
}

fn eddsa(sign: bool) -> String {
    private("ed-1", "EdDSA", "eddsa.pem", sign)
}

fn private(kid: &str, algorithm: &str, file: &str, sign: bool) -> String {
    format!(
        "[[auth.keys]]\nkid = \"{kid}\"\nalgorithm = \"{algorithm}\"\nprivate_key_file = \"{file}\"\nsign = {sign}\n"
    )
}

const FILES: [(&str, &str); 3] =
    [("eddsa.pem", mint::EDDSA), ("es256.pem", mint::ES256), ("rs256.pem", mint::RS256)];

async fn may_read(server: &Server, token: &str) -> bool {
    match server.rest_as(token, "GET", VISITORS, None, &[]).await {
        (200, _) => true,
        (401, problem) => {
            assert_eq!(problem["code"], "authorization");
            false
        }
        other => panic!("{other:?}"),
    }
}

fn jwks(server: &Server) -> Value {
    let (status, body) = server.get(JWKS);
    assert_eq!(status, 200);
    serde_json::from_str(&body).unwrap()
}

/// A token that this server's operator gets from the command line.
fn token_of_the_cli(server: &Server) -> String {
    let made = Command::new(env!("CARGO_BIN_EXE_vestibule"))
        .args(["token", "--group", GROUP, "--config"])
        .arg(server.folder().join("vestibule.toml"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

#[tokio::test]
async fn a_key_is_changed_on_sighup_while_sockets_are_open() {
    let server = Server::start();
    let (old, new) = (Server::token(), Signing::eddsa("ed-1").sign(&claims(json!({}))));
    let mut by_old = server.agent_with(&old).await;
    assert!(may_read(&server, &old).await && !may_read(&server, &new).await);

    // The new key is made known first.
    server.write("eddsa.pem", mint::EDDSA);
    server.write("vestibule.toml", &with_keys(&eddsa(false)));
    assert!(server.hang_up().await);
    assert!(may_read(&server, &old).await && may_read(&server, &new).await);
    assert_eq!(jwks(&server)["keys"][0]["kid"], "ed-1");
    let mut by_new = server.agent_with(&new).await;

    // Then it signs, and the old one is still believed.
    let former = "[auth]\nprevious_signing_keys = [\"a signing key that only the tests know\"]\n";
    let turned = only_keys(&eddsa(true)).replace("[auth]\n", former);
    server.write("vestibule.toml", &turned);
    assert!(server.hang_up().await);
    assert!(may_read(&server, &old).await);
    by_old.ok(json!({"type": "watch", "visitorid": "ada"})).await;
    by_old.present().await;
    let bought = server.agent_with(&token_of_the_cli(&server)).await;

    // A state with a mistake changes nothing.
    server.write("vestibule.toml", &turned.replace("\"EdDSA\"", "\"RS256\""));
    assert!(!server.hang_up().await);
    assert!(server.log().contains("auth.keys[0].private_key_file: must hold a private key"));
    assert!(may_read(&server, &old).await && may_read(&server, &new).await);

    // At last the old one goes, and with it what lives by it.
    server.write("vestibule.toml", &only_keys(&eddsa(true)));
    assert!(server.hang_up().await);
    let closed = by_old.closed().await;
    assert_eq!((closed.code, closed.word()), (4507, "revoked"));
    assert!(!may_read(&server, &old).await && may_read(&server, &new).await);
    by_new.ok(json!({"type": "watch", "visitorid": "ada"})).await;
    by_new.present().await;
    by_new.leave().await;
    bought.leave().await;
}

#[tokio::test]
async fn a_key_file_that_changes_is_read_by_itself() {
    let settings = only_keys(&private("turning", "EdDSA", "turning.pem", true));
    let server = Server::of(&settings, &[("turning.pem", mint::EDDSA)]);
    let mut agent = server.agent_with(&token_of_the_cli(&server)).await;
    let old = Signing::eddsa("turning").sign(&claims(json!({})));
    assert!(may_read(&server, &old).await);

    // Half a file is not taken.
    server.write("turning.pem", &mint::EDDSA[..40]);
    until("the refusal", || server.reloads().1 > 0.0).await;
    assert!(may_read(&server, &old).await);

    // Another key under the same name: tokens of the former one are worth nothing, open sockets neither.
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]).output().unwrap();
    assert!(made.status.success());
    server.write("turning.pem", &String::from_utf8(made.stdout).unwrap());
    until("the new key", || server.reloads().0 > 0.0).await;
    assert_eq!(agent.closed().await.word(), "revoked");
    assert!(!may_read(&server, &old).await);
    let fresh = token_of_the_cli(&server);
    assert!(may_read(&server, &fresh).await && verifies(&jwks(&server), &fresh));
}

#[tokio::test]
async fn each_kind_of_key_signs_and_its_public_half_verifies() {
    for (kid, algorithm, file) in
        [("ed", "EdDSA", "eddsa.pem"), ("es", "ES256", "es256.pem"), ("rs", "RS256", "rs256.pem")]
    {
        let server = Server::of(
            &with_keys(&private(kid, algorithm, file, true))
                .replace("signing_key = ", "previous_signing_keys = []\n# "),
            &FILES,
        );
        let token = token_of_the_cli(&server);
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(
            (header.kid.as_deref(), format!("{:?}", header.alg)),
            (Some(kid), algorithm.to_owned())
        );
        server.agent_with(&token).await.leave().await;
        let shown = jwks(&server);
        assert!(verifies(&shown, &token), "{shown}");
        let [key] = shown["keys"].as_array().unwrap().as_slice() else { panic!("{shown}") };
        assert_eq!((&key["use"], &key["alg"]), (&json!("sig"), &json!(algorithm)));
        // Nothing of the private half: RFC 7518, section 6, and RFC 8037, section 2.
        for secret in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(secret).is_none(), "{shown}");
        }
    }
}

#[tokio::test]
async fn secrets_are_not_shown_and_sign_by_name() {
    let secret = "a secret of the shop's own server";
    let key = format!(
        "[[auth.keys]]\nkid = \"shop\"\nalgorithm = \"HS256\"\nsecret = \"{secret}\"\ngroups = [\"{GROUP}\"]\n"
    );
    let server = Server::of(&with_keys(&key), &[]);
    assert_eq!(jwks(&server), json!({"keys": []}));
    let (_, whole) = server.get(JWKS);
    assert!(!whole.contains("shop"));
    let token = token_of_the_cli(&server);
    assert_eq!(jsonwebtoken::decode_header(&token).unwrap().alg, jsonwebtoken::Algorithm::HS256);
    assert!(may_read(&server, &token).await);
    let by_name = Signing::secret(Some("shop"), secret.as_bytes());
    assert!(may_read(&server, &by_name.sign(&claims(json!({})))).await);
    // Without a name each secret is tried; for another group this one is not believed.
    let unnamed = Signing::secret(None, secret.as_bytes());
    assert!(may_read(&server, &unnamed.sign(&claims(json!({})))).await);
    let elsewhere = unnamed.sign(&claims(json!({"group": "777"})));
    assert!(!may_read_of("777", &server, &elsewhere).await);
    let mut socket = Socket::open(&server, "/v1/agent", None).await;
    socket.say(json!({"type": "hello", "token": elsewhere})).await;
    assert_eq!(socket.closed().await.word(), "authorization");
}

async fn may_read_of(group: &str, server: &Server, token: &str) -> bool {
    let path = format!("/v1/groups/{group}/visitors");
    server.rest_as(token, "GET", &path, None, &[]).await.0 == 200
}

#[tokio::test]
async fn the_document_of_keys_may_be_read_by_every_page() {
    let server = Server::of(&with_keys(&eddsa(false)), &FILES);
    let url = format!("http://{}{JWKS}", server.address());
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert_eq!(answer.headers()["cache-control"], "public, max-age=300");
    let shown: Value = answer.json().await.unwrap();
    let expected = document(&[&Signing::eddsa("ed-1")]);
    assert_eq!(shown["keys"][0]["x"], expected["keys"][0]["x"]);
}
