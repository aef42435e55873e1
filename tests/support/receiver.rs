//! A back end that takes webhooks, or does not.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::Value;
use sha2::Sha256;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinHandle,
};

use super::soon;

/// Two secrets, as when they are being changed.
pub const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const NEXT_SECRET: &str = "whsec_bmV4dCBzZWNyZXQgb2YgdGhlIHdlYmhvb2s=";

/// A request as it came, and the status that it was answered with.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub headers: HashMap<String, String>,
    pub text: String,
    pub body: Value,
    pub status: u16,
}

impl Delivery {
    pub fn id(&self) -> &str {
        self.body["id"].as_str().unwrap()
    }

    pub fn visitor(&self) -> &str {
        self.body["visitorid"].as_str().unwrap()
    }

    pub fn sequence(&self) -> u64 {
        self.body["sequence"].as_u64().unwrap()
    }

    /// Checks the signature as the receivers' libraries do, by either secret.
    pub fn verify(&self, secret: &str) {
        let header = |name: &str| self.headers.get(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(header("webhook-id"), self.id());
        assert_eq!(header("content-type"), "application/json");
        let timestamp = header("webhook-timestamp");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(timestamp.parse::<u64>().unwrap().abs_diff(now) < 60, "{timestamp}");
        let key = BASE64_STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(format!("{}.{timestamp}.{}", self.id(), self.text).as_bytes());
        let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
        let signatures = header("webhook-signature");
        assert!(signatures.split(' ').any(|signature| signature == expected), "{signatures}");
    }
}

/// How a request is answered.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub after: Duration,
    pub headers: String,
}

pub fn status(status: u16) -> Answer {
    Answer { status, ..Answer::default() }
}

type Script = dyn Fn(&Delivery) -> Answer + Send + Sync;

pub struct Receiver {
    pub address: SocketAddr,
    arrived: mpsc::UnboundedReceiver<Delivery>,
    accepting: JoinHandle<()>,
}

impl Receiver {
    /// Takes everything.
    pub async fn open() -> Self {
        Self::answering(|_| status(204)).await
    }

    /// Answers as `script` says.
    pub async fn answering(script: impl Fn(&Delivery) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, arrived) = mpsc::unbounded_channel();
        let script: Arc<Script> = Arc::new(script);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), sender.clone()));
            }
        });
        Self { address, arrived, accepting }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook?key=a-planted-key", self.address)
    }

    /// The next request, whatever it was answered with.
    pub async fn next(&mut self) -> Delivery {
        soon("a webhook", self.arrived.recv()).await.unwrap()
    }

    /// The next request that was taken.
    pub async fn taken(&mut self) -> Delivery {
        loop {
            let delivery = self.next().await;
            if delivery.status < 300 {
                return delivery;
            }
        }
    }

    /// Whether something is there already.
    pub fn is_idle(&mut self) -> bool {
        self.arrived.is_empty()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(stream: TcpStream, script: Arc<Script>, sender: mpsc::UnboundedSender<Delivery>) {
    let mut stream = BufReader::new(stream);
    while let Some(mut delivery) = request(&mut stream).await {
        let Answer { status, after, headers } = script(&delivery);
        delivery.status = status;
        let _ = sender.send(delivery);
        tokio::time::sleep(after).await;
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\n{headers}\r\n");
        if stream.get_mut().write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn request(stream: &mut BufReader<TcpStream>) -> Option<Delivery> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
    assert!(line.starts_with("POST /"), "{line}");
    let mut headers = HashMap::new();
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    stream.read_exact(&mut body).await.ok()?;
    let text = String::from_utf8(body).unwrap();
    let body = serde_json::from_str(&text).unwrap();
    Some(Delivery { headers, text, body, status: 0 })
}
