//! The sockets of the simple scenarios.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::kit::{
    GROUP, ORIGIN, TURN,
    net::{Event, Id, Net},
    server::Server,
    wire,
};

/// Sockets that open at the same time.
const AT_ONCE: usize = 128;

/// A presence update with so many keys, 16 characters of value each.
pub fn presence(keys: usize) -> String {
    let pairs: Vec<_> =
        (0..keys).map(|key| format!("\"key{key:02}\":\"value of key {key:03}\"")).collect();
    format!("{{{}}}", pairs.join(","))
}

pub fn hello(visitor: usize, page: usize, data: &str) -> String {
    format!(
        r#"{{"type":"hello","visitorid":"v{visitor}","tab":"t{visitor}","page":"p{page}","visible":true,"listen":true,"seen":[],"data":{data}}}"#
    )
}

/// What the simple scenarios' loops work with.
pub struct Load {
    pub net: Net,
    events: Vec<Event>,
    bytes: Vec<u8>,
}

impl Load {
    pub(super) fn new(server: &Server) -> Self {
        Self::at(server.address)
    }

    pub fn at(address: SocketAddr) -> Self {
        Self { net: Net::new(address), events: Vec::new(), bytes: Vec::new() }
    }

    pub fn turn(&mut self, wait: Duration) -> (Vec<Event>, Vec<u8>) {
        let (mut events, mut bytes) =
            (std::mem::take(&mut self.events), std::mem::take(&mut self.bytes));
        self.net.turn(wait, &mut events, &mut bytes);
        (events, bytes)
    }

    pub fn give_back(&mut self, (events, bytes): (Vec<Event>, Vec<u8>)) {
        (self.events, self.bytes) = (events, bytes);
    }

    pub(super) fn open_visitor(&mut self, visitor: usize) -> Id {
        self.net.open(&format!("/v1/visitor?group={GROUP}"), Some(ORIGIN), visitor)
    }

    /// Opens sockets, says hello on each, and waits until all are welcome. `hello` also tells visitors from agents.
    pub(super) fn open_all(
        &mut self,
        count: usize,
        hello: impl Fn(usize) -> (bool, String),
    ) -> Vec<Id> {
        let (mut ids, mut welcome) = (Vec::new(), 0);
        let started = Instant::now();
        while welcome < count {
            while ids.len() < count && ids.len() - welcome < AT_ONCE {
                let owner = ids.len();
                ids.push(if hello(owner).0 {
                    self.open_visitor(owner)
                } else {
                    self.net.open("/v1/agent", None, owner)
                });
            }
            let batch = self.turn(TURN);
            for event in &batch.0 {
                match event {
                    Event::Open(id) => {
                        let owner = self.net.owner(*id).unwrap();
                        self.net.text(*id, hello(owner).1.as_bytes());
                    }
                    Event::Message(_, range) => {
                        welcome += usize::from(wire::is_type(&batch.1[range.clone()], "welcome"));
                    }
                    Event::Closed(_, code) => panic!("closed while opening: {code:?}"),
                }
            }
            self.give_back(batch);
            assert!(started.elapsed().as_secs() < 120, "only {welcome} of {count} are welcome");
        }
        ids
    }

    /// Answers pings and throws away what comes.
    pub fn idle(&mut self, time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time {
            let batch = self.turn(Duration::from_millis(50));
            for event in &batch.0 {
                assert!(!matches!(event, Event::Closed(..)), "a socket was closed");
            }
            self.give_back(batch);
        }
    }
}

/// What came in a turn, as text, while no socket may close.
pub(super) fn messages(
    (events, bytes): &(Vec<Event>, Vec<u8>),
) -> impl Iterator<Item = (Id, &[u8])> {
    events.iter().filter_map(|event| match event {
        Event::Message(id, range) => Some((*id, &bytes[range.clone()])),
        Event::Open(_) => None,
        Event::Closed(_, code) => panic!("closed: {code:?}"),
    })
}

pub fn agent_hello(token: &str) -> String {
    format!(r#"{{"type":"hello","token":"{token}"}}"#)
}
