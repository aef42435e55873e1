//! One live query: what its reader knows, and what to tell him next. Pure.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use super::view::View;
use crate::model::{
    ids::VisitorId,
    list::{Row, Window},
    protocol::agent::{ListChange, ListRow},
};

/// Bytes of rows in one message; what is beyond comes with the next one. One row is told however large it is.
pub const MESSAGE_BYTES: usize = 48 * 1024;
/// What a row takes besides its id and data, about.
const ROW_BYTES: usize = 240;

/// What a reader knows of a view. Whoever reads slowly is told less often: what happened meanwhile is one change.
#[derive(Debug)]
pub struct Query {
    window: Window,
    known: Vec<Arc<Row>>,
    /// How many match, and how many there are, as far as the reader knows.
    counts: Option<(usize, usize)>,
    /// Whether there is more to tell than what changes from now on.
    pub behind: bool,
}

impl Query {
    /// A query whose reader knows nothing yet.
    #[must_use]
    pub fn new(window: Window) -> Self {
        Self { window, known: Vec::new(), counts: None, behind: true }
    }

    /// What part of the view it looks at.
    #[must_use]
    pub fn window(&self) -> Window {
        self.window
    }

    /// What to tell the reader so that he knows the view as it is now; `None` when he does. `total` visitors are there in
    /// all. The first change begins with an empty window.
    pub fn change(&mut self, list: u64, view: &View, total: usize) -> Option<ListChange> {
        let known: HashMap<&VisitorId, &Arc<Row>> =
            self.known.iter().map(|row| (&row.visitorid, row)).collect();
        let (mut put, mut next, mut bytes) = (Vec::new(), Vec::new(), 0);
        self.behind = false;
        for row in view.window(self.window) {
            let is_known = known.get(&row.visitorid).is_some_and(|known| Arc::ptr_eq(known, row));
            if !is_known {
                let size = ROW_BYTES + row.visitorid.as_str().len() + row.data.text().len();
                if !put.is_empty() && bytes + size > MESSAGE_BYTES {
                    // The reader goes without this row for one message.
                    self.behind = true;
                    continue;
                }
                bytes += size;
                put.push(ListRow { at: next.len(), row: Arc::clone(row) });
            }
            next.push(Arc::clone(row));
        }
        let stay: HashSet<&VisitorId> = next.iter().map(|row| &row.visitorid).collect();
        let gone = self.known.iter().filter(|row| !stay.contains(&row.visitorid));
        let remove: Vec<_> = gone.map(|row| row.visitorid.clone()).collect();
        let (count, before) = (view.count(), self.counts.replace((view.count(), total)));
        if before == Some((count, total)) && remove.is_empty() && put.is_empty() {
            return None;
        }
        self.known = next;
        let (reset, more) = (before.is_none(), self.behind);
        Some(ListChange { list, reset, count, total, remove, put, more })
    }
}
