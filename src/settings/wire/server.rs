//! `[server]` and `[server.tls]`.

use crate::limits::ForwardedHeader;

sections! {
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
        /// How long an ending server waits for sockets that do not close, milliseconds. Default 1000.
        farewell_ms: u64 = 1_000,
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
}
