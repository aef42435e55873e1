//! The settings as they are written. One field a setting, with its default and unit; rules are in `validate`.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Errors, Trust};
use crate::{
    auth::{KeyAlgorithm, Secret},
    limits::ForwardedHeader,
    telemetry::LogFormat,
};

macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident {
        $($(#[$field_doc:meta])* $field:ident: $type:ty = $default:expr,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Deserialize, Serialize)]
            #[serde(default, deny_unknown_fields)]
            pub(super) struct $name { $($(#[$field_doc])* pub(super) $field: $type,)* }

            impl Default for $name {
                fn default() -> Self {
                    Self { $($field: $default,)* }
                }
            }
        )*
    };
}

sections! {
    /// The whole file.
    Wire {
        server: Server = Server::default(),
        limits: Limits = Limits::default(),
        auth: Auth = Auth::default(),
        groups: Vec<Group> = Vec::new(),
        presence: Presence = Presence::default(),
        events: Events = Events::default(),
        cobrowse: Cobrowse = Cobrowse::default(),
        chat: Chat = Chat::default(),
        topics: Topics = Topics::default(),
        facades: Facades = Facades::default(),
        bayeux: Bayeux = Bayeux::default(),
        storage: Storage = Storage::default(),
        log: Log = Log::default(),
    }

    /// `[server]`
    Server {
        /// Address and port to listen on. Default 127.0.0.1:8080.
        bind: String = "127.0.0.1:8080".into(),
        /// Where the outside reaches this server. Default: what a request's `Host` says.
        public_url: Option<String> = None,
        /// Proxies whose word on the client's address is believed: addresses or networks. Default none.
        trusted_proxies: Vec<String> = Vec::new(),
        /// The header that they write: `x-forwarded-for` or `forwarded`. Default x-forwarded-for.
        forwarded_header: ForwardedHeader = ForwardedHeader::default(),
        /// Threads that serve sockets. Default 0: one a core.
        workers: u64 = 0,
        /// How long an HTTP connection may stay open between two requests, milliseconds. Default 75000.
        keep_alive_ms: u64 = 75_000,
        /// Shortest time between two pings, milliseconds. Default 20000.
        ping_min_ms: u64 = 20_000,
        /// Longest time between two pings, milliseconds. Default 25000.
        ping_max_ms: u64 = 25_000,
        tls: Tls = Tls::default(),
    }

    /// `[server.tls]`
    Tls {
        /// The certificate and its chain, PEM; a relative path starts at the settings file. Default none: no TLS.
        certificate: Option<String> = None,
        /// The certificate's private key, PEM; likewise.
        key: Option<String> = None,
        /// `1.2` or `1.3`. Default 1.2.
        min_version: String = "1.2".into(),
        /// Time for a handshake, milliseconds. Default 10000.
        handshake_timeout_ms: u64 = 10_000,
        /// Handshakes under way at a time. Default 2000.
        max_handshakes: u64 = 2_000,
    }

    /// `[limits]`
    Limits {
        /// Sockets in all. Default 100000.
        max_sockets: u64 = 100_000,
        /// Sockets at a time from one address. Default 1000.
        sockets_per_address: u64 = 1_000,
        /// Handshakes per second and address; more are closed with `ratelimited`. Default 50.
        handshakes_per_second: u64 = 50,
        /// Handshakes per second and address; more get a plain HTTP refusal. Default 200.
        handshakes_per_second_hard: u64 = 200,
        /// Handshakes per second in all. Default 5000.
        handshakes_per_second_total: u64 = 5_000,
        /// Connects per second and visitor id. Default 10.
        connects_per_second: u64 = 10,
        /// Visitor ids that one socket may go by, one after another. Default 32.
        identities_per_socket: u64 = 32,
        /// Visitors that are remembered at a time. Default 1000000.
        max_records: u64 = 1_000_000,
        /// Time for a socket's first frame, milliseconds. Default 10000.
        hello_timeout_ms: u64 = 10_000,
        /// Time for a socket to take what was written, milliseconds. Default 10000.
        write_deadline_ms: u64 = 10_000,
        /// Messages per second on a visitor's socket. Default 20.
        visitor_messages_per_second: u64 = 20,
        /// How many of them at once. Default 100.
        visitor_messages_burst: u64 = 100,
        /// Messages per second on an agent's socket. Default 100.
        agent_messages_per_second: u64 = 100,
        /// How many of them at once. Default 2000.
        agent_messages_burst: u64 = 2_000,
        /// Visitors that one agent's socket watches. Default 1000.
        watches_per_socket: u64 = 1_000,
        /// Watchers of one visitor. Default 10000.
        watchers_per_visitor: u64 = 10_000,
        /// Live lists of one agent's socket. Default 8.
        lists_per_socket: u64 = 8,
        /// Live lists of all agents of one group. Default 500.
        lists_per_group: u64 = 500,
        /// How long the changes of a group's live lists are gathered, milliseconds. Default 200.
        list_pace_ms: u64 = 200,
        /// Longest frame or message on a socket, bytes. Default 65536.
        frame_limit_bytes: u64 = 65_536,
        /// What may wait for a slow socket, bytes. Default 262144.
        outbox_limit_bytes: u64 = 262_144,
        /// Longest request body, bytes. Default 131072.
        body_limit_bytes: u64 = 131_072,
        /// HTTP connections at a time from one address. Default 256.
        connections_per_address: u64 = 256,
        /// Time for the head of a request, milliseconds. Default 10000.
        head_timeout_ms: u64 = 10_000,
        /// HTTP requests per second from one address. Default 100.
        requests_per_second: u64 = 100,
        /// HTTP requests per second with tokens of one subject. Default 100.
        requests_per_second_per_subject: u64 = 100,
        /// Guesses per minute from one address: codes that agents ask for, keys and credentials that are wrong. Default 20.
        guesses_per_minute: u64 = 20,
        /// Codes that all agents of a group ask for, per minute. Default 600.
        guesses_per_minute_total: u64 = 600,
        /// Addresses, visitors and subjects that each of the limits above remembers. Default 100000.
        remembered_keys: u64 = 100_000,
    }

    /// `[auth]`
    Auth {
        /// Signs tokens (HS256): 32 characters or more. No default; not needed where one of `keys` signs.
        #[serde(skip_serializing)]
        signing_key: Option<Secret> = None,
        /// Former signing keys whose tokens are still believed, at most 4. Default none.
        #[serde(serialize_with = "no_secrets")]
        previous_signing_keys: Vec<Secret> = Vec::new(),
        /// Further keys of ours, at most 32 in all. Default none.
        keys: Vec<Key> = Vec::new(),
        /// Who else may make tokens, at most 16. Default none.
        issuers: Vec<Issuer> = Vec::new(),
        /// Life of a token where nothing else is asked for, minutes, 1 to 120. Default 60.
        token_minutes: u64 = 60,
    }

    /// `[[auth.keys]]`
    Key {
        /// What tokens name it by. No default.
        kid: String = String::new(),
        /// How it signs. No default.
        algorithm: Option<KeyAlgorithm> = None,
        /// The secret of an HS256 key: 32 characters or more. No default.
        #[serde(skip_serializing)]
        secret: Option<Secret> = None,
        /// The PEM file of a private key. No default.
        private_key_file: Option<String> = None,
        /// The PEM file of a public key, which verifies only. No default.
        public_key_file: Option<String> = None,
        /// Whether it signs our tokens, in place of `signing_key`. Default false.
        sign: bool = false,
        /// The groups that it is believed for. Default: all.
        #[serde(deserialize_with = "texts_or_numbers")]
        groups: Vec<String> = Vec::new(),
    }

    /// `[[auth.issuers]]`
    Issuer {
        /// The `iss` of his tokens. No default.
        issuer: String = String::new(),
        /// What he calls us: an `aud` of his tokens. No default.
        audience: String = String::new(),
        /// Where his JWKS document is: a file, or an address. No default.
        jwks: String = String::new(),
        /// The groups that his tokens may be for. No default.
        #[serde(deserialize_with = "texts_or_numbers")]
        groups: Vec<String> = Vec::new(),
        /// What his tokens may allow at most. Default: all but `operate`.
        scopes: String = "read signal invoke session control topics".into(),
        /// The claim that holds the group. Default `group`.
        group_claim: String = "group".into(),
        /// The claim that holds the scope. Default `scope`.
        scope_claim: String = "scope".into(),
        /// How often an address is asked, seconds, 10 to 86400. Default 300.
        refresh_seconds: u64 = 300,
        /// How soon it may be asked again for a key that is not known, seconds, 1 to 3600. Default 10.
        refetch_seconds: u64 = 10,
    }

    /// `[[groups]]`
    Group {
        /// The tenant's number, 1 to 20 digits. No default.
        #[serde(deserialize_with = "text_or_number")]
        id: String = String::new(),
        /// What people call it. Default none.
        name: Option<String> = None,
        /// Origins of the pages that visitors come from. Default none.
        visitor_origins: Vec<String> = Vec::new(),
        /// Origins of the pages that agents work in. Default none.
        agent_origins: Vec<String> = Vec::new(),
        /// Keys that ask for tokens, 16 characters or more each. Default none.
        #[serde(serialize_with = "no_secrets")]
        api_keys: Vec<Secret> = Vec::new(),
        /// The partner whose login keys are believed. Default: the group's id.
        #[serde(deserialize_with = "optional_text_or_number")]
        partner_id: Option<String> = None,
        /// Signs login keys: 16 characters or more. Default none: no login keys.
        #[serde(skip_serializing)]
        partner_key: Option<Secret> = None,
        /// Keys that sign visitor ids, 32 characters or more each. Default none.
        #[serde(serialize_with = "no_secrets")]
        visitor_keys: Vec<Secret> = Vec::new(),
        /// Whether known visitors need a signature. Default false.
        require_signed_visitors: bool = false,
        /// Whether visitors' sockets without an `Origin` are let in, as apps open them. Default false.
        native_visitors: bool = false,
        /// Whether `url` and `referrer` of presence lose their query strings. Default false.
        strip_query: bool = false,
        /// Whether agents and back ends see the network addresses that visitors come from. Default false.
        addresses: bool = false,
        /// Whether its events are kept and can be read. Default true.
        events: bool = true,
        /// `[[groups.webhooks]]`. Default none.
        webhooks: Vec<Webhook> = Vec::new(),
        cobrowse: GroupCobrowse = GroupCobrowse::default(),
        facades: GroupFacades = GroupFacades::default(),
        chat: GroupChat = GroupChat::default(),
        topics: GroupTopics = GroupTopics::default(),
    }

    /// `[groups.facades]`
    GroupFacades {
        /// How those are trusted who come by the interface of Genesys Co-browse: `off` (not at all), `code` (who knows a
        /// session's token may join it), `token` (as our own tokens say). Default off.
        genesys: Trust = Trust::Off,
        /// Whether a request for a session by its token must say by `Origin` or `Referer` that it comes from one of
        /// `agent_origins`, where there are any. Default true.
        genesys_origins: bool = true,
        /// In whose frames /cobrowse/slave.html may stand, besides `agent_origins`: they may do nothing else. Default none.
        genesys_frames: Vec<String> = Vec::new(),
    }

    /// `[groups.chat]`
    GroupChat {
        /// The ids of the group's chat buttons. Default none: agents may be available for any.
        buttons: Vec<String> = Vec::new(),
    }

    /// `[groups.topics]`
    GroupTopics {
        /// Filters of the topics that visitors may publish to. Default none.
        visitor_publish: Vec<String> = Vec::new(),
        /// Filters that visitors may subscribe to, with all that they cover. Default none.
        visitor_subscribe: Vec<String> = Vec::new(),
        /// Whether visitors may leave retained values there, and take them away. Default false.
        visitor_retain: bool = false,
        /// Messages of each topic that are kept for who comes back; 0 for none. Default 100.
        history: u64 = 100,
        /// How long, seconds. Default 300.
        history_seconds: u64 = 300,
        /// Filters of topics whose messages are states: only the newest of each counts. Default none.
        latest: Vec<String> = Vec::new(),
    }

    /// `[groups.cobrowse]`
    GroupCobrowse {
        /// CSS selectors of what agents never see. Default none.
        mask: Vec<String> = Vec::new(),
        /// Whether agents see nothing but what `allow` selects. Default false.
        private: bool = false,
        /// CSS selectors of what agents see although `private` is set. Default none.
        allow: Vec<String> = Vec::new(),
        /// Regular expressions of what agents never see. Default none.
        patterns: Vec<String> = Vec::new(),
        /// The language of what the visitor is asked. Default: the page's.
        language: Option<String> = None,
        /// Texts in place of the built-in ones. Default none.
        texts: BTreeMap<String, String> = BTreeMap::new(),
        /// What pages are told that the site is called. Default: the group's id.
        site_code: Option<String> = None,
        /// What begins a session on pages of an interface that has a button for that: `button`, `none`, or `#` and the id
        /// of the page's own element. Default button.
        launch: String = "button".into(),
        /// What a visitor must accept before such a session begins. Default none.
        terms: Option<String> = None,
    }

    /// `[[groups.webhooks]]`
    Webhook {
        /// Where events are posted. No default.
        url: String = String::new(),
        /// Sign them, at most two while they change: `whsec_` and the base64 of 24 to 64 bytes. No default.
        #[serde(serialize_with = "no_secrets")]
        secrets: Vec<Secret> = Vec::new(),
        /// Which types of events. Default all.
        types: Vec<String> = Vec::new(),
    }

    /// `[presence]`
    Presence {
        /// How long a visitor without a socket counts as connected, milliseconds. Default 5000.
        grace_ms: u64 = 5_000,
        /// How long signals for him are held, milliseconds. Default 5000.
        signal_window_ms: u64 = 5_000,
        /// Time for a page to acknowledge a signal, milliseconds. Default 5000.
        ack_ms: u64 = 5_000,
        /// Life of a unique id, seconds. Default 300.
        unique_id_seconds: u64 = 300,
        /// Length of a unique id, digits, 4 to 12. Default 6.
        unique_id_digits: u64 = 6,
        /// How long a visitor who asks for help waits before he is told that nobody comes, seconds. Default 300.
        help_seconds: u64 = 300,
        /// Visitors of one group who may wait for help at a time. Default 1000.
        help_requests: u64 = 1_000,
        /// Things that happened to visitors that are remembered for `explain`, in all. Default 65536.
        timeline_entries: u64 = 65_536,
    }

    /// `[events]`
    Events {
        /// Events of a group that are kept for readers who come back. Default 10000.
        history: u64 = 10_000,
        /// What they may take, bytes a group. Default 4194304.
        history_bytes: u64 = 4_194_304,
        /// Streams that a group may have at a time. Default 100.
        streams: u64 = 100,
        /// Longest silence on a stream, milliseconds. Default 15000.
        heartbeat_ms: u64 = 15_000,
        /// Time for a webhook to answer, milliseconds. Default 15000.
        webhook_timeout_ms: u64 = 15_000,
        /// Requests to one webhook at a time. Default 8.
        webhook_in_flight: u64 = 8,
        /// Events that may wait for one webhook. Default 10000.
        webhook_queue: u64 = 10_000,
        /// What they may take, bytes. Default 8388608.
        webhook_queue_bytes: u64 = 8_388_608,
        /// Longest pause after the first failure, milliseconds; it doubles with each. Default 1000.
        webhook_retry_first_ms: u64 = 1_000,
        /// Longest pause of all, milliseconds. Default 300000.
        webhook_retry_most_ms: u64 = 300_000,
        /// Age at which an event is given up, seconds. Default 86400.
        webhook_give_up_seconds: u64 = 86_400,
        /// Dead letters that are kept for one webhook. Default 1000.
        dead_letters: u64 = 1_000,
        /// Whether webhooks may go over plain HTTP to other machines. Default false.
        webhook_plain_http: bool = false,
    }

    /// `[topics]`
    Topics {
        /// Subscriptions of one socket. Default 100.
        subscriptions_per_socket: u64 = 100,
        /// Subscriptions of all sockets of one group. Default 100000.
        subscriptions_per_group: u64 = 100_000,
        /// Messages that all of a group publish, per second. Default 1000.
        publishes_per_second: u64 = 1_000,
        /// How many of them at once. Default 2000.
        publishes_burst: u64 = 2_000,
        /// What all visitors of a group together may have of the group's publishing and of what is kept of its messages,
        /// percent. Default 50.
        visitor_percent: u64 = 50,
        /// Longest data of one message, bytes; never more than a quarter of `limits.outbox_limit_bytes`. Default 32768.
        payload_bytes: u64 = 32_768,
        /// Topics of one group that have a retained value. Default 10000.
        retained: u64 = 10_000,
        /// What the retained values of a group may take, bytes. Default 4194304.
        retained_bytes: u64 = 4_194_304,
        /// Longest life of a retained value, and its life where the publisher says nothing, seconds. Default 86400.
        retained_seconds: u64 = 86_400,
        /// What the messages that are kept for who comes back may take, bytes a group. Default 4194304.
        history_bytes: u64 = 4_194_304,
    }

    /// `[cobrowse]`
    Cobrowse {
        /// Sessions at a time. Default 10000.
        max_sessions: u64 = 10_000,
        /// Agents at a time in one session. Default 8.
        agents: u64 = 8,
        /// How long an agent whose connection is lost is waited for, milliseconds. Default 30000.
        agent_grace_ms: u64 = 30_000,
        /// How long a visitor whose last page is lost is waited for, milliseconds. Default 60000.
        visitor_grace_ms: u64 = 60_000,
        /// How long a session waits for visitor and agent, seconds. Default 600.
        join_seconds: u64 = 600,
        /// How long the visitor may do nothing, seconds. Default 600.
        idle_seconds: u64 = 600,
        /// How long a session may last, seconds. Default 28800.
        longest_seconds: u64 = 28_800,
        /// Sessions that one visitor may start, per minute. Default 10.
        sessions_per_minute: u64 = 10,
        /// Length of a code that leads to a session, digits, 4 to 12. Default 6.
        code_digits: u64 = 6,
        /// Longest message of a page's stream, before it was deflated, bytes. Default 4194304.
        part_bytes: u64 = 4_194_304,
        /// What is kept of one page's stream for agents who come late, bytes. Default 8388608.
        page_bytes: u64 = 8_388_608,
        /// What may wait for a slow viewer, bytes. Default 16777216.
        outbox_bytes: u64 = 16_777_216,
        /// Longest picture, font or style sheet, bytes. Default 2097152.
        asset_bytes: u64 = 2_097_152,
        /// What they may take in one session, bytes. Default 33554432.
        assets_bytes: u64 = 33_554_432,
        /// How many there may be in one session. Default 5000.
        assets: u64 = 5_000,
        /// Messages per second on a page's stream. Default 200.
        stream_messages_per_second: u64 = 200,
        /// How many of them at once. Default 4000.
        stream_messages_burst: u64 = 4_000,
        /// How long past sessions are kept, days. Default 90.
        history_days: u64 = 90,
        /// How long consents are kept, days. Default 730.
        consent_days: u64 = 730,
    }

    /// `[chat]`
    Chat {
        /// Chats at a time. Default 10000.
        max_chats: u64 = 10_000,
        /// Visitors of one group who may wait for an agent at a time. Default 200.
        waiting: u64 = 200,
        waiting_per_address: u64 = 20,
        /// Agents of one group who chat. Default 500.
        agents: u64 = 500,
        /// Chats that one agent may have at a time. Default 20.
        chats_per_agent: u64 = 20,
        /// How long an agent whose last connection is lost is waited for, milliseconds. Default 15000.
        agent_grace_ms: u64 = 15_000,
        /// How long a visitor who left the site is waited for, milliseconds. Default 60000.
        visitor_grace_ms: u64 = 60_000,
        /// How long an invitation waits for its answer, seconds. Default 120.
        invited_seconds: u64 = 120,
        /// How long a visitor waits for an agent, seconds. Default 900.
        waiting_seconds: u64 = 900,
        /// How long a chat goes on in which nobody says anything, seconds. Default 1800.
        idle_seconds: u64 = 1_800,
        /// Messages of one chat. Default 2000.
        messages: u64 = 2_000,
        /// Messages of one visitor, per minute. Default 60.
        messages_per_minute: u64 = 60,
        /// Chats that one visitor may begin, per minute. Default 10.
        chats_per_minute: u64 = 10,
        /// How long past chats are kept, days. Default 90.
        history_days: u64 = 90,
    }

    /// `[facades]`
    Facades {
        /// The group of requests that name none. Default: the only group, if there is one.
        #[serde(deserialize_with = "optional_text_or_number")]
        default_group: Option<String> = None,
        /// Whether the Glance interfaces are served. Default true.
        glance: bool = true,
        /// Whether the interface compatible with Oracle's Cobrowse is served. Default true.
        oracle: bool = true,
        /// Whether the Upscope interfaces are served. Default true.
        upscope: bool = true,
        /// Whether the interface compatible with Channel.me is served. Default true.
        channelme: bool = true,
        /// Whether the Genesys Co-browse interfaces are served, to groups that say how. Default true.
        genesys: bool = true,
    }

    /// `[bayeux]`
    Bayeux {
        /// Clients at a time. Default 20000.
        max_clients: u64 = 20_000,
        /// HTTP requests of clients that may wait at a time. Default 20000.
        max_waiting: u64 = 20_000,
        /// How long a connect is held, milliseconds. Default 30000.
        timeout_ms: u64 = 30_000,
        /// How long a client may stay away between two connects, milliseconds. Default 10000.
        max_interval_ms: u64 = 10_000,
        /// Messages that may wait for one client. Default 1000.
        queue_messages: u64 = 1_000,
        /// What they may take, bytes. Default 262144.
        queue_bytes: u64 = 262_144,
        /// Channels that one client may subscribe to. Default 100.
        subscriptions: u64 = 100,
        /// Connects of one browser that are held at a time; 0 is no limit. Default 0.
        tabs: u64 = 0,
        /// When those beyond come back, milliseconds. Default 2000.
        tabs_pause_ms: u64 = 2_000,
        /// Whether long-polling needs the cookie of the handshake. Default false: the client id says enough.
        require_cookie: bool = false,
        /// The HTTP status of a held connect that a newer one overtook: 500 or 408. Default 500.
        overtaken_status: u64 = 500,
        /// Whose words errors are told in: `classic` (`402::Unknown client`) or `modern` (`402::session_unknown`). Default classic.
        errors: Errors = Errors::Classic,
    }

    /// `[storage]`
    Storage {
        /// Where state is kept; a relative path starts at the settings file. Default sqlite:vestibule.db.
        url: String = "sqlite:vestibule.db".into(),
    }

    /// `[log]`
    Log {
        /// `text` or `json`. Default text.
        format: LogFormat = LogFormat::Text,
        /// Which lines are written, in the syntax of tracing's `EnvFilter`. Default info.
        filter: String = "info".into(),
    }
}

/// Keeps secrets out of the tree of defaults, which wants to know only that this is a list.
fn no_secrets<S: Serializer>(_: &[Secret], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(std::iter::empty::<()>())
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a string or a whole number")]
enum TextOrNumber {
    Text(String),
    Number(u64),
}

impl From<TextOrNumber> for String {
    fn from(either: TextOrNumber) -> Self {
        match either {
            TextOrNumber::Text(text) => text,
            TextOrNumber::Number(number) => number.to_string(),
        }
    }
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    TextOrNumber::deserialize(deserializer).map(Into::into)
}

fn texts_or_numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let list = Vec::<TextOrNumber>::deserialize(deserializer)?;
    Ok(list.into_iter().map(Into::into).collect())
}

fn optional_text_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    text_or_number(deserializer).map(Some)
}
