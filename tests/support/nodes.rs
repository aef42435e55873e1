//! Several real nodes around the Redis server that `tests/with-redis` starts.

use super::Server;

/// A part of that server that nobody else uses. `None`, with a word about it, where no server is named.
pub fn cluster_url() -> Option<String> {
    let Ok(url) = std::env::var("VESTIBULE_TEST_REDIS") else {
        eprintln!("VESTIBULE_TEST_REDIS is not set: not tried with several nodes");
        return None;
    };
    Some(format!("{url}?prefix=test-{:032x}:", rand::random::<u128>()))
}

impl Server {
    /// So many nodes that share their records.
    pub fn nodes<const N: usize>() -> Option<[Self; N]> {
        Self::nodes_with(&[])
    }

    /// Likewise, with some settings changed.
    pub fn nodes_with<const N: usize>(settings: &[(&str, &str)]) -> Option<[Self; N]> {
        let url = cluster_url()?;
        Some(std::array::from_fn(|number| Self::node(&url, number, settings)))
    }

    /// One more node beside this one.
    pub fn another_node(&self) -> Self {
        let name = format!("m{:016x}", rand::random::<u64>());
        let mut settings = self.settings();
        settings.push(("cluster.node_name", &name));
        Self::with(&settings)
    }

    /// One of the nodes around `url`.
    pub fn node(url: &str, number: usize, settings: &[(&str, &str)]) -> Self {
        let name = format!("n{number}");
        let own =
            [("cluster.engine", "redis"), ("cluster.url", url), ("cluster.node_name", &*name)];
        let settings: Vec<_> = own.into_iter().chain(settings.iter().copied()).collect();
        Self::with(&settings)
    }
}
