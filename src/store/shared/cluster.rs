//! Which server of a cluster has what, as far as this node knows: asked of any of them, and asked again when it shows to be
//! otherwise.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use rand::RngExt as _;
use redis::{
    AsyncConnectionConfig, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value,
    aio::MultiplexedConnection, cmd,
};
use tokio::sync::Notify;

use super::{
    layout::{Address, Layout},
    parts::Part,
    url::Seeds,
};

/// How long one server may take to say how the cluster is laid out.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);
/// How long one that did not is asked behind all others.
const PASSED_OVER_FOR: Duration = Duration::from_secs(10);
/// Shortest and longest pause between two questions of a node for the layout.
const ASKS_EVERY: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(200));
/// How long a connection may take.
pub(super) const CONNECTS_WITHIN: Duration = Duration::from_secs(1);
/// After that it is asked whether the server is the right one, and so often: a cluster tells nobody that it is laid out anew.
const SLOW: Duration = Duration::from_millis(200);

/// What an error of a cluster says of a question: nothing was done, and where to go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detour {
    /// Elsewhere.
    Elsewhere,
    /// Here, or nobody knows yet where; soon.
    Later,
}

/// Whether an error says that nothing was done, since the part is elsewhere or on its way.
pub(super) fn detour(error: &RedisError) -> Option<Detour> {
    use ServerErrorKind::{Ask, ClusterDown, MasterDown, Moved, ReadOnly, TryAgain};
    match error.kind() {
        ErrorKind::Server(Moved | ReadOnly | MasterDown) => Some(Detour::Elsewhere),
        ErrorKind::Server(Ask | TryAgain | ClusterDown) => Some(Detour::Later),
        _ => None,
    }
}

/// Finds the master of a part. One for all connections of a node.
pub(super) struct Finder {
    seeds: Arc<Seeds>,
    layout: RefCell<Layout>,
    /// How often the layout was read.
    read: Cell<u64>,
    /// Whether it showed to be otherwise.
    is_doubted: Cell<bool>,
    /// Told when it was read and is another one.
    changed: Notify,
    /// Whether all servers that are named stand for themselves.
    is_misled: Cell<bool>,
    /// Held by the one who asks.
    round: tokio::sync::Mutex<Round>,
}

/// Whom to ask for the layout, and when.
struct Round {
    servers: VecDeque<Asked>,
    last: Option<Instant>,
    pause: Duration,
}

struct Asked {
    server: Address,
    /// When it did not answer last, if that was so.
    silent_since: Option<Instant>,
}

impl Asked {
    fn never(server: Address) -> Self {
        Self { server, silent_since: None }
    }

    fn is_silent(&self, now: Instant) -> bool {
        self.silent_since.is_some_and(|since| now < since + PASSED_OVER_FOR)
    }
}

impl Round {
    /// Until when the next question has to wait, if at all. Who asks again and again waits for longer each time.
    fn begin(&mut self, now: Instant) -> Option<Instant> {
        let next = self.last.map(|last| last + with_jitter(self.pause));
        let next = next.filter(|next| now < *next);
        self.last = next.or(Some(now));
        self.pause = match next {
            Some(_) => ASKS_EVERY.1.min(self.pause * 2),
            None => ASKS_EVERY.0,
        };
        next
    }

    /// All, each once, those that were asked last and those that are silent at the end.
    fn order(&mut self, now: Instant) -> Vec<Address> {
        self.servers.rotate_left(usize::from(!self.servers.is_empty()));
        let is_silent = |silent| self.servers.iter().filter(move |of| of.is_silent(now) == silent);
        is_silent(false).chain(is_silent(true)).map(|of| of.server.clone()).collect()
    }

    fn answers(&mut self, server: &Address, silent_since: Option<Instant>) {
        let of = self.servers.iter_mut().find(|of| of.server == *server);
        of.into_iter().for_each(|of| of.silent_since = silent_since);
    }

    /// Those that were `named` stay; of the others those that are there now.
    fn learn(&mut self, layout: &Layout, named: &[Address]) {
        self.servers.retain(|of| named.contains(&of.server) || layout.servers.contains(&of.server));
        for server in &layout.servers {
            if !self.servers.iter().any(|of| of.server == *server) {
                self.servers.push_front(Asked::never(server.clone()));
            }
        }
    }
}

impl Finder {
    pub(super) fn new(seeds: &Arc<Seeds>) -> Self {
        let servers = seeds.hosts.iter().cloned().map(Asked::never).collect();
        Self {
            round: Round { servers, last: None, pause: ASKS_EVERY.0 }.into(),
            seeds: Arc::clone(seeds),
            layout: RefCell::default(),
            read: Cell::new(0),
            is_doubted: Cell::new(true),
            changed: Notify::new(),
            is_misled: Cell::new(false),
        }
    }

    /// Connects to the master of a part, and says by the so manieth layout. Gives up a server that takes its time as soon as
    /// the part is on another one.
    pub(super) async fn connect(
        &self,
        part: Part,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<(MultiplexedConnection, u64)> {
        loop {
            self.is_known().await?;
            let master = self.layout.borrow().master(part.slot()).cloned();
            let read = self.read.get();
            let Some(master) = master else {
                self.doubt(read);
                return Err(nobody("no master has the slots of this part"));
            };
            tokio::select! {
                connection = self.seeds.connect(&master, config) => {
                    let connection = connection.map(|connection| (connection, read));
                    return connection.inspect_err(|_| self.doubt(read));
                }
                () = self.moves(part, &master) => {}
            }
        }
    }

    /// What the so manieth layout says showed to be otherwise: before the next connection it is asked for.
    pub(super) fn doubt(&self, read: u64) {
        if self.read.get() == read {
            self.is_doubted.set(true);
        }
    }

    /// Whether there is no cluster where one was named.
    pub(super) fn is_misled(&self) -> bool {
        self.is_misled.get()
    }

    /// Waits until the cluster is laid out anew.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Asks for the layout, where that is in doubt.
    async fn is_known(&self) -> RedisResult<()> {
        if !self.is_doubted.get() {
            return Ok(());
        }
        let mut round = self.round.lock().await;
        // Somebody else may have asked meanwhile.
        if self.is_doubted.get() { self.ask(&mut round).await } else { Ok(()) }
    }

    /// Asks again and again, until this one is not the part's master any more.
    async fn moves(&self, part: Part, master: &Address) {
        while self.layout.borrow().master(part.slot()) == Some(master) {
            tokio::time::sleep(SLOW).await;
            self.doubt(self.read.get());
            if let Err(error) = self.is_known().await {
                tracing::debug!(%error, "the master is slow, and nobody says whether it still is one");
            }
        }
    }

    async fn ask(&self, round: &mut Round) -> RedisResult<()> {
        if let Some(next) = round.begin(Instant::now()) {
            tokio::time::sleep_until(next.into()).await;
        }
        let servers = round.order(Instant::now());
        let mut others = servers.len();
        for server in servers {
            let asked = Instant::now();
            let answer = tokio::time::timeout(ANSWERS_WITHIN, self.ask_one(&server)).await;
            round.answers(&server, answer.is_err().then_some(asked));
            match answer {
                Ok(Ok(layout)) if !layout.masters.is_empty() => {
                    round.learn(&layout, &self.seeds.hosts);
                    self.learn(layout);
                    return Ok(());
                }
                Ok(Ok(_)) => tracing::debug!(?server, "it knows of no slots"),
                Ok(Err(error)) if is_in_no_cluster(&error) => others -= 1,
                Ok(Err(error)) => tracing::debug!(?server, %error, "it does not say who has what"),
                Err(_) => tracing::debug!(?server, "it does not answer"),
            }
        }
        if others == 0 {
            self.is_misled.set(true);
            return Err(nobody("no server that is named is one of a cluster"));
        }
        Err(nobody("no server says how the cluster is laid out"))
    }

    async fn ask_one(&self, server: &Address) -> RedisResult<Layout> {
        let mut connection = self.seeds.connect(server, &AsyncConnectionConfig::new()).await?;
        let answer: Value = cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
        Ok(Layout::read(&answer, server))
    }

    fn learn(&self, layout: Layout) {
        let is_new = *self.layout.borrow() != layout;
        if is_new {
            tracing::info!(masters = ?layout.masters, "the cluster is laid out so");
        }
        *self.layout.borrow_mut() = layout;
        self.read.set(self.read.get() + 1);
        self.is_doubted.set(false);
        if is_new {
            self.changed.notify_waiters();
        }
    }
}

/// Between a half of it and all of it, so that nodes do not come at the same time.
pub(super) fn with_jitter(pause: Duration) -> Duration {
    pause.mul_f64(rand::rng().random_range(0.5..=1.0))
}

/// Whether a server says that it stands for itself.
fn is_in_no_cluster(error: &RedisError) -> bool {
    error.detail().is_some_and(|detail| detail.contains("cluster support disabled"))
}

fn nobody(why: &'static str) -> RedisError {
    std::io::Error::other(why).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    fn round(ports: &[u16]) -> Round {
        let servers = ports.iter().map(|port| Asked::never(at("a", *port))).collect();
        Round { servers, last: None, pause: ASKS_EVERY.0 }
    }

    fn ports(servers: &[Address]) -> Vec<u16> {
        servers.iter().map(|server| server.port).collect()
    }

    #[test]
    fn who_is_silent_is_asked_behind_the_others_for_a_while() {
        let (mut round, start) = (round(&[1, 2, 3]), Instant::now());
        assert_eq!(ports(&round.order(start)), [2, 3, 1], "by turns");
        round.answers(&at("a", 3), Some(start));
        assert_eq!(ports(&round.order(start)), [1, 2, 3]);
        assert_eq!(ports(&round.order(start)), [1, 2, 3]);
        assert_eq!(ports(&round.order(start + PASSED_OVER_FOR)), [2, 3, 1]);
        round.answers(&at("a", 3), None);
        assert_eq!(ports(&round.order(start)), [3, 1, 2]);
    }

    #[test]
    fn named_servers_stay_and_others_are_those_that_are_there() {
        let mut round = round(&[1, 2]);
        let of = |ports: &[u16]| Layout {
            servers: ports.iter().map(|port| at("a", *port)).collect(),
            ..Layout::default()
        };
        let mut learnt = |ports: &[u16]| {
            round.learn(&of(ports), &[at("a", 1)]);
            round.servers.iter().map(|asked| asked.server.port).collect::<Vec<_>>()
        };
        assert_eq!(learnt(&[2, 3]), [3, 1, 2]);
        assert_eq!(learnt(&[3]), [3, 1]);
    }

    #[test]
    fn who_asks_again_and_again_waits_for_longer_each_time_up_to_a_bound() {
        let (mut round, mut now) = (round(&[1]), Instant::now());
        assert_eq!(round.begin(now), None, "the first time at once");
        let mut pauses = Vec::new();
        for _ in 0..20 {
            let next = round.begin(now).unwrap();
            pauses.push(next - now);
            now = next;
        }
        assert!(pauses[0] <= ASKS_EVERY.0, "{pauses:?}");
        assert!(pauses[10..].iter().all(|pause| *pause >= ASKS_EVERY.1 / 2), "{pauses:?}");
        assert!(pauses.iter().all(|pause| *pause <= ASKS_EVERY.1), "{pauses:?}");
        assert_eq!(round.begin(now + ASKS_EVERY.1), None, "after a pause at once again");
    }
}
