//! Sockets that speak another protocol: the takeover lets them in by the same rules, and hands them over.

use std::net::IpAddr;

use actix_http::header::HeaderMap;

use super::{
    dialect::Dialect,
    pump::Connection,
    service::{PageOrigin, SocketService},
    table::text,
    takeover::Opened,
};
use crate::model::{
    close::Close,
    protocol::{ErrorAnswer, Unreadable},
};

/// A protocol's sockets.
pub trait Guests: Send + Sync {
    /// What logs call it.
    fn name(&self) -> &'static str;

    /// Whether its sockets are at this path.
    fn takes(&self, path: &str) -> bool;

    /// Whether a page of this origin may come in.
    ///
    /// # Errors
    /// How to close its socket.
    fn admit(&self, service: &SocketService, origin: &PageOrigin) -> Result<(), Close>;

    /// Serves a socket that was let in.
    fn serve(
        &self,
        service: SocketService,
        guest: Guest<'_>,
        opened: Opened<'_, Box<dyn Connection>>,
    );
}

/// Who comes.
pub struct Guest<'a> {
    /// The page that he comes from.
    pub origin: PageOrigin,
    /// The address that he comes from.
    pub address: IpAddr,
    /// The headers of his handshake.
    pub headers: &'a HeaderMap,
}

/// Guests understand none of our own messages.
pub static GUEST: Dialect = Dialect {
    path: "",
    group_in_query: false,
    acknowledges: false,
    read: |_| {
        Err(Unreadable {
            request: None,
            problem: crate::model::error::Problem::field("type", "is not ours"),
        })
    },
    write: |_| None,
    refusal: |request, problem| text(&ErrorAnswer::new(request, problem)),
};
