//! The two ends of a co-browse session: a page that shows, an agent who views.

use serde_json::{Value, json};

use super::{
    Server,
    client::{Heard, Socket},
    server::SHOP,
};

/// A part of a stream as it comes over the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub epoch: u32,
    pub key_frame: bool,
    pub payload: String,
}

impl Part {
    pub fn key_frame(epoch: u32, payload: &str) -> Self {
        Self { epoch, key_frame: true, payload: payload.to_owned() }
    }

    pub fn more(epoch: u32, payload: &str) -> Self {
        Self { epoch, key_frame: false, payload: payload.to_owned() }
    }

    /// Not deflated.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![u8::from(self.key_frame)];
        bytes.extend(self.epoch.to_be_bytes());
        bytes.extend(u32::try_from(self.payload.len()).unwrap().to_be_bytes());
        bytes.extend(self.payload.as_bytes());
        bytes
    }

    pub fn read(bytes: &[u8]) -> Self {
        let envelope = vestibule::cobrowse::envelope::Envelope::read(bytes, 1 << 24).unwrap();
        Self {
            epoch: envelope.epoch,
            key_frame: envelope.key_frame,
            payload: String::from_utf8(envelope.payload.to_vec()).unwrap(),
        }
    }
}

/// A session in which an agent sees the visitor's page.
pub struct Shown {
    pub session: String,
    /// The visitor's page, what told it to record, and its stream, which has sent its picture.
    pub page: Socket,
    pub record: Value,
    pub stream: Socket,
    pub viewer: Socket,
}

/// What the pages of these tests look like.
pub const PICTURE: &str = r#"[{"type":2,"data":"the whole page"}]"#;

/// A session that an agent began: its id, and the ticket to view it.
pub struct Begun {
    pub session: String,
    pub ticket: String,
}

impl Server {
    /// Begins a session as an agent does.
    pub async fn begins_session(&self, visitor: &str) -> Begun {
        let (status, body) = self
            .rest("POST", "/v1/groups/12345/sessions", Some(json!({"visitorid": visitor})))
            .await;
        assert_eq!(status, 201, "{body}");
        let text = |key: &str| body[key].as_str().unwrap().to_owned();
        assert_eq!(text("watch_url"), format!("/watch/#{}", text("ticket")));
        Begun { session: text("session"), ticket: text("ticket") }
    }

    /// A visitor's page that an agent asks to see: the session, the page, and the agent, who waits.
    pub async fn asked(&self, visitor: &str) -> (Begun, Socket, Socket) {
        let mut page = self.page(visitor, "t").opens().await;
        let begun = self.begins_session(visitor).await;
        page.enters(&begun.session, "cart").await;
        let viewer = self.views(&begun.ticket, "w").await;
        (begun, page, viewer)
    }

    /// A visitor's page that an agent sees.
    pub async fn shown(&self, visitor: &str) -> Shown {
        let (Begun { session, .. }, mut page, mut viewer) = self.asked(visitor).await;
        page.agrees().await;
        let record = page.waits_for("record").await;
        let mut stream = self.shows(&record).await;
        let picture = Part::key_frame(1, PICTURE);
        stream.sends(&picture).await;
        assert_eq!(viewer.sees().await, picture);
        Shown { session, page, record, stream, viewer }
    }

    /// Another ticket for a session.
    pub async fn ticket(&self, session: &str, permissions: Value) -> String {
        let path = format!("/v1/groups/12345/sessions/{session}/tickets");
        let (status, body) =
            self.rest("POST", &path, Some(json!({"permissions": permissions}))).await;
        assert_eq!(status, 201, "{body}");
        body["ticket"].as_str().unwrap().to_owned()
    }

    /// How a session stands: `running` or `over`.
    pub async fn session(&self, session: &str) -> Value {
        let path = format!("/v1/groups/12345/sessions/{session}");
        let (status, body) = self.rest("GET", &path, None).await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// A stream's socket that has said hello.
    pub async fn opens_stream(&self, ticket: &str, tab: &str) -> Socket {
        let mut socket = Socket::open(self, "/v1/stream", None).await;
        socket.say(json!({"type": "hello", "ticket": ticket, "tab": tab})).await;
        socket
    }

    /// An agent who takes his seat.
    pub async fn views(&self, ticket: &str, tab: &str) -> Socket {
        let mut socket = self.opens_stream(ticket, tab).await;
        socket.welcome = socket.hear_a("welcome").await;
        socket
    }

    /// A page that shows, by the ticket that it was given.
    pub async fn shows(&self, record: &Value) -> Socket {
        assert_eq!(record["on"], true, "{record}");
        let mut socket = Socket::open(self, "/v1/stream", Some(SHOP)).await;
        let ticket = &record["ticket"];
        socket.say(json!({"type": "hello", "ticket": ticket, "tab": "t"})).await;
        socket.welcome = socket.hear_a("welcome").await;
        socket
    }
}

impl Socket {
    /// Comes into a session with a page: the answer.
    pub async fn enters(&mut self, session: &str, page: &str) -> Value {
        let url = format!("https://shop.example/{page}");
        self.ok(json!({"type": "enter", "session": session, "url": url, "title": page})).await
    }

    /// The visitor agrees to be seen.
    pub async fn agrees(&mut self) {
        self.ok(json!({"type": "consent", "to": "view", "given": true})).await;
    }

    pub async fn sends(&mut self, part: &Part) {
        self.say_bytes(part.bytes()).await;
    }

    /// The next part of the stream; what is told before is dropped.
    pub async fn sees(&mut self) -> Part {
        loop {
            if let Heard::Bytes(bytes) = self.hear_anything().await {
                return Part::read(&bytes);
            }
        }
    }

    /// The next event of this kind; other messages before it are dropped.
    pub async fn told(&mut self, what: &str) -> Value {
        loop {
            if let Heard::Text(message) = self.hear_anything().await
                && message["type"] == "sessionevent"
                && message["event"]["what"] == what
            {
                return message["event"].clone();
            }
        }
    }

    /// The next message of this type; others before it are dropped.
    pub async fn waits_for(&mut self, kind: &str) -> Value {
        loop {
            if let Heard::Text(message) = self.hear_anything().await
                && message["type"] == kind
            {
                return message;
            }
        }
    }
}
