//! The agents' page `slave.html`, and the seats that it takes.

use serde_json::json;

use super::{LIVE, call};
use crate::support::{
    Server,
    bayeux::server,
    cobrowse::Begun,
    server::{DESK, GROUP},
};

/// The token of a new session of `ada`, who is on one of our pages.
async fn of_a_page(server: &Server) -> String {
    let Begun { session, .. } = server.begins_session("ada").await;
    token_of(server, &session).await
}

async fn token_of(server: &Server, session: &str) -> String {
    let path = format!("/v1/groups/12345/sessions/{session}/code");
    let (_, code) = server.rest("POST", &path, None).await;
    code["code"].as_str().unwrap().to_owned()
}

fn nine_digits(settings: &[(&str, &str)]) -> Server {
    let mut all = vec![("cobrowse.code_digits", "9")];
    all.extend_from_slice(settings);
    server(&all)
}

#[tokio::test]
async fn a_seat_by_the_code_waits_for_consent_and_controls_nothing() {
    let server = nine_digits(&[]);
    let mut page = server.page("ada", "t").opens().await;
    let Begun { session, .. } = server.begins_session("ada").await;
    page.enters(&session, "cart").await;
    let token = token_of(&server, &session).await;
    let path = format!("{LIVE}/sessions/{token}/seats");
    let ticket = async |headers: &[(&str, &str)]| {
        let given = call(&server, "POST", &path, headers).await;
        assert_eq!(given.status, 200, "{headers:?}: {}", given.body);
        given.body["ticket"].as_str().unwrap().to_owned()
    };
    let own = format!("http://{}", server.address());
    // He is asked as soon as somebody is there who wants to see.
    for (tab, origin, consent) in [("desk", DESK, "unasked"), ("own", &own, "asked")] {
        let welcome = server.views(&ticket(&[("origin", origin)]).await, tab).await.welcome;
        let permissions = json!({"point": true, "draw": true, "control": false});
        assert_eq!(
            (&welcome["role"], &welcome["consent"], &welcome["view"], &welcome["permissions"]),
            (&json!("agent"), &json!(consent), &json!("off"), &permissions)
        );
    }
    // Whom the service vouched for is sent away like all others of his group.
    let mut seat = server.views(&ticket(&[]).await, "third").await;
    let operator = Server::token_of(GROUP, "operate", 3_600);
    let (all, path) = (json!({"all": true}), "/v1/groups/12345/revocations");
    let revoked = server.rest_as(&operator, "POST", path, Some(all), &[]).await;
    assert_eq!(revoked.0, 201, "{revoked:?}");
    assert_eq!(seat.closed().await.word(), "revoked");
}

#[tokio::test]
async fn nobody_gets_a_seat_whom_the_group_does_not_let_in() {
    let server = nine_digits(&[]);
    let _page = server.page("ada", "t").opens().await;
    let token = of_a_page(&server).await;
    let bearer = format!("Bearer {}", Server::token());
    let seats = |token: &str| format!("{LIVE}/sessions/{token}/seats");
    for (path, headers, status) in [
        (seats("123456789"), vec![], 404),
        (seats("12345"), vec![], 404),
        (seats(&token), vec![("origin", "https://shop.example")], 403),
        (format!("{}?group=777", seats(&token)), vec![], 403),
        (format!("{}?group=12345", seats(&token)), vec![], 200),
        (format!("{}?group=12345", seats(&token)), vec![("origin", "https://evil.example")], 403),
        (format!("{}?group=no+id", seats(&token)), vec![], 400),
        (seats(&token), vec![("authorization", "Bearer wrong")], 401),
        (format!("{}?group=777", seats(&token)), vec![("authorization", &*bearer)], 403),
    ] {
        let answer = call(&server, "POST", &path, &headers).await;
        assert_eq!(answer.status, status, "{path} {headers:?}: {}", answer.body);
    }

    let strict = nine_digits(&[("groups.0.facades.genesys", "token")]);
    let _page = strict.page("ada", "t").opens().await;
    let path = seats(&of_a_page(&strict).await);
    assert_eq!(call(&strict, "POST", &path, &[("origin", DESK)]).await.status, 403);
    let given = call(&strict, "POST", &path, &[("authorization", &bearer)]).await;
    assert!(given.status == 200 && given.body["ticket"].is_string(), "{}", given.body);

    let off = nine_digits(&[("groups.0.facades.genesys", "off")]);
    let _page = off.page("ada", "t").opens().await;
    let path = seats(&of_a_page(&off).await);
    for headers in [vec![], vec![("authorization", &*bearer)]] {
        assert_eq!(call(&off, "POST", &path, &headers).await.status, 403);
    }
}

#[tokio::test]
async fn seats_are_guessed_at_so_often_only() {
    let server = server(&[("limits.guesses_per_minute", "5")]);
    let mut statuses = Vec::new();
    for number in 0..7 {
        let path = format!("{LIVE}/sessions/10000000{number}/seats");
        statuses.push(call(&server, "POST", &path, &[]).await.status);
    }
    assert_eq!(statuses, [404, 404, 404, 404, 404, 429, 429]);
}

#[tokio::test]
async fn the_agents_page_stands_in_frames_of_its_group_only() {
    let frames = ("groups.0.facades.genesys_frames", "https://crm.example");
    let server = server(&[frames]);
    let ancestors = async |query: &str, headers: &[(&str, &str)]| {
        let path = format!("/cobrowse/slave.html{query}");
        let page = call(&server, "GET", &path, headers).await;
        assert_eq!(
            (page.status, &page.headers["cache-control"]),
            (200, &"no-store".parse().unwrap())
        );
        let policy = page.headers["content-security-policy"].to_str().unwrap().to_owned();
        policy.split("frame-ancestors ").nth(1).unwrap().to_owned()
    };
    let own = format!("'self' {DESK} https://crm.example");
    for (query, headers) in [
        ("", vec![]),
        ("?group=12345", vec![]),
        ("", vec![("referer", DESK)]),
        ("", vec![("referer", "https://crm.example/case/1")]),
        // Whoever else holds it in a frame is told by his browser.
        ("", vec![("referer", "https://evil.example/")]),
    ] {
        assert_eq!(ancestors(query, &headers).await, own, "{query} {headers:?}");
    }
    assert_eq!(ancestors("?group=99999", &[]).await, "'none'");
    assert_eq!(ancestors("?group=no+id", &[]).await, "'none'");
}
