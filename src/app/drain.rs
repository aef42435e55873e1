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
/// How long sockets are told nothing while held requests are answered.
const ANSWERS_FIRST: Duration = Duration::from_millis(250);

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
    let answered = bayeux.go_away(spread);
    let close = || service.go_away(spread);
    say_farewell(service.settings.server.farewell, answered, close, service.sockets.emptied())
        .await;
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

/// Waits for the answers to held requests, and until all sockets that `close` closes are gone, no longer than `farewell` in
/// all. Answers have a part of that to themselves, since some go to sockets that are closed behind them.
async fn say_farewell(
    farewell: Duration,
    answered: impl Future<Output = ()>,
    close: impl FnOnce(),
    emptied: impl Future<Output = ()>,
) {
    let farewells = async {
        let mut answered = std::pin::pin!(answered);
        let first = ANSWERS_FIRST.min(farewell / 4);
        let is_late = tokio::time::timeout(first, &mut answered).await.is_err();
        close();
        let late = async {
            if is_late {
                answered.await;
            }
        };
        tokio::join!(late, emptied);
    };
    let _ = tokio::time::timeout(farewell, farewells).await;
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use tokio::sync::Notify;

    use super::*;

    const LONG: Duration = Duration::from_secs(600);

    async fn soon<T>(what: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(60), what).await.expect("it ends")
    }

    #[tokio::test]
    async fn sockets_are_told_though_answers_do_not_come() {
        let (told, is_gone) = (Notify::new(), Notify::new());
        let emptied = async {
            is_gone.notified().await;
            told.notify_one();
        };
        let farewell = say_farewell(LONG, pending(), || is_gone.notify_one(), emptied);
        soon(async {
            tokio::select! {
                () = farewell => unreachable!("some answers are still to come"),
                () = told.notified() => {}
            }
        })
        .await;
    }

    #[tokio::test]
    async fn answers_come_before_sockets_are_closed_and_late_ones_are_waited_for() {
        let (closed, is_answered) = (Notify::new(), std::cell::Cell::new(false));
        let answered = async { is_answered.set(true) };
        let close = || assert!(is_answered.get());
        soon(say_farewell(LONG, answered, close, ready(()))).await;
        let late = async {
            closed.notified().await;
            tokio::task::yield_now().await;
            is_answered.set(false);
        };
        soon(say_farewell(LONG, late, || closed.notify_one(), ready(()))).await;
        assert!(!is_answered.get());
    }

    #[tokio::test]
    async fn nobody_is_waited_for_longer_than_is_allowed() {
        let told = std::cell::Cell::new(false);
        let short = Duration::from_millis(20);
        soon(say_farewell(short, pending(), || told.set(true), pending())).await;
        assert!(told.get(), "sockets have their part of the time");
    }
}
