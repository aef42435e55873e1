//! What a node knows, for tests that look into it.

use super::{
    Core,
    lane::{Flight, Known},
};
use crate::store::{
    Record,
    shared::{question::Mark, testing::Journal},
};

impl<R: Record> Core<R> {
    /// The version under which it knows a record, or its end, behind the mark under which that was written; or will know it
    /// when its flight lands.
    pub(in crate::store::shared) fn known_version(&self, key: &R::Key) -> Option<(Mark, u64)> {
        let lane = self.lanes.get(key)?;
        let known = lane.known.as_ref().and_then(Known::stamp);
        let flying = match &lane.flight {
            Some(Flight::Write(write)) => {
                let before = known.as_ref().map_or(0, |(_, version)| *version);
                let new = write.version.filter(|version| *version != before);
                new.map(|version| (write.mark.clone(), version))
            }
            _ => None,
        };
        flying.or(known).max(lane.ended.clone())
    }
}

impl<const IN_LEAVES: bool> Core<Journal<IN_LEAVES>> {
    /// What it knows of a record, if anything, and under which mark and version; or will know when its flight lands.
    pub(in crate::store::shared) fn knows(
        &self,
        key: u32,
    ) -> Option<((Mark, u64), Journal<IN_LEAVES>)> {
        let lane = self.lanes.get(&key)?;
        let (known, of_known) = (self.known_version(&key)?, lane.known.as_ref());
        if lane.ended.as_ref() == Some(&known) {
            return Some((known, Journal::default()));
        }
        let record = match &lane.flight {
            Some(Flight::Write(write)) if write.is_gone && write.version.is_some() => {
                Journal::default()
            }
            Some(Flight::Write(write)) if write.version.is_none() && write.before.is_some() => {
                write.before.clone()?
            }
            _ => of_known?.record.clone(),
        };
        Some((known, record))
    }
}
