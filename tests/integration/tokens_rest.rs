//! `POST /v1/tokens`: an API key buys a token.

use serde_json::json;

use crate::support::{
    Server,
    server::{API_KEY, DESK, GROUP},
};

#[tokio::test]
async fn an_api_key_buys_a_token_that_works() {
    let server = Server::start();
    let wish =
        json!({"group": GROUP, "subject": "ann", "name": "Ann", "scope": "read", "minutes": 5});
    let (status, token) = server.rest_as(API_KEY, "POST", "/v1/tokens", Some(wish), &[]).await;
    assert_eq!(status, 201, "{token}");
    assert_eq!((&token["token_type"], &token["scope"]), (&json!("Bearer"), &json!("read")));
    assert_eq!((&token["group"], &token["expires_in"]), (&json!(GROUP), &json!(300)));
    let token = token["token"].as_str().unwrap();
    let agent = server.agent_with(token).await;
    assert_eq!((&agent.welcome["subject"], &agent.welcome["name"]), (&json!("ann"), &json!("Ann")));
    let list = server.rest_as(token, "GET", "/v1/groups/12345/visitors", None, &[]).await;
    assert_eq!(list, (200, json!({"visitors": [], "count": 0, "total": 0, "next": null})));
    // Topics are what was asked for.
    let topics = json!({"publish": ["a/#"], "subscribe": []});
    let wish = Some(json!({"group": GROUP, "subject": "bea", "topics": topics}));
    let (_, bea) = server.rest_as(API_KEY, "POST", "/v1/tokens", wish, &[]).await;
    let mut bea = server.agent_with(bea["token"].as_str().unwrap()).await;
    bea.ok(json!({"type": "publish", "topic": "a/b", "data": 1})).await;
    bea.refused(json!({"type": "publish", "topic": "b", "data": 1}), "scope").await;
    bea.refused(json!({"type": "subscribe", "filter": "a/b"}), "scope").await;
    // Without a wish, everything but `operate`, for an hour.
    let wish = Some(json!({"group": GROUP, "subject": "ann"}));
    let (_, token) = server.rest_as(API_KEY, "POST", "/v1/tokens", wish, &[]).await;
    assert_eq!(token["scope"], "read signal invoke session control topics");
    assert_eq!(token["expires_in"], 3_600);
    server.comes_to("tokens_issued_total", 3.0).await;
}

#[tokio::test]
async fn everything_else_buys_nothing() {
    let server = Server::start();
    let wish = json!({"group": GROUP, "subject": "ann"});
    let with = |key: &str, value: serde_json::Value| {
        let mut wish = wish.clone();
        wish[key] = value;
        wish
    };
    let other = "an-api-key-of-the-other-group";
    for (key, wish, status, code, field) in [
        ("nonsense", wish.clone(), 401, "authorization", None),
        (other, wish.clone(), 401, "authorization", None),
        (API_KEY, with("group", json!("777")), 401, "authorization", None),
        (API_KEY, with("group", json!("1")), 401, "authorization", None),
        (API_KEY, with("minutes", json!(121)), 400, "badrequest", Some("minutes")),
        (API_KEY, with("minutes", json!(0)), 400, "badrequest", Some("minutes")),
        (API_KEY, with("scope", json!("read everything")), 400, "badrequest", Some("scope")),
        (API_KEY, with("subject", json!("")), 400, "badrequest", Some("subject")),
        (API_KEY, with("more", json!(1)), 400, "badrequest", Some("more")),
        (
            API_KEY,
            with("topics", json!({"publish": ["a", "b+"]})),
            400,
            "badrequest",
            Some("topics.publish[1]"),
        ),
    ] {
        let (found, problem) = server.rest_as(key, "POST", "/v1/tokens", Some(wish), &[]).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{problem}");
        assert_eq!(problem["field"].as_str(), field, "{problem}");
    }
    let from = async |origin: &'static str| {
        let headers = [("origin", origin)];
        server.rest_as(API_KEY, "POST", "/v1/tokens", Some(wish.clone()), &headers).await.0
    };
    assert_eq!(from(DESK).await, 201);
    assert_eq!(from("https://evil.example").await, 403);
    server.comes_to("tokens_issued_total", 1.0).await;
}
