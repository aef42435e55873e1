//! A group's events by stream and page by page.

use serde_json::{Value, json};

use crate::support::{
    Raw, Server, Stop,
    server::GROUP,
    sse::{Stream, Told},
    until,
};

const EVENTS: &str = "/v1/groups/12345/events";

fn ids(told: &[Told]) -> Vec<String> {
    told.iter().map(|told| told.data["id"].as_str().unwrap().to_owned()).collect()
}

/// All events that are kept, page by page: those, and the place behind them.
async fn pulled(server: &Server, query: &str) -> (Vec<Value>, String) {
    let (mut events, mut after) = (Vec::new(), "start".to_owned());
    loop {
        let path = format!("{EVENTS}?after={after}&limit=7{query}");
        let (status, page) = server.rest("GET", &path, None).await;
        assert_eq!((status, &page["reset"]), (200, &Value::Null), "{page}");
        events.extend(page["events"].as_array().unwrap().iter().cloned());
        page["cursor"].as_str().unwrap().clone_into(&mut after);
        if page["more"] == false {
            return (events, after);
        }
    }
}

#[tokio::test]
async fn a_stream_tells_what_happens_and_a_reader_who_comes_back_misses_nothing() {
    let server = Server::start();
    let mut stream = server.stream("", None).await;
    let mut page = server.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    let conn = stream.event("visitorconn", json!({"connected": true})).await;
    let epoch = page.welcome["epoch"].as_u64().unwrap();
    assert_eq!(conn.data["id"], format!("{epoch}:1:ada"));
    assert_eq!((&conn.data["group"], &conn.data["visitorid"]), (&json!(GROUP), &json!("ada")));
    assert_eq!((&conn.data["epoch"], &conn.data["sequence"]), (&json!(epoch), &json!(1)));
    assert!(conn.data["time"].as_u64().unwrap() >= epoch);
    stream.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    stream.event("presence", json!({"cart": 1})).await;

    // Away in the middle, again and again, while things go on.
    let mut seen = Vec::new();
    for round in 0..20 {
        let last = stream.last_id.clone();
        drop(stream);
        for part in 0..3 {
            let data = json!({"at": format!("{round}.{part}")});
            page.ok(json!({"type": "presence", "data": data})).await;
        }
        stream = server.stream("", Some(&last)).await;
        let stop = if round % 2 == 0 { 0 } else { 2 };
        seen.extend(stream.until(json!({"at": format!("{round}.{stop}")})).await);
    }
    let sequences: Vec<_> =
        seen.iter().map(|told| told.data["sequence"].as_u64().unwrap()).collect();
    assert_eq!(sequences, (4..64).collect::<Vec<_>>(), "each once, in order");
    drop((page, stream));
    until("the end of the streams", || server.figure("event_streams_open") == 0.0).await;
}

#[tokio::test]
async fn a_filter_passes_some_and_a_quiet_reader_still_knows_where_he_is() {
    let server = Server::with(&[("events.heartbeat_ms", "100")]);
    let mut of_ada = server.stream("?visitor=ada&types=presence,terms", None).await;
    let begun = of_ada.last_id.clone();
    let _ada = server.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    let mut bob = server.page("bob", "t").telling(json!({"cart": 2})).opens().await;
    of_ada.event("presence", json!({"cart": 1})).await;
    bob.ok(json!({"type": "presence", "data": {"cart": 3}})).await;
    // What he does not want moves him on all the same.
    let at = of_ada.last_id.clone();
    let quiet = of_ada.block().await.unwrap();
    assert!(quiet.kind.is_empty() && of_ada.last_id != at && at != begun, "{quiet:?}");
    let (all, end) = pulled(&server, "").await;
    assert_eq!((all.len(), end), (7, of_ada.last_id.clone()));
    let (some, _) = pulled(&server, "&visitor=bob&types=presence").await;
    let carts: Vec<_> = some.iter().map(|event| event["data"]["cart"].clone()).collect();
    assert_eq!(carts, [2, 3]);
}

#[tokio::test]
async fn every_channel_gives_an_event_the_same_id() {
    let server = Server::start();
    let mut agent = server.agent().await;
    agent.watch("a.b").await;
    let mut stream = server.stream("", None).await;
    let mut page = server.page("a.b", "t").telling(json!({"cart": 1})).opens().await;
    page.ok(json!({"type": "visibility", "visibility": "hidden"})).await;
    page.ok(json!({"type": "terms", "data": {"status": "accepted"}})).await;
    page.leave().await;
    let by_stream = ids(&stream.until(json!({"connected": false})).await);
    let (events, _) = pulled(&server, "").await;
    let by_pull: Vec<_> = events.iter().map(|event| event["id"].as_str().unwrap()).collect();
    assert_eq!(by_pull, by_stream);
    for (event, id) in events.iter().zip(&by_stream) {
        let mut heard = agent.hear().await;
        // An agent's socket leaves out what its three fields say.
        let name = |field: &str| heard[field].to_string();
        let visitor = heard["visitorid"].as_str().unwrap().replace('.', ":");
        assert_eq!(*id, format!("{}:{}:{visitor}", name("epoch"), name("sequence")));
        heard["id"] = id.as_str().into();
        heard["group"] = GROUP.into();
        assert_eq!(heard, *event);
    }
}

#[tokio::test]
async fn a_reader_who_missed_events_is_told_and_gets_a_fresh_place() {
    let server = Server::with(&[("events.history", "100")]);
    let mut stream = server.stream("", None).await;
    let mut page = server.page("ada", "t").opens().await;
    stream.until(json!({"connected": true, "sockets": 1})).await;
    let last = stream.last_id.clone();
    drop(stream);
    for number in 0..110 {
        page.ok(json!({"type": "presence", "data": {"n": number}})).await;
    }
    let mut stream = server.stream("", Some(&last)).await;
    let reset = stream.told().await;
    assert_eq!((reset.kind.as_str(), &reset.data), ("reset", &json!({"reason": "forgotten"})));
    assert!(!reset.id.is_empty() && reset.id != last);
    stream.event("presence", json!({"n": 10})).await;
    // The place that the reset gave is a good one.
    let mut again = server.stream("", Some(&reset.id)).await;
    again.event("presence", json!({"n": 10})).await;
    let (_, list) = server.rest("GET", &format!("{EVENTS}?after={last}&limit=1"), None).await;
    assert_eq!(list["reset"], json!({"reason": "forgotten"}));
    assert_eq!(list["events"][0]["data"], json!({"n": 10}));
    server.comes_to("event_resets_total", 2.0).await;
    server.comes_to("events_kept", 100.0).await;
}

#[tokio::test]
async fn a_restart_goes_on_where_the_reader_was_and_a_crash_tells_him_that_it_does_not() {
    let server = Server::start();
    let mut stream = server.stream("", None).await;
    let page = server.page("ada", "t").opens().await;
    stream.until(json!({"connected": true, "sockets": 1})).await;
    server.signal(Stop::Terminate);
    // The end comes with a word, and before the end of the visitor's socket or after it.
    let mut farewell = stream.told().await;
    while farewell.kind == "visitorsock" {
        farewell = stream.told().await;
    }
    assert_eq!(farewell.kind, "goaway");
    assert!(farewell.data["retry_ms"].is_u64());
    assert_eq!(stream.block().await, None);
    let last = stream.last_id.clone();
    drop(page);
    let mut server = server;
    assert!(server.ended().success());
    let server = server.restarted(Stop::Terminate);
    let page = server.page("ada", "t").opens().await;
    let mut stream = server.stream("", Some(&last)).await;
    let rest = stream.until(json!({"connected": true, "sockets": 1})).await;
    assert!(rest.iter().all(|told| told.kind == "visitorsock"), "{rest:?}");
    let sequences: Vec<_> =
        rest.iter().map(|told| told.data["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.is_sorted() && *sequences.last().unwrap() == 4, "{sequences:?}");

    let last = stream.last_id.clone();
    let server = server.restarted(Stop::Kill);
    drop((page, stream));
    let mut stream = server.stream("", Some(&last)).await;
    let reset = stream.told().await;
    assert_eq!((reset.kind.as_str(), &reset.data), ("reset", &json!({"reason": "restarted"})));
}

#[tokio::test]
async fn one_who_waits_for_an_event_gets_it_at_once() {
    let server = Server::start();
    let (_, list) = server.rest("GET", &format!("{EVENTS}?after=now"), None).await;
    assert_eq!((&list["events"], &list["more"]), (&json!([]), &json!(false)));
    let cursor = list["cursor"].as_str().unwrap();
    let path = format!("{EVENTS}?after={cursor}&types=visitorconn&wait_ms=30000");
    let begun = std::time::Instant::now();
    let waiting = server.rest("GET", &path, None);
    let opens = async {
        until("waiting", || server.figure("event_streams_open") == 1.0).await;
        server.page("ada", "t").opens().await
    };
    let ((status, list), _page) = tokio::join!(waiting, opens);
    assert_eq!((status, list["events"].as_array().unwrap().len()), (200, 1), "{list}");
    assert!(begun.elapsed().as_secs() < 10);
    let cursor = list["cursor"].as_str().unwrap();
    let path = format!("{EVENTS}?after={cursor}&types=visitorconn&wait_ms=50");
    let (_, list) = server.rest("GET", &path, None).await;
    assert_eq!(list["events"], json!([]));
}

#[tokio::test]
async fn only_who_may_read_the_group_reads_its_events() {
    let server = Server::with(&[("groups.1.events", "false")]);
    let read = Server::token_of(GROUP, "read", 60);
    let other = Server::token_of("777", "read", 60);
    let signal = Server::token_of(GROUP, "signal", 60);
    let expired = Server::token_of(GROUP, "read", -5);
    let foreign = [("origin", "https://evil.example")];
    let stream = [("accept", "text/event-stream")];
    for (token, path, headers, status, code) in [
        ("", EVENTS, &[][..], 401, "authorization"),
        ("x", EVENTS, &stream[..], 401, "authorization"),
        (&expired, EVENTS, &stream[..], 401, "authorization"),
        (&other, EVENTS, &stream[..], 403, "group"),
        (&signal, EVENTS, &stream[..], 403, "scope"),
        (&read, EVENTS, &foreign[..], 403, "origin"),
        (&other, "/v1/groups/777/events", &stream[..], 404, "notfound"),
    ] {
        let (found, problem) = server.rest_as(token, "GET", path, None, headers).await;
        assert_eq!((found, &problem["code"]), (status, &json!(code)), "{path} {headers:?}");
    }
    for (query, field) in [
        ("after=x", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("wait_ms=30001", "wait_ms"),
        ("types=x", "types"),
        ("visitor=a%20b", "visitor"),
        ("more=1", "more"),
    ] {
        let (status, problem) = server.rest("GET", &format!("{EVENTS}?{query}"), None).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{query}: {problem}");
    }
    let headers = [("accept", "text/event-stream"), ("last-event-id", "x")];
    let (status, problem) = server.rest_as(&read, "GET", EVENTS, None, &headers).await;
    assert_eq!((status, &problem["field"]), (400, &json!("Last-Event-ID")));
    // A token in the address is none.
    assert_eq!(server.get(&format!("{EVENTS}?access_token={read}")).0, 401);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let server = Server::start();
    let mut stream: Stream =
        server.stream_with(&Server::token_of(GROUP, "read", 2), "", None).await;
    let end = stream.told().await;
    assert_eq!((end.kind.as_str(), &end.data["code"]), ("expired", &json!("expired")));
    assert_eq!(stream.block().await, None);
    until("counted", || server.figure(r#"event_streams_ended_total{reason="expired"}"#) == 1.0)
        .await;
}

#[tokio::test]
async fn a_group_has_so_many_streams_and_no_more() {
    // That a reader has gone is seen when something is written to him.
    let server = Server::with(&[("events.streams", "2"), ("events.heartbeat_ms", "100")]);
    let one = server.stream("", None).await;
    let _two = server.stream("", None).await;
    let headers = [("accept", "text/event-stream")];
    let token = Server::token();
    let (status, problem) = server.rest_as(&token, "GET", EVENTS, None, &headers).await;
    assert_eq!((status, &problem["code"]), (429, &json!("toomany")));
    drop(one);
    until("room", || server.figure("event_streams_open") == 1.0).await;
    let _three = server.stream("", None).await;
}

#[tokio::test]
async fn a_reader_who_takes_nothing_is_let_go_and_holds_nobody_up() {
    let server = Server::with(&[("limits.write_deadline_ms", "500")]);
    let mut quick = server.stream("", None).await;
    let mut deaf = Raw::connect_narrow(&server).await;
    let token = Server::token();
    let head = deaf
        .request(&format!(
            "GET {EVENTS} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
             accept: text/event-stream\r\n\r\n"
        ))
        .await;
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    let mut page = server.page("ada", "t").opens().await;
    let text = "x".repeat(1_000);
    let large: Value = (0..14).map(|key| (format!("k{key}"), json!(text))).collect();
    let slow = || server.figure(r#"event_streams_ended_total{reason="slow"}"#);
    let mut rounds = 0_u64;
    while slow() == 0.0 {
        rounds += 1;
        assert!(rounds < 2_000, "the deaf reader was never let go");
        let mut data = large.clone();
        data["round"] = rounds.into();
        page.ok(json!({"type": "presence", "data": data})).await;
        quick.until(data).await;
    }
    server.comes_to("event_streams_open", 1.0).await;
}
