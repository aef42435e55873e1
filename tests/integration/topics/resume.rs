//! What somebody gets who was cut off.

use serde_json::{Value, json};

use super::{agent, gets, publish, rest, server, settings, subscribe, token};
use crate::support::{Server, Socket, soon};

/// Everything that one gets who is cut off again and again while others publish, and comes back each time.
pub struct Follower {
    position: Value,
    /// The last number of each publisher.
    pub last: [u64; 2],
    pub heard: u64,
}

impl Follower {
    pub fn new(position: Value) -> Self {
        Self { position, last: [0, 0], heard: 0 }
    }

    /// Reads on until `enough` messages have been heard, or the socket is ended because this test reads too slowly.
    pub async fn read(&mut self, socket: &mut Socket, enough: u64) {
        while self.heard < enough {
            let message = match socket.next_or_close().await {
                Ok(message) => message,
                Err(closed) => return assert_eq!(closed.word(), "slow"),
            };
            assert_eq!(message["type"], "topicmessage", "{message}");
            let publisher = usize::from(message["topic"] == "b/x");
            let number = message["data"]["n"].as_u64().unwrap();
            assert_eq!(
                number,
                self.last[publisher] + 1,
                "lost, repeated or out of order: {message}"
            );
            self.last[publisher] = number;
            self.heard += 1;
            self.position = json!({"epoch": message["epoch"], "offset": message["offset"]});
        }
    }

    pub async fn comes_back(&self, server: &Server) -> Socket {
        let mut socket = agent(server).await;
        let again = json!({"type": "subscribe", "filter": "+/x", "resume": self.position});
        let resumed = socket.ok(again).await;
        assert_eq!(resumed["missed"], Value::Null, "{resumed}");
        socket
    }
}

#[tokio::test]
async fn ten_thousand_messages_over_many_cuts_none_lost_none_repeated() {
    const EACH: u64 = 5_000;
    let of_all =
        "publishes_per_second = 1000000\npublishes_burst = 1000000\nhistory_bytes = 100000000";
    let server = Server::of(&settings("history = 10000", of_all), &[]);
    let mut socket = agent(&server).await;
    let position = subscribe(&mut socket, "+/x").await["position"].clone();
    let mut follower = Follower::new(position);
    let mut publishers = Vec::new();
    for topic in ["a/x", "b/x"] {
        let mut publisher = agent(&server).await;
        publishers.push(tokio::spawn(async move {
            for n in 1..=EACH {
                let data = json!({"n": n, "padding": "x".repeat(100)});
                publisher.say(json!({"type": "publish", "topic": topic, "data": data})).await;
                // Others, which the filter does not choose.
                publisher.say(json!({"type": "publish", "topic": "other", "data": n})).await;
            }
            publisher.ok(json!({"type": "unsubscribe", "subscription": 1})).await;
        }));
    }
    for _ in 0..8 {
        let enough = follower.heard + 600;
        follower.read(&mut socket, enough).await;
        drop(socket);
        socket = follower.comes_back(&server).await;
    }
    drop(socket);
    for publisher in publishers {
        soon("all published", publisher).await.unwrap();
    }
    // Now much more waits than an outbox holds: it comes part by part.
    let slow = server.figure(r#"closes_total{code="slow"}"#);
    let mut socket = follower.comes_back(&server).await;
    follower.read(&mut socket, 2 * EACH).await;
    assert_eq!(follower.last, [EACH, EACH]);
    socket.hears_nothing_for(100).await;
    assert_eq!(server.figure(r#"topic_resumes_total{result="missed"}"#), 0.0);
    server.comes_to(r#"closes_total{code="slow"}"#, slow).await;
}

/// However many subscriptions he has, each with more than the socket may be sent at once.
#[tokio::test]
async fn who_has_much_to_read_for_many_subscriptions_catches_up() {
    const MESSAGES: u64 = 40;
    const SUBSCRIPTIONS: u64 = 12;
    let narrow = settings("", "").replace("[limits]", "[limits]\noutbox_limit_bytes = 65536");
    let server = Server::of(&narrow, &[]);
    let mut bob = agent(&server).await;
    for n in 1..=MESSAGES {
        let data = json!({"n": n, "padding": "x".repeat(8_000)});
        bob.ok(json!({"type": "publish", "topic": "a", "data": data, "retain": true})).await;
    }
    let mut ann = agent(&server).await;
    let start = subscribe(&mut bob, "nothing").await["position"].clone();
    let start = json!({"epoch": start["epoch"], "offset": 0});
    for request in 1..=SUBSCRIPTIONS {
        let call =
            json!({"type": "subscribe", "request": 100 + request, "filter": "a", "resume": start});
        ann.say(call).await;
    }
    let mut last = std::collections::HashMap::new();
    let mut heard = 0;
    while heard < SUBSCRIPTIONS * MESSAGES {
        let message = ann.hear().await;
        if message["type"] == "topicmessage" {
            let before = last
                .insert(message["subscription"].as_u64(), message["data"]["n"].as_u64().unwrap());
            assert_eq!(message["data"]["n"], before.unwrap_or(0) + 1, "in order, each once");
            heard += 1;
        } else {
            assert_eq!(message["type"], "ok", "{message}");
        }
    }
    assert_eq!(server.figure(r#"closes_total{code="slow"}"#), 0.0);
}

/// The rest of the retained values comes for who says how many he had.
#[tokio::test]
async fn retained_values_that_a_cut_left_out_come_again() {
    let server = server("");
    let mut bob = agent(&server).await;
    for n in 1..=4 {
        let retained =
            json!({"type": "publish", "topic": format!("a/{n}"), "data": n, "retain": true});
        bob.ok(retained).await;
    }
    let mut ann = agent(&server).await;
    let position = subscribe(&mut ann, "a/#").await["position"].clone();
    gets(&mut ann, "a/1", 1).await;
    let had = gets(&mut ann, "a/2", 2).await["offset"].clone();
    drop(ann);
    publish(&mut bob, "a/5", 5).await;
    let mut ann = agent(&server).await;
    let mut resume = position.clone();
    resume["retained"] = had;
    let resumed = ann.ok(json!({"type": "subscribe", "filter": "a/#", "resume": resume})).await;
    assert_eq!((&resumed["position"], &resumed["missed"]), (&position, &Value::Null));
    for n in 3..=5 {
        let message = gets(&mut ann, &format!("a/{n}"), n).await;
        assert_eq!(message["retained"] == true, n < 5, "{message}");
    }
    resume["retained"] = 99.into();
    let refused = ann
        .refused(json!({"type": "subscribe", "filter": "a/#", "resume": resume}), "badrequest")
        .await;
    assert_eq!(refused["field"], "resume.retained");
}

#[tokio::test]
async fn a_gap_is_told_to_those_whom_it_concerns() {
    let server = server("history = 2");
    let mut ann = agent(&server).await;
    let start = subscribe(&mut ann, "a").await["position"].clone();
    drop(ann);
    let mut bob = agent(&server).await;
    for n in 1..=3 {
        publish(&mut bob, "a", n).await;
    }
    publish(&mut bob, "b", 4).await;
    let resume =
        |filter: &str, from: &Value| json!({"type": "subscribe", "filter": filter, "resume": from});
    let mut ann = agent(&server).await;
    let resumed = ann.ok(resume("a", &start)).await;
    assert_eq!(resumed["missed"], true, "{resumed}");
    gets(&mut ann, "a", 2).await;
    gets(&mut ann, "a", 3).await;
    let resumed = ann.ok(resume("b", &start)).await;
    assert_eq!(resumed["missed"], Value::Null, "nothing of this is lost: {resumed}");
    gets(&mut ann, "b", 4).await;
    // Another row of offsets, as after a crash.
    let elsewhere = json!({"epoch": "1", "offset": 4});
    assert_eq!(ann.ok(resume("c", &elsewhere)).await["missed"], true);
    bob.ok(json!({"type": "publish", "topic": "c", "data": 5, "retain": true})).await;
    gets(&mut ann, "c", 5).await;
    let mut without = resume("c", &elsewhere);
    without["retained"] = false.into();
    assert_eq!(ann.ok(without).await["missed"], true);
    ann.hears_nothing_for(50).await;
    ann.refused(resume("c", &json!({"epoch": "X", "offset": 4})), "badrequest").await;
    server.comes_to(r#"topic_resumes_total{result="missed"}"#, 3.0).await;
    server.comes_to(r#"topic_resumes_total{result="whole"}"#, 1.0).await;

    let path = "history?filter=%23&limit=2";
    let reader = token(&[], &["#"]);
    let (_, page) = rest(&server, &reader, "GET", path, None).await;
    assert_eq!((page["messages"].as_array().unwrap().len(), &page["more"]), (2, &json!(true)));
    let (epoch, offset) =
        (page["position"]["epoch"].as_str().unwrap(), &page["position"]["offset"]);
    let next = format!("{path}&epoch={epoch}&offset={offset}");
    let (_, page) = rest(&server, &reader, "GET", &next, None).await;
    assert_eq!(page["messages"][0]["data"], 4);
    assert_eq!((&page["more"], &page["missed"]), (&json!(false), &json!(false)));
    let lost = format!("{path}&epoch={epoch}&offset=0");
    let (_, page) = rest(&server, &reader, "GET", &lost, None).await;
    assert_eq!(page["missed"], true);
}

#[tokio::test]
async fn where_nothing_is_kept_who_comes_back_is_told_so() {
    let server = server("history = 0");
    let mut ann = agent(&server).await;
    let subscribed = subscribe(&mut ann, "a").await;
    let published = publish(&mut ann, "a", 1).await;
    assert_eq!(published["position"], Value::Null);
    assert_eq!(gets(&mut ann, "a", 1).await["offset"], Value::Null);
    let again = json!({"type": "subscribe", "filter": "a", "resume": subscribed["position"]});
    assert_eq!(ann.ok(again).await["missed"], true);
}

/// Retained messages go through the record, others past it; of one publisher they stay in order all the same.
#[tokio::test]
async fn the_order_of_a_publisher_is_kept_whatever_is_kept() {
    let server = server("history = 0");
    let mut ann = agent(&server).await;
    subscribe(&mut ann, "#").await;
    let mut bob = agent(&server).await;
    for round in 0..20 {
        let numbers = 100 * round..100 * (round + 1);
        for n in numbers.clone() {
            let (topic, retain) = (format!("t/{}", n % 7), n % 3 == 0);
            let message = json!({"type": "publish", "topic": topic, "data": n, "retain": retain});
            bob.say(message).await;
        }
        for n in numbers {
            assert_eq!(ann.hear_a("topicmessage").await["data"], n);
        }
    }
}

#[tokio::test]
async fn a_crash_is_told_as_a_gap() {
    let server = server("");
    let mut ann = agent(&server).await;
    subscribe(&mut ann, "a").await;
    publish(&mut ann, "a", 1).await;
    let message = gets(&mut ann, "a", 1).await;
    let position = json!({"epoch": message["epoch"], "offset": message["offset"]});
    let server = server.restarted(crate::support::Stop::Kill);
    let mut ann = agent(&server).await;
    let again = json!({"type": "subscribe", "filter": "a", "resume": position});
    assert_eq!(ann.ok(again).await["missed"], true);
}
