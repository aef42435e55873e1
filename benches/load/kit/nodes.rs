//! Several nodes behind a [`Proxy`], around the Redis server, or the masters of a cluster, that `tests/with-redis` starts.

use std::net::SocketAddr;

use redis::{Connection, FromRedisValue};

use super::{
    proxy::Proxy,
    server::{Server, Wishes},
};

/// What a server answers.
pub fn ask<T: FromRedisValue>(server: &mut Connection, command: &str, arguments: &[&str]) -> T {
    redis::cmd(command).arg(arguments).query(server).unwrap()
}

/// The nodes; they end with it.
pub struct Nodes {
    pub proxy: Proxy,
    pub nodes: Vec<Server>,
    /// To the one server, or to each master of the cluster.
    servers: Vec<Connection>,
    prefix: String,
}

/// Where the server or cluster is. `None`, with a word about it, where none is named.
pub fn named_server() -> Option<String> {
    let url = std::env::var("VESTIBULE_TEST_REDIS").ok();
    if url.is_none() {
        println!("VESTIBULE_TEST_REDIS is not set: not tried with several nodes");
    }
    url
}

impl Nodes {
    /// So many, each with these wishes and names of data that nobody else uses. They share the cores with the server.
    pub fn start(count: usize, wishes: &Wishes) -> Option<Self> {
        let url = named_server()?;
        let prefix = format!("load-{:032x}:", rand::random::<u128>());
        let nodes = (0..count).map(|number| {
            let cluster = format!(
                "engine = \"redis\"\nurl = \"{url}?prefix={prefix}\"\nnode_name = \"n{number}\""
            );
            Server::start(&Wishes { cluster, is_pinned: false, ..wishes.clone() })
        });
        let nodes: Vec<Server> = nodes.collect();
        let proxy = Proxy::start(nodes.iter().map(|node| node.address).collect());
        let (_, servers) = url.split_once("://").unwrap();
        let servers = servers.split(',').map(|server| {
            let client = redis::Client::open(format!("redis://{server}")).unwrap();
            client.get_connection().unwrap()
        });
        Some(Self { proxy, nodes, servers: servers.collect(), prefix })
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.proxy.address
    }

    /// Connections to the server that they share, or to each master.
    pub fn servers(&mut self) -> &mut [Connection] {
        &mut self.servers
    }

    /// What the names of their data begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The sum of a figure over the nodes.
    pub fn sum(&self, figure: &str) -> f64 {
        self.nodes.iter().map(|node| node.metrics().sum(figure)).sum()
    }

    /// CPU of all nodes since their start, in nanoseconds.
    pub fn cpu_ns(&self) -> u64 {
        self.nodes.iter().map(Server::cpu_ns).sum()
    }
}
