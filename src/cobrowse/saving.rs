//! Carries sessions over a restart (design section 2.8). Streams and assets are not: pages begin anew with a key frame.

use super::{
    handle::Cobrowse,
    session::{Session, command::Command},
};
use crate::{
    presence::saving::{restore, rows},
    store::{
        Engine, Expect, Record,
        saved::{Boot, SavedState, StorageError},
    },
};

/// Saves all sessions, which change no more from now on; gives their number.
///
/// # Errors
/// The storage cannot be written.
pub async fn save(cobrowse: &Cobrowse, storage: &SavedState) -> Result<u64, StorageError> {
    cobrowse.engine().seal();
    storage.save_all(Session::KIND, rows(cobrowse.engine())).await
}

/// Takes over what the last process saved, if it ended well; gives the number of sessions. All sockets are gone, so
/// everybody is waited for, with a fresh grace.
///
/// # Errors
/// The storage cannot be read.
pub async fn load(
    cobrowse: &Cobrowse,
    storage: &SavedState,
    boot: Boot,
) -> Result<u64, StorageError> {
    let sessions = storage.take_all(Session::KIND).await?;
    if !boot.clean {
        return Ok(0);
    }
    let engine = cobrowse.engine();
    let mut loaded = 0;
    for (key, row) in &sessions {
        if let Some(key) = restore(engine, key, row) {
            loaded += 1;
            let command =
                Command::Restored { node: cobrowse.node().node, before: boot.incarnation };
            engine.submit(key, Expect::Any, command, Box::new(|_| ()));
        }
    }
    Ok(loaded)
}
