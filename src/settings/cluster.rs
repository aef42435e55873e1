//! The rules of `[cluster]`: several nodes that share a server.

use super::{SettingsError, validate::Checked, wire};
use crate::store::shared::ServerUrl;

/// Longest name of a node, in characters.
const LONGEST_NAME: usize = 64;

/// This process as one of several nodes.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// The server that they share.
    pub url: ServerUrl,
    /// What tells this node from others; `None`: the machine's name and the port.
    pub node_name: Option<Box<str>>,
}

/// `None` for a process that is alone.
pub(super) fn cluster(wire: wire::Cluster) -> Checked<Option<Cluster>> {
    let is_name = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        (1..=LONGEST_NAME).contains(&name.len()) && name.bytes().all(fits)
    };
    if wire.node_name.as_deref().is_some_and(|name| !is_name(name)) {
        let rule = "must have 1 to 64 of the characters A-Z a-z 0-9 . _ : -";
        return Err(SettingsError::key("cluster.node_name", rule));
    }
    match (&*wire.engine, wire.url) {
        ("memory", None) => Ok(None),
        // Else each of several nodes would be alone, and nobody would be told.
        ("memory", Some(_)) => {
            let rule = "must be \"redis\" where cluster.url names a server";
            Err(SettingsError::key("cluster.engine", rule))
        }
        ("redis", None) => {
            let rule = "must name the server that all nodes share, as in redis://db.internal:6379";
            Err(SettingsError::key("cluster.url", rule))
        }
        ("redis", Some(url)) => {
            let url =
                ServerUrl::parse(&url).map_err(|error| SettingsError::key("cluster.url", error))?;
            Ok(Some(Cluster { url, node_name: wire.node_name.map(Into::into) }))
        }
        _ => Err(SettingsError::key("cluster.engine", "must be \"memory\" or \"redis\"")),
    }
}
