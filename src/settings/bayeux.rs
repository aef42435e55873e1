//! The rules of `[bayeux]`, and how a group trusts its clients.

use serde::{Deserialize, Serialize};

use super::{
    SettingsError,
    validate::{Checked, MEBIBYTE, number},
    wire,
};

/// How those are trusted who come by an interface that has a code in place of a token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Not at all.
    #[default]
    Off,
    /// Who knows a session's code may join it. Tokens are taken too, and allow more.
    Code,
    /// As our own tokens say.
    Token,
}

/// Whose words errors are told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Errors {
    /// Those of servers up to version 3.
    #[default]
    Classic,
    /// Those of servers since version 5.
    Modern,
}

/// Bayeux clients. Milliseconds stay numbers here, as the pure core adds them to timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bayeux {
    /// Clients at a time.
    pub max_clients: usize,
    /// HTTP requests that may wait at a time.
    pub max_waiting: usize,
    /// How long a connect is held.
    pub timeout_ms: u64,
    /// How long a client may stay away between two connects.
    pub max_interval_ms: u64,
    /// Messages that may wait for one client.
    pub queue_messages: usize,
    /// What they may take, bytes.
    pub queue_bytes: usize,
    /// Channels that one client may subscribe to.
    pub subscriptions: usize,
    /// Connects of one browser that are held at a time; 0 is no limit.
    pub tabs: usize,
    /// When those beyond come back.
    pub tabs_pause_ms: u64,
    /// Whether long-polling needs the cookie of the handshake.
    pub require_cookie: bool,
    /// The HTTP status of a held connect that a newer one overtook.
    pub overtaken_status: u16,
    /// Whose words errors are told in.
    pub errors: Errors,
}

pub(super) fn bayeux(wire: &wire::Bayeux) -> Checked<Bayeux> {
    fn within<T: TryFrom<u64>>(
        key: &str,
        value: u64,
        range: std::ops::RangeInclusive<u64>,
    ) -> Checked<T> {
        number(&format!("bayeux.{key}"), value, range)
    }
    if !matches!(wire.overtaken_status, 408 | 500) {
        return Err(SettingsError::key("bayeux.overtaken_status", "must be 408 or 500"));
    }
    Ok(Bayeux {
        max_clients: within("max_clients", wire.max_clients, 1..=10_000_000)?,
        max_waiting: within("max_waiting", wire.max_waiting, 1..=10_000_000)?,
        // Proxies, and one official client, give up after a minute.
        timeout_ms: within("timeout_ms", wire.timeout_ms, 1_000..=50_000)?,
        max_interval_ms: within("max_interval_ms", wire.max_interval_ms, 1_000..=3_600_000)?,
        queue_messages: within("queue_messages", wire.queue_messages, 1..=100_000)?,
        queue_bytes: within("queue_bytes", wire.queue_bytes, 1_024..=1_024 * MEBIBYTE)?,
        subscriptions: within("subscriptions", wire.subscriptions, 1..=10_000)?,
        tabs: within("tabs", wire.tabs, 0..=1_000)?,
        tabs_pause_ms: within("tabs_pause_ms", wire.tabs_pause_ms, 100..=60_000)?,
        require_cookie: wire.require_cookie,
        overtaken_status: within("overtaken_status", wire.overtaken_status, 408..=500)?,
        errors: wire.errors,
    })
}
