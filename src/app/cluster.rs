//! This process as one of several nodes, where the settings say so.

use std::{convert::Infallible, future::pending, io, net::SocketAddr, time::Duration};

use sha2::{Digest, Sha256};

use super::waiting::waits_for;
use crate::{
    clock::Clock,
    model::ids::NodeId,
    settings::Settings,
    sockets::service::SocketService,
    store::{
        place::Place,
        saved::Boot,
        shared::{SharedNode, Standing},
    },
};

/// How long a node may go without renewing its lease (design section 5).
const LEASE: Duration = Duration::from_secs(10);

/// Where this process keeps its records. `address` is where it listens.
///
/// # Errors
/// There is no thread to be had.
pub(super) fn place(settings: &Settings, address: SocketAddr, boot: Boot) -> io::Result<Place> {
    let shards = settings.server.workers;
    let Some(cluster) = &settings.cluster else {
        let node = NodeId { node: 0, incarnation: boot.incarnation };
        return Ok(Place::alone(node, shards, Clock::system()));
    };
    let name = name(settings, address);
    let clock = Clock::shared();
    // Later starts have greater numbers, as long as the machine's clock was not set back between them.
    let node = NodeId { node: number(&name), incarnation: clock.wall().0 };
    tracing::info!(name, node = node.node, incarnation = node.incarnation, "one of several nodes");
    let shared = SharedNode::start(cluster.url.clone(), node, LEASE, clock.clone())?;
    Ok(Place { node, clock, shards, shared: Some(shared) })
}

/// What this process goes by among the nodes.
pub(super) fn name(settings: &Settings, address: SocketAddr) -> Box<str> {
    let given = settings.cluster.as_ref().and_then(|cluster| cluster.node_name.clone());
    given.unwrap_or_else(|| {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        format!("{host}:{}", address.port()).into()
    })
}

/// The number of the node with this name. Of a hundred nodes two have the same one in one of a million such services; then
/// the later one does not start, and another name helps.
fn number(name: &str) -> u32 {
    let digest = Sha256::digest(name.as_bytes());
    digest.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Waits until this node is one of the nodes for the first time: before, it knows neither the time nor any secret. In vain
/// where it is [`ended`] before, because that took longer than a lease, or its name is taken.
pub(super) async fn join(node: &SharedNode) {
    let mut standing = node.standing();
    let joined = standing.wait_for(|standing| *standing == Standing::Member);
    // The thread that tells it lives as long as the node.
    let _ = waits_for("the server that all nodes share", joined).await;
}

/// Waits until this node is none of the nodes, for good: how it stands then.
pub(super) async fn ended(node: &SharedNode) -> Standing {
    let mut standing = node.standing();
    let ended = standing.wait_for(|standing| standing.is_final()).await;
    ended.map_or(Standing::Ended, |standing| *standing)
}

/// Keeps the service as ready as the node is, and agents told, until the others have ended it.
pub(super) async fn stay(node: &SharedNode, service: &SocketService) {
    let mut standing = node.standing();
    loop {
        let now = *standing.borrow_and_update();
        let is_away = now != Standing::Member;
        service.lifecycle.degrade(is_away);
        if now.is_final() {
            return;
        }
        tokio::select! {
            changed = standing.changed() => if changed.is_err() {
                return;
            },
            never = keep_told(service, is_away) => match never {},
        }
    }
}

/// Tells agents how it is, as soon as they may be told.
async fn keep_told(service: &SocketService, is_away: bool) -> Infallible {
    while let Err(wait_ms) = service.outages.tell(is_away, service.clock().now()) {
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }
    pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_numbers_that_stay() {
        assert_eq!(number("shop-1:8080"), number("shop-1:8080"));
        assert_ne!(number("shop-1:8080"), number("shop-2:8080"));
    }
}
