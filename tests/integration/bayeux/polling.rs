//! Over long-polling.

mod ends;

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    bayeux::{Polling, handshake, server, token, with_token},
    soon, until,
};

fn data(messages: &[Value]) -> Vec<&Value> {
    messages.iter().filter_map(|message| message.get("data")).collect()
}

#[tokio::test]
async fn from_handshake_to_disconnect() {
    let server = server(&[]);
    let mut client = Polling::stranger(&server);
    let answer = client.send("/handshake", json!([handshake(&json!({}))])).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json;charset=UTF-8");
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("BAYEUX_BROWSER="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; HttpOnly"), "no Secure without TLS: {cookie}");
    let [shaken] = &answer.messages[..] else { panic!("{:?}", answer.messages) };
    client.client = shaken["clientId"].as_str().unwrap().to_owned();
    assert_eq!(client.client.len(), 32);
    assert_eq!(
        *shaken,
        json!({
            "channel": "/meta/handshake", "id": "1", "successful": true, "clientId": client.client,
            "version": "1.0", "minimumVersion": "1.0",
            "supportedConnectionTypes": ["websocket", "long-polling"],
            "advice": {"reconnect": "retry", "interval": 0, "timeout": 30000},
        })
    );
    // The first connect is answered at once, whether the client asks for that or not.
    let first = client.connect(json!({})).await;
    assert_eq!(
        first,
        [json!({
            "channel": "/meta/connect", "id": "1", "successful": true,
            "advice": {"reconnect": "retry", "interval": 0, "timeout": 30000},
        })]
    );
    let (released, left) =
        tokio::join!(client.connect(json!({})), client_leaves_once_held(&server, &client),);
    assert_eq!(left[0]["successful"], true);
    assert_eq!(released[0]["successful"], true);
    assert_eq!(released[0]["advice"]["reconnect"], "none");
    let unknown = client.connect(json!({})).await;
    assert_eq!(unknown[0]["error"], "402::Unknown client");
}

/// Waits until the connect is held, which one figure tells, then disconnects.
async fn client_leaves_once_held(server: &Server, client: &Polling) -> Vec<Value> {
    held(server, 1).await;
    client.say("/meta/disconnect", json!({})).await
}

/// Waits until so many requests wait. The figure is brought up to date twice a second.
async fn held(server: &Server, count: u32) {
    until("the hold", || server.figure("bayeux_waiting") >= f64::from(count)).await;
}

#[tokio::test]
async fn a_message_wakes_the_held_connect_and_comes_first() {
    let server = server(&[]);
    let [ada, bob] = [
        Polling::connected(&server, with_token()).await,
        Polling::connected(&server, with_token()).await,
    ];
    ada.subscribe("/desk/*").await;
    let say = async {
        held(&server, 1).await;
        bob.publish("/desk/news", json!({"n": 1})).await
    };
    let (heard, said) = tokio::join!(ada.connect(json!({})), say);
    assert_eq!(heard[0], json!({"channel": "/desk/news", "data": {"n": 1}}), "no id, no clientId");
    assert_eq!(heard[1]["channel"], "/meta/connect");
    assert_eq!(said, [json!({"channel": "/desk/news", "id": "2", "successful": true})], "no data");
}

#[tokio::test]
async fn a_publisher_hears_himself_before_he_is_acknowledged() {
    let server = server(&[]);
    let client = Polling::connected(&server, with_token()).await;
    client.subscribe("/a/**").await;
    client.subscribe("/a/b").await;
    let heard = client.publish("/a/b", json!(7)).await;
    assert_eq!(heard.len(), 2, "once, though two of his patterns choose it: {heard:?}");
    assert_eq!(heard[0], json!({"channel": "/a/b", "data": 7}));
    assert_eq!(heard[1]["successful"], true);
    // Without data it is still an event.
    let heard = client.say("/a/b", json!({})).await;
    assert_eq!(heard[0], json!({"channel": "/a/b", "data": null}));
    let answer = client.say("/meta/unsubscribe", json!({"subscription": ["/a/**", "/a/b"]})).await;
    assert_eq!(answer[0]["subscription"], json!(["/a/**", "/a/b"]));
    assert_eq!(client.publish("/a/b", json!(8)).await.len(), 1);
}

#[tokio::test]
async fn subscriptions_are_answered_as_they_were_asked() {
    let server = server(&[("bayeux.subscriptions", "2")]);
    let client = Polling::shaken(&server, with_token()).await;
    let ask = async |fields: Value| client.say("/meta/subscribe", fields).await.remove(0);
    let one = ask(json!({"subscription": "/a"})).await;
    assert_eq!((&one["subscription"], &one["successful"]), (&json!("/a"), &json!(true)));
    assert_eq!(ask(json!({})).await["error"], "403::subscription_missing");
    assert_eq!(ask(json!({"subscription": "a"})).await["error"], "403::subscription_invalid");
    assert_eq!(ask(json!({"subscription": "/*/a"})).await["error"], "403::subscription_invalid");
    let denied = "403:denied_by_security_policy:subscribe_denied";
    assert_eq!(ask(json!({"subscription": "/meta/*"})).await["error"], denied);
    assert_eq!(ask(json!({"subscription": "/service/x"})).await["successful"], true);
    // Those before the refusal remain.
    let half = ask(json!({"subscription": ["/b", "wrong", "/c"]})).await;
    assert_eq!(half["successful"], false);
    assert_eq!(data(&client.publish("/b", json!(1)).await), [&json!(1)]);
    assert!(data(&client.publish("/c", json!(1)).await).is_empty());
    assert_eq!(ask(json!({"subscription": "/d"})).await["error"], "403::subscribe_failed");
}

#[tokio::test]
async fn publishing_has_rules() {
    let server = server(&[]);
    let client = Polling::shaken(&server, with_token()).await;
    let denied = "403:denied_by_security_policy:publish denied";
    for channel in ["/a/*", "/**", "/service/*", "/service/nothing"] {
        assert_eq!(client.publish(channel, json!(1)).await[0]["error"], denied, "{channel}");
    }
    let error = |answer: Vec<Value>| answer[0]["error"].as_str().unwrap().to_owned();
    assert_eq!(error(client.publish("/meta/other", json!(1)).await), "405::invalid_channel");
    assert_eq!(error(client.publish("wrong", json!(1)).await), "405::invalid_channel");
    let missing = client.send("", json!([{"clientId": client.client, "data": 1, "id": "9"}])).await;
    assert_eq!(missing.messages[0]["error"], "400::channel missing");
    let both = json!([client.message("/a", json!({})), {"data": 1, "id": "9"}]);
    let both = client.send("", both).await.messages;
    assert_eq!(both[0]["successful"], true, "what is right beside it is carried out");
    assert_eq!((&both[1]["error"], &both[1]["id"]), (&json!("400::channel missing"), &json!("9")));
}

#[tokio::test]
async fn who_is_unknown_is_told_so_and_advised_where_that_helps() {
    let server = server(&[("bayeux.errors", "modern")]);
    let mut client = Polling::stranger(&server);
    for stranger in ["", "x", "00000000000000000000000000000000"] {
        client.client = stranger.into();
        let connect = client.connect(json!({})).await.remove(0);
        assert_eq!(connect["error"], "402::session_unknown");
        assert_eq!(connect["successful"], false);
        let advice = json!({"reconnect": "handshake", "interval": 0, "timeout": 30000});
        assert_eq!(connect["advice"], advice);
        for channel in ["/meta/subscribe", "/meta/disconnect", "/a", "/service/x"] {
            let answer = client.say(channel, json!({"subscription": "/a"})).await.remove(0);
            assert_eq!(answer["error"], "402::session_unknown", "{channel}");
            assert!(answer.get("advice").is_none(), "{channel}");
        }
    }
}

#[tokio::test]
async fn a_batch_is_carried_out_in_order_and_its_connect_is_not_held() {
    let server = server(&[]);
    let client = Polling::connected(&server, with_token()).await;
    let mut foreign = client.message("/a", json!({"data": 1}));
    foreign["clientId"] = "00000000000000000000000000000000".into();
    let batch = json!([
        client.message("/meta/connect", json!({"connectionType": "long-polling"})),
        client.message("/meta/subscribe", json!({"subscription": "/a"})),
        client.message("/a", json!({"data": 2})),
        foreign,
        client.message("/a", json!({"data": 3})),
    ]);
    let answers = soon("the answers", client.send("/", batch)).await.messages;
    assert_eq!(data(&answers), [&json!(2), &json!(3)], "events come first");
    let answered: Vec<_> = answers[2..].iter().map(|answer| &answer["channel"]).collect();
    assert_eq!(answered, ["/meta/connect", "/meta/subscribe", "/a", "/a", "/a"]);
    assert_eq!(answers[5]["error"], "402::Unknown client", "another's id in the same request");
    let left = json!([
        client.message("/meta/disconnect", json!({})),
        client.message("/a", json!({"data": 4})),
    ]);
    let answers = client.send("/", left).await.messages;
    assert_eq!(answers[0]["successful"], true);
    assert_eq!(answers[1]["error"], "402::Unknown client");
}

#[tokio::test]
async fn a_handshake_is_answered_alone() {
    let server = server(&[]);
    let known = Polling::shaken(&server, json!({})).await;
    let mut again = handshake(&json!({}));
    again["clientId"] = known.client.clone().into();
    let publish = known.message("/a", json!({"data": 1}));
    let answers = known.send("/", json!([publish, again])).await.messages;
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0]["channel"], "/meta/handshake");
    assert_ne!(answers[0]["clientId"], known.client, "always a new session");
}

#[tokio::test]
async fn handshakes_that_cannot_be_are_refused_for_good() {
    let server = server(&[]);
    let client = Polling::stranger(&server);
    for (field, value, error) in [
        ("supportedConnectionTypes", json!(["callback-polling"]), "405::no_transport"),
        ("supportedConnectionTypes", json!([]), "405::no_transport"),
        ("version", json!("2.0"), "400:version:must be 1.0"),
        ("ext", json!({"token": "wrong"}), "403::Handshake denied"),
    ] {
        let mut message = handshake(&json!({}));
        message[field] = value;
        let answer = client.send("", json!([message])).await.messages.remove(0);
        assert_eq!(answer["error"], error);
        assert_eq!(answer["advice"]["reconnect"], "none");
        assert!(answer.get("clientId").is_none());
    }
}

#[tokio::test]
async fn every_address_below_takes_every_message_and_bodies_of_several_kinds() {
    let server = server(&[]);
    let client = Polling::connected(&server, with_token()).await;
    for below in ["", "/", "/connect", "/handshake", "/a/b/c"] {
        let answer = client.send(below, json!([client.message("/a", json!({"data": 1}))])).await;
        assert_eq!(answer.messages[0]["successful"], true, "{below}");
    }
    let text = client.message("/a", json!({"data": 1})).to_string();
    let form =
        form_urlencoded::Serializer::new(String::new()).append_pair("message", &text).finish();
    for (kind, text, status) in [
        (Some("application/json;charset=UTF-8"), text.clone(), 200),
        (None, text.clone(), 200),
        (Some("application/x-www-form-urlencoded"), form, 200),
        (Some("application/x-www-form-urlencoded"), "x=1".into(), 400),
        (Some("text/plain"), text.clone(), 415),
        (Some("application/json"), "[".into(), 400),
        (Some("application/json"), "[]".into(), 400),
        (Some("application/json"), format!("{}{}", "[".repeat(50), "]".repeat(50)), 400),
        (Some("application/json"), "x".repeat(200_000), 413),
    ] {
        let response = client.post("/", kind, text).await;
        assert_eq!(response.status(), status, "{kind:?}");
        if status != 200 {
            assert_eq!(response.text().await.unwrap(), "", "{status}");
        }
    }
    for method in ["GET", "PUT", "DELETE"] {
        let head = format!("{method} /cobrowse/cometd?jsonp=x HTTP/1.1\r\nhost: localhost\r\n");
        let answer = server.exchange(&head).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{method} {answer}");
    }
    let answer = server.exchange("OPTIONS /cobrowse/cometd HTTP/1.1\r\nhost: localhost\r\n");
    assert!(answer.unwrap().starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn the_newest_connect_is_held() {
    for status in [500, 408] {
        let server = server(&[
            ("bayeux.overtaken_status", &status.to_string()),
            ("bayeux.timeout_ms", "2000"),
        ]);
        let client = Polling::connected(&server, json!({})).await;
        let message = || client.message("/meta/connect", json!({"connectionType": "long-polling"}));
        let newer = async {
            held(&server, 1).await;
            client.send("/connect", json!([message()])).await
        };
        let (older, newer) = tokio::join!(client.send("/connect", json!([message()])), newer);
        assert_eq!(older.status, status);
        assert_eq!(newer.status, 200);
        assert_eq!(newer.messages.len(), 1, "after the hold");
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_comes_again() {
    let server = server(&[]);
    let ext = json!({"token": token(), "ack": true});
    let client = Polling::connected(&server, ext).await;
    client.subscribe("/a").await;
    let answers = client.publish("/a", json!(1)).await;
    assert_eq!(answers.len(), 1, "with connects only: {answers:?}");
    let lost = client.connect(json!({"ext": {"ack": 1}})).await;
    assert_eq!((data(&lost), &lost[1]["ext"]), (vec![&json!(1)], &json!({"ack": 2})));
    client.publish("/a", json!(2)).await;
    let again = client.connect(json!({"ext": {"ack": 1}})).await;
    assert_eq!(data(&again), [&json!(1), &json!(2)]);
    client.publish("/a", json!(3)).await;
    let next = client.connect(json!({"ext": {"ack": 3}})).await;
    assert_eq!(data(&next), [&json!(3)]);
}

#[tokio::test]
async fn clocks_are_compared() {
    let server = server(&[]);
    let client = Polling::shaken(&server, json!({})).await;
    let ext = json!({"timesync": {"tc": 1000, "l": 0, "o": 0}});
    let answer = client.connect(json!({"ext": ext})).await.remove(0);
    let told = &answer["ext"]["timesync"];
    assert_eq!(told["tc"], 1000);
    assert!(told["ts"].as_i64().unwrap() > 1_000_000_000_000);
    assert_eq!(told["a"].as_i64().unwrap(), 1000 - told["ts"].as_i64().unwrap());
}

#[tokio::test]
async fn tabs_of_one_browser_take_turns_where_their_number_is_limited() {
    let server = server(&[("bayeux.tabs", "1"), ("bayeux.timeout_ms", "2000")]);
    let cookie = ("cookie", format!("BAYEUX_BROWSER={}", "ab".repeat(16)));
    let tab = async || {
        let mut tab = Polling::stranger(&server);
        tab.headers.push(cookie.clone());
        let answer = tab.send("/handshake", json!([handshake(&json!({}))])).await;
        assert!(!answer.headers.contains_key("set-cookie"), "it has one");
        tab.client = answer.messages[0]["clientId"].as_str().unwrap().to_owned();
        tab.connect(json!({})).await;
        tab
    };
    let (one, two) = (tab().await, tab().await);
    let second = async {
        held(&server, 1).await;
        two.connect(json!({})).await
    };
    let (_, second) = tokio::join!(one.connect(json!({})), second);
    assert_eq!(second[0]["successful"], true);
    assert_eq!(
        second[0]["advice"],
        json!({
            "reconnect": "retry", "interval": 2000, "timeout": 2000, "multiple-clients": true,
        })
    );
}
