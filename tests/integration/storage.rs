//! Who may use the storage.

use std::path::Path;

use serde_json::json;

use crate::support::{Server, Stop, nodes::cluster_url, server::Starting, until};

/// Whatever engine the other tests are for.
const ALONE: (&str, &str) = ("cluster.engine", "memory");
const WAITS: &str = "waits for the end of another process that uses the storage";

fn refusal(file: &Path) -> String {
    format!(
        "vestibule: storage.url: another living process uses {}; each process needs its own file, \
         only nodes (cluster.engine = \"redis\") may share one",
        file.display()
    )
}

#[tokio::test]
async fn a_second_process_on_one_file_ends_with_an_error_and_disturbs_nobody() {
    let server = Server::with(&[ALONE]);
    let mut page = server.page("ada", "t").opens().await;
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    assert_eq!(
        server.another_process(&[]).refused().await,
        refusal(&server.folder().join("saved.db"))
    );
    page.ok(json!({"type": "presence", "data": {"cart": 1}})).await;
    agent.event("presence", json!({"cart": 1})).await;
    drop((page, agent));
    // Its end was not spoilt either.
    let server = server.restarted(Stop::Terminate);
    server.comes_to("loaded_records_total", 1.0).await;
}

#[tokio::test]
async fn a_process_that_starts_before_the_last_one_has_ended_takes_over_from_it() {
    for (stop, loaded) in [(Stop::Terminate, 1.0), (Stop::Kill, 0.0)] {
        let mut first = Server::with(&[ALONE]);
        let page = first.page("ada", "t").opens().await;
        let second = first.another_process(&[]);
        until("its word", || second.log().contains(WAITS)).await;
        drop(page);
        first.signal(stop);
        assert_eq!(first.ended().success(), stop == Stop::Terminate);
        let second = second.ready();
        assert_eq!(second.figure("loaded_records_total"), loaded);
        assert!(second.log().contains(&WAITS.replace("waits", "waits no longer")));
    }
}

#[tokio::test]
async fn nodes_may_share_a_file_with_each_other_alone() {
    let Some(url) = cluster_url() else { return };
    let first = Server::node(&url, 0, &[]);
    let name = |name| [("cluster.node_name", name), ("storage.url", "sqlite:new.db")];
    // At once, so that both find no tables.
    let [second, third] = ["n1", "n2"].map(|node| first.another_process(&name(node)));
    let [second, third] = [second, third].map(Starting::ready);
    let mut page = third.page("ada", "t").opens().await;
    let mut agent = second.agent().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    page.ok(json!({"type": "presence", "data": {"cart": 1}})).await;
    agent.event("presence", json!({"cart": 1})).await;
    let file = first.folder().join("new.db");
    let own = format!("sqlite:{}", file.display());
    let alone = Server::begins(&[ALONE, ("storage.url", &own)]);
    assert_eq!(alone.refused().await, refusal(&file));
}
