//! The handshake, within its time and its number.

use std::{io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::Tls;
use crate::telemetry::labels::TlsHandshake;

/// The first byte of every TLS connection: a record that holds a handshake (RFC 8446, section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;
/// How long a client that speaks plain HTTP may take to read that this is wrong.
const FAREWELL: Duration = Duration::from_secs(2);
const WRONG_SCHEME: &str = "This port speaks HTTPS.\n";

/// A connection after its handshake, and its peer.
pub type Secured = (TlsStream<TcpStream>, Option<SocketAddr>);

impl Tls {
    /// Makes the handshake on a new connection. Whoever speaks plain HTTP is told; whoever speaks anything else, takes too
    /// long, or comes while too many handshakes are under way, is left.
    ///
    /// # Errors
    /// There is no secured connection; it is counted why.
    pub async fn accept(&self, stream: TcpStream) -> io::Result<Secured> {
        let inner = &*self.0;
        let result = match inner.handshakes.try_acquire() {
            Ok(_place) => {
                let handshake = self.handshake(stream);
                tokio::time::timeout(inner.options.handshake_timeout, handshake)
                    .await
                    .unwrap_or(Err((TlsHandshake::Timeout, io::ErrorKind::TimedOut.into())))
            }
            Err(_) => Err((TlsHandshake::TooMany, io::ErrorKind::QuotaExceeded.into())),
        };
        let counted = match &result {
            Ok(_) => TlsHandshake::Done,
            Err((why, _)) => *why,
        };
        inner.metrics.tls_handshakes.of(counted).inc();
        result.map_err(|(why, error)| {
            tracing::debug!(?why, %error, "no TLS");
            error
        })
    }

    async fn handshake(&self, stream: TcpStream) -> Result<Secured, (TlsHandshake, io::Error)> {
        let failed = |error| (TlsHandshake::Failed, error);
        let peer = stream.peer_addr().ok();
        let mut first = [0];
        if stream.peek(&mut first).await.map_err(failed)? == 0 {
            return Err(failed(io::ErrorKind::UnexpectedEof.into()));
        }
        let [first] = first;
        if first != HANDSHAKE_RECORD {
            // Methods are capital letters; anything else would not understand the answer.
            if first.is_ascii_uppercase() {
                let _ = tokio::time::timeout(FAREWELL, say_wrong_scheme(stream)).await;
            }
            return Err((TlsHandshake::Plain, io::ErrorKind::InvalidData.into()));
        }
        let acceptor = TlsAcceptor::from(std::sync::Arc::clone(&self.0.config));
        let stream = acceptor.accept(stream).await.map_err(failed)?;
        Ok((stream, peer))
    }
}

/// Answers, and reads what was on its way, so that the answer is not lost to a reset.
async fn say_wrong_scheme(mut stream: TcpStream) -> io::Result<()> {
    let length = WRONG_SCHEME.len();
    let answer = format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\
         x-content-type-options: nosniff\r\nconnection: close\r\n\r\n{WRONG_SCHEME}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}
