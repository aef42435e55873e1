use std::{io, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::{
    bayeux::server::Bayeux, clock::Timestamp, events::webhook::runner::Runner, outbound::Outbound,
    reload::Reloads, settings::Cobrowse, sockets::service::SocketService,
    store::dead_letters::Mailbox, tls::Tls, trust,
};

/// How often limiters forget, and the like.
const TIDY: Duration = Duration::from_secs(60);

/// How often tokens are looked at by which clients live that have no socket.
const LOOK: Duration = Duration::from_millis(500);

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// The tasks of the main thread.
pub(super) struct Background {
    tasks: Vec<JoinHandle<()>>,
    webhooks: Webhooks,
}

impl Background {
    pub(super) fn start(service: &SocketService, bayeux: &Bayeux, reloads: Reloads) -> Self {
        let (tokens, clock) = (Arc::clone(&service.tokens), service.clock().clone());
        let asking = trust::issuers::keep_asking(tokens, clock, service.metrics.clone());
        let tasks = vec![
            actix_rt::spawn(tidy_up(service.clone())),
            actix_rt::spawn(look_after(bayeux.clone(), service.clone())),
            actix_rt::spawn(reloads.run()),
            actix_rt::spawn(asking),
        ];
        Self { tasks, webhooks: Webhooks::start(service) }
    }

    /// Ends all but the webhooks, which still have to post what the end of the sockets tells.
    pub(super) fn leave_webhooks(self) -> Webhooks {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.webhooks
    }
}

/// What is read again while the server runs.
pub(super) fn reloads(service: &SocketService, tls: Option<&Tls>) -> io::Result<Reloads> {
    let mut reloads = Reloads::new(service.metrics.clone())?;
    if let Some(keys) = trust::keys::part(&service.settings, &service.tokens) {
        reloads = reloads.with(keys);
    }
    if let Some(tls) = tls {
        reloads = reloads.with(tls.part());
    }
    Ok(reloads)
}

/// Lets Bayeux clients go whose tokens are believed no longer, and asks for outcomes of signals that are late; soon enough.
async fn look_after(bayeux: Bayeux, service: SocketService) {
    let mut interval = actix_rt::time::interval(LOOK);
    loop {
        interval.tick().await;
        bayeux.sweep(&service);
        service.presence.ask_for_late_outcomes();
    }
}

async fn tidy_up(service: SocketService) {
    let mut interval = actix_rt::time::interval(TIDY);
    loop {
        interval.tick().await;
        let now = service.clock().now();
        service.admission.tidy(now);
        service.presence.guesses().tidy(now);
        let wall = service.clock().wall();
        service.revoker.tidy(wall).await;
        let kept = |days: u64| Timestamp(wall.0.saturating_sub(days * DAY_MS));
        let Cobrowse { history_days, consent_days, .. } = service.settings.cobrowse;
        let ledger = service.cobrowse.ledger();
        let chats = kept(service.settings.chat.history_days);
        ledger.forget_before(kept(history_days), kept(consent_days), chats).await;
    }
}

/// What posts the groups' events, one task an endpoint, on this thread.
pub(super) struct Webhooks {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Webhooks {
    fn start(service: &SocketService) -> Self {
        let mut webhooks = Self { stop: watch::Sender::new(false), tasks: JoinSet::new() };
        let rules = service.settings.events.webhooks;
        let endpoints = service.events.feeds().flat_map(|(group, feed)| {
            feed.endpoints().iter().map(move |endpoint| (group, endpoint))
        });
        for (group, endpoint) in endpoints {
            let endpoint = Arc::clone(endpoint);
            let mailbox = Mailbox { group: group.to_string(), endpoint: endpoint.id.to_string() };
            let runner = Runner {
                endpoint,
                mailbox,
                letters: service.letters.clone(),
                rules,
                outbound: Outbound::new(rules.timeout),
                clock: service.clock().clone(),
                metrics: service.metrics.clone(),
            };
            webhooks.tasks.spawn_local(runner.run(webhooks.stop.subscribe()));
        }
        webhooks
    }

    /// Waits for the end of all. What they did not post stays in the queues.
    pub(super) async fn stop(self) {
        self.stop.send_replace(true);
        self.tasks.join_all().await;
    }
}
