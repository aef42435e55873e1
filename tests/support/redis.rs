//! A Redis server of a test's own, which may fail.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{SOON, server::send, until};

/// In the server's folder: its own clock, and how much that is ahead; see [`Redis::with_a_clock`].
const CLOCK: &str = "clock.so";
const AHEAD: &str = "ahead";

/// The server; ends with the test.
pub struct Redis {
    process: Child,
    port: u16,
    folder: TempDir,
}

impl Redis {
    /// An empty one. `None`, with a word about it, where tests with several nodes are not asked for.
    pub async fn start() -> Option<Self> {
        if std::env::var_os("VESTIBULE_TEST_REDIS").is_none() {
            eprintln!("VESTIBULE_TEST_REDIS is not set: not tried with several nodes");
            return None;
        }
        let (port, folder) = (free_port(), tempfile::tempdir().unwrap());
        let redis = Self { process: launch(port, &folder), port, folder };
        redis.is_there().await;
        Some(redis)
    }

    /// Likewise, with a clock that the test may set.
    pub async fn with_a_clock() -> Option<Self> {
        let mut redis = Self::start().await?;
        redis.kill();
        let library = redis.folder.path().join(CLOCK);
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/clock.c");
        let mut compile = Command::new("cc");
        compile.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source);
        assert!(compile.status().unwrap().success(), "{source}");
        redis.puts_its_clock_ahead(0);
        redis.start_again().await;
        Some(redis)
    }

    /// Its clock is so much ahead of this machine's from now on, in ms.
    pub fn puts_its_clock_ahead(&self, ms: i64) {
        // In place: the server has the file in its memory.
        let mut options = File::options();
        options.create(true).truncate(false).write(true);
        let mut file = options.open(self.folder.path().join(AHEAD)).unwrap();
        file.write_all(&ms.to_ne_bytes()).unwrap();
    }

    /// What its clock says, in ms.
    pub fn time(&self) -> i64 {
        self.number("redis.call('TIME')[1] * 1000")
    }

    /// What an expression of its scripts comes to, in whole numbers.
    pub fn number(&self, expression: &str) -> i64 {
        let number = self.say(&format!("EVAL \"return {expression}\" 0")).unwrap();
        number.trim_start_matches(':').parse().unwrap_or_else(|_| panic!("{expression}: {number}"))
    }

    /// Where it is, for the settings.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections it has.
    pub fn connections(&self) -> usize {
        let client = redis::Client::open(("127.0.0.1", self.port)).unwrap();
        let mut connection = client.get_connection().unwrap();
        let list: String = redis::cmd("CLIENT").arg("LIST").query(&mut connection).unwrap();
        // This one is none of them.
        list.lines().count() - 1
    }

    /// The first line of its answer to a command; none when it does not take connections.
    pub fn say(&self, command: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(SOON)).unwrap();
        stream.write_all(format!("{command}\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer).ok()?;
        Some(answer.trim_end().to_owned())
    }

    /// Has it do something that it does at once.
    pub fn does(&self, command: &str) {
        assert_eq!(self.say(command).as_deref(), Some("+OK"), "{command}");
    }

    /// Stops its process where it stands. Connections stay.
    pub fn pause(&self) {
        send(self.process.id(), "-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        send(self.process.id(), "-CONT");
    }

    /// Ends it without a word.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again at the same place, after it was killed: with nothing in it.
    pub async fn start_again(&mut self) {
        self.process = launch(self.port, &self.folder);
        self.is_there().await;
    }

    async fn is_there(&self) {
        until("the Redis server", || self.say("PING").as_deref() == Some("+PONG")).await;
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have been ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that nobody listens on now: none of those that the system gives away, as it may do with one before it is used.
pub fn free_port() -> u16 {
    let mut ports = std::iter::repeat_with(|| rand::random_range(10_000..20_000));
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

fn launch(port: u16, folder: &TempDir) -> Child {
    let start = |program: &str| {
        let mut command = Command::new(program);
        let (clock, ahead) = (folder.path().join(CLOCK), folder.path().join(AHEAD));
        if clock.exists() {
            command.env("LD_PRELOAD", clock).env("VESTIBULE_TEST_CLOCK", ahead);
        }
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir"]);
        command.arg(folder.path()).args(["--save", "", "--appendonly", "no"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()
    };
    start("valkey-server").or_else(|_| start("redis-server")).expect("Redis or Valkey")
}
