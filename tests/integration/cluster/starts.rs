//! What a node waits for at its start.

use crate::support::{Server, redis::Redis, until};

/// What all nodes know of revocations is listed there.
const LIST: &str = "vestibule:list:revocation:all";
const WAITS: &str = "waits for the revocations that all nodes know of";

#[tokio::test]
async fn a_node_that_cannot_read_the_revocations_says_so_and_begins_anew_when_it_is_ended() {
    let Some(redis) = Redis::start().await else { return };
    let url = redis.url();
    let first = Server::node(&url, 0, &[]);
    // As where the node may not read it.
    redis.does(&format!("SET {LIST} unreadable"));
    let node = [("cluster.engine", "redis"), ("cluster.url", &*url), ("cluster.node_name", "n1")];
    let second = Server::begins(&node);
    let counted = |words: &str| second.log().matches(words).count();
    until("a second word", || counted(WAITS) >= 2).await;
    until("its lease", || first.figure("cluster_nodes") == 2.0).await;
    // The others end it while it waits: what it waits for does not come to it any more.
    second.pause();
    until("its end", || first.figure("cluster_nodes") == 1.0).await;
    second.resume();
    until("its new start", || counted("one of several nodes") == 2).await;
    let said = counted(WAITS);
    until("a word of the new start", || counted(WAITS) > said).await;
    assert_eq!(redis.say(&format!("DEL {LIST}")).as_deref(), Some(":1"));
    let second = second.ready();
    assert!(second.log().contains("waits no longer for the revocations that all nodes know of"));
    assert_eq!(second.get("/readyz").0, 200);
}
