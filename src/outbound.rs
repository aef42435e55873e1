//! What this server asks others by HTTP. The one way to do so, under bounds: no redirects, a time limit for all of it, a
//! limit on what is read.

use std::time::Duration;

use actix_http::body::MessageBody;
use actix_web::http::header::{self, HeaderName};
use awc::http::StatusCode;
use awc::{Client, ClientRequest, ClientResponse, Connector, error::SendRequestError};
use bytes::Bytes;

use crate::auth::OutsideAddress;

/// Why there is no answer. Never holds a part of it.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// It took too long.
    #[error("no answer in time")]
    Late,
    /// The other side could not be reached, or does not speak HTTP.
    #[error("{0}")]
    Unreachable(SendRequestError),
    /// Something else than 200; a redirect, too.
    #[error("status {}", .0.as_u16())]
    Status(StatusCode),
    /// The answer broke off, or is over the limit.
    #[error("the answer broke off or is over the limit of {0} bytes")]
    Body(usize),
}

/// What is known of an answer whose body nobody reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// When to come again, where the answer says so in seconds.
    pub retry_after_seconds: Option<u64>,
}

/// A client of this thread.
#[derive(Clone)]
pub struct Outbound {
    client: Client,
    time_limit: Duration,
}

impl Outbound {
    /// A client without open connections, whose questions may take so long, the answers' bodies included.
    #[must_use]
    pub fn new(time_limit: Duration) -> Self {
        let agent = concat!("vestibule/", env!("CARGO_PKG_VERSION"));
        let client = Client::builder()
            .connector(Connector::new().timeout(time_limit))
            // An answer must not choose whom we ask next.
            .disable_redirects()
            .timeout(time_limit)
            .add_default_header((header::USER_AGENT, agent))
            .finish();
        Self { client, time_limit }
    }

    /// The body of a JSON document, of at most `limit` bytes.
    ///
    /// # Errors
    /// See [`OutboundError`].
    pub async fn get(
        &self,
        address: &OutsideAddress,
        limit: usize,
    ) -> Result<Bytes, OutboundError> {
        let request =
            self.client.get(address.uri()).insert_header((header::ACCEPT, "application/json"));
        self.ask(request, (), async |mut answer| match answer.status() {
            StatusCode::OK => {
                answer.body().limit(limit).await.map_err(|_| OutboundError::Body(limit))
            }
            status => Err(OutboundError::Status(status)),
        })
        .await
    }

    /// Posts a JSON document. Up to `limit` bytes of the answer's body are read and thrown away, so that its connection can
    /// serve again; a longer one ends the connection.
    ///
    /// # Errors
    /// See [`OutboundError`]; never `Status` or `Body`.
    pub async fn post(
        &self,
        address: &OutsideAddress,
        headers: impl IntoIterator<Item = (HeaderName, String)>,
        body: Bytes,
        limit: usize,
    ) -> Result<Answer, OutboundError> {
        let request = self.client.post(address.uri()).content_type("application/json");
        let request = headers.into_iter().fold(request, ClientRequest::insert_header);
        self.ask(request, body, async |mut answer| {
            let retry_after = answer.headers().get(header::RETRY_AFTER);
            let retry_after_seconds =
                retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
            let _ = answer.body().limit(limit).await;
            Ok(Answer { status: answer.status(), retry_after_seconds })
        })
        .await
    }

    async fn ask<T>(
        &self,
        request: ClientRequest,
        body: impl MessageBody + 'static,
        read: impl AsyncFnOnce(ClientResponse) -> Result<T, OutboundError>,
    ) -> Result<T, OutboundError> {
        let whole = async {
            let sent = request.send_body(body).await;
            read(sent.map_err(OutboundError::Unreachable)?).await
        };
        tokio::time::timeout(self.time_limit, whole).await.unwrap_or(Err(OutboundError::Late))
    }
}
