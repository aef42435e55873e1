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

use actix_http::HttpService;
use actix_service::{fn_service, map_config};
use actix_web::{App, dev::AppConfig, middleware, web};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    auth::{Mode, TokenService},
    clock::{Clock, Timestamp},
    facades, http,
    model::ids::NodeId,
    presence::{
        handle::{Options, Post, Presence},
        registry::{Duties, Registry},
        saving,
        visitor::Rules,
    },
    reload::Reloads,
    settings::Settings,
    sockets::{
        admission::Admission,
        service::{Lifecycle, SocketService},
        table::Sockets,
        takeover::take_over,
    },
    store::{
        revoked::Revoked,
        saved::{Boot, SavedState, StorageError},
    },
    telemetry::Metrics,
    trust::{self, revoker::Revoker},
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long a peer may leave sent bytes unacknowledged before the kernel gives the connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request's head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
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
    let settings = Arc::new(settings);
    let address = settings.server.bind;
    let listener = listen(address).map_err(|error| ServeError::Listen { address, error })?;
    let address = listener.local_addr()?;

    let storage = SavedState::open(&settings.storage).await?;
    let boot = storage.begin().await?;
    let clock = Clock::system();
    let tokens = Arc::new(settings.auth.token_service());
    let revocations = Arc::clone(tokens.revocations());
    let revoker = Revoker::load(revocations, Box::new(Revoked::of(&storage)), clock.wall()).await?;
    let trusted = Trusted { tokens, revoker: Arc::new(revoker) };
    let service = compose(Arc::clone(&settings), clock, trusted, boot);
    let loaded = saving::load(&service.presence, &storage, boot).await?;
    service.metrics.loaded_records.inc_by(loaded);
    if loaded > 0 || !boot.clean {
        tracing::info!(loaded, clean = boot.clean, "took over from the last process");
    }

    let mut reloads = Reloads::new(service.metrics.clone())?;
    if let Some(keys) = trust::keys::part(&settings, &service.tokens) {
        reloads = reloads.with(keys);
    }
    let server = start(&service, listener)?;
    let handle = server.handle();
    let running = actix_rt::spawn(server);
    service.lifecycle.ready();
    listening(address);

    let tidy = actix_rt::spawn(tidy_up(service.clone()));
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

    service.go_away(spread(&service, stop));
    let _ = tokio::time::timeout(FAREWELL, service.sockets.emptied()).await;
    // Those that did not take their leave are saved with their sockets; the next process knows that these are lost.
    let saved = saving::save(&service.presence, &storage).await?;
    service.metrics.saved_records.inc_by(saved);
    storage.end(boot.incarnation).await?;
    storage.close().await;
    tracing::info!(saved, "state is saved");
    handle.stop(true).await;
    let _ = running.await;
    Ok(())
}

/// Whose tokens are believed, and who calls them back.
struct Trusted {
    tokens: Arc<TokenService>,
    revoker: Arc<Revoker>,
}

/// Builds the parts that all sockets and requests share.
fn compose(settings: Arc<Settings>, clock: Clock, trusted: Trusted, boot: Boot) -> SocketService {
    let metrics = Metrics::new();
    let sockets = Arc::new(Sockets::new(metrics.clone()));
    let presence = &settings.presence;
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
        clock: clock.clone(),
    };
    let post: Arc<dyn Post> = Arc::clone(&sockets) as Arc<dyn Post>;
    SocketService {
        presence: Presence::new(options, post),
        sockets,
        tokens: trusted.tokens,
        revoker: trusted.revoker,
        admission: Arc::new(Admission::new(&settings)),
        metrics,
        lifecycle: Lifecycle::default(),
        started: clock.now(),
        settings,
    }
}

/// The interfaces in machine form, of a server that is reached at `public_url`.
#[must_use]
pub fn documents(public_url: Option<&str>, glance: bool) -> http::documents::Documents {
    http::documents::Documents::new(public_url, glance.then(facades::glance::document))
}

/// A listener whose connections inherit what every socket needs (Linux copies these options on accept).
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn start(service: &SocketService, listener: TcpListener) -> io::Result<actix_server::Server> {
    let workers = service.settings.server.workers;
    let service = service.clone();
    let settings = &service.settings;
    let documents = documents(settings.server.public_url.as_deref(), settings.facades.glance);
    let documents = web::Data::new(documents);
    let started = Arc::new(AtomicUsize::new(0));
    let builder = actix_server::Server::build();
    let ending = builder.graceful_shutdown_signal();
    let server = builder
        .workers(workers)
        .backlog(u32::try_from(BACKLOG).unwrap_or(1024))
        .max_concurrent_connections(usize::MAX >> 1)
        .shutdown_timeout(STOP_TIMEOUT_SECONDS)
        .disable_signals()
        .listen("http", listener, move || {
            keep_shards(&service, started.fetch_add(1, Ordering::SeqCst));
            let state = web::Data::new(service.clone());
            let upgrades = service.clone();
            let glance = service.settings.facades.glance;
            let app = App::new()
                .app_data(state)
                .app_data(documents.clone())
                .app_data(web::PayloadConfig::new(service.settings.server.body_limit_bytes))
                .wrap(middleware::from_fn(http::guard::guard))
                .wrap(http::cors::cors(&service))
                .configure(http::routes::routes)
                .configure(|routes| {
                    if glance {
                        facades::glance::routes(routes);
                    }
                })
                .default_service(web::to(http::guard::not_found));
            let ending = ending.clone();
            HttpService::build()
                .client_request_timeout(HEAD_TIMEOUT)
                // Connections without a request under way end at once, or they would hold the end up.
                .graceful_shutdown_signal(move || {
                    let ending = ending.clone();
                    async move { ending.notified().await }
                })
                .upgrade(fn_service(move |(request, framed)| {
                    take_over(upgrades.clone(), request, framed)
                }))
                .finish(map_config(app, |_| AppConfig::default()))
                .tcp()
        })?;
    Ok(server.run())
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
        service.admission.tidy();
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
    let rate = u64::from(service.settings.server.handshakes_per_second_total.get());
    let sockets = service.sockets.len() as u64;
    (sockets * 1000 / rate.max(1)).min(service.settings.presence.grace_ms / 2)
}

/// The words that the server starts with: where to look.
pub fn greeting(settings: &Settings) -> impl Fn(SocketAddr) -> String + use<> {
    let mode = settings.mode;
    let own = settings.server.public_url.clone();
    move |address| {
        let base = own.clone().unwrap_or_else(|| format!("http://{address}"));
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
}
