//! Who comes into a session, by which ticket, code or token, and who has to go.

use super::*;

#[tokio::test]
async fn a_ticket_is_for_its_group_its_origin_and_its_agent() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let begun = server.begins_session("ada").await;
    page.enters(&begun.session, "cart").await;
    let mut forged = server.opens_stream("x.y", "w").await;
    assert_eq!(forged.hear_a("error").await["code"], "authorization");
    assert_eq!(forged.closed().await.code, 4502);
    // An agent's ticket from a page that is not an agent's.
    let mut stranger =
        crate::support::client::Socket::open(&server, "/v1/stream", Some(SHOP)).await;
    stranger.say(json!({"type": "hello", "ticket": begun.ticket, "tab": "w"})).await;
    assert_eq!(stranger.hear_a("error").await["code"], "origin");
    assert_eq!(stranger.closed().await.code, 4500);
    let mut desk = crate::support::client::Socket::open(&server, "/v1/stream", Some(DESK)).await;
    desk.say(json!({"type": "hello", "ticket": begun.ticket, "tab": "w"})).await;
    desk.hear_a("welcome").await;
    // The link is good for the tab that opened it first.
    let mut second = server.opens_stream(&begun.ticket, "w2").await;
    assert_eq!(second.hear_a("error").await["code"], "authorization");
    assert_eq!(second.closed().await.code, 4502);
    // Nobody else's visitor, and nobody who is not there.
    let nobody =
        server.rest("POST", "/v1/groups/12345/sessions", Some(json!({"visitorid": "bob"}))).await;
    assert_eq!((nobody.0, &nobody.1["code"]), (404, &json!("visitornotpresent")));
    let mut other = server.page("eve", "t").opens().await;
    let theirs = json!({"type": "enter", "session": begun.session, "url": "https://shop.example/", "title": ""});
    other.refused(theirs, "notfound").await;
}

#[tokio::test]
async fn a_visitor_begins_a_session_and_waits_for_an_agent() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let begun = page.ok(json!({"type": "startsession", "agreed": true})).await;
    let session = begun["session"].as_str().unwrap().to_owned();
    assert_eq!(page.hear_a("session").await["session"], session);
    page.enters(&session, "cart").await;
    let running = server.session(&session).await["running"].clone();
    assert_eq!((&running["consent"], &running["active"]), (&json!("given"), &json!(false)));
    // The agent finds the same session.
    let joined = server.begins_session("ada").await;
    assert_eq!(joined.session, session);
    let _viewer = server.views(&joined.ticket, "w").await;
    assert_eq!(page.waits_for("record").await["on"], true, "nobody is asked again");
}

#[tokio::test]
async fn a_code_leads_agents_to_a_session_as_long_as_it_runs() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let start = json!({"type": "startsession", "agreed": true, "withcode": true});
    let begun = page.ok(start.clone()).await;
    let (session, code) = (begun["session"].as_str().unwrap(), begun["code"].as_str().unwrap());
    assert_eq!(code.len(), 6);
    assert_eq!(page.ok(start).await["code"], code, "asked again, the same");
    page.enters(session, "cart").await;
    let sessions = "/v1/groups/12345/sessions";
    let by = async |code: &str| server.rest("POST", sessions, Some(json!({"code": code}))).await;
    let (status, joined) = by(code).await;
    assert_eq!((status, &joined["session"]), (201, &json!(session)), "{joined}");
    let _viewer = server.views(joined["ticket"].as_str().unwrap(), "w").await;
    assert_eq!(server.session(session).await["running"]["code"], code);
    // Another group's agent does not get there, and neither does who takes it for a visitor's.
    let theirs = Server::token_of("777", "session", 60);
    let (status, _) = server
        .rest_as(&theirs, "POST", "/v1/groups/777/sessions", Some(json!({"code": code})), &[])
        .await;
    assert_eq!(status, 404);
    let unique = server.rest("POST", sessions, Some(json!({"uniqueid": code}))).await;
    assert_eq!((unique.0, &unique.1["code"]), (404, &json!("visitornotpresent")));
    page.ok(json!({"type": "endsession"})).await;
    page.waits_for("session").await;
    assert_eq!(by(code).await.0, 404, "it led there only while the session ran");
    assert_eq!(server.session(session).await["over"]["code"], code);
}

#[tokio::test]
async fn whoever_comes_in_finds_the_code_and_the_name_there() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let start = json!({"type": "startsession", "agreed": true, "withcode": true, "reference": "chat-7", "reportingid": "visit-7"});
    // Told of the session before the answer, as another tab is: the code must be there all the same.
    page.say(start).await;
    let session = page.hear_a("session").await["session"].as_str().unwrap().to_owned();
    let entered = page.enters(&session, "cart").await;
    let code = entered["code"].as_str().unwrap();
    assert_eq!((&entered["reference"], &entered["grace_ms"]), (&json!("chat-7"), &json!(60_000)));
    let mut tab = server.page("ada", "u").opens().await;
    assert_eq!(tab.enters(&session, "help").await["code"], code);

    // A start of what runs changes nothing of it.
    let again = json!({"type": "startsession", "reference": "chat-8", "withcode": true});
    assert_eq!(tab.ok(again).await["code"], code);
    let running = server.session(&session).await["running"].clone();
    assert_eq!(
        (&running["reference"], &running["reportingid"]),
        (&json!("chat-7"), &json!("visit-7"))
    );
    let list = async |reference: &str| {
        let path = format!("/v1/groups/12345/sessions?reference={reference}");
        server.rest("GET", &path, None).await.1["sessions"].clone()
    };
    assert_eq!(list("chat-7").await[0]["session"], session);
    assert_eq!(list("chat-8").await, json!([]));
    let sessions = "/v1/groups/12345/sessions";
    let by = async |body: Value| server.rest("POST", sessions, Some(body)).await;
    let (status, joined) = by(json!({"reference": "chat-7"})).await;
    assert_eq!((status, &joined["session"]), (201, &json!(session)), "{joined}");
    assert_eq!(by(json!({"reference": "chat-8"})).await.0, 404);
    assert_eq!(by(json!({"reference": "chat-7", "code": code})).await.0, 400);
    let mut viewer = server.views(joined["ticket"].as_str().unwrap(), "w").await;

    // A page that has not come in may end it, and says why.
    let mut late = server.page("ada", "v").opens().await;
    late.ok(json!({"type": "endsession", "text": "the order is placed"})).await;
    let ended = viewer.told("ended").await;
    assert_eq!(
        (&ended["reason"], &ended["text"]),
        (&json!("visitor"), &json!("the order is placed"))
    );
    let over = server.session(&session).await["over"].clone();
    assert_eq!(
        (&over["reportingid"], &over["text"]),
        (&json!("visit-7"), &json!("the order is placed"))
    );
    late.refused(json!({"type": "endsession"}), "notfound").await;
    let bad = late.refused(json!({"type": "startsession", "reference": "two words"}), "badrequest");
    assert_eq!(bad.await["field"], "reference");
}

#[tokio::test]
async fn an_agent_hands_his_seat_over_to_another() {
    let server = Server::with(&[("cobrowse.agents", "1")]);
    let Shown { session, page: _page, stream: _stream, viewer: mut first, .. } =
        server.shown("ada").await;
    // The session has one seat.
    let path = format!("/v1/groups/12345/sessions/{}/tickets", session);
    let of_bob = token_of_bob();
    let (status, ticket) = server.rest_as(&of_bob, "POST", &path, Some(json!({})), &[]).await;
    assert_eq!(status, 201, "{ticket}");
    let ticket = ticket["ticket"].as_str().unwrap();
    let mut early = server.opens_stream(ticket, "b").await;
    assert_eq!(early.hear_a("error").await["code"], "toomany");
    assert_eq!(early.closed().await.code, 4007);
    let mut of_bobs = server.agent_with(&of_bob).await;
    let mut without_sessions = server.agent_with(&other_of_bob()).await;
    let mut of_ann = server.agent().await;
    first.ok(json!({"type": "transfer", "to": "bob"})).await;
    let offer = of_bobs.hear_a("sessionoffer").await;
    assert_eq!(offer["visitorid"], "ada");
    assert_eq!(offer["data"]["session"], session);
    let waits = &server.session(&session).await["running"]["transfer"];
    assert_eq!((&waits["to"], &waits["until"]), (&json!("bob"), &offer["data"]["until"]));
    let offered = "/v1/groups/12345/sessions?offered=true";
    let of_his = server.rest_as(&of_bob, "GET", offered, None, &[]).await.1;
    assert_eq!(of_his["sessions"][0]["session"], session, "{of_his}");
    assert_eq!(server.rest("GET", offered, None).await.1["sessions"], json!([]), "not ann's");
    for other in [&mut without_sessions, &mut of_ann] {
        other.ok(json!({"type": "unwatch", "visitorid": "ada"})).await;
        // It is bob's, and only where his token allows sessions.
        other.hears_nothing_for(1).await;
    }
    let mut second = server.views(ticket, "b").await;
    assert_eq!(server.session(&session).await["running"]["transfer"], Value::Null);
    assert_eq!(first.told("left").await["reason"], "transferred");
    assert_eq!(first.closed().await.code, 4508);
    assert_eq!(second.sees().await, Part::key_frame(1, PICTURE), "nobody is asked again");
}

#[tokio::test]
async fn a_seat_ends_when_the_token_under_it_is_revoked() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let of_bob = token_of_bob();
    let body = Some(json!({"visitorid": "ada"}));
    let (_, begun) = server.rest_as(&of_bob, "POST", "/v1/groups/12345/sessions", body, &[]).await;
    page.enters(begun["session"].as_str().unwrap(), "cart").await;
    let mut viewer = server.views(begun["ticket"].as_str().unwrap(), "w").await;
    let seat = viewer.welcome["ticket"].as_str().unwrap().to_owned();
    let operator = Server::token_of("12345", "operate", 60);
    let revoke = Some(json!({"subject": "bob"}));
    let path = "/v1/groups/12345/revocations";
    assert_eq!(server.rest_as(&operator, "POST", path, revoke, &[]).await.0, 201);
    assert_eq!(viewer.closed().await.code, 4507);
    let mut again = server.opens_stream(&seat, "w").await;
    assert_eq!(again.hear_a("error").await["code"], "authorization");
}
