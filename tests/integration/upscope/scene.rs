//! What a client of Upscope's REST interface does.

use serde_json::{Value, json};

use crate::support::{Server, server::API_KEY};

/// Asks with these headers: the status and the body, as JSON or as text.
pub async fn call(
    server: &Server,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: Option<Value>,
) -> (u16, Value) {
    let url = format!("http://{}{path}", server.address());
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

impl Server {
    pub async fn upscope(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        call(self, (method, path), &[("x-api-key", API_KEY)], body).await
    }

    /// The short ids of those whom a search finds, in their order.
    pub async fn finds(&self, search: &str) -> Vec<String> {
        let query: String = form_urlencoded::byte_serialize(search.as_bytes()).collect();
        let (status, found) =
            self.upscope("GET", &format!("/v1.3/list?search={query}"), None).await;
        assert_eq!((status, &found["status"]), (200, &json!("ok")), "{search}: {found}");
        let id = |visitor: &Value| visitor["short_id"].as_str().unwrap().to_owned();
        found["visitors"].as_array().unwrap().iter().map(id).collect()
    }

    /// A new link to a visitor's page: its ticket.
    pub async fn watch_url(&self, visitor: &str, body: Value) -> String {
        let path = format!("/v1.3/visitors/{visitor}/watch_url");
        let (status, link) = self.upscope("POST", &path, Some(body)).await;
        assert_eq!((status, &link["status"]), (200, &json!("ok")), "{link}");
        let base = format!("http://{}/watch/", self.address());
        link["watch_url"].as_str().unwrap().strip_prefix(&base).unwrap().to_owned()
    }
}

pub fn ann() -> Value {
    json!({"id": "agent-7", "name": "Ann"})
}

/// What a page of theirs says of its visitor.
pub fn of_ada() -> Value {
    json!({
        "uniqueId": "customer-7", "identities": r#"["Ada Lovelace","ada@example.com"]"#, "tags": r##"["#VIP","#BETA"]"##,
        "integrationIds": r#"["crm:42"]"#, "url": "https://shop.example/cart", "browser": "Chrome", "platform": "Windows",
    })
}
