//! What a node knows, for tests that look into it.

use super::{Core, lane::Flight};
use crate::store::{Record, shared::testing::Journal};

impl<R: Record> Core<R> {
    /// The version under which it knows a record, or its end; or will know it when its flight lands. 0 for none.
    pub(in crate::store::shared) fn known_version(&self, key: &R::Key) -> u64 {
        let Some(lane) = self.lanes.get(key) else { return 0 };
        let known = lane.known.as_ref().map(|known| known.version);
        let flying = match &lane.flight {
            Some(Flight::Write(write)) => write.version,
            _ => None,
        };
        flying.or(known).max(lane.ended).unwrap_or(0)
    }
}

impl<const IN_LEAVES: bool> Core<Journal<IN_LEAVES>> {
    /// What it knows of a record, if anything, and under which version; or will know when its flight lands.
    pub(in crate::store::shared) fn knows(&self, key: u32) -> Option<(u64, Journal<IN_LEAVES>)> {
        let lane = self.lanes.get(&key)?;
        let known = lane.known.as_ref().map(|known| (known.version, known.record.clone()));
        let ended = lane.ended.map(|version| (version, Default::default()));
        let flying = match &lane.flight {
            Some(Flight::Write(write)) => Some((write.version, write.is_gone, &write.before)),
            _ => None,
        };
        let known = match (flying, known) {
            (Some((Some(version), true, _)), _) => Some((version, Default::default())),
            (Some((Some(version), false, _)), Some((_, record))) => Some((version, record)),
            (Some((None, _, Some(before))), Some((version, _))) => Some((version, before.clone())),
            (_, known) => known,
        };
        known.into_iter().chain(ended).max_by_key(|(version, _)| *version)
    }
}
