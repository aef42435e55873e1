//! The figures at `/metrics`, in one list.
//!
//! A figure costs one atomic addition: each label's handle is found once, when the list is made, and then by its
//! index, without the lock and hash of the library's `Family`.

use std::{ops::Deref, sync::Arc};

use prometheus_client::{
    encoding::{EncodeMetric, text::encode},
    metrics::{
        TypedMetric, counter::Counter, family::Family, gauge::Gauge, histogram::Histogram,
        info::Info,
    },
    registry::Registry,
};

use super::labels::{
    BayeuxEnd, Closing, FetchResult, HandshakeResult, Label, Limited, Limiter, OutboxClass,
    ReloadResult, Resumed, SignalEnd, SocketKind, StatusClass, StreamEnd, TlsHandshake,
    UpgradeRefusal, WebhookEnd,
};
use crate::{
    auth::{AuthError, SignatureError},
    model::{
        chat::{ChatEnd, Speaker},
        error::{ErrorCode, Problem},
        help::HelpStatus,
    },
};

/// The media type of [`Metrics::encode`]'s text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

const HTTP_BUCKETS_SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// One metric for each value of a label.
pub struct Labelled<L, M> {
    by_index: Box<[M]>,
    label: std::marker::PhantomData<fn(L)>,
    /// Stands in for an index that does not exist, which the labels' test rules out.
    stray: M,
}

impl<L: Label, M> Labelled<L, M> {
    /// The metric for this value.
    pub fn of(&self, label: L) -> &M {
        self.by_index.get(label.index()).unwrap_or(&self.stray)
    }
}

/// A figure that can enter itself in the registry.
trait Registered {
    fn registered(registry: &mut Registry, name: &'static str, help: &'static str) -> Self;
}

impl Registered for Counter {
    fn registered(registry: &mut Registry, name: &'static str, help: &'static str) -> Self {
        let counter = Self::default();
        registry.register(name, help, counter.clone());
        counter
    }
}

impl Registered for Gauge {
    fn registered(registry: &mut Registry, name: &'static str, help: &'static str) -> Self {
        let gauge = Self::default();
        registry.register(name, help, gauge.clone());
        gauge
    }
}

impl Registered for Histogram {
    fn registered(registry: &mut Registry, name: &'static str, help: &'static str) -> Self {
        let histogram = Self::new(HTTP_BUCKETS_SECONDS);
        registry.register(name, help, histogram.clone());
        histogram
    }
}

impl<L, M> Registered for Labelled<L, M>
where
    L: Label,
    M: Default + Clone + EncodeMetric + TypedMetric + Send + Sync + std::fmt::Debug + 'static,
{
    fn registered(registry: &mut Registry, name: &'static str, help: &'static str) -> Self {
        let family = Family::<[(&'static str, &'static str); 1], M>::default();
        let of = |label: &L| family.get_or_create_owned(&[(L::KEY, label.text())]);
        let by_index = L::ALL.iter().map(of).collect();
        registry.register(name, help, family);
        Self { by_index, label: std::marker::PhantomData, stray: M::default() }
    }
}

macro_rules! figures {
    ($($name:ident: $type:ty = $help:literal;)*) => {
        /// Every figure. Shared by all threads.
        pub struct Figures {
            registry: Registry,
            $(#[doc = $help] pub $name: $type,)*
        }

        impl Figures {
            fn new(mut registry: Registry) -> Self {
                $(let $name = <$type>::registered(&mut registry, stringify!($name), $help);)*
                Self { registry, $($name,)* }
            }
        }
    };
}

figures! {
    sockets_open: Labelled<SocketKind, Gauge> = "Open sockets";
    handshakes: Labelled<HandshakeResult, Counter> = "Handshakes on socket paths";
    upgrades_refused: Labelled<UpgradeRefusal, Counter> = "Upgrade requests answered with a plain HTTP refusal";
    closes: Labelled<Closing, Counter> = "Sockets closed by the server";
    connections_lost: Counter = "Sockets whose connection ended without a close";
    frames_in: Counter = "Frames read";
    frames_out: Counter = "Frames written";
    bytes_in: Counter = "Bytes read from sockets";
    bytes_out: Counter = "Bytes written to sockets";
    outbox_overflows: Labelled<OutboxClass, Counter> = "Messages that found their outbox full";
    write_deadline_exceeded: Counter = "Sockets that did not read in time";
    sessions: Gauge = "Co-browse sessions that run, or ended within the last minute";
    stream_bytes: Gauge = "Bytes of streams that are kept for viewers who come late";
    asset_bytes: Gauge = "Bytes of pictures, fonts and style sheets of visitors' pages that are kept, or on their way";
    stream_parts: Counter = "Parts of streams that pages sent";
    stream_parts_refused: Counter = "Parts of streams that were refused or dropped";
    history_lost: Counter = "Past sessions and consents that could not be written, and stand in the log alone";
    visitors_connected: Gauge = "Connected visitors, those in transit included";
    visitors_in_transit: Gauge = "Visitors within the grace after their last socket";
    records: Gauge = "Visitors' records";
    remembered_records: Gauge = "Records of all kinds that are in this process' memory";
    code_records: Gauge = "Codes that live or rest";
    timeline_entries: Gauge = "Things that happened to visitors and are remembered for explain";
    records_full: Counter = "Records that were refused because there are as many as may be";
    limited: Labelled<Limited, Counter> = "What was refused because it was too much";
    limiter_keys: Labelled<Limiter, Gauge> = "Keys that a limiter remembers";
    limiter_full: Labelled<Limiter, Counter> = "Newcomers for whom a limiter had no room";
    watchers: Gauge = "Subscriptions of agents to a visitor";
    lists_open: Gauge = "Live lists of agents";
    list_views: Gauge = "Filters and orders that they look through";
    list_rows: Gauge = "Visitors in lists";
    list_messages: Counter = "Changes told to live lists";
    lists_held_back: Counter = "Changes that waited because the agent had not read the last ones";
    lists_refused: Counter = "Live lists refused because there were too many";
    list_questions_refused: Counter = "Questions for lists refused because too many waited";
    list_panics: Counter = "Panics of the thread that works on lists";
    list_duration_seconds: Histogram = "Time of one round of work on a group's lists";
    signals: Labelled<SignalEnd, Counter> = "Signals by outcome";
    signals_held: Gauge = "Signals that wait for an acknowledgement";
    signals_open: Gauge = "Signals of this node's agents that are kept until their outcome, with several nodes";
    signals_open_full: Counter = "Signals refused because too many were kept so";
    help_requests: Labelled<HelpStatus, Counter> = "Visitors' wishes for help, by what became of them";
    help_waiting: Gauge = "Visitors who wait for help";
    chats_waiting: Gauge = "Visitors who wait for an agent to chat with";
    chats_open: Gauge = "Chats that an agent has";
    chats_ended: Labelled<ChatEnd, Counter> = "Chats that ended, by why";
    chat_messages: Labelled<Speaker, Counter> = "Messages of chats, by who said them";
    agents_available: Gauge = "Agents who are available for a chat button";
    button_watchers: Gauge = "Pages that are told which chat buttons are enabled";
    events_published: Counter = "Events of groups whose events are kept";
    events_kept: Gauge = "Events kept for readers who come back";
    events_kept_bytes: Gauge = "Bytes that they take";
    event_resets: Counter = "Readers told that they missed events";
    event_streams_open: Gauge = "Open streams of events";
    event_streams_ended: Labelled<StreamEnd, Counter> = "Streams of events that ended";
    webhook_events: Labelled<WebhookEnd, Counter> = "Events for webhooks by what became of them";
    webhook_failures: Counter = "Requests to webhooks that failed";
    webhooks_waiting: Gauge = "Events that wait for webhooks";
    webhook_lag_seconds: Gauge = "How long the oldest of them has been waiting";
    bayeux_clients: Gauge = "Clients that speak Bayeux";
    bayeux_waiting: Gauge = "HTTP requests of Bayeux clients that wait for their answers";
    bayeux_received: Counter = "Bayeux messages read";
    bayeux_sent: Counter = "Bayeux messages written";
    bayeux_refused: Counter = "Bayeux messages refused";
    bayeux_ended: Labelled<BayeuxEnd, Counter> = "Bayeux clients that ended";
    topic_messages: Counter = "Messages published to topics";
    topic_deliveries: Counter = "Copies of them that were handed to subscriptions";
    topic_subscriptions: Gauge = "Subscriptions to topics";
    topic_resumes: Labelled<Resumed, Counter> = "Subscriptions of clients that came back";
    topic_messages_waiting: Gauge = "Messages that wait to be published";
    topic_messages_refused: Counter = "Messages that were refused because too many waited";
    topic_gaps: Counter = "Subscriptions that lost messages while they caught up";
    topics_retained: Gauge = "Topics with a retained value";
    topic_messages_kept: Gauge = "Messages of topics that are kept";
    topic_bytes_kept: Gauge = "Bytes that they take";
    topic_visitor_bytes_kept: Gauge = "Bytes that those of visitors take";
    commands: Counter = "Commands applied to records";
    inbox_depth: Gauge = "Commands that wait in the shards' inboxes";
    inbox_full: Counter = "Commands refused because an inbox was full";
    record_panics: Counter = "Commands that panicked";
    records_set_aside: Counter = "Records set aside after a second panic";
    degraded: Gauge = "1 while the server that the nodes share is away";
    cluster_conflicts: Counter = "Transitions made anew, because another node was faster";
    cluster_away: Counter = "Questions that the nodes' server did not answer in time";
    cluster_missed: Counter = "Messages of other nodes dropped because this one was too far behind";
    cluster_commands: Counter = "Commands sent to the nodes' server; a script counts as one";
    cluster_sent_bytes: Counter = "Bytes of these";
    cluster_messages: Counter = "Messages that came from the nodes' server unasked";
    cluster_heard_bytes: Counter = "Bytes of these";
    cluster_nodes: Gauge = "Nodes that have a lease, this one among them";
    cluster_parts_away: Gauge = "Parts of the nodes' data whose server does not answer; of one server all is one part";
    cluster_cuts: Counter = "How often the way to the nodes' server was there again after a cut";
    letter_bytes: Gauge = "Bytes of letters to other nodes that wait";
    letters_lost: Counter = "Letters to other nodes that were refused or lost on the way out";
    actor_restarts: Counter = "Actors replaced after a panic";
    timers: Gauge = "Timers that wait";
    http_requests: Labelled<StatusClass, Counter> = "HTTP requests answered";
    http_duration_seconds: Histogram = "Time from an HTTP request to its answer";
    tls_handshakes: Labelled<TlsHandshake, Counter> = "TLS handshakes";
    tls_certificate_expires_seconds: Gauge = "When the certificate ends, in Unix seconds; 0 without TLS";
    tokens_issued: Counter = "Tokens issued";
    authorization_failures: Labelled<AuthError, Counter> = "Tokens and keys refused";
    revocations: Gauge = "Revocations in force";
    issuer_fetches: Labelled<FetchResult, Counter> = "Questions to outside issuers for their keys";
    visitor_signatures_refused: Labelled<SignatureError, Counter> = "Visitor ids refused for their signature, or the lack of one";
    reloads: Labelled<ReloadResult, Counter> = "Parts of the settings read again";
    saved_records: Counter = "Records saved at the end of this process";
    loaded_records: Counter = "Records taken over from the last process";
}

/// All figures of this process. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Metrics(Arc<Figures>);

impl Metrics {
    /// Figures that all stand at zero.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("vestibule");
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "The running version", build);
        Self(Arc::new(Figures::new(registry)))
    }

    /// A guess was refused: counted where that is because there were too many.
    pub fn guess_refused(&self, problem: &Problem) {
        if problem.code == ErrorCode::RateLimited {
            self.limited.of(Limited::Guess).inc();
        }
    }

    /// The figures as OpenMetrics text; see [`CONTENT_TYPE`].
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.0.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Metrics {
    type Target = Figures;
    fn deref(&self) -> &Figures {
        &self.0
    }
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::close::CloseCode;

    #[test]
    fn clones_count_together_and_labels_apart() {
        let metrics = Metrics::new();
        let clone = metrics.clone();
        clone.frames_in.inc_by(3);
        clone.sockets_open.of(SocketKind::Agent).inc();
        clone.closes.of(CloseCode::UniqueExpired.into()).inc();
        clone.authorization_failures.of(AuthError::Expired).inc();
        clone.http_duration_seconds.observe(0.003);
        let text = metrics.encode();
        for line in [
            "vestibule_frames_in_total 3",
            "vestibule_sockets_open{kind=\"agent\"} 1",
            "vestibule_sockets_open{kind=\"visitor\"} 0",
            "vestibule_closes_total{code=\"uniqueexpired\"} 1",
            "vestibule_closes_total{code=\"normal\"} 0",
            "vestibule_authorization_failures_total{reason=\"expired\"} 1",
            "vestibule_http_duration_seconds_bucket{le=\"0.005\"} 1",
            concat!("vestibule_build_info{version=\"", env!("CARGO_PKG_VERSION"), "\"} 1"),
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
