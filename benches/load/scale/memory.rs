//! What the nodes' server keeps.

use std::collections::BTreeMap;

use crate::kit::nodes::{Nodes, ask};

/// How many keys of each kind the server has, and their bytes.
pub(super) fn memory_by_kind(nodes: &mut Nodes) -> BTreeMap<String, (usize, u64)> {
    let (pattern, from) = (format!("{}*", nodes.prefix()), nodes.prefix().len());
    let mut kinds = BTreeMap::<String, (usize, u64)>::new();
    for server in nodes.servers() {
        let mut cursor = "0".to_owned();
        loop {
            let arguments = [&*cursor, "MATCH", &*pattern, "COUNT", "1000"];
            let (next, keys): (String, Vec<String>) = ask(server, "SCAN", &arguments);
            for key in keys {
                let kind = kind_of(&key[from..]);
                let arguments = ["USAGE", &*key, "SAMPLES", "0"];
                let bytes: Option<u64> = ask(server, "MEMORY", &arguments);
                let (number, sum) = kinds.entry(kind.to_owned()).or_default();
                (*number, *sum) = (*number + 1, *sum + bytes.unwrap_or_default());
            }
            cursor = next;
            if cursor == "0" {
                break;
            }
        }
    }
    kinds
}

/// A record's name is its kind and its key in JSON; those of lists have a word in front, and all of a cluster's the number of
/// their part.
fn kind_of(name: &str) -> &str {
    let is_kind = |word: &&str| !word.is_empty() && !word.bytes().all(|byte| byte.is_ascii_digit());
    name.split([':', '{', '}']).find(is_kind).unwrap_or(name)
}
