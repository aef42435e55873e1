//! What docs/operations.md promises: its metrics exist, its nginx serves, its backup brings back what was there.

use std::{
    fs,
    io::{ErrorKind, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;
use socket2::{Domain, Socket as AnySocket, Type};
use sqlx::SqlitePool;
use tempfile::TempDir;

use crate::support::{
    Raw, SOON, Server, Stop,
    raw::hello,
    receiver::{Receiver, SECRET, status},
    server::{GROUP, SHOP},
    tls::Authority,
    until,
};

const GUIDE: &str = include_str!("../../docs/operations.md");

/// The first block of code in that language.
fn block(language: &str) -> &'static str {
    let (_, behind) = GUIDE.split_once(&format!("```{language}\n")).unwrap();
    behind.split_once("```").unwrap().0
}

#[tokio::test]
async fn a_log_that_goes_to_a_file_holds_no_colours() {
    let log = Server::start().final_log();
    assert!(log.contains(" INFO "), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}

#[tokio::test]
async fn the_metrics_that_are_described_exist() {
    let server = Server::start();
    let (_, figures) = server.get("/metrics");
    let section = GUIDE.split_once("## Metrics\n").unwrap().1.split_once("\n## ").unwrap().0;
    let table = section.lines().filter(|line| line.starts_with("| `"));
    // Every second part between backticks of the first column.
    let names =
        table.flat_map(|line| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    let names = names.map(|name| name.split('{').next().unwrap().to_owned());
    let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
    let rules = block("yaml").split("vestibule_").skip(1);
    let rules = rules.map(|rest| rest.chars().take_while(|c| is_name(*c)).collect());
    let names: Vec<String> = names.chain(rules).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        let line = format!("vestibule_{name}");
        let is_there = figures.lines().any(|figure| {
            figure.strip_prefix(&line).is_some_and(|rest| rest.starts_with([' ', '{', '_']))
        });
        assert!(is_there, "{name} is described and not there");
    }
}

/// The documented copy of a file in use, and the documented way back.
#[tokio::test]
async fn a_backup_of_a_running_server_can_be_restored() {
    let receiver = Receiver::answering(|_| status(410)).await;
    let (url, secrets) = (receiver.url(), SECRET.to_owned());
    let webhook =
        [("groups.0.webhooks.0.url", url.as_str()), ("groups.0.webhooks.0.secrets", &secrets)];
    let mut server = Server::with(&webhook);
    server.page("ada", "t").opens().await.leave().await;
    let dead = r#"webhook_events_total{outcome="dead"}"#;
    until("dead letters", || server.figure(dead) >= 4.0).await;
    let letters = dead_letters(&server).await;

    let folder = server.folder().to_owned();
    let storage = format!("sqlite:{}", folder.join("saved.db").display());
    let pool = SqlitePool::connect(&storage).await.unwrap();
    let copy = folder.join("copy.db").display().to_string();
    assert!(GUIDE.contains("VACUUM INTO"));
    sqlx::query("VACUUM INTO ?").bind(copy).execute(&pool).await.unwrap();
    pool.close().await;

    server.signal(Stop::Terminate);
    assert!(server.ended().success());
    for file in ["saved.db", "saved.db-wal", "saved.db-shm"] {
        let removed = fs::remove_file(folder.join(file));
        assert!(removed.is_ok() || file != "saved.db");
    }
    fs::rename(folder.join("copy.db"), folder.join("saved.db")).unwrap();
    let server = server.restarted(Stop::Terminate);
    assert_eq!(dead_letters(&server).await, letters);
    let page = server.page("ada", "t").opens().await;
    until("the figure", || server.figure("visitors_connected") == 1.0).await;
    page.leave().await;
}

async fn dead_letters(server: &Server) -> Value {
    let token = Server::token_of(GROUP, "read operate", 60);
    let list = "/v1/groups/12345/webhooks";
    let (_, listed) = server.rest_as(&token, "GET", list, None, &[]).await;
    let id = listed["webhooks"][0]["id"].as_str().unwrap();
    let path = format!("{list}/{id}/dead-letters");
    let (status, letters) = server.rest_as(&token, "GET", &path, None, &[]).await;
    assert_eq!(status, 200, "{letters}");
    assert!(!letters["letters"].as_array().unwrap().is_empty(), "{letters}");
    letters
}

/// An nginx with the documented configuration; killed when it is dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    authority: Authority,
    _folder: TempDir,
}

impl Nginx {
    /// `None` where nginx is not installed.
    fn before(server: &Server) -> Option<Self> {
        let program = ["nginx", "/usr/sbin/nginx"].into_iter().find(|program| {
            let version = Command::new(program).arg("-v").stderr(Stdio::null()).status();
            version.is_ok_and(|status| status.success())
        })?;
        let (folder, authority) =
            (TempDir::with_prefix("vestibule-nginx-").unwrap(), Authority::new());
        authority.pair().write(folder.path());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let settings = folder.path().join("nginx.conf");
        fs::write(&settings, configuration(folder.path(), address, server.address())).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&settings).stdin(Stdio::null());
        let child = command.spawn().unwrap();
        let nginx = Self { child, address, authority, _folder: folder };
        nginx.wait();
        Some(nginx)
    }

    fn wait(&self) {
        let end = Instant::now() + SOON;
        while TcpStream::connect(self.address).is_err() {
            assert!(Instant::now() < end, "nginx did not start");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// A connection of a client whose address is 127.0.0.`host`.
    fn connect(&self, host: u8) -> StreamOwned<ClientConnection, TcpStream> {
        let socket = AnySocket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, host), 0)).into()).unwrap();
        socket.connect(&self.address.into()).unwrap();
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(SOON)).unwrap();
        self.authority.secure(stream)
    }

    fn get(&self, path: &str) -> String {
        let mut stream = self.connect(1);
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        read_until(&mut stream, "\r\n")
    }

    /// A visitor's page: its socket's first words.
    fn page(&self, host: u8) -> (StreamOwned<ClientConnection, TcpStream>, String) {
        let mut stream = self.connect(host);
        let path = format!("/v1/visitor?group={GROUP}");
        stream.write_all(Raw::handshake(&path, Some(SHOP)).as_bytes()).unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let (_, refusal) = answer.split_once("\r\n\r\n").unwrap();
        if !refusal.is_empty() {
            // The server's close came with its handshake.
            return (stream, refusal.to_owned());
        }
        let _ = stream.write_all(&hello(&format!("v{host}"), "t"));
        let words = read_until(&mut stream, "}");
        (stream, words)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The documented block with this machine's ports and files, in a process that needs no rights.
fn configuration(folder: &Path, address: SocketAddr, server: SocketAddr) -> String {
    let mut block = block("nginx").to_owned();
    for (documented, here) in [
        ("listen 443 ssl http2;", format!("listen {address} ssl http2;")),
        ("127.0.0.1:8080", server.to_string()),
        ("/etc/ssl/presence", folder.display().to_string()),
    ] {
        assert!(block.contains(documented), "{documented}");
        block = block.replace(documented, &here);
    }
    let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    let paths = paths.map(|kind| format!("{kind}_temp_path {};\n", folder.display())).concat();
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{}}\n\
         http {{\naccess_log off;\n{paths}{block}}}\n"
    )
}

/// What comes, until this is in it or the connection ends.
fn read_until(stream: &mut impl std::io::Read, end: &str) -> String {
    let (mut text, mut bytes) = (String::new(), [0; 4096]);
    while !text.contains(end) {
        match stream.read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => text.push_str(&String::from_utf8_lossy(&bytes[..read])),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => break,
            Err(error) => panic!("{error} after {text}"),
        }
    }
    text
}

#[tokio::test]
async fn the_documented_nginx_lets_everything_through() {
    let server = Server::with(&[
        ("server.trusted_proxies", "127.0.0.1"),
        ("limits.handshakes_per_second", "2"),
    ]);
    let Some(nginx) = Nginx::before(&server) else {
        eprintln!("nginx is not installed: its configuration is not tried");
        return;
    };
    assert!(nginx.get("/readyz").starts_with("HTTP/1.1 200 "));
    assert!(nginx.get("/metrics").starts_with("HTTP/1.1 404 "));

    let (mut page, words) = nginx.page(5);
    assert!(words.contains("welcome"), "{words}");
    // Each client has its own limit, and not all of them that of the proxy.
    let words: Vec<String> = (0..3).map(|_| nginx.page(6).1).collect();
    assert!(words[0].contains("welcome") && words[2].contains("ratelimited"), "{words:?}");
    assert!(nginx.page(7).1.contains("welcome"));

    let mut stream = nginx.connect(1);
    let token = Server::token_of(GROUP, "read", 60);
    write!(
        stream,
        "GET /v1/groups/{GROUP}/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\naccept: text/event-stream\r\n\r\n"
    )
    .unwrap();
    // A stream that was buffered would not show its beginning.
    assert!(read_until(&mut stream, "retry:").contains("retry:"));

    let server = server.restarted(Stop::Terminate);
    let farewell = read_until(&mut page, "\"code\":\"goaway\"");
    assert!(farewell.contains("goaway"), "{farewell}");
    assert!(read_until(&mut stream, "event: goaway").contains("event: goaway"));
    let words = nginx.page(8).1;
    assert!(words.contains("welcome"), "{words}");
    drop(nginx);
    until("left", || server.figure("sockets_open{kind=\"visitor\"}") == 0.0).await;
}
