//! Carries presence over a restart (design section 2.8).

use crate::{
    codes::CodeRecord,
    model::ids::VisitorKey,
    presence::{
        handle::Presence,
        visitor::{Visitor, command::Command},
    },
    store::{
        Engine, Expect, Record,
        place::Store,
        saved::{Boot, SavedState, StorageError},
    },
};

/// Saves all records, which change no more from now on; gives their number.
///
/// # Errors
/// The storage cannot be written.
pub async fn save(presence: &Presence, storage: &SavedState) -> Result<u64, StorageError> {
    presence.visitors().seal();
    presence.code_engine().seal();
    let visitors = storage.save_all(Visitor::KIND, rows(presence.visitors())).await?;
    let codes = storage.save_all(CodeRecord::KIND, rows(presence.code_engine())).await?;
    Ok(visitors + codes)
}

/// Takes over what the last process saved, if it ended well; gives the number of records. All sockets are gone, so
/// every visitor is in transit, with a fresh grace.
///
/// # Errors
/// The storage cannot be read.
pub async fn load(
    presence: &Presence,
    storage: &SavedState,
    boot: Boot,
) -> Result<u64, StorageError> {
    let visitors = storage.take_all(Visitor::KIND).await?;
    let codes = storage.take_all(CodeRecord::KIND).await?;
    if !boot.clean {
        // What lies there is from an earlier end; the process between changed it.
        return Ok(0);
    }
    let mut loaded = 0;
    for (key, row) in codes {
        loaded += u64::from(restore(presence.code_engine(), &key, &row).is_some());
    }
    let visitors = visitors.iter();
    let keys = visitors.filter_map(|(key, row)| restore(presence.visitors(), key, row));
    let keys: Vec<VisitorKey> = keys.collect();
    presence.count_restored();
    for key in keys {
        loaded += 1;
        let command = Command::NodeLost { node: presence.node().node, before: boot.incarnation };
        presence.visitors().submit(key, Expect::Any, command, Box::new(|_| ()));
    }
    Ok(loaded)
}

/// An engine's records as rows of the storage.
pub fn rows<R: Record>(engine: &Store<R>) -> Vec<(String, Vec<u8>)> {
    let mut rows = Vec::with_capacity(engine.records());
    engine.for_each(|key, record| match (serde_json::to_string(key), serde_json::to_vec(record)) {
        (Ok(key), Ok(row)) => rows.push((key, row)),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(kind = R::KIND, %error, "a record could not be saved");
        }
    });
    rows
}

/// Puts a row back into its engine; gives its key.
pub fn restore<R: Record>(engine: &Store<R>, key: &str, row: &[u8]) -> Option<R::Key> {
    let (key, record) = read::<R>(key, row)?;
    engine.restore(key.clone(), record);
    Some(key)
}

/// Reads a row as [`rows`] writes it.
pub fn read<R: Record>(key: &str, row: &[u8]) -> Option<(R::Key, R)> {
    let read = serde_json::from_str::<R::Key>(key)
        .and_then(|key| Ok((key, serde_json::from_slice::<R>(row)?)));
    read.inspect_err(|error| {
        tracing::error!(kind = R::KIND, %error, "a saved record could not be read");
    })
    .ok()
}
