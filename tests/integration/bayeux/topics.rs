//! Broadcast channels are topics: who may use which, who else hears them, and what is kept.

use serde_json::{Value, json};

use crate::support::{
    Server,
    bayeux::{Polling, server, token, token_for, with_token},
    until,
};

/// What came on channels, in order.
fn heard(messages: &[Value]) -> Vec<(&str, &Value)> {
    let events = messages.iter().filter(|message| message.get("data").is_some());
    events.map(|event| (event["channel"].as_str().unwrap(), &event["data"])).collect()
}

async fn publish(server: &Server, topic: &str, data: Value, retain: bool) {
    let body = json!({"topic": topic, "data": data, "retain": retain});
    let path = "/v1/groups/12345/topics/publish";
    let (status, answer) = server.rest_as(&token(), "POST", path, Some(body), &[]).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn clients_sockets_and_rest_hear_each_other() {
    let server = server(&[]);
    let client = Polling::connected(&server, with_token()).await;
    client.subscribe("/desk/**").await;
    let mut agent = server.agent_with(&token()).await;
    agent.ok(json!({"type": "subscribe", "filter": "desk/#"})).await;
    agent.ok(json!({"type": "publish", "topic": "desk/news", "data": 1})).await;
    assert_eq!(heard(&client.connect(json!({})).await), [("/desk/news", &json!(1))]);
    publish(&server, "desk/a/b", json!({"n": 2}), false).await;
    assert_eq!(heard(&client.connect(json!({})).await), [("/desk/a/b", &json!({"n": 2}))]);
    client.publish("/desk/news", json!(3)).await;
    for (topic, data) in
        [("desk/news", json!(1)), ("desk/a/b", json!({"n": 2})), ("desk/news", json!(3))]
    {
        let told = agent.hear_a("topicmessage").await;
        assert_eq!((&told["topic"], &told["data"]), (&json!(topic), &data));
    }
    // The parent of a pattern is not among what it chooses, though `desk/#` would choose it.
    publish(&server, "desk", json!(4), false).await;
    publish(&server, "desk/z", json!(5), false).await;
    let both = client.connect(json!({})).await;
    assert_eq!(heard(&both).last().unwrap(), &("/desk/z", &json!(5)), "{both:?}");
    assert!(heard(&both).iter().all(|(channel, _)| *channel != "/desk"));
}

#[tokio::test]
async fn the_tokens_claim_says_which_channels() {
    let server = server(&[]);
    let ext = json!({"token": token_for(&["in/#"], &["out/+", "all/#"])});
    let client = Polling::connected(&server, ext).await;
    let (publish, subscribe) = (
        "403:denied_by_security_policy:publish denied",
        "403:denied_by_security_policy:subscribe_denied",
    );
    for (channel, error) in [
        ("/in/a", Value::Null),
        ("/in", Value::Null),
        ("/out/a", json!(publish)),
        ("/inner", json!(publish)),
        ("/$SYS/a", json!(publish)),
    ] {
        assert_eq!(client.publish(channel, json!(1)).await[0]["error"], error, "{channel}");
    }
    for (channel, error) in [
        ("/out/a", Value::Null),
        ("/out/*", Value::Null),
        ("/all/**", Value::Null),
        ("/out/**", json!(subscribe)),
        ("/out", json!(subscribe)),
        ("/in/a", json!(subscribe)),
        ("/**", json!(subscribe)),
        ("/*", json!(subscribe)),
    ] {
        let answer = client.say("/meta/subscribe", json!({"subscription": channel})).await;
        assert_eq!(answer[0]["error"], error, "{channel}");
    }
    // What is refused leaves nothing.
    server.comes_to("topic_subscriptions", 3.0).await;
}

#[tokio::test]
async fn what_topics_cannot_be_called_is_refused_and_what_channels_cannot_is_not_told() {
    let server = server(&[]);
    let client = Polling::connected(&server, with_token()).await;
    for channel in ["/a+b", "/a/+", "/#", "/~a"] {
        let refused = client.publish(channel, json!(1)).await.remove(0);
        let error = refused["error"].as_str().unwrap();
        assert!(error.starts_with("400:channel:") && error.split(':').count() == 3, "{error}");
        let refused = client.say("/meta/subscribe", json!({"subscription": channel})).await;
        assert_eq!(refused[0]["error"], "403::subscription_invalid", "{channel}");
    }
    client.subscribe("/**").await;
    for topic in ["ä", "a//b", "a/*", "meta/connect", "service/session/joined", "$a"] {
        let may = token_for(&["#", "$a"], &[]);
        let body = json!({"topic": topic, "data": 1});
        let path = "/v1/groups/12345/topics/publish";
        let (status, answer) = server.rest_as(&may, "POST", path, Some(body), &[]).await;
        assert_eq!(status, 200, "{topic}: {answer}");
    }
    publish(&server, "last", json!(2), false).await;
    assert_eq!(heard(&client.connect(json!({})).await), [("/last", &json!(2))]);
}

#[tokio::test]
async fn retained_values_come_with_the_subscription_however_many() {
    const MOST: usize = 200;
    for acks in [false, true] {
        let server = server(&[("bayeux.queue_messages", "50")]);
        for number in 0..MOST {
            publish(&server, &format!("state/{number:03}"), json!(number), true).await;
        }
        let ext = json!({"token": token(), "ack": acks});
        let client = Polling::connected(&server, ext).await;
        let mut all = client.say("/meta/subscribe", json!({"subscription": "/state/*"})).await;
        let mut batch = 1;
        while heard(&all).len() < MOST {
            let messages = client.connect(json!({"ext": {"ack": batch}})).await;
            let connect = messages.last().unwrap();
            assert_eq!(connect["successful"], true, "{connect}");
            batch = connect["ext"]["ack"].as_u64().unwrap_or_default();
            all.extend(messages);
        }
        let mut numbers: Vec<_> =
            heard(&all).iter().map(|(_, data)| data.as_u64().unwrap()).collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..MOST as u64), "each once");
        // One who publishes may have it kept, too; an empty value takes it away.
        for (value, kept) in [(json!(7), 1), (Value::Null, 0)] {
            client.say("/mine", json!({"data": value, "ext": {"retain": true}})).await;
            let (_, retained) = server
                .rest_as(&token(), "GET", "/v1/groups/12345/topics/retained?filter=mine", None, &[])
                .await;
            assert_eq!(retained["messages"].as_array().unwrap().len(), kept, "{retained}");
        }
    }
}

#[tokio::test]
async fn a_subscription_is_there_or_not_whichever_request_was_the_faster() {
    let server = server(&[]);
    let client = Polling::connected(&server, with_token()).await;
    let wish = || json!({"subscription": ["/a", "/b/*"]});
    for _ in 0..20 {
        tokio::join!(
            client.say("/meta/subscribe", wish()),
            client.say("/meta/unsubscribe", wish()),
            client.say("/meta/subscribe", wish()),
        );
        client.say("/meta/unsubscribe", wish()).await;
        assert_eq!(server.figure("topic_subscriptions"), 0.0);
    }
    client.subscribe("/a").await;
    assert_eq!(heard(&client.publish("/a", json!(1)).await), [("/a", &json!(1))]);
    client.say("/meta/disconnect", json!({})).await;
    until("their end", || server.figure("topic_subscriptions") == 0.0).await;
}
