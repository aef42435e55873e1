//! The real server, started as its users start it. Ends with the test that started it, and fails that test when
//! something is left over.

mod asking;
mod looking;
mod starting;

use std::{
    fs::File,
    net::SocketAddr,
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    rc::Rc,
    time::{Duration, Instant},
};

use tempfile::TempDir;

pub use self::starting::Starting;
use super::{SOON, tls::Authority};

pub const GROUP: &str = "12345";
pub const SHOP: &str = "https://shop.example";
pub const DESK: &str = "https://desk.example";
pub const API_KEY: &str = "an-api-key-of-the-first-group";
pub const SIGNING_KEY: &str = "a signing key that only the tests know";

/// What every server starts with.
pub const SETTINGS: &str = r#"
[server]
bind = "127.0.0.1:0"
workers = 2
[limits]
handshakes_per_second = 100000
handshakes_per_second_hard = 100000
handshakes_per_second_total = 100000
connects_per_second = 1000
sockets_per_address = 100000
connections_per_address = 100000
visitor_messages_per_second = 100000
visitor_messages_burst = 100000
agent_messages_per_second = 100000
agent_messages_burst = 100000
requests_per_second = 100000
requests_per_second_per_subject = 100000
[auth]
signing_key = "a signing key that only the tests know"
[[groups]]
id = "12345"
visitor_origins = ["https://shop.example"]
agent_origins = ["https://desk.example"]
api_keys = ["an-api-key-of-the-first-group"]
[[groups]]
id = "777"
visitor_origins = ["https://other.example"]
api_keys = ["an-api-key-of-the-other-group"]
strip_query = true
[storage]
url = "sqlite:saved.db"
[log]
filter = "info,vestibule=debug"
"#;

/// How a server is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    Terminate,
    Interrupt,
    Kill,
}

pub struct Server {
    child: Option<Child>,
    address: SocketAddr,
    folder: Rc<TempDir>,
    settings: Vec<(String, String)>,
    /// Whose certificates it shows, if it speaks TLS.
    authority: Option<Rc<Authority>>,
}

impl Server {
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// One that speaks TLS, with a certificate of its own authority.
    pub fn with_tls(settings: &[(&str, &str)]) -> Self {
        let authority = Rc::new(Authority::new());
        let folder = new_folder();
        authority.pair().write(folder.path());
        let files = [("server.tls.certificate", "fullchain.pem"), ("server.tls.key", "key.pem")];
        let settings = files.iter().chain(settings).map(owned).collect();
        Self::launch(folder, settings, None, Some(authority))
    }

    /// With some settings changed: `("server.workers", "1")`.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::launch(new_folder(), settings.iter().map(owned).collect(), None, None)
    }

    /// With other settings than [`SETTINGS`], and files beside them.
    pub fn of(settings: &str, files: &[(&str, &str)]) -> Self {
        Self::of_with(settings, files, &[])
    }

    /// Likewise, with some of them changed.
    pub fn of_with(settings: &str, files: &[(&str, &str)], changed: &[(&str, &str)]) -> Self {
        let folder = new_folder();
        for (name, text) in files.iter().chain(&[("vestibule.toml", settings)]) {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        Self::launch(folder, changed.iter().map(owned).collect(), None, None)
    }

    fn launch(
        folder: Rc<TempDir>,
        settings: Vec<(String, String)>,
        port: Option<u16>,
        authority: Option<Rc<Authority>>,
    ) -> Self {
        Starting::begin(folder, settings, port, authority).ready()
    }

    /// Whether it shares its records with others, that may come.
    pub fn is_one_of_several(&self) -> bool {
        self.settings.iter().any(|(key, value)| key == "cluster.engine" && value == "redis")
    }

    /// The settings that were changed, the later ones last.
    pub fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(key, value)| (&**key, &**value)).collect()
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whose certificates it shows, if it speaks TLS.
    pub fn authority(&self) -> Option<&Authority> {
        self.authority.as_deref()
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Sends a signal, and does not wait for what it does.
    pub fn signal(&self, stop: Stop) {
        let name = match stop {
            Stop::Terminate => "-TERM",
            Stop::Interrupt => "-INT",
            Stop::Kill => "-KILL",
        };
        send(self.pid(), name);
    }

    /// Stops the process where it stands.
    pub fn pause(&self) {
        send(self.pid(), "-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self) {
        send(self.pid(), "-CONT");
    }

    /// Writes a file into its folder, in one step.
    pub fn write(&self, name: &str, text: &str) {
        let new = self.folder.path().join("new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.folder.path().join(name)).unwrap();
    }

    /// Has the settings read again, and waits for the outcome: whether they were taken.
    pub async fn hang_up(&self) -> bool {
        let before = self.reloads();
        send(self.pid(), "-HUP");
        super::until("the reading", || self.reloads() != before).await;
        self.reloads().0 > before.0
    }

    /// How often something was read again and taken, and refused.
    pub fn reloads(&self) -> (f64, f64) {
        let count = |result: &str| self.figure(&format!("reloads_total{{result=\"{result}\"}}"));
        (count("done"), count("refused"))
    }

    /// Waits for the end of the process.
    pub fn ended(&mut self) -> ExitStatus {
        let until = Instant::now() + SOON;
        let mut child = self.child.take().unwrap();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if Instant::now() > until {
                let _ = child.kill();
                let _ = child.wait();
                panic!("the server did not end within {SOON:?}:\n{}", self.log());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_none_or(|child| child.try_wait().unwrap().is_some())
    }

    /// A server on the same storage and port, after this one, which has ended or is ended so.
    pub fn restarted(self, stop: Stop) -> Self {
        self.restarted_with(stop, &[])
    }

    /// Likewise, with some settings changed.
    pub fn restarted_with(mut self, stop: Stop, changed: &[(&str, &str)]) -> Self {
        if self.child.is_some() {
            self.signal(stop);
            let status = self.ended();
            assert_eq!(status.success(), stop != Stop::Kill, "{status}\n{}", self.log());
        }
        let (folder, mut settings) = (Rc::clone(&self.folder), std::mem::take(&mut self.settings));
        settings.extend(changed.iter().map(owned));
        let authority = self.authority.clone();
        Self::launch(folder, settings, Some(self.address.port()), authority)
    }

    /// Ends the server well: all that it logged.
    pub fn final_log(mut self) -> String {
        self.signal(Stop::Terminate);
        assert!(self.ended().success());
        self.log()
    }
}

/// Sends a signal to a process.
pub fn send(pid: u32, signal: &str) {
    let sent = Command::new("kill").arg(signal).arg(pid.to_string()).status();
    assert!(sent.unwrap().success(), "{signal}");
}

/// Starts the process, which adds to the log in its folder.
fn spawn(folder: &TempDir, settings: &[(String, String)], port: Option<u16>) -> Child {
    let log = File::options().create(true).append(true).open(folder.path().join("log"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
    command.arg("--config").arg(folder.path().join("vestibule.toml"));
    if let Some(port) = port {
        command.arg("--bind").arg(format!("127.0.0.1:{port}"));
    }
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("VESTIBULE_")) {
        command.env_remove(name);
    }
    for (key, value) in settings {
        let name = key.to_uppercase().replace('.', "__");
        command.env(format!("VESTIBULE_{name}"), value);
    }
    let trusted = folder.path().join("trusted.pem");
    if trusted.exists() {
        // In place of what the system trusts.
        command.env("SSL_CERT_FILE", trusted);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log.unwrap());
    command.spawn().unwrap()
}

fn log_in(folder: &TempDir) -> String {
    std::fs::read_to_string(folder.path().join("log")).unwrap_or_default()
}

fn new_folder() -> Rc<TempDir> {
    let folder = tempfile::Builder::new().prefix("vestibule-test-").tempdir().unwrap();
    std::fs::write(folder.path().join("vestibule.toml"), SETTINGS).unwrap();
    Rc::new(folder)
}

fn owned((key, value): &(&str, &str)) -> (String, String) {
    ((*key).to_owned(), (*value).to_owned())
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        if std::thread::panicking() || child.try_wait().unwrap().is_some() {
            let _ = child.kill();
            let _ = child.wait();
            if std::thread::panicking() {
                eprintln!("the server's log:\n{}", self.log());
            } else {
                panic!("the server had ended by itself:\n{}", self.log());
            }
            return;
        }
        let until = Instant::now() + SOON;
        let mut left = None;
        while Instant::now() < until {
            left = self.leftovers();
            if left.is_none() {
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.signal(Stop::Terminate);
        let status = self.ended();
        assert!(left.is_none(), "left over: {left:?}\n{}", self.log());
        assert!(status.success(), "{status}\n{}", self.log());
    }
}
