//! Co-browse sessions and their streams (design section 7), over the real server.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::support::{
    Server, Stop,
    cobrowse::{PICTURE, Part, Shown},
    mint::{Signing, claims},
    server::{DESK, SHOP},
    until,
};

const CHANGE: &str = r#"[{"type":3,"data":"a change"}]"#;

fn token_of_bob() -> String {
    Signing::of_the_tests().sign(&claims(json!({"sub": "bob", "scope": "session", "jti": "b"})))
}

/// A token of his that allows no sessions.
fn other_of_bob() -> String {
    Signing::of_the_tests().sign(&claims(json!({"sub": "bob", "scope": "read", "jti": "r"})))
}

#[tokio::test]
async fn an_agent_sees_a_visitors_page_once_he_has_agreed() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    agent.watch("ada").await;

    let begun = server.begins_session("ada").await;
    let invited = page.hear_a("session").await;
    assert_eq!(invited["session"], begun.session);
    let entered = page.enters(&begun.session, "cart").await;
    assert_eq!((&entered["epoch"], &entered["view"]), (&json!(1), &json!("off")), "{entered}");
    assert_eq!(entered["settings"]["private"], false);

    let mut viewer = server.views(&begun.ticket, "w").await;
    let welcome = viewer.welcome.clone();
    assert_eq!((&welcome["role"], &welcome["visitorid"]), (&json!("agent"), &json!("ada")));
    assert_eq!(welcome["pages"][0]["url"], "https://shop.example/cart");
    let asked = page.waits_for("ask").await;
    assert_eq!(asked["to"], "view");

    page.agrees().await;
    let record = page.waits_for("record").await;
    let started = agent.hear_a("visitorsessionstart").await;
    assert_eq!(started["data"]["session"], begun.session);
    let mut stream = server.shows(&record).await;
    stream.sends(&Part::key_frame(1, PICTURE)).await;
    stream.sends(&Part::more(1, CHANGE)).await;
    assert_eq!(viewer.sees().await, Part::key_frame(1, PICTURE));
    assert_eq!(viewer.sees().await, Part::more(1, CHANGE));

    // Another agent comes late, and sees the same.
    let other = server.ticket(&begun.session, json!({"point": false})).await;
    let mut other = server.views(&other, "w2").await;
    assert_eq!(other.sees().await, Part::key_frame(1, PICTURE));
    assert_eq!(other.sees().await, Part::more(1, CHANGE));

    // One points, the other's link does not allow it.
    viewer.ok(json!({"type": "cursor", "x": 10.5, "y": 20})).await;
    let cursor = stream.hear_a("cursor").await;
    assert_eq!(
        (&cursor["x"], &cursor["y"], &cursor["user"]),
        (&json!(10.5), &json!(20.0), &json!(2))
    );
    other.refused(json!({"type": "cursor", "x": 1, "y": 1}), "scope").await;

    page.ok(json!({"type": "endsession"})).await;
    assert_eq!(viewer.told("ended").await["reason"], "visitor");
    for mut socket in [viewer, other, stream] {
        assert_eq!(socket.closed().await.code, 4508);
    }
    assert_eq!(page.waits_for("session").await["session"], json!(null));
    let ended = agent.hear_a("visitorsessionend").await;
    assert_eq!(ended["data"], json!({"reason": "visitor"}));
    let over = server.session(&begun.session).await["over"].clone();
    assert_eq!(
        (&over["reason"], &over["pages"][0]["url"]),
        (&json!("visitor"), &json!("https://shop.example/cart"))
    );
}

#[tokio::test]
async fn nothing_is_taken_from_a_page_before_consent_or_while_it_pauses() {
    let server = Server::start();
    let Shown { mut page, record, mut stream, mut viewer, .. } = server.shown("ada").await;
    page.ok(json!({"type": "pause", "paused": true})).await;
    assert_eq!(page.waits_for("record").await["on"], false);
    assert_eq!(viewer.told("view").await["state"], "paused");
    assert_eq!(stream.closed().await.code, 4508);
    // The old ticket opens nothing now.
    let mut late = crate::support::client::Socket::open(&server, "/v1/stream", Some(SHOP)).await;
    late.say(json!({"type": "hello", "ticket": record["ticket"], "tab": "t"})).await;
    assert_eq!(late.hear_a("error").await["code"], "notfound");
    assert_eq!(late.closed().await.code, 4508);

    page.ok(json!({"type": "pause", "paused": false})).await;
    let record = page.waits_for("record").await;
    let mut stream = server.shows(&record).await;
    stream.sends(&Part::key_frame(1, PICTURE)).await;
    assert_eq!(viewer.sees().await, Part::key_frame(1, PICTURE));
}

#[tokio::test]
async fn a_session_survives_page_changes_new_tabs_and_the_agents_reload() {
    let server = Server::start();
    let (begun, mut page, mut viewer) = server.asked("ada").await;
    page.agrees().await;
    page.waits_for("record").await;
    drop(page);

    // The next page learns of the session in its welcome, and nobody is asked again.
    let mut next = server.page("ada", "t").opens().await;
    assert_eq!(next.welcome["session"], begun.session);
    let entered = next.enters(&begun.session, "address").await;
    assert_eq!(
        (&entered["epoch"], &entered["members"][0]["role"]),
        (&json!(2), &json!("agent")),
        "{entered}"
    );
    let record = next.waits_for("record").await;
    assert_eq!(record["epoch"], 2);
    let mut stream = server.shows(&record).await;
    stream.sends(&Part::key_frame(2, PICTURE)).await;
    assert_eq!(viewer.sees().await, Part::key_frame(2, PICTURE));

    // A second tab with the focus is the one that is shown.
    let mut tab = server.page("ada", "u").opens().await;
    tab.enters(&begun.session, "help").await;
    assert_eq!(tab.waits_for("record").await["on"], true);
    assert_eq!(next.waits_for("record").await["on"], false);
    assert_eq!(stream.closed().await.code, 4508);
    next.ok(json!({"type": "activity"})).await;
    let record = next.waits_for("record").await;
    let mut stream = server.shows(&record).await;
    stream.sends(&Part::key_frame(2, PICTURE)).await;

    // The agent reloads, and takes the same seat.
    let seat = viewer.welcome["ticket"].as_str().unwrap().to_owned();
    let user = viewer.welcome["user"].clone();
    drop(viewer);
    let mut again = server.views(&seat, "w").await;
    assert_eq!(again.welcome["user"], user);
    assert_eq!(again.sees().await, Part::key_frame(2, PICTURE));
    // Another tab may not use that ticket.
    let mut thief = server.opens_stream(&seat, "x").await;
    assert_eq!(thief.hear_a("error").await["code"], "authorization");
    assert_eq!(thief.closed().await.code, 4502);
}

#[tokio::test]
async fn a_session_survives_a_restart() {
    let server = Server::start();
    let (begun, mut page, viewer) = server.asked("ada").await;
    page.agrees().await;
    let seat = viewer.welcome["ticket"].as_str().unwrap().to_owned();
    drop((page, viewer));

    let server = server.restarted(Stop::Terminate);
    let mut page = server.page("ada", "t").opens().await;
    assert_eq!(page.welcome["session"], begun.session);
    page.enters(&begun.session, "cart").await;
    let mut viewer = server.views(&seat, "w").await;
    let record = page.waits_for("record").await;
    let mut stream = server.shows(&record).await;
    stream.sends(&Part::key_frame(2, PICTURE)).await;
    assert_eq!(viewer.sees().await, Part::key_frame(2, PICTURE));
    let consents = format!("/v1/groups/12345/sessions/{}/consents", begun.session);
    let (_, ledger) = server.rest("GET", &consents, None).await;
    let states: Vec<_> =
        ledger["consents"].as_array().unwrap().iter().map(|line| line["state"].clone()).collect();
    assert_eq!(states, ["asked", "given"], "{ledger}");
}

#[tokio::test]
async fn a_refusal_ends_the_session_and_is_written_down() {
    let server = Server::start();
    let (begun, mut page, mut viewer) = server.asked("ada").await;
    page.waits_for("ask").await;
    page.ok(json!({"type": "consent", "to": "view", "given": false})).await;
    assert_eq!(viewer.told("ended").await["reason"], "declined");
    assert_eq!(viewer.closed().await.code, 4508);
    let (_, history) = server.rest("GET", "/v1/groups/12345/past-sessions", None).await;
    assert_eq!(history["sessions"][0]["session"], begun.session, "{history}");
    assert_eq!(history["sessions"][0]["reason"], "declined");
    let (_, running) = server.rest("GET", "/v1/groups/12345/sessions", None).await;
    assert_eq!(running["sessions"], json!([]));
    // Remembered for a minute.
    server.comes_to("sessions", 1.0).await;
}

#[tokio::test]
async fn what_looks_like_a_card_never_reaches_an_agent() {
    let server = Server::start();
    let Shown { mut page, mut stream, mut viewer, .. } = server.shown("ada").await;
    let (url, title) =
        ("https://shop.example/paid/4111111111111111", "Paid by 4111 1111 1111 1111");
    page.ok(json!({"type": "navigate", "url": url, "title": title})).await;
    let pages = viewer.told("pages").await.to_string();
    assert!(!pages.contains("4111") && pages.contains("Paid by"), "{pages}");
    let leaky = r#"[{"type":2,"data":"card 4111 1111 1111 1111 ends"}]"#;
    stream.sends(&Part::key_frame(1, leaky)).await;
    let seen = viewer.sees().await.payload;
    assert!(!seen.contains("4111") && seen.contains("ends"), "{seen}");
}

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

/// A picture of the page, as its browser tells of it.
fn picture(content: &[u8]) -> (String, Value) {
    let sha256: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    let told = json!({"type": "asset", "asset": 7, "sha256": sha256, "content_type": "image/png", "bytes": content.len()});
    (sha256, told)
}

#[tokio::test]
async fn what_needs_the_visitors_login_comes_from_his_browser_and_goes_with_the_session() {
    let server = Server::start();
    let Shown { mut page, record, mut stream, viewer, .. } = server.shown("ada").await;
    let at = format!("http://{}", server.address());
    let ticket = format!("Ticket {}", record["ticket"].as_str().unwrap());
    let put = async |sha256: &str, ticket: &str, origin: &str, content: &'static [u8]| {
        let request = reqwest::Client::new().put(format!("{at}/v1/assets/{sha256}"));
        let request = request.header("authorization", ticket).header("origin", origin);
        request.body(content).send().await.unwrap().status().as_u16()
    };
    let (sha256, told) = picture(b"a logo");
    assert_eq!(put(&sha256, &ticket, SHOP, b"a logo").await, 404, "nobody said that it comes");
    stream.say(told).await;
    assert_eq!(stream.hear_a("want").await["sha256"], sha256);
    // A viewer who asks now waits until it is here.
    let assets = viewer.welcome["assets"].as_str().unwrap().to_owned();
    let address = format!("{at}/watch/assets/{assets}/1/7");
    let waiting = tokio::spawn(reqwest::get(address.clone()));
    assert_eq!(put(&sha256, &ticket, SHOP, b"a lego").await, 400, "not what was announced");
    assert_eq!(put(&sha256, &ticket, DESK, b"a logo").await, 403, "not from the shop");
    assert_eq!(put(&sha256, "Ticket x.y", SHOP, b"a logo").await, 401);
    assert_eq!(put(&sha256, &ticket, SHOP, b"a logo").await, 204);
    let shown = waiting.await.unwrap().unwrap();
    assert_eq!(shown.headers()["content-type"], "image/png");
    assert!(shown.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert_eq!(shown.bytes().await.unwrap(), &b"a logo"[..]);
    server.comes_to("asset_bytes", 6.0).await;
    assert!(server.figure("stream_bytes") > 0.0);
    // The same content under another name is not sent again; what cannot be had is not waited for.
    let (_, mut again) = picture(b"a logo");
    again["asset"] = 8.into();
    stream.ok(again).await;
    stream.ok(json!({"type": "noasset", "asset": 9})).await;
    let status = async |address: &str| reqwest::get(address).await.unwrap().status().as_u16();
    assert_eq!(status(&format!("{at}/watch/assets/{assets}/1/8")).await, 200);
    assert_eq!(status(&format!("{at}/watch/assets/{assets}/1/9")).await, 404);
    let (_, mut script) = picture(b"alert(1)");
    script["content_type"] = "text/html".into();
    assert_eq!(stream.refused(script, "badrequest").await["field"], "content_type");
    page.ok(json!({"type": "endsession"})).await;
    page.waits_for("session").await;
    assert_eq!(status(&address).await, 404);
    assert_eq!((server.figure("asset_bytes"), server.figure("stream_bytes")), (0.0, 0.0));
}

#[tokio::test]
async fn sessions_that_come_and_go_leave_nothing_behind() {
    let server = Server::start();
    for round in 0..40 {
        let visitor = format!("visitor-{round}");
        let Shown { session, mut page, stream, viewer, .. } = server.shown(&visitor).await;
        match round % 4 {
            0 => drop(page.ok(json!({"type": "endsession"})).await),
            1 => drop(page.ok(json!({"type": "consent", "to": "view", "given": false})).await),
            2 => {
                let path = format!("/v1/groups/12345/sessions/{session}");
                assert_eq!(server.rest("DELETE", &path, None).await.0, 204);
            }
            _ => {
                // The connections break; then it is ended from outside.
                drop((stream, viewer));
                let path = format!("/v1/groups/12345/sessions/{session}?text=Goodbye");
                assert_eq!(server.rest("DELETE", &path, None).await.0, 204);
            }
        }
        assert!(page.waits_for("session").await["session"].is_null());
        page.leave().await;
    }
    until("no streams", || server.figure(r#"sockets_open{kind="stream"}"#) == 0.0).await;
    assert_eq!((server.figure("stream_bytes"), server.figure("asset_bytes")), (0.0, 0.0));
    let (_, running) = server.rest("GET", "/v1/groups/12345/sessions", None).await;
    assert_eq!(running["sessions"], json!([]));
    let (_, past) = server.rest("GET", "/v1/groups/12345/past-sessions?limit=1000", None).await;
    assert_eq!(past["sessions"].as_array().unwrap().len(), 40);
    assert_eq!(server.figure("history_lost_total"), 0.0);
    until("the figure", || server.figure("visitors_connected") == 0.0).await;
}
