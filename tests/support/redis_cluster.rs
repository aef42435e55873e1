//! A Redis Cluster of a test's own, whose servers may fail. Stands by itself, because the engine's own tests use it, too.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Slots of a cluster.
const SLOTS: usize = 16_384;
/// How long a server may be silent before the others count it as failed, in milliseconds.
const NODE_TIMEOUT: u32 = 1_000;

/// Three masters, each with as many replicas as were asked for.
pub struct Cluster {
    servers: Vec<Server>,
}

struct Server {
    process: Child,
    ports: Ports,
    folder: TempDir,
}

#[derive(Clone)]
struct Ports {
    /// Without TLS.
    plain: u16,
    /// Where it hears the other servers.
    bus: u16,
    /// With TLS, and where its certificates are.
    tls: Option<(u16, PathBuf)>,
}

impl Ports {
    /// The one that the others, and those who use it, know.
    fn known(&self) -> u16 {
        self.tls.as_ref().map_or(self.plain, |(port, _)| *port)
    }
}

impl Cluster {
    pub const MASTERS: usize = 3;

    /// An empty one, whose servers all know each other. The first three are masters, then come their replicas in the same
    /// order. With TLS between all, where a folder is named that has `fullchain.pem`, `key.pem`, and the authority's
    /// `trusted.pem`.
    pub fn start(replicas: usize, certificates: Option<&Path>) -> Self {
        let number = Self::MASTERS * (1 + replicas);
        let start = |_| Server::start(certificates);
        let cluster = Self { servers: (0..number).map(start).collect() };
        for at in 0..number {
            cluster.does(at, &format!("CLUSTER SET-CONFIG-EPOCH {}", at + 1));
        }
        for at in 0..Self::MASTERS {
            let [first, next] = [at, at + 1].map(|at| at * SLOTS / Self::MASTERS);
            cluster.does(at, &format!("CLUSTER ADDSLOTSRANGE {first} {}", next - 1));
        }
        for Server { ports, .. } in &cluster.servers[1..] {
            let (port, bus) = (ports.known(), ports.bus);
            cluster.does(0, &format!("CLUSTER MEET 127.0.0.1 {port} {bus}"));
        }
        for at in 0..number {
            cluster.wait_for(at, "CLUSTER INFO", &format!("cluster_known_nodes:{number}\r"));
        }
        for at in Self::MASTERS..number {
            let master = cluster.id(at % Self::MASTERS);
            // It may not have heard yet that this is a master.
            cluster.until("a replica", || {
                cluster.ask(at, &format!("CLUSTER REPLICATE {master}")).is_some()
            });
        }
        for at in 0..number {
            cluster.wait_for(at, "CLUSTER INFO", "cluster_state:ok");
        }
        for at in Self::MASTERS..number {
            cluster.wait_for(at, "INFO replication", "master_link_status:up");
        }
        cluster
    }

    /// Where it is, for the settings.
    pub fn url(&self) -> String {
        let hosts = self.servers.iter().map(|server| format!("127.0.0.1:{}", server.ports.known()));
        let is_tls = self.servers.iter().any(|server| server.ports.tls.is_some());
        let scheme = if is_tls { "rediss" } else { "redis" };
        format!("{scheme}+cluster://{}", hosts.collect::<Vec<_>>().join(","))
    }

    /// What a server answers; none when it does not, or not well.
    pub fn ask(&self, at: usize, command: &str) -> Option<String> {
        self.servers[at].ask(command).ok()
    }

    /// Has a server do something that it does at once.
    pub fn does(&self, at: usize, command: &str) {
        let answer = self.servers[at].ask(command);
        assert!(answer.as_ref().is_ok_and(|answer| answer == "ok"), "{command}: {answer:?}");
    }

    /// Waits until its answer has this in it.
    pub fn wait_for(&self, at: usize, command: &str, word: &str) {
        self.until(command, || self.ask(at, command).is_some_and(|answer| answer.contains(word)));
    }

    /// Waits until something is so.
    pub fn until(&self, what: &str, is_so: impl Fn() -> bool) {
        let give_up = Instant::now() + Duration::from_secs(60);
        while !is_so() {
            assert!(Instant::now() < give_up, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn id(&self, at: usize) -> String {
        self.ask(at, "CLUSTER MYID").unwrap()
    }

    /// The master of a slot, as the server `by` sees it, if it believes that all slots are served.
    pub fn master_of(&self, slot: u16, by: usize) -> Option<usize> {
        if !self.ask(by, "CLUSTER INFO")?.contains("cluster_state:ok") {
            return None;
        }
        let nodes = self.ask(by, "CLUSTER NODES")?;
        let has = |range: &str| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            let (first, last) = (first.parse::<u16>().ok(), last.parse::<u16>().ok());
            first.zip(last).is_some_and(|(first, last)| (first..=last).contains(&slot))
        };
        let line = nodes.lines().find(|line| line.split(' ').skip(8).any(has))?;
        let place = line.split(' ').nth(1)?.split(['@', ',']).next()?;
        let port = place.rsplit(':').next()?.parse::<u16>().ok()?;
        self.servers.iter().position(|server| server.ports.known() == port)
    }

    /// Whether all servers, but this one, believe that all slots are served, and this slot by `master`.
    pub fn all_see(&self, slot: u16, master: usize, but: impl Fn(usize) -> bool) -> bool {
        let sees = |by| self.master_of(slot, by) == Some(master);
        (0..self.servers.len()).filter(|at| !but(*at)).all(sees)
    }

    /// Stops a server where it stands. Connections stay.
    pub fn pause(&self, at: usize) {
        self.signal(at, "-STOP");
    }

    /// Lets it go on.
    pub fn resume(&self, at: usize) {
        self.signal(at, "-CONT");
    }

    fn signal(&self, at: usize, signal: &str) {
        let process = self.servers[at].process.id().to_string();
        let sent = Command::new("kill").args([signal, &process]).status();
        assert!(sent.unwrap().success(), "{signal}");
    }

    /// Ends a server without a word.
    pub fn kill(&mut self, at: usize) {
        let process = &mut self.servers[at].process;
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts it again at the same place, after it was killed: it knows its slots, and has nothing in them.
    pub fn start_again(&mut self, at: usize) {
        let server = &mut self.servers[at];
        server.process = launch(&server.ports, &server.folder);
    }

    /// The slots in which a server has something.
    pub fn slots_in_use(&self, at: usize) -> Vec<u16> {
        let client = redis::Client::open(("127.0.0.1", self.servers[at].ports.plain)).unwrap();
        let mut connection = client.get_connection().unwrap();
        let keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
        let slots = keys.iter().map(|key| {
            redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query::<u16>(&mut connection).unwrap()
        });
        slots.collect::<BTreeSet<u16>>().into_iter().collect()
    }

    /// Moves a slot with all that is in it, key by key.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) {
        let (there, here) = (self.id(to), self.id(from));
        self.does(to, &format!("CLUSTER SETSLOT {slot} IMPORTING {here}"));
        self.does(from, &format!("CLUSTER SETSLOT {slot} MIGRATING {there}"));
        let client = redis::Client::open(("127.0.0.1", self.servers[from].ports.plain)).unwrap();
        let mut connection = client.get_connection().unwrap();
        loop {
            let mut list = redis::cmd("CLUSTER");
            list.arg("GETKEYSINSLOT").arg(slot).arg(10);
            let keys: Vec<String> = list.query(&mut connection).unwrap();
            if keys.is_empty() {
                break;
            }
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(self.servers[to].ports.plain).arg("").arg(0).arg(5_000);
            migrate.arg("KEYS").arg(keys).exec(&mut connection).unwrap();
        }
        for at in [to, from] {
            self.does(at, &format!("CLUSTER SETSLOT {slot} NODE {there}"));
        }
    }
}

impl Server {
    fn start(certificates: Option<&Path>) -> Self {
        loop {
            // All are held until all are known, so that they are not the same.
            let held = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
            let [plain, bus, tls] = held.map(|free| free.local_addr().unwrap().port());
            let tls = certificates.map(|folder| (tls, folder.to_owned()));
            let ports = Ports { plain, bus, tls };
            let folder = tempfile::tempdir().unwrap();
            let mut server = Self { process: launch(&ports, &folder), ports, folder };
            // Somebody else may have taken a port in between: then it ends.
            while server.process.try_wait().unwrap().is_none() {
                let own = format!("process_id:{}\r", server.process.id());
                if server.ask("INFO server").is_ok_and(|answer| answer.contains(&own)) {
                    return server;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    fn ask(&self, command: &str) -> redis::RedisResult<String> {
        let client = redis::Client::open(("127.0.0.1", self.ports.plain))?;
        let mut connection = client.get_connection_with_timeout(Duration::from_secs(2))?;
        connection.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut words = command.split(' ');
        let mut asked = redis::cmd(words.next().unwrap());
        asked.arg(words.collect::<Vec<_>>());
        Ok(match asked.query::<redis::Value>(&mut connection)? {
            redis::Value::BulkString(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            value => format!("{value:?}"),
        })
    }
}

fn launch(Ports { plain, bus, tls }: &Ports, folder: &TempDir) -> Child {
    let start = |program: &str| {
        let mut command = Command::new(program);
        command.args(["--port", &plain.to_string(), "--cluster-port", &bus.to_string()]);
        if let Some((port, certificates)) = tls {
            command.args(["--tls-port", &port.to_string(), "--tls-auth-clients", "no"]);
            command.args(["--tls-cluster", "yes", "--tls-replication", "yes"]);
            let files = [
                ("--tls-cert-file", "fullchain.pem"),
                ("--tls-key-file", "key.pem"),
                ("--tls-ca-cert-file", "trusted.pem"),
            ];
            for (setting, file) in files {
                command.arg(setting).arg(certificates.join(file));
            }
        }
        command.args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.args(["--cluster-enabled", "yes", "--cluster-replica-validity-factor", "0"]);
        command.args(["--cluster-node-timeout", &NODE_TIMEOUT.to_string()]);
        command.args(["--repl-diskless-sync-delay", "0", "--dir"]).arg(folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()
    };
    start("valkey-server").or_else(|_| start("redis-server")).expect("Redis or Valkey")
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
