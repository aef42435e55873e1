use std::sync::{Arc, OnceLock};

use super::waiting::waits_for;
use crate::{
    auth::{FrameTickets, TokenService},
    bayeux::server::Bayeux,
    chat::{
        self, conversation,
        handle::{Arrivals, Chat},
        staff,
    },
    clock::Timestamp,
    cobrowse::{
        self,
        assets::AssetLimits,
        handle::Cobrowse,
        ledger::{Ledger, Writer},
        relay::RelayLimits,
        session::Policy,
        ticket::Tickets,
    },
    codes::GuessLimits,
    events::hub::Hub,
    facades,
    limits::Rate,
    lists::Lists,
    presence::{
        handle::{Options, Post, Presence, Tap},
        visitor::Rules,
        watchers::WatchLimits,
    },
    settings::{Group, GroupTopics, Settings},
    sockets::{
        admission::Admission,
        lifecycle::Lifecycle,
        service::{Parts, SocketService},
        table::Sockets,
    },
    store::{
        dead_letters::DeadLetters,
        history::History,
        place::Place,
        revoked::Revoked,
        saved::{Boot, SavedState, StorageError},
    },
    telemetry::Metrics,
    topics::{
        self,
        handle::Topics,
        hub::HubLimits,
        record::{GroupRules, KeepLimits},
    },
    trust::revoker::Revoker,
};

/// Whose tokens are believed, who calls them back, and what signs tickets.
pub(super) struct Trusted {
    tokens: Arc<TokenService>,
    revoker: Arc<Revoker>,
    tickets: Tickets,
    frames: FrameTickets,
}

impl Trusted {
    pub(super) async fn load(
        settings: &Settings,
        storage: &SavedState,
        place: &Place,
    ) -> Result<Self, StorageError> {
        let tokens = Arc::new(settings.auth.token_service());
        let revocations = Arc::clone(tokens.revocations());
        let store = Box::new(Revoked::of(storage));
        let load = Revoker::load(revocations, store, place.clock.wall());
        let revoker = waits_for("the revocations in the storage", load).await?;
        // What one node signs, every node believes.
        let secret = async |name| match &place.shared {
            Some(node) => Ok(waits_for("the nodes' common secrets", node.secret(name)).await),
            None => storage.secret(name).await,
        };
        let tickets = Tickets::new(secret("tickets").await?);
        let frames = FrameTickets::new(secret("frames").await?);
        if place.shared.is_some() {
            waits_for("the revocations that all nodes know of", revoker.share(place)).await;
        }
        Ok(Self { tokens, revoker: Arc::new(revoker), tickets, frames })
    }
}

/// Builds the parts that all sockets and requests share, the handle to Bayeux, and what writes the history, which is to
/// be run.
pub(super) fn compose(
    settings: Arc<Settings>,
    place: &Place,
    trusted: Trusted,
    boot: Boot,
    storage: &SavedState,
) -> (SocketService, Bayeux, Writer) {
    let (metrics, clock) = (Metrics::new(), place.clock.clone());
    let sockets = Arc::new(Sockets::new(metrics.clone()));
    let post: Arc<dyn Post> = Arc::clone(&sockets) as Arc<dyn Post>;
    let events = Arc::new(Hub::new(&settings, clock.clone(), &metrics));
    let lists = Arc::new(Lists::new(&settings, clock.clone(), metrics.clone()));
    let arrivals = Arc::new(Arrivals::default());
    let taps = vec![
        Arc::clone(&events) as Arc<dyn Tap>,
        Arc::clone(&lists) as Arc<dyn Tap>,
        Arc::clone(&arrivals) as Arc<dyn Tap>,
    ];
    let presence = Presence::new(options(&settings, place.clone(), boot), post, taps);
    if let Some(node) = &place.shared {
        events.shares(node);
        presence.replicate(settings.groups.iter().map(|group| group.id.clone()));
    }
    let history = Arc::new(History::of(storage));
    let (ledger, writer) = Ledger::new(history, metrics.clone());
    let cobrowse = Cobrowse::new(
        session_options(&settings, place.clone()),
        presence.clone(),
        Arc::clone(&sockets) as Arc<dyn cobrowse::handle::Post>,
        trusted.tickets,
        ledger,
    );
    let application = Arc::new(Arc::new(facades::genesys::Seats::default()));
    let bayeux = Bayeux::new(settings.bayeux, place, metrics.clone(), application);
    let chat = Chat::new(
        chat_options(&settings, place.clone()),
        presence.clone(),
        Arc::clone(&sockets) as Arc<dyn chat::handle::Post>,
        arrivals,
        cobrowse.ledger().clone(),
        metrics.clone(),
    );
    let topics = Topics::new(
        topic_options(&settings, place.clone()),
        Arc::clone(&sockets) as Arc<dyn topics::post::Post>,
        metrics.clone(),
    );
    let service = Parts {
        presence,
        cobrowse,
        chat,
        sockets,
        events,
        topics,
        lists,
        letters: DeadLetters::new(storage.clone()),
        tokens: trusted.tokens,
        frames: trusted.frames,
        revoker: trusted.revoker,
        dialects: if settings.facades.glance { facades::glance::DIALECTS } else { &[] }.into(),
        admission: Arc::new(Admission::new(
            &settings.limits,
            settings.cobrowse.sessions_per_minute,
            &settings.chat,
        )),
        metrics,
        lifecycle: Lifecycle::default(),
        outages: Arc::default(),
        node: place.shared.clone(),
        started: clock.now(),
        others: OnceLock::new(),
        settings,
    };
    let service = SocketService::from(service);
    bayeux.serves(&service);
    (service, bayeux, writer)
}

/// The settings that chat goes by.
fn chat_options(settings: &Settings, place: Place) -> chat::handle::Options {
    let set = &settings.chat;
    let groups = settings.groups.iter();
    chat::handle::Options {
        place,
        chats: conversation::Rules {
            invited_ms: set.invited_ms,
            waiting_ms: set.waiting_ms,
            idle_ms: set.idle_ms,
            visitor_grace_ms: set.visitor_grace_ms,
            most_messages: set.messages,
        },
        staff: staff::Rules { grace_ms: set.agent_grace_ms, most_agents: set.agents },
        most_chats: set.max_chats,
        most_waiting: set.waiting,
        most_waiting_of_address: set.waiting_per_address,
        most_of_agent: set.chats_per_agent,
        groups: groups.map(|group| (group.id.clone(), group.buttons.clone())).collect(),
    }
}

/// The settings that co-browse goes by.
fn session_options(settings: &Settings, place: Place) -> cobrowse::handle::Options {
    let set = &settings.cobrowse;
    let groups = settings.groups.iter();
    cobrowse::handle::Options {
        place,
        most_sessions: set.max_sessions,
        policy: Policy {
            agents: set.agents,
            ends_with_agents: false,
            agent_grace_ms: set.agent_grace_ms,
            visitor_grace_ms: set.visitor_grace_ms,
            join_ms: set.join_ms,
            idle_ms: set.idle_ms,
            longest_ms: set.longest_ms,
        },
        relay: RelayLimits { page_bytes: set.page_bytes, pages: cobrowse::session::MAX_PAGES },
        assets: AssetLimits {
            bytes: set.asset_bytes,
            total_bytes: set.assets_bytes,
            assets: set.assets,
        },
        part_bytes: set.part_bytes,
        code_digits: set.code_digits.into(),
        groups: groups.map(|group| (group.id.clone(), group.cobrowse.clone())).collect(),
    }
}

/// The settings that topics go by.
fn topic_options(settings: &Settings, place: Place) -> topics::handle::Options {
    let (set, outbox) = (&settings.topics, settings.limits.outbox_limit_bytes);
    let rules = |group: &Group| {
        let GroupTopics { history, history_ms, latest, .. } = group.topics.clone();
        GroupRules { history, history_ms, latest }
    };
    let groups = settings.groups.iter().map(|group| (group.id.clone(), rules(group)));
    topics::handle::Options {
        place,
        groups: groups.collect(),
        keep: KeepLimits {
            topics: set.retained,
            history_bytes: set.history_bytes,
            retained_bytes: set.retained_bytes,
            retained_ms: set.retained_ms,
            visitor_percent: set.visitor_percent,
        },
        limits: HubLimits {
            per_socket: set.subscriptions_per_socket,
            per_group: set.subscriptions_per_group,
            publishes: set.publishes,
            visitor_publishes: set.publishes.part(set.visitor_percent),
            // What is read at once for one who comes back fits where a quarter waits already.
            payload_bytes: set.payload_bytes.min(outbox / 4),
            page_bytes: outbox / 4,
        },
    }
}

/// The settings that presence goes by.
fn options(settings: &Settings, place: Place, boot: Boot) -> Options {
    let (presence, limits) = (&settings.presence, &settings.limits);
    // What the nodes' server keeps is known from the start.
    let is_known = boot.clean || place.shared.is_some();
    let unknown_until = if is_known { Timestamp(0) } else { place.clock.now() + presence.grace_ms };
    let late_ms = place.late_ms();
    Options {
        place,
        rules: Rules {
            grace_ms: presence.grace_ms,
            signal_window_ms: presence.signal_window_ms,
            ack_ms: presence.ack_ms,
            help_ms: presence.help_ms,
            unknown_until,
            late_ms,
            spared_until: Timestamp(0),
        },
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
        most_help: presence.help_requests,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::Clock,
        model::ids::NodeId,
        sockets::{dialect::NATIVE, table::Line},
        telemetry::labels::SocketKind,
    };

    async fn service() -> SocketService {
        let settings = crate::settings::load(&crate::settings::Sources::default()).unwrap();
        let storage = SavedState::open(&settings.storage).await.unwrap();
        let node = NodeId { node: 0, incarnation: 1 };
        let place = Place::alone(node, settings.server.workers, Clock::system());
        let trusted = Trusted::load(&settings, &storage, &place).await.unwrap();
        let boot = Boot { incarnation: 1, clean: true };
        compose(Arc::new(settings), &place, trusted, boot, &storage).0
    }

    fn line(service: &SocketService) -> Arc<Line> {
        Line::new(service.outbox(bytes::Bytes::new()), &NATIVE, &service.lifecycle)
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
