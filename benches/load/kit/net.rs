//! Many WebSocket connections on one thread and one epoll.

mod connect;

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    ops::Range,
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use socket2::SockRef;

use self::connect::connect;
use super::wire;

/// A connection; never used again for another one. The low bits are its place, the others count.
pub type Id = usize;

const PLACE_BITS: u32 = 20;
const PLACE: usize = (1 << PLACE_BITS) - 1;

pub enum Event {
    /// The socket is open.
    Open(Id),
    /// A text message; its bytes lie there in what [`Net::turn`] gives.
    Message(Id, Range<usize>),
    /// The connection ended without our doing; with the code of the server's close frame, if there was one.
    Closed(Id, Option<u16>),
}

struct Connection {
    id: Id,
    stream: TcpStream,
    stage: Stage,
    received: Vec<u8>,
    unsent: Vec<u8>,
    is_dirty: bool,
    request: Vec<u8>,
    owner: usize,
    frozen: bool,
    is_disowned: bool,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Connecting,
    Upgrading,
    Open,
}

pub struct Net {
    pub address: SocketAddr,
    poll: Poll,
    ready: Events,
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    dirty: Vec<Id>,
    buffer: Vec<u8>,
    arena: Vec<u8>,
    events: Vec<Event>,
    opened: usize,
    /// Those that the next turn will tell of, and those that the last one told of.
    lost: Vec<Lost>,
    told: Vec<Lost>,
}

/// A connection that ended without our doing.
struct Lost {
    id: Id,
    owner: usize,
    /// When the server wants the client back.
    retry_ms: Option<u64>,
}

impl Net {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            poll: Poll::new().unwrap(),
            ready: Events::with_capacity(4096),
            connections: Vec::new(),
            free: Vec::new(),
            dirty: Vec::new(),
            buffer: vec![0; 1 << 18],
            arena: Vec::new(),
            events: Vec::new(),
            opened: 0,
            lost: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Opens a socket on behalf of `owner`, the caller's own number.
    pub fn open(&mut self, path: &str, origin: Option<&str>, owner: usize) -> Id {
        self.open_at(self.address, path, origin, owner)
    }

    /// Likewise, at another server.
    pub fn open_at(
        &mut self,
        address: SocketAddr,
        path: &str,
        origin: Option<&str>,
        owner: usize,
    ) -> Id {
        self.opened += 1;
        let mut stream = connect(self.opened, address);
        let place = self.free.pop().unwrap_or_else(|| {
            self.connections.push(None);
            self.connections.len() - 1
        });
        let id = (self.opened << PLACE_BITS) | place;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(id), interest).unwrap();
        self.connections[place] = Some(Connection {
            id,
            stream,
            stage: Stage::Connecting,
            received: Vec::new(),
            unsent: Vec::new(),
            is_dirty: false,
            request: wire::upgrade(path, origin),
            owner,
            frozen: false,
            is_disowned: false,
        });
        id
    }

    fn at(&mut self, id: Id) -> Option<&mut Connection> {
        self.connections[id & PLACE].as_mut().filter(|connection| connection.id == id)
    }

    /// Whose connection this is; `None` when it is gone, frozen or disowned.
    pub fn owner(&self, id: Id) -> Option<usize> {
        let connection = self.connections[id & PLACE].as_ref()?;
        let is_heard = connection.id == id && !connection.frozen && !connection.is_disowned;
        is_heard.then_some(connection.owner)
    }

    /// Whose connection it was that [`Event::Closed`] tells of, in the same turn.
    pub fn owner_of_lost(&self, id: Id) -> Option<usize> {
        self.told.iter().rev().find(|lost| lost.id == id).map(|lost| lost.owner)
    }

    /// The wish in the close frame's reason, likewise.
    pub fn retry_of_lost(&self, id: Id) -> Option<u64> {
        self.told.iter().rev().find(|lost| lost.id == id)?.retry_ms
    }

    pub fn text(&mut self, id: Id, message: &[u8]) {
        self.frame(id, wire::TEXT, message);
    }

    pub fn frame(&mut self, id: Id, opcode: u8, payload: &[u8]) {
        if let Some(connection) = self.at(id) {
            wire::encode(&mut connection.unsent, opcode, payload);
            self.mark(id);
        }
    }

    /// Only the first bytes of a message, as a connection that breaks in the middle of it.
    pub fn torn(&mut self, id: Id, message: &[u8]) {
        if let Some(connection) = self.at(id) {
            let mut frame = Vec::new();
            wire::encode(&mut frame, wire::TEXT, message);
            connection.unsent.extend_from_slice(&frame[..frame.len() / 2]);
            self.flush_one(id);
        }
    }

    /// Starts a clean close; [`Event::Closed`] follows when the server has answered.
    pub fn close(&mut self, id: Id) {
        self.frame(id, wire::CLOSE, &1000u16.to_be_bytes());
    }

    /// Ends a connection without a word: by a reset, or by what the kernel does when a socket is dropped.
    pub fn kill(&mut self, id: Id, reset: bool) {
        if self.at(id).is_none() {
            return;
        }
        let Some(mut connection) = self.connections[id & PLACE].take() else { return };
        if reset {
            let _ = SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO));
        }
        let _ = self.poll.registry().deregister(&mut connection.stream);
        self.free.push(id & PLACE);
    }

    /// Serves a connection to its end, but nobody hears of it any more.
    pub fn disown(&mut self, id: Id) {
        if let Some(connection) = self.at(id) {
            connection.is_disowned = true;
        }
    }

    /// Leaves a connection open, but reads and writes no more: a page that the network lost.
    pub fn freeze(&mut self, id: Id) {
        let connection = self.connections[id & PLACE].as_mut();
        if let Some(connection) = connection.filter(|connection| connection.id == id) {
            let _ = self.poll.registry().deregister(&mut connection.stream);
            connection.frozen = true;
        }
    }

    /// Drops everything at once.
    pub fn kill_all(&mut self) {
        let all: Vec<Id> = self.connections.iter().flatten().map(|live| live.id).collect();
        all.into_iter().for_each(|id| self.kill(id, true));
    }

    /// Writes what waits for this connection now.
    pub fn flush_now(&mut self, id: Id) {
        self.flush_one(id);
    }

    /// Writes what waits, then waits for something to happen, at most so long. The events are handed over together
    /// with the bytes that they speak of.
    pub fn turn(&mut self, wait: Duration, events: &mut Vec<Event>, bytes: &mut Vec<u8>) {
        self.flush();
        let mut ready = std::mem::replace(&mut self.ready, Events::with_capacity(1));
        match self.poll.poll(&mut ready, Some(wait)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("epoll: {error}"),
        }
        for event in ready.iter() {
            let id = event.token().0;
            if event.is_writable() {
                self.writable(id, event.is_error() || event.is_write_closed());
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.readable(id, event.is_read_closed() || event.is_error());
            }
        }
        self.ready = ready;
        self.flush();
        // What was gathered since the last turn is handed over, and the emptied buffers are filled from now on.
        events.clear();
        bytes.clear();
        std::mem::swap(&mut self.events, events);
        std::mem::swap(&mut self.arena, bytes);
        self.told.clear();
        std::mem::swap(&mut self.lost, &mut self.told);
    }

    fn mark(&mut self, id: Id) {
        if let Some(connection) = self.at(id)
            && !connection.is_dirty
        {
            connection.is_dirty = true;
            self.dirty.push(id);
        }
    }

    fn flush(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        dirty.drain(..).for_each(|id| self.flush_one(id));
        self.dirty = dirty;
    }

    fn flush_one(&mut self, id: Id) {
        let Some(connection) = self.at(id) else { return };
        connection.is_dirty = false;
        if connection.stage == Stage::Connecting || connection.frozen {
            return;
        }
        let mut at = 0;
        while at < connection.unsent.len() {
            match connection.stream.write(&connection.unsent[at..]) {
                Ok(written) => at += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => return self.lost(id, None, None),
            }
        }
        if at == connection.unsent.len() {
            connection.unsent.clear();
        } else {
            connection.unsent.drain(..at);
        }
    }

    fn writable(&mut self, id: Id, failed: bool) {
        let Some(connection) = self.at(id) else { return };
        if connection.stage == Stage::Connecting {
            if failed || connection.stream.peer_addr().is_err() {
                if failed {
                    self.lost(id, None, None);
                }
                return;
            }
            connection.stage = Stage::Upgrading;
            let request = std::mem::take(&mut connection.request);
            connection.unsent.splice(0..0, request);
        }
        if !connection.unsent.is_empty() {
            self.flush_one(id);
        }
    }

    fn readable(&mut self, id: Id, to_the_end: bool) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some(connection) = self.at(id) {
            if connection.stage == Stage::Connecting && !to_the_end {
                break;
            }
            match connection.stream.read(&mut buffer) {
                Ok(0) => {
                    self.lost(id, None, None);
                    break;
                }
                Ok(count) => {
                    if connection.received.is_empty() {
                        let used = self.take_in(id, &buffer[..count]);
                        if let Some(connection) = self.at(id) {
                            connection.received.extend_from_slice(&buffer[used..count]);
                        }
                    } else {
                        let mut received = std::mem::take(&mut connection.received);
                        received.extend_from_slice(&buffer[..count]);
                        let used = self.take_in(id, &received);
                        received.drain(..used);
                        if let Some(connection) = self.at(id)
                            && !received.is_empty()
                        {
                            connection.received = received;
                        }
                    }
                    if count < buffer.len() && !to_the_end {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.lost(id, None, None);
                    break;
                }
            }
        }
        self.buffer = buffer;
    }

    fn take_in(&mut self, id: Id, bytes: &[u8]) -> usize {
        let Some(connection) = self.at(id) else { return bytes.len() };
        let mut at = 0;
        if connection.stage != Stage::Open {
            let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else { return 0 };
            assert!(
                bytes.starts_with(b"HTTP/1.1 101"),
                "the upgrade was refused: {}",
                String::from_utf8_lossy(&bytes[..end])
            );
            at = end + 4;
            connection.stage = Stage::Open;
            self.events.push(Event::Open(id));
        }
        while let Some((opcode, start, end)) = wire::decode(&bytes[at..]) {
            let payload = &bytes[at + start..at + end];
            at += end;
            match opcode {
                wire::TEXT => {
                    let from = self.arena.len();
                    self.arena.extend_from_slice(payload);
                    self.events.push(Event::Message(id, from..self.arena.len()));
                }
                wire::PING => self.frame(id, wire::PONG, payload),
                wire::CLOSE => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    self.lost(id, code, wire::number_field(payload, b"\"retry_ms"));
                    return bytes.len();
                }
                _ => {}
            }
        }
        at
    }

    fn lost(&mut self, id: Id, code: Option<u16>, retry_ms: Option<u64>) {
        if let Some(owner) = self.owner(id) {
            self.lost.push(Lost { id, owner, retry_ms });
            self.events.push(Event::Closed(id, code));
        }
        self.kill(id, false);
    }
}
