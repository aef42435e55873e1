//! Who may come in, and what for.

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    bayeux::{BASE, Polling, handshake, server, with_token},
    server::{DESK, GROUP},
    until,
};

async fn shake(server: &Server, headers: &[(&'static str, &str)], ext: Value) -> Value {
    let mut client = Polling::stranger(server);
    client.headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    let answer = client.send("", json!([handshake(&ext)])).await;
    assert_eq!(answer.status, 200);
    answer.messages.into_iter().next().unwrap()
}

#[tokio::test]
async fn nobody_comes_in_before_the_group_says_how() {
    let server = Server::with(&[("facades.default_group", GROUP)]);
    assert_eq!(shake(&server, &[], json!({})).await["error"], "403::Handshake denied");
    assert_eq!(shake(&server, &[], with_token()).await["error"], "403::Handshake denied");
    let response = Polling::stranger(&server).post("", None, "[]".into()).await;
    assert_eq!(response.status(), 403, "and no page of its agents");
}

#[tokio::test]
async fn in_token_mode_a_token_is_needed() {
    let server = server(&[("groups.0.facades.genesys", "token")]);
    assert_eq!(shake(&server, &[], json!({})).await["error"], "403::Handshake denied");
    assert_eq!(shake(&server, &[], with_token()).await["successful"], true);
    let foreign = json!({"token": Server::token_of("777", "session", 60)});
    assert_eq!(shake(&server, &[], foreign).await["successful"], false, "a group that is off");
    let ended = json!({"token": Server::token_of(GROUP, "session", -5)});
    assert_eq!(shake(&server, &[], ended).await["successful"], false);
}

#[tokio::test]
async fn broadcast_needs_a_token_that_allows_topics() {
    let server = server(&[]);
    for ext in [json!({}), json!({"token": Server::token_of(GROUP, "session control", 60)})] {
        let client = Polling::shaken(&server, ext).await;
        let answer = client.say("/meta/subscribe", json!({"subscription": "/a"})).await;
        assert_eq!(answer[0]["error"], "403:denied_by_security_policy:subscribe_denied");
        let answer = client.publish("/a", json!(1)).await;
        assert_eq!(answer[0]["error"], "403:denied_by_security_policy:publish denied");
    }
}

#[tokio::test]
async fn who_lives_by_a_token_ends_with_it() {
    let server = server(&[]);
    let token = Server::token_of(GROUP, "session", 2);
    let client = Polling::connected(&server, json!({"token": token})).await;
    let messages = client.connect(json!({})).await;
    assert_eq!(messages[0], json!({"channel": "/meta/disconnect", "successful": true}));
    assert_eq!(messages[1]["advice"]["reconnect"], "none");
    until("the end", || server.figure("bayeux_ended_total{reason=\"dismissed\"}") == 1.0).await;
}

#[tokio::test]
async fn pages_of_agents_may_read_with_cookies_and_no_others() {
    let server = server(&[]);
    let preflight = |origin: &str| {
        let head = format!(
            "OPTIONS {BASE}/handshake HTTP/1.1\r\nhost: localhost\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\naccess-control-request-headers: content-type\r\n"
        );
        server.exchange(&head).unwrap().to_ascii_lowercase()
    };
    let allowed = preflight(DESK);
    assert!(allowed.starts_with("http/1.1 200"), "{allowed}");
    assert!(allowed.contains(&format!("access-control-allow-origin: {DESK}")));
    assert!(allowed.contains("access-control-allow-credentials: true"));
    for origin in ["https://shop.example", "https://evil.example", "null"] {
        let refused = preflight(origin);
        assert!(!refused.contains("access-control-allow-origin"), "{refused}");
        assert!(!refused.contains("access-control-allow-credentials"), "{refused}");
        let mut client = Polling::stranger(&server);
        client.headers = vec![("origin", origin.to_owned())];
        assert_eq!(client.send("", json!([handshake(&json!({}))])).await.status, 403, "{origin}");
    }
    // Elsewhere cookies say nothing, and pages need not be able to send them.
    let elsewhere =
        server.exchange(&format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\norigin: {DESK}\r\n"));
    assert!(!elsewhere.unwrap().contains("access-control-allow-credentials"));
}

#[tokio::test]
async fn a_stolen_client_id_does_not_go_with_another_browser() {
    let server = server(&[]);
    let mut client = Polling::stranger(&server);
    let answer = client.send("", json!([handshake(&json!({}))])).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    client.client = answer.messages[0]["clientId"].as_str().unwrap().to_owned();
    let connects =
        async |client: &Polling| client.connect(json!({})).await[0]["successful"] == true;
    assert!(connects(&client).await, "some clients keep no cookies");
    client.headers.push(("cookie", cookie.to_owned()));
    assert!(client.publish("/service/x", json!(1)).await[0]["error"] != "402::Unknown client");
    client.headers.pop();
    client.headers.push(("cookie", format!("BAYEUX_BROWSER={}", "0".repeat(32))));
    assert!(!connects(&client).await);
}

#[tokio::test]
async fn where_the_cookie_is_required_the_id_alone_is_not_enough() {
    let server = server(&[("bayeux.require_cookie", "true")]);
    let mut client = Polling::stranger(&server);
    let answer = client.send("", json!([handshake(&json!({}))])).await;
    let cookie = answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap();
    client.client = answer.messages[0]["clientId"].as_str().unwrap().to_owned();
    assert_eq!(client.connect(json!({})).await[0]["successful"], false);
    client.headers.push(("cookie", cookie.to_owned()));
    assert_eq!(client.connect(json!({})).await[0]["successful"], true);
}

#[tokio::test]
async fn the_endpoint_can_be_switched_off() {
    let server = server(&[("facades.genesys", "false")]);
    let response = Polling::stranger(&server).post("", None, "[]".into()).await;
    assert_eq!(response.status(), 404);
}

#[tokio::test]
async fn who_is_not_trusted_any_more_is_not_taken_over() {
    // Whoever does not come again ends soon: with several nodes nobody looks after him before.
    let server = server(&[("bayeux.max_interval_ms", "5000")]);
    let known = |client: Polling| (client.client, client.headers);
    let by_code = known(Polling::connected(&server, json!({})).await);
    let by_token = known(Polling::connected(&server, with_token()).await);
    let soon_over = json!({"token": Server::token_of(GROUP, "session", 2)});
    let over = known(Polling::connected(&server, soon_over).await);
    let server = server.restarted_with(Stop::Terminate, &[("groups.0.facades.genesys", "token")]);
    let first = async |(client, headers): &(String, Vec<(&'static str, String)>)| {
        let mut again = Polling::stranger(&server);
        (again.client, again.headers) = (client.clone(), headers.clone());
        again.connect(json!({"advice": {"timeout": 0}})).await[0]["error"].clone()
    };
    assert_eq!(first(&by_code).await, "402::Unknown client", "a token is needed now");
    assert_eq!(first(&by_token).await, Value::Null);
    until("the token's end", || server.figure("bayeux_clients") == 1.0).await;
    assert_eq!(first(&over).await, "402::Unknown client");
    let server = server.restarted_with(Stop::Terminate, &[("groups.0.facades.genesys", "off")]);
    until("the others' end", || server.figure("bayeux_clients") == 0.0).await;
}
