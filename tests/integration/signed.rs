//! Who a visitor may say that he is: signed ids, and apps without an origin.

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::{Server, Socket, server::SHOP, until};

const VISITOR: &str = "/v1/visitor?group=12345";
const KEY: &str = "the first key of the shop's server";
const NEXT_KEY: &str = "the key that comes after the first";
/// `printf 12345:ada | openssl dgst -sha256 -hmac "$KEY"`, and so on.
const ADA: &str = "082fae6dea701282af855079d59dc3d2ead4064b3195a64981bb2f63b6c80ac0";
const ADA_NEXT: &str = "4164e9704d7cdc21e526004d3abe7036ec6e431d4333113488b16f7dde4f06f7";
const BOB: &str = "1f55f70534631f13a26081e2127eb07ce6dfa1f0164e98f49b6db77429f9d481";
const ANONYMOUS: &str = "~0123456789abcdef0123456789abcdef";

fn demanding() -> Server {
    let keys = format!("{NEXT_KEY},{KEY}");
    Server::with(&[
        ("groups.0.visitor_keys", &keys),
        ("groups.0.require_signed_visitors", "true"),
        ("groups.0.native_visitors", "true"),
    ])
}

fn hello(visitor: &str, signature: Option<&str>) -> Value {
    let mut hello = json!({"type": "hello", "visitorid": visitor, "tab": visitor.replace('~', ""),
        "page": "p", "visible": true});
    if let Some(signature) = signature {
        hello["signature"] = signature.into();
    }
    hello
}

async fn greets(server: &Server, hello: Value) -> Socket {
    let mut socket = Socket::open(server, VISITOR, Some(SHOP)).await;
    socket.say(hello).await;
    socket
}

/// The page is told why in words, then by the code; nothing of it reaches the record.
async fn is_refused(server: &Server, hello: Value) {
    let mut socket = greets(server, hello).await;
    let error = socket.hear_a("error").await;
    assert_eq!((&error["code"], &error["field"]), (&json!("signature"), &json!("signature")));
    let closed = socket.closed().await;
    assert_eq!((closed.code, closed.word()), (4506, "signature"));
}

fn token(claims: Value, key: &str) -> String {
    jsonwebtoken::encode(&Header::default(), &claims, &EncodingKey::from_secret(key.as_bytes()))
        .unwrap()
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

#[tokio::test]
async fn a_known_visitor_is_who_the_site_says() {
    let server = demanding();
    is_refused(&server, hello("ada", None)).await;
    is_refused(&server, hello("ada", Some(BOB))).await;
    is_refused(&server, hello("ada", Some("nonsense"))).await;
    is_refused(&server, hello("~almost-anonymous", None)).await;
    let claims = json!({"sub": "ada", "group": 12345, "exp": now() + 60});
    is_refused(&server, hello("bob", Some(&token(claims.clone(), KEY)))).await;
    is_refused(&server, hello("ada", Some(&token(claims.clone(), "a key of somebody else")))).await;
    let old = json!({"sub": "ada", "group": 12345, "exp": now() - 1});
    is_refused(&server, hello("ada", Some(&token(old, KEY)))).await;
    assert_eq!(server.figure("commands_total"), 0.0, "none of them reached a record");
    let refused = |reason: &str| {
        server.figure(&format!(r#"visitor_signatures_refused_total{{reason="{reason}"}}"#))
    };
    assert_eq!([refused("missing"), refused("wrong"), refused("expired")], [2.0, 3.0, 1.0]);

    // Under the key of today and that of yesterday, as a MAC and as a token.
    for signature in [ADA, ADA_NEXT, &token(claims, KEY)] {
        let mut socket = greets(&server, hello("ada", Some(signature))).await;
        assert_eq!(socket.hear_a("welcome").await["visitorid"], "ada");
        socket.leave().await;
    }
}

#[tokio::test]
async fn an_anonymous_visitor_becomes_known_by_a_signature_only() {
    let server = demanding();
    let mut page = greets(&server, hello(ANONYMOUS, None)).await;
    page.hear_a("welcome").await;
    let mut agent = server.agent().await;
    agent.ok(json!({"type": "watch", "visitorid": ANONYMOUS})).await;
    agent.present().await;
    page.refused(json!({"type": "identify", "visitorid": "ada"}), "signature").await;
    let stolen = json!({"type": "identify", "visitorid": "ada", "signature": BOB});
    page.refused(stolen, "signature").await;
    page.ok(json!({"type": "activity"})).await;
    page.ok(json!({"type": "identify", "visitorid": "ada", "signature": ADA})).await;
    agent.event("visitorjoined", json!({"visitorid": "ada"})).await;
    // Nor does a page go on from there as somebody else.
    page.refused(json!({"type": "identify", "visitorid": "bob"}), "signature").await;
    let (_, ada) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
    assert_eq!((&ada["sockets"], &ada["anonymous"]), (&json!(1), &json!(false)));
}

#[tokio::test]
async fn where_no_signature_is_demanded_one_that_is_there_must_be_right() {
    let server = Server::with(&[("groups.0.visitor_keys", KEY)]);
    greets(&server, hello("ada", None)).await.hear_a("welcome").await;
    greets(&server, hello("ada", Some(ADA))).await.hear_a("welcome").await;
    is_refused(&server, hello("ada", Some(BOB))).await;
    // Without keys nobody can have signed it.
    let server = Server::start();
    is_refused(&server, hello("ada", Some(ADA))).await;
}

#[tokio::test]
async fn a_socket_without_an_origin_needs_a_group_that_wants_apps() {
    let server = Server::with(&[("groups.0.native_visitors", "true")]);
    let mut app = Socket::open(&server, VISITOR, None).await;
    app.say(hello("ada", None)).await;
    app.hear_a("welcome").await;
    let mut other = Socket::open(&server, "/v1/visitor?group=777", None).await;
    assert_eq!(other.closed().await.code, 4500);
    // A page does not become an app by an origin that nobody lists.
    for origin in ["null", "https://evil.example", ""] {
        let mut page = Socket::open(&server, VISITOR, Some(origin)).await;
        assert_eq!(page.closed().await.code, 4500, "{origin}");
    }
}

async fn connects(server: &Server, origin: Option<&str>, group: Value, visitor: &str) -> Socket {
    let mut app = Socket::open(server, "/visitorws", origin).await;
    let connect =
        json!({"groupid": group, "type": "connect", "version": "6.8.6.0", "visitorid": visitor});
    // As the public sample sends it: JSON in a binary frame.
    app.say_binary(&connect.to_string()).await;
    app
}

/// The exchange of the public sample (`glance.md` 7.3).
#[tokio::test]
async fn an_app_speaks_as_the_public_sample_does() {
    let server = Server::with(&[("groups.0.native_visitors", "true")]);
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("ada").await, None);
    let mut app = connects(&server, None, json!(12345), "ada").await;
    assert_eq!(app.hear_a("connected").await["data"]["visitorid"], "ada");
    agent.event("visitorconn", json!({"connected": true})).await;
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    let says = |kind: &str, data: Value| {
        json!({"groupid": 12345, "type": kind, "visitorid": "ada", "data": data}).to_string()
    };
    app.say_binary(&says("terms", json!({"status": "displayed"}))).await;
    agent.event("terms", json!({"status": "displayed"})).await;
    let start = r#"{"groupid":12345,"mtype":"visitorsessionstart","visitorid":"ada"}"#;
    app.say_text(start).await;
    agent.event("visitorsessionstart", json!({})).await;
    app.say_binary(&says("visibility", json!({"visibility": "hidden"}))).await;
    agent.event("visibility", json!({"visibility": "hidden"})).await;

    // It knows no acknowledgements: what was written is delivered.
    let sent = agent.signal("ada", json!({"hi": 1})).await;
    assert_eq!(app.hear().await, json!({"type": "signal", "data": {"hi": 1}}));
    agent.outcome(&sent, "delivered").await;
    let invoke = json!({"type": "invoke", "visitorid": "ada",
        "func": "GLANCE.Cobrowse.Visitor.showTerms", "args": {"sessionKey": "ada"}});
    let sent = agent.ok(invoke).await["id"].as_str().unwrap().to_owned();
    let got = app.hear_a("invoke").await;
    assert_eq!(
        got["data"],
        json!({"func": "GLANCE.Cobrowse.Visitor.showTerms", "args": {"sessionKey": "ada"}})
    );
    agent.outcome(&sent, "delivered").await;

    // A second app is the one in use now; the first is told.
    let mut second = connects(&server, None, json!("12345"), "ada").await;
    second.hear_a("connected").await;
    app.hear_a("blur").await;
    app.say_text("nonsense").await;
    let error = app.hear_a("error").await;
    assert_eq!(error["data"]["error"], "badrequest");
    drop((app, second));
    until("both gone", || server.figure(r#"sockets_open{kind="visitor"}"#) == 0.0).await;
}

#[tokio::test]
async fn an_app_comes_in_by_the_same_rules() {
    let server = demanding();
    // As a page of the group's, too; as any other page not.
    let mut evil = connects(&server, Some("https://evil.example"), json!(12345), "ada").await;
    assert_eq!(evil.closed().await.code, 4500);
    let mut unknown = connects(&server, None, json!(99), "ada").await;
    assert_eq!(unknown.closed().await.code, 4501);
    let mut not_native = connects(&server, None, json!(777), "ada").await;
    assert_eq!(not_native.closed().await.code, 4500);
    let mut unsigned = connects(&server, None, json!(12345), "ada").await;
    assert_eq!(unsigned.hear_a("error").await["data"]["error"], "signature");
    assert_eq!(unsigned.closed().await.code, 4506);
    let mut app = Socket::open(&server, "/visitorws", Some(SHOP)).await;
    let connect =
        json!({"groupid": 12345, "type": "connect", "visitorid": "ada", "signature": ADA});
    app.say(connect).await;
    app.hear_a("connected").await;
    drop(app);
    let mut first = Socket::open(&server, "/visitorws", None).await;
    first
        .say(json!({"groupid": 12345, "type": "terms", "visitorid": "ada",
        "data": {"status": "accepted"}}))
        .await;
    assert_eq!(first.closed().await.code, 4504, "connect comes first");
    drop(server);

    let server = Server::with(&[("facades.glance", "false"), ("groups.0.native_visitors", "true")]);
    let mut raw = crate::support::Raw::connect(&server).await;
    let answer = raw.request(&crate::support::Raw::handshake("/visitorws", None)).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}
