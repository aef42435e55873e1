//! A node's copy of the groups' rows, where several nodes share the records: what lists show is told by whichever node
//! changes it, and read anew from the records when something may have been missed.
//!
//! While a copy is made, changes go on being told. A row that changed meanwhile is newer than the one that was read, or as
//! new, so that one counts.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use parking_lot::Mutex;

use super::{handle::Tap, visitor::Visitor};
use crate::{
    model::{
        ids::{GroupId, VisitorId, VisitorKey},
        list::Row,
    },
    store::Engine,
};

/// How long to wait before records that could not be read are read again.
const PAUSE: Duration = Duration::from_millis(500);

/// The rows of one group, as they were read.
pub type Rows = HashMap<VisitorId, Arc<Row>>;

/// The copies of all groups that there are; none where this node is alone.
#[derive(Default)]
pub(super) struct Replica {
    groups: OnceLock<HashMap<GroupId, Mutex<Copying>>>,
}

#[derive(Default)]
struct Copying {
    /// How many copies were begun.
    begun: u64,
    /// Whose rows changed since, while the copy is under way.
    changed: Option<HashSet<VisitorId>>,
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

    /// A change of this visitor's row was told.
    pub(super) fn changed(&self, key: &VisitorKey) {
        let Some(copying) = self.groups.get().and_then(|groups| groups.get(&key.group)) else {
            return;
        };
        if let Some(changed) = &mut copying.lock().changed {
            changed.insert(key.visitor.clone());
        }
    }

    /// Reads the group's rows, and tells the taps; again and again until it succeeds, or a later reading begins. Where the
    /// engine is not one of several nodes' it does nothing.
    pub(super) fn copy<E: Engine<Visitor>>(
        self: &Arc<Self>,
        engine: E,
        group: GroupId,
        taps: Arc<[Arc<dyn Tap>]>,
    ) {
        let Some(copying) = self.groups.get().and_then(|groups| groups.get(&group)) else { return };
        let begun = {
            let mut copying = copying.lock();
            copying.begun += 1;
            copying.changed = Some(HashSet::new());
            copying.begun
        };
        let rows = Arc::new(Mutex::new(Rows::new()));
        let read = Arc::clone(&rows);
        let visit = Box::new(move |key: &VisitorKey, visitor: &Visitor| {
            if let Some(row) = visitor.row(&key.visitor) {
                read.lock().insert(key.visitor.clone(), Arc::new(row));
            }
        });
        let name = group.to_string();
        let (replica, again) = (Arc::clone(self), engine.clone());
        let done = Box::new(move |is_read: bool| {
            let Some(copying) = replica.groups.get().and_then(|groups| groups.get(&group)) else {
                return;
            };
            if copying.lock().begun != begun {
                return;
            }
            if is_read {
                let changed = copying.lock().changed.take().unwrap_or_default();
                let rows = std::mem::take(&mut *rows.lock());
                return taps.iter().for_each(|tap| tap.replaced(&group, &rows, &changed));
            }
            // On the thread of the engine, which has a runtime.
            tokio::task::spawn_local(async move {
                tokio::time::sleep(PAUSE).await;
                replica.copy(again, group, taps);
            });
        });
        engine.list(name, visit, done);
    }
}
