//! What nodes tell each other of a record's transitions.

use serde::{Deserialize, Serialize};

use super::question::Ticket;
use crate::{model::ids::NodeId, store::Record};

/// A transition as another node hears of it, or as its own word comes back.
pub(super) struct Message<R: Record> {
    /// The node that made it.
    pub(super) from: NodeId,
    /// By which it knows it.
    pub(super) ticket: Ticket,
    /// The record. None when the node only asked whether it hears.
    pub(super) key: Option<R::Key>,
    /// The version that came of it; the server's own word.
    pub(super) version: u64,
    /// What follows for the one who hears it.
    pub(super) effects: Vec<R::Effect>,
    /// The row that came of it, where the one who hears it may go on from that.
    pub(super) row: Option<MarkedRow>,
}

/// A row, and the mark of the data that it was written into.
pub(super) struct MarkedRow {
    pub(super) mark: String,
    pub(super) row: Vec<u8>,
}

#[derive(Serialize)]
struct Outgoing<'a, K, E>(NodeId, Ticket, Option<&'a K>, &'a [&'a E]);

#[derive(Deserialize)]
struct Incoming<K, E>(NodeId, Ticket, Option<K>, Vec<E>);

/// What the server passes on. It puts the version in front, which nobody knows before.
pub(super) fn encode<R: Record>(
    from: NodeId,
    ticket: Ticket,
    key: Option<&R::Key>,
    effects: &[&R::Effect],
) -> Vec<u8> {
    // Whatever is an effect has been written before: records are, and they hold the same types.
    serde_json::to_vec(&Outgoing(from, ticket, key, effects)).unwrap_or_else(|error| {
        tracing::error!(kind = R::KIND, ?key, %error, "an effect cannot be written");
        Vec::new()
    })
}

/// Puts the row behind what was encoded: a line with the mark, and the row. JSON has no line ends.
pub(super) fn with_row(mut message: Vec<u8>, mark: &str, row: &[u8]) -> Vec<u8> {
    message.reserve(mark.len() + row.len() + 2);
    for part in [mark.as_bytes(), row] {
        message.push(b'\n');
        message.extend_from_slice(part);
    }
    message
}

fn read_row(line: &[u8]) -> Option<MarkedRow> {
    let end = line.iter().position(|byte| *byte == b'\n')?;
    let (mark, row) = line.split_at_checked(end)?;
    Some(MarkedRow { mark: str::from_utf8(mark).ok()?.to_owned(), row: row.get(1..)?.to_vec() })
}

/// Reads what the server passed on: `version`, a colon, and what was encoded.
pub(super) fn decode<R: Record>(bytes: &[u8]) -> Option<Message<R>> {
    let colon = bytes.iter().position(|byte| *byte == b':')?;
    let (version, rest) = bytes.split_at_checked(colon)?;
    let version = std::str::from_utf8(version).ok()?.parse().ok()?;
    let rest = rest.get(1..)?;
    let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    let (message, line) = rest.split_at_checked(end)?;
    match serde_json::from_slice(message) {
        Ok(Incoming(from, ticket, key, effects)) => {
            let row = line.get(1..).and_then(read_row);
            Some(Message { from, ticket, key, version, effects, row })
        }
        Err(error) => {
            tracing::error!(kind = R::KIND, %error, "a message of another node cannot be read");
            None
        }
    }
}
