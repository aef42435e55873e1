//! Where the nodes' server is said to be: of the right kind, and by TLS.

use serde_json::json;

use crate::support::{
    Server, redis::Redis, redis_cluster::Cluster, server::SETTINGS, tls::Authority,
};

/// What a node says when it is started around what is at `url`.
async fn refusal(url: String) -> String {
    Server::begins(&[("cluster.engine", "redis"), ("cluster.url", &url)]).refused().await
}

#[tokio::test]
async fn a_cluster_that_is_named_as_a_single_server_is_told_at_the_start() {
    if std::env::var_os("VESTIBULE_TEST_REDIS").is_none() {
        return eprintln!("VESTIBULE_TEST_REDIS is not set: not tried with several nodes");
    }
    let cluster = Cluster::start(0, None);
    let url = cluster.url().replace("+cluster", "");
    let said = refusal(url.split(',').next().unwrap().to_owned()).await;
    assert_eq!(
        said,
        "vestibule: cluster.url: the server is one of a Redis Cluster: \
         write redis+cluster:// in place of redis://"
    );
}

#[tokio::test]
async fn a_single_server_that_is_named_as_a_cluster_is_told_at_the_start() {
    let Some(redis) = Redis::start().await else { return };
    let said = refusal(redis.url().replace("redis://", "redis+cluster://")).await;
    assert_eq!(
        said,
        "vestibule: cluster.url: the server is not one of a Redis Cluster: \
         write redis:// in place of redis+cluster://"
    );
}

#[tokio::test]
async fn nodes_speak_tls_with_each_server_of_a_cluster() {
    if std::env::var_os("VESTIBULE_TEST_REDIS").is_none() {
        return eprintln!("VESTIBULE_TEST_REDIS is not set: not tried with several nodes");
    }
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    authority.pair().write(folder.path());
    std::fs::write(folder.path().join("trusted.pem"), &authority.own).unwrap();
    let cluster = Cluster::start(0, Some(folder.path()));
    let url = cluster.url();
    assert!(url.starts_with("rediss+cluster://"), "{url}");
    let node = |name| {
        let own =
            [("cluster.engine", "redis"), ("cluster.url", &*url), ("cluster.node_name", name)];
        Server::of_with(SETTINGS, &[("trusted.pem", &authority.own)], &own)
    };
    let [first, second] = ["n0", "n1"].map(node);
    let mut agent = first.agent().await;
    // Of several parts, on several masters.
    let mut pages = Vec::new();
    for number in 0..8 {
        let name = format!("v{}", number * 101);
        pages.push(second.page(&name, "t").opens().await);
        let page = pages.last_mut().unwrap();
        assert_eq!(agent.watch(&name).await, Some(1));
        let id = agent.signal(&name, json!("hello")).await;
        assert_eq!(page.gets(json!("hello")).await, id);
        agent.outcome(&id, "delivered").await;
    }
}
