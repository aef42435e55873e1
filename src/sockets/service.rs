//! What every socket of this node shares.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Deref,
    sync::{Arc, OnceLock, atomic::Ordering},
    time::Duration,
};

use actix_http::header::{self, HeaderMap, HeaderValue};

use super::{
    admission::Admission,
    dialect::Dialect,
    framing::{Frame, Reader},
    keepalive::{Keepalive, Timing},
    lease::{self, Lease},
    lifecycle::Lifecycle,
    outages::Outages,
    outbox::{Class, Outbox},
    table::{Entry, Line, Sockets, text},
};
use crate::{
    auth::{FrameTickets, TokenService, is_own_origin},
    chat::handle::Chat,
    clock::{Clock, Timestamp},
    cobrowse::handle::Cobrowse,
    events::hub::Hub,
    lists::Lists,
    model::{
        close::{Close, CloseCode},
        error::{ErrorCode, Problem},
        ids::GroupId,
        protocol::{ErrorAnswer, GoAway},
    },
    presence::{handle::Presence, visitor::Share},
    settings::{Group, Settings},
    store::{dead_letters::DeadLetters, memory::EngineFigures, shared::SharedNode},
    telemetry::{Metrics, labels::SocketKind},
    topics::handle::Topics,
    trust::revoker::Revoker,
};

/// Within which time clients come back that came while the service was not ready, in ms.
const UNREADY_RETRY_MS: u64 = 500;
/// Likewise where other nodes are ready.
const ELSEWHERE_RETRY_MS: u64 = 100;

/// Where a request comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageOrigin {
    /// No page: a server or an app, which sends no `Origin`.
    NoPage,
    /// A page that we serve ourselves.
    Own,
    /// A page of this origin.
    Other(Box<str>),
}

/// What every socket of this node shares. Cheap to clone, and as small as a pointer: each socket holds one.
#[derive(Clone)]
pub struct SocketService(Arc<Parts>);

impl Deref for SocketService {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl From<Parts> for SocketService {
    fn from(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }
}

/// The parts that sockets and requests are served by.
pub struct Parts {
    /// The handle to presence.
    pub presence: Presence,
    /// The handle to co-browse.
    pub cobrowse: Cobrowse,
    /// The handle to chat.
    pub chat: Chat,
    /// The open sockets.
    pub sockets: Arc<Sockets>,
    /// The groups' events.
    pub events: Arc<Hub>,
    /// The handle to topics.
    pub topics: Topics,
    /// The lists of visitors.
    pub lists: Arc<Lists>,
    /// What webhooks did not take.
    pub letters: DeadLetters,
    /// The settings.
    pub settings: Arc<Settings>,
    /// Who verifies tokens.
    pub tokens: Arc<TokenService>,
    /// What frames of ours show in place of an origin.
    pub frames: FrameTickets,
    /// Who calls tokens back.
    pub revoker: Arc<Revoker>,
    /// Who may come in, and how fast.
    pub admission: Arc<Admission>,
    /// The figures.
    pub metrics: Metrics,
    /// What visitors' sockets may speak besides our own words, at paths of their own.
    pub dialects: Arc<[&'static Dialect]>,
    /// How far the process is.
    pub lifecycle: Lifecycle,
    /// Who is told when what the nodes share is away.
    pub outages: Arc<Outages>,
    /// This process as one of several nodes, if it is that.
    pub node: Option<SharedNode>,
    /// When the process started.
    pub started: Timestamp,
    /// What has figures besides all this: told once.
    pub others: OnceLock<Box<dyn Figures>>,
}

/// A part that sockets and requests know nothing of, and that has figures.
pub trait Figures: Send + Sync {
    /// Brings the figures that are states up to date; gives those of its engines.
    fn refresh(&self) -> EngineFigures;
}

impl SocketService {
    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.presence.clock()
    }

    /// The group of requests that name none.
    #[must_use]
    pub fn default_group(&self) -> Option<&GroupId> {
        self.settings.facades.default_group.as_ref()
    }

    /// Where a request with these headers comes from. An `Origin` that cannot be read, or that is there twice, is that of
    /// a page that nobody lists.
    #[must_use]
    pub fn origin_of(&self, headers: &HeaderMap) -> PageOrigin {
        let mut origins = headers.get_all(header::ORIGIN);
        let origin = match (origins.next(), origins.next()) {
            (None, _) => None,
            (Some(only), None) => Some(only.to_str().unwrap_or_default()),
            (Some(_), Some(_)) => Some(""),
        };
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        self.page_origin(origin, host)
    }

    /// Where a request comes from, by the request's `Origin` and `Host`.
    #[must_use]
    pub fn page_origin(&self, origin: Option<&str>, host: Option<&str>) -> PageOrigin {
        let public_url = self.settings.server.public_url.as_deref();
        match origin {
            None => PageOrigin::NoPage,
            Some(origin) if is_own_origin(origin, host, public_url) => PageOrigin::Own,
            Some(origin) => PageOrigin::Other(origin.into()),
        }
    }

    /// Whether a visitor may connect from there: the group lists the page's origin, or we serve the page ourselves. Without
    /// a page it is an app, which the group must have asked for.
    #[must_use]
    pub fn allows_visitor(&self, group: &Group, origin: &PageOrigin) -> bool {
        match origin {
            PageOrigin::NoPage => group.native_visitors,
            PageOrigin::Own => true,
            PageOrigin::Other(origin) => {
                group.visitor_origins.allows(Some(origin), self.settings.mode)
            }
        }
    }

    /// Likewise for an agent. Without a page it is a server, whose token says enough.
    #[must_use]
    pub fn allows_agent(&self, group: &Group, origin: &PageOrigin) -> bool {
        match origin {
            PageOrigin::NoPage | PageOrigin::Own => true,
            PageOrigin::Other(origin) => {
                group.agent_origins.allows(Some(origin), self.settings.mode)
            }
        }
    }

    /// Brings the figures that are states, not counts, up to date.
    pub fn refresh_metrics(&self) {
        let gauge = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let visitors = self.presence.visitors();
        let Share { connected, in_transit, held, asking } = self.presence.figures().sums();
        self.metrics.visitors_connected.set(connected);
        self.metrics.visitors_in_transit.set(in_transit);
        self.metrics.signals_held.set(held);
        self.metrics.help_waiting.set(asking);
        let (open, open_full) = self.presence.open_signals();
        self.metrics.signals_open.set(gauge(open));
        self.metrics.records.set(gauge(visitors.records()));
        self.metrics.watchers.set(gauge(self.presence.watchers().subscriptions()));
        self.metrics.revocations.set(gauge(self.tokens.revocations().len()));
        self.metrics.sessions.set(gauge(self.cobrowse.engine().records()));
        let (parts, assets) = self.cobrowse.bytes();
        self.metrics.stream_bytes.set(gauge(parts));
        self.metrics.asset_bytes.set(i64::try_from(assets).unwrap_or(i64::MAX));
        self.metrics.timers.set(gauge(visitors.timers()));
        self.events.refresh_metrics(&self.metrics);
        self.topics.refresh_metrics(&self.metrics);
        let (codes, sessions) = (self.presence.code_engine(), self.cobrowse.engine());
        self.metrics.code_records.set(gauge(codes.records()));
        self.metrics.timeline_entries.set(gauge(self.presence.timelines().len()));
        self.chat.refresh_metrics();
        let others = self.others.get().map(|others| others.refresh()).unwrap_or_default();
        let engines = [
            visitors.figures(),
            codes.figures(),
            sessions.figures(),
            self.chat.conversations().figures(),
            self.chat.staff().figures(),
            self.topics.engine().figures(),
            others,
        ];
        let sum: EngineFigures = engines.into_iter().sum();
        let node = self.node.as_ref().map(SharedNode::figures).unwrap_or_default();
        let (letter_bytes, letters_lost) = self.cobrowse.letters();
        self.metrics.letter_bytes.set(gauge(letter_bytes));
        self.metrics.degraded.set(i64::from(self.lifecycle.is_degraded()));
        self.metrics.remembered_records.set(i64::try_from(sum.remembered).unwrap_or(i64::MAX));
        self.metrics.inbox_depth.set(i64::try_from(sum.waiting).unwrap_or(i64::MAX));
        for (counter, count) in [
            (&self.metrics.commands, sum.commands),
            (&self.metrics.inbox_full, sum.refused),
            (&self.metrics.records_full, sum.full),
            (&self.metrics.record_panics, sum.panics),
            (&self.metrics.records_set_aside, sum.set_aside),
            (&self.metrics.cluster_conflicts, sum.conflicts),
            (&self.metrics.cluster_away, sum.away),
            (&self.metrics.cluster_missed, sum.missed),
            (&self.metrics.cluster_commands, node.commands),
            (&self.metrics.cluster_sent_bytes, node.bytes_sent),
            (&self.metrics.cluster_messages, node.messages),
            (&self.metrics.cluster_heard_bytes, node.bytes_heard),
            (&self.metrics.cluster_cuts, node.cuts),
            (&self.metrics.letters_lost, letters_lost),
            (&self.metrics.signals_open_full, open_full),
        ] {
            counter.inner().store(count, Ordering::Relaxed);
        }
        self.metrics.cluster_nodes.set(i64::try_from(node.nodes).unwrap_or(i64::MAX));
        self.metrics.cluster_parts_away.set(i64::try_from(node.parts_away).unwrap_or(i64::MAX));
        let limiters = self.admission.fill().into_iter().chain(self.presence.guesses().fill());
        for (limiter, keys, full) in limiters {
            self.metrics.limiter_keys.of(limiter).set(gauge(keys));
            self.metrics.limiter_full.of(limiter).inner().store(full, Ordering::Relaxed);
        }
    }

    /// The address that counts for a request: the peer's, or what a trusted proxy says.
    #[must_use]
    pub fn client_address(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> IpAddr {
        let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let proxies = &self.settings.server.proxies;
        let lines: Vec<_> =
            headers.get_all(proxies.header().name()).map(HeaderValue::as_bytes).collect();
        proxies.client(peer, &mut lines.into_iter())
    }

    /// When a client for whom this node is not ready is to come back, in ms. When it ends and others are there, nearly at
    /// once: every try that is in vain makes the client's own pauses longer.
    #[must_use]
    pub fn unready_retry_ms(&self) -> u64 {
        if self.node.is_some() && self.lifecycle.is_draining() {
            rand::random::<u64>() % ELSEWHERE_RETRY_MS
        } else {
            UNREADY_RETRY_MS + rand::random::<u64>() % UNREADY_RETRY_MS
        }
    }

    /// Enters a socket that was admitted. When the service began to stop meanwhile, the socket is told so like all
    /// others: it was not yet in the table, or it is in there twice told.
    #[must_use]
    pub fn enter(&self, line: Arc<Line>, kind: SocketKind) -> Entry {
        let told = Arc::clone(&line);
        let entry = self.sockets.enter(line, kind);
        if !self.lifecycle.is_ready() {
            send_away(&told, rand::random::<u64>() % UNREADY_RETRY_MS);
        }
        entry
    }

    /// A reader with the settings' limit.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader::new(u32::try_from(self.settings.limits.frame_limit_bytes).unwrap_or(u32::MAX))
    }

    /// A reader for streams, whose messages may be longer.
    #[must_use]
    pub fn stream_reader(&self) -> Reader {
        let most = self.settings.cobrowse.message_bytes();
        Reader::new(u32::try_from(most).unwrap_or(u32::MAX))
    }

    /// An outbox for a stream, likewise.
    #[must_use]
    pub fn stream_outbox(&self, head: bytes::Bytes) -> Arc<Outbox> {
        let limit = u32::try_from(self.settings.cobrowse.outbox_bytes).unwrap_or(u32::MAX);
        Arc::new(Outbox::with_head(limit, head))
    }

    /// An outbox with the settings' bound, which first writes `head`.
    #[must_use]
    pub fn outbox(&self, head: bytes::Bytes) -> Arc<Outbox> {
        let limit = u32::try_from(self.settings.limits.outbox_limit_bytes).unwrap_or(u32::MAX);
        Arc::new(Outbox::with_head(limit, head))
    }

    /// A lease on this thread for a socket that opens now.
    #[must_use]
    pub fn lease(&self, outbox: Arc<Outbox>) -> std::rc::Rc<Lease> {
        let (server, limits) = (&self.settings.server, &self.settings.limits);
        let timing = Timing {
            ping_min_ms: milliseconds(server.ping_min),
            ping_max_ms: milliseconds(server.ping_max),
            hello_ms: milliseconds(limits.hello_timeout),
            write_ms: milliseconds(limits.write_deadline),
        };
        Lease::new(outbox, Keepalive::new(&timing, self.clock().now(), rand::random()))
    }

    /// Looks after all sockets of this thread.
    pub fn sweep(&self) {
        lease::sweep(self.clock().now(), &self.metrics, &self.tokens);
    }

    /// Tells every socket to come back later, each at its own time within `spread_ms`, and closes it. All are told
    /// before the first is closed, so that nobody hears of another's end first.
    pub fn go_away(&self, spread_ms: u64) {
        let told = self.sockets.lines().into_iter().map(|line| {
            let retry_ms = if spread_ms == 0 { 0 } else { rand::random::<u64>() % spread_ms };
            tell_to_go(&line, retry_ms);
            (line, retry_ms)
        });
        for (line, retry_ms) in told.collect::<Vec<_>>() {
            line.outbox.close(Close::from(CloseCode::GoAway).retry_in(retry_ms));
        }
    }
}

/// Guests learn it from the close alone.
fn tell_to_go(line: &Line, retry_ms: u64) {
    if !line.is_guest() {
        let _ = line.outbox.push(Class::Reliable, text(&GoAway { retry_ms }));
    }
}

fn send_away(line: &Line, retry_ms: u64) {
    tell_to_go(line, retry_ms);
    line.outbox.close(Close::from(CloseCode::GoAway).retry_in(retry_ms));
}

fn milliseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// Sends the answer that tells `problem`, unless the message that caused it had no number and the problem is not worth
/// a word of its own.
pub fn refuse(outbox: &Outbox, request: Option<u64>, problem: Problem) {
    let _ = outbox.push(Class::Reliable, error_frame(request, problem));
}

fn error_frame(request: Option<u64>, problem: Problem) -> Frame {
    text(&ErrorAnswer::new(request, problem))
}

/// The close that goes with a problem of a first message.
#[must_use]
pub fn close_of(problem: &Problem) -> Close {
    let code = match problem.code {
        ErrorCode::Authorization => CloseCode::Authorization,
        ErrorCode::Origin => CloseCode::Origin,
        ErrorCode::Group => CloseCode::Group,
        ErrorCode::RateLimited => CloseCode::RateLimited,
        ErrorCode::Unready => CloseCode::Unready,
        ErrorCode::TooMany => CloseCode::TooMany,
        ErrorCode::Signature => CloseCode::Signature,
        ErrorCode::Internal => CloseCode::Internal,
        ErrorCode::TooLarge => CloseCode::TooLarge,
        ErrorCode::Scope
        | ErrorCode::BadRequest
        | ErrorCode::ForbiddenFunction
        | ErrorCode::VisitorNotPresent
        | ErrorCode::NotFound
        | ErrorCode::Taken
        | ErrorCode::Unavailable
        | ErrorCode::Method => CloseCode::BadRequest,
    };
    Close { code, retry_ms: problem.retry_ms }
}
