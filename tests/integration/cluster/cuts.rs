//! What is said to a node whose way to the server is cut, and what becomes of it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Server, redis::Redis, soon};

/// Two nodes around a server of their own.
async fn nodes() -> Option<(Redis, [Server; 2])> {
    let redis = Redis::start().await?;
    let nodes = [0, 1].map(|number| Server::node(&redis.url(), number, &[]));
    Some((redis, nodes))
}

/// The node sleeps, and its connections to the server are cut; those of others come back at once.
fn cut_off(redis: &Redis, node: &Server) {
    node.pause();
    for kind in ["normal", "pubsub"] {
        redis.say(&format!("CLIENT KILL TYPE {kind}"));
    }
}

#[tokio::test]
async fn an_agent_is_told_an_outcome_that_was_said_while_his_node_was_cut_off() {
    let Some((redis, [first, second])) = nodes().await else { return };
    let mut agent = first.agent().await;
    let mut page = second.page("ada", "t").opens().await;
    let id = agent.signal("ada", json!("hello")).await;
    assert_eq!(page.hear_a("signal").await["id"], *id);
    first.comes_to("signals_open", 1.0).await;
    cut_off(&redis, &first);
    // Answered when it is written; what follows for the agent is said to nobody.
    page.ok(json!({"type": "ack", "ids": [id]})).await;
    first.resume();
    agent.outcome(&id, "delivered").await;
    // Nor is it told again, whatever comes next.
    let next = agent.signal("ada", json!("again")).await;
    // His page's node was cut off, too, so it has said all again.
    while page.hear().await["id"] != *next {}
    page.ok(json!({"type": "ack", "ids": [next]})).await;
    agent.outcome(&next, "delivered").await;
    assert_eq!(first.figure("signals_open"), 0.0);
}

#[tokio::test]
async fn a_page_that_was_superseded_while_its_node_was_cut_off_is_closed() {
    let Some((redis, [first, second])) = nodes().await else { return };
    let mut agent = second.agent().await;
    let mut ghost = first.page("ada", "t").opens().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    cut_off(&redis, &first);
    let mut page = second.page("ada", "t").opens().await;
    loop {
        let event = agent.hear().await;
        assert_ne!(event["data"], json!({"connected": false}), "nobody left");
        if event["data"] == json!({"connected": false, "sockets": 1}) {
            break;
        }
    }
    first.resume();
    let closed = ghost.closed().await;
    assert_eq!((closed.code, closed.word()), (4006, "superseded"), "{closed:?}");
    drop(ghost);
    page.ok(json!({"type": "presence", "data": {"cart": 1}})).await;
    let is_there = async |node: &Server| {
        let (_, view) = node.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
        (view["sockets"].clone(), view["data"]["cart"].clone())
    };
    assert_eq!(is_there(&first).await, (Value::from(1), Value::from(1)));
}

/// What the server lost is said again by the others, who know an old version only; and they go on with that.
#[tokio::test]
async fn a_node_that_comes_late_after_a_loss_has_the_pages_that_it_has() {
    let Some((redis, [first, second])) = nodes().await else { return };
    let mut agent = first.agent().await;
    let old = second.page("ada", "t").opens().await;
    // From now on the first node remembers him with that page.
    assert_eq!(agent.watch("ada").await, Some(1));
    let mut new = second.page("ada", "u").opens().await;
    old.goes().await;
    agent.event("visitorsock", json!({"connected": true, "sockets": 2})).await;
    agent.event("visitorsock", json!({"connected": false, "sockets": 1})).await;
    second.pause();
    redis.does("FLUSHALL");
    let id = agent.signal("ada", json!("hello")).await;
    let tabs = async || {
        let (_, view) = first.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
        let tabs = view["tabs"].as_array().into_iter().flatten();
        tabs.map(|tab| tab["tab"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(tabs().await, ["t"], "the second node was not waited for");
    second.resume();
    soon("the page that is there", async {
        while tabs().await != ["u"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    // What was sent to the page that is gone comes to the one that is there.
    while new.hear().await["id"] != *id {}
    new.ok(json!({"type": "ack", "ids": [id]})).await;
}
