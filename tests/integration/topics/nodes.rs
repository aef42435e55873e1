//! Topics of several nodes: whoever publishes and subscribes may be anywhere.

use serde_json::{Value, json};

use super::{agent, gets, publish, rest, resume::Follower, settings, subscribe, token};
use crate::support::{Server, nodes::cluster_url, soon};

/// So many nodes with these settings of the group and of all topics.
pub fn nodes<const N: usize>(of_group: &str, of_all: &str) -> Option<[Server; N]> {
    let url = cluster_url()?;
    Some(std::array::from_fn(|number| {
        let name = format!("n{number}");
        let cluster =
            [("cluster.engine", "redis"), ("cluster.url", &*url), ("cluster.node_name", &*name)];
        Server::of_with(&settings(of_group, of_all), &[], &cluster)
    }))
}

#[tokio::test]
async fn two_publish_and_one_comes_back_to_another_node_each_time() {
    const EACH: u64 = 300;
    let of_all = "publishes_per_second = 1000000\npublishes_burst = 1000000";
    let Some(nodes) = nodes::<3>("history = 10000", of_all) else { return };
    let mut socket = agent(&nodes[0]).await;
    let position = subscribe(&mut socket, "+/x").await["position"].clone();
    let mut follower = Follower::new(position);
    let mut publishers = Vec::new();
    for (topic, node) in [("a/x", &nodes[1]), ("b/x", &nodes[2])] {
        let mut publisher = agent(node).await;
        publishers.push(tokio::spawn(async move {
            for n in 1..=EACH {
                let data = json!({"n": n});
                publisher.ok(json!({"type": "publish", "topic": topic, "data": data})).await;
                // Another one, which the filter does not choose.
                publisher.say(json!({"type": "publish", "topic": "other", "data": n})).await;
            }
        }));
    }
    for round in 1..=8 {
        let enough = follower.heard + 60;
        follower.read(&mut socket, enough).await;
        drop(socket);
        socket = follower.comes_back(&nodes[round % 3]).await;
    }
    for publisher in publishers {
        soon("all published", publisher).await.unwrap();
    }
    follower.read(&mut socket, 2 * EACH).await;
    assert_eq!(follower.last, [EACH, EACH]);
    socket.hears_nothing_for(100).await;
}

/// The order of a publisher, retained values, what is not kept at all, and who hears: as on one node.
#[tokio::test]
async fn what_is_not_kept_comes_in_its_order_and_retained_values_are_everywhere() {
    let Some([one, two]) = nodes::<2>("history = 0", "") else { return };
    let (mut ann, mut near) = (agent(&two).await, agent(&one).await);
    subscribe(&mut ann, "t/#").await;
    subscribe(&mut near, "t/#").await;
    let mut bob = agent(&one).await;
    for n in 0..60 {
        let (topic, retain) = (format!("t/{}", n % 7), n % 3 == 0);
        bob.say(json!({"type": "publish", "topic": topic, "data": n, "retain": retain})).await;
    }
    for hearer in [&mut ann, &mut near] {
        for n in 0..60 {
            assert_eq!(hearer.hear_a("topicmessage").await["data"], n);
        }
    }
    let mut late = agent(&two).await;
    subscribe(&mut late, "t/6").await;
    gets(&mut late, "t/6", 48).await;
    let (status, values) =
        rest(&two, &token(&[], &["#"]), "GET", "retained?filter=t/6", None).await;
    assert_eq!((status, &values["messages"][0]["data"]), (200, &json!(48)), "{values}");
    // Who leaves a node and its subscriptions hears again when he comes back.
    drop((ann, late));
    let mut ann = agent(&two).await;
    subscribe(&mut ann, "t/new").await;
    publish(&mut bob, "t/new", "hello").await;
    gets(&mut ann, "t/new", "hello").await;
    let no_local = json!({"type": "subscribe", "filter": "own", "nolocal": true});
    bob.ok(no_local.clone()).await;
    ann.ok(no_local).await;
    publish(&mut bob, "own", 1).await;
    assert_eq!(gets(&mut ann, "own", 1).await["offset"], Value::Null);
    bob.hears_nothing_for(100).await;
}
