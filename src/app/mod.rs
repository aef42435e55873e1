//! The composition root: the only module that knows everything.
//!
//! [`serve`] is the life of a process, told in order. `compose` makes the parts that everything shares, `listener` and
//! `workers` bring them to the network, `background` is what goes on beside requests, and `drain` is the end.

/// What goes on beside requests and sockets.
mod background;
/// This process as one of several nodes.
mod cluster;
/// Makes the parts that all sockets and requests share.
mod compose;
/// The end: from the signal to the saved state.
mod drain;
/// The listener and its connections.
mod listener;
/// What the start waits for.
mod waiting;
/// What every worker serves connections with.
mod workers;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    auth::Mode,
    bayeux::{self, server::Bayeux},
    chat, cobrowse, events, facades, http,
    presence::saving,
    settings::{Facades, Settings},
    sockets::{
        descriptors::{self, Descriptors},
        service::SocketService,
    },
    store::{
        claim::{Claim, ClaimError, Company},
        place::Place,
        saved::{Boot, SavedState, StorageError},
        shared::{SharedNode, Standing},
    },
    tls::{Tls, TlsError},
    topics,
};

pub use workers::{Inlet, without_listener};

use background::Background;
use compose::{Trusted, compose};
use drain::Stop;
use listener::Door;
use waiting::waits_for;

/// How long the thread that accepts connections may take to hear that it is to pause.
const LAST_ACCEPT: Duration = Duration::from_millis(20);

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
    /// The storage is another process's.
    #[error(transparent)]
    Claim(#[from] ClaimError),
    /// Another living process has this one's name among the nodes.
    #[error(
        "cluster.node_name: another living process has the name {name:?}; each node needs its own"
    )]
    NameTaken {
        /// The name.
        name: Box<str>,
    },
    /// The server that nodes share is of another kind than `cluster.url` says.
    #[error(
        "cluster.url: the server is {}one of a Redis Cluster: write {right}:// in place of {wrong}://",
        if right.ends_with("+cluster") { "" } else { "not " }
    )]
    Misled {
        /// What the address begins with.
        wrong: Box<str>,
        /// What it should begin with.
        right: &'static str,
    },
    /// The server failed.
    #[error("the server failed: {0}")]
    Io(#[from] io::Error),
}

/// How the service ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was told to.
    Stopped,
    /// The other nodes ended it, because they did not hear of it for too long: it is to begin anew.
    Again,
}

/// Serves until the process is told to stop. `listening` is called once with the bound address.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    settings: Settings,
    listening: impl FnOnce(SocketAddr),
) -> Result<End, ServeError> {
    // One provider of cryptography for all of TLS. Another one stays, if there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let settings = Arc::new(settings);
    warn_of_few_descriptors(&settings);
    let address = settings.server.bind;
    let listener =
        listener::listen(address).map_err(|error| ServeError::Listen { address, error })?;
    let address = listener.local_addr()?;

    let company = if settings.cluster.is_some() { Company::Nodes } else { Company::Alone };
    let claim = Claim::of(&settings.storage, company);
    let mut claim = waits_for("the end of another process that uses the storage", claim).await?;
    let open = async {
        let storage = SavedState::open(&settings.storage).await?;
        let boot = storage.begin().await?;
        Ok::<_, StorageError>((storage, boot))
    };
    let (storage, boot) = waits_for("the storage", open).await?;
    claim.has_tables().await?;
    let place = cluster::place(&settings, address, boot)?;
    let trusted = match believe(&settings, &storage, &place).await? {
        Ok(trusted) => trusted,
        Err(standing) => {
            // Nothing has begun: what the last process left is for the next one.
            if boot.clean {
                storage.end(boot.incarnation).await?;
            }
            storage.close().await;
            return without_others(standing, &settings, address);
        }
    };
    let (service, bayeux, writer) = compose(settings, &place, trusted, boot, &storage);
    actix_rt::spawn(writer.run());
    let taken_over = async {
        match place.shared {
            None => take_over_from_the_last_process(&service, &bayeux, &storage, boot).await,
            // All else is where all nodes have it.
            Some(_) => events::saving::load_from_others(&service.events, &storage).await.map(drop),
        }
    };
    waits_for("what the last process saved", taken_over).await?;

    let listing = service.lists.start()?;
    let options = service.settings.server.tls.clone();
    let tls = options
        .map(|options| Tls::open(options, service.clock().clone(), service.metrics.clone()))
        .transpose()?;
    let reloads = background::reloads(&service, tls.as_ref())?;
    // Before anybody can have told us something that had to be saved.
    let told_to_stop = drain::told_to_stop();
    let door = Door::of(&listener)?;
    let server = listener::start(&service, &bayeux, listener, tls)?;
    let handle = server.handle();
    let running = actix_rt::spawn(server);
    service.lifecycle.ready();
    listening(address);

    let background = Background::start(&service, &bayeux, reloads);
    let stop = match &place.shared {
        None => told_to_stop.await,
        Some(node) => tokio::select! {
            stop = told_to_stop => stop,
            () = cluster::stay(node, &service) => Stop::Ended,
        },
    };
    service.lifecycle.drain();
    // Where others serve on, whoever comes finds them sooner by being refused than by asking an ending node again.
    if stop == Stop::Ended || place.shared.as_ref().is_some_and(SharedNode::has_others) {
        service.lifecycle.leave_to_others();
        accept_no_more(&handle).await;
        door.close();
    }
    drain::drain(&service, &bayeux, stop, background, &storage, boot, place.shared.as_ref())
        .await?;
    // First no connections any more, then no workers: one that came in between would find none.
    accept_no_more(&handle).await;
    handle.stop(true).await;
    let _ = running.await;
    drop(listing);
    Ok(if stop == Stop::Ended { End::Again } else { End::Stopped })
}

/// What is believed at the start, by a node once it is one of the nodes; else how it stands.
async fn believe(
    settings: &Settings,
    storage: &SavedState,
    place: &Place,
) -> Result<Result<Trusted, Standing>, StorageError> {
    let trusted = Trusted::load(settings, storage, place);
    let Some(node) = &place.shared else { return trusted.await.map(Ok) };
    let joined = async {
        cluster::join(node).await;
        trusted.await
    };
    tokio::select! {
        biased;
        // Who is none of them is told nothing, however long it waits.
        standing = cluster::ended(node) => Ok(Err(standing)),
        trusted = joined => trusted.map(Ok),
    }
}

/// The end of a node that is none of the nodes.
fn without_others(
    standing: Standing,
    settings: &Settings,
    address: SocketAddr,
) -> Result<End, ServeError> {
    match (standing, &settings.cluster) {
        (Standing::Taken, _) => {
            Err(ServeError::NameTaken { name: cluster::name(settings, address) })
        }
        (Standing::Misled, Some(cluster)) => {
            let (wrong, right) = cluster.url.schemes();
            Err(ServeError::Misled { wrong: wrong.into(), right })
        }
        _ => Ok(End::Again),
    }
}

async fn accept_no_more(handle: &actix_server::ServerHandle) {
    handle.pause().await;
    // The thread that accepts is told of that, and does not say when it knows.
    actix_rt::time::sleep(LAST_ACCEPT).await;
}

/// What the last process saved is loaded, before the first connection.
async fn take_over_from_the_last_process(
    service: &SocketService,
    bayeux: &Bayeux,
    storage: &SavedState,
    boot: Boot,
) -> Result<(), StorageError> {
    let rules = &service.settings.events;
    let waiting = events::saving::load(&service.events, rules, storage, boot).await?;
    let loaded = saving::load(&service.presence, storage, boot).await?
        + cobrowse::saving::load(&service.cobrowse, storage, boot).await?
        + chat::saving::load(&service.chat, storage, boot).await?
        + topics::saving::load(&service.topics, storage, boot).await?
        + bayeux::saving::load(bayeux, service, storage, boot).await?;
    service.metrics.loaded_records.inc_by(loaded);
    if loaded > 0 || !boot.clean {
        tracing::info!(loaded, waiting, clean = boot.clean, "took over from the last process");
    }
    Ok(())
}

fn warn_of_few_descriptors(settings: &Settings) {
    let descriptors = descriptors::reserve(settings.limits.max_sockets);
    if !descriptors.suffice() && settings.mode == Mode::Production {
        let Descriptors { needed, allowed } = descriptors;
        tracing::warn!(
            needed,
            allowed,
            "limits.max_sockets needs more file descriptors than this process may open"
        );
    }
}

/// The interfaces in machine form, of a server that is reached at `public_url`.
#[must_use]
pub fn documents(public_url: Option<&str>, served: &Facades) -> http::documents::Documents {
    let glance = served.glance.then(facades::glance::document);
    let upscope = served.upscope.then(facades::upscope::document);
    let genesys = served.genesys.then(facades::genesys::document);
    http::documents::Documents::new(public_url, glance.into_iter().chain(upscope).chain(genesys))
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
