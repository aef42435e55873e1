//! TLS in the server itself: the certificate, its change while sockets are open, and the handshake.
//!
//! [`Pair`] reads certificate and key and judges them; `current` holds the pair that new connections get; [`Tls`] renews
//! it and makes the handshakes. What was agreed on open connections stays.

mod accept;
mod current;
mod pair;

use std::{path::PathBuf, sync::Arc, time::Duration};

use rustls::{ServerConfig, crypto::ring};
use tokio::sync::Semaphore;

use self::current::Current;
pub use self::{
    accept::Secured,
    pair::{Pair, TlsError},
};
use crate::{
    clock::{Clock, Timestamp},
    reload::Part,
    telemetry::Metrics,
};

/// The oldest version of TLS that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MinVersion {
    /// 1.2 (RFC 5246), with the cipher suites that are still held to be sound.
    Tls12,
    /// 1.3 (RFC 8446).
    Tls13,
}

/// How TLS is served.
#[derive(Clone, Debug)]
pub struct Options {
    /// PEM: the server's certificate first, then those that lead to an authority that clients know.
    pub certificate: PathBuf,
    /// PEM: the certificate's private key.
    pub key: PathBuf,
    /// The oldest version that is spoken.
    pub min_version: MinVersion,
    /// Time for a handshake, from the connection's first byte to the last of the handshake.
    pub handshake_timeout: Duration,
    /// Handshakes under way at a time; more connections are ended at once.
    pub max_handshakes: usize,
}

/// The certificate of this process and its handshakes. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    options: Options,
    handshakes: Semaphore,
    metrics: Metrics,
    clock: Clock,
}

impl Tls {
    /// Reads the pair and makes ready for handshakes. A certificate that has ended is taken, with a warning: a server
    /// that does not start helps nobody.
    ///
    /// # Errors
    /// The pair cannot be used.
    pub fn open(options: Options, clock: Clock, metrics: Metrics) -> Result<Self, TlsError> {
        let pair = Pair::read(&options)?;
        if let Some(warning) = pair.warning(clock.wall()) {
            tracing::warn!("{warning}");
        }
        metrics.tls_certificate_expires_seconds.set(seconds(pair.ends()));
        let current = Arc::new(Current::new(pair));
        let config = config(&options, &current)?;
        Ok(Self(Arc::new(Inner {
            config: Arc::new(config),
            current,
            handshakes: Semaphore::new(options.max_handshakes),
            options,
            metrics,
            clock,
        })))
    }

    /// What renews the pair when its files change.
    #[must_use]
    pub fn part(&self) -> Part {
        let (tls, options) = (self.clone(), &self.0.options);
        let files = vec![options.certificate.clone(), options.key.clone()];
        Part {
            name: "certificate",
            reload: Box::new(move || Ok(tls.renew()?)),
            files: Box::new(move || files.clone()),
        }
    }

    /// Reads the pair again. One that cannot be used, or has ended while the present one has not, is refused: the
    /// present one stays. Whoever replaces one file after the other may be refused in between.
    fn renew(&self) -> Result<(), TlsError> {
        let pair = self.fit(Pair::read(&self.0.options)?)?;
        self.0.metrics.tls_certificate_expires_seconds.set(seconds(pair.ends()));
        self.0.current.set(pair);
        Ok(())
    }

    fn fit(&self, pair: Pair) -> Result<Pair, TlsError> {
        let now = self.0.clock.wall();
        if pair.has_ended(now) && !self.0.current.get().has_ended(now) {
            return Err(TlsError::Ended { at: pair.ends() });
        }
        Ok(pair)
    }
}

fn seconds(moment: Timestamp) -> i64 {
    i64::try_from(moment.0 / 1_000).unwrap_or(i64::MAX)
}

fn config(options: &Options, current: &Arc<Current>) -> Result<ServerConfig, TlsError> {
    let versions: &[&rustls::SupportedProtocolVersion] = match options.min_version {
        MinVersion::Tls12 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        MinVersion::Tls13 => &[&rustls::version::TLS13],
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)?
        .with_no_client_auth()
        .with_cert_resolver(Arc::clone(current) as Arc<_>);
    // No h2: it would bring streams that outlast our limits and our drain, for pages that make a handful of requests.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Who comes back to the same process saves the costly half of a handshake; the client keeps the ticket, so that it
    // costs no memory here.
    config.ticketer = ring::Ticketer::new()?;
    Ok(config)
}
