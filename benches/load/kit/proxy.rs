//! A load balancer for nodes: takes TCP connections and gives each to the next node in turn, past those that do not accept.
//!
//! What it does not do is hide where a connection comes from: it connects to the node from the client's own address of
//! loopback, so that the nodes' limits by address see what they would see of real clients.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{IpAddr, Shutdown, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use mio::{
    Events, Interest, Poll, Token, Waker,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, SockRef, Socket, Type};

/// Connections that wait to be accepted: as many as come back at once.
const BACKLOG: i32 = 4_096;
const LISTENER: Token = Token(usize::MAX);
const WAKER: Token = Token(usize::MAX - 1);

/// The proxy; ends when it is dropped.
pub struct Proxy {
    pub address: SocketAddr,
    routes: Arc<Routes>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
}

struct Routes {
    nodes: Vec<SocketAddr>,
    /// Whether new connections go there.
    open: Vec<AtomicBool>,
    next: AtomicUsize,
    is_over: AtomicBool,
    /// How often a node took no connection.
    skipped: AtomicUsize,
}

impl Proxy {
    /// A thread of its own, on the core of the calling one.
    pub fn start(nodes: Vec<SocketAddr>) -> Self {
        let open = nodes.iter().map(|_| AtomicBool::new(true)).collect();
        let routes = Arc::new(Routes {
            nodes,
            open,
            next: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
            skipped: AtomicUsize::new(0),
        });
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        socket.listen(BACKLOG).unwrap();
        let mut listener = TcpListener::from_std(socket.into());
        let address = listener.local_addr().unwrap();
        let poll = Poll::new().unwrap();
        let waker = Waker::new(poll.registry(), WAKER).unwrap();
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE).unwrap();
        let relay = Relay {
            poll,
            listener,
            routes: Arc::clone(&routes),
            pairs: Vec::new(),
            free: Vec::new(),
            buffer: vec![0; 1 << 16],
        };
        let thread = std::thread::Builder::new().name("proxy".to_owned());
        let thread = thread.spawn(move || relay.run()).unwrap();
        Self { address, routes, waker, thread: Some(thread) }
    }

    /// From now on new connections go to these nodes alone, as when a balancer finds the others not ready.
    pub fn only(&self, nodes: &[usize]) {
        for (number, open) in self.routes.open.iter().enumerate() {
            open.store(nodes.contains(&number), Ordering::SeqCst);
        }
    }

    /// How often a node was passed over, because it took no connection.
    pub fn skipped(&self) -> usize {
        self.routes.skipped.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.routes.is_over.store(true, Ordering::SeqCst);
        let _ = self.waker.wake();
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the proxy panicked");
        }
    }
}

impl Routes {
    /// The next node in turn.
    fn choose(&self) -> Option<SocketAddr> {
        (0..self.nodes.len()).find_map(|_| {
            let number = self.next.fetch_add(1, Ordering::SeqCst) % self.nodes.len();
            self.open[number].load(Ordering::SeqCst).then_some(self.nodes[number])
        })
    }

    /// Begins a connection to the next node that does not refuse it at once. Whether it comes about epoll tells.
    fn connect(&self, from: IpAddr, tries: &mut usize) -> Option<TcpStream> {
        while *tries > 0 {
            *tries -= 1;
            let node = self.choose()?;
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            socket.bind(&SocketAddr::new(from, 0).into()).unwrap();
            let begun = socket.connect(&node.into());
            let in_progress = Some(rustix::io::Errno::INPROGRESS.raw_os_error());
            if begun.is_ok() || begun.is_err_and(|error| error.raw_os_error() == in_progress) {
                return Some(TcpStream::from_std(socket.into()));
            }
            self.skipped.fetch_add(1, Ordering::SeqCst);
        }
        None
    }
}

/// A client and the node that it was given to.
struct Pair {
    client: TcpStream,
    node: TcpStream,
    is_connected: bool,
    /// Nodes that may still be tried.
    tries: usize,
    up: Half,
    down: Half,
}

/// What goes one way.
#[derive(Default)]
struct Half {
    /// Read and not written yet; nothing more is read meanwhile.
    unsent: Vec<u8>,
    has_ended: bool,
}

struct Relay {
    poll: Poll,
    listener: TcpListener,
    routes: Arc<Routes>,
    pairs: Vec<Option<Pair>>,
    free: Vec<usize>,
    buffer: Vec<u8>,
}

impl Relay {
    fn run(mut self) {
        let mut events = Events::with_capacity(4_096);
        while !self.routes.is_over.load(Ordering::SeqCst) {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                polled => polled.unwrap(),
            }
            for event in &events {
                match event.token() {
                    LISTENER => self.accept(),
                    WAKER => {}
                    Token(token) => self.serve(token / 2),
                }
            }
        }
    }

    fn accept(&mut self) {
        loop {
            match self.listener.accept() {
                Ok((client, from)) => self.take(client, from.ip()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                // Whoever hung up while he waited.
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => panic!("cannot accept: {error}"),
            }
        }
    }

    fn take(&mut self, client: TcpStream, from: IpAddr) {
        let mut tries = self.routes.nodes.len();
        let Some(node) = self.routes.connect(from, &mut tries) else { return reset(&client) };
        client.set_nodelay(true).unwrap();
        let place = self.free.pop().unwrap_or_else(|| {
            self.pairs.push(None);
            self.pairs.len() - 1
        });
        let (up, down) = (Half::default(), Half::default());
        let mut pair = Pair { client, node, is_connected: false, tries, up, down };
        let both = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        registry.register(&mut pair.client, Token(place * 2), both).unwrap();
        registry.register(&mut pair.node, Token(place * 2 + 1), both).unwrap();
        self.pairs[place] = Some(pair);
    }

    /// Something happened to one of the two. It may have been to those who had the place before, so all is asked anew.
    fn serve(&mut self, place: usize) {
        let Some(mut pair) = self.pairs[place].take() else { return };
        let fate = self.go_on(place, &mut pair);
        if let Some(fate) = fate {
            if fate == Fate::Broken {
                reset(&pair.client);
                reset(&pair.node);
            }
            self.free.push(place);
        } else {
            self.pairs[place] = Some(pair);
        }
    }

    fn go_on(&mut self, place: usize, pair: &mut Pair) -> Option<Fate> {
        if !pair.is_connected {
            match (pair.node.take_error(), pair.node.peer_addr()) {
                (Ok(None), Ok(_)) => {
                    pair.is_connected = true;
                    let _ = pair.node.set_nodelay(true);
                }
                (Ok(None), Err(_)) => return None,
                _ => return self.try_another(place, pair),
            }
        }
        let Pair { client, node, up, down, .. } = pair;
        let is_well = pass(&mut self.buffer, client, node, up)
            .and_then(|()| pass(&mut self.buffer, node, client, down));
        match is_well {
            Err(_) => Some(Fate::Broken),
            Ok(()) => (up.has_ended && down.has_ended).then_some(Fate::Over),
        }
    }

    fn try_another(&mut self, place: usize, pair: &mut Pair) -> Option<Fate> {
        self.routes.skipped.fetch_add(1, Ordering::SeqCst);
        let Ok(from) = pair.client.peer_addr() else { return Some(Fate::Broken) };
        let Some(node) = self.routes.connect(from.ip(), &mut pair.tries) else {
            return Some(Fate::Broken);
        };
        pair.node = node;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut pair.node, Token(place * 2 + 1), both).unwrap();
        None
    }
}

#[derive(PartialEq, Eq)]
enum Fate {
    /// Both have said all.
    Over,
    /// One was cut, and so is the other.
    Broken,
}

/// Passes on what there is, as far as it is taken.
fn pass(
    buffer: &mut [u8],
    from: &mut TcpStream,
    to: &mut TcpStream,
    half: &mut Half,
) -> std::io::Result<()> {
    while !half.has_ended {
        while !half.unsent.is_empty() {
            match to.write(&half.unsent) {
                Ok(written) => drop(half.unsent.drain(..written)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        match from.read(buffer) {
            Ok(0) => {
                half.has_ended = true;
                // Whoever is gone already needs no word of it.
                let _ = to.shutdown(Shutdown::Write);
            }
            Ok(count) => half.unsent.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn reset(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}
