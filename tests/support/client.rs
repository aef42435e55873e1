//! Well-behaved clients: a page of a visitor, an agent.

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::{
    SOON, Server,
    server::{GROUP, SHOP},
    soon,
    tls::Authority,
};

/// How a server closed a socket.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    pub code: u16,
    pub reason: Value,
}

impl Closed {
    /// The word in the reason.
    pub fn word(&self) -> &str {
        self.reason["code"].as_str().unwrap_or_default()
    }
}

/// What a server said.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    Text(Value),
    Bytes(Vec<u8>),
}

/// A connection, secured or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// A client's socket. Dropping it breaks the connection, as a page does that is navigated away.
pub struct Socket {
    stream: WebSocketStream<Box<dyn Stream>>,
    /// Came while an answer was awaited.
    early: VecDeque<Value>,
    /// What came of outages: it comes at any moment, between whatever else is awaited.
    pub outages: VecDeque<bool>,
    requests: u64,
    /// The server's first message.
    pub welcome: Value,
}

impl Socket {
    /// Opens a socket, and says nothing.
    pub async fn open(server: &Server, path: &str, origin: Option<&str>) -> Self {
        let mut request = format!("ws://{}{path}", server.address()).into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", HeaderValue::from_str(origin).unwrap());
        }
        let connect = async {
            let stream = TcpStream::connect(server.address()).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let stream: Box<dyn Stream> = match server.authority() {
                None => Box::new(stream),
                Some(authority) => {
                    let connector = TlsConnector::from(authority.client());
                    Box::new(connector.connect(Authority::name(), stream).await.unwrap())
                }
            };
            tokio_tungstenite::client_async(request, stream).await.unwrap().0
        };
        let stream = soon("the handshake", connect).await;
        let (early, outages) = (VecDeque::new(), VecDeque::new());
        Self { stream, early, outages, requests: 0, welcome: Value::Null }
    }

    pub async fn say(&mut self, message: Value) {
        self.say_text(&message.to_string()).await;
    }

    pub async fn say_binary(&mut self, text: &str) {
        self.stream.send(Message::binary(text.as_bytes().to_vec())).await.unwrap();
    }

    pub async fn say_bytes(&mut self, bytes: Vec<u8>) {
        self.stream.send(Message::binary(bytes)).await.unwrap();
    }

    pub async fn say_text(&mut self, text: &str) {
        self.stream.send(Message::text(text)).await.unwrap();
    }

    async fn next(&mut self) -> Result<Value, Option<Closed>> {
        loop {
            if let Heard::Text(message) = self.next_of_any().await? {
                return Ok(message);
            }
        }
    }

    async fn next_of_any(&mut self) -> Result<Heard, Option<Closed>> {
        loop {
            match self.next_or_outage().await? {
                Heard::Text(told) if told["type"] == "degraded" => {
                    self.outages.push_back(told["degraded"].as_bool().unwrap());
                }
                heard => return Ok(heard),
            }
        }
    }

    async fn next_or_outage(&mut self) -> Result<Heard, Option<Closed>> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    return Ok(Heard::Text(serde_json::from_str(&text).unwrap()));
                }
                Some(Ok(Message::Binary(bytes))) => return Ok(Heard::Bytes(bytes.to_vec())),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map(|frame| Closed {
                        code: frame.code.into(),
                        reason: serde_json::from_str(&frame.reason).unwrap_or(Value::Null),
                    }));
                }
                Some(Ok(_)) => {}
                None | Some(Err(_)) => return Err(None),
            }
        }
    }

    /// The next message, text or not.
    pub async fn hear_anything(&mut self) -> Heard {
        if let Some(early) = self.early.pop_front() {
            return Heard::Text(early);
        }
        match soon("a message", self.next_of_any()).await {
            Ok(heard) => heard,
            Err(closed) => panic!("closed instead of a message: {closed:?}"),
        }
    }

    /// The next message.
    pub async fn hear(&mut self) -> Value {
        if let Some(early) = self.early.pop_front() {
            return early;
        }
        match soon("a message", self.next()).await {
            Ok(message) => message,
            Err(closed) => panic!("closed instead of a message: {closed:?}"),
        }
    }

    /// The next message, if one comes within so many milliseconds.
    pub async fn hear_within(&mut self, milliseconds: u64) -> Option<Value> {
        if let Some(early) = self.early.pop_front() {
            return Some(early);
        }
        let next = tokio::time::timeout(Duration::from_millis(milliseconds), self.next()).await;
        next.ok().map(|message| message.expect("no close"))
    }

    /// Likewise, or how the server closed instead.
    pub async fn heard_within(&mut self, milliseconds: u64) -> Result<Option<Value>, Closed> {
        if let Some(early) = self.early.pop_front() {
            return Ok(Some(early));
        }
        let next = tokio::time::timeout(Duration::from_millis(milliseconds), self.next()).await;
        let heard = next.map_or(Ok(None), |message| message.map(Some));
        heard.map_err(|closed| closed.expect("a close frame"))
    }

    /// The next message, which is of this type.
    pub async fn hear_a(&mut self, kind: &str) -> Value {
        let message = self.hear().await;
        assert_eq!(message["type"], kind, "{message}");
        message
    }

    /// The next message is an event of this type with this data.
    pub async fn event(&mut self, kind: &str, data: Value) -> Value {
        let message = self.hear().await;
        let found = (message["type"].as_str().unwrap(), &message["data"]);
        assert_eq!(found, (kind, &data), "{message}");
        message
    }

    /// Likewise, where it may take so many seconds.
    pub async fn event_within(&mut self, seconds: u64, kind: &str, data: Value) {
        assert_eq!(self.early, [] as [Value; 0]);
        let next = tokio::time::timeout(Duration::from_secs(seconds), self.next()).await;
        let message = next.expect("an event").expect("no close");
        assert_eq!((message["type"].as_str().unwrap(), &message["data"]), (kind, &data));
    }

    /// The next message, or how the server closed instead.
    pub async fn next_or_close(&mut self) -> Result<Value, Closed> {
        soon("a message", self.next()).await.map_err(|closed| closed.expect("a close frame"))
    }

    /// Sends a request and waits for its answer. What else comes is kept.
    pub async fn ask(&mut self, mut message: Value) -> Value {
        self.requests += 1;
        message["request"] = self.requests.into();
        self.say(message.clone()).await;
        loop {
            match soon("an answer", self.next()).await {
                Ok(answer) if answer["request"] == self.requests => return answer,
                Ok(other) => self.early.push_back(other),
                Err(closed) => panic!("closed instead of answering {message}: {closed:?}"),
            }
        }
    }

    /// Sends a request that is carried out.
    pub async fn ok(&mut self, message: Value) -> Value {
        let answer = self.ask(message).await;
        assert_eq!(answer["type"], "ok", "{answer}");
        answer
    }

    /// Sends a request that is refused so.
    pub async fn refused(&mut self, message: Value, code: &str) -> Value {
        let answer = self.ask(message).await;
        assert_eq!((&answer["type"], &answer["code"]), (&"error".into(), &code.into()), "{answer}");
        answer
    }

    /// The next word of an outage: whether what the nodes share is away. What else comes is kept, but for bytes.
    pub async fn outage(&mut self) -> bool {
        while self.outages.is_empty() {
            match soon("a word of an outage", self.next_or_outage()).await {
                Ok(Heard::Text(told)) if told["type"] == "degraded" => {
                    return told["degraded"].as_bool().unwrap();
                }
                Ok(Heard::Text(other)) => self.early.push_back(other),
                Ok(Heard::Bytes(_)) => {}
                Err(closed) => panic!("closed instead of a word of an outage: {closed:?}"),
            }
        }
        self.outages.pop_front().unwrap()
    }

    /// Nothing comes for so long.
    pub async fn hears_nothing_for(&mut self, milliseconds: u64) {
        assert_eq!(self.early, [] as [Value; 0]);
        let next = tokio::time::timeout(Duration::from_millis(milliseconds), self.next()).await;
        if let Ok(next) = next {
            panic!("{next:?} came");
        }
    }

    /// Waits until the server closes, whatever it says before.
    pub async fn closed(&mut self) -> Closed {
        self.closed_within(SOON).await
    }

    pub async fn closed_within(&mut self, time: Duration) -> Closed {
        let closed = async {
            loop {
                if let Err(closed) = self.next().await {
                    return closed;
                }
            }
        };
        let closed = tokio::time::timeout(time, closed).await.expect("the close in time");
        let closed = closed.expect("closed without a close frame");
        // The answering close frame is on its way; the server ends the connection then.
        let _ = soon("the end", self.stream.next()).await;
        closed
    }

    /// Leaves with a word.
    pub async fn leave(mut self) {
        self.say(json!({"type": "disconnect"})).await;
        assert_eq!(self.closed().await.code, 1000);
    }

    /// Closes the connection by a close frame, as a page does in `pagehide`.
    pub async fn goes(mut self) {
        self.stream.close(None).await.unwrap();
        while soon("the end", self.stream.next()).await.is_some_and(|next| next.is_ok()) {}
    }

    /// Watches a visitor: the number of his sockets if he is connected.
    pub async fn watch(&mut self, visitor: &str) -> Option<u64> {
        self.ok(json!({"type": "watch", "visitorid": visitor})).await;
        self.present().await
    }

    /// The state that follows an attachment.
    pub async fn present(&mut self) -> Option<u64> {
        let connected = self.hear_a("visitorconn").await;
        let sockets = self.hear_a("visitorsock").await;
        assert!(connected["present"] == true && sockets["present"] == true, "{sockets}");
        let is_connected = connected["data"]["connected"].as_bool().unwrap();
        is_connected.then(|| sockets["data"]["sockets"].as_u64().unwrap())
    }

    /// Sends a signal: its id.
    pub async fn signal(&mut self, visitor: &str, data: Value) -> String {
        let signal = json!({"type": "signal", "visitorid": visitor, "data": data});
        let ok = self.ok(signal).await;
        assert_eq!(ok["outcome"], "held", "{ok}");
        ok["id"].as_str().unwrap().to_owned()
    }

    /// Gets the signal with this data, and acknowledges it: its id.
    pub async fn gets(&mut self, data: Value) -> String {
        let signal = self.hear_a("signal").await;
        assert_eq!(signal["data"], data, "{signal}");
        let id = signal["id"].as_str().unwrap().to_owned();
        self.ok(json!({"type": "ack", "ids": [id]})).await;
        id
    }

    /// The outcome that the server tells next is this one.
    pub async fn outcome(&mut self, id: &str, outcome: &str) {
        let told = self.hear_a("signaloutcome").await;
        assert_eq!(told["data"], json!({"id": id, "outcome": outcome}), "{told}");
    }
}

/// A page that is about to open.
pub struct Page<'a> {
    server: &'a Server,
    group: &'a str,
    origin: &'a str,
    hello: Value,
}

impl Page<'_> {
    pub fn hidden(mut self) -> Self {
        self.hello["visible"] = false.into();
        self
    }

    pub fn reporting_only(mut self) -> Self {
        self.hello["listen"] = false.into();
        self
    }

    pub fn having_seen(mut self, ids: &[&str]) -> Self {
        self.hello["seen"] = json!(ids);
        self
    }

    pub fn telling(mut self, data: Value) -> Self {
        self.hello["data"] = data;
        self
    }

    pub fn of_group(mut self, group: &'static str, origin: &'static str) -> Self {
        (self.group, self.origin) = (group, origin);
        self
    }

    /// Opens the socket and says hello.
    pub async fn greets(self) -> Socket {
        let path = format!("/v1/visitor?group={}", self.group);
        let mut socket = Socket::open(self.server, &path, Some(self.origin)).await;
        socket.say(self.hello).await;
        socket
    }

    /// Opens the socket and is welcome.
    pub async fn opens(self) -> Socket {
        let mut socket = self.greets().await;
        socket.welcome = socket.hear_a("welcome").await;
        socket
    }
}

impl Server {
    /// A visible page of a visitor in a tab.
    pub fn page(&self, visitor: &str, tab: &str) -> Page<'_> {
        static PAGES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let page = PAGES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let hello = json!({"type": "hello", "visitorid": visitor, "tab": tab,
            "page": format!("page-{page}"), "visible": true});
        Page { server: self, group: GROUP, origin: SHOP, hello }
    }

    /// An agent who may do everything.
    pub async fn agent(&self) -> Socket {
        self.agent_with(&Self::token()).await
    }

    pub async fn agent_with(&self, token: &str) -> Socket {
        let mut socket = Socket::open(self, "/v1/agent", None).await;
        socket.say(json!({"type": "hello", "token": token})).await;
        socket.welcome = socket.hear_a("welcome").await;
        socket
    }
}
