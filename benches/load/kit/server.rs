//! The server under test: a child process with generated settings, on a core of its own.

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{GROUP, ORIGIN, system};

/// Of servers that live for one run.
const SIGNING_KEY: &str = "of-a-load-generator-and-nobody-else-";

/// Limits that are always lifted, because all clients here have one address.
const BY_ADDRESS: [&str; 4] = [
    "sockets_per_address",
    "connections_per_address",
    "requests_per_second",
    "requests_per_second_per_subject",
];
/// Limits that are lifted where it is asked for.
const PACES: [&str; 8] = [
    "handshakes_per_second",
    "handshakes_per_second_hard",
    "handshakes_per_second_total",
    "connects_per_second",
    "visitor_messages_per_second",
    "visitor_messages_burst",
    "agent_messages_per_second",
    "agent_messages_burst",
];

/// What differs from the server's defaults.
#[derive(Clone)]
pub struct Wishes {
    /// Lines of `[cluster]`: of a server that is one of several nodes.
    pub cluster: String,
    /// Whether it keeps to core 0. One of several nodes shares the cores with the others and what they keep their records on.
    pub is_pinned: bool,
    /// Whether the limits on handshakes and messages are lifted: scenarios that measure how much the server can do, not whether it
    /// protects itself.
    pub lift_limits: bool,
    /// Lines of `[presence]`.
    pub presence: &'static str,
    /// Lines of `[server]`.
    pub server: &'static str,
    /// Lines of `[bayeux]`, whose clients the group trusts.
    pub bayeux: &'static str,
}

impl Default for Wishes {
    fn default() -> Self {
        let cluster = String::new();
        Self { cluster, is_pinned: true, lift_limits: true, presence: "", server: "", bayeux: "" }
    }
}

/// A running server; killed when it is dropped.
pub struct Server {
    pub address: SocketAddr,
    binary: PathBuf,
    folder: TempDir,
    is_pinned: bool,
    child: Child,
}

impl Server {
    /// Starts the server and puts the calling thread on core 1.
    pub fn start(wishes: &Wishes) -> Self {
        let binary = std::env::var_os("VESTIBULE_BIN");
        let binary =
            binary.map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_vestibule")), Into::into);
        let folder = TempDir::with_prefix("vestibule-load-").unwrap();
        let mut settings =
            format!("[server]\nbind = \"127.0.0.1:0\"\nworkers = 1\n{}\n", wishes.server);
        // As many as a process may often open, or the server warns.
        settings.push_str("[limits]\nmax_sockets = 18000\n");
        let lifted = if wishes.lift_limits { &PACES[..] } else { &[] };
        for name in BY_ADDRESS.iter().chain(lifted) {
            writeln!(settings, "{name} = 1000000").unwrap();
        }
        write!(
            settings,
            "[presence]\n{}\n[auth]\nsigning_key = \"{SIGNING_KEY}\"\n[[groups]]\nid = \"{GROUP}\"\n\
             visitor_origins = [\"{ORIGIN}\"]\n[groups.facades]\ngenesys = \"code\"\n[bayeux]\n{}\n[cluster]\n{}\n[storage]\nurl = \"sqlite:state.db\"\n[log]\nfilter = \"warn\"\n",
            wishes.presence, wishes.bayeux, wishes.cluster,
        )
        .unwrap();
        fs::write(folder.path().join("vestibule.toml"), settings).unwrap();
        let is_pinned = wishes.is_pinned;
        let (child, address) = launch(&binary, &folder, is_pinned);
        Self { address, binary, folder, is_pinned, child }
    }

    /// Ends the process without a word.
    pub fn crash(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end; see [`Server::has_ended`].
    pub fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Whether the process has ended, and if so, whether well.
    pub fn has_ended(&mut self) -> Option<bool> {
        self.child.try_wait().unwrap().map(|status| status.success())
    }

    /// Starts another process at the same address, and does not wait for it.
    pub fn start_again(&mut self) {
        self.child = spawn(&self.binary, &self.folder, Some(self.address), self.is_pinned);
    }

    /// Whether it takes sockets now.
    pub fn is_ready(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.address) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let (asks, mut status) = ("GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", [0; 12]);
        let asked = stream.write_all(asks.as_bytes()).and_then(|()| stream.read_exact(&mut status));
        asked.is_ok() && status == *b"HTTP/1.1 200"
    }

    pub fn process(&self) -> u32 {
        self.child.id()
    }

    pub fn cpu_ns(&self) -> u64 {
        system::cpu_ns(self.process())
    }

    pub fn resident_kib(&self) -> u64 {
        system::resident_kib(self.process())
    }

    /// An agent's token, made by the server's own command line.
    pub fn token(&self) -> String {
        let settings = self.folder.path().join("vestibule.toml");
        let output = Command::new(&self.binary)
            .args(["token", "--group", GROUP, "--minutes", "120", "--config"])
            .arg(settings)
            .output()
            .unwrap();
        assert!(output.status.success(), "no token: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The figures at `/metrics`.
    pub fn metrics(&self) -> Figures {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            .unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        assert!(text.starts_with("HTTP/1.1 200"), "no metrics: {text}");
        Figures(text)
    }

    /// What the server logged: warnings and errors only.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Asks the server to end, and says how long that took and whether it ended well.
    pub fn stop(mut self) -> (Duration, bool) {
        let started = Instant::now();
        self.terminate();
        let status = self.child.wait().unwrap();
        (started.elapsed(), status.success())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(binary: &PathBuf, folder: &TempDir, at: Option<SocketAddr>, is_pinned: bool) -> Child {
    let log = File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut command = Command::new(binary);
    command.arg("serve").arg("--config").arg(folder.path().join("vestibule.toml"));
    if let Some(address) = at {
        command.arg("--bind").arg(address.to_string());
    }
    command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    system::pin_to(if is_pinned { &[0] } else { &[0, 1] });
    let child = command.spawn().unwrap();
    system::pin_to(&[1]);
    child
}

fn launch(binary: &PathBuf, folder: &TempDir, is_pinned: bool) -> (Child, SocketAddr) {
    let mut child = spawn(binary, folder, None, is_pinned);
    let greeting = BufReader::new(child.stdout.take().unwrap());
    let mut address = None;
    for line in greeting.lines().map_while(Result::ok) {
        if let Some(rest) = line.trim().strip_prefix("http://") {
            address = rest.split('/').next().and_then(|address| address.parse().ok());
            break;
        }
    }
    let said = || fs::read_to_string(folder.path().join("log")).unwrap_or_default();
    let address = address.unwrap_or_else(|| panic!("the server did not start: {}", said()));
    (child, address)
}

/// The text of `/metrics`.
pub struct Figures(String);

impl Figures {
    /// The sum of a figure over its labels.
    pub fn sum(&self, name: &str) -> f64 {
        self.with(name, "")
    }

    /// The sum of a figure over the labels that contain `label`.
    pub fn with(&self, name: &str, label: &str) -> f64 {
        let rows = self.rows(name).into_iter().filter(|(key, _)| key.contains(label));
        rows.map(|(_, value)| value).sum()
    }

    /// A figure with each of its labels.
    pub fn rows(&self, name: &str) -> Vec<(&str, f64)> {
        let name = format!("vestibule_{name}");
        let rows = self.0.lines().filter_map(|line| line.rsplit_once(' '));
        let rows = rows.filter(|(key, _)| key.split('{').next() == Some(name.as_str()));
        let rows: Vec<_> = rows.map(|(key, value)| (key, value.parse().unwrap())).collect();
        assert!(!rows.is_empty(), "there is no figure {name}");
        rows
    }
}
