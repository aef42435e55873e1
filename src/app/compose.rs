use std::sync::Arc;

use crate::{
    auth::TokenService,
    clock::{Clock, Timestamp},
    codes::GuessLimits,
    events::hub::Hub,
    facades,
    limits::Rate,
    lists::Lists,
    model::ids::NodeId,
    presence::{
        handle::{Options, Post, Presence, Tap},
        visitor::Rules,
        watchers::WatchLimits,
    },
    settings::Settings,
    sockets::{
        admission::Admission,
        service::{Lifecycle, SocketService},
        table::Sockets,
    },
    store::{
        dead_letters::DeadLetters,
        revoked::Revoked,
        saved::{Boot, SavedState, StorageError},
    },
    telemetry::Metrics,
    trust::revoker::Revoker,
};

/// Whose tokens are believed, and who calls them back.
pub(super) struct Trusted {
    tokens: Arc<TokenService>,
    revoker: Arc<Revoker>,
}

impl Trusted {
    pub(super) async fn load(
        settings: &Settings,
        storage: &SavedState,
        clock: &Clock,
    ) -> Result<Self, StorageError> {
        let tokens = Arc::new(settings.auth.token_service());
        let revocations = Arc::clone(tokens.revocations());
        let store = Box::new(Revoked::of(storage));
        let revoker = Revoker::load(revocations, store, clock.wall()).await?;
        Ok(Self { tokens, revoker: Arc::new(revoker) })
    }
}

/// Builds the parts that all sockets and requests share.
pub(super) fn compose(
    settings: Arc<Settings>,
    clock: Clock,
    trusted: Trusted,
    boot: Boot,
    storage: &SavedState,
) -> SocketService {
    let metrics = Metrics::new();
    let sockets = Arc::new(Sockets::new(metrics.clone()));
    let post: Arc<dyn Post> = Arc::clone(&sockets) as Arc<dyn Post>;
    let events = Arc::new(Hub::new(&settings, clock.clone(), &metrics));
    let lists = Arc::new(Lists::new(&settings, clock.clone(), metrics.clone()));
    let taps = vec![Arc::clone(&events) as Arc<dyn Tap>, Arc::clone(&lists) as Arc<dyn Tap>];
    SocketService {
        presence: Presence::new(options(&settings, clock.clone(), boot), post, taps),
        sockets,
        events,
        lists,
        letters: DeadLetters::new(storage.clone()),
        tokens: trusted.tokens,
        revoker: trusted.revoker,
        dialects: if settings.facades.glance { facades::glance::DIALECTS } else { &[] }.into(),
        admission: Arc::new(Admission::new(&settings.limits)),
        metrics,
        lifecycle: Lifecycle::default(),
        started: clock.now(),
        settings,
    }
}

/// The settings that presence goes by.
fn options(settings: &Settings, clock: Clock, boot: Boot) -> Options {
    let (presence, limits) = (&settings.presence, &settings.limits);
    let unknown_until = if boot.clean { Timestamp(0) } else { clock.now() + presence.grace_ms };
    Options {
        node: NodeId { node: 0, incarnation: boot.incarnation },
        rules: Rules {
            grace_ms: presence.grace_ms,
            signal_window_ms: presence.signal_window_ms,
            ack_ms: presence.ack_ms,
            unknown_until,
        },
        shards: settings.server.workers,
        unique_life_ms: presence.unique_id_seconds * 1000,
        unique_digits: presence.unique_id_digits.into(),
        guesses: GuessLimits {
            per_address: Rate::per_minute(limits.guesses_per_minute),
            per_group: Rate::per_minute(limits.guesses_per_minute_total),
            remembered: limits.remembered_keys,
        },
        watches: WatchLimits {
            watchers_per_visitor: limits.watchers_per_visitor,
            watches_per_socket: limits.watches_per_socket,
        },
        most_records: limits.max_records,
        timeline_entries: presence.timeline_entries,
        clock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sockets::{dialect::NATIVE, table::Line},
        telemetry::labels::SocketKind,
    };

    async fn service() -> SocketService {
        let settings = crate::settings::load(&crate::settings::Sources::default()).unwrap();
        let storage = SavedState::open(&settings.storage).await.unwrap();
        let clock = Clock::system();
        let trusted = Trusted::load(&settings, &storage, &clock).await.unwrap();
        let boot = Boot { incarnation: 1, clean: true };
        compose(Arc::new(settings), clock, trusted, boot, &storage)
    }

    fn line(service: &SocketService) -> Arc<Line> {
        Line::new(service.outbox(bytes::Bytes::new()), &NATIVE)
    }

    #[actix_rt::test]
    async fn rule_4_6_a_socket_that_comes_between_readiness_and_drain_is_sent_away() {
        let service = service().await;
        service.lifecycle.ready();
        let early = line(&service);
        let _early = service.enter(Arc::clone(&early), SocketKind::Visitor);
        // Judged while the service was ready, and entered when all others had been told.
        let late = line(&service);
        service.lifecycle.drain();
        service.go_away(0);
        let _late = service.enter(Arc::clone(&late), SocketKind::Visitor);
        assert!(early.outbox.is_closed() && late.outbox.is_closed());
    }

    #[actix_rt::test]
    async fn rule_4_9_a_socket_that_panics_leaves_the_figures() {
        let service = service().await;
        service.lifecycle.ready();
        let open = service.metrics.sockets_open.of(SocketKind::Agent).clone();
        let entry = service.enter(line(&service), SocketKind::Agent);
        assert_eq!(open.get(), 1);
        let actor = std::thread::spawn(move || {
            let _entry = entry;
            panic!("asked to");
        });
        assert!(actor.join().is_err());
        assert_eq!((open.get(), service.sockets.len()), (0, 0));
    }
}
