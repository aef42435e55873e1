//! How clients of long-polling end, are bounded, and are sent away.

use super::*;

#[tokio::test]
async fn who_stays_away_is_forgotten() {
    let server = server(&[("bayeux.max_interval_ms", "1000")]);
    let client = Polling::connected(&server, json!({})).await;
    until("the end", || server.figure("bayeux_ended_total{reason=\"expired\"}") == 1.0).await;
    assert_eq!(client.connect(json!({})).await[0]["error"], "402::Unknown client");
}

#[tokio::test]
async fn too_many_messages_end_a_session() {
    let server = server(&[("bayeux.queue_messages", "3")]);
    let [idle, busy] = [
        Polling::connected(&server, with_token()).await,
        Polling::connected(&server, with_token()).await,
    ];
    idle.subscribe("/a").await;
    for number in 0..4 {
        assert_eq!(busy.publish("/a", json!(number)).await[0]["successful"], true);
    }
    assert_eq!(idle.connect(json!({})).await[0]["advice"]["reconnect"], "handshake");
    server.comes_to("bayeux_ended_total{reason=\"overflowed\"}", 1.0).await;
}

#[tokio::test]
async fn there_are_as_many_clients_as_may_be() {
    let server = server(&[("bayeux.max_clients", "2")]);
    let mut refused = None;
    for _ in 0..8 {
        let answer = Polling::stranger(&server).send("", json!([handshake(&json!({}))])).await;
        refused =
            refused.or(answer.messages.into_iter().find(|answer| answer["successful"] == false));
    }
    let refused = refused.unwrap();
    assert_eq!(refused["error"], "503::server_busy");
    assert_eq!(refused["advice"]["reconnect"], "handshake");
    assert_eq!(refused["advice"]["interval"], 1000);
}

#[tokio::test]
async fn a_restart_sends_clients_away_and_knows_them_again() {
    let mut server = server(&[]);
    let ext = json!({"token": token(), "ack": true});
    let client = Polling::connected(&server, ext).await;
    client.subscribe("/a").await;
    client.publish("/a", json!(1)).await;
    let got = client.connect(json!({"ext": {"ack": 1}})).await;
    assert_eq!(data(&got), [&json!(1)]);
    // The figure may still tell of the last request.
    until("rest", || server.figure("bayeux_waiting") == 0.0).await;
    let stop = async {
        held(&server, 1).await;
        server.signal(Stop::Terminate);
    };
    let (sent_away, ()) = tokio::join!(client.connect(json!({"ext": {"ack": 2}})), stop);
    assert_eq!(sent_away[0]["successful"], true);
    assert_eq!(sent_away[0]["advice"]["reconnect"], "retry");
    let (id, headers) = (client.client.clone(), client.headers.clone());
    drop(client);
    assert!(server.ended().success());
    let server = server.restarted(Stop::Terminate);
    let mut client = Polling::stranger(&server);
    (client.client, client.headers) = (id, headers);
    // What it subscribed to, and what it has acknowledged, is known.
    let heard = client.publish("/a", json!(2)).await;
    assert_eq!(heard[0]["successful"], true, "{heard:?}");
    assert_eq!(data(&client.connect(json!({"ext": {"ack": 3}})).await), [&json!(2)]);
}

#[tokio::test]
async fn a_connection_that_breaks_starts_the_clock() {
    // The server hears of it when it answers.
    let server = server(&[("bayeux.max_interval_ms", "1000"), ("bayeux.timeout_ms", "1500")]);
    let client = Polling::connected(&server, json!({})).await;
    let held_then_broken = tokio::select! {
        messages = client.connect(json!({})) => Some(messages),
        () = held(&server, 1) => None,
    };
    assert_eq!(held_then_broken, None);
    drop(client);
    until("the end", || server.figure("bayeux_ended_total{reason=\"expired\"}") == 1.0).await;
    assert_eq!(server.figure("bayeux_waiting"), 0.0);
}

#[tokio::test]
async fn held_requests_are_sent_away_each_at_its_own_time() {
    // As many come back in a second as may shake hands in one.
    let mut server = server(&[("limits.handshakes_per_second_total", "5")]);
    let mut clients = Vec::new();
    while clients.len() < 5 {
        let mut client = Polling::stranger(&server);
        let answer = client.send("", json!([handshake(&json!({}))])).await.messages.remove(0);
        match answer["clientId"].as_str() {
            Some(id) => client.client = id.to_owned(),
            None => continue,
        }
        client.connect(json!({})).await;
        clients.push(client);
    }
    let stop = async {
        held(&server, 5).await;
        server.signal(Stop::Terminate);
    };
    let connects = clients.iter().map(|client| client.connect(json!({})));
    let (answers, ()) = tokio::join!(futures_util::future::join_all(connects), stop);
    let interval = |answer: &Vec<Value>| answer[0]["advice"]["interval"].as_u64().unwrap();
    let intervals: Vec<_> = answers.iter().map(interval).collect();
    assert!(intervals.iter().all(|interval| *interval < 1_000), "{intervals:?}");
    assert!(intervals.iter().any(|interval| *interval > 0), "{intervals:?}");
    drop(clients);
    assert!(server.ended().success());
    drop(server.restarted(Stop::Terminate));
}

#[tokio::test]
async fn clients_records_are_among_the_figures_of_all_records() {
    let server = server(&[]);
    let before = server.figure("commands_total");
    let client = Polling::connected(&server, json!({})).await;
    let after = server.figure("commands_total");
    assert!(after >= before + 2.0, "a handshake and a connect: {before} to {after}");
    drop(client);
}
