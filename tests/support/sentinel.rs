//! A Redis server of a test's own with a replica, and a sentinel that has the replica take over when the server fails.

use std::{
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::redis::free_port;

/// The sentinel's name of the two.
const NAME: &str = "shop";
/// How long the server may be silent before the sentinel counts it as failed, in milliseconds.
const DOWN_AFTER: u32 = 1_000;
/// After twice that time the sentinel tries again, in milliseconds.
const TRIES_FOR: u32 = 3_000;
/// A sentinel that was not given its turn in time does nothing for 30 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// The two and their sentinel; they end with the test.
pub struct Pair {
    servers: [Server; 2],
    sentinel: Server,
}

impl Pair {
    /// An empty server whose replica is up to date.
    pub fn start() -> Self {
        let first = Server::start(&[]);
        let second = Server::start(&[format!("replicaof 127.0.0.1 {}", first.port)]);
        second.wait_for("INFO replication", "master_link_status:up");
        let sentinel = Server::start(&[
            format!("sentinel monitor {NAME} 127.0.0.1 {} 1", first.port),
            format!("sentinel down-after-milliseconds {NAME} {DOWN_AFTER}"),
            format!("sentinel failover-timeout {NAME} {TRIES_FOR}"),
        ]);
        sentinel.wait_for(&format!("SENTINEL REPLICAS {NAME}"), &second.port.to_string());
        Self { servers: [first, second], sentinel }
    }

    /// Where it is, for the settings.
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/{NAME}", self.sentinel.port)
    }

    /// From now on the replica gets nothing that is written.
    pub fn part(&self) {
        self.servers[1].wait_for("REPLICAOF 127.0.0.1 1", "ok");
    }

    /// Ends the server without a word.
    pub fn kill(&mut self) {
        let process = &mut self.servers[0].process;
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Waits until the replica serves in its place, and the sentinel says so.
    pub async fn has_taken_over(&self) {
        let end = Instant::now() + PATIENCE;
        let [_, second] = &self.servers;
        let named = format!("SENTINEL GET-MASTER-ADDR-BY-NAME {NAME}");
        while !(second.says("INFO replication", "role:master")
            && self.sentinel.says(&named, &format!("\"{}\"", second.port)))
        {
            assert!(Instant::now() < end, "nobody takes over");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

struct Server {
    process: Child,
    port: u16,
    _folder: TempDir,
}

impl Server {
    fn start(settings: &[String]) -> Self {
        loop {
            let port = free_port();
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("server.conf");
            let own = format!(
                "port {port}\nbind 127.0.0.1\ndir {}\nsave \"\"\nrepl-diskless-sync-delay 0\n",
                folder.path().display()
            );
            std::fs::write(&file, own + &settings.join("\n") + "\n").unwrap();
            let is_sentinel = settings.iter().any(|setting| setting.starts_with("sentinel"));
            let start = |program: &str| {
                let mut command = Command::new(program);
                command.arg(&file).args(is_sentinel.then_some("--sentinel"));
                command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()
            };
            let process = start("valkey-server").or_else(|_| start("redis-server"));
            let process = process.expect("Redis or Valkey");
            let mut server = Self { process, port, _folder: folder };
            // Somebody else may have taken the port in between: then it ends.
            while server.process.try_wait().unwrap().is_none() {
                if server.says("INFO server", &format!("process_id:{}\\r", server.process.id())) {
                    return server;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// What it answers, as it is debugged; none when it does not.
    fn ask(&self, command: &str) -> redis::RedisResult<String> {
        let client = redis::Client::open(("127.0.0.1", self.port))?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap());
        asked.arg(words.collect::<Vec<_>>());
        asked.query::<redis::Value>(&mut connection).map(|value| format!("{value:?}"))
    }

    fn says(&self, command: &str, word: &str) -> bool {
        self.ask(command).is_ok_and(|answer| answer.contains(word))
    }

    fn wait_for(&self, command: &str, word: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.says(command, word) {
            assert!(Instant::now() < end, "{command}: no {word}");
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
