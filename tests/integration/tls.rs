//! TLS in the server itself: everything goes over it, and its certificate changes while sockets are open.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::support::{
    SOON, Server, Socket,
    server::{GROUP, SHOP},
    tls::{Authority, Pair},
    until,
};

/// The certificate that a new connection is shown.
fn shown(server: &Server) -> CertificateDer<'static> {
    let stream = TcpStream::connect(server.address()).unwrap();
    let mut stream = server.authority().unwrap().secure(stream);
    stream.conn.complete_io(&mut stream.sock).unwrap();
    stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

fn hang_up(server: &Server) {
    let pid = server.pid().to_string();
    let sent = std::process::Command::new("kill").args(["-HUP", &pid]).status();
    assert!(sent.unwrap().success());
}

fn handshakes(server: &Server, result: &str) -> f64 {
    server.figure(&format!("tls_handshakes_total{{result=\"{result}\"}}"))
}

fn refusals(server: &Server) -> f64 {
    server.figure("reloads_total{result=\"refused\"}")
}

/// All that came until the server ended the connection.
fn rest(mut stream: impl std::io::Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    bytes
}

#[tokio::test]
async fn sockets_rest_and_long_answers_go_over_tls() {
    let server = Server::with_tls(&[]);
    let mut agent = server.agent().await;
    let mut pages = Vec::new();
    // More than one for each worker, so that signals cross threads.
    for number in 0..8 {
        pages.push(server.page(&format!("v{number}"), "t").opens().await);
    }
    for (number, page) in pages.iter_mut().enumerate() {
        let visitor = format!("v{number}");
        assert_eq!(agent.watch(&visitor).await, Some(1));
        // Larger than a TLS record and than what a connection buffers.
        let data = json!({"text": "x".repeat(60_000), "number": number});
        let id = agent.signal(&visitor, data.clone()).await;
        assert_eq!(page.gets(data).await, id);
        agent.outcome(&id, "delivered").await;
    }
    let (address, token) = (server.address(), Server::token());
    let head = |path: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n")
    };
    let list = server.exchange(&head(&format!("/v1/groups/{GROUP}/visitors"))).unwrap();
    let (top, body) = list.split_once("\r\n\r\n").unwrap();
    assert!(top.starts_with("HTTP/1.1 200 "), "{top}");
    assert!(top.contains("strict-transport-security: max-age=31536000"), "{top}");
    let list: Value = serde_json::from_str(body).unwrap();
    assert_eq!(list["visitors"].as_array().unwrap().len(), 8);
    // An answer of hundreds of KiB arrives whole.
    let document = server.exchange(&head("/openapi.json")).unwrap();
    let (_, body) = document.split_once("\r\n\r\n").unwrap();
    assert!(serde_json::from_str::<Value>(body).unwrap()["openapi"].is_string());
    for page in pages {
        page.leave().await;
    }
}

/// A reader that is slower than the writer: what TLS holds back must come when there is room again.
#[tokio::test]
async fn what_waits_behind_a_slow_reader_comes_at_last() {
    const SIGNALS: usize = 8;
    let server = Server::with_tls(&[("limits.outbox_limit_bytes", "4000000")]);
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    let mut sent = Vec::new();
    for number in 0..SIGNALS {
        let data = json!({"number": number, "text": "y".repeat(30_000)});
        sent.push((agent.signal("ada", data.clone()).await, data));
    }
    for (id, data) in sent {
        assert_eq!(page.gets(data).await, id);
        agent.outcome(&id, "delivered").await;
    }
}

#[tokio::test]
async fn the_certificate_is_renewed_while_sockets_are_open() {
    let server = Server::with_tls(&[]);
    let authority = server.authority().unwrap();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    let before = shown(&server);

    // By SIGHUP.
    let second = authority.pair();
    second.write(server.folder());
    hang_up(&server);
    until("the second certificate", || shown(&server) == second.shown()).await;
    assert_ne!(before, second.shown());

    // Bad ones are refused, whatever is wrong with them, and the second stays.
    let (other, ended) = (authority.pair(), authority.pair_until(2021));
    let bad = [
        Pair { certificate: other.certificate, key: second.key.clone() },
        Pair { certificate: "nothing".into(), key: second.key.clone() },
        Pair { certificate: second.certificate.clone(), key: "nothing".into() },
        ended,
    ];
    for (number, pair) in bad.iter().enumerate() {
        let before = refusals(&server);
        pair.write(server.folder());
        hang_up(&server);
        until("the refusal", || refusals(&server) > before).await;
        assert_eq!(shown(&server), second.shown(), "after bad pair {number}");
    }
    let log = server.log();
    for words in [
        "does not belong to server.tls.certificate",
        "fullchain.pem: holds no certificate",
        "key.pem: holds no private key",
        "the certificate ended at 2021-12-31",
    ] {
        assert!(log.contains(words), "{words}\n{log}");
    }

    // By the files alone.
    let third = authority.pair_until(2100);
    third.write(server.folder());
    until("the third certificate", || shown(&server) == third.shown()).await;
    let end_of_2100 = server.figure("tls_certificate_expires_seconds");
    assert!((4_133_894_400.0..4_133_980_800.0).contains(&end_of_2100), "{end_of_2100}");

    // Who was there has noticed nothing.
    let id = agent.signal("ada", json!("still here")).await;
    assert_eq!(page.gets(json!("still here")).await, id);
    agent.outcome(&id, "delivered").await;
}

/// `vestibule check` reads the pair as the start does.
#[test]
fn check_judges_the_pair() {
    let folder = tempfile::TempDir::new().unwrap();
    let settings = "[auth]\nsigning_key = \"0123456789abcdef0123456789abcdef\"\n\
        [server.tls]\ncertificate = \"fullchain.pem\"\nkey = \"key.pem\"\n";
    std::fs::write(folder.path().join("vestibule.toml"), settings).unwrap();
    let check = || {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_vestibule"))
            .args(["check", "--config"])
            .arg(folder.path().join("vestibule.toml"))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(said).unwrap())
    };
    let missing = check();
    assert!(!missing.0 && missing.1.contains("fullchain.pem: No such file"), "{missing:?}");
    let authority = Authority::new();
    let (good, ended, other) = (authority.pair(), authority.pair_until(2021), authority.pair());
    good.write(folder.path());
    let (is_well, said) = check();
    assert!(is_well, "{said}");
    assert!(said.contains("TLS: certificate for 127.0.0.1, presence.test, until 2200-12-31"));
    assert!(!said.contains("warning"), "{said}");
    ended.write(folder.path());
    let (is_well, said) = check();
    assert!(
        is_well && said.contains("warning: the certificate has ended, at 2021-12-31"),
        "{said}"
    );
    Pair { certificate: good.certificate, key: other.key }.write(folder.path());
    let (is_well, said) = check();
    assert!(!is_well && said.contains("does not belong to server.tls.certificate"), "{said}");
}

/// A connection that goes no further than these bytes.
struct Slow {
    stream: TcpStream,
    begun: Instant,
}

impl Slow {
    fn begin(server: &Server, bytes: &[u8]) -> Self {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.write_all(bytes).unwrap();
        Self { stream, begun }
    }

    /// Whether the server has ended it.
    fn is_over(&mut self) -> bool {
        self.stream.set_nonblocking(true).unwrap();
        let read = self.stream.read(&mut [0]);
        self.stream.set_nonblocking(false).unwrap();
        match read {
            Ok(read) => read == 0,
            Err(error) => error.kind() != ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test]
async fn a_slow_handshake_ends_in_time_and_holds_nobody_up() {
    const TIMEOUT: Duration = Duration::from_secs(3);
    let server = Server::with_tls(&[
        ("server.tls.handshake_timeout_ms", &TIMEOUT.as_millis().to_string()),
        ("server.tls.max_handshakes", "3"),
    ]);
    let started = Instant::now();
    // One says nothing, one begins a record, one is in the middle of its length.
    let says: [&[u8]; 3] = [&[], &[0x16], &[0x16, 3, 1, 0]];
    let mut slow = says.map(|bytes| Slow::begin(&server, bytes));
    // All places are taken: the next is left before its time. One that came too early has the place of one of the three, and
    // where the time of these is over, others come.
    let mut more = Vec::new();
    until("a refusal", || {
        for (slow, bytes) in slow.iter_mut().zip(says) {
            if slow.is_over() {
                *slow = Slow::begin(&server, bytes);
            }
        }
        more.push(Slow::begin(&server, &[]));
        more.iter_mut().any(|one| one.is_over() && one.begun.elapsed() < TIMEOUT)
    })
    .await;
    let mut last = started;
    for one in slow.into_iter().chain(more) {
        one.stream.set_read_timeout(Some(SOON)).unwrap();
        assert!(rest(one.stream).is_empty());
        last = last.max(one.begun);
    }
    // By the setting, and not after the 10 s that are usual.
    let (longest, shortest) = (started.elapsed(), last.elapsed());
    assert!(longest >= TIMEOUT && shortest < 3 * TIMEOUT, "{longest:?}, {shortest:?}");
    server.page("ada", "t").opens().await.leave().await;
    let (late, left) = (handshakes(&server, "timeout"), handshakes(&server, "toomany"));
    assert!(late >= 3.0 && left >= 1.0, "{late} late, {left} left");
}

#[tokio::test]
async fn garbage_and_plain_http_get_a_short_answer() {
    let server = Server::with_tls(&[]);
    let says = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        rest(stream)
    };
    let answer = String::from_utf8(says(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")).unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nThis port speaks HTTPS.\n"), "{answer}");
    assert_eq!(says(b"\x00\x01\x02\x03"), b"");
    until("the count", || handshakes(&server, "plain") == 2.0).await;
    // A record that is no handshake after all: at most an alert comes back (RFC 8446, section 6).
    let alert = says(&[0x16, 3, 1, 0, 4, 9, 9, 9, 9]);
    assert!(alert.is_empty() || alert[0] == 21, "{alert:?}");
    until("the count", || handshakes(&server, "failed") == 1.0).await;
    server.page("ada", "t").opens().await.leave().await;
}

#[tokio::test]
async fn old_versions_and_other_protocols_are_refused() {
    use rustls::{ClientConfig, ClientConnection, crypto::ring, version};
    let server = Server::with_tls(&[("server.tls.min_version", "1.3")]);
    let connect = |versions: &[&'static rustls::SupportedProtocolVersion], protocol: &str| {
        let trusting = server.authority().unwrap().client();
        let mut client = ClientConfig::builder_with_provider(ring::default_provider().into())
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        client.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let mut same = (*trusting).clone();
        same.alpn_protocols = client.alpn_protocols.clone();
        let config = if versions.len() == 1 { client } else { same };
        let mut connection = ClientConnection::new(config.into(), Authority::name()).unwrap();
        let mut stream = TcpStream::connect(server.address()).unwrap();
        match connection.complete_io(&mut stream) {
            Ok(_) => connection.alpn_protocol().map(<[u8]>::to_vec).ok_or_else(String::new),
            Err(error) => Err(error.to_string()),
        }
    };
    let both = [&version::TLS12, &version::TLS13];
    assert_eq!(connect(&both, "http/1.1"), Ok(b"http/1.1".to_vec()));
    assert!(connect(&both, "h2").unwrap_err().contains("NoApplicationProtocol"));
    assert!(connect(&[&version::TLS12], "http/1.1").unwrap_err().contains("ProtocolVersion"));
}

#[tokio::test]
async fn the_greeting_and_own_pages_follow_the_scheme() {
    let server = Server::with_tls(&[]);
    let own = format!("https://{}", server.address());
    let path = format!("/v1/visitor?group={GROUP}");
    let mut socket = Socket::open(&server, &path, Some(&own)).await;
    let hello =
        json!({"type": "hello", "visitorid": "ada", "tab": "t", "page": "p", "visible": true});
    socket.say(hello).await;
    socket.hear_a("welcome").await;
    let mut elsewhere = Socket::open(&server, &path, Some("https://elsewhere.example")).await;
    assert_eq!(elsewhere.closed().await.word(), "origin");
    Socket::open(&server, &path, Some(SHOP)).await.goes().await;
}
