//! A group's events by webhook.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    receiver::{Answer, NEXT_SECRET, Receiver, SECRET, status},
    server::GROUP,
    until,
};

const WEBHOOKS: &str = "/v1/groups/12345/webhooks";

/// A server that posts to this address, and is soon ready to try again.
fn posting_to(url: &str, more: &[(&str, &str)]) -> Server {
    let secrets = format!("{SECRET},{NEXT_SECRET}");
    let own = [
        ("groups.0.webhooks.0.url", url),
        ("groups.0.webhooks.0.secrets", secrets.as_str()),
        ("events.webhook_retry_first_ms", "20"),
        ("events.webhook_retry_most_ms", "100"),
        ("events.webhook_timeout_ms", "5000"),
    ];
    Server::with(&[&own[..], more].concat())
}

async fn operate(server: &Server, method: &str, path: &str) -> (u16, Value) {
    let token = Server::token_of(GROUP, "read operate", 60);
    server.rest_as(&token, method, path, None, &[]).await
}

/// The only webhook, as it is listed.
async fn webhook(server: &Server) -> Value {
    let (status, list) = operate(server, "GET", WEBHOOKS).await;
    assert_eq!((status, list["webhooks"].as_array().unwrap().len()), (200, 1), "{list}");
    list["webhooks"][0].clone()
}

/// The path of its dead letters.
async fn letters(server: &Server) -> String {
    format!("{WEBHOOKS}/{}/dead-letters", webhook(server).await["id"].as_str().unwrap())
}

#[tokio::test]
async fn an_event_is_posted_and_signed_with_the_id_that_a_stream_gives_it() {
    let mut receiver = Receiver::open().await;
    let server = posting_to(&receiver.url(), &[]);
    let mut stream = server.stream("", None).await;
    let page = server.page("a.b", "t").telling(json!({"cart": 1})).opens().await;
    page.leave().await;
    for told in stream.until(json!({"connected": false})).await {
        let delivery = receiver.next().await;
        assert_eq!(delivery.body, told.data);
        delivery.verify(SECRET);
        delivery.verify(NEXT_SECRET);
    }
    until("counted", || server.figure(r#"webhook_events_total{outcome="delivered"}"#) == 5.0).await;
    let listed = webhook(&server).await;
    assert_eq!(listed["url"], format!("http://{}/hook", receiver.address), "without the query");
    assert_eq!(
        (&listed["health"], &listed["waiting"], &listed["dead"]),
        (&json!("up"), &json!(0), &json!(0))
    );
    let (_, figures) = server.get("/metrics");
    for planted in [&SECRET[6..], &NEXT_SECRET[6..], "a-planted-key"] {
        assert!(!server.log().contains(planted) && !figures.contains(planted), "{planted}");
    }
}

#[tokio::test]
async fn a_webhook_gets_the_types_that_it_asks_for() {
    let mut receiver = Receiver::open().await;
    let server = posting_to(&receiver.url(), &[("groups.0.webhooks.0.types", "visitorconn,terms")]);
    let page = server.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    page.leave().await;
    for connected in [true, false] {
        assert_eq!(receiver.next().await.body["data"], json!({"connected": connected}));
    }
    assert_eq!(webhook(&server).await["types"], json!(["visitorconn", "terms"]));
    assert!(receiver.is_idle());
}

/// The receiver fails, is slow beyond the time, or breaks off; still each visitor's events come in their order, and every
/// one is taken at last.
#[tokio::test]
async fn what_fails_comes_again_and_each_visitors_events_stay_in_order() {
    let count = Arc::new(AtomicUsize::new(0));
    let mut receiver =
        Receiver::answering(move |_| match count.fetch_add(1, Ordering::Relaxed) % 7 {
            1 => status(500),
            3 => Answer { status: 200, after: Duration::from_millis(900), ..Answer::default() },
            5 => Answer { status: 429, headers: "retry-after: 0\r\n".into(), ..Answer::default() },
            _ => status(200),
        })
        .await;
    let server = posting_to(&receiver.url(), &[("events.webhook_timeout_ms", "400")]);
    let mut pages = Vec::new();
    for visitor in ["ada", "bob", "eve"] {
        pages.push(server.page(visitor, "t").opens().await);
    }
    for round in 0..10 {
        for page in &mut pages {
            page.ok(json!({"type": "presence", "data": {"round": round}})).await;
        }
    }
    let mut taken: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut known = HashSet::new();
    while known.len() < 36 {
        let delivery = receiver.taken().await;
        delivery.verify(SECRET);
        // One that was answered too late comes twice, under one id.
        if known.insert(delivery.id().to_owned()) {
            taken.entry(delivery.visitor().to_owned()).or_default().push(delivery.sequence());
        }
    }
    for (visitor, sequences) in taken {
        assert_eq!(sequences, (1..=12).collect::<Vec<_>>(), "{visitor}");
    }
    assert!(server.figure("webhook_failures_total") >= 5.0);
    until("all are done with", || server.figure("webhooks_waiting") == 0.0).await;
    server.comes_to(r#"webhook_events_total{outcome="delivered"}"#, 36.0).await;
}

#[tokio::test]
async fn a_webhook_that_is_gone_gets_nothing_until_its_dead_letters_are_sent_again() {
    let gone = Arc::new(AtomicBool::new(true));
    let is_gone = Arc::clone(&gone);
    let mut receiver = Receiver::answering(move |_| {
        status(if is_gone.load(Ordering::Relaxed) { 410 } else { 200 })
    })
    .await;
    let server = posting_to(&receiver.url(), &[("events.webhook_in_flight", "1")]);
    let mut page = server.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    let first = receiver.next().await;
    until("dead", || server.figure(r#"webhook_events_total{outcome="dead"}"#) == 3.0).await;
    page.ok(json!({"type": "presence", "data": {"cart": 2}})).await;
    until("dead", || server.figure(r#"webhook_events_total{outcome="dead"}"#) == 4.0).await;
    let listed = webhook(&server).await;
    assert_eq!((&listed["health"], &listed["dead"]), (&json!("gone"), &json!(4)));

    let path = letters(&server).await;
    let (status, list) = operate(&server, "GET", &format!("{path}?limit=3")).await;
    assert_eq!((status, list["letters"].as_array().unwrap().len()), (200, 3));
    let letter = &list["letters"][0];
    assert_eq!((&letter["cause"], &letter["tries"]), (&json!("gone"), &json!(1)));
    assert_eq!(letter["event"], first.body);
    let rest = format!("{path}?cursor={}", list["next"]);
    let (_, rest) = operate(&server, "GET", &rest).await;
    assert_eq!((rest["letters"].as_array().unwrap().len(), &rest["next"]), (1, &Value::Null));

    let id = |place: usize| format!("{path}/{}", list["letters"][place]["id"]);
    assert_eq!(operate(&server, "DELETE", &id(0)).await, (200, json!({"letters": 1})));
    assert_eq!(operate(&server, "DELETE", &id(0)).await.0, 404);
    gone.store(false, Ordering::Relaxed);
    let (status, sent) = operate(&server, "POST", &format!("{}/redeliver", id(2))).await;
    assert_eq!((status, sent), (202, json!({"letters": 1})));
    assert_eq!(receiver.taken().await.body, list["letters"][2]["event"]);
    let (status, sent) = operate(&server, "POST", &format!("{path}/redeliver")).await;
    assert_eq!((status, sent), (202, json!({"letters": 2})));
    assert_eq!(receiver.taken().await.body, list["letters"][1]["event"]);
    assert_eq!(receiver.taken().await.body["data"], json!({"cart": 2}));
    page.ok(json!({"type": "presence", "data": {"cart": 3}})).await;
    assert_eq!(receiver.taken().await.body["data"], json!({"cart": 3}));
    assert_eq!(webhook(&server).await["health"], "up");
    assert_eq!(operate(&server, "DELETE", &path).await, (200, json!({"letters": 0})));
}

#[tokio::test]
async fn who_is_not_there_is_given_up_in_time() {
    // Nobody listens where somebody did a moment ago.
    let address = Receiver::open().await.url();
    let server = posting_to(
        &address,
        &[("events.webhook_give_up_seconds", "1"), ("events.dead_letters", "3")],
    );
    let mut pages = Vec::new();
    for visitor in ["ada", "bob", "eve"] {
        pages.push(server.page(visitor, "t").opens().await);
    }
    until("down", || server.figure("webhook_failures_total") >= 5.0).await;
    until("given up", || server.figure(r#"webhook_events_total{outcome="dead"}"#) == 6.0).await;
    // Three are kept.
    server.comes_to(r#"webhook_events_total{outcome="lost"}"#, 3.0).await;
    let (_, list) = operate(&server, "GET", &letters(&server).await).await;
    let found = list["letters"].as_array().unwrap();
    assert_eq!(found.len(), 3);
    assert!(
        found.iter().all(|letter| matches!(letter["cause"].as_str(), Some("failed" | "down"))),
        "{list}"
    );
    assert!(!list.to_string().contains("planted"), "{list}");
    // By the server's own times: not before a second had gone by, in which they waited.
    let waited = |letter: &Value| {
        let (died, happened) = (letter["died"].as_u64(), letter["event"]["time"].as_u64());
        died.unwrap() - happened.unwrap()
    };
    assert!(found.iter().all(|letter| waited(letter) >= 1_000), "{list}");
    assert_eq!(webhook(&server).await["health"], "down");
}

#[tokio::test]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let mut elsewhere = Receiver::open().await;
    let location = format!("location: {}\r\n", elsewhere.url());
    let mut receiver = Receiver::answering(move |_| Answer {
        status: 307,
        headers: location.clone(),
        ..Answer::default()
    })
    .await;
    let server = posting_to(&receiver.url(), &[]);
    let _page = server.page("ada", "t").opens().await;
    for _ in 0..3 {
        receiver.next().await;
    }
    assert!(elsewhere.is_idle());
}

#[tokio::test]
async fn what_waits_outlives_a_restart_but_not_a_crash() {
    let well = Arc::new(AtomicBool::new(false));
    let is_well = Arc::clone(&well);
    let mut receiver = Receiver::answering(move |_| {
        status(if is_well.load(Ordering::Relaxed) { 200 } else { 503 })
    })
    .await;
    let server = posting_to(&receiver.url(), &[("presence.grace_ms", "30000")]);
    let page = server.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    until("a try", || server.figure("webhook_failures_total") >= 1.0).await;
    drop(page);
    until("the last", || server.figure("webhooks_waiting") == 4.0).await;
    let server = server.restarted(Stop::Terminate);
    server.comes_to("webhooks_waiting", 4.0).await;
    well.store(true, Ordering::Relaxed);
    let mut sequences = Vec::new();
    while sequences.last() != Some(&4) {
        let delivery = receiver.taken().await;
        delivery.verify(SECRET);
        sequences.push(delivery.sequence());
    }
    // What was under way when the first process ended may come twice.
    sequences.dedup();
    assert_eq!(sequences, [1, 2, 3, 4]);
    until("all are taken", || server.figure("webhooks_waiting") == 0.0).await;

    well.store(false, Ordering::Relaxed);
    let page = server.page("bob", "t").opens().await;
    until("a try", || server.figure("webhook_failures_total") >= 1.0).await;
    let server = server.restarted(Stop::Kill);
    drop(page);
    if server.is_one_of_several() {
        // The next process tells that it has lost the page, and nothing of before.
        well.store(true, Ordering::Relaxed);
        let lost = receiver.taken().await;
        assert_eq!(lost.body["type"], "visitorsock", "{:?}", lost.body);
        assert_eq!(lost.body["data"], json!({"connected": false, "sockets": 0}));
        until("all are taken", || server.figure("webhooks_waiting") == 0.0).await;
        assert!(receiver.is_idle());
    } else {
        assert_eq!(server.figure("webhooks_waiting"), 0.0);
    }
}

#[tokio::test]
async fn only_who_operates_sees_webhooks() {
    let receiver = Receiver::open().await;
    let server = posting_to(&receiver.url(), &[]);
    let path = letters(&server).await;
    let (all, other) = (Server::token(), Server::token_of("777", "operate", 60));
    for (method, path) in [
        ("GET", WEBHOOKS.to_owned()),
        ("GET", path.clone()),
        ("DELETE", path.clone()),
        ("DELETE", format!("{path}/1")),
        ("POST", format!("{path}/redeliver")),
        ("POST", format!("{path}/1/redeliver")),
    ] {
        for (token, code) in [(&all, "scope"), (&other, "group")] {
            let (status, problem) = server.rest_as(token, method, &path, None, &[]).await;
            assert_eq!((status, &problem["code"]), (403, &json!(code)), "{method} {path}");
        }
    }
    for (method, path, status) in [
        ("GET", format!("{WEBHOOKS}/x/dead-letters"), 404),
        ("GET", format!("{path}?limit=0"), 400),
        ("DELETE", format!("{path}/x"), 404),
        ("DELETE", format!("{path}/redeliver"), 405),
        ("POST", format!("{path}/1/redeliver"), 404),
    ] {
        assert_eq!(operate(&server, method, &path).await.0, status, "{method} {path}");
    }
}
