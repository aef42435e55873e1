//! Carries clients over a restart, with what waits for them: they find the next process under the name that they had.

use super::{
    client::{
        Client,
        command::{Command, Member},
    },
    server::Bayeux,
};
use crate::{
    presence::saving::{read, rows},
    settings::Trust,
    sockets::service::SocketService,
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

/// Takes over what the last process saved, if it ended well, of those clients that would be let in now; gives their
/// number. Each has its whole time to connect again. After topics, which they hear.
///
/// # Errors
/// The storage cannot be read.
pub async fn load(
    bayeux: &Bayeux,
    service: &SocketService,
    storage: &SavedState,
    boot: Boot,
) -> Result<u64, StorageError> {
    let rows = storage.take_all(Client::KIND).await?;
    if !boot.clean {
        return Ok(0);
    }
    let mut loaded = 0;
    let (node, before) = (bayeux.node().node, boot.incarnation);
    for (key, row) in &rows {
        let Some((key, client)) = read::<Client>(key, row) else { continue };
        if !client.member().is_some_and(|member| is_trusted(service, member)) {
            tracing::info!(client = ?key, "a client that was saved is not trusted any more");
            continue;
        };
        bayeux.engine().restore(key, client);
        bayeux.tell(key, Command::NodeLost { node, before });
        bayeux.adopt(key).await;
        loaded += 1;
    }
    Ok(loaded)
}

/// Whether a client would be let in under the settings and revocations that hold now.
pub(super) fn is_trusted(service: &SocketService, member: &Member) -> bool {
    let Some(group) = service.settings.groups.get(&member.group) else { return false };
    match (&member.agent, group.bayeux) {
        (_, Trust::Off) | (None, Trust::Token) => false,
        (None, Trust::Code) => true,
        (Some(agent), Trust::Code | Trust::Token) => {
            agent.expires > service.clock().wall() && service.tokens.still_believes(agent)
        }
    }
}
