//! How the server is reached that an address names: straight, by way of sentinels, or as one of a cluster.

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo,
    ProtocolVersion, RedisConnectionInfo, RedisResult, TlsMode,
    aio::MultiplexedConnection,
    sentinel::{SentinelClientBuilder, SentinelServerType},
};

use super::{Address, Seeds, Sentinels, ServerUrl, Way};
use crate::auth::Secret;

impl ServerUrl {
    /// Connects, by way of the sentinels where there are any.
    ///
    /// # Errors
    /// It cannot, or a cluster is named: see [`Seeds::connect`].
    pub(in crate::store::shared) async fn connect(
        &self,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        match &self.way {
            Way::Straight(url) => {
                let client = Client::open(straight(url)?)?;
                client.get_multiplexed_async_connection_with_config(config).await
            }
            Way::Sentinels(sentinels) => sentinels.connect(config).await,
            Way::Cluster(_) => Err(std::io::Error::other("a cluster has many servers").into()),
        }
    }

    #[cfg(test)]
    pub(in crate::store::shared) fn client(&self) -> RedisResult<Client> {
        let Way::Straight(url) = &self.way else { panic!("{self:?} is not a server") };
        Client::open(straight(url)?)
    }
}

fn straight(url: &Secret) -> RedisResult<ConnectionInfo> {
    let info = url.expose().into_connection_info()?;
    let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
    Ok(info.set_redis_settings(settings))
}

impl Seeds {
    /// Connects to this server of the cluster.
    pub(in crate::store::shared) async fn connect(
        &self,
        server: &Address,
        config: &AsyncConnectionConfig,
    ) -> RedisResult<MultiplexedConnection> {
        let mut settings = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3);
        if let Some(user) = &self.login.user {
            settings = settings.set_username(user);
        }
        if let Some(password) = &self.login.password {
            settings = settings.set_password(password.expose());
        }
        let info = server.by(self.is_tls).into_connection_info()?.set_redis_settings(settings);
        Client::open(info)?.get_multiplexed_async_connection_with_config(config).await
    }
}

impl Sentinels {
    async fn connect(&self, config: &AsyncConnectionConfig) -> RedisResult<MultiplexedConnection> {
        let hosts = self.hosts.iter().map(|host| host.by(self.is_tls));
        let mut builder =
            SentinelClientBuilder::new(hosts, &self.master, SentinelServerType::Master)?
                .set_client_to_redis_protocol(ProtocolVersion::RESP3)
                .set_client_to_redis_db(self.database);
        if self.is_tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
        }
        if let Some(user) = &self.login.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.login.password {
            builder = builder.set_client_to_redis_password(password.expose());
        }
        if let Some(password) = &self.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password.expose());
        }
        builder.build()?.get_async_connection_with_config(config).await
    }
}

impl Address {
    fn by(&self, is_tls: bool) -> ConnectionAddr {
        let Self { host, port } = self.clone();
        match is_tls {
            false => ConnectionAddr::Tcp(host, port),
            true => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
        }
    }
}
