//! A node's copy of the groups' rows, where several nodes share the records: what lists and figures show is told by
//! whichever node changes it, and read anew from the records when something may have been missed.
//!
//! While a copy is made, changes go on being told. A row that changed meanwhile is newer than the one that was read, or as
//! new, so that one counts.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;

use super::Shared;
use crate::{
    model::{
        help::HelpStatus,
        ids::{GroupId, VisitorId, VisitorKey},
        list::Row,
    },
    presence::visitor::{Share, Visitor},
    store::Engine,
};

/// How long to wait before records that could not be read are read again. Nothing tells when that will do: behind a cut the
/// rows are read anyway, but a server may refuse, or be late, without one.
const PAUSE: Duration = Duration::from_millis(500);

/// The rows of one group, as they were read.
pub type Rows = HashMap<VisitorId, Arc<Row>>;

/// The groups whose rows this node copies; none where it is alone.
#[derive(Default)]
pub(super) struct Replica {
    groups: OnceLock<HashMap<GroupId, Mutex<Copy>>>,
}

#[derive(Default)]
struct Copy {
    /// What each visitor who is there adds to the figures.
    shares: HashMap<VisitorId, Share>,
    /// How many readings were begun.
    begun: u64,
    /// Whose rows changed since, while the reading is under way.
    changed: Option<HashSet<VisitorId>>,
}

impl Copy {
    /// The visitor stands so: what that changes in the figures.
    fn put(&mut self, visitor: &VisitorId, share: Option<Share>) -> Share {
        let before = match share {
            Some(share) => self.shares.insert(visitor.clone(), share),
            None => self.shares.remove(visitor),
        };
        share.unwrap_or_default() - before.unwrap_or_default()
    }
}

impl Replica {
    /// These groups are copied from now on.
    pub(super) fn begin(&self, groups: impl IntoIterator<Item = GroupId>) {
        let groups = groups.into_iter().map(|group| (group, Mutex::default()));
        let _ = self.groups.set(groups.collect());
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = &GroupId> {
        self.groups.get().into_iter().flat_map(HashMap::keys)
    }

    /// Whether no other node changes a record.
    pub(super) fn is_alone(&self) -> bool {
        self.groups.get().is_none()
    }

    /// A change of this visitor's row was told: what it changes in the figures.
    pub(super) fn told(&self, key: &VisitorKey, row: Option<&Row>) -> Option<Share> {
        let mut copy = self.copy(&key.group)?.lock();
        if let Some(changed) = &mut copy.changed {
            changed.insert(key.visitor.clone());
        }
        Some(copy.put(&key.visitor, row.map(share_of)))
    }

    fn copy(&self, group: &GroupId) -> Option<&Mutex<Copy>> {
        self.groups.get()?.get(group)
    }
}

/// What a visitor adds to the figures, as far as his row says it.
fn share_of(row: &Row) -> Share {
    let asks = row.help.as_ref().is_some_and(|help| help.status == HelpStatus::Pending);
    Share {
        connected: 1,
        in_transit: i64::from(row.sockets == 0),
        held: 0,
        asking: i64::from(asks),
    }
}

impl Shared {
    /// Reads the group's rows, and tells lists and figures; again and again until it succeeds, or a later reading begins.
    pub(super) fn read_rows<E: Engine<Visitor>>(self: &Arc<Self>, engine: &E, group: &GroupId) {
        let Some(copy) = self.replica.copy(group) else { return };
        let begun = {
            let mut copy = copy.lock();
            copy.begun += 1;
            copy.changed = Some(HashSet::new());
            copy.begun
        };
        let rows = Arc::new(Mutex::new(Rows::new()));
        let read = Arc::clone(&rows);
        let visit = Box::new(move |key: &VisitorKey, visitor: &Visitor| {
            if let Some(row) = visitor.row(&key.visitor) {
                read.lock().insert(key.visitor.clone(), Arc::new(row));
            }
        });
        let (shared, group, again) = (Arc::clone(self), group.clone(), engine.clone());
        let name = group.to_string();
        let done = Box::new(move |is_read: bool| {
            if is_read {
                return shared.take_rows(&group, begun, std::mem::take(&mut *rows.lock()));
            }
            again.later(PAUSE, move |engine| {
                if shared.replica.copy(&group).is_some_and(|copy| copy.lock().begun == begun) {
                    shared.read_rows(engine, &group);
                }
            });
        });
        engine.list(name, visit, done);
    }

    fn take_rows(&self, group: &GroupId, begun: u64, rows: Rows) {
        let Some(copy) = self.replica.copy(group) else { return };
        let changed = {
            let mut copy = copy.lock();
            if copy.begun != begun {
                return;
            }
            let changed = copy.changed.take().unwrap_or_default();
            let known: HashSet<_> = copy.shares.keys().chain(rows.keys()).cloned().collect();
            for visitor in known.difference(&changed) {
                let row = rows.get(visitor);
                let change = copy.put(visitor, row.map(|row| share_of(row)));
                self.figures.add(group, change);
            }
            changed
        };
        self.taps.iter().for_each(|tap| tap.replaced(group, &rows, &changed));
    }
}
