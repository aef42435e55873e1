//! The composition root: the only file that knows everything.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use actix_http::{HttpService, KeepAlive, Protocol, error::DispatchError};
use actix_server::GracefulShutdownSignal;
use actix_service::{Service, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::{App, dev::AppConfig, middleware, web};
use socket2::{Domain, Socket, Type};
use tokio::{
    net::TcpStream,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinSet,
};

use crate::{
    auth::{Mode, TokenService},
    clock::{Clock, Timestamp},
    codes::GuessLimits,
    events::{self, hub::Hub, webhook::runner::Runner},
    facades,
    http::{self, connections::Connections},
    limits::Rate,
    lists::Lists,
    model::ids::NodeId,
    outbound::Outbound,
    presence::{
        handle::{Options, Post, Presence, Tap},
        registry::{Duties, Registry},
        saving,
        visitor::Rules,
        watchers::WatchLimits,
    },
    reload::Reloads,
    settings::Settings,
    sockets::{
        admission::Admission,
        descriptors::{self, Descriptors},
        pump::Connection,
        service::{Lifecycle, SocketService},
        table::Sockets,
        takeover::take_over,
    },
    store::{
        dead_letters::{DeadLetters, Mailbox},
        revoked::Revoked,
        saved::{Boot, SavedState, StorageError},
    },
    telemetry::Metrics,
    tls::{Tls, TlsError},
    trust::{self, revoker::Revoker},
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long a peer may leave sent bytes unacknowledged before the kernel gives the connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests that are under way may take when the server stops.
const STOP_TIMEOUT_SECONDS: u64 = 5;
/// How long sockets may take to read their go-away.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often limiters forget, and the like.
const TIDY: Duration = Duration::from_secs(60);

/// Why the server could not start or end well.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The server failed.
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
}

/// Serves until the process is told to stop. `listening` is called once with the bound address.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    settings: Settings,
    listening: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    // One provider of cryptography for all of TLS. Another one stays, if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Arc::new(settings);
    let descriptors = descriptors::reserve(settings.limits.max_sockets);
    if !descriptors.suffice() && settings.mode == Mode::Production {
        let Descriptors { needed, allowed } = descriptors;
        tracing::warn!(
            needed,
            allowed,
            "limits.max_sockets needs more file descriptors than this process may open"
        );
    }
    let address = settings.server.bind;
    let listener = listen(address).map_err(|error| ServeError::Listen { address, error })?;
    let address = listener.local_addr()?;

    let storage = SavedState::open(&settings.storage).await?;
    let boot = storage.begin().await?;
    let clock = Clock::system();
    let trusted = Trusted::load(&settings, &storage, &clock).await?;
    let service = compose(Arc::clone(&settings), clock, trusted, boot, &storage);
    let waiting = events::saving::load(&service.events, &settings.events, &storage, boot).await?;
    let loaded = saving::load(&service.presence, &storage, boot).await?;
    service.metrics.loaded_records.inc_by(loaded);
    if loaded > 0 || !boot.clean {
        tracing::info!(loaded, waiting, clean = boot.clean, "took over from the last process");
    }

    let listing = service.lists.start()?;

    let options = service.settings.server.tls.clone();
    let tls = options
        .map(|options| Tls::open(options, service.clock().clone(), service.metrics.clone()))
        .transpose()?;
    let mut reloads = Reloads::new(service.metrics.clone())?;
    if let Some(keys) = trust::keys::part(&settings, &service.tokens) {
        reloads = reloads.with(keys);
    }
    if let Some(tls) = &tls {
        reloads = reloads.with(tls.part());
    }
    let server = start(&service, listener, tls)?;
    let handle = server.handle();
    let running = actix_rt::spawn(server);
    service.lifecycle.ready();
    listening(address);

    let tidy = actix_rt::spawn(tidy_up(service.clone()));
    let webhooks = Webhooks::start(&service);
    let reload = actix_rt::spawn(reloads.run());
    let (tokens, clock) = (Arc::clone(&service.tokens), service.clock().clone());
    let asking =
        actix_rt::spawn(trust::issuers::keep_asking(tokens, clock, service.metrics.clone()));
    let stop = wait_for_stop().await;
    for task in [tidy, reload, asking] {
        task.abort();
    }
    service.lifecycle.drain();
    tracing::info!(reason = stop.as_str(), sockets = service.sockets.len(), "stopping");

    service.events.drain();
    service.go_away(spread(&service, stop));
    let _ = tokio::time::timeout(FAREWELL, service.sockets.emptied()).await;
    // Those that did not take their leave are saved with their sockets; the next process knows that these are lost.
    let saved = saving::save(&service.presence, &storage).await?;
    service.metrics.saved_records.inc_by(saved);
    // The sealed records tell nothing more.
    webhooks.stop().await;
    let waiting = events::saving::save(&service.events, &storage).await?;
    storage.end(boot.incarnation).await?;
    storage.close().await;
    tracing::info!(saved, waiting, "state is saved");
    handle.stop(true).await;
    let _ = running.await;
    drop(listing);
    Ok(())
}

/// Whose tokens are believed, and who calls them back.
struct Trusted {
    tokens: Arc<TokenService>,
    revoker: Arc<Revoker>,
}

impl Trusted {
    async fn load(
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
fn compose(
    settings: Arc<Settings>,
    clock: Clock,
    trusted: Trusted,
    boot: Boot,
    storage: &SavedState,
) -> SocketService {
    let metrics = Metrics::new();
    let sockets = Arc::new(Sockets::new(metrics.clone()));
    let (presence, limits) = (&settings.presence, &settings.limits);
    let unknown_until = if boot.clean { Timestamp(0) } else { clock.now() + presence.grace_ms };
    let options = Options {
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
        clock: clock.clone(),
    };
    let post: Arc<dyn Post> = Arc::clone(&sockets) as Arc<dyn Post>;
    let events = Arc::new(Hub::new(&settings, clock.clone(), &metrics));
    let lists = Arc::new(Lists::new(&settings, clock.clone(), metrics.clone()));
    let taps = vec![Arc::clone(&events) as Arc<dyn Tap>, Arc::clone(&lists) as Arc<dyn Tap>];
    SocketService {
        presence: Presence::new(options, post, taps),
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

/// A server without a listener: all that [`serve`] runs behind one, for connections that the caller brings, on this
/// thread. Tests talk to it byte by byte. It must be the only worker, and keeps no state for another process.
///
/// # Errors
/// See [`ServeError`].
pub async fn without_listener<T: Connection>(
    settings: Settings,
) -> Result<(SocketService, impl Inlet<T>), ServeError> {
    let storage = SavedState::open(&settings.storage).await?;
    let boot = Boot { incarnation: 1, clean: true };
    let clock = Clock::system();
    let trusted = Trusted::load(&settings, &storage, &clock).await?;
    let service = compose(Arc::new(settings), clock, trusted, boot, &storage);
    let inlet = blueprint(&service, actix_server::Server::build().graceful_shutdown_signal());
    let inlet = inlet.worker::<T>().new_service(()).await;
    let inlet = inlet.map_err(|()| io::Error::other("the services could not be made"))?;
    service.lifecycle.ready();
    Ok((service, inlet))
}

/// Serves a connection from its first byte to its last.
pub trait Inlet<T>:
    Service<(T, Protocol, Option<SocketAddr>), Response = (), Error = DispatchError>
{
}
impl<T, S> Inlet<T> for S where
    S: Service<(T, Protocol, Option<SocketAddr>), Response = (), Error = DispatchError>
{
}

/// What posts the groups' events, one task an endpoint, on this thread.
struct Webhooks {
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
    async fn stop(self) {
        self.stop.send_replace(true);
        self.tasks.join_all().await;
    }
}

/// The interfaces in machine form, of a server that is reached at `public_url`.
#[must_use]
pub fn documents(public_url: Option<&str>, glance: bool) -> http::documents::Documents {
    http::documents::Documents::new(public_url, glance.then(facades::glance::document))
}

/// A listener whose connections inherit what every socket needs (Linux copies these options on accept).
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// What every worker builds its services from.
#[derive(Clone)]
struct Blueprint {
    service: SocketService,
    documents: web::Data<http::documents::Documents>,
    ending: GracefulShutdownSignal,
    started: Arc<AtomicUsize>,
}

fn blueprint(service: &SocketService, ending: GracefulShutdownSignal) -> Blueprint {
    let settings = &service.settings;
    let documents = documents(settings.server.public_url.as_deref(), settings.facades.glance);
    Blueprint {
        service: service.clone(),
        documents: web::Data::new(documents),
        ending,
        started: Arc::default(),
    }
}

fn start(
    service: &SocketService,
    listener: TcpListener,
    tls: Option<Tls>,
) -> io::Result<actix_server::Server> {
    let connections = Connections::new(Arc::clone(&service.settings), service.metrics.clone());
    let builder = actix_server::Server::build();
    let blueprint = blueprint(service, builder.graceful_shutdown_signal());
    let builder = builder
        .workers(service.settings.server.workers)
        .backlog(u32::try_from(BACKLOG).unwrap_or(1024))
        .max_concurrent_connections(usize::MAX >> 1)
        .shutdown_timeout(STOP_TIMEOUT_SECONDS)
        .disable_signals();
    let builder = match tls {
        None => builder.listen("http", listener, move || {
            let plain = |stream: TcpStream| async move {
                let peer = stream.peer_addr().ok();
                Ok((stream, Protocol::Http1, peer))
            };
            connections.clone().limit(fn_service(plain).and_then(blueprint.worker()))
        }),
        Some(tls) => builder.listen("https", listener, move || {
            let (tls, ending) = (tls.clone(), blueprint.ending.clone());
            let secured = move |stream: TcpStream| {
                let (tls, ending) = (tls.clone(), ending.clone());
                async move {
                    let (stream, peer) = tokio::select! {
                        secured = tls.accept(stream) => secured.map_err(DispatchError::Io)?,
                        () = ending.notified() => return Err(DispatchError::Io(io::ErrorKind::Interrupted.into())),
                    };
                    Ok((stream, Protocol::Http1, peer))
                }
            };
            connections.clone().limit(fn_service(secured).and_then(blueprint.worker()))
        }),
    };
    Ok(builder?.run())
}

impl Blueprint {
    /// One worker's services: the application, and the takeover of sockets beside it. Called on the worker's thread.
    fn worker<T: Connection>(
        &self,
    ) -> impl ServiceFactory<
        (T, Protocol, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
    > + use<T> {
        let service = &self.service;
        keep_shards(service, self.started.fetch_add(1, Ordering::SeqCst));
        let (upgrades, ending) = (service.clone(), self.ending.clone());
        let glance = service.settings.facades.glance;
        let app = App::new()
            .app_data(web::Data::new(service.clone()))
            .app_data(self.documents.clone())
            .app_data(web::PayloadConfig::new(service.settings.limits.body_limit_bytes))
            .wrap(middleware::from_fn(http::guard::guard))
            .wrap(http::cors::cors(service))
            .wrap(middleware::from_fn(http::headers::headers))
            .configure(http::routes::routes)
            .configure(|routes| {
                if glance {
                    facades::glance::routes(routes);
                }
            })
            .default_service(web::to(http::guard::not_found));
        HttpService::build()
            .keep_alive(KeepAlive::Timeout(service.settings.server.keep_alive))
            .client_request_timeout(service.settings.limits.head_timeout)
            // Connections without a request under way end at once, or they would hold the end up.
            .graceful_shutdown_signal(move || {
                let ending = ending.clone();
                async move { ending.notified().await }
            })
            .upgrade(fn_service(move |(request, framed)| {
                take_over(upgrades.clone(), request, framed)
            }))
            .finish(map_config(app, |_| AppConfig::default()))
    }
}

/// Puts one shard of every engine into the keeping of this worker's thread.
fn keep_shards(service: &SocketService, worker: usize) {
    let presence = &service.presence;
    let (sweeper, metrics) = (service.clone(), service.metrics.clone());
    Registry::supervise(Duties {
        shards: vec![presence.visitors().keep(worker), presence.code_engine().keep(worker)],
        sweep: Box::new(move || sweeper.sweep()),
        restarted: Box::new(move || {
            metrics.actor_restarts.inc();
        }),
    });
}

async fn tidy_up(service: SocketService) {
    let mut interval = actix_rt::time::interval(TIDY);
    loop {
        interval.tick().await;
        let now = service.clock().now();
        service.admission.tidy(now);
        service.presence.guesses().tidy(now);
        service.revoker.tidy(service.clock().wall()).await;
    }
}

/// Which signal ended the process.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Terminate,
    Interrupt,
}

impl Stop {
    fn as_str(self) -> &'static str {
        match self {
            Stop::Terminate => "SIGTERM",
            Stop::Interrupt => "SIGINT",
        }
    }
}

/// Waits for SIGTERM or SIGINT. A second one ends the process at once.
async fn wait_for_stop() -> Stop {
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
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

/// Over how many ms clients spread their return: only as far as the admission rate needs, and well within the grace.
fn spread(service: &SocketService, stop: Stop) -> u64 {
    if stop == Stop::Interrupt || service.settings.mode == Mode::Development {
        return 0;
    }
    let rate = u64::from(service.settings.limits.handshakes_per_second_total.get());
    let sockets = service.sockets.len() as u64;
    (sockets * 1000 / rate.max(1)).min(service.settings.presence.grace_ms / 2)
}

/// The words that the server starts with: where to look.
pub fn greeting(settings: &Settings) -> impl Fn(SocketAddr) -> String + use<> {
    let mode = settings.mode;
    let (own, scheme) = (settings.server.public_url.clone(), settings.server.scheme());
    move |address| {
        let base = own.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        let how = match mode {
            Mode::Development => "development mode: this machine only, fresh keys, group 12345",
            Mode::Production => "ready",
        };
        format!(
            "Vestibule {version}, {how}\n\n  {base}/            what is here\n  {base}/demo/       \
             a shop, as a visitor sees it\n  {base}/demo/agent  the agent's desk\n  {base}/docs        \
             the interfaces\n",
            version = env!("CARGO_PKG_VERSION"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        sockets::{dialect::NATIVE, table::Line},
        telemetry::labels::SocketKind,
    };

    /// Linux copies these options from the listener.
    #[test]
    fn rule_4_10_accepted_connections_do_not_delay_and_give_up() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let accepted = Socket::from(accepted);
        assert!(accepted.tcp_nodelay().unwrap());
        assert_eq!(accepted.tcp_user_timeout().unwrap(), Some(USER_TIMEOUT));
    }

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
