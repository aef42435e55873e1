//! Over WebSocket.

use serde_json::{Value, json};

use crate::support::{
    Server, Socket, Stop,
    bayeux::{BASE, Polling, handshake, server, socket, with_token},
    server::DESK,
    soon, until,
};

struct Client {
    socket: Socket,
    id: String,
    messages: u64,
}

impl Client {
    async fn shaken(server: &Server, ext: Value) -> Self {
        let mut socket = socket(server).await;
        socket.say(json!([handshake(&ext)])).await;
        let shaken = socket.hear().await;
        assert_eq!(shaken[0]["successful"], true, "{shaken}");
        Self { socket, id: shaken[0]["clientId"].as_str().unwrap().into(), messages: 0 }
    }

    async fn connected(server: &Server, ext: Value) -> Self {
        let mut client = Self::shaken(server, ext).await;
        client.connect(json!({})).await;
        let first = client.socket.hear().await;
        assert_eq!(first[0]["channel"], "/meta/connect");
        client
    }

    async fn say(&mut self, channel: &str, fields: Value) {
        self.messages += 1;
        let id = format!("m{}", self.messages);
        let mut message = json!({"channel": channel, "clientId": self.id, "id": id});
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        self.socket.say(json!([message])).await;
    }

    async fn connect(&mut self, fields: Value) {
        let mut fields = fields;
        fields["connectionType"] = "websocket".into();
        self.say("/meta/connect", fields).await;
    }

    async fn subscribe(&mut self, channel: &str) {
        self.say("/meta/subscribe", json!({"subscription": channel})).await;
        assert_eq!(self.socket.hear().await[0]["successful"], true);
    }
}

#[tokio::test]
async fn from_handshake_to_disconnect() {
    let server = server(&[]);
    let mut client = Client::connected(&server, with_token()).await;
    client.connect(json!({})).await;
    client.subscribe("/a").await;
    client.say("/a", json!({"data": {"n": 1}})).await;
    let heard = client.socket.hear().await;
    assert_eq!(heard[0], json!({"channel": "/a", "data": {"n": 1}}), "before its acknowledgement");
    assert_eq!(heard[1], json!({"channel": "/a", "id": "m4", "successful": true}));
    client.say("/meta/disconnect", json!({})).await;
    let left = client.socket.hear().await;
    assert_eq!(left[0], json!({"channel": "/meta/disconnect", "id": "m5", "successful": true}));
    let released = client.socket.hear().await;
    assert_eq!((&released[0]["id"], &released[0]["successful"]), (&json!("m2"), &json!(true)));
    assert_eq!(released[0]["advice"]["reconnect"], "none");
}

#[tokio::test]
async fn events_come_at_any_time_and_the_connect_stays_held() {
    let server = server(&[("bayeux.timeout_ms", "1500")]);
    let mut ada = Client::connected(&server, with_token()).await;
    let mut bob = Client::connected(&server, with_token()).await;
    ada.subscribe("/desk/**").await;
    ada.connect(json!({})).await;
    for number in 0..3 {
        bob.say("/desk/a/b", json!({"data": number})).await;
        assert_eq!(ada.socket.hear().await, json!([{"channel": "/desk/a/b", "data": number}]));
        assert_eq!(bob.socket.hear().await[0]["successful"], true);
    }
    let answer = ada.socket.hear().await;
    assert_eq!(answer[0]["channel"], "/meta/connect", "after the hold");
    assert_eq!(answer[0]["successful"], true);
}

#[tokio::test]
async fn a_session_outlives_its_socket() {
    let server = server(&[]);
    let mut ada = Client::connected(&server, with_token()).await;
    let mut bob = Client::connected(&server, with_token()).await;
    ada.subscribe("/a").await;
    ada.connect(json!({})).await;
    let Client { socket, id, .. } = ada;
    socket.goes().await;
    until("the end", || server.figure("sockets_open{kind=\"bayeux\"}") == 1.0).await;
    bob.say("/a", json!({"data": 1})).await;
    bob.socket.hear().await;
    // With its id alone: a client under Node sends no cookie here.
    let mut ada = Client {
        socket: Socket::open(&server, &format!("{BASE}/"), Some(DESK)).await,
        id,
        messages: 9,
    };
    ada.connect(json!({})).await;
    let heard = ada.socket.hear().await;
    assert_eq!(heard[0], json!({"channel": "/a", "data": 1}));
}

#[tokio::test]
async fn what_is_no_message_closes_as_the_official_server_does() {
    let server = server(&[]);
    for text in ["[", "[]", "7", "x", &format!("{}{}", "[".repeat(50), "]".repeat(50))] {
        let mut socket = socket(&server).await;
        socket.say_text(text).await;
        assert_eq!(socket.closed().await.code, 1011, "{text}");
    }
    let closes = |code| server.figure(&format!(r#"closes_total{{code="{code}"}}"#));
    until("counted", || closes("unreadable") == 5.0).await;
    assert_eq!(closes("internal"), 0.0, "it is no fault of the server");
    let mut silent = socket(&server).await;
    silent.say(json!({"channel": "/meta/connect", "clientId": "x", "id": "1"})).await;
    assert_eq!(silent.hear().await[0]["error"], "402::Unknown client", "a lone object is read");
}

#[tokio::test]
async fn foreign_pages_and_untrusting_groups_are_turned_away() {
    let server = server(&[]);
    for origin in ["https://evil.example", "https://shop.example", "null"] {
        let mut socket = Socket::open(&server, BASE, Some(origin)).await;
        assert_eq!(socket.closed().await.word(), "origin", "{origin}");
    }
    let server = Server::start();
    let mut socket = Socket::open(&server, BASE, Some(DESK)).await;
    assert_eq!(socket.closed().await.word(), "origin", "no group takes such clients");
    let mut socket = Socket::open(&server, BASE, None).await;
    socket.say(json!([handshake(&json!({}))])).await;
    assert_eq!(socket.hear().await[0]["error"], "403::Handshake denied");
}

#[tokio::test]
async fn who_says_too_much_is_told_and_then_closed() {
    let server =
        server(&[("limits.agent_messages_per_second", "1"), ("limits.agent_messages_burst", "5")]);
    let mut client = Client::shaken(&server, json!({})).await;
    let mut limited = 0;
    let closed = loop {
        client.say("/service/x", json!({"data": 1})).await;
        match client.socket.next_or_close().await {
            Ok(answers) => {
                let error = answers[0]["error"].as_str().unwrap_or_default();
                limited += u32::from(error.starts_with("429:"));
            }
            Err(closed) => break closed,
        }
    };
    assert_eq!(closed.word(), "ratelimited");
    assert!(limited > 0);
}

#[tokio::test]
async fn a_restart_is_a_lost_connection() {
    let mut server = server(&[]);
    let mut client = Client::connected(&server, with_token()).await;
    client.subscribe("/a").await;
    client.connect(json!({})).await;
    client.say("/service/none", json!({})).await;
    assert_eq!(client.socket.hear().await[0]["successful"], false, "the connect is held by now");
    server.signal(Stop::Terminate);
    let released = client.socket.hear().await;
    assert_eq!(released[0]["advice"]["reconnect"], "retry");
    assert_eq!(client.socket.closed().await.word(), "goaway");
    assert!(server.ended().success());
    let server = server.restarted(Stop::Terminate);
    let (id, messages) = (client.id, client.messages);
    let mut client = Client { socket: socket(&server).await, id, messages };
    client.connect(json!({})).await;
    client.say("/a", json!({"data": 1})).await;
    let heard = client.socket.hear().await;
    assert_eq!(heard[0]["data"], 1, "it is still subscribed: {heard}");
}

#[tokio::test]
async fn what_a_lost_socket_began_is_carried_out() {
    let server = server(&[]);
    let mut bob = Client::connected(&server, with_token()).await;
    for round in 0..10 {
        let mut ada = Client::connected(&server, with_token()).await;
        ada.subscribe("/a").await;
        let message = |number: usize| {
            let (channel, data) = ("/b", number);
            json!({"channel": channel, "clientId": ada.id, "id": format!("b{number}"), "data": data})
        };
        ada.socket.say((0..100).map(message).collect()).await;
        let Client { socket: lost, id, .. } = ada;
        // In the middle of that.
        drop(lost);
        let mut ada = Client { socket: socket(&server).await, id, messages: 9 };
        let is_lost = || server.figure("sockets_open{kind=\"bayeux\"}") == 2.0;
        until("the end of the lost one", is_lost).await;
        // Once what it began is over, too, a connect is held, and what comes behind it is answered first.
        let held = async {
            loop {
                ada.connect(json!({})).await;
                ada.say("/service/none", json!({})).await;
                if ada.socket.hear().await[0]["channel"] == "/service/none" {
                    break;
                }
                assert_eq!(ada.socket.hear().await[0]["channel"], "/service/none");
            }
        };
        soon("a connect that is held", held).await;
        bob.say("/a", json!({"data": round})).await;
        assert_eq!(bob.socket.hear().await[0]["successful"], true);
        assert_eq!(ada.socket.hear().await, json!([{"channel": "/a", "data": round}]));
    }
}

#[tokio::test]
async fn a_socket_whose_held_connect_is_overtaken_goes_on_hearing() {
    let server = server(&[]);
    let mut client = Client::connected(&server, with_token()).await;
    client.subscribe("/a").await;
    client.connect(json!({})).await;
    // The same client, on a socket that it opened meanwhile.
    let Client { socket: mut older, id, .. } = client;
    let mut newer = Client { socket: socket(&server).await, id: id.clone(), messages: 50 };
    newer.connect(json!({})).await;
    newer.say("/service/none", json!({})).await;
    assert_eq!(newer.socket.hear().await[0]["successful"], false, "the connect came before it");
    let publish = json!([{"channel": "/a", "clientId": id, "id": "p", "data": 1}]);
    older.say(publish).await;
    let heard = older.hear().await;
    assert_eq!((&heard[0]["data"], &heard[1]["successful"]), (&json!(1), &json!(true)), "{heard}");
}

#[tokio::test]
async fn each_handshake_is_counted_however_many_come_over_one_socket() {
    let server = server(&[("limits.handshakes_per_second", "3")]);
    let mut socket = socket(&server).await;
    let mut answers = Vec::new();
    for _ in 0..8 {
        socket.say(json!([handshake(&json!({}))])).await;
        answers.push(socket.hear().await[0].clone());
    }
    let refused: Vec<_> = answers.iter().filter(|answer| answer["successful"] == false).collect();
    assert!((4..8).contains(&refused.len()), "{answers:?}");
    for answer in &refused {
        assert!(answer["error"].as_str().unwrap().starts_with("429:"), "{answer}");
        assert_eq!(answer["advice"]["reconnect"], "handshake");
        assert!(answer["advice"]["interval"].as_u64().unwrap() >= 1_000, "{answer}");
    }
    assert!(server.figure("limited_total{what=\"handshake\"}") >= 4.0);
    let mut polling = Polling::stranger(&server);
    polling.headers.clear();
    let answer = polling.send("", json!([handshake(&json!({}))])).await.messages.remove(0);
    assert_eq!(answer["successful"], false, "and those of requests with them");
}
