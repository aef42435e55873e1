//! A node's way to a server, which can be cut.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener as Listener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread::JoinHandle,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
};

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    Cut,
    Over,
}

/// Listens for whoever wants to get there. On a thread of its own, so that tests may wait for something by blocking.
pub struct Link {
    port: u16,
    state: watch::Sender<State>,
    open: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Link {
    pub fn to(port: u16) -> Self {
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let (state, open) = (watch::Sender::new(State::Whole), Arc::new(AtomicUsize::new(0)));
        let own = listener.local_addr().unwrap().port();
        let (changes, count) = (state.subscribe(), Arc::clone(&open));
        let there = SocketAddr::from(([127, 0, 0, 1], port));
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(take(listener, there, changes, count));
        };
        let thread = std::thread::Builder::new().name("link".to_owned()).spawn(run).unwrap();
        Self { port: own, state, open, thread: Some(thread) }
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on nothing comes through, either way, and nobody is told: connections stay as they are, and new ones lead
    /// nowhere.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Connections that there are now are broken, and new ones come through.
    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }

    /// How many connections come through.
    pub fn connections(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.state.send_replace(State::Over);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking(), "the link panicked");
    }
}

async fn take(
    listener: Listener,
    there: SocketAddr,
    state: watch::Receiver<State>,
    open: Arc<AtomicUsize>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    let mut own = state.clone();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(carry(stream, there, state.clone(), Arc::clone(&open)));
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionAborted),
            }
        }
    };
    tokio::select! {
        () = accept => {}
        _ = own.wait_for(|state| *state == State::Over) => {}
    }
}

/// Carries one connection, until one of its ends closes or a cut is over.
async fn carry(
    mut here: TcpStream,
    there: SocketAddr,
    mut state: watch::Receiver<State>,
    open: Arc<AtomicUsize>,
) {
    let is_whole = *state.borrow() == State::Whole;
    let there = if is_whole { TcpStream::connect(there).await.ok() } else { None };
    if let Some(mut there) = there {
        here.set_nodelay(true).unwrap();
        there.set_nodelay(true).unwrap();
        open.fetch_add(1, Ordering::Relaxed);
        let is_cut = tokio::select! {
            _ = copy_bidirectional(&mut here, &mut there) => false,
            _ = state.wait_for(|state| *state != State::Whole) => true,
        };
        open.fetch_sub(1, Ordering::Relaxed);
        if is_cut {
            let _ = state.wait_for(|state| *state != State::Cut).await;
        }
    } else if !is_whole {
        let _ = state.wait_for(|state| *state != State::Cut).await;
    }
}
