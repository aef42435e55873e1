//! A restart of the server (design section 2.8).

use serde_json::json;

use crate::support::{
    Raw, Server, Stop,
    postgres::Database,
    raw::{TEXT, frame, hello},
    soon,
};

const QUICK: [(&str, &str); 3] = [
    ("presence.grace_ms", "1500"),
    ("presence.signal_window_ms", "1500"),
    ("presence.ack_ms", "1500"),
];

#[tokio::test]
async fn sigterm_and_a_restart_are_a_page_change() {
    let server = Server::with(&QUICK);
    let mut agent = server.agent().await;
    let page = server.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    let gone = server.page("bob", "t").opens().await;
    let epoch = page.welcome["epoch"].clone();
    drop(gone);
    let held = agent.signal("bob", json!("held")).await;
    let _unread = agent.signal("ada", json!("sent")).await;
    drop((agent, page));
    let server = server.restarted(Stop::Terminate);
    server.comes_to("loaded_records_total", 2.0).await;
    server.comes_to("visitors_in_transit", 2.0).await;
    // A watcher that comes back hears that they are there.
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("ada").await, Some(0));
    assert_eq!(agent.watch("bob").await, Some(0));
    let mut ada = server.page("ada", "t").opens().await;
    assert_eq!(ada.welcome["epoch"], epoch, "the same presence goes on");
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    ada.gets(json!("sent")).await;
    let (_, view) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
    assert_eq!(view["data"], json!({"cart": 1}));
    let mut bob = server.page("bob", "t").opens().await;
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    assert_eq!(bob.gets(json!("held")).await, held);
    let path = format!("/v1/groups/12345/visitors/bob/signals/{held}");
    assert_eq!(server.rest("GET", &path, None).await.1["outcome"], "delivered");
    agent.hears_nothing_for(1_700).await;
}

#[tokio::test]
async fn postgresql_carries_it_over_as_well() {
    let Some(database) = Database::create().await else { return };
    let server = Server::with(&[("storage.url", &database.url)]);
    let mut agent = server.agent().await;
    let page = server.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    let epoch = page.welcome["epoch"].clone();
    let session = server.begins_session("ada").await.session;
    let path = format!("/v1/groups/12345/sessions/{session}");
    assert_eq!(server.rest("DELETE", &path, None).await.0, 204);
    let _unread = agent.signal("ada", json!("sent")).await;
    drop((agent, page));
    let server = server.restarted(Stop::Terminate);
    let mut ada = server.page("ada", "t").opens().await;
    assert_eq!(ada.welcome["epoch"], epoch, "the same presence goes on");
    ada.gets(json!("sent")).await;
    let (_, past) = server.rest("GET", "/v1/groups/12345/past-sessions", None).await;
    assert_eq!(past["sessions"][0]["session"], session, "{past}");
    ada.leave().await;
    drop(server);
    database.remove().await;
}

#[tokio::test]
async fn who_does_not_come_back_leaves_after_a_fresh_grace() {
    let server = Server::with(&QUICK);
    let page = server.page("ada", "t").opens().await;
    drop(page);
    let server = server.restarted(Stop::Terminate);
    let started = std::time::Instant::now();
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("ada").await, Some(0));
    agent.event("visitorconn", json!({"connected": false})).await;
    assert!(started.elapsed().as_millis() > 1_000, "{:?}", started.elapsed());
}

#[tokio::test]
async fn codes_outlive_a_restart() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let code = page.ok(json!({"type": "unique"})).await["uniqueid"].clone();
    drop(page);
    let server = server.restarted(Stop::Terminate);
    let mut page = server.page("ada", "t").opens().await;
    assert_eq!(page.ok(json!({"type": "unique"})).await["uniqueid"], code);
    let mut agent = server.agent().await;
    let found = agent.ok(json!({"type": "lookup", "uniqueid": code})).await;
    assert_eq!(found["visitorid"], "ada");
}

/// A signal that was accepted while the server ended is held by the next one: what is saved last is what was said last.
#[tokio::test]
async fn no_accepted_signal_is_lost_between_saving_and_the_end() {
    const VISITORS: usize = 300;
    let mut server = Server::start();
    // Reads, but does not close, so that the drain takes its second.
    let mut stubborn = Raw::visitor(&server).await;
    stubborn.send(&hello("eve", "t")).await;
    stubborn.hear().await;
    let mut visitors = Vec::new();
    for number in 0..VISITORS {
        visitors.push(server.page(&format!("v{number}"), "t").opens().await);
    }
    let address = server.address();
    server.signal(Stop::Terminate);
    assert_eq!(stubborn.hear().await["type"], "goaway");
    drop(visitors);
    let client = reqwest::Client::new();
    let mut accepted = Vec::new();
    'all: for round in 0.. {
        for number in 0..VISITORS {
            let url = format!("http://{address}/v1/groups/12345/visitors/v{number}/signals");
            let request =
                client.post(url).bearer_auth(Server::token()).json(&json!({"data": round}));
            let Ok(answer) = request.send().await else { break 'all };
            if answer.status() == 202 {
                let state: serde_json::Value = answer.json().await.unwrap();
                accepted.push((number, state["id"].clone()));
            } else {
                assert!(matches!(answer.status().as_u16(), 429 | 503), "{}", answer.status());
            }
        }
    }
    assert!(server.ended().success());
    let server = server.restarted(Stop::Terminate);
    for (number, id) in &accepted {
        let path = format!("/v1/groups/12345/visitors/v{number}/signals/{}", id.as_str().unwrap());
        let (_, state) = server.rest("GET", &path, None).await;
        assert_eq!(
            state["outcome"],
            "held",
            "{} were accepted; of v{number}: {state}",
            accepted.len()
        );
    }
    assert!(accepted.len() >= VISITORS, "{}", accepted.len());
}

#[tokio::test]
async fn after_a_kill_nobody_is_declared_gone_for_one_grace() {
    let server = Server::with(&QUICK);
    let page = server.page("ada", "t").opens().await;
    let mut agent = server.agent().await;
    agent.watch("ada").await;
    let server = server.restarted(Stop::Kill);
    let started = std::time::Instant::now();
    drop((page, agent));
    assert_eq!(server.figure("loaded_records_total"), 0.0);
    let mut agent = server.agent().await;
    // What would say false is withheld.
    for visitor in ["ada", "bob"] {
        agent.ok(json!({"type": "watch", "visitorid": visitor})).await;
        let lookup = json!({"type": "lookup", "visitorid": visitor});
        assert!(agent.refused(lookup, "unready").await["retry_ms"].as_u64().unwrap() <= 1_500);
    }
    let (status, problem) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
    assert_eq!((status, &problem["code"]), (503, &json!("unready")));
    assert!(problem["retry_ms"].as_u64().unwrap() > 0);
    // One may wait for him, too.
    let id = agent.signal("ada", json!("x")).await;
    let mut ada = server.page("ada", "t").opens().await;
    agent.event("visitorconn", json!({"connected": true})).await;
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    assert_eq!(ada.gets(json!("x")).await, id);
    agent.outcome(&id, "delivered").await;
    let left = agent.event("visitorconn", json!({"connected": false})).await;
    assert_eq!(left["visitorid"], "bob");
    assert!(started.elapsed().as_millis() >= 1_000, "{:?}", started.elapsed());
    agent.event("visitorsock", json!({"connected": false, "sockets": 0})).await;
    assert_eq!(server.rest("GET", "/v1/groups/12345/visitors/bob", None).await.0, 404);
}

#[tokio::test]
async fn a_socket_that_ignores_the_end_is_lost_to_the_next_process() {
    let server = Server::with(&QUICK);
    let mut stubborn = Raw::visitor(&server).await;
    stubborn.send(&hello("ada", "t")).await;
    stubborn.hear().await;
    stubborn.send(&frame(TEXT, br#"{"type":"presence","data":{"a":1}}"#)).await;
    let server = server.restarted(Stop::Terminate);
    soon("the end", stubborn.ends()).await;
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("ada").await, Some(0), "in transit, without the lost socket");
    agent.event("visitorconn", json!({"connected": false})).await;
}
