//! Where the server is, and how it is reached.

use std::{fmt, sync::Arc};

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisResult, TlsMode,
    aio::MultiplexedConnection,
    sentinel::{SentinelClientBuilder, SentinelServerType},
};

use crate::auth::Secret;

/// Where sentinels listen when nothing else is said.
const SENTINEL_PORT: u16 = 26_379;

/// The server's address. It may hold a password, so `Debug` shows the place alone.
#[derive(Clone)]
pub struct ServerUrl {
    way: Way,
    place: Arc<str>,
    /// What all names on the server begin with.
    prefix: Arc<str>,
}

#[derive(Clone)]
enum Way {
    /// This server.
    Straight(Secret),
    /// The one that sentinels name.
    Sentinels(Arc<Sentinels>),
}

struct Sentinels {
    hosts: Vec<(String, u16)>,
    master: String,
    database: i64,
    is_tls: bool,
    user: Option<String>,
    password: Option<Secret>,
    /// For the sentinels themselves.
    sentinel_password: Option<Secret>,
}

/// Why a text names no server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServerUrl {
    /// It names no server.
    #[error(
        "write redis:// or rediss://, a host, and a port where it is not 6379, as in redis://user:password@host:6379/0, and only ?prefix= behind it"
    )]
    Server,
    /// It names no master.
    #[error(
        "write redis+sentinel:// or rediss+sentinel://, the sentinels, and the master's name, as in redis+sentinel://user:password@host1:26379,host2:26379/mymaster/0, and only ?prefix= or ?sentinel_password= behind it"
    )]
    Sentinel,
    /// It names a cluster.
    #[error(
        "a Redis Cluster is not supported: name one server, or one that sentinels watch over (redis+sentinel://)"
    )]
    Cluster,
}

impl ServerUrl {
    /// Reads `redis://…`, or `rediss://…` for TLS; or `redis+sentinel://…`, or `rediss+sentinel://…` for a server that
    /// sentinels name. TLS trusts what the system trusts, or the certificates in the file that SSL_CERT_FILE names. All names
    /// on the server begin with `vestibule:`, or with what the parameter `prefix` says: 1 to 64 of the characters
    /// A-Z a-z 0-9 . _ : -
    ///
    /// # Errors
    /// Another scheme, no host, or another parameter or prefix.
    pub fn parse(text: &str) -> Result<Self, InvalidServerUrl> {
        match text.split_once("://") {
            Some((scheme @ ("redis+sentinel" | "rediss+sentinel"), rest)) => {
                Self::of_sentinels(scheme, rest).ok_or(InvalidServerUrl::Sentinel)
            }
            Some((scheme, _)) if scheme.ends_with("+cluster") => Err(InvalidServerUrl::Cluster),
            _ => Self::of_server(text).ok_or(InvalidServerUrl::Server),
        }
    }

    fn of_server(text: &str) -> Option<Self> {
        let mut url = url::Url::parse(text).ok()?;
        let parameters = Parameters::read(&url)?;
        if parameters.sentinel_password.is_some() {
            return None;
        }
        url.set_query(None);
        let is_known = matches!(url.scheme(), "redis" | "rediss");
        let host = url.host_str().filter(|host| is_known && !host.is_empty())?;
        url.as_str().into_connection_info().ok()?;
        let port = url.port().unwrap_or(6379);
        let place = format!("{}://{host}:{port}", url.scheme()).into();
        Some(Self { way: Way::Straight(url.as_str().into()), place, prefix: parameters.prefix })
    }

    fn of_sentinels(scheme: &str, rest: &str) -> Option<Self> {
        // Several hosts are no URL; with one of them it is.
        let (before, path) = rest.split_once('/')?;
        let (user, hosts) =
            before.rsplit_once('@').map_or(("", before), |(user, hosts)| (user, hosts));
        let mut read = Vec::new();
        for host in hosts.split(',') {
            let url = url::Url::parse(&format!("redis://{host}")).ok()?;
            let is_host = url.username().is_empty() && url.path().is_empty();
            let name = url.host_str().filter(|name| is_host && !name.is_empty())?;
            read.push((
                name.trim_matches(['[', ']']).to_owned(),
                url.port().unwrap_or(SENTINEL_PORT),
            ));
        }
        let url = url::Url::parse(&format!("redis://{user}@host/{path}")).ok()?;
        let parameters = Parameters::read(&url)?;
        let mut path = url.path_segments()?;
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let is_name = |name: &&str| !name.is_empty() && name.bytes().all(fits);
        let master = path.next().filter(is_name)?.to_owned();
        let database = path.next().filter(|text| !text.is_empty()).unwrap_or("0").parse().ok()?;
        if path.next().is_some() || database < 0 {
            return None;
        }
        // Reads them as everywhere else.
        let user = format!("redis://{user}@host").into_connection_info().ok()?;
        let user = user.redis_settings();
        let place = format!("{scheme}://{hosts}/{master}").into();
        let sentinels = Sentinels {
            hosts: read,
            master,
            database,
            is_tls: scheme == "rediss+sentinel",
            user: user.username().map(str::to_owned),
            password: user.password().map(Into::into),
            sentinel_password: parameters.sentinel_password,
        };
        let way = Way::Sentinels(Arc::new(sentinels));
        Some(Self { way, place, prefix: parameters.prefix })
    }

    /// The same server by another port of this machine.
    #[cfg(test)]
    pub(super) fn by(&self, port: u16) -> Self {
        let Way::Straight(url) = &self.way else { panic!("{self:?} is not a server") };
        let mut url: url::Url = url.expose().parse().unwrap();
        url.set_port(Some(port)).unwrap();
        Self { way: Way::Straight(url.as_str().into()), ..self.clone() }
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

    /// Connects, by way of the sentinels where there are any.
    pub(super) async fn connect(
        &self,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        match &self.way {
            Way::Straight(url) => {
                let client = Client::open(straight(url)?)?;
                client.get_multiplexed_async_connection_with_config(config).await
            }
            Way::Sentinels(sentinels) => sentinels.connect(config).await,
        }
    }

    #[cfg(test)]
    pub(super) fn client(&self) -> RedisResult<Client> {
        let Way::Straight(url) = &self.way else { panic!("{self:?} is not a server") };
        Client::open(straight(url)?)
    }
}

fn straight(url: &Secret) -> RedisResult<ConnectionInfo> {
    let info = url.expose().into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings))
}

impl Sentinels {
    async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let hosts = self.hosts.iter().cloned().map(|(host, port)| match self.is_tls {
            false => ConnectionAddr::Tcp(host, port),
            true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        });
        let mut builder =
            SentinelClientBuilder::new(hosts, &self.master, SentinelServerType::Master)?
                .set_client_to_redis_protocol(ProtocolVersion::RESP3)
                .set_client_to_redis_db(self.database);
        if self.is_tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(user) = &self.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_redis_password(password.expose());
        }
        if let Some(password) = &self.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password.expose());
        }
        builder.build()?.get_async_connection_with_config(config).await
    }
}

impl fmt::Debug for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place)
    }
}

/// What stands behind the question mark.
struct Parameters {
    prefix: Arc<str>,
    sentinel_password: Option<Secret>,
}

impl Parameters {
    fn read(url: &url::Url) -> Option<Self> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte);
        let mut read = Self { prefix: "vestibule:".into(), sentinel_password: None };
        for (name, value) in url.query_pairs() {
            match &*name {
                "prefix" if (1..=64).contains(&value.len()) && value.bytes().all(fits) => {
                    read.prefix = value.into();
                }
                "sentinel_password" if !value.is_empty() => {
                    read.sentinel_password = Some((&*value).into());
                }
                _ => return None,
            }
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_and_sentinels_are_read_and_their_passwords_are_not_shown() {
        let server = ServerUrl::parse("rediss://me:geheim@db.internal:7000/2?prefix=a:").unwrap();
        assert_eq!(format!("{server:?} {}", server.prefix()), "rediss://db.internal:7000 a:");
        let text =
            "redis+sentinel://me:ge%40heim@s1,[::1]:7001/shop/3?sentinel_password=x&prefix=a";
        let server = ServerUrl::parse(text).unwrap();
        assert_eq!(format!("{server:?}"), "redis+sentinel://s1,[::1]:7001/shop");
        let Way::Sentinels(sentinels) = &server.way else { panic!("{server:?}") };
        let hosts = [("s1".to_owned(), 26_379), ("::1".to_owned(), 7_001)];
        assert_eq!(sentinels.hosts, hosts);
        assert_eq!((&*sentinels.master, sentinels.database), ("shop", 3));
        assert_eq!((sentinels.user.as_deref(), sentinels.is_tls), (Some("me"), false));
        let secrets = [&sentinels.password, &sentinels.sentinel_password];
        let secrets = secrets.map(|secret| secret.as_ref().unwrap().expose().to_owned());
        assert_eq!(secrets, ["ge@heim", "x"]);
    }

    #[test]
    fn what_names_no_server_is_refused_with_how_to_write_it() {
        use InvalidServerUrl::{Cluster, Sentinel, Server};
        for (text, error) in [
            ("db.internal:6379", Server),
            ("http://db", Server),
            ("redis://", Server),
            ("redis://db?prefix=a b", Server),
            ("redis://db?sentinel_password=x", Server),
            ("redis+sentinel://s1:26379", Sentinel),
            ("redis+sentinel://s1:26379/", Sentinel),
            ("redis+sentinel://s1,,s2/shop", Sentinel),
            ("redis+sentinel://s1/shop/first", Sentinel),
            ("redis+sentinel://s1/shop/0/1", Sentinel),
            ("redis+cluster://c1:7000,c2:7000", Cluster),
            ("rediss+cluster://c1:7000", Cluster),
        ] {
            assert_eq!(ServerUrl::parse(text).err(), Some(error), "{text}");
        }
    }
}
