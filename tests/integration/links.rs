//! Links that begin a session when they are opened (`/watch/{link}`), and the page that they lead to.

use serde_json::{Value, json};
use vestibule::{
    clock::Timestamp,
    cobrowse::ticket::Tickets,
    store::saved::{SavedState, StorageUrl},
};

use crate::support::{
    Server, Stop,
    cobrowse::{PICTURE, Part},
    server::DESK,
    until,
};

const LINKS: &str = "/v1/groups/12345/watch-links";

impl Server {
    /// The ticket of a new link to a visitor's page.
    async fn link(&self, body: Value) -> String {
        let (status, link) = self.rest("POST", LINKS, Some(body)).await;
        assert_eq!(status, 201, "{link}");
        link["watch_url"].as_str().unwrap().strip_prefix("/watch/").unwrap().to_owned()
    }

    /// The page at an address, with its policy.
    fn watch_page(&self, path: &str) -> (String, String) {
        let head = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n", self.address());
        let answer = self.exchange(&head).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let policy = head.lines().find_map(|line| line.strip_prefix("content-security-policy: "));
        assert!(head.contains("cache-control: no-store"), "{head}");
        (policy.unwrap().to_owned(), body.to_owned())
    }
}

#[tokio::test]
async fn a_link_begins_the_session_when_it_is_opened_and_carries_what_belongs_to_it() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let link = server
        .link(json!({"visitorid": "ada", "metadata": {"case": "A-7", "vip": true}, "permissions": {"draw": false}}))
        .await;
    let (_, running) = server.rest("GET", "/v1/groups/12345/sessions", None).await;
    assert_eq!(running["sessions"], json!([]), "a link alone begins nothing");

    let mut viewer = server.views(&link, "w").await;
    let session = page.hear_a("session").await["session"].as_str().unwrap().to_owned();
    assert_eq!(viewer.welcome["session"], session);
    let permissions = json!({"point": true, "draw": false, "control": true});
    assert_eq!(viewer.welcome["permissions"], permissions);
    page.enters(&session, "cart").await;
    page.waits_for("ask").await;
    page.agrees().await;
    let record = page.waits_for("record").await;
    let mut stream = server.shows(&record).await;
    stream.sends(&Part::key_frame(1, PICTURE)).await;
    assert_eq!(viewer.sees().await, Part::key_frame(1, PICTURE));
    let stroke = json!({"type": "stroke", "stroke": 1, "colour": "#e4572e", "points": [[1, 1]], "done": true});
    viewer.refused(stroke, "scope").await;

    let metadata = json!({"case": "A-7", "vip": true});
    assert_eq!(server.session(&session).await["running"]["metadata"], metadata);
    viewer.ok(json!({"type": "end"})).await;
    assert_eq!(viewer.told("ended").await["reason"], "agent");
    let (_, history) = server.rest("GET", "/v1/groups/12345/past-sessions", None).await;
    assert_eq!(history["sessions"][0]["metadata"], metadata, "{history}");
    // The link led to that session, and leads its tab to no other.
    let mut late = server.opens_stream(&link, "w").await;
    assert_eq!(late.hear_a("error").await["code"], "notfound");
    assert_eq!(late.closed().await.code, 4508);
}

#[tokio::test]
async fn what_a_page_says_reaches_those_who_view_it_and_nobody_before() {
    let server = Server::start();
    let crate::support::cobrowse::Shown { mut page, mut viewer, .. } = server.shown("ada").await;
    let message = json!({"type": "message", "data": {"step": 2, "card": "4111 1111 1111 1111"}});
    page.ok(message.clone()).await;
    let said = viewer.told("message").await["data"].clone();
    assert_eq!(said["step"], 2);
    assert!(!said.to_string().contains("4111"), "{said}");
    let long = json!({"type": "message", "data": "x".repeat(5_000)});
    page.refused(long, "badrequest").await;
    page.refused(json!({"type": "message"}), "badrequest").await;
    page.ok(json!({"type": "pause", "paused": true})).await;
    page.refused(message.clone(), "notfound").await;
    let mut stranger = server.page("eve", "t").opens().await;
    stranger.refused(message, "notfound").await;
}

#[tokio::test]
async fn a_site_that_has_settled_it_with_the_visitor_has_him_not_asked_again() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let link = server.link(json!({"visitorid": "ada"})).await;
    let mut viewer = server.views(&link, "w").await;
    let session = viewer.welcome["session"].as_str().unwrap().to_owned();
    let enter = json!({"type": "enter", "session": session, "url": "https://shop.example/", "title": "", "agreed": true});
    page.ok(enter).await;
    assert_eq!(page.waits_for("record").await["on"], true);
    assert_eq!(viewer.told("consent").await["state"], "given");
    let path = format!("/v1/groups/12345/sessions/{session}/consents");
    let (_, ledger) = server.rest("GET", &path, None).await;
    let states: Vec<_> =
        ledger["consents"].as_array().unwrap().iter().map(|line| &line["state"]).collect();
    assert_eq!(states, ["given"], "{ledger}");
    // A visitor who said no is not overruled by his next page.
    let mut other = server.page("bob", "t").opens().await;
    let begun = server.begins_session("bob").await;
    other.enters(&begun.session, "cart").await;
    let _viewer = server.views(&begun.ticket, "v").await;
    other.waits_for("ask").await;
    let mut second = server.page("bob", "u").opens().await;
    let enter = json!({"type": "enter", "session": begun.session, "url": "https://shop.example/", "title": "", "agreed": true});
    second.ok(enter).await;
    assert_eq!(server.session(&begun.session).await["running"]["consent"], "asked");
}

#[tokio::test]
async fn a_link_is_opened_once() {
    let server = Server::start();
    let _page = server.page("ada", "t").opens().await;
    let link = server.link(json!({"visitorid": "ada"})).await;
    let first = server.views(&link, "w").await;
    let mut second = server.opens_stream(&link, "x").await;
    assert_eq!(second.hear_a("error").await["code"], "authorization");
    assert_eq!(second.closed().await.code, 4502);
    // The tab that opened it may reload before it knows its seat.
    let again = server.views(&link, "w").await;
    assert_eq!(again.welcome["user"], first.welcome["user"]);
}

#[tokio::test]
async fn a_link_that_led_nowhere_stays_good() {
    let server = Server::with(&[("presence.grace_ms", "0"), ("presence.signal_window_ms", "0")]);
    let page = server.page("ada", "t").opens().await;
    let link = server.link(json!({"visitorid": "ada"})).await;
    drop(page);
    let (status, _) = server.rest("POST", LINKS, Some(json!({"visitorid": "nobody"}))).await;
    assert_eq!(status, 404);
    until("the end of the visit", || server.figure("visitors_connected") == 0.0).await;
    let mut early = server.opens_stream(&link, "w").await;
    assert_eq!(early.hear_a("error").await["code"], "visitornotpresent");
    let _page = server.page("ada", "t").opens().await;
    server.views(&link, "x").await;
}

#[tokio::test]
async fn a_link_that_is_late_or_bent_or_of_before_a_restart_opens_nothing() {
    let server = Server::start();
    let page = server.page("ada", "t").opens().await;
    let branding = json!({"retry_url": "https://desk.example/retry?a=1&b=2", "naked": "page_only"});
    let link = server.link(json!({"visitorid": "ada", "branding": branding})).await;
    let (body, seal) = link.split_once('.').unwrap();
    let bent = format!("{}A.{seal}", body.strip_suffix(|_| true).unwrap());
    for bad in [bent.as_str(), "x.y"] {
        let mut refused = server.opens_stream(bad, "w").await;
        assert_eq!(refused.hear_a("error").await["code"], "authorization", "{bad}");
        let (_, html) = server.watch_page(&format!("/watch/{bad}"));
        assert!(html.contains(r#"data-link="""#), "nothing is believed of it");
    }

    // What was signed for five minutes, signed for a time that is over.
    let storage = StorageUrl::parse("sqlite:saved.db", server.folder()).unwrap();
    let key = SavedState::open(&storage).await.unwrap().secret("tickets").await.unwrap();
    let tickets = Tickets::new(key);
    let (ticket, until) = tickets.read_late(&link).unwrap();
    let left = until.0 - std::time::UNIX_EPOCH.elapsed().unwrap().as_millis() as u64;
    assert!((240_000..=300_000).contains(&left), "{left}");
    let late = tickets.write(ticket, Timestamp(until.0 - 300_001));
    let mut refused = server.opens_stream(&late, "w").await;
    assert_eq!(refused.hear_a("error").await["code"], "authorization");
    assert_eq!(refused.closed().await.code, 4502);
    // Its page still knows where another try begins.
    let (_, html) = server.watch_page(&format!("/watch/{late}"));
    assert!(html.contains("https://desk.example/retry?a=1&amp;b=2"), "{html}");

    drop(page);
    let server = server.restarted(Stop::Terminate);
    let _page = server.page("ada", "t").opens().await;
    let mut refused = server.opens_stream(&link, "w").await;
    assert_eq!(refused.hear_a("error").await["code"], "authorization");
}

#[tokio::test]
async fn the_page_of_a_link_stands_in_the_frames_of_agents_pages_and_nobody_elses() {
    let server = Server::start();
    let _page = server.page("ada", "t").opens().await;
    let link = server.link(json!({"visitorid": "ada", "parent_origin": DESK})).await;
    let agents = format!("frame-ancestors 'self' {DESK}");
    for path in [format!("/watch/{link}"), "/watch/12345".to_owned()] {
        let (policy, _) = server.watch_page(&path);
        assert!(policy.ends_with(&agents), "{policy}");
    }
    let (policy, _) = server.watch_page("/watch/99");
    assert!(policy.ends_with("frame-ancestors 'none'"), "{policy}");
    // Neither opening the page nor the socket wrote the link down.
    drop(server.views(&link, "w").await);
    let seal = link.split_once('.').unwrap().1;
    assert!(!server.final_log().contains(seal));
}

#[tokio::test]
async fn a_link_is_refused_that_breaks_a_rule() {
    let server = Server::start();
    let _page = server.page("ada", "t").opens().await;
    let long = "x".repeat(1_020);
    let whole = format!("https://desk.example/{}", "y".repeat(1_000));
    for (body, field) in [
        (json!({}), "visitorid"),
        (json!({"visitorid": "ada", "uniqueid": "123456"}), "visitorid"),
        (
            json!({"visitorid": "ada", "branding": {"retry_url": "javascript:alert(1)"}}),
            "branding.retry_url",
        ),
        (json!({"visitorid": "ada", "branding": {"on_end_url": "/here"}}), "branding.on_end_url"),
        (json!({"visitorid": "ada", "branding": {"naked": "page"}}), "branding.naked"),
        (json!({"visitorid": "ada", "parent_origin": "https://evil.example"}), "parent_origin"),
        (json!({"visitorid": "ada", "metadata": {"deep": []}}), "metadata.deep"),
        (json!({"visitorid": "ada", "metadata": {"a": long, "b": long, "c": "1"}}), "metadata"),
        (json!({"visitorid": "ada", "surprise": 1}), "surprise"),
    ] {
        let (status, problem) = server.rest("POST", LINKS, Some(body.clone())).await;
        assert!([400, 413].contains(&status), "{body}: {problem}");
        assert_eq!(problem["field"], field, "{body}: {problem}");
    }
    let full = json!({"visitorid": "ada", "metadata": {"a": long}, "branding": {"retry_url": whole, "on_end_url": whole}});
    assert!(server.link(full).await.len() < 8_192, "the longest link fits");
    let reader = Server::token_of("12345", "read", 60);
    let (status, _) =
        server.rest_as(&reader, "POST", LINKS, Some(json!({"visitorid": "ada"})), &[]).await;
    assert_eq!(status, 403);
}
