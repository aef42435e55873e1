//! An identity provider that publishes its keys over HTTP, well or badly.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

pub struct Issuer {
    address: SocketAddr,
    answer: Arc<Mutex<Vec<u8>>>,
    asked: Arc<AtomicUsize>,
    accepting: JoinHandle<()>,
}

impl Issuer {
    /// One that publishes this document.
    pub async fn publishing(document: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, asked) = (Arc::default(), Arc::default());
        let (shown, count) = (Arc::clone(&answer), Arc::clone(&asked));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shown), Arc::clone(&count)));
            }
        });
        let issuer = Self { address, answer, asked, accepting };
        issuer.publish(document);
        issuer
    }

    /// Publishes another document.
    pub fn publish(&self, document: &Value) {
        self.answer("200 OK", "content-type: application/json\r\n", &document.to_string());
    }

    /// Answers with this from now on.
    pub fn answer(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\n\r\n{body}");
        *self.answer.lock().unwrap() = answer.into_bytes();
    }

    pub fn url(&self) -> String {
        format!("http://{}/jwks.json?key=a-planted-key", self.address)
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Vec<u8>>>, asked: Arc<AtomicUsize>) {
    let (mut request, mut chunk) = (Vec::new(), [0; 1_024]);
    while let Ok(read @ 1..) = stream.read(&mut chunk).await {
        request.extend_from_slice(&chunk[..read]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        assert!(request.starts_with(b"GET /jwks.json?key=a-planted-key HTTP/1.1\r\n"));
        request.clear();
        asked.fetch_add(1, Ordering::SeqCst);
        let answer = answer.lock().unwrap().clone();
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}
