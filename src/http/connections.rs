//! How many connections one address may hold at a time, before a byte of them is read.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
};

use actix_service::{Service, ServiceFactory};
use tokio::net::TcpStream;

use crate::{
    limits::{Place, Places, client_key},
    settings::Settings,
    telemetry::{
        Metrics,
        labels::{Limited, Limiter},
    },
};

type Local<T> = std::pin::Pin<Box<dyn Future<Output = T>>>;

/// Counts the connections of each address. A connection counts until its last request is answered; one that was taken
/// over counts among the sockets from then on.
#[derive(Clone)]
pub struct Connections {
    by_address: Arc<Places<IpAddr>>,
    settings: Arc<Settings>,
    metrics: Metrics,
}

impl Connections {
    /// Nobody is connected yet.
    #[must_use]
    pub fn new(settings: Arc<Settings>, metrics: Metrics) -> Self {
        let by_address = Places::new(settings.limits.connections_per_address);
        Self { by_address, settings, metrics }
    }

    /// A place for a connection: `None` inside for a trusted proxy, which has no limit of its own.
    fn admit(&self, peer: Option<SocketAddr>) -> Result<Option<Place<IpAddr>>, ()> {
        let Some(address) = peer.map(|peer| peer.ip()) else { return Ok(None) };
        if self.settings.server.proxies.trusts(address) {
            return Ok(None);
        }
        let place = self.by_address.take(client_key(address));
        let keys = i64::try_from(self.by_address.keys()).unwrap_or(i64::MAX);
        self.metrics.limiter_keys.of(Limiter::ConnectionsByAddress).set(keys);
        place
            .map(Some)
            .ok_or_else(|| self.metrics.limited.of(Limited::Connection).inc())
            .map_err(drop)
    }

    /// `inner`, for those connections only that have a place. Others are dropped.
    pub fn limit<F>(self, inner: F) -> Limit<F> {
        Limit { connections: self, inner }
    }
}

/// A service of connections, limited. See [`Connections::limit`].
pub struct Limit<S> {
    connections: Connections,
    inner: S,
}

impl<F> ServiceFactory<TcpStream> for Limit<F>
where
    F: ServiceFactory<TcpStream, Config = (), Response = (), InitError = ()>,
    F::Future: 'static,
    F::Service: 'static,
    F::Error: 'static,
{
    type Response = ();
    type Error = F::Error;
    type Config = ();
    type Service = Limit<F::Service>;
    type InitError = ();
    type Future = Local<Result<Self::Service, ()>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let (connections, inner) = (self.connections.clone(), self.inner.new_service(()));
        Box::pin(async move { Ok(Limit { connections, inner: inner.await? }) })
    }
}

impl<S> Service<TcpStream> for Limit<S>
where
    S: Service<TcpStream, Response = ()>,
    S::Future: 'static,
    S::Error: 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = Local<Result<(), S::Error>>;

    fn poll_ready(&self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&self, connection: TcpStream) -> Self::Future {
        let Ok(place) = self.connections.admit(connection.peer_addr().ok()) else {
            return Box::pin(std::future::ready(Ok(())));
        };
        let served = self.inner.call(connection);
        Box::pin(async move {
            let _place = place;
            served.await
        })
    }
}
