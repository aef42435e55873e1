//! REST about visitors and signals: what is read, what is refused, and in which form.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Raw, Server, server::GROUP};

#[tokio::test]
async fn a_visitor_reads_as_the_protocol_says() {
    let server = Server::start();
    let page = server.page("ada", "t").telling(json!({"a": 1})).opens().await;
    let (status, ada) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
    assert_eq!(status, 200);
    let keys: Vec<_> = ada.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = [
        "visitorid",
        "group",
        "anonymous",
        "connected",
        "epoch",
        "sequence",
        "since",
        "updated",
        "sockets",
        "visibility",
        "terms",
        "help",
        "data",
        "tabs",
        "held",
        "uniqueid",
        "address",
    ];
    expected.sort_unstable();
    assert_eq!(keys, expected);
    assert_eq!((&ada["epoch"], &ada["anonymous"]), (&page.welcome["epoch"], &json!(false)));
    let tab = &ada["tabs"][0];
    assert_eq!(
        (&tab["tab"], &tab["focus"], &tab["listening"]),
        (&json!("t"), &json!(true), &json!(true))
    );
    let (status, problem) = server.rest("GET", "/v1/groups/12345/visitors/bob", None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("visitornotpresent")));
    drop(page);
    crate::support::until("transit", || server.figure("visitors_in_transit") == 1.0).await;
    let (_, ada) = server.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
    assert_eq!(
        (&ada["connected"], &ada["sockets"], &ada["tabs"]),
        (&json!(true), &json!(0), &json!([]))
    );
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let server = Server::with(&[("server.workers", "3")]);
    let mut sockets = Vec::new();
    for number in 0..25 {
        sockets.push(server.page(&format!("v{number:02}"), "t").opens().await);
    }
    let other = server.page("v99", "t").of_group("777", "https://other.example").opens().await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let path = format!("/v1/groups/12345/visitors?limit=10{cursor}");
        let (status, list) = server.rest("GET", &path, None).await;
        assert_eq!(status, 200, "{list}");
        pages += 1;
        for visitor in list["visitors"].as_array().unwrap() {
            seen.push(visitor["visitorid"].as_str().unwrap().to_owned());
        }
        match list["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<_> = (0..25).map(|number| format!("v{number:02}")).collect();
    assert_eq!((seen, pages), (expected, 3));
    for (query, field) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("cursor=%20", "cursor"),
        ("uniqueid=12", "uniqueid"),
        ("more=1", "more"),
        ("=1", "\"\""),
    ] {
        let (status, problem) =
            server.rest("GET", &format!("/v1/groups/12345/visitors?{query}"), None).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{query}: {problem}");
    }
    drop(other);
}

#[tokio::test]
async fn a_signal_by_rest_has_an_outcome() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let path = "/v1/groups/12345/visitors/ada/signals";
    let (status, sent) = server.rest("POST", path, Some(json!({"data": {"a": 1}}))).await;
    assert_eq!(
        (status, &sent["outcome"], &sent["visitorid"]),
        (202, &json!("held"), &json!("ada"))
    );
    let one = format!("{path}/{}", sent["id"].as_str().unwrap());
    assert_eq!(server.rest("GET", &one, None).await.1["outcome"], "held");
    page.gets(json!({"a": 1})).await;
    assert_eq!(
        server.rest("GET", &one, None).await,
        (
            200,
            json!({
        "id": sent["id"], "visitorid": "ada", "outcome": "delivered"})
        )
    );
    let unknown = format!("{path}/{}", "0".repeat(32));
    assert_eq!(server.rest("GET", &unknown, None).await.0, 404);
    let path = "/v1/groups/12345/visitors/bob/signals";
    let (status, problem) = server.rest("POST", path, Some(json!({"data": 1}))).await;
    assert_eq!((status, &problem["code"]), (404, &json!("visitornotpresent")));
}

#[tokio::test]
async fn errors_are_problems_with_a_code_and_a_field() {
    let server = Server::start();
    let signals = "/v1/groups/12345/visitors/ada/signals";
    let all = Server::token();
    let read = Server::token_of(GROUP, "read", 60);
    let other = Server::token_of("777", "read signal", 60);
    let expired = Server::token_of(GROUP, "read", -5);
    for (token, method, path, body, status, code, field) in [
        ("x", "GET", "/v1/groups/12345/visitors", None, 401, "authorization", None),
        (expired.as_str(), "GET", "/v1/groups/12345/visitors", None, 401, "authorization", None),
        (&other, "GET", "/v1/groups/12345/visitors", None, 403, "group", None),
        (&read, "POST", signals, Some(json!({"data": 1})), 403, "scope", None),
        (&all, "POST", signals, Some(json!({})), 400, "badrequest", Some("body")),
        (
            &all,
            "POST",
            signals,
            Some(json!({"data": 1, "target": "x"})),
            400,
            "badrequest",
            Some("target"),
        ),
        (
            &all,
            "POST",
            signals,
            Some(json!({"data": 1, "more": 1})),
            400,
            "badrequest",
            Some("more"),
        ),
        (
            &all,
            "GET",
            "/v1/groups/12345/visitors/a%20b",
            None,
            400,
            "badrequest",
            Some("visitorid"),
        ),
        (&all, "GET", "/v1/groups/x/visitors", None, 400, "badrequest", Some("group")),
        (
            &all,
            "GET",
            "/v1/groups/12345/visitors/ada/signals/1",
            None,
            400,
            "badrequest",
            Some("id"),
        ),
        (&all, "GET", "/v1/nothing", None, 404, "notfound", None),
    ] {
        let (found, problem) = server.rest_as(token, method, path, body, &[]).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{method} {path}: {problem}");
        assert_eq!(problem["field"].as_str(), field, "{method} {path}: {problem}");
        assert_eq!(problem["status"], status);
        assert_eq!(problem["type"], format!("urn:vestibule:error:{code}"));
    }
    let large = json!({"data": "x".repeat(200_000)});
    let (status, problem) = server.rest("POST", signals, Some(large)).await;
    assert_eq!((status, &problem["code"]), (413, &json!("toolarge")));
    // A page of a foreign origin may not even with a token.
    let headers = [("origin", "https://evil.example")];
    let (status, problem) =
        server.rest_as(&all, "GET", "/v1/groups/12345/visitors", None, &headers).await;
    assert_eq!((status, &problem["code"]), (403, &json!("origin")));
    assert_eq!(server.get("/v1/groups/12345/visitors").0, 401);
}

#[tokio::test]
async fn only_agents_pages_may_read_the_answers() {
    let server = Server::start();
    for (origin, allowed) in [("https://desk.example", true), ("https://shop.example", false)] {
        let mut raw = Raw::connect(&server).await;
        let answer = raw
            .request(&format!(
                "OPTIONS /v1/groups/12345/visitors HTTP/1.1\r\nhost: x\r\norigin: {origin}\r\n\
                 access-control-request-method: GET\r\naccess-control-request-headers: authorization\r\n\r\n"
            ))
            .await;
        let granted = answer.contains(&format!("access-control-allow-origin: {origin}"));
        assert_eq!(granted, allowed, "{answer}");
    }
}

#[tokio::test]
async fn operations_answer() {
    let server = Server::start();
    assert_eq!(server.get("/healthz"), (200, r#"{"status":"ok"}"#.to_owned()));
    assert_eq!(server.get("/readyz"), (200, r#"{"status":"ready"}"#.to_owned()));
    assert!(server.get("/metrics").1.ends_with("# EOF\n"));
    for document in ["/openapi.json", "/asyncapi.json"] {
        let (status, text) = server.get(document);
        assert_eq!(status, 200);
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
    }
}

/// What a proxy relies on that keeps its connections for the next request.
#[tokio::test]
async fn a_connection_stays_open_between_requests_as_long_as_the_settings_say() {
    let server = Server::with(&[("server.keep_alive_ms", "1500")]);
    let mut connection = Raw::connect(&server).await;
    let started = Instant::now();
    for _ in 0..2 {
        // The body of the answer before stands in front of the second.
        let answer = connection.request("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        assert!(answer.contains("HTTP/1.1 200 "), "{answer}");
    }
    connection.ends().await;
    // The HTTP library's clock may be half a second behind.
    assert!(started.elapsed() >= Duration::from_millis(1_000), "{:?}", started.elapsed());
}
