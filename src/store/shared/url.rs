//! Where the server is.

use std::{fmt, sync::Arc};

use redis::{Client, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult};

use crate::auth::Secret;

/// The server's address. It may hold a password, so `Debug` shows the place alone.
#[derive(Clone)]
pub struct ServerUrl {
    url: Secret,
    place: Arc<str>,
    /// What all names on the server begin with.
    prefix: Arc<str>,
}

/// Why a text names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "write redis:// or rediss://, a host, and a port where it is not 6379, as in redis://user:password@host:6379/0, and only ?prefix= behind it"
)]
pub struct InvalidServerUrl;

impl ServerUrl {
    /// Reads `redis://…`, or `rediss://…` for TLS. All names on the server begin with `vestibule:`, or with what the parameter
    /// `prefix` says: 1 to 64 of the characters A-Z a-z 0-9 . _ : -
    ///
    /// # Errors
    /// Another scheme, no host, or another parameter or prefix.
    pub fn parse(text: &str) -> Result<Self, InvalidServerUrl> {
        let mut url = url::Url::parse(text).map_err(|_| InvalidServerUrl)?;
        let prefix = prefix(&url)?;
        url.set_query(None);
        let is_known = matches!(url.scheme(), "redis" | "rediss");
        let host = url.host_str().filter(|host| is_known && !host.is_empty());
        let host = host.ok_or(InvalidServerUrl)?;
        url.as_str().into_connection_info().map_err(|_| InvalidServerUrl)?;
        let port = url.port().unwrap_or(6379);
        let place = format!("{}://{host}:{port}", url.scheme()).into();
        Ok(Self { url: url.as_str().into(), place, prefix })
    }

    /// The same server by another port of this machine.
    #[cfg(test)]
    pub(super) fn by(&self, port: u16) -> Self {
        let mut url: url::Url = self.url.expose().parse().unwrap();
        url.set_port(Some(port)).unwrap();
        Self { url: url.as_str().into(), ..self.clone() }
    }

    /// Host and port.
    #[cfg(test)]
    pub(super) fn address(&self) -> String {
        self.place.rsplit('/').next().unwrap().to_owned()
    }

    /// What all names on the server begin with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    pub(super) fn client(&self) -> RedisResult<Client> {
        Client::open(self.connection_info()?)
    }

    fn connection_info(&self) -> RedisResult<ConnectionInfo> {
        let info = self.url.expose().into_connection_info()?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        Ok(info.set_redis_settings(settings))
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

fn prefix(url: &url::Url) -> Result<Arc<str>, InvalidServerUrl> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
    let mut prefix = Arc::from("vestibule:");
    for (name, value) in url.query_pairs() {
        let is_good = (1..=64).contains(&value.len()) && value.bytes().all(fits);
        if name != "prefix" || !is_good {
            return Err(InvalidServerUrl);
        }
        prefix = value.into();
    }
    Ok(prefix)
}
