//! All that one connection can say: requests, upgrades and frames, to a whole server without a listener. `{token}` stands
//! for a token that allows everything, `{hello}` for an agent's first frame with it, `{webhook}` for
//! the id of the group's webhook, to which nothing is posted.

use std::{
    cell::{Cell, LazyCell},
    net::{Ipv4Addr, SocketAddr},
    panic,
    rc::Rc,
    time::Duration,
};

use actix_http::Protocol;
use actix_rt::System;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use vestibule::{
    app::{self, Inlet},
    auth::{Scope, TokenRequest},
    model::{close::CloseCode, error::ErrorCode, topic::Rights},
    settings::{Sources, load},
    sockets::service::SocketService,
};

use super::frames;

const SETTINGS: &str = r#"
[server]
workers = 1
[limits]
max_records = 1000
frame_limit_bytes = 4096
body_limit_bytes = 4096
handshakes_per_second = 1000000
handshakes_per_second_hard = 1000000
handshakes_per_second_total = 1000000
connects_per_second = 1000000
requests_per_second = 1000000
requests_per_second_per_subject = 1000000
guesses_per_minute = 1000000
guesses_per_minute_total = 1000000
[presence]
grace_ms = 0
signal_window_ms = 1
[auth]
signing_key = "a signing key that only the fuzzer knows"
[[groups]]
id = "12345"
visitor_origins = ["https://shop.example"]
agent_origins = ["https://desk.example"]
api_keys = ["an-api-key-of-the-fuzzer"]
partner_key = "a partner's key of the fuzzer"
visitor_keys = ["a key that signs the fuzzer's visitors"]
native_visitors = true
[[groups.webhooks]]
url = "https://backend.example/presence"
secrets = ["whsec_MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1u"]
[[groups]]
id = "777"
[facades]
default_group = "12345"
[log]
filter = "off"
"#;

/// How long an answer may take that does not end by itself: a stream of events, or a wait for one.
const PATIENCE: Duration = Duration::from_millis(5);
/// Longest body of an error.
const LONGEST_ERROR: usize = 1_200;
/// What the facade of Upscope says is wrong, in its own form; `internal_error` would be a fault.
const UPSCOPE_ERRORS: [&str; 6] = [
    "api_not_enabled",
    "invalid_api_key",
    "invalid_parameters",
    "not_found",
    "too_many_requests",
    "unavailable",
];

/// Likewise that of Genesys; `failed` would be a fault.
const GENESYS_ERRORS: [&str; 6] = [
    "not allowed",
    "session unknown",
    "token refused",
    "too many requests",
    "try again later",
    "unknown",
];

pub fn run(bytes: &[u8]) {
    thread_local! {
        // Never dropped: a runtime must not end within the end of its thread.
        static WORLD: LazyCell<&'static World> = LazyCell::new(|| Box::leak(Box::new(World::new())));
    }
    WORLD.with(|world| world.converse(bytes));
}

struct World {
    system: actix_rt::SystemRunner,
    service: SocketService,
    inlet: Rc<dyn Serve>,
    placeholders: [(&'static str, Vec<u8>); 3],
}

/// [`Inlet`] in a form that can be kept: serves a connection until it ends or is taken over.
trait Serve {
    fn serve(&self, connection: DuplexStream);
}

impl<S: Inlet<DuplexStream>> Serve for S
where
    S::Future: 'static,
{
    fn serve(&self, connection: DuplexStream) {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let served = self.call((connection, Protocol::Http1, Some(peer)));
        // How a connection ends is its own affair; the peer's bytes can break it at any time.
        actix_rt::spawn(async { drop(served.await) });
    }
}

impl World {
    fn new() -> Self {
        listen_for_panics();
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("vestibule.toml");
        std::fs::write(&path, SETTINGS).expect("a settings file");
        let settings = load(&Sources { file: Some(path), ..Sources::default() });
        let system = System::new();
        let settings = settings.expect("settings that are right");
        let (service, inlet) = system.block_on(async {
            let (service, inlet) = app::without_listener(settings).await.expect("a server");
            // From now on time stands still while there is anything to do and else goes on at once, so that no run waits.
            #[cfg(fuzzing)]
            tokio::time::pause();
            (service, Rc::new(inlet) as Rc<dyn Serve>)
        });
        let wish = TokenRequest {
            group: "12345".parse().expect("a group"),
            subject: "agent-7".to_owned(),
            name: None,
            scope: Scope::ALL,
            topics: Rights::all(),
            minutes: None,
        };
        let token = service.tokens.issue(wish, service.clock().wall()).expect("a token").token;
        let hello = format!(r#"{{"type":"hello","token":"{token}"}}"#);
        let webhook = service.events.feeds().flat_map(|(_, feed)| feed.endpoints());
        let webhook = webhook.map(|endpoint| endpoint.id.to_string()).next().expect("a webhook");
        let placeholders = [
            ("{hello}", frame(hello.as_bytes())),
            ("{token}", token.into_bytes()),
            ("{webhook}", webhook.into_bytes()),
        ];
        Self { system, service, inlet, placeholders }
    }

    fn converse(&self, bytes: &[u8]) {
        let said = self.filled_in(bytes);
        let answer = self.system.block_on(async {
            let (near, far) = tokio::io::duplex(1 << 16);
            self.inlet.serve(far);
            let (mut reader, mut writer) = tokio::io::split(near);
            let mut answer = Vec::new();
            let conversation = async {
                // The server may have hung up before it heard all.
                let _ = writer.write_all(&said).await;
                let _ = writer.shutdown().await;
                let _ = reader.read_to_end(&mut answer).await;
            };
            let _ = tokio::time::timeout(PATIENCE, conversation).await;
            answer
        });
        // An answer to HEAD tells a length and has no body, so that nobody could tell where the next one begins; one to a
        // preflight is for browsers, which read no body.
        if ["HEAD", "OPTIONS"].iter().all(|method| position(&said, method.as_bytes()).is_none()) {
            judge(&answer);
        }
        let faults = self.service.metrics.closes.of(CloseCode::Internal.into());
        assert_eq!(faults.get(), 0, "closed as our fault");
        assert_eq!(PANICS.get(), 0, "something panicked and was caught");
    }

    fn filled_in(&self, bytes: &[u8]) -> Vec<u8> {
        let mut said = bytes.to_vec();
        for (name, text) in &self.placeholders {
            while let Some(at) = position(&said, name.as_bytes()) {
                said.splice(at..at + name.len(), text.iter().copied());
            }
        }
        said
    }
}

thread_local! {
    static PANICS: Cell<usize> = const { Cell::new(0) };
}

/// Counts panics of this thread: runtimes and the server's own guards catch them, and all would look well.
fn listen_for_panics() {
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        PANICS.set(PANICS.get() + 1);
        before(panic);
    }));
}

/// A client's text frame, under a key of noughts.
fn frame(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).expect("a short text").to_be_bytes();
    [&[0x81, 0x80 | 126], &length[..], &[0; 4], text].concat()
}

/// Checks the answers, one behind the other, as far as a plain reader understands them.
fn judge(mut answers: &[u8]) {
    while let Some(end) = position(answers, b"\r\n\r\n") {
        let head = std::str::from_utf8(&answers[..end]).expect("the head of an answer is text");
        let status: u16 = head.get(9..12).and_then(|it| it.parse().ok()).expect("a status");
        // More may be asked at a time than waits in a queue; nothing else is the server's fault.
        assert!(status < 500 || status == 503, "{head}");
        let header = |name: &str| {
            head.lines()
                .skip(1)
                .filter_map(|line| line.split_once(": "))
                .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
        };
        let rest = &answers[end + 4..];
        if status == 101 {
            frames::are_heard(rest);
            return;
        }
        let length = header("content-length").and_then(|length| length.parse::<usize>().ok());
        // An answer without a length is a stream.
        let Some(body) = length.and_then(|length| rest.get(..length)) else { return };
        if status >= 400 && !body.is_empty() {
            assert!(body.len() <= LONGEST_ERROR, "{}", String::from_utf8_lossy(body));
            is_a_problem(header("content-type").unwrap_or_default(), body);
        }
        answers = &rest[body.len()..];
    }
}

fn is_a_problem(kind: &str, body: &[u8]) {
    assert!(matches!(kind, "application/problem+json" | "application/json"), "{kind}");
    let body: Value = serde_json::from_slice(body).expect("an error is JSON");
    let code = body["code"].as_str().or(body["error"].as_str()).expect("an error has a code");
    let known = match body["status"].as_str() {
        Some("error") => UPSCOPE_ERRORS.contains(&code),
        _ if GENESYS_ERRORS.contains(&code) => true,
        _ => ErrorCode::ALL.iter().any(|known| known.as_str() == code),
    };
    assert!(known, "{code}");
    let field = body["field"].as_str();
    assert!(field.is_none_or(|field| !matches!(field, "" | "?" | ".")), "{body}");
}

fn position(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
