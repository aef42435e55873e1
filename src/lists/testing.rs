//! Rows and a reader for tests.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Reader;
use crate::{
    clock::Timestamp,
    model::{list::Row, presence::PresenceData, protocol::agent::ListChange},
};

/// A visitor of whom little is known.
pub fn row(id: &str) -> Row {
    Row {
        visitorid: id.parse().unwrap(),
        anonymous: false,
        epoch: 1,
        sequence: 1,
        since: Timestamp(1_000),
        updated: Timestamp(1_000),
        sockets: 1,
        visibility: None,
        terms: None,
        help: None,
        data: PresenceData::EMPTY,
    }
}

/// A visitor with presence data.
pub fn row_with(id: &str, data: &serde_json::Value) -> Row {
    Row { data: serde_json::from_value(data.clone()).unwrap(), ..row(id) }
}

/// Reads a list as the protocol says, and believes all of it.
#[derive(Default)]
pub struct Page(Mutex<Known>);

/// What a reader knows of a list.
#[derive(Clone, Default)]
pub struct Known {
    /// The window.
    pub rows: Vec<Arc<Row>>,
    /// The counts: who passes the filter, and who is there.
    pub counts: (usize, usize),
    /// Whether the window is not whole yet.
    pub more: bool,
    /// Messages so far.
    pub messages: usize,
    /// Reads nothing more.
    pub stuck: bool,
}

impl Page {
    /// What it knows now.
    pub fn known(&self) -> Known {
        self.0.lock().clone()
    }

    /// The ids in the window.
    pub fn ids(&self) -> Vec<String> {
        self.known().rows.iter().map(|row| row.visitorid.to_string()).collect()
    }

    /// Stops reading, or begins anew.
    pub fn stick(&self, stuck: bool) {
        self.0.lock().stuck = stuck;
    }
}

impl Reader for Page {
    fn is_ready(&self) -> bool {
        !self.0.lock().stuck
    }

    fn tell(&self, change: ListChange) {
        let mut known = self.0.lock();
        assert!(!known.stuck, "told although he does not read");
        if change.reset {
            known.rows.clear();
        }
        let is_named = |row: &Arc<Row>| {
            change.remove.contains(&row.visitorid)
                || change.put.iter().any(|put| put.row.visitorid == row.visitorid)
        };
        known.rows.retain(|row| !is_named(row));
        for put in change.put {
            known.rows.insert(put.at, put.row);
        }
        known.counts = (change.count, change.total);
        known.more = change.more;
        known.messages += 1;
    }
}
