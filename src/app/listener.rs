use std::{
    io,
    net::{Shutdown, SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use actix_http::{Protocol, error::DispatchError};
use actix_service::{ServiceFactoryExt as _, fn_service};
use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::TcpStream;

use super::workers::Blueprint;
use crate::{
    bayeux::server::Bayeux, http::connections::Connections, sockets::service::SocketService,
    tls::Tls,
};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// How long a peer may leave sent bytes unacknowledged before the kernel gives the connection up.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long requests that are under way may take when the server stops.
const STOP_TIMEOUT_SECONDS: u64 = 5;

/// A listener whose connections inherit what every socket needs (Linux copies these options on accept).
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
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

/// What a listener can be closed by, whoever else has it.
pub(super) struct Door(TcpListener);

impl Door {
    /// # Errors
    /// No file descriptor is left.
    pub(super) fn of(listener: &TcpListener) -> io::Result<Self> {
        listener.try_clone().map(Self)
    }

    /// Refuses connections from now on, those that wait to be accepted too, so that whoever comes tries the next address.
    /// Nobody may accept any more.
    pub(super) fn close(&self) {
        // Linux ends the listening of all who have the socket.
        if let Err(error) = SockRef::from(&self.0).shutdown(Shutdown::Both) {
            tracing::warn!(%error, "the listener cannot be closed");
        }
    }
}

/// The server on its workers, for plain connections or for those that TLS secures.
pub(super) fn start(
    service: &SocketService,
    bayeux: &Bayeux,
    listener: TcpListener,
    tls: Option<Tls>,
) -> io::Result<actix_server::Server> {
    let connections = Connections::new(Arc::clone(&service.settings), service.metrics.clone());
    let builder = actix_server::Server::build();
    let blueprint = Blueprint::new(service, bayeux, builder.graceful_shutdown_signal());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_door_refuses_at_once_and_whoever_waited() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, door) = (listener.local_addr().unwrap(), Door::of(&listener).unwrap());
        let mut waits = std::net::TcpStream::connect(address).unwrap();
        door.close();
        let refused = std::net::TcpStream::connect(address).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
        let reset = std::io::Read::read(&mut waits, &mut [0]).unwrap_err();
        assert_eq!(reset.kind(), io::ErrorKind::ConnectionReset);
        // The next process need not wait for the end of this one.
        listen(address).unwrap();
    }

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
