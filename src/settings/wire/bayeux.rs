//! `[bayeux]`.

use crate::settings::Errors;

sections! {
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
}
