//! Hostile clients: bytes over TCP, without any library that would keep the rules.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
};

use super::{
    Closed, Server,
    server::{GROUP, SHOP},
    soon,
};

pub const TEXT: u8 = 0x81;
pub const TEXT_BEGINS: u8 = 0x01;
pub const CONTINUES: u8 = 0x00;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;

/// A masked frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = head(first, payload.len() as u64);
    let key = [1, 2, 3, 4];
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// The head of a masked frame, with its key.
pub fn head(first: u8, length: u64) -> Vec<u8> {
    let mut head = vec![first];
    match length {
        0..126 => head.push(0x80 | length as u8),
        126..65_536 => {
            head.push(0x80 | 126);
            head.extend((length as u16).to_be_bytes());
        }
        _ => {
            head.push(0x80 | 127);
            head.extend(length.to_be_bytes());
        }
    }
    head.extend([1, 2, 3, 4]);
    head
}

/// The masked text frame of a visitor's hello.
pub fn hello(visitor: &str, tab: &str) -> Vec<u8> {
    let hello = serde_json::json!({"type": "hello", "visitorid": visitor, "tab": tab, "page": tab,
        "visible": true});
    frame(TEXT, hello.to_string().as_bytes())
}

pub struct Raw {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Raw {
    pub async fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, unread: Vec::new() }
    }

    /// A client whose kernel takes only few bytes that it does not read.
    pub async fn connect_narrow(server: &Server) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(8 * 1024).unwrap();
        Self { stream: socket.connect(server.address()).await.unwrap(), unread: Vec::new() }
    }

    pub async fn send(&mut self, bytes: &[u8]) {
        soon("room to send", self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends as long as the server takes it: whether it took all.
    pub async fn try_send(&mut self, bytes: &[u8]) -> bool {
        soon("room to send", self.stream.write_all(bytes)).await.is_ok()
    }

    /// Ends the sending side only.
    pub async fn half_close(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    async fn fill(&mut self) -> bool {
        let mut bytes = vec![0; 64 * 1024];
        let read = soon("bytes", self.stream.read(&mut bytes)).await.unwrap_or(0);
        self.unread.extend(&bytes[..read]);
        read > 0
    }

    /// Sends a request's head as it stands: the head of the answer.
    pub async fn request(&mut self, head: &str) -> String {
        self.send(head.as_bytes()).await;
        loop {
            if let Some(end) = self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.unread.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            assert!(self.fill().await, "no answer to {head}");
        }
    }

    /// Reads the body that follows an answer's head.
    pub async fn skip_body(&mut self, body: &str) {
        while self.unread.len() < body.len() {
            assert!(self.fill().await, "the connection ended before {body}");
        }
        let found: Vec<u8> = self.unread.drain(..body.len()).collect();
        assert_eq!(String::from_utf8(found).unwrap(), body);
    }

    /// The handshake's text, for one who sends more behind it.
    pub fn handshake(path: &str, origin: Option<&str>) -> String {
        let origin = origin.map(|origin| format!("origin: {origin}\r\n")).unwrap_or_default();
        format!(
            "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n{origin}\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    }

    pub async fn upgrade(&mut self, path: &str, origin: Option<&str>) {
        let answer = self.request(&Self::handshake(path, origin)).await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "RFC 6455's example: {answer}");
    }

    /// A visitor's socket before its hello.
    pub async fn visitor(server: &Server) -> Self {
        let mut raw = Self::connect(server).await;
        raw.upgrade(&format!("/v1/visitor?group={GROUP}"), Some(SHOP)).await;
        raw
    }

    /// The next frame: its first byte and payload. `None` at the end of the connection.
    pub async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some(frame) = self.whole_frame() {
                return Some(frame);
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// A frame, if it is there already.
    pub fn frame_now(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut bytes = vec![0; 64 * 1024];
        if let Ok(read) = self.stream.try_read(&mut bytes) {
            self.unread.extend(&bytes[..read]);
        }
        self.whole_frame()
    }

    fn whole_frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let (&first, rest) = self.unread.split_first()?;
        let (&short, rest) = rest.split_first()?;
        assert_eq!(short & 0x80, 0, "a server does not mask");
        let (length, size) = match short {
            126 => (u64::from(u16::from_be_bytes(*rest.first_chunk()?)), 4),
            127 => (u64::from_be_bytes(*rest.first_chunk()?), 10),
            short => (u64::from(short), 2),
        };
        let whole = size + usize::try_from(length).unwrap();
        let payload = self.unread.get(size..whole)?.to_vec();
        self.unread.drain(..whole);
        Some((first, payload))
    }

    /// The next text frame's JSON.
    pub async fn hear(&mut self) -> Value {
        let (first, payload) = self.frame().await.expect("a frame");
        assert_eq!(first, TEXT, "{}", String::from_utf8_lossy(&payload));
        serde_json::from_slice(&payload).unwrap()
    }

    /// Reads until the close frame, and until the server ends the connection after it.
    pub async fn closed(&mut self) -> Closed {
        while let Some((first, payload)) = self.frame().await {
            if first == CLOSE {
                let (code, reason) = payload.split_first_chunk().unwrap();
                let code = u16::from_be_bytes(*code);
                while self.fill().await {}
                return Closed { code, reason: serde_json::from_slice(reason).unwrap() };
            }
        }
        panic!("the connection ended without a close frame")
    }

    /// Whether the server ends the connection, with a close frame or without.
    pub async fn ends(&mut self) {
        while self.fill().await {}
    }
}
