//! Which server of a cluster has what, as far as this node knows: asked of any of them, and asked again when it shows to be
//! otherwise.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    sync::Arc,
    time::Duration,
};

use redis::{
    AsyncConnectionConfig, RedisError, RedisResult, Value, aio::MultiplexedConnection, cmd,
};

use super::{parts::Part, url::Seeds};

/// How long one server may take to say how the cluster is laid out.
const ANSWERS_WITHIN: Duration = Duration::from_millis(500);
/// How long a connection may take.
pub(super) const CONNECTS_WITHIN: Duration = Duration::from_secs(1);

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Which master has which slots.
#[derive(Debug, Default, PartialEq, Eq)]
struct Layout {
    /// First and last slot, and where they are.
    masters: Vec<(u16, u16, Address)>,
    /// All servers.
    servers: Vec<Address>,
}

impl Layout {
    /// Reads the answer to `CLUSTER SLOTS`: by range the first slot, the last one, and the servers that have them, the
    /// master before the others. A server that does not know how it is called says nothing of it: it is the one that was
    /// `asked`. What is nothing of the kind is passed over.
    fn read(answer: &Value, asked: &Address) -> Self {
        let mut layout = Self::default();
        for range in list(answer) {
            let [first, last, servers @ ..] = list(range) else { continue };
            let servers: Vec<Address> =
                servers.iter().filter_map(|server| address(server, asked)).collect();
            if let (Some(first), Some(last), Some(master)) =
                (number(first), number(last), servers.first())
            {
                layout.masters.push((first, last, master.clone()));
            }
            for server in servers {
                if !layout.servers.contains(&server) {
                    layout.servers.push(server);
                }
            }
        }
        layout
    }

    fn master(&self, slot: u16) -> Option<&Address> {
        let has = |(first, last, _): &&(u16, u16, Address)| (*first..=*last).contains(&slot);
        self.masters.iter().find(has).map(|(.., master)| master)
    }
}

fn list(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        _ => &[],
    }
}

fn number(value: &Value) -> Option<u16> {
    match value {
        Value::Int(number) => u16::try_from(*number).ok(),
        _ => None,
    }
}

fn address(server: &Value, asked: &Address) -> Option<Address> {
    let [host, port, ..] = list(server) else { return None };
    let host = match host {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok()?,
        Value::SimpleString(text) => text,
        Value::Nil => "",
        _ => return None,
    };
    let host = match host {
        "" => asked.host.clone(),
        // It has a name, and does not know it.
        "?" => return None,
        host => host.to_owned(),
    };
    Some(Address { host, port: number(port).filter(|port| *port != 0)? })
}

/// Finds the master of a part. One for all connections of a node.
pub(super) struct Finder {
    seeds: Arc<Seeds>,
    layout: RefCell<Layout>,
    /// How often the layout was read.
    read: Cell<u64>,
    /// Whether it showed to be otherwise.
    is_doubted: Cell<bool>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
    /// Whom to ask, by turns.
    asked: RefCell<VecDeque<Address>>,
}

impl Finder {
    pub(super) fn new(seeds: &Arc<Seeds>) -> Self {
        Self {
            asked: RefCell::new(seeds.hosts.clone().into()),
            seeds: Arc::clone(seeds),
            layout: RefCell::default(),
            read: Cell::new(0),
            is_doubted: Cell::new(true),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// Connects to the master of a part, and says by the so manieth layout.
    pub(super) async fn connect(
        &self,
        part: Part,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<(MultiplexedConnection, u64)> {
        if self.is_doubted.get() {
            let _turn = self.asking.lock().await;
            // Somebody else may have asked meanwhile.
            if self.is_doubted.get() {
                self.ask().await?;
            }
        }
        let master = self.layout.borrow().master(part.slot()).cloned();
        let read = self.read.get();
        let Some(master) = master else {
            self.doubt(read);
            return Err(nobody("no master has the slots of this part"));
        };
        let connection = self.seeds.connect(&master, config).await;
        connection.map(|connection| (connection, read)).inspect_err(|_| self.doubt(read))
    }

    /// What the so manieth layout says showed to be otherwise: before the next connection it is asked for.
    pub(super) fn doubt(&self, read: u64) {
        if self.read.get() == read {
            self.is_doubted.set(true);
        }
    }

    async fn ask(&self) -> RedisResult<()> {
        let servers = self.asked.borrow().len();
        for _ in 0..servers {
            let server = {
                let mut asked = self.asked.borrow_mut();
                asked.rotate_left(1);
                asked.back().cloned()
            };
            let Some(server) = server else { break };
            let answer = tokio::time::timeout(ANSWERS_WITHIN, self.ask_one(&server)).await;
            match answer {
                Ok(Ok(layout)) if !layout.masters.is_empty() => {
                    self.learn(layout);
                    return Ok(());
                }
                Ok(Ok(_)) => tracing::debug!(?server, "it knows of no slots"),
                Ok(Err(error)) => tracing::debug!(?server, %error, "it does not say who has what"),
                Err(_) => tracing::debug!(?server, "it does not answer"),
            }
        }
        Err(nobody("no server says how the cluster is laid out"))
    }

    async fn ask_one(&self, server: &Address) -> RedisResult<Layout> {
        let mut connection = self.seeds.connect(server, &AsyncConnectionConfig::new()).await?;
        let answer: Value = cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?;
        Ok(Layout::read(&answer, server))
    }

    fn learn(&self, layout: Layout) {
        let mut asked = self.asked.borrow_mut();
        // Those that were named stay; of the others those that are there now.
        let seeds = &self.seeds.hosts;
        asked.retain(|server| seeds.contains(server) || layout.servers.contains(server));
        for server in &layout.servers {
            if !asked.contains(server) {
                asked.push_front(server.clone());
            }
        }
        drop(asked);
        if *self.layout.borrow() != layout {
            tracing::info!(masters = ?layout.masters, "the cluster is laid out so");
        }
        *self.layout.borrow_mut() = layout;
        self.read.set(self.read.get() + 1);
        self.is_doubted.set(false);
    }
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

    fn server(host: Value, port: i64) -> Value {
        let id = Value::BulkString(b"e7d1".to_vec());
        Value::Array(vec![host, Value::Int(port), id, Value::Array(Vec::new())])
    }

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn a_layout_says_who_has_which_slots() {
        let range = |first, last, servers: Vec<Value>| {
            Value::Array([vec![Value::Int(first), Value::Int(last)], servers].concat())
        };
        let answer = Value::Array(vec![
            range(0, 8_191, vec![server(text("a"), 7_000), server(text("b"), 7_001)]),
            range(8_192, 16_382, vec![server(text(""), 7_002), server(Value::Nil, 7_003)]),
            range(16_383, 16_383, vec![server(text("?"), 7_004), server(text("a"), 0)]),
            Value::Nil,
            range(-1, 70_000, vec![server(text("c"), 7_005)]),
        ]);
        let layout = Layout::read(&answer, &at("seed", 7_002));
        assert_eq!(layout.master(0), Some(&at("a", 7_000)));
        assert_eq!(layout.master(8_191), Some(&at("a", 7_000)));
        assert_eq!(layout.master(8_192), Some(&at("seed", 7_002)));
        assert_eq!(layout.master(16_383), None, "who has it has no name");
        assert_eq!(layout.servers.len(), 5, "{:?}", layout.servers);
        assert_eq!(Layout::read(&Value::Okay, &at("seed", 1)), Layout::default());
    }
}
