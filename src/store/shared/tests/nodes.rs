//! Nodes of the tests, and the server that they share.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::atomic::AtomicU64,
};

use super::*;

/// Short, so that a test need not wait for long; long enough for a machine that is busy.
pub(super) const LEASE: Duration = Duration::from_millis(2_000);
/// How an end is noted.
pub(super) const CLOSED: u64 = u64::MAX;
/// Likewise that a node let go: this and its number.
pub(super) const LET_GO: u64 = 1_000_000;

/// A server's part that nobody else uses.
pub(in crate::store::shared) fn server() -> Option<ServerUrl> {
    let Ok(url) = std::env::var("VESTIBULE_TEST_REDIS") else {
        eprintln!("VESTIBULE_TEST_REDIS is not set: not tried on Redis");
        return None;
    };
    let prefix = format!("test-{:032x}:", rand::random::<u128>());
    Some(ServerUrl::parse(&format!("{url}?prefix={prefix}")).unwrap())
}

/// What one node heard.
#[derive(Clone, Default)]
pub(super) struct Notes(pub(super) Arc<Mutex<Vec<(u32, u64)>>>);

impl<const IN_LEAVES: bool> Deliver<Journal<IN_LEAVES>, SharedEngine<Journal<IN_LEAVES>>>
    for Notes
{
    fn deliver(
        &self,
        _: &SharedEngine<Journal<IN_LEAVES>>,
        key: &u32,
        effects: &mut Vec<Effect>,
        _: Origin,
    ) {
        for effect in effects.drain(..) {
            match effect {
                Effect::Written { entry, .. } => self.0.lock().push((*key, entry)),
                Effect::Closed => self.0.lock().push((*key, CLOSED)),
                Effect::LetGo(node) => self.0.lock().push((*key, LET_GO + u64::from(node.node))),
            }
        }
    }
}

impl Notes {
    pub(super) fn of(&self, key: u32) -> Vec<u64> {
        self.0.lock().iter().filter(|(of, _)| *of == key).map(|(_, entry)| *entry).collect()
    }

    /// Waits until so much was heard of a record.
    pub(super) fn wait_for(&self, key: u32, number: usize) -> Vec<u64> {
        let give_up = std::time::Instant::now() + Duration::from_secs(20);
        while self.of(key).len() < number {
            assert!(std::time::Instant::now() < give_up, "heard only {:?}", self.of(key));
            std::thread::yield_now();
        }
        self.of(key)
    }
}

pub(super) type Member = MemberOf<false>;

/// A node, with records in one piece or in leaves.
pub(super) struct MemberOf<const IN_LEAVES: bool> {
    pub(super) engine: SharedEngine<Journal<IN_LEAVES>>,
    pub(super) standing: watch::Receiver<Standing>,
    pub(super) notes: Notes,
    pub(super) node: SharedNode,
    pub(super) id: NodeId,
}

impl<const IN_LEAVES: bool> MemberOf<IN_LEAVES> {
    pub(super) fn new(server: &ServerUrl, node: u32, clock: &Clock) -> Self {
        Self::for_records(server, node, clock, 10_000)
    }

    /// One of nodes that may make so many records.
    pub(super) fn for_records(server: &ServerUrl, node: u32, clock: &Clock, most: usize) -> Self {
        Self::with_lease(server, node, clock, most, LEASE)
    }

    /// One that is not ended, either, before so much time has gone by.
    pub(super) fn with_lease(
        server: &ServerUrl,
        node: u32,
        clock: &Clock,
        most: usize,
        lease: Duration,
    ) -> Self {
        let id = NodeId { node, incarnation: 1 };
        let shared = SharedNode::start(server.clone(), id, lease, clock.clone()).unwrap();
        let notes = Notes::default();
        let engine = SharedEngine::new(&shared, most, (), notes.clone());
        let member = Self { engine, standing: shared.standing(), notes, node: shared, id };
        // From the first answer on it hears its channels.
        member.read(0).unwrap();
        member
    }

    pub(super) fn submit(&self, key: u32, command: Command) -> Result<Applied<Reply>, Refusal> {
        let (sender, receiver) = std::sync::mpsc::channel();
        let sink = Box::new(move |result| sender.send(result).unwrap());
        self.engine.submit(key, Expect::Any, command, sink);
        receiver.recv_timeout(Duration::from_secs(20)).expect("an answer")
    }

    pub(super) fn write(
        &self,
        key: u32,
        entry: u64,
        hearers: Hearers,
    ) -> Result<Applied<Reply>, Refusal> {
        self.submit(key, Command::Write { entry, hearers })
    }

    pub(super) fn read(&self, key: u32) -> Result<Option<Journal<IN_LEAVES>>, Refusal> {
        let (sender, receiver) = std::sync::mpsc::channel();
        self.engine.read(
            key,
            Box::new(move |journal| {
                let journal = journal.map(Option::<&Journal<IN_LEAVES>>::cloned);
                Box::new(move || sender.send(journal).unwrap())
            }),
        );
        receiver.recv_timeout(Duration::from_secs(20)).expect("a look")
    }
}

/// A way to the server that can be cut.
pub(super) struct Wire {
    pub(super) port: u16,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    /// Whoever connects is hung up on.
    pub(super) is_broken: Arc<AtomicBool>,
    /// So many milliseconds all takes, each way.
    pub(super) lag: Arc<AtomicU64>,
    /// What was said to the server.
    said: Arc<Mutex<Vec<u8>>>,
}

impl Wire {
    pub(super) fn to(server: &ServerUrl) -> Self {
        let to = server.address();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let streams = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&streams);
        let is_broken = Arc::new(AtomicBool::new(false));
        let broken = Arc::clone(&is_broken);
        let (lag, said) = (Arc::<AtomicU64>::default(), Arc::<Mutex<Vec<u8>>>::default());
        let (lags, hears) = (Arc::clone(&lag), Arc::clone(&said));
        // Ends with the process of the tests.
        std::thread::spawn(move || {
            while let Ok((near, _)) = listener.accept() {
                if broken.load(Ordering::SeqCst) {
                    continue;
                }
                let far = TcpStream::connect(&to).unwrap();
                all.lock().extend([near.try_clone().unwrap(), far.try_clone().unwrap()]);
                for (from, to, hears) in [(&near, &far, Some(&hears)), (&far, &near, None)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let (lags, hears) = (Arc::clone(&lags), hears.cloned());
                    std::thread::spawn(move || carry(from, to, &lags, hears.as_deref()));
                }
            }
        });
        Self { port, streams, is_broken, lag, said }
    }

    /// How often the server was told this command.
    pub(super) fn told(&self, command: &str) -> usize {
        let word = format!("\r\n{command}\r\n");
        self.said.lock().windows(word.len()).filter(|at| *at == word.as_bytes()).count()
    }

    pub(super) fn cut(&self) {
        for stream in self.streams.lock().drain(..) {
            // It may be closed already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Until one end is closed.
fn carry(mut from: TcpStream, mut to: TcpStream, lag: &AtomicU64, hears: Option<&Mutex<Vec<u8>>>) {
    let mut bytes = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut bytes) {
        hears.into_iter().for_each(|said| said.lock().extend(&bytes[..read]));
        std::thread::sleep(Duration::from_millis(lag.load(Ordering::SeqCst)));
        if to.write_all(&bytes[..read]).is_err() {
            return;
        }
    }
}

/// Loses all that the nodes have there, as when somebody empties the server.
pub(super) fn flush(server: &ServerUrl) {
    let mut connection = server.client().unwrap().get_connection().unwrap();
    let lose =
        "for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do redis.call('DEL', key) end";
    redis::Script::new(lose).arg(server.prefix()).invoke::<()>(&mut connection).unwrap();
}

/// Where nobody listens.
pub(super) fn nowhere() -> ServerUrl {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    ServerUrl::parse(&format!("redis://127.0.0.1:{port}")).unwrap()
}
