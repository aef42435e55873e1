//! Bayeux clients over several nodes: any node answers any request of theirs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    bayeux::{Polling, token, with_token},
};

/// So many nodes where clients of this protocol come in.
fn nodes<const N: usize>() -> Option<[Server; N]> {
    Server::nodes_with(&[
        ("groups.0.facades.genesys", "code"),
        ("facades.default_group", "12345"),
        ("bayeux.overtaken_status", "408"),
    ])
}

async fn publish(node: &Server, topic: &str, data: u64) {
    let body = json!({"topic": topic, "data": data});
    let path = "/v1/groups/12345/topics/publish";
    let (status, answer) = node.rest_as(&token(), "POST", path, Some(body), &[]).await;
    assert_eq!(status, 200, "{answer}");
}

fn numbers(messages: &[Value]) -> impl Iterator<Item = u64> {
    messages.iter().filter_map(|message| message["data"].as_u64())
}

/// A client that shook hands elsewhere, on this node.
fn on<'a>(node: &'a Server, client: &Polling<'_>) -> Polling<'a> {
    let mut here = Polling::stranger(node);
    here.client.clone_from(&client.client);
    here
}

#[tokio::test]
async fn a_client_that_changes_nodes_at_every_request_hears_all_once() {
    const MOST: u64 = 90;
    for acks in [false, true] {
        let Some(nodes) = nodes::<3>() else { return };
        let ext = json!({"token": token(), "ack": acks});
        let client = Polling::shaken(&nodes[0], ext).await;
        let client: Vec<_> = nodes.iter().map(|node| on(node, &client)).collect();
        let mut batch = -1;
        let first = client[1].connect(json!({"ext": {"ack": batch}})).await;
        assert_eq!(first[0]["successful"], true, "{first:?}");
        client[2].subscribe("/news/*").await;
        client[1].subscribe("/more").await;
        let told = async {
            for number in 0..MOST {
                let topic = if number % 2 == 0 { "news/a" } else { "more" };
                publish(&nodes[(number % 3) as usize], topic, number).await;
            }
        };
        let heard = async {
            let mut heard = Vec::new();
            for request in 0.. {
                let messages = client[request % 3].connect(json!({"ext": {"ack": batch}})).await;
                let connect = messages.last().unwrap();
                assert_eq!(connect["successful"], true, "{connect}");
                batch = connect["ext"]["ack"].as_i64().unwrap_or_default();
                heard.extend(numbers(&messages));
                if heard.len() as u64 >= MOST {
                    return heard;
                }
            }
            unreachable!()
        };
        let ((), heard) = tokio::join!(told, heard);
        assert_eq!(heard, (0..MOST).collect::<Vec<_>>(), "each once, in its order");
        // What it publishes itself it has before the answer, wherever it does so.
        if !acks {
            for (number, client) in (100..).zip(&client) {
                let answer = client.publish("/news/own", json!(number)).await;
                assert_eq!(
                    (&answer[0]["data"], &answer[1]["successful"]),
                    (&json!(number), &json!(true))
                );
            }
        }
        // What it hears no more nobody hears for it.
        client[0].say("/meta/unsubscribe", json!({"subscription": ["/news/*", "/more"]})).await;
        let subscriptions = || nodes.iter().map(|node| node.figure("topic_subscriptions"));
        assert_eq!(subscriptions().sum::<f64>(), 0.0);
        client[1].subscribe("/last").await;
        assert_eq!(subscriptions().sum::<f64>(), 1.0, "one node hears for it");
        let left = client[2].say("/meta/disconnect", json!({})).await;
        assert_eq!(left[0]["successful"], true, "{left:?}");
        let unknown = client[1].connect(json!({})).await;
        assert_eq!(unknown[0]["advice"]["reconnect"], "handshake", "{unknown:?}");
    }
}

#[tokio::test]
async fn a_connect_overtakes_the_one_that_another_node_holds() {
    let Some([first, second, third]) = nodes() else { return };
    let client = Polling::connected(&first, with_token()).await;
    let elsewhere = on(&second, &client);
    elsewhere.subscribe("/a").await;
    let connect = async |client: &Polling<'_>| {
        let message = client.message("/meta/connect", json!({"connectionType": "long-polling"}));
        client.send("/connect", json!([message])).await
    };
    let (one, other) = (connect(&client), connect(&elsewhere));
    let (mut one, mut other) = (Box::pin(one), Box::pin(other));
    // Whichever was the later one is held, and answered with what a third node takes.
    let (overtaken, held) = tokio::select! {
        overtaken = &mut one => (overtaken, other),
        overtaken = &mut other => (overtaken, one),
    };
    assert_eq!(overtaken.status, 408);
    publish(&third, "a", 7).await;
    let answer = held.await;
    assert_eq!(numbers(&answer.messages).collect::<Vec<_>>(), [7]);
}

#[tokio::test]
async fn another_node_hears_for_a_client_whose_home_is_gone() {
    for stop in [Stop::Terminate, Stop::Kill] {
        let Some([mut first, second, third]) = nodes() else { return };
        let client = Polling::connected(&first, with_token()).await;
        publish(&third, "a", 0).await;
        client.subscribe("/a").await;
        client.subscribe("/b/*").await;
        let elsewhere = on(&second, &client);
        first.signal(stop);
        assert_eq!(first.ended().success(), matches!(stop, Stop::Terminate));
        // Nobody hears for it yet.
        publish(&third, "a", 1).await;
        publish(&third, "b/c", 2).await;
        let (gone, mut heard) = (Instant::now(), Vec::new());
        while heard.len() < 2 {
            assert!(gone.elapsed() < Duration::from_secs(20), "nobody hears for it");
            let messages = elsewhere.connect(json!({"advice": {"timeout": 500}})).await;
            assert_eq!(messages.last().unwrap()["successful"], true, "{messages:?}");
            heard.extend(numbers(&messages));
        }
        publish(&third, "a", 3).await;
        heard.extend(numbers(&elsewhere.connect(json!({})).await));
        heard.sort_unstable();
        assert_eq!(heard, [1, 2, 3], "each once");
        assert_eq!(second.figure("topic_subscriptions"), 2.0);
        let elsewhere = on(&third, &elsewhere);
        elsewhere.subscribe("/c").await;
        publish(&second, "c", 4).await;
        assert_eq!(numbers(&elsewhere.connect(json!({})).await).collect::<Vec<_>>(), [4]);
    }
}
