//! Bayeux clients that say exactly what a test has them say, over either transport.

use std::net::SocketAddr;

use reqwest::{Response, header::HeaderMap};
use serde_json::{Value, json};

use super::{
    Server, Socket, mint,
    server::{DESK, GROUP},
    soon,
};

/// Where the endpoint is.
pub const BASE: &str = "/cobrowse/cometd";

/// A server whose first group trusts clients by a code.
pub fn server(settings: &[(&str, &str)]) -> Server {
    let mut all = vec![("groups.0.facades.genesys", "code"), ("facades.default_group", GROUP)];
    all.extend_from_slice(settings);
    Server::with(&all)
}

/// What the server answers to a request.
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub messages: Vec<Value>,
}

/// A client over long-polling.
pub struct Polling {
    /// Where its requests go.
    pub address: SocketAddr,
    http: reqwest::Client,
    /// What its requests carry besides the messages.
    pub headers: Vec<(&'static str, String)>,
    pub client: String,
    ids: std::cell::Cell<u64>,
}

impl Polling {
    /// One that has not shaken hands.
    pub fn stranger(server: &Server) -> Self {
        Self::stranger_at(server.address())
    }

    /// Likewise, whoever answers there.
    pub fn stranger_at(address: SocketAddr) -> Self {
        let (http, headers) = (reqwest::Client::new(), vec![("origin", DESK.to_owned())]);
        Self { address, http, headers, client: String::new(), ids: std::cell::Cell::new(0) }
    }

    /// One that has shaken hands.
    pub async fn shaken(server: &Server, ext: Value) -> Self {
        let mut client = Self::stranger(server);
        client.shakes(&ext).await;
        client
    }

    /// Shakes hands.
    pub async fn shakes(&mut self, ext: &Value) {
        let answer = self.send("/handshake", json!([handshake(ext)])).await;
        assert_eq!(answer.messages[0]["successful"], true, "{:?}", answer.messages);
        self.client = answer.messages[0]["clientId"].as_str().unwrap().to_owned();
    }

    /// One that has connected once, so that its next connect is held.
    pub async fn connected(server: &Server, ext: Value) -> Self {
        let client = Self::shaken(server, ext).await;
        let messages = client.connect(json!({})).await;
        assert_eq!(messages.len(), 1);
        client
    }

    /// Posts a text to a path below the endpoint.
    pub async fn post(&self, below: &str, kind: Option<&str>, text: String) -> Response {
        let address = format!("http://{}{BASE}{below}", self.address);
        let mut request = self.http.post(address).body(text);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        soon("the answer", request.send()).await.unwrap()
    }

    pub async fn send(&self, below: &str, messages: Value) -> Answer {
        let response = self.post(below, Some("application/json"), messages.to_string()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let messages = if status == 200 { serde_json::from_str(&text).unwrap() } else { vec![] };
        Answer { status, headers, messages }
    }

    /// A message of this client: with its id, and with the next message id.
    pub fn message(&self, channel: &str, fields: Value) -> Value {
        self.ids.set(self.ids.get() + 1);
        let mut message = json!({
            "channel": channel, "clientId": self.client, "id": self.ids.get().to_string(),
        });
        message.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        message
    }

    /// Sends one message: what is answered.
    pub async fn say(&self, channel: &str, fields: Value) -> Vec<Value> {
        self.send("/", json!([self.message(channel, fields)])).await.messages
    }

    pub async fn connect(&self, fields: Value) -> Vec<Value> {
        let mut fields = fields;
        fields["connectionType"] = "long-polling".into();
        self.say("/meta/connect", fields).await
    }

    pub async fn subscribe(&self, channel: &str) {
        let answer = self.say("/meta/subscribe", json!({"subscription": channel})).await;
        assert_eq!(answer[0]["successful"], true, "{answer:?}");
    }

    pub async fn publish(&self, channel: &str, data: Value) -> Vec<Value> {
        self.say(channel, json!({"data": data})).await
    }
}

/// A handshake as the official client sends it.
pub fn handshake(ext: &Value) -> Value {
    json!({
        "channel": "/meta/handshake", "id": "1", "version": "1.0", "minimumVersion": "1.0",
        "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"],
        "advice": {"timeout": 60000, "interval": 0}, "ext": ext,
    })
}

/// A token that allows everything, on all channels.
pub fn token() -> String {
    token_for(&["#"], &["#"])
}

/// Likewise, on the channels of these topics.
pub fn token_for(publish: &[&str], subscribe: &[&str]) -> String {
    let now = mint::now();
    mint::Signing::of_the_tests().sign(&json!({
        "iss": "vestibule", "aud": "vestibule", "sub": "agent-7", "name": "Grace", "jti": "1", "group": GROUP,
        "scope": "read signal invoke session control topics", "iat": now, "exp": now + 3_600,
        "topics": {"publish": publish, "subscribe": subscribe},
    }))
}

/// With a token that allows everything.
pub fn with_token() -> Value {
    json!({"token": token()})
}

/// A client's socket.
pub async fn socket(server: &Server) -> Socket {
    Socket::open(server, BASE, Some(DESK)).await
}
