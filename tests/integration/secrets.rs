//! Secrets are planted in every place that takes one, and in places that should not; then everything that the server
//! says to others is searched for them.

use std::{process::Command, time::Duration};

use serde_json::json;

use crate::support::{Server, Socket, server, until};

const FORMER_KEY: &str = "planted-former-signing-key-0123456789";
const OWN_API_KEY: &str = "planted-api-key-0123456789";
const PARTNER_KEY: &str = "planted-partner-key-0123456789";
const WRONG_KEY: &str = "planted-wrong-api-key-0123456789";
const IN_QUERY: &str = "planted-token-in-a-query-string";
const IN_BODY: &str = "planted-where-a-number-belongs";
const IN_PRESENCE: &str = "planted-presence-data";
const IN_SIGNAL: &str = "planted-signal-data";
const IN_HELLO: &str = "planted-token-in-a-hello";
const IN_HEADER: &str = "planted-token-in-a-header";
const LOGIN_KEY: &str = "planted-login-key";

/// Everything planted, by what it is.
struct Planted(Vec<(&'static str, String)>);

impl Planted {
    fn everywhere() -> Self {
        Self(vec![
            ("the signing key", server::SIGNING_KEY.into()),
            ("a former signing key", FORMER_KEY.into()),
            ("an API key", OWN_API_KEY.into()),
            ("the partner key", PARTNER_KEY.into()),
            ("a wrong API key", WRONG_KEY.into()),
            ("a token in a query", IN_QUERY.into()),
            ("a secret of the wrong type", IN_BODY.into()),
            ("presence data", IN_PRESENCE.into()),
            ("a signal's data", IN_SIGNAL.into()),
            ("a token in a hello", IN_HELLO.into()),
            ("a token in a header", IN_HEADER.into()),
            ("a login key", LOGIN_KEY.into()),
        ])
    }

    fn assert_absent(&self, from: &str, text: &str) {
        for (what, secret) in &self.0 {
            if let Some(at) = text.find(secret.as_str()) {
                let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
                let line = text[start..].lines().next().unwrap_or_default();
                panic!("{from} tells {what}: {line}");
            }
        }
    }
}

/// What a call answered: head and body. `token` goes where it belongs, if there is one.
fn call(server: &Server, method_and_path: &str, token: &str, body: &str) -> String {
    let (address, length) = (server.address(), body.len());
    let token = match token {
        "" => String::new(),
        token => format!("authorization: Bearer {token}\r\n"),
    };
    let request = format!(
        "{method_and_path} HTTP/1.1\r\nhost: {address}\r\n{token}content-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    server.exchange_whole(&request).unwrap()
}

#[tokio::test]
async fn nothing_secret_is_told_to_anybody() {
    let mut planted = Planted::everywhere();
    let server = Server::with_tls(&[
        ("log.filter", "trace"),
        ("auth.previous_signing_keys", FORMER_KEY),
        ("groups.0.api_keys", OWN_API_KEY),
        ("groups.0.partner_key", PARTNER_KEY),
    ]);
    let pem = std::fs::read_to_string(server.folder().join("key.pem")).unwrap();
    let middle = pem.lines().nth(1).unwrap().to_owned();
    planted.0.push(("the certificate's key", middle));
    let token = Server::token();
    planted.0.push(("a good token", token.clone()));
    let (_, payload_and_signature) = token.split_once('.').unwrap();
    planted.0.push(("a good token without its head", payload_and_signature.to_owned()));
    let short_lived = Server::token_of("777", "read", -60);
    planted.0.push(("an expired token", short_lived.clone()));

    // Sockets: good and bad first messages, presence, signals.
    let mut agent = server.agent().await;
    let mut page =
        server.page("ada", "t").telling(json!({"email": IN_PRESENCE, "cart": 3})).opens().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    let id = agent.signal("ada", json!({"secret": IN_SIGNAL})).await;
    assert_eq!(page.gets(json!({"secret": IN_SIGNAL})).await, id);
    agent.outcome(&id, "delivered").await;
    page.refused(json!({"type": "presence", "data": {"email": [IN_PRESENCE]}}), "badrequest").await;
    let mut told = Vec::new();
    for field in ["request", "visitorid", "visible", "seen", "data"] {
        for wrong in [json!(IN_PRESENCE), json!({"a": IN_PRESENCE}), json!([IN_PRESENCE])] {
            page.say(json!({"type": "hello", field: wrong})).await;
            told.push(page.hear_a("error").await.to_string());
        }
    }
    for token in [IN_HELLO, &format!("{token}x"), &short_lived] {
        let mut socket = Socket::open(&server, "/v1/agent", None).await;
        socket.say(json!({"type": "hello", "token": token})).await;
        told.extend(all_of(socket).await);
    }
    for path in [
        format!("/v1/agent?token={IN_QUERY}&group=12345"),
        format!("/v1/visitor?group=12345&access_token={IN_QUERY}"),
        format!("/v1/visitor?group={IN_QUERY}"),
        format!("/v1/visitor/{IN_QUERY}"),
    ] {
        let request = format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
             connection: upgrade\r\norigin: https://shop.example\r\nauthorization: Bearer {IN_HEADER}\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        told.push(opening(&server, &request));
    }

    // REST: credentials in their places and out of them, and bodies of the wrong types.
    let of_group = "/v1/groups/12345/visitors";
    for (line, bearer) in [
        (format!("GET {of_group}?token={IN_QUERY}"), ""),
        (format!("GET {of_group}?limit={IN_QUERY}"), token.as_str()),
        (format!("GET {of_group}"), IN_HEADER),
        (format!("GET {of_group}"), &short_lived),
        (format!("GET /nowhere/{IN_QUERY}?key={IN_QUERY}"), ""),
    ] {
        told.push(call(&server, &line, bearer, ""));
    }
    let own = r#""group":"12345","subject":"a""#;
    for (path, bearer, body) in [
        ("/v1/tokens", WRONG_KEY, format!("{{{own}}}")),
        ("/v1/tokens", OWN_API_KEY, format!(r#"{{{own},"minutes":"{IN_BODY}"}}"#)),
        ("/v1/tokens", OWN_API_KEY, format!(r#"{{{own},"scope":"{IN_BODY}"}}"#)),
        ("/v1/tokens", OWN_API_KEY, format!(r#"["{IN_BODY}"]"#)),
        ("/v1/tokens", OWN_API_KEY, IN_BODY.to_owned()),
        (
            "/v1/groups/12345/visitors/ada/signals",
            &token,
            format!(r#"{{"data":1,"target":"{IN_BODY}"}}"#),
        ),
        ("/v1/groups/12345/visitors/ada/invocations", &token, format!(r#"{{"func":"{IN_BODY}"}}"#)),
        (
            "/authorization",
            "",
            format!(r#"{{"groupid":"12345","username":"u","password":"{WRONG_KEY}"}}"#),
        ),
        (
            "/authorization",
            "",
            format!(
                r#"{{"groupid":"12345","partnerid":"12345","userid":"u","loginkey":"$1$99${LOGIN_KEY}"}}"#
            ),
        ),
        ("/authorization", "", format!(r#"{{"groupid":{{"a":"{IN_BODY}"}},"password":7}}"#)),
    ] {
        told.push(call(&server, &format!("POST {path}"), bearer, &body));
    }
    // What was said to them is an answer, not silence.
    assert!(told.iter().all(|text| !text.is_empty()), "{told:?}");
    for text in &told {
        planted.assert_absent("an answer", text);
    }

    let metrics = server.get("/metrics").1;
    planted.assert_absent("/metrics", &metrics);
    planted.assert_absent("/v1/about", &server.get("/v1/about").1);
    // A reload with a bad key logs an error; the end logs what is saved.
    std::fs::write(
        server.folder().join("key.pem"),
        format!("-----BEGIN PRIVATE KEY-----\n{IN_BODY}\n"),
    )
    .unwrap();
    until("the refusal", || server.figure("reloads_total{result=\"refused\"}") > 0.0).await;
    page.leave().await;
    drop(agent);
    let log = server.final_log();
    assert!(log.contains("TRACE"), "the log is at its most talkative");
    assert!(log.contains("the new state is refused"), "{log}");
    planted.assert_absent("the log", &log);
}

/// What a socket was told until it was closed.
async fn all_of(mut socket: Socket) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match socket.next_or_close().await {
            Ok(message) => told.push(message.to_string()),
            Err(closed) => {
                told.push(format!("{closed:?}"));
                return told;
            }
        }
    }
}

/// The first bytes of the answer to a handshake: its head, and the close frame if there is one.
fn opening(server: &Server, request: &str) -> String {
    use std::io::{Read as _, Write as _};
    let stream = std::net::TcpStream::connect(server.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut stream = server.authority().unwrap().secure(stream);
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// Settings that hold secrets where they do not belong: neither `check` nor the start repeats them.
#[test]
fn wrong_settings_are_told_without_what_they_hold() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("vestibule.toml");
    let secret = "planted-secret-of-the-settings-0123";
    let (good, long) = (format!("[auth]\nsigning_key = \"{secret}\"\n"), secret.repeat(2));
    for (number, settings) in [
        format!("[auth]\nsigning_key = [\"{secret}\"]"),
        format!("[auth]\nsigning_key = \"{secret}"),
        format!("[auth]\nsigning_keys = \"{secret}\""),
        format!("[auth]\nsigning_key = \"x\"\nprevious_signing_keys = \"{secret}\""),
        format!("{good}token_minutes = \"{secret}\""),
        format!("{good}[server]\nbind = \"{secret}\""),
        format!("{good}[server]\nworkers = \"{secret}\""),
        format!("{good}[server]\npublic_url = \"{secret}\""),
        format!("{good}[server.tls]\ncertificate = \"x\"\nkey = {{ a = \"{secret}\" }}"),
        format!("{good}[server.tls]\nmin_version = \"{secret}\""),
        format!("{good}[log]\nformat = \"{secret}\""),
        format!("{good}[[groups]]\nid = \"{long}\""),
        format!("{good}[[groups]]\nid = 1\napi_keys = \"{secret}\""),
        format!("{good}[[groups]]\nid = 1\napi_keys = [[\"{secret}\"]]"),
        format!("{good}[[groups]]\nid = 1\npartner_key = {{ \"{secret}\" = 1 }}"),
        format!("{good}[[groups]]\nid = 1\nvisitor_origins = [\"https://u:{secret}@a.example\"]"),
    ]
    .iter()
    .enumerate()
    {
        std::fs::write(&file, settings).unwrap();
        for command in ["check", "serve"] {
            let output = Command::new(env!("CARGO_BIN_EXE_vestibule"))
                .args([command, "--config"])
                .arg(&file)
                .output()
                .unwrap();
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8(said).unwrap();
            assert!(!output.status.success() && !said.is_empty(), "case {number}: {said}");
            assert!(!said.contains(secret), "case {number}, {command}: {said}");
        }
    }
    // Good settings, and a variable that is wrong.
    std::fs::write(&file, format!("{good}[[groups]]\nid = 1\napi_keys = [\"{secret}\"]")).unwrap();
    for (variable, value) in [
        ("VESTIBULE_NOTHING", "x"),
        ("VESTIBULE_SERVER__WORKERS", secret),
        ("VESTIBULE_LOG__FORMAT", secret),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_vestibule"))
            .args(["check", "--config"])
            .arg(&file)
            .env(variable, value)
            .output()
            .unwrap();
        assert_eq!(output.status.success(), variable == "VESTIBULE_NOTHING");
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!said.contains(secret), "{variable}: {said}");
    }
}
