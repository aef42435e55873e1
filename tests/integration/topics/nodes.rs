//! Topics of several nodes: whoever publishes and subscribes may be anywhere.

use serde_json::{Value, json};

use super::{agent, gets, publish, rest, resume::Follower, settings, subscribe, token};
use crate::support::{Server, Stop, nodes::cluster_url, soon, until};

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

/// What was accepted is kept, whatever becomes of the node that accepted it. Alone that would be a crash, and told as a gap.
#[tokio::test]
async fn a_node_that_is_killed_takes_no_message_with_it() {
    let Some([mut one, two]) = nodes::<2>("", "") else { return };
    let mut ann = agent(&two).await;
    let position = subscribe(&mut ann, "a/#").await["position"].clone();
    drop(ann);
    let mut bob = agent(&one).await;
    for n in 0..40 {
        let topic = format!("a/{}", n % 3);
        bob.ok(json!({"type": "publish", "topic": topic, "data": n, "retain": n > 36})).await;
    }
    one.signal(Stop::Kill);
    one.ended();
    let mut ann = agent(&two).await;
    let again = json!({"type": "subscribe", "filter": "a/#", "resume": position});
    assert_eq!(ann.ok(again).await["missed"], Value::Null);
    for n in 0..40 {
        gets(&mut ann, &format!("a/{}", n % 3), n).await;
    }
    publish(&mut ann, "a/0", 40).await;
    gets(&mut ann, "a/0", 40).await;
    let mut late = agent(&two).await;
    subscribe(&mut late, "a/#").await;
    for n in 37..40 {
        assert_eq!(gets(&mut late, &format!("a/{}", n % 3), n).await["retained"], true);
    }
}

/// A message is written, and what leaves for it is taken away; what else the group keeps is not touched.
#[tokio::test]
async fn what_a_message_costs_does_not_grow_with_what_is_kept() {
    let of_all = "publishes_per_second = 1000000\npublishes_burst = 1000000";
    let Some([one, two]) = nodes::<2>("", of_all) else { return };
    let mut publishers = [agent(&one).await, agent(&two).await];
    let sent = || {
        let figure = "cluster_sent_bytes_total";
        one.figure(figure) + two.figure(figure)
    };
    let mut costs = Vec::new();
    for round in 0..2 {
        let before = sent();
        for n in 0..60 {
            // In turns, so that each node has to learn what the other one did.
            publish(&mut publishers[n % 2], "costs", n).await;
        }
        costs.push(sent() - before);
        for n in 0..1_500 * (1 - round) {
            let (topic, data) = (format!("t/{}", n % 150), "x".repeat(500));
            let value = json!({"type": "publish", "topic": topic, "data": data, "retain": true});
            publishers[0].say(value).await;
        }
        publish(&mut publishers[0], "done", round).await;
    }
    // More than 700,000 bytes are kept now.
    assert!(costs[1] < 1.5 * costs[0], "{costs:?} bytes for 60 messages");
    // What is kept shows on each node that had to do with it.
    for node in [&one, &two] {
        until("the figures", || node.figure("topics_retained") == 150.0).await;
        until("the figures", || node.figure("topic_bytes_kept") > 700_000.0).await;
    }
}
