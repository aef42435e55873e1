//! Bayeux clients over several nodes: any node answers any request of theirs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    bayeux::{Polling, handshake, socket, token, with_token},
    mint::{Signing, claims, now},
    nodes::cluster_url,
    redis::Redis,
    server::GROUP,
    until,
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
fn on(node: &Server, client: &Polling) -> Polling {
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
    let connect = async |client: &Polling| {
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
            // A lease, and as much once more where the others could not renew theirs for a moment.
            assert!(gone.elapsed() < Duration::from_secs(40), "nobody hears for it: {heard:?}");
            let messages = elsewhere.connect(json!({"advice": {"timeout": 500}})).await;
            assert_eq!(messages.last().unwrap()["successful"], true, "{messages:?}");
            heard.extend(numbers(&messages));
        }
        publish(&third, "a", 3).await;
        heard.extend(numbers(&elsewhere.connect(json!({})).await));
        heard.sort_unstable();
        assert_eq!(heard, [1, 2, 3], "each once");
        second.comes_to("topic_subscriptions", 2.0).await;
        let elsewhere = on(&third, &elsewhere);
        elsewhere.subscribe("/c").await;
        publish(&second, "c", 4).await;
        assert_eq!(numbers(&elsewhere.connect(json!({})).await).collect::<Vec<_>>(), [4]);
    }
}

#[tokio::test]
async fn who_is_not_trusted_any_more_is_refused_though_the_home_is_gone() {
    let Some([mut first, second]) = nodes() else { return };
    let token = |changes| Signing::of_the_tests().sign(&claims(changes));
    let stolen =
        token(json!({"sub": "eve", "jti": "eve", "group": GROUP, "scope": "session topics",
        "topics": {"publish": ["#"], "subscribe": ["#"]}}));
    let mut clients = Vec::new();
    for _ in 0..3 {
        let client = Polling::connected(&first, json!({"token": stolen})).await;
        client.subscribe("/secret").await;
        clients.push(client);
    }
    publish(&second, "secret", 1).await;
    let elsewhere: Vec<_> = clients.iter().map(|client| on(&second, client)).collect();
    first.signal(Stop::Kill);
    first.ended();
    let operator = token(json!({"sub": "root", "jti": "root", "group": GROUP, "scope": "operate",
        "iat": now() + 4}));
    let (path, wish) = ("/v1/groups/12345/revocations", json!({"subject": "eve"}));
    assert_eq!(second.rest_as(&operator, "POST", path, Some(wish), &[]).await.0, 201);
    // Whatever it asks for first, it is not answered with what waits.
    let answers = [
        elsewhere[0].connect(json!({"advice": {"timeout": 0}})).await,
        elsewhere[1].publish("/secret", json!(2)).await,
        elsewhere[2].say("/service/session/join", json!({"data": {}})).await,
    ];
    for answer in answers {
        assert_eq!(answer.len(), 1, "{answer:?}");
        assert_eq!(answer[0]["error"], "402::Unknown client", "{answer:?}");
    }
    until("their ends", || second.figure("bayeux_clients") == 0.0).await;
}

#[tokio::test]
async fn nodes_together_have_as_many_clients_as_may_be() {
    let Some(url) = cluster_url() else { return };
    let settings = [
        ("groups.0.facades.genesys", "code"),
        ("facades.default_group", GROUP),
        ("bayeux.max_clients", "32"),
    ];
    let nodes: [Server; 2] = std::array::from_fn(|number| Server::node(&url, number, &settings));
    let (mut shaken, mut refused) = (0, 0);
    for number in 0..96 {
        let client = Polling::stranger(&nodes[number % 2]);
        let hello = json!([handshake(&json!({}))]);
        let answer = client.send("", hello).await.messages.remove(0);
        if answer["successful"] == true {
            shaken += 1;
        } else {
            assert_eq!(answer["error"], "503::server_busy");
            assert_eq!(answer["advice"]["interval"], 1000);
            refused += 1;
        }
    }
    // In a cluster each of the sixteen parts has its own part of the bound, and may be full before the others are.
    assert!(shaken <= 32 && refused >= 64, "{shaken}");
    let is_whole = std::env::var("VESTIBULE_TEST_CLUSTER").is_err();
    assert!(shaken == 32 || !is_whole, "{shaken}");
    for node in &nodes {
        until("the count", || node.figure("bayeux_clients") == f64::from(shaken)).await;
    }
    let full: f64 = nodes.iter().map(|node| node.figure("records_full_total")).sum();
    assert_eq!(full, f64::from(refused));
}

/// Sockets that other interfaces speak on are told, too.
#[tokio::test]
async fn while_the_server_is_away_answers_of_streams_and_bayeux_are_marked() {
    let Some(mut redis) = Redis::start().await else { return };
    let settings = [("groups.0.facades.genesys", "code"), ("facades.default_group", GROUP)];
    let node = Server::node(&redis.url(), 0, &settings);
    let mut shown = node.shown("ada").await;
    let polling = Polling::connected(&node, with_token()).await;
    let mut socket = socket(&node).await;
    let publish = json!([{
        "channel": "/news", "clientId": polling.client, "id": "1", "data": 1,
    }]);
    socket.say(publish.clone()).await;
    assert_eq!(socket.hear().await, json!([{"channel": "/news", "id": "1", "successful": true}]));
    let asked = shown.viewer.ok(json!({"type": "keyframe"})).await;
    assert_eq!(asked["degraded"], Value::Null);
    redis.kill();
    until("the node knows", || node.figure("degraded") == 1.0).await;
    let asked = shown.viewer.ok(json!({"type": "keyframe"})).await;
    assert_eq!(asked["degraded"], true, "{asked}");
    socket.say(publish.clone()).await;
    let answer = socket.hear().await;
    assert_eq!(
        answer,
        json!([{"channel": "/news", "id": "1", "successful": false, "error": "503::server_busy",
            "ext": {"degraded": true}}])
    );
    redis.start_again().await;
    until("the node has it again", || node.figure("degraded") == 0.0).await;
    socket.say(publish).await;
    assert_eq!(socket.hear().await[0], json!({"channel": "/news", "id": "1", "successful": true}));
}

/// The server answers nothing for longer than a node waits: what it said of what a client waits for is heard by nobody.
#[tokio::test]
async fn a_connect_whose_answer_was_missed_is_answered() {
    let Some(redis) = Redis::start().await else { return };
    let settings = [("groups.0.facades.genesys", "code"), ("facades.default_group", GROUP)];
    let node = Server::node(&redis.url(), 0, &settings);
    let client = Polling::connected(&node, with_token()).await;
    client.subscribe("/a").await;
    let held = client.connect(json!({"advice": {"timeout": 2_000}}));
    let missed = async {
        until("the connect is there", || node.figure("bayeux_waiting") == 1.0).await;
        // Behind it, so that it is held now.
        assert_eq!(client.publish("/nobody", json!(0)).await[0]["successful"], true);
        redis.pause();
        until("the node knows", || node.figure("degraded") == 1.0).await;
        redis.resume();
    };
    let (messages, ()) = tokio::join!(held, missed);
    assert_eq!(messages.last().unwrap()["successful"], true, "{messages:?}");
    until("the node has it again", || node.figure("degraded") == 0.0).await;
    publish(&node, "a", 1).await;
    assert_eq!(numbers(&client.connect(json!({})).await).collect::<Vec<_>>(), [1]);
}
