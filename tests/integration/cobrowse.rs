//! Co-browse sessions and their streams (design section 7), over the real server.

mod coming_in;

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
