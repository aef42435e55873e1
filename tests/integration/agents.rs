//! Agents' sockets: watching, codes, tokens and scopes.

use serde_json::json;

use crate::support::{
    Server, Socket,
    server::{DESK, GROUP, SHOP},
};

#[tokio::test]
async fn a_watch_begins_with_the_present_and_ends_when_asked() {
    let server = Server::start();
    let mut agent = server.agent().await;
    assert_eq!(agent.watch("ada").await, None);
    let mut page = server.page("ada", "t").opens().await;
    agent.event("visitorconn", json!({"connected": true})).await;
    let last = agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    // Asked again, it is the state again, under the sequence of the latest event.
    agent.ok(json!({"type": "watch", "visitorid": "ada"})).await;
    let present = agent.hear_a("visitorconn").await;
    assert_eq!(present["present"], true);
    assert_eq!((&present["epoch"], &present["sequence"]), (&last["epoch"], &last["sequence"]));
    agent.hear_a("visitorsock").await;
    page.ok(json!({"type": "presence", "data": {"a": 1}})).await;
    agent.event("presence", json!({"a": 1})).await;
    // Twice is once.
    server.comes_to("watchers", 1.0).await;
    agent.ok(json!({"type": "unwatch", "visitorid": "ada"})).await;
    page.ok(json!({"type": "presence", "data": {"a": 2}})).await;
    agent.hears_nothing_for(100).await;
    assert_eq!(server.figure("watchers"), 0.0);
}

#[tokio::test]
async fn a_socket_watches_so_many_visitors_and_each_request_has_one_answer() {
    let server = Server::start();
    let mut agent = server.agent().await;
    for visitor in 0..1_000 {
        agent.watch(&format!("v{visitor}")).await;
    }
    agent.refused(json!({"type": "watch", "visitorid": "more"}), "toomany").await;
    agent.hears_nothing_for(100).await;
    server.comes_to("watchers", 1_000.0).await;
}

#[tokio::test]
async fn a_code_leads_to_its_visitor() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    let unique = page.ok(json!({"type": "unique"})).await;
    let code = unique["uniqueid"].as_str().unwrap();
    assert_eq!((code.len(), &unique["seconds"]), (6, &json!(300)));
    assert_eq!(page.ok(json!({"type": "unique"})).await["uniqueid"], code, "the living one");
    assert_eq!(page.ok(json!({"type": "extendunique"})).await["seconds"], 300);
    for _ in 0..2 {
        let ok = agent.ok(json!({"type": "watch", "uniqueid": code})).await;
        assert_eq!(ok["visitorid"], "ada");
        assert_eq!(agent.present().await, Some(1));
    }
    let found = agent.ok(json!({"type": "lookup", "uniqueid": code})).await;
    assert_eq!(found["visitor"]["visitorid"], "ada");
    agent.ok(json!({"type": "signal", "uniqueid": code, "data": 1})).await;
    page.gets(json!(1)).await;
    agent.hear_a("signaloutcome").await;
    let path = format!("/v1/groups/12345/visitors?uniqueid={code}");
    let (_, list) = server.rest("GET", &path, None).await;
    assert_eq!((&list["visitors"][0]["visitorid"], &list["count"]), (&json!("ada"), &json!(1)));
    let (_, list) = server.rest("GET", &format!("{path}&visibility=hidden"), None).await;
    assert_eq!((&list["visitors"], &list["total"]), (&json!([]), &json!(1)), "he is seen");
    // One that leads nowhere, and one of another group.
    let nowhere = if code == "000000" { "000001" } else { "000000" };
    let found = agent.ok(json!({"type": "lookup", "uniqueid": nowhere})).await;
    assert_eq!(found["visitor"], json!(null));
    agent.refused(json!({"type": "watch", "uniqueid": nowhere}), "visitornotpresent").await;
    let mut stranger = server.agent_with(&Server::token_of("777", "read signal", 60)).await;
    stranger.refused(json!({"type": "watch", "uniqueid": code}), "visitornotpresent").await;
    let both = json!({"type": "watch", "uniqueid": code, "visitorid": "ada"});
    agent.refused(both, "badrequest").await;
}

#[tokio::test]
async fn guesses_are_limited() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut answers = Vec::new();
    for guess in 0..25 {
        let guess = json!({"type": "lookup", "uniqueid": format!("{guess:06}")});
        answers.push(agent.ask(guess).await);
    }
    let limited: Vec<_> = answers.iter().filter(|answer| answer["code"] == "ratelimited").collect();
    assert_eq!(limited.len(), 5, "{limited:?}");
    assert!(limited[0]["retry_ms"].as_u64().unwrap() > 0);
    let (status, problem) =
        server.rest("GET", "/v1/groups/12345/visitors?uniqueid=123456", None).await;
    assert_eq!((status, &problem["code"]), (429, &json!("ratelimited")));
    // Who names the visitor is not guessing.
    agent.ok(json!({"type": "lookup", "visitorid": "ada"})).await;
}

/// The shortest life that settings allow is 10 s.
#[tokio::test]
async fn a_code_ends_with_its_life_and_its_pages_leave() {
    let server = Server::with(&[("presence.unique_id_seconds", "10")]);
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    let unique = page.ok(json!({"type": "unique"})).await;
    assert_eq!(unique["seconds"], 10);
    let code = unique["uniqueid"].clone();
    assert_eq!(agent.watch("ada").await, Some(1));
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let extended = std::time::Instant::now();
    assert_eq!(page.ok(json!({"type": "extendunique"})).await["uniqueid"], code);
    let ((code_of_close, word), ()) = tokio::join!(
        async {
            let closed = page.closed_within(std::time::Duration::from_secs(14)).await;
            (closed.code, closed.word().to_owned())
        },
        async {
            tokio::time::sleep(std::time::Duration::from_secs(5)).await;
            agent.event_within(15, "visitorsock", json!({"connected": false, "sockets": 0})).await;
            agent.event("visitorconn", json!({"connected": false})).await;
        }
    );
    assert_eq!((code_of_close, word.as_str()), (4505, "uniqueexpired"));
    assert!(extended.elapsed().as_millis() >= 9_900, "{:?}", extended.elapsed());
    agent.refused(json!({"type": "watch", "uniqueid": code}), "visitornotpresent").await;
}

async fn greeted(server: &Server, token: &str, origin: Option<&str>) -> Result<(), (u16, String)> {
    let mut socket = Socket::open(server, &format!("/v1/agent?group={GROUP}"), origin).await;
    socket.say(json!({"type": "hello", "token": token})).await;
    match socket.next_or_close().await {
        Ok(welcome) => {
            assert_eq!(welcome["type"], "welcome");
            Ok(())
        }
        Err(closed) => Err((closed.code, closed.word().to_owned())),
    }
}

#[tokio::test]
async fn an_agent_needs_a_good_token_and_origin() {
    let server = Server::start();
    let good = Server::token();
    let refused = |code: u16, word: &str| Err((code, word.to_owned()));
    assert_eq!(greeted(&server, &good, None).await, Ok(()));
    assert_eq!(greeted(&server, &good, Some(DESK)).await, Ok(()));
    assert_eq!(greeted(&server, &good, Some(SHOP)).await, refused(4500, "origin"));
    assert_eq!(
        greeted(&server, &good, Some("https://evil.example")).await,
        refused(4500, "origin")
    );
    let mut forged = good.clone();
    forged.push('x');
    for bad in ["", "nonsense", &forged] {
        assert_eq!(greeted(&server, bad, None).await, refused(4502, "authorization"), "{bad}");
    }
    let expired = Server::token_of(GROUP, "read", -1);
    assert_eq!(greeted(&server, &expired, None).await, refused(4503, "expired"));
    let other = Server::token_of("777", "read", 60);
    assert_eq!(greeted(&server, &other, None).await, refused(4502, "authorization"));
    let mut nowhere = Socket::open(&server, "/v1/agent?group=99", None).await;
    assert_eq!(nowhere.closed().await.code, 4501);
    let unknown = Server::token_of("99", "read", 60);
    assert_eq!(greeted(&server, &unknown, None).await, refused(4501, "group"));
    let too_long = Server::token_of(GROUP, "read", 3 * 3_600);
    assert_eq!(greeted(&server, &too_long, None).await, refused(4502, "authorization"));
    let mut welcome = server.agent().await;
    assert_eq!(welcome.welcome["subject"], "agent-7");
    assert_eq!(welcome.welcome["name"], "Grace");
    assert_eq!(welcome.welcome["group"], GROUP);
    welcome.refused(json!({"type": "hello", "token": good}), "badrequest").await;
    welcome.leave().await;
    server.comes_to(r#"authorization_failures_total{reason="expired"}"#, 1.0).await;
}

#[tokio::test]
async fn scopes_say_what_a_token_may_do() {
    let server = Server::start();
    let _ada = server.page("ada", "t").opens().await;
    let requests = [
        ("read", json!({"type": "watch", "visitorid": "ada"})),
        ("read", json!({"type": "lookup", "visitorid": "ada"})),
        ("signal", json!({"type": "signal", "visitorid": "ada", "data": 1})),
        ("invoke", json!({"type": "invoke", "visitorid": "ada", "func": "GLANCE.x"})),
    ];
    for scope in ["read", "signal", "invoke"] {
        let mut agent = server.agent_with(&Server::token_of(GROUP, scope, 60)).await;
        assert_eq!(agent.welcome["scope"], scope);
        for (needed, request) in &requests {
            if *needed == scope {
                agent.ok(request.clone()).await;
            } else {
                agent.refused(request.clone(), "scope").await;
            }
        }
    }
}

#[tokio::test]
async fn a_token_is_renewed_in_band_and_ends_the_socket_when_it_expires() {
    let server = Server::start();
    let mut renewed = server.agent_with(&Server::token_of(GROUP, "read", 3)).await;
    let mut forgotten = server.agent_with(&Server::token_of(GROUP, "read", 3)).await;
    let fresh = Server::token_of(GROUP, "signal", 3_600);
    let ok = renewed.ok(json!({"type": "renew", "token": fresh})).await;
    assert!(ok["expires"].as_u64() > renewed.welcome["expires"].as_u64());
    let closed = forgotten.closed().await;
    assert_eq!((closed.code, closed.word()), (4503, "expired"));
    renewed.refused(json!({"type": "lookup", "visitorid": "ada"}), "scope").await;
    // For another group, or a bad one, it closes.
    let other = Server::token_of("777", "read", 60);
    renewed.say(json!({"type": "renew", "token": other})).await;
    assert_eq!(renewed.closed().await.code, 4502);
}

#[tokio::test]
async fn groups_do_not_see_each_other() {
    let server = Server::start();
    let _ada = server.page("ada", "t").opens().await;
    let mut stranger = server.agent_with(&Server::token_of("777", "read signal", 60)).await;
    assert_eq!(stranger.watch("ada").await, None);
    let signal = json!({"type": "signal", "visitorid": "ada", "data": 1});
    stranger.refused(signal, "visitornotpresent").await;
    let found = stranger.ok(json!({"type": "lookup", "visitorid": "ada"})).await;
    assert_eq!(found["visitor"], json!(null));
}
