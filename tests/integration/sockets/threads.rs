//! Rule 10: sockets on all threads are one world, and give back what they took.

use serde_json::json;

use crate::support::{Server, Socket, until};

#[tokio::test]
async fn rule_4_10_visitors_on_all_threads_are_one_world() {
    let server = Server::with(&[("server.workers", "3")]);
    let mut agents = Vec::new();
    for _ in 0..3 {
        agents.push(server.agent().await);
    }
    let mut visitors = Vec::new();
    for number in 0..30 {
        let name = format!("v{number}");
        for agent in &mut agents {
            assert_eq!(agent.watch(&name).await, None);
        }
        let mut visitor = server.page(&name, "t").opens().await;
        assert_eq!(visitor.welcome["focus"], true);
        for agent in &mut agents {
            agent.event("visitorconn", json!({"connected": true})).await;
            agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
            let id = agent.signal(&name, json!(number)).await;
            // Whichever thread holds the record, nothing comes before the welcome and all in its order.
            assert_eq!(visitor.gets(json!(number)).await, id);
            agent.outcome(&id, "delivered").await;
        }
        visitors.push(visitor);
    }
    let (_, list) = server.rest("GET", "/v1/groups/12345/visitors", None).await;
    assert_eq!(list["visitors"].as_array().unwrap().len(), 30);
}

#[tokio::test]
async fn rule_4_10_the_welcome_comes_before_all_that_follows_from_it() {
    let server = Server::with(&[("server.workers", "3")]);
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    for round in 0..50 {
        drop(page);
        let sent = agent.signal("ada", json!(round)).await;
        // `opens` expects the welcome as the very first frame.
        page = server.page("ada", "t").opens().await;
        let got = page.gets(json!(round)).await;
        assert_eq!(got, sent);
        agent.outcome(&sent, "delivered").await;
    }
}

#[tokio::test]
async fn what_many_sockets_took_is_given_back() {
    let server =
        Server::with(&[("presence.grace_ms", "200"), ("presence.signal_window_ms", "200")]);
    let mut agent = server.agent().await;
    let mut sockets: Vec<Socket> = Vec::new();
    for visitor in 0..500 {
        let name = format!("v{visitor}");
        agent.ok(json!({"type": "watch", "visitorid": name})).await;
        sockets.push(server.page(&name, "t").telling(json!({"a": 1})).opens().await);
    }
    server.comes_to("records", 500.0).await;
    server.comes_to("watchers", 500.0).await;
    drop((sockets, agent));
    for gone in ["records", "visitors_connected", "visitors_in_transit", "timers", "watchers"] {
        until(gone, || server.figure(gone) == 0.0).await;
    }
    server.comes_to("connections_lost_total", 501.0).await;
}
