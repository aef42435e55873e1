use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use actix_http::{HttpService, KeepAlive, Protocol, error::DispatchError};
use actix_server::GracefulShutdownSignal;
use actix_service::{Service, ServiceFactory, fn_service, map_config};
use actix_web::{App, dev::AppConfig, middleware, web};

use super::{
    ServeError,
    compose::{Trusted, compose},
};
use crate::{
    bayeux::{self, server::Bayeux},
    clock::Clock,
    facades::{
        self,
        genesys::{COMETD, REST, SERVER},
        upscope::KEY_HEADER,
    },
    http::{self, cors::Foreign},
    model::ids::NodeId,
    presence::registry::{Duties, Registry},
    settings::Settings,
    sockets::{guest::Guests, pump::Connection, service::SocketService, takeover::take_over},
    store::{
        place::Place,
        saved::{Boot, SavedState},
    },
};

/// Headers of facades that pages of other origins send, or read too.
const FOREIGN_HEADERS: Foreign = Foreign { sent: &[KEY_HEADER], both: &[SERVER] };

/// What every worker builds its services from.
#[derive(Clone)]
pub(super) struct Blueprint {
    service: SocketService,
    bayeux: Bayeux,
    documents: web::Data<http::documents::Documents>,
    pub(super) ending: GracefulShutdownSignal,
    started: Arc<AtomicUsize>,
}

impl Blueprint {
    pub(super) fn new(
        service: &SocketService,
        bayeux: &Bayeux,
        ending: GracefulShutdownSignal,
    ) -> Self {
        let settings = &service.settings;
        let documents = super::documents(settings.server.public_url.as_deref(), &settings.facades);
        Self {
            service: service.clone(),
            bayeux: bayeux.clone(),
            documents: web::Data::new(documents),
            ending,
            started: Arc::default(),
        }
    }

    /// One worker's services: the application, and the takeover of sockets beside it. Called on the worker's thread.
    pub(super) fn worker<T: Connection>(
        &self,
    ) -> impl ServiceFactory<
        (T, Protocol, Option<SocketAddr>),
        Config = (),
        Response = (),
        Error = DispatchError,
        InitError = (),
    > + use<T> {
        let service = &self.service;
        keep_shards(service, &self.bayeux, self.started.fetch_add(1, Ordering::SeqCst));
        let (upgrades, ending) = (service.clone(), self.ending.clone());
        let served = service.settings.facades.clone();
        let guests = served.genesys.then(|| {
            Arc::new(bayeux::socket::Sockets { bayeux: self.bayeux.clone(), base: COMETD })
        });
        let app = App::new()
            .app_data(web::Data::new(service.clone()))
            .app_data(web::Data::new(self.bayeux.clone()))
            .app_data(self.documents.clone())
            .app_data(web::PayloadConfig::new(service.settings.limits.body_limit_bytes))
            .wrap(middleware::from_fn(http::guard::guard))
            .wrap(http::cors::cors(service, FOREIGN_HEADERS))
            .wrap(middleware::from_fn(|request, next| {
                http::cors::credentials(&[COMETD, REST], request, next)
            }))
            .wrap(middleware::from_fn(http::headers::headers))
            // First: an address of theirs may lie among our own.
            .configure(|routes| {
                if served.glance {
                    facades::glance::routes(routes);
                }
                if served.upscope {
                    facades::upscope::routes(routes);
                }
                if served.channelme {
                    facades::channelme::routes(routes);
                }
                if served.oracle {
                    facades::oracle::routes(routes);
                }
                if served.genesys {
                    bayeux::polling::routes(routes, COMETD);
                    facades::genesys::routes(routes);
                }
            })
            .configure(http::routes::routes)
            .default_service(web::to(http::guard::no_route));
        HttpService::build()
            .keep_alive(KeepAlive::Timeout(service.settings.server.keep_alive))
            .client_request_timeout(service.settings.limits.head_timeout)
            // Connections without a request under way end at once, or they would hold the end up.
            .graceful_shutdown_signal(move || {
                let ending = ending.clone();
                async move { ending.notified().await }
            })
            .upgrade(fn_service(move |(request, framed)| {
                let (service, guests) = (upgrades.clone(), guests.clone());
                async move {
                    let guests = guests.as_deref().map(|guests| guests as &dyn Guests);
                    take_over(service, guests, request, framed).await
                }
            }))
            .finish(map_config(app, |_| AppConfig::default()))
    }
}

/// Puts one shard of every engine into the keeping of this worker's thread.
fn keep_shards(service: &SocketService, bayeux: &Bayeux, worker: usize) {
    let presence = &service.presence;
    let (sweeper, metrics) = (service.clone(), service.metrics.clone());
    Registry::supervise(Duties {
        shards: [
            presence.visitors().keep(worker),
            presence.code_engine().keep(worker),
            service.cobrowse.engine().keep(worker),
            bayeux.engine().keep(worker),
            service.chat.conversations().keep(worker),
            service.chat.staff().keep(worker),
            service.topics.engine().keep(worker),
        ]
        .into_iter()
        .flatten()
        .collect(),
        sweep: Box::new(move || sweeper.sweep()),
        restarted: Box::new(move || {
            metrics.actor_restarts.inc();
        }),
    });
}

/// A server without a listener: all that [`serve`](super::serve) runs behind one, for connections that the caller
/// brings, on this thread. Tests talk to it byte by byte. It must be the only worker, and keeps no state for another
/// process.
///
/// # Errors
/// See [`ServeError`].
pub async fn without_listener<T: Connection>(
    settings: Settings,
) -> Result<(SocketService, impl Inlet<T>), ServeError> {
    let storage = SavedState::open(&settings.storage).await?;
    let boot = Boot { incarnation: 1, clean: true };
    let node = NodeId { node: 0, incarnation: boot.incarnation };
    let place = Place::alone(node, settings.server.workers, Clock::system());
    let trusted = Trusted::load(&settings, &storage, &place).await?;
    let (service, bayeux, writer) = compose(Arc::new(settings), &place, trusted, boot, &storage);
    actix_rt::spawn(writer.run());
    let inlet =
        Blueprint::new(&service, &bayeux, actix_server::Server::build().graceful_shutdown_signal());
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
