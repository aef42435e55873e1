//! Who reads slowly: ended, or given the newest alone; others notice nothing.

use serde_json::{Value, json};

use super::{agent, gets, settings, subscribe, token};
use crate::support::{
    Raw, Server, Socket,
    raw::{TEXT, frame},
    until,
};

/// One on which whoever waits for one who does not read waits for longer than any test waits for anything.
fn server() -> Server {
    let of_all = "publishes_per_second = 1000000\npublishes_burst = 1000000";
    let settings = settings("latest = [\"state/#\"]", of_all);
    Server::of_with(&settings, &[], &[("limits.write_deadline_ms", "600000")])
}

/// An agent who subscribed and reads nothing.
async fn deaf(server: &Server, subscription: Value) -> Raw {
    let mut raw = Raw::connect_narrow(server).await;
    raw.upgrade("/v1/agent", None).await;
    let hello = json!({"type": "hello", "token": token(&["#"], &["#"])});
    raw.send(&frame(TEXT, hello.to_string().as_bytes())).await;
    assert_eq!(raw.hear().await["type"], "welcome");
    raw.send(&frame(TEXT, subscription.to_string().as_bytes())).await;
    assert_eq!(raw.hear().await["type"], "ok");
    raw
}

/// Publishes a number to a topic, which `others` get.
async fn round(publisher: &mut Socket, others: &mut [Socket], topic: &str, n: u64) {
    let data = json!({"n": n, "padding": "x".repeat(8_000)});
    publisher.say(json!({"type": "publish", "topic": topic, "data": data})).await;
    for other in others {
        gets(other, topic, data.clone()).await;
    }
}

#[tokio::test]
async fn a_slow_subscriber_is_ended_and_others_notice_nothing() {
    let server = server();
    let mut publisher = agent(&server).await;
    let mut others = [agent(&server).await, agent(&server).await];
    for other in &mut others {
        subscribe(other, "#").await;
    }
    let mut deaf = deaf(&server, json!({"type": "subscribe", "filter": "#", "request": 1})).await;
    let mut rounds = 0;
    // While he is there and reads nothing, each message comes to the others before the next is published.
    while server.figure(r#"outbox_overflows_total{class="reliable"}"#) == 0.0 {
        rounds += 1;
        assert!(rounds < 2_000, "the outbox never overflowed");
        round(&mut publisher, &mut others, "a", rounds).await;
    }
    assert_eq!(server.figure("write_deadline_exceeded_total"), 0.0);
    let closed = deaf.closed().await;
    assert_eq!((closed.code, closed.word()), (4002, "slow"));
    until("the end", || server.figure("topic_subscriptions") == 2.0).await;
    // He comes back where he was, and catches up.
    let mut back = agent(&server).await;
    let history =
        json!({"type": "subscribe", "filter": "#", "resume": {"epoch": "1", "offset": 0}});
    assert_eq!(back.ok(history).await["missed"], true);
    round(&mut publisher, &mut others, "a", rounds + 1).await;
}

/// By setting, or because he asked for it: of a topic only the newest waits for him.
#[tokio::test]
async fn of_states_a_slow_subscriber_gets_the_newest() {
    let server = server();
    let mut publisher = agent(&server).await;
    let mut others = [agent(&server).await];
    subscribe(&mut others[0], "#").await;
    let by_setting = json!({"type": "subscribe", "filter": "state/#", "request": 1});
    let by_wish = json!({"type": "subscribe", "filter": "a/#", "latest": true, "request": 1});
    let mut deaf_ones =
        [(deaf(&server, by_setting).await, "state"), (deaf(&server, by_wish).await, "a")];
    const ROUNDS: u64 = 1_000;
    for n in 1..=ROUNDS {
        for (_, root) in &deaf_ones {
            let topic = format!("{root}/{}", n % 4);
            round(&mut publisher, &mut others, &topic, n).await;
        }
    }
    assert_eq!(server.figure(r#"outbox_overflows_total{class="reliable"}"#), 0.0);
    for (deaf, _) in &mut deaf_ones {
        let (mut heard, mut newest) = (0, std::collections::HashMap::new());
        while newest.len() < 4 || newest.values().any(|n| *n <= ROUNDS - 4) {
            let message = deaf.hear().await;
            let n = message["data"]["n"].as_u64().unwrap();
            let before = newest.insert(message["topic"].as_str().unwrap().to_owned(), n);
            assert!(before.is_none_or(|before| before < n), "an older state after a newer one");
            heard += 1;
        }
        assert!(heard < ROUNDS, "nothing was left out");
    }
}
