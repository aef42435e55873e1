//! Carries what is kept over a restart (design section 2.8): retained values, histories and their offsets.

use super::{handle::Topics, record::GroupTopics};
use crate::{
    presence::saving::{restore, rows},
    store::{
        Record,
        saved::{Boot, SavedState, StorageError},
    },
};

/// Saves what is kept, which changes no more from now on; gives the number of groups.
///
/// # Errors
/// The storage cannot be written.
pub async fn save(topics: &Topics, storage: &SavedState) -> Result<u64, StorageError> {
    topics.engine().seal();
    storage.save_all(GroupTopics::KIND, rows(topics.engine())).await
}

/// Takes over what the last process saved, if it ended well; gives the number of groups. Else clients who come back are
/// told that they missed something, by another epoch.
///
/// # Errors
/// The storage cannot be read.
pub async fn load(topics: &Topics, storage: &SavedState, boot: Boot) -> Result<u64, StorageError> {
    let saved = storage.take_all(GroupTopics::KIND).await?;
    if !boot.clean {
        return Ok(0);
    }
    let restored = saved.iter().filter_map(|(key, row)| restore(topics.engine(), key, row));
    Ok(restored.count() as u64)
}
