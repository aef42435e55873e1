use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use super::{ServeError, background::Background};
use crate::{
    auth::Mode,
    bayeux::{self, server::Bayeux},
    chat, cobrowse, events,
    presence::saving,
    sockets::service::SocketService,
    store::{
        saved::{Boot, SavedState, StorageError},
        shared::SharedNode,
    },
    topics,
};

/// How long the engines may take to tell the nodes' server of the sockets' ends.
const LAST_WORD: Duration = Duration::from_secs(3);

/// Lets all sockets go, and saves what the next process takes over.
///
/// # Errors
/// The storage's.
pub(super) async fn drain(
    service: &SocketService,
    bayeux: &Bayeux,
    stop: Stop,
    background: Background,
    storage: &SavedState,
    boot: Boot,
    node: Option<&SharedNode>,
) -> Result<(), ServeError> {
    let webhooks = background.leave_webhooks();
    tracing::info!(reason = stop.as_str(), sockets = service.sockets.len(), "stopping");

    service.events.drain();
    let clients = service.sockets.len() + bayeux.waiting();
    let spread = spread(service, stop, clients);
    let farewell = tokio::time::Instant::now() + service.settings.server.farewell;
    let _ = tokio::time::timeout_at(farewell, bayeux.go_away(spread)).await;
    service.go_away(spread);
    let _ = tokio::time::timeout_at(farewell, service.sockets.emptied()).await;
    if let Some(node) = node {
        bayeux.give_up();
        let _ = tokio::time::timeout(LAST_WORD, last_words(service, bayeux)).await;
        node.leave().await;
    }
    let saved = match node {
        None => save_state(service, bayeux, storage).await?,
        // All else is where all nodes have it.
        Some(_) => 0,
    };
    service.cobrowse.ledger().flush().await;
    service.metrics.saved_records.inc_by(saved);
    // The sealed records tell nothing more.
    webhooks.stop().await;
    let waiting = match node {
        None => events::saving::save(&service.events, storage).await?,
        Some(node) => {
            events::saving::save_beside_others(&service.events, storage, node.id()).await?
        }
    };
    storage.end(boot.incarnation).await?;
    storage.close().await;
    tracing::info!(saved, waiting, "state is saved");
    Ok(())
}

/// Saves the records for the next process; gives their number. Those that did not take their leave are saved with their
/// sockets; the next process knows that these are lost.
async fn save_state(
    service: &SocketService,
    bayeux: &Bayeux,
    storage: &SavedState,
) -> Result<u64, StorageError> {
    Ok(saving::save(&service.presence, storage).await?
        + cobrowse::saving::save(&service.cobrowse, storage).await?
        + bayeux::saving::save(bayeux, storage).await?
        + chat::saving::save(&service.chat, storage).await?
        + topics::saving::save(&service.topics, storage).await?)
}

/// Waits until what the ends of the sockets changed is on its way no longer.
async fn last_words(service: &SocketService, bayeux: &Bayeux) {
    tokio::join!(
        service.presence.visitors().idle(),
        service.presence.code_engine().idle(),
        service.cobrowse.engine().idle(),
        service.chat.conversations().idle(),
        service.chat.staff().idle(),
        service.topics.engine().idle(),
        bayeux.engine().idle(),
    );
}

/// What ended the process.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    Terminate,
    Interrupt,
    /// The other nodes.
    Ended,
}

impl Stop {
    fn as_str(self) -> &'static str {
        match self {
            Stop::Terminate => "SIGTERM",
            Stop::Interrupt => "SIGINT",
            Stop::Ended => "ended by the other nodes",
        }
    }
}

/// From now on SIGTERM and SIGINT end the process no more; says which came first. A second one ends it at once.
pub(super) fn told_to_stop() -> impl Future<Output = Stop> {
    let heard = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = heard else {
            return std::future::pending().await;
        };
        let stop = tokio::select! {
            _ = terminate.recv() => Stop::Terminate,
            _ = interrupt.recv() => Stop::Interrupt,
        };
        actix_rt::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            tracing::warn!("told twice to stop: ends at once");
            std::process::exit(130);
        });
        stop
    }
}

/// Over how many ms so many clients spread their return: only as far as the admission rate needs, and well within the grace.
fn spread(service: &SocketService, stop: Stop, clients: usize) -> u64 {
    if stop == Stop::Interrupt || service.settings.mode == Mode::Development {
        return 0;
    }
    let rate = u64::from(service.settings.limits.handshakes_per_second_total.get());
    (clients as u64 * 1000 / rate.max(1)).min(service.settings.presence.grace_ms / 2)
}
