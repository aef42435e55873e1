//! Takes connections over from the HTTP server (design section 4.1 to 4.3).
//!
//! The upgrade service gets every request with `Upgrade` and every CONNECT, on any path and without the application's
//! middleware. What is no WebSocket handshake on a socket path gets a plain HTTP answer. What is one, but may not come
//! in, is answered with 101 and closed at once with a code: a browser's script cannot see a refused handshake.

use std::{io, net::IpAddr, sync::Arc, time::Duration};

use actix_codec::Framed;
use actix_http::{HttpMessage as _, Request, h1, header, ws::hash_key};
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    admission::Verdict,
    agent::{AgentSocket, Caller},
    dialect::{Dialect, NATIVE},
    framing::Frame,
    guest::{GUEST, Guest, Guests},
    pump::Connection,
    service::{PageOrigin, SocketService},
    stream::StreamSocket,
    table::Line,
    visitor::{Door, VisitorSocket},
};
use crate::{
    auth::{Mode, is_loopback_host},
    limits::Place,
    model::{
        close::{Close, CloseCode},
        ids::GroupId,
    },
    telemetry::labels::{HandshakeResult, Limited, UpgradeRefusal},
};

/// How long a refused client may take to read why.
const FAREWELL: Duration = Duration::from_secs(2);

/// A path that holds sockets.
#[derive(Clone, Copy)]
enum SocketPath<'a> {
    Visitor(&'static Dialect),
    Agent,
    Stream,
    Guest(&'a dyn Guests),
}

impl<'a> SocketPath<'a> {
    fn of(service: &SocketService, guests: Option<&'a dyn Guests>, path: &str) -> Option<Self> {
        if path == "/v1/agent" {
            return Some(Self::Agent);
        }
        if path == "/v1/stream" {
            return Some(Self::Stream);
        }
        if let Some(guests) = guests.filter(|guests| guests.takes(path)) {
            return Some(Self::Guest(guests));
        }
        let mut dialects = std::iter::once(&NATIVE).chain(service.dialects.iter().copied());
        dialects.find(|dialect| dialect.path == path).map(Self::Visitor)
    }

    fn text(self) -> &'static str {
        match self {
            Self::Guest(guests) => guests.name(),
            Self::Visitor(dialect) => dialect.path,
            Self::Agent => "/v1/agent",
            Self::Stream => "/v1/stream",
        }
    }
}

/// A connection that was taken over, and what goes with it.
pub struct Opened<'a, T> {
    /// The connection.
    pub connection: T,
    /// Bytes that came right behind the handshake.
    pub early: &'a [u8],
    /// What waits to be written: the answer to the handshake, so far.
    pub line: Arc<Line>,
    /// The socket's place among those of its address.
    pub place: Place<IpAddr>,
}

/// A socket about to open.
enum Admitted<'a> {
    Visitor(Door, &'static Dialect),
    Agent { group: Option<GroupId>, origin: PageOrigin },
    Stream { origin: PageOrigin },
    Guest { guests: &'a dyn Guests, origin: PageOrigin },
}

/// Why not.
#[derive(Debug, PartialEq, Eq)]
enum Refused {
    /// By a plain HTTP answer.
    Http { status: &'static str, reason: UpgradeRefusal, header: &'static str },
    /// By 101 and a close code.
    Close(Close),
}

fn http(status: &'static str, reason: UpgradeRefusal) -> Refused {
    Refused::Http { status, reason, header: "" }
}

/// Serves one request to upgrade: judges it, answers it, and hands the connection to its actor. `guests`: who speaks
/// another protocol, if anybody does.
///
/// # Errors
/// None: a connection that breaks meanwhile concerns nobody.
pub async fn take_over<T: Connection>(
    service: SocketService,
    guests: Option<&dyn Guests>,
    request: Request,
    framed: Framed<T, h1::Codec>,
) -> Result<(), actix_http::Error> {
    let parts = framed.into_parts();
    let (connection, early) = (parts.io, parts.read_buf);
    let address = service.client_address(request.peer_addr(), request.headers());
    match judge(&service, guests, &request, address) {
        Ok((admitted, place)) => {
            service.metrics.handshakes.of(HandshakeResult::Accepted).inc();
            let head = handshake(&request).freeze();
            let outbox = match &admitted {
                Admitted::Stream { .. } => service.stream_outbox(head),
                _ => service.outbox(head),
            };
            let dialect = match &admitted {
                Admitted::Visitor(_, dialect) => dialect,
                Admitted::Agent { .. } | Admitted::Stream { .. } => &NATIVE,
                Admitted::Guest { .. } => &GUEST,
            };
            let line = Line::new(outbox, dialect, &service.lifecycle);
            if let Admitted::Guest { guests, origin } = admitted {
                let connection: Box<dyn Connection> = Box::new(connection);
                let guest = Guest { origin, address, headers: request.headers() };
                guests.serve(service, guest, Opened { connection, early: &early, line, place });
                return Ok(());
            }
            let opened = Opened { connection, early: &early, line, place };
            match admitted {
                Admitted::Guest { .. } => {}
                Admitted::Visitor(door, _) => VisitorSocket::serve(service, door, opened),
                Admitted::Agent { group, origin } => {
                    AgentSocket::serve(service, Caller { group, origin, address }, opened);
                }
                Admitted::Stream { origin } => StreamSocket::serve(service, origin, opened),
            }
        }
        Err(Refused::Http { status, reason, header }) => {
            service.metrics.handshakes.of(HandshakeResult::Refused).inc();
            service.metrics.upgrades_refused.of(reason).inc();
            // Not the path itself: it is a stranger's text.
            let path = SocketPath::of(&service, guests, request.path()).map(SocketPath::text);
            tracing::debug!(?path, status, "upgrade refused");
            let answer = format!(
                "HTTP/1.1 {status}\r\n{header}content-length: 0\r\ncache-control: no-store\r\n\
                 x-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
            );
            actix_rt::spawn(say_farewell(connection, answer.into()));
        }
        Err(Refused::Close(close)) => {
            service.metrics.handshakes.of(HandshakeResult::Closed).inc();
            service.metrics.closes.of(close.code.into()).inc();
            let path = SocketPath::of(&service, guests, request.path()).map(SocketPath::text);
            tracing::debug!(?path, code = close.code.as_str(), "socket refused");
            let mut answer = handshake(&request);
            answer.put_slice(Frame::close(close).bytes());
            actix_rt::spawn(say_farewell(connection, answer.freeze()));
        }
    }
    Ok(())
}

fn judge<'a>(
    service: &SocketService,
    guests: Option<&'a dyn Guests>,
    request: &Request,
    address: IpAddr,
) -> Result<(Admitted<'a>, Place<IpAddr>), Refused> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mode = service.settings.mode;
    if mode == Mode::Development && !header(header::HOST).is_some_and(is_loopback_host) {
        return Err(http("421 Misdirected Request", UpgradeRefusal::Host));
    }
    let Some(path) = SocketPath::of(service, guests, request.path()) else {
        return Err(http("404 Not Found", UpgradeRefusal::Path));
    };
    if request.method() != actix_http::Method::GET {
        let (status, header) = ("405 Method Not Allowed", "allow: GET\r\n");
        return Err(Refused::Http { status, reason: UpgradeRefusal::Method, header });
    }
    let verdict = service.admission.handshake(address, service.clock().now());
    if verdict != Verdict::Admit {
        service.metrics.limited.of(Limited::Handshake).inc();
    }
    if verdict == Verdict::Refuse {
        let (status, header) = ("429 Too Many Requests", "retry-after: 1\r\n");
        return Err(Refused::Http { status, reason: UpgradeRefusal::RateLimited, header });
    }
    let is_websocket = header(header::UPGRADE).is_some_and(|value| {
        value.split(',').any(|one| one.trim().eq_ignore_ascii_case("websocket"))
    });
    if !is_websocket || header(header::SEC_WEBSOCKET_VERSION) != Some("13") {
        // RFC 6455, section 4.2.2: says which version would do.
        let header = "upgrade: websocket\r\nsec-websocket-version: 13\r\n";
        let (status, reason) = ("426 Upgrade Required", UpgradeRefusal::Version);
        return Err(Refused::Http { status, reason, header });
    }
    // RFC 6455, section 4.1: 16 bytes in Base64.
    let is_key = |key: &str| key.len() == 24 && key.ends_with("==") && key.is_ascii();
    if !header(header::SEC_WEBSOCKET_KEY).is_some_and(is_key) {
        return Err(http("400 Bad Request", UpgradeRefusal::Malformed));
    }
    if let Verdict::Close(close) = verdict {
        return Err(Refused::Close(close));
    }
    if !service.lifecycle.is_ready() || service.sockets.len() >= service.settings.limits.max_sockets
    {
        let close = Close::from(CloseCode::Unready).retry_in(service.unready_retry_ms());
        return Err(Refused::Close(close));
    }
    let admitted = admit(service, request, path)?;
    // Last, so that nobody who may not come in holds a place meanwhile.
    let place = service.admission.place(address).map_err(|close| {
        service.metrics.limited.of(Limited::SocketOfAddress).inc();
        Refused::Close(close)
    })?;
    Ok((admitted, place))
}

/// Judges where the handshake comes from, and where it leads.
fn admit<'a>(
    service: &SocketService,
    request: &Request,
    path: SocketPath<'a>,
) -> Result<Admitted<'a>, Refused> {
    let origin = service.origin_of(request.headers());
    let groups = &service.settings.groups;
    let unknown = || Refused::Close(CloseCode::Group.into());
    let asked = asked_group(request.uri().query().unwrap_or_default());
    match path {
        SocketPath::Visitor(dialect) if !dialect.group_in_query => {
            Ok(Admitted::Visitor(Door::Anywhere(Box::new(origin)), dialect))
        }
        SocketPath::Visitor(dialect) => {
            let group = asked.and_then(|id| groups.get(&id.parse().ok()?).cloned());
            let group = group.ok_or_else(unknown)?;
            if !service.allows_visitor(&group, &origin) {
                return Err(Refused::Close(CloseCode::Origin.into()));
            }
            let is_frame =
                origin == PageOrigin::Own && is_frame(request.uri().query().unwrap_or_default());
            let door = if is_frame { Door::Frame(group) } else { Door::Group(group) };
            Ok(Admitted::Visitor(door, dialect))
        }
        // The ticket of the first message says which group's list counts.
        SocketPath::Stream => Ok(Admitted::Stream { origin }),
        SocketPath::Guest(guests) => {
            guests.admit(service, &origin).map_err(Refused::Close)?;
            Ok(Admitted::Guest { guests, origin })
        }
        // The token of the first message says which group's list counts; it must be the group that is asked for.
        SocketPath::Agent => {
            let group = match asked.map(str::parse::<GroupId>) {
                Some(Ok(id)) if groups.get(&id).is_some() => Some(id),
                Some(_) => return Err(unknown()),
                None => None,
            };
            Ok(Admitted::Agent { group, origin })
        }
    }
}

fn asked_group(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("group="))
}

/// Whether a page of ours says that it stands in a frame of somebody else's.
fn is_frame(query: &str) -> bool {
    query.split('&').any(|pair| pair == "frame=1")
}

/// The answer that switches protocols (RFC 6455, section 4.2.2).
fn handshake(request: &Request) -> BytesMut {
    let key = request.headers().get(header::SEC_WEBSOCKET_KEY);
    let accept = hash_key(key.map_or(b"".as_slice(), header::HeaderValue::as_bytes));
    let mut head = BytesMut::with_capacity(160);
    head.put_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ",
    );
    head.put_slice(&accept);
    head.put_slice(b"\r\n\r\n");
    head
}

/// Writes the last answer and waits a little for the peer to close, so that the answer is not lost to a reset.
async fn say_farewell<T: Connection>(mut connection: T, answer: Bytes) {
    let farewell = async {
        connection.write_all(&answer).await?;
        connection.shutdown().await?;
        let mut rest = [0_u8; 1024];
        while connection.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(FAREWELL, farewell).await;
}
