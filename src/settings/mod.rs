//! Settings: TOML file, then environment, then flags; each may override those before it.
//!
//! `wire` is what may be written, `layers` reads it, `validate` makes the types of it: those below, and those that stand
//! beside the rules of their sections. Beyond this module nobody reads the environment or checks a setting again.

mod auth;
mod bayeux;
mod chat;
mod cluster;
mod cobrowse;
mod development;
mod error;
mod events;
mod group;
mod layers;
mod sources;
mod topics;
mod validate;
mod wire;

use std::{net::SocketAddr, num::NonZeroU32, time::Duration};

pub use self::{
    auth::Auth,
    bayeux::{Bayeux, Errors, Trust},
    chat::Chat,
    cluster::Cluster,
    cobrowse::Cobrowse,
    development::{DEVELOPMENT_GROUP, Development},
    error::SettingsError,
    events::{Events, Webhooks},
    group::{Group, GroupCobrowse, GroupTopics, Groups, Launch, Webhook},
    sources::Sources,
    topics::Topics,
};
use crate::{
    auth::Mode,
    limits::{Proxies, Rate},
    model::ids::GroupId,
    store::saved::StorageUrl,
    telemetry::LogFormat,
    tls,
};

/// A file that documents every setting with its default.
pub const SAMPLE: &str = include_str!("../../vestibule.sample.toml");

/// All settings, checked.
#[derive(Debug)]
pub struct Settings {
    /// Where they came from, so that parts can be read again.
    pub sources: Sources,
    /// Whether this is a trial or the real thing.
    pub mode: Mode,
    /// What development mode made up; `None` in production.
    pub development: Option<Development>,
    /// Where and how to listen.
    pub server: Server,
    /// What the outside may do, and how often.
    pub limits: Limits,
    /// Tokens.
    pub auth: Auth,
    /// The tenants.
    pub groups: Groups,
    /// Presence and signals.
    pub presence: Presence,
    /// Co-browse sessions.
    pub cobrowse: Cobrowse,
    /// Chats.
    pub chat: Chat,
    /// Events for back ends.
    pub events: Events,
    /// Topics.
    pub topics: Topics,
    /// Other products' interfaces.
    pub facades: Facades,
    /// Bayeux clients.
    pub bayeux: Bayeux,
    /// This process as one of several nodes; `None`: it is alone.
    pub cluster: Option<Cluster>,
    /// Where state outlives the process.
    pub storage: StorageUrl,
    /// The log.
    pub log: Log,
}

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Server {
    /// Where to listen.
    pub bind: SocketAddr,
    /// Where the outside reaches us, without a slash at the end; `None`: as a request's `Host` says.
    pub public_url: Option<String>,
    /// Whose word on a client's address is believed.
    pub proxies: Proxies,
    /// Threads that serve sockets; at least 1.
    pub workers: usize,
    /// How long an HTTP connection may stay open between two requests.
    pub keep_alive: Duration,
    /// Shortest time between two pings; never above `ping_max`.
    pub ping_min: Duration,
    /// Longest time between two pings.
    pub ping_max: Duration,
    /// How long an ending server waits for sockets that do not close.
    pub farewell: Duration,
    /// How TLS is served; `None`: it is not.
    pub tls: Option<tls::Options>,
}

impl Server {
    /// What the addresses of this server begin with, where nothing stands before it.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.tls.is_some() { "https" } else { "http" }
    }
}

/// What the outside may do, and how often.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Sockets in all.
    pub max_sockets: usize,
    /// Sockets at a time from one address.
    pub sockets_per_address: usize,
    /// Handshakes per second and address; more are accepted and closed with a code.
    pub handshakes_per_second: NonZeroU32,
    /// Handshakes per second and address; more get a plain HTTP refusal.
    pub handshakes_per_second_hard: NonZeroU32,
    /// Handshakes per second in all.
    pub handshakes_per_second_total: NonZeroU32,
    /// Connects per second and visitor id.
    pub connects_per_second: NonZeroU32,
    /// Visitor ids that one socket may go by, one after another.
    pub identities_per_socket: u32,
    /// Visitors that are remembered at a time.
    pub max_records: usize,
    /// Time for a socket's first frame.
    pub hello_timeout: Duration,
    /// Time for a socket to take what was written.
    pub write_deadline: Duration,
    /// Messages on a visitor's socket.
    pub visitor_messages: Rate,
    /// Messages on an agent's socket.
    pub agent_messages: Rate,
    /// Visitors that one agent's socket watches.
    pub watches_per_socket: usize,
    /// Watchers of one visitor.
    pub watchers_per_visitor: usize,
    /// Live lists of one agent's socket.
    pub lists_per_socket: usize,
    /// Live lists of all agents of one group.
    pub lists_per_group: usize,
    /// How long the changes of a group's live lists are gathered, in ms.
    pub list_pace_ms: u64,
    /// Longest frame or message on a socket, bytes.
    pub frame_limit_bytes: usize,
    /// What may wait for a slow socket, bytes.
    pub outbox_limit_bytes: usize,
    /// Longest request body, bytes.
    pub body_limit_bytes: usize,
    /// HTTP connections at a time from one address.
    pub connections_per_address: usize,
    /// Time for the head of a request.
    pub head_timeout: Duration,
    /// HTTP requests per second from one address.
    pub requests_per_second: NonZeroU32,
    /// HTTP requests per second with tokens of one subject.
    pub requests_per_second_per_subject: NonZeroU32,
    /// Wrong guesses per minute from one address: codes that lead nowhere, keys and credentials.
    pub guesses_per_minute: NonZeroU32,
    /// Codes that lead nowhere and that all agents of a group ask for, per minute.
    pub guesses_per_minute_total: NonZeroU32,
    /// Addresses, visitors and subjects that each of the limits above remembers.
    pub remembered_keys: usize,
}

/// Presence and signals. Milliseconds stay numbers here, as the pure core adds them to timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// How long a visitor without a socket counts as connected; 0 is none.
    pub grace_ms: u64,
    /// How long signals for him are held.
    pub signal_window_ms: u64,
    /// Time for a page to acknowledge a signal.
    pub ack_ms: u64,
    /// Life of a unique id, seconds.
    pub unique_id_seconds: u64,
    /// Length of a unique id, digits.
    pub unique_id_digits: u8,
    /// How long a visitor waits for help.
    pub help_ms: u64,
    /// Visitors of one group who may wait for help at a time.
    pub help_requests: usize,
    /// Things that happened that are remembered for `explain`, in all.
    pub timeline_entries: usize,
}

/// Other products' interfaces.
#[derive(Clone, Debug)]
pub struct Facades {
    /// The group of requests that name none: the one that the settings name, else the only one.
    pub default_group: Option<GroupId>,
    /// Whether the Glance interfaces are served.
    pub glance: bool,
    /// Whether the interface compatible with Oracle's Cobrowse is served.
    pub oracle: bool,
    /// Whether the Upscope interfaces are served.
    pub upscope: bool,
    /// Whether the Genesys Co-browse interfaces are served.
    pub genesys: bool,
    /// Whether the interface compatible with Channel.me is served.
    pub channelme: bool,
}

impl Facades {
    /// All of them, for no group in particular.
    pub const ALL: Self = Self {
        default_group: None,
        glance: true,
        oracle: true,
        upscope: true,
        genesys: true,
        channelme: true,
    };
}

/// The log.
#[derive(Clone, Debug)]
pub struct Log {
    /// How lines are written.
    pub format: LogFormat,
    /// Which lines are written; known to be a valid filter.
    pub filter: String,
}

/// Reads and checks the settings.
///
/// Without a file, and without `[auth]` or `[[groups]]` in the environment, the result is development mode.
///
/// # Errors
/// The first thing that is wrong, naming its key.
pub fn load(sources: &Sources) -> Result<Settings, SettingsError> {
    let wire = layers::read(sources)?;
    let auth = &wire.auth;
    let bare = auth.signing_key.is_none() && auth.keys.is_empty() && wire.groups.is_empty();
    if sources.file.is_none() && bare {
        return development::settings(wire, sources);
    }
    validate::settings(wire, sources, Mode::Production)
}

#[cfg(test)]
mod tests;
