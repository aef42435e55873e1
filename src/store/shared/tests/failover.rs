//! A server that fails, and another one that takes over without the last writes: real processes, watched by a sentinel.

use std::process::{Child, Command as Process, Stdio};

use super::*;

/// The sentinel's name of the server.
const MASTER: &str = "shop";

/// A server's process; ends with the test.
struct Server {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(settings: &[String]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("server.conf");
        let own =
            format!("port {port}\nbind 127.0.0.1\ndir {}\nsave \"\"\n", folder.path().display());
        std::fs::write(&file, own + &settings.join("\n") + "\n").unwrap();
        let mut start = Process::new("redis-server");
        start.arg(&file).stdout(Stdio::null());
        if settings.iter().any(|setting| setting.starts_with("sentinel")) {
            start.arg("--sentinel");
        }
        let server = Self { process: start.spawn().unwrap(), port, _folder: folder };
        server.wait_for("PING", "", "PONG");
        server
    }

    fn ask(&self, command: &str, argument: &str) -> Option<String> {
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(2)).ok()?;
        let mut asked = redis::cmd(command);
        if !argument.is_empty() {
            asked.arg(argument.split(' ').collect::<Vec<_>>());
        }
        asked.query::<redis::Value>(&mut connection).ok().map(|value| format!("{value:?}"))
    }

    fn wait_for(&self, command: &str, argument: &str, word: &str) {
        let give_up = std::time::Instant::now() + Duration::from_secs(60);
        while !self.ask(command, argument).is_some_and(|answer| answer.contains(word)) {
            assert!(std::time::Instant::now() < give_up, "{command} {argument}: no {word}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_server_that_takes_over_without_the_last_writes_is_told_them() {
    if server().is_none() {
        return;
    }
    let mut first = Server::start(&[]);
    let second = Server::start(&[format!("replicaof 127.0.0.1 {}", first.port)]);
    second.wait_for("INFO", "replication", "master_link_status:up");
    let sentinel = Server::start(&[
        format!("sentinel monitor {MASTER} 127.0.0.1 {} 1", first.port),
        format!("sentinel down-after-milliseconds {MASTER} 500"),
        format!("sentinel failover-timeout {MASTER} 10000"),
    ]);
    sentinel.wait_for("SENTINEL", &format!("replicas {MASTER}"), &second.port.to_string());
    let url = format!("redis+sentinel://127.0.0.1:{}/{MASTER}", sentinel.port);
    let url = ServerUrl::parse(&url).unwrap();
    let clock = Clock::manual(Timestamp(1_000));
    let [one, two] = [1, 2].map(|node| Member::new(&url, node, &clock));
    for key in 0..20 {
        one.write(key, 1, Hearers::Everyone).unwrap();
        two.notes.wait_for(key, 1);
        two.submit(key, Command::Hold(two.id)).unwrap();
    }
    // What is written from here on the second one never gets.
    second.wait_for("REPLICAOF", "127.0.0.1 1", "ok");
    for key in 0..20 {
        two.write(key, 2, Hearers::Nodes(vec![one.id])).unwrap();
        one.notes.wait_for(key, 2);
    }
    two.submit(7, Command::LetGo(two.id)).unwrap();
    one.write(90, 1, Hearers::Here).unwrap();
    first.process.kill().unwrap();
    let killed = std::time::Instant::now();
    let give_up = killed + Duration::from_secs(60);
    let mut entry = 3;
    while one.write(8, entry, Hearers::Here).is_err() {
        assert!(std::time::Instant::now() < give_up, "nobody takes over");
        entry += 1;
    }
    println!("taken over and repaired in {:?}", killed.elapsed());
    for key in (0..20).filter(|key| *key != 8) {
        let journal = one.read(key).unwrap().unwrap();
        let holders = if key == 7 { vec![] } else { vec![two.id] };
        assert_eq!((journal.entries.as_slice(), journal.holders()), (&[1, 2][..], holders));
    }
    assert_eq!(two.read(8).unwrap().unwrap().entries, [1, 2, entry]);
    assert_eq!(two.read(90).unwrap().unwrap().entries, [1]);
    two.submit(3, Command::LetGo(two.id)).unwrap();
    assert_eq!(*two.standing.borrow(), Standing::Member, "nobody was ended for it");
}
