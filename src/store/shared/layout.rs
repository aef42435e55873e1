//! How a cluster is laid out, as one of its servers says.

use redis::Value;

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Which master has which slots.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// First and last slot, and where they are.
    pub(super) masters: Vec<(u16, u16, Address)>,
    /// All servers.
    pub(super) servers: Vec<Address>,
}

impl Layout {
    /// Reads the answer to `CLUSTER SLOTS`: by range the first slot, the last one, and the servers that have them, the
    /// master before the others. A server that does not know how it is called says nothing of it: it is the one that was
    /// `asked`. What is nothing of the kind is passed over.
    pub(super) fn read(answer: &Value, asked: &Address) -> Self {
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

    pub(super) fn master(&self, slot: u16) -> Option<&Address> {
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
