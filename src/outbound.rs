//! What this server asks others by HTTP, under bounds: no redirects, a time limit, a size limit.

use std::time::Duration;

use awc::{Client, Connector, error::SendRequestError, http::StatusCode};
use bytes::Bytes;

use crate::model::address::OutsideAddress;

/// How long one question may take, its answer's body included.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// Why there is no answer. Never holds a part of it.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// It took too long.
    #[error("no whole answer within {} s", TIME_LIMIT.as_secs())]
    Late,
    /// The other side could not be reached, or does not speak HTTP.
    #[error("cannot be asked: {0}")]
    Unreachable(SendRequestError),
    /// Something else than 200; a redirect, too.
    #[error("answered with status {0}")]
    Status(StatusCode),
    /// The answer broke off, or is over the limit.
    #[error("the answer broke off or is over the limit of {0} bytes")]
    Body(usize),
}

/// A client of this thread.
#[derive(Clone)]
pub struct Outbound(Client);

impl Outbound {
    /// A client without open connections.
    #[must_use]
    pub fn new() -> Self {
        let connector = Connector::new().timeout(TIME_LIMIT);
        Self(
            Client::builder().connector(connector).disable_redirects().timeout(TIME_LIMIT).finish(),
        )
    }

    /// The body at an address, of at most `limit` bytes.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn get(
        &self,
        address: &OutsideAddress,
        limit: usize,
    ) -> Result<Bytes, OutboundError> {
        let get = async {
            let request =
                self.0.get(address.as_str()).insert_header(("accept", "application/json"));
            let mut answer = request.send().await.map_err(OutboundError::Unreachable)?;
            if answer.status() != StatusCode::OK {
                return Err(OutboundError::Status(answer.status()));
            }
            answer.body().limit(limit).await.map_err(|_| OutboundError::Body(limit))
        };
        tokio::time::timeout(TIME_LIMIT, get).await.unwrap_or(Err(OutboundError::Late))
    }
}

impl Default for Outbound {
    fn default() -> Self {
        Self::new()
    }
}
