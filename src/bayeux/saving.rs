//! Carries clients over a restart, with what waits for them: they find the next process under the name that they had.

use std::sync::Arc;

use super::{
    client::{Client, command::Command},
    server::Bayeux,
};
use crate::{
    presence::saving::{restore, rows},
    store::{
        Record,
        saved::{Boot, SavedState, StorageError},
    },
};

/// Saves all clients, which change no more from now on; gives their number.
///
/// # Errors
/// The storage cannot be written.
pub async fn save(bayeux: &Bayeux, storage: &SavedState) -> Result<u64, StorageError> {
    bayeux.engine().seal();
    storage.save_all(Client::KIND, rows(bayeux.engine())).await
}

/// Takes over what the last process saved, if it ended well; gives the number of clients. Each has its whole time to
/// connect again.
///
/// # Errors
/// The storage cannot be read.
pub async fn load(bayeux: &Bayeux, storage: &SavedState, boot: Boot) -> Result<u64, StorageError> {
    let rows = storage.take_all(Client::KIND).await?;
    if !boot.clean {
        return Ok(0);
    }
    let engine = bayeux.engine();
    let keys: Vec<_> = rows.iter().filter_map(|(key, row)| restore(engine, key, row)).collect();
    let local = bayeux.local();
    engine.for_each(|key, client| {
        let Some((member, _)) = client.member() else { return };
        local.groups.insert(*key, member.group.clone());
        if let Some(agent) = member.agent.clone() {
            local.bearers.insert(*key, Arc::new(agent));
        }
        for channel in client.channels() {
            local.index.add(&member.group, channel.clone(), *key);
        }
    });
    let (node, before) = (bayeux.node().node, boot.incarnation);
    for key in &keys {
        bayeux.tell(*key, Command::NodeLost { node, before });
    }
    Ok(keys.len() as u64)
}
