//! What is asked of a server by HTTP: its figures, and REST.

use std::{net::TcpStream, time::Duration};

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};

use super::{GROUP, SIGNING_KEY, Server};
use crate::support::{SOON, soon};

const EVERY_SCOPE: &str = "read signal invoke session control topics";

impl Server {
    /// GET, on a connection of its own. Works where nothing can be awaited.
    pub fn get(&self, path: &str) -> (u16, String) {
        self.try_get(path).unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.log()))
    }

    pub fn try_get(&self, path: &str) -> std::io::Result<(u16, String)> {
        let answer =
            self.exchange(&format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", self.address))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.unwrap_or_default(), body.to_owned()))
    }

    /// Sends a request, whose head this ends: the whole answer as it stands.
    pub fn exchange(&self, head: &str) -> std::io::Result<String> {
        self.exchange_whole(&format!("{head}connection: close\r\n\r\n"))
    }

    /// Sends a request that asks for the connection's end: the whole answer as it stands.
    pub fn exchange_whole(&self, request: &str) -> std::io::Result<String> {
        let stream = TcpStream::connect_timeout(&self.address, SOON)?;
        stream.set_read_timeout(Some(SOON))?;
        let mut answer = Vec::new();
        match &self.authority {
            None => converse(stream, request, &mut answer)?,
            Some(authority) => converse(authority.secure(stream), request, &mut answer)?,
        }
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    /// A figure of `/metrics`, as in `sockets_open{kind="agent"}`.
    pub fn figure(&self, name: &str) -> f64 {
        let (_, metrics) = self.get("/metrics");
        figure(&metrics, name).unwrap_or_else(|| panic!("no figure {name} in\n{metrics}"))
    }

    /// Waits until a figure is that one: what is counted may be counted behind the answer.
    pub async fn comes_to(&self, name: &str, value: f64) {
        let end = tokio::time::Instant::now() + SOON;
        loop {
            let now = self.figure(name);
            if now.to_bits() == value.to_bits() {
                return;
            }
            assert!(tokio::time::Instant::now() < end, "{name} is {now}, not {value}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// A token for `group` with `scope`, which lives for `seconds`.
    pub fn token_of(group: &str, scope: &str, seconds: i64) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        let claims = json!({
            "iss": "vestibule", "aud": "vestibule", "sub": "agent-7", "name": "Grace", "jti": "1",
            "group": group, "scope": scope, "iat": now - 10, "exp": now + seconds,
        });
        let key = EncodingKey::from_secret(SIGNING_KEY.as_bytes());
        jsonwebtoken::encode(&Header::default(), &claims, &key).unwrap()
    }

    /// A token that allows everything in the first group.
    pub fn token() -> String {
        Self::token_of(GROUP, EVERY_SCOPE, 3_600)
    }

    /// A REST call with that token: the status and the body.
    pub async fn rest(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.rest_as(&Self::token(), method, path, body, &[]).await
    }

    pub async fn rest_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        self.rest_over(&reqwest::Client::new(), token, method, path, body, headers).await
    }

    /// Likewise, over the connections of this client.
    pub async fn rest_over(
        &self,
        client: &reqwest::Client,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> (u16, Value) {
        let url = format!("http://{}{path}", self.address);
        let mut request = client.request(method.parse().unwrap(), url).bearer_auth(token);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = soon(path, request.send()).await.unwrap();
        let status = answer.status().as_u16();
        if status == 204 {
            return (status, Value::Null);
        }
        let kind = answer.headers()["content-type"].clone();
        let expected = if status < 400 { "application/json" } else { "application/problem+json" };
        assert_eq!(kind, expected, "{method} {path}");
        (status, answer.json().await.unwrap())
    }
}

fn converse(
    mut stream: impl std::io::Read + std::io::Write,
    request: &str,
    answer: &mut Vec<u8>,
) -> std::io::Result<()> {
    stream.write_all(request.as_bytes())?;
    stream.read_to_end(answer).map(drop)
}

pub(super) fn figure(metrics: &str, name: &str) -> Option<f64> {
    let line = format!("vestibule_{name} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)?.parse().ok())
}
