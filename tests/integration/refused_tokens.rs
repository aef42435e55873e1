//! Each token that must not be believed, over REST and over the socket.

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::support::{
    Server, Socket,
    mint::{self, RS256_PUBLIC, Signing, claims, compose, now},
    server::{GROUP, SETTINGS, SIGNING_KEY},
};

/// How a token is refused: by which reason in the metrics, with which status and code over REST, and with which close.
#[derive(Clone, Copy, Debug)]
struct Refusal {
    reason: Option<&'static str>,
    status: u16,
    code: &'static str,
    close: (u16, &'static str),
}

const fn refusal(reason: &'static str) -> Refusal {
    let close = (4502, "authorization");
    Refusal { reason: Some(reason), status: 401, code: "authorization", close }
}

const EXPIRED: Refusal = Refusal { close: (4503, "expired"), ..refusal("expired") };
/// The token is good, but for nothing of this group.
const ANOTHER_GROUP: Refusal =
    Refusal { reason: None, status: 403, code: "group", close: (4502, "authorization") };

const OTHERS_SECRET: &str = "a secret of the other group's server";

fn settings() -> String {
    format!(
        "{SETTINGS}\
         [[auth.keys]]\nkid = \"rs-1\"\nalgorithm = \"RS256\"\npublic_key_file = \"rs256.pem\"\n\
         [[auth.keys]]\nkid = \"es-1\"\nalgorithm = \"ES256\"\nprivate_key_file = \"es256.pem\"\n\
         [[auth.keys]]\nkid = \"ed-1\"\nalgorithm = \"EdDSA\"\nprivate_key_file = \"eddsa.pem\"\n\
         [[auth.keys]]\nkid = \"others\"\nalgorithm = \"HS256\"\nsecret = \"{OTHERS_SECRET}\"\ngroups = [\"777\"]\n"
    )
}

fn hmac(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let unsigned = compose(header, claims, b"");
    let signed = unsigned.trim_end_matches('.');
    let key = EncodingKey::from_secret(secret);
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{signed}.{signature}")
}

/// The token with something else in the place of one of its parts.
fn with_part(token: &str, place: usize, part: &str) -> String {
    let mut parts: Vec<_> = token.split('.').collect();
    parts[place] = part;
    parts.join(".")
}

fn encoded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The signature with one bit of its first byte turned.
fn with_turned_bit(token: &str) -> String {
    let signature = token.rsplit('.').next().unwrap();
    let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    bytes[0] ^= 1;
    with_part(token, 2, &BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

fn table() -> Vec<(&'static str, String, Refusal)> {
    let own = Signing::of_the_tests();
    let good = claims(json!({}));
    let with = |changes: Value| own.sign(&claims(changes));
    let body = RS256_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let der = BASE64_STANDARD.decode(body).unwrap();
    let (malformed, forged) = (refusal("malformed"), refusal("bad_signature"));
    let unknown = refusal("unknown_key");
    let mut rows = Vec::new();
    let mut row = |name, token, refusal| rows.push((name, token, refusal));

    row("none", compose(&json!({"alg": "none", "typ": "JWT"}), &good, b""), malformed);
    row("none, in capitals", compose(&json!({"alg": "NONE"}), &good, b""), malformed);
    row(
        "none, of a known key",
        compose(&json!({"alg": "none", "kid": "ed-1"}), &good, b""),
        malformed,
    );
    row("none, with a signature", compose(&json!({"alg": "none"}), &good, b"signed"), malformed);
    row("no algorithm", compose(&json!({"kid": "ed-1"}), &good, b""), malformed);

    // A public key is no secret: everyone has it.
    let hs = json!({"alg": "HS256", "kid": "rs-1"});
    row("HS for RS: the PEM file", hmac(&hs, &good, RS256_PUBLIC.as_bytes()), forged);
    row("HS for RS: its text", hmac(&hs, &good, RS256_PUBLIC.trim().as_bytes()), forged);
    row("HS for RS: its bytes", hmac(&hs, &good, &der), forged);
    row(
        "HS for RS: unnamed",
        hmac(&json!({"alg": "HS256"}), &good, RS256_PUBLIC.as_bytes()),
        forged,
    );
    row("RS for HS", Signing::rs256("others").sign(&good), forged);
    row("RS for ES", Signing::rs256("es-1").sign(&good), forged);
    row("RS, unnamed", Signing::rs256("").unnamed().sign(&good), forged);
    // ECDSA libraries have taken zeroes for a signature of everything.
    row("ES, of zeroes", compose(&json!({"alg": "ES256", "kid": "es-1"}), &good, &[0; 64]), forged);
    row(
        "EdDSA, of zeroes",
        compose(&json!({"alg": "EdDSA", "kid": "ed-1"}), &good, &[0; 64]),
        forged,
    );

    row("unknown kid", Signing::eddsa("nobody's").sign(&good), unknown);
    row("kid: a path", Signing::secret(Some("../../../../dev/null"), b"").sign(&good), unknown);
    row("kid: a query", Signing::secret(Some("' OR 1=1 --"), b"").sign(&good), unknown);
    row("kid: empty", Signing::secret(Some(""), SIGNING_KEY.as_bytes()).sign(&good), unknown);
    row(
        "kid: no text",
        hmac(&json!({"alg": "HS256", "kid": ["ed-1"]}), &good, SIGNING_KEY.as_bytes()),
        malformed,
    );
    // What a token says of its own key is not listened to.
    let own_key = Signing::eddsa("mine").public();
    let brought = json!({"alg": "EdDSA", "kid": "es-1", "jwk": own_key});
    row("a key of its own", resigned(&brought, &good), forged);
    let address = json!({"alg": "EdDSA", "kid": "mine", "jku": "http://127.0.0.1:1/jwks.json"});
    row("an address of its own", resigned(&address, &good), unknown);
    row(
        "crit",
        hmac(
            &json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
            &good,
            SIGNING_KEY.as_bytes(),
        ),
        refusal("critical"),
    );

    row(
        "another group's key",
        Signing::secret(Some("others"), OTHERS_SECRET.as_bytes()).sign(&good),
        refusal("wrong_group"),
    );
    row(
        "another group's key, unnamed",
        Signing::secret(None, OTHERS_SECRET.as_bytes()).sign(&good),
        refusal("wrong_group"),
    );
    row("wrong group", with(json!({"group": "777"})), ANOTHER_GROUP);
    row("no group", with(json!({"group": null})), malformed);
    row("two groups", with(json!({"group": [GROUP, "777"]})), malformed);

    row("wrong audience", with(json!({"aud": "elsewhere"})), refusal("wrong_audience"));
    row("wrong audiences", with(json!({"aud": ["a", "b"]})), refusal("wrong_audience"));
    row("no audience", with(json!({"aud": null})), malformed);
    row("wrong issuer", with(json!({"iss": "elsewhere"})), refusal("wrong_issuer"));
    row("no issuer", with(json!({"iss": null})), malformed);

    row("expired", with(json!({"iat": now() - 600, "exp": now() - 1})), EXPIRED);
    row("expired long ago", with(json!({"iat": 1, "exp": 2})), EXPIRED);
    row("no end", with(json!({"exp": null})), malformed);
    row("an end that is no number", with(json!({"exp": "2999-01-01"})), malformed);
    row("an end beyond all numbers", with(json!({"exp": 1e300})), malformed);
    row("lives too long", with(json!({"exp": now() + 3 * 3_600})), refusal("lives_too_long"));
    row("not yet valid: nbf", with(json!({"nbf": now() + 60})), refusal("not_yet_valid"));
    row("not yet valid: iat", with(json!({"iat": now() + 60})), refusal("not_yet_valid"));
    row("no beginning", with(json!({"iat": null})), malformed);
    row("no name", with(json!({"jti": null})), malformed);

    for signing in
        [own.clone(), Signing::rs256("rs-1"), Signing::es256("es-1"), Signing::eddsa("ed-1")]
    {
        let token = signing.sign(&good);
        let more = encoded(&claims(json!({"scope": "read operate"})));
        row("tampered claims", with_part(&token, 1, &more), forged);
        row("tampered signature", with_turned_bit(&token), forged);
        row("no signature", with_part(&token, 2, ""), forged);
    }
    row(
        "another secret",
        Signing::secret(None, b"somebody else's secret, thirty-two").sign(&good),
        forged,
    );
    row("not a token", "nonsense".to_owned(), malformed);
    row("four parts", format!("{}.x", own.sign(&good)), malformed);
    row("oversized", with(json!({"name": "n".repeat(4 * 1024)})), refusal("too_large"));
    row("oversized, of nothing", "x".repeat(8 * 1024), refusal("too_large"));
    rows
}

/// A token with this header, signed by the EdDSA key of the fixtures.
fn resigned(header: &Value, claims: &Value) -> String {
    let unsigned = compose(header, claims, b"");
    let signed = unsigned.trim_end_matches('.');
    let key = EncodingKey::from_ed_pem(mint::EDDSA.as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::EdDSA).unwrap();
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn each_is_refused_by_its_reason_over_rest_and_over_the_socket() {
    let files =
        [("rs256.pem", RS256_PUBLIC), ("es256.pem", mint::ES256), ("eddsa.pem", mint::EDDSA)];
    let server = Server::of(&settings(), &files);
    // First that the table's tokens would be good, but for the one thing.
    for signing in [
        Signing::of_the_tests(),
        Signing::rs256("rs-1"),
        Signing::es256("es-1"),
        Signing::eddsa("ed-1"),
    ] {
        server.agent_with(&signing.sign(&claims(json!({})))).await.leave().await;
    }
    for (name, token, refusal) in table() {
        let figure = refusal
            .reason
            .map(|reason| format!("authorization_failures_total{{reason=\"{reason}\"}}"));
        let count = || figure.as_ref().map_or(0.0, |figure| server.figure(figure));
        let before = count();
        let path = "/v1/groups/12345/visitors";
        let (status, problem) = server.rest_as(&token, "GET", path, None, &[]).await;
        assert_eq!(
            (status, problem["code"].as_str()),
            (refusal.status, Some(refusal.code)),
            "{name}: {problem}"
        );
        let mut socket = Socket::open(&server, &format!("/v1/agent?group={GROUP}"), None).await;
        socket.say(json!({"type": "hello", "token": token})).await;
        let closed = socket.closed().await;
        assert_eq!((closed.code, closed.word()), refusal.close, "{name}");
        if refusal.reason.is_some() {
            assert_eq!(count() - before, 2.0, "{name} is counted under another reason");
        }
    }
}
