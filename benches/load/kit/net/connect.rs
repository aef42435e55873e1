//! Connections from many addresses, as of many households.

use std::{
    io::ErrorKind,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

/// How many source addresses connections leave from, 127.0.0.2 and up: past the limits on ports and on handshakes of
/// one address. Seven of 15,000 visitors share one, as in households and offices.
const SOURCES: usize = 2_000;

/// Begins the connection of this number. How that ends, epoll tells.
pub(super) fn connect(number: usize, address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket.set_tcp_nodelay(true).unwrap();
    let source = u32::from(Ipv4Addr::new(127, 0, 0, 2)) + (number % SOURCES) as u32;
    let source = SocketAddrV4::new(Ipv4Addr::from(source), 0);
    socket.bind(&SocketAddr::from(source).into()).unwrap();
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
        Err(error)
            if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        // Nobody listens: epoll tells it as it tells other ends.
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {}
        Err(error) => panic!("cannot connect: {error}"),
    }
    TcpStream::from_std(socket.into())
}
