//! Who may call, from where, and how often.

use serde_json::json;

use super::{Client, LIVE, call, new_session};
use crate::support::{
    Server,
    bayeux::server,
    server::{DESK, GROUP},
};

#[tokio::test]
async fn tokens_are_guessed_at_so_often_only() {
    let server = server(&[("limits.guesses_per_minute", "5")]);
    let mut client = Client::new(&server).await;
    let mut answers = Vec::new();
    for number in 0..7 {
        let wish = json!({"sessionToken": format!("10000000{number}"), "role": 3});
        answers.push(client.ask("join", wish).await.1["error"].as_str().unwrap().to_owned());
    }
    assert!(answers[..5].iter().all(|error| error.starts_with("404:")), "{answers:?}");
    assert!(answers[5..].iter().all(|error| error.starts_with("429:")), "{answers:?}");
    let path = format!("{LIVE}/sessions/123456789");
    assert_eq!(call(&server, "GET", &path, &[("origin", DESK)]).await.status, 429);
    server.comes_to("limited_total{what=\"guess\"}", 3.0).await;
}

#[tokio::test]
async fn who_knows_the_token_is_not_counted_as_a_guesser() {
    let server = server(&[("limits.guesses_per_minute", "5")]);
    let token = new_session(&server).await;
    let mut controller = Client::new(&server).await;
    let find = async |token: &str| {
        let path = format!("{LIVE}/sessions/{token}");
        call(&server, "GET", &path, &[("origin", DESK)]).await.status
    };
    let sit = async |token: &str| {
        let path = format!("{LIVE}/sessions/{token}/seats");
        call(&server, "POST", &path, &[("origin", DESK)]).await.status
    };
    for round in 0..5 {
        for _ in 0..3 {
            assert_eq!((find(&token).await, sit(&token).await), (200, 200), "round {round}");
        }
        controller.join(&token, 3).await;
        // What he knows does not make up for what he guesses in between.
        assert_eq!(find("123456789").await, 404, "round {round}");
    }
    assert_eq!(
        (find(&token).await, sit(&token).await),
        (429, 429),
        "right or wrong, nobody learns"
    );
    let wish = json!({"sessionToken": token, "role": 3});
    let (_, refused) = controller.ask("join", wish).await;
    assert!(refused["error"].as_str().unwrap().starts_with("429:"), "{refused}");
}

#[tokio::test]
async fn calls_come_from_where_the_group_says() {
    let trusting = server(&[]);
    let token = new_session(&trusting).await;
    let path = format!("{LIVE}/sessions/{token}");
    let status =
        async |headers: &[(&str, &str)]| call(&trusting, "GET", &path, headers).await.status;
    let bearer = format!("Bearer {}", Server::token());
    assert_eq!(status(&[("origin", DESK)]).await, 200);
    assert_eq!(status(&[("authorization", &bearer)]).await, 200);
    assert_eq!(status(&[]).await, 403, "by Origin or Referer it must say where it comes from");
    assert_eq!(status(&[("origin", "https://shop.example")]).await, 403);
    assert_eq!(status(&[("referer", "https://evil.example/")]).await, 403);
    assert_eq!(status(&[("authorization", "Bearer wrong")]).await, 401);
    let history = "/cobrowse/rest/history/sessions/83d03970-c959-11e2-857d-082e5f12b9a1";
    assert_eq!(call(&trusting, "GET", history, &[("origin", DESK)]).await.status, 403);
    assert_eq!(call(&trusting, "GET", history, &[("authorization", &bearer)]).await.status, 404);

    let open = server(&[("groups.0.facades.genesys_origins", "false")]);
    let token = new_session(&open).await;
    assert_eq!(call(&open, "GET", &format!("{LIVE}/sessions/{token}"), &[]).await.status, 200);

    let strict = server(&[("groups.0.facades.genesys", "token")]);
    let sessions = format!("{LIVE}/sessions");
    assert_eq!(call(&strict, "POST", &sessions, &[("origin", DESK)]).await.status, 403);
    assert_eq!(call(&strict, "POST", &sessions, &[("authorization", &bearer)]).await.status, 200);

    let off = Server::with(&[("facades.default_group", GROUP)]);
    assert_eq!(call(&off, "POST", &sessions, &[]).await.status, 403);
    assert_eq!(call(&off, "POST", &sessions, &[("authorization", &bearer)]).await.status, 403);
    assert_eq!(call(&off, "GET", "/cobrowse/health", &[]).await.status, 200);
}

#[tokio::test]
async fn sessions_are_counted_by_the_token_where_there_is_one() {
    let server = server(&[("cobrowse.sessions_per_minute", "2")]);
    let sessions = format!("{LIVE}/sessions");
    let status =
        async |headers: &[(&str, &str)]| call(&server, "POST", &sessions, headers).await.status;
    let bearer = format!("Bearer {}", Server::token());
    let mut with_token = Vec::new();
    for _ in 0..3 {
        with_token.push(status(&[("authorization", &bearer)]).await);
    }
    assert_eq!(with_token, [200, 200, 429], "each subject for himself");
    let mut without = Vec::new();
    for _ in 0..3 {
        without.push(status(&[]).await);
    }
    assert_eq!(without, [200, 200, 429], "each address for itself");
    // Visitors have names of their own, whatever these are like.
    let visitor = "customer~127.0.0.1";
    let _page = server.page(visitor, "t").opens().await;
    let (status, answer) =
        server.rest("POST", "/v1/groups/12345/sessions", Some(json!({"visitorid": visitor}))).await;
    assert_eq!(status, 201, "{answer}");
}
