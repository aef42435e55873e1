//! Plain HTTP: requests and their heads.

use std::time::Instant;

use serde_json::{Value, json};

use super::limited;
use crate::support::{
    Raw, Server,
    server::{API_KEY, DESK, GROUP},
    until,
};

#[tokio::test]
async fn requests_are_limited_by_address_and_by_subject() {
    let server = Server::with(&[
        ("limits.requests_per_second", "5"),
        ("server.trusted_proxies", "127.0.0.1"),
    ]);
    let list = "/v1/groups/12345/visitors";
    let ask = async |client: &str| {
        let url = format!("http://{}{list}", server.address());
        let client = reqwest::Client::new().get(url).header("x-forwarded-for", client);
        client.header("origin", DESK).bearer_auth(Server::token()).send().await.unwrap()
    };
    let mut limited_answer = None;
    for _ in 0..20 {
        let answer = ask("203.0.113.1").await;
        if answer.status() == 429 {
            limited_answer = Some(answer);
            break;
        }
    }
    let answer = limited_answer.expect("twenty at once are too many");
    assert_eq!(answer.headers()["retry-after"], "1");
    assert_eq!(answer.headers()["content-type"], "application/problem+json");
    assert_eq!(answer.headers()["access-control-allow-origin"], DESK, "the page's script sees it");
    let problem: Value = answer.json().await.unwrap();
    assert_eq!(problem["code"], "ratelimited");
    assert!(problem["retry_ms"].as_u64().unwrap() <= 200, "{problem}");
    assert_eq!(ask("203.0.113.2").await.status(), 200, "another client has his own");
    assert_eq!(server.get("/healthz").0, 200);
    assert!(limited(&server, "request") >= 1.0);
    drop(server);

    let server = Server::with(&[("limits.requests_per_second_per_subject", "3")]);
    let mut statuses = Vec::new();
    for _ in 0..12 {
        statuses.push(server.rest("GET", list, None).await.0);
    }
    assert!(statuses.starts_with(&[200, 200, 200]) && statuses.contains(&429), "{statuses:?}");
    assert!(limited(&server, "request_of_subject") >= 1.0);
    // Another subject, through another door, is not touched.
    let wish = json!({"group": GROUP, "subject": "other"});
    let (status, token) = server.rest_as(API_KEY, "POST", "/v1/tokens", Some(wish), &[]).await;
    assert_eq!(status, 201);
    let token = token["token"].as_str().unwrap();
    assert_eq!(server.rest_as(token, "GET", list, None, &[]).await.0, 200);
}

#[tokio::test]
async fn heads_of_requests_are_bounded_in_time_size_and_number() {
    let server = Server::with(&[("limits.head_timeout_ms", "2000")]);
    let mut slow = Raw::connect(&server).await;
    slow.send(b"GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    let started = Instant::now();
    let answer = slow.request("x: y").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    // By the setting, and not after the 10 s that are usual.
    let time = started.elapsed().as_millis();
    assert!((1_000..9_000).contains(&time), "{time} ms");
    slow.ends().await;

    let mut many = Raw::connect(&server).await;
    let headers: String = (0..97).map(|n| format!("x{n}: y\r\n")).collect();
    let answer = many.request(&format!("GET /healthz HTTP/1.1\r\n{headers}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    let mut large = Raw::connect(&server).await;
    let head = format!("GET /healthz HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(200_000));
    let _ = large.try_send(head.as_bytes()).await;
    large.ends().await;
    // Two seconds may be short for a head on a busy machine.
    until("an answer to others", || server.get("/healthz").0 == 200).await;
}
