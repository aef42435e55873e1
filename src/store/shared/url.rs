//! Where the server is: an address, read. `reach` connects to what it names.

mod reach;

use std::{fmt, sync::Arc};

use redis::IntoConnectionInfo;

use super::{layout::Address, parts::Part};
use crate::auth::Secret;

/// Where servers listen when nothing else is said.
const SERVER_PORT: u16 = 6_379;
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
    /// Those of a cluster.
    Cluster(Arc<Seeds>),
}

/// By what a server knows who comes.
struct Login {
    user: Option<String>,
    password: Option<Secret>,
}

/// Servers of a cluster, which name the others.
pub(super) struct Seeds {
    pub(super) hosts: Vec<Address>,
    is_tls: bool,
    login: Login,
}

struct Sentinels {
    hosts: Vec<Address>,
    master: String,
    database: i64,
    is_tls: bool,
    login: Login,
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
    /// It names no cluster.
    #[error(
        "write redis+cluster:// or rediss+cluster://, and some of the cluster's servers, as in redis+cluster://user:password@host1:6379,host2:6379, without a number of a database, and only ?prefix= behind it"
    )]
    Cluster,
}

impl ServerUrl {
    /// Reads `redis://…`, or `rediss://…` for TLS; or `redis+sentinel://…`, or `rediss+sentinel://…` for a server that
    /// sentinels name; or `redis+cluster://…`, or `rediss+cluster://…`, for a cluster. TLS trusts what the system trusts, or the certificates in the file that SSL_CERT_FILE names. All names
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
            Some((scheme @ ("redis+cluster" | "rediss+cluster"), rest)) => {
                Self::of_cluster(scheme, rest).ok_or(InvalidServerUrl::Cluster)
            }
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
        let port = url.port().unwrap_or(SERVER_PORT);
        let place = format!("{}://{host}:{port}", url.scheme()).into();
        Some(Self { way: Way::Straight(url.as_str().into()), place, prefix: parameters.prefix })
    }

    fn of_sentinels(scheme: &str, rest: &str) -> Option<Self> {
        let (before, path) = rest.split_once('/')?;
        let (user, hosts) = user_and_hosts(before);
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
        let place = format!("{scheme}://{hosts}/{master}").into();
        let sentinels = Sentinels {
            hosts: addresses(hosts, SENTINEL_PORT)?,
            master,
            database,
            is_tls: scheme == "rediss+sentinel",
            login: Login::read(user)?,
            sentinel_password: parameters.sentinel_password,
        };
        let way = Way::Sentinels(Arc::new(sentinels));
        Some(Self { way, place, prefix: parameters.prefix })
    }

    fn of_cluster(scheme: &str, rest: &str) -> Option<Self> {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (before, behind) = rest.split_at_checked(end)?;
        let (user, hosts) = user_and_hosts(before);
        let url = url::Url::parse(&format!("redis://host{behind}")).ok()?;
        let parameters = Parameters::read(&url)?;
        if parameters.sentinel_password.is_some() || !matches!(url.path(), "" | "/") {
            return None;
        }
        let place = format!("{scheme}://{hosts}").into();
        let seeds = Seeds {
            hosts: addresses(hosts, SERVER_PORT)?,
            is_tls: scheme == "rediss+cluster",
            login: Login::read(user)?,
        };
        Some(Self { way: Way::Cluster(Arc::new(seeds)), place, prefix: parameters.prefix })
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

    /// The parts that its data are in.
    pub(super) fn parts(&self) -> Vec<Part> {
        match &self.way {
            Way::Straight(_) | Way::Sentinels(_) => vec![Part::WHOLE],
            Way::Cluster(_) => Part::of_a_cluster().collect(),
        }
    }

    /// What the address begins with, and what it should begin with where the server is one of a cluster and this names a
    /// single one, or the other way round.
    #[must_use]
    pub fn schemes(&self) -> (&str, &'static str) {
        let scheme = self.place.split("://").next().unwrap_or_default();
        let other = match scheme {
            "redis" | "redis+sentinel" => "redis+cluster",
            "rediss" | "rediss+sentinel" => "rediss+cluster",
            "rediss+cluster" => "rediss",
            _ => "redis",
        };
        (scheme, other)
    }

    /// The servers of a cluster that are named; none where no cluster is.
    pub(super) fn seeds(&self) -> Option<&Arc<Seeds>> {
        match &self.way {
            Way::Cluster(seeds) => Some(seeds),
            Way::Straight(_) | Way::Sentinels(_) => None,
        }
    }
}

impl Login {
    /// Reads `user:password`, as everywhere else.
    fn read(user: &str) -> Option<Self> {
        let user = format!("redis://{user}@host").into_connection_info().ok()?;
        let user = user.redis_settings();
        let password = user.password().map(Into::into);
        Some(Self { user: user.username().map(str::to_owned), password })
    }
}

/// What stands before the hosts, and the hosts.
fn user_and_hosts(text: &str) -> (&str, &str) {
    text.rsplit_once('@').unwrap_or(("", text))
}

/// Hosts with commas between them. Several are no URL; one of them is.
fn addresses(hosts: &str, port: u16) -> Option<Vec<Address>> {
    let read = |host: &str| {
        let url = url::Url::parse(&format!("redis://{host}")).ok()?;
        let is_host = url.username().is_empty() && url.path().is_empty() && url.query().is_none();
        let name = url.host_str().filter(|name| is_host && !name.is_empty())?;
        let host = name.trim_matches(['[', ']']).to_owned();
        Some(Address { host, port: url.port().unwrap_or(port) })
    };
    hosts.split(',').map(read).collect()
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

    fn at(host: &str, port: u16) -> Address {
        Address { host: host.to_owned(), port }
    }

    #[test]
    fn clusters_are_read_and_their_passwords_are_not_shown() {
        let text = "rediss+cluster://me:ge%40heim@c1,[::1]:7001,10.0.0.3:7002/?prefix=a:";
        let server = ServerUrl::parse(text).unwrap();
        let shown = format!("{server:?} {}", server.prefix());
        assert_eq!(shown, "rediss+cluster://c1,[::1]:7001,10.0.0.3:7002 a:");
        let hosts = [at("c1", 6_379), at("::1", 7_001), at("10.0.0.3", 7_002)];
        let seeds = server.seeds().unwrap();
        assert_eq!(seeds.hosts, hosts);
        assert_eq!((seeds.login.user.as_deref(), seeds.is_tls), (Some("me"), true));
        assert_eq!(seeds.login.password.as_ref().unwrap().expose(), "ge@heim");
        assert_eq!(server.parts().len(), 16);
        for text in ["redis+cluster://c1?prefix=b:", "redis+cluster://c1:6379,c2/"] {
            let server = ServerUrl::parse(text).unwrap();
            assert_eq!(server.seeds().unwrap().hosts[0], at("c1", 6_379));
        }
    }

    #[test]
    fn servers_and_sentinels_are_read_and_their_passwords_are_not_shown() {
        let server = ServerUrl::parse("rediss://me:geheim@db.internal:7000/2?prefix=a:").unwrap();
        assert_eq!(format!("{server:?} {}", server.prefix()), "rediss://db.internal:7000 a:");
        let text =
            "redis+sentinel://me:ge%40heim@s1,[::1]:7001/shop/3?sentinel_password=x&prefix=a";
        let server = ServerUrl::parse(text).unwrap();
        assert_eq!(format!("{server:?}"), "redis+sentinel://s1,[::1]:7001/shop");
        let Way::Sentinels(sentinels) = &server.way else { panic!("{server:?}") };
        assert_eq!(sentinels.hosts, [at("s1", 26_379), at("::1", 7_001)]);
        assert_eq!((&*sentinels.master, sentinels.database), ("shop", 3));
        assert_eq!((sentinels.login.user.as_deref(), sentinels.is_tls), (Some("me"), false));
        let secrets = [&sentinels.login.password, &sentinels.sentinel_password];
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
            ("redis+cluster://", Cluster),
            ("redis+cluster://c1:7000,,c2:7000", Cluster),
            ("redis+cluster://c1:7000/1", Cluster),
            ("redis+cluster://c1:70000", Cluster),
            ("rediss+cluster://c1/?sentinel_password=x", Cluster),
            ("rediss+cluster://c1/?prefix={a}", Cluster),
        ] {
            assert_eq!(ServerUrl::parse(text).err(), Some(error), "{text}");
        }
    }
}
