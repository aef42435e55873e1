//! Takes connections over from the HTTP server (design section 4.1 to 4.3).
//!
//! The upgrade service gets every request with `Upgrade` and every CONNECT, on any path and without the application's
//! middleware. What is no WebSocket handshake on a socket path gets a plain HTTP answer. What is one, but may not come
//! in, is answered with 101 and closed at once with a code: a browser's script cannot see a refused handshake.

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use actix_codec::Framed;
use actix_http::{HttpMessage as _, Request, h1, header, ws::hash_key};
use bytes::{BufMut as _, Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    admission::Verdict,
    agent::{AgentSocket, Caller},
    framing::Frame,
    pump::Connection,
    service::{PageOrigin, SocketService},
    visitor::VisitorSocket,
};
use crate::{
    auth::{Mode, is_loopback_host},
    model::{
        close::{Close, CloseCode},
        ids::GroupId,
    },
    settings::Group,
    telemetry::labels::{HandshakeResult, UpgradeRefusal},
};

/// How long a refused client may take to read why.
const FAREWELL: Duration = Duration::from_secs(2);
/// When a client that came while the service was not ready should come back, in ms.
const UNREADY_RETRY_MS: u64 = 500;

/// A path that holds sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SocketPath {
    Visitor,
    Agent,
}

impl SocketPath {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/v1/visitor" => Some(Self::Visitor),
            "/v1/agent" => Some(Self::Agent),
            _ => None,
        }
    }
}

/// A socket about to open.
enum Admitted {
    Visitor(Arc<Group>),
    Agent { group: Option<GroupId>, origin: PageOrigin },
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

/// Serves one request to upgrade: judges it, answers it, and hands the connection to its actor.
///
/// # Errors
/// None: a connection that breaks meanwhile concerns nobody.
pub async fn take_over<T: Connection>(
    service: SocketService,
    request: Request,
    framed: Framed<T, h1::Codec>,
) -> Result<(), actix_http::Error> {
    let parts = framed.into_parts();
    let (connection, early) = (parts.io, parts.read_buf);
    let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
    match judge(&service, &request, peer) {
        Ok(admitted) => {
            service.metrics.handshakes.of(HandshakeResult::Accepted).inc();
            let outbox = service.outbox(handshake(&request).freeze());
            let reader = service.reader();
            match admitted {
                Admitted::Visitor(group) => {
                    VisitorSocket::serve(service, group, connection, &early, reader, outbox);
                }
                Admitted::Agent { group, origin } => {
                    let caller = Caller { group, origin, peer };
                    AgentSocket::serve(service, caller, connection, &early, reader, outbox);
                }
            }
        }
        Err(Refused::Http { status, reason, header }) => {
            service.metrics.handshakes.of(HandshakeResult::Refused).inc();
            service.metrics.upgrades_refused.of(reason).inc();
            // Not the path itself: it is a stranger's text.
            tracing::debug!(path = ?SocketPath::of(request.path()), status, "upgrade refused");
            let answer = format!(
                "HTTP/1.1 {status}\r\n{header}content-length: 0\r\ncache-control: no-store\r\n\
                 x-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
            );
            actix_rt::spawn(say_farewell(connection, answer.into()));
        }
        Err(Refused::Close(close)) => {
            service.metrics.handshakes.of(HandshakeResult::Closed).inc();
            service.metrics.closes.of(close.code).inc();
            let path = SocketPath::of(request.path());
            tracing::debug!(?path, code = close.code.as_str(), "socket refused");
            let mut answer = handshake(&request);
            answer.put_slice(Frame::close(close).bytes());
            actix_rt::spawn(say_farewell(connection, answer.freeze()));
        }
    }
    Ok(())
}

fn judge(service: &SocketService, request: &Request, peer: IpAddr) -> Result<Admitted, Refused> {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let mode = service.settings.mode;
    if mode == Mode::Development && !header(header::HOST).is_some_and(is_loopback_host) {
        return Err(http("421 Misdirected Request", UpgradeRefusal::Host));
    }
    let Some(path) = SocketPath::of(request.path()) else {
        return Err(http("404 Not Found", UpgradeRefusal::Path));
    };
    if request.method() != actix_http::Method::GET {
        let (status, header) = ("405 Method Not Allowed", "allow: GET\r\n");
        return Err(Refused::Http { status, reason: UpgradeRefusal::Method, header });
    }
    let verdict = service.admission.handshake(peer);
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
        let spread = rand::random::<u64>() % UNREADY_RETRY_MS;
        let close = Close::from(CloseCode::Unready).retry_in(UNREADY_RETRY_MS + spread);
        return Err(Refused::Close(close));
    }
    let origin = service.page_origin(header(header::ORIGIN), header(header::HOST));
    let groups = &service.settings.groups;
    let unknown = || Refused::Close(CloseCode::Group.into());
    let asked = asked_group(request.uri().query().unwrap_or_default());
    match path {
        SocketPath::Visitor => {
            let group = asked.and_then(|id| groups.get(&id.parse().ok()?).cloned());
            let group = group.ok_or_else(unknown)?;
            if !service.allows_visitor(&group, &origin) {
                return Err(Refused::Close(CloseCode::Origin.into()));
            }
            Ok(Admitted::Visitor(group))
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
