//! The script and the frame of `channelme.md`, as they are served, and what opens a frame's socket. What they do in a page is
//! tested in a browser.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::{
    Server, Socket,
    server::{DESK, GROUP, SHOP},
};

struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// What the frame is told.
    fn facts(&self) -> Value {
        let (_, rest) = self.text.split_once("data-facts=\"").unwrap();
        let written = rest.split('"').next().unwrap().replace("&quot;", "\"");
        serde_json::from_str(&written).unwrap()
    }
}

async fn get(server: &Server, path: &str) -> Answer {
    let answer = reqwest::get(format!("http://{}{path}", server.address())).await.unwrap();
    let headers = answer.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().into()));
    let (status, headers) = (answer.status().as_u16(), headers.collect());
    Answer { status, headers, text: answer.text().await.unwrap() }
}

fn hello(ticket: Option<&str>) -> Value {
    let mut hello =
        json!({"type": "hello", "visitorid": "ada", "tab": "t", "page": "p", "visible": true});
    if let Some(ticket) = ticket {
        hello["ticket"] = ticket.into();
    }
    hello
}

#[tokio::test]
async fn both_names_lead_to_the_script_and_the_switch_turns_all_off() {
    let server = Server::start();
    let script = get(&server, "/site_connect.js").await;
    assert_eq!(script.status, 200);
    assert_eq!(script.header("cross-origin-resource-policy"), "cross-origin");
    assert!(script.text.contains("stop_session"));
    assert_eq!(get(&server, "/siteconnect.js").await.text, script.text);
    let server = Server::with(&[("facades.channelme", "false")]);
    for path in ["/site_connect.js", "/siteconnect.js", "/site_connect/frame?partner=12345"] {
        assert_eq!(get(&server, path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn the_frame_stands_in_pages_of_the_groups_visitors_and_nobody_elses() {
    let server = Server::start();
    let frame = get(&server, "/site_connect/frame?partner=12345").await;
    assert_eq!(frame.status, 200);
    let policy = frame.header("content-security-policy");
    let (rules, ancestors) = policy.split_once("frame-ancestors ").unwrap();
    assert_eq!(ancestors, format!("'self' {SHOP}"), "not {DESK}, and no other group's");
    assert!(rules.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"));
    assert!(!rules.contains("unsafe"), "{rules}");
    assert_eq!(frame.header("cross-origin-embedder-policy"), "require-corp");
    assert_eq!(frame.header("cache-control"), "no-store");
    let facts = frame.facts();
    assert_eq!((&facts["group"], &facts["origins"]), (&json!(GROUP), &json!([SHOP])));
    assert_eq!(facts["loopback"], Value::Null);

    // Of nobody's: it says so to whoever holds it, and opens nothing.
    for query in ["?partner=default_account", "?partner=999", "?partner=", ""] {
        let frame = get(&server, &format!("/site_connect/frame{query}")).await;
        assert_eq!((frame.status, frame.facts()), (404, json!({"refused": "group"})), "{query}");
        let ticket = get(&server, &format!("/site_connect/ticket{query}")).await;
        assert_eq!(ticket.status, 404, "{query}");
    }
    let server = Server::with(&[("facades.default_group", GROUP)]);
    assert_eq!(get(&server, "/site_connect/frame").await.facts()["group"], json!(GROUP));
}

#[tokio::test]
async fn a_frames_socket_needs_the_ticket_of_its_group() {
    let server = Server::start();
    let own = format!("http://{}", server.address());
    let path = format!("/v1/visitor?group={GROUP}&frame=1");
    let written = get(&server, "/site_connect/frame?partner=12345").await.facts()["ticket"].clone();
    let fetched = get(&server, "/site_connect/ticket?partner=12345").await.text;
    for ticket in [written.as_str().unwrap(), &fetched] {
        let mut socket = Socket::open(&server, &path, Some(&own)).await;
        socket.say(hello(Some(ticket))).await;
        socket.hear_a("welcome").await;
        socket.leave().await;
    }
    let others = get(&server, "/site_connect/ticket?partner=777").await.text;
    let bent = fetched.replacen('1', "2", 1);
    for ticket in [None, Some(""), Some("a.b"), Some(others.as_str()), Some(bent.as_str())] {
        let mut socket = Socket::open(&server, &path, Some(&own)).await;
        socket.say(hello(ticket)).await;
        assert_eq!(socket.closed().await.code, 4500, "{ticket:?}");
    }
    // It opens nothing for a page that may not come in.
    let mut socket = Socket::open(&server, &path, Some("https://evil.example")).await;
    assert_eq!(socket.closed().await.code, 4500);
}

#[tokio::test]
async fn a_contact_code_leads_to_its_visitor_until_a_session_begins() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    let code = |answer: &Value| answer["uniqueid"].as_str().unwrap().to_owned();
    let both = json!({"type": "unique", "contact": true, "lookup": true});
    assert_eq!(page.refused(both, "badrequest").await["field"], "contact");
    let first = page.ok(json!({"type": "unique", "contact": true})).await;
    assert_eq!((code(&first).len(), first["seconds"].as_u64()), (6, Some(86_400)));
    let again = page.ok(json!({"type": "unique", "contact": true})).await;
    assert_eq!(code(&again), code(&first));

    let begins = async |code: &str| {
        server.rest("POST", "/v1/groups/12345/sessions", Some(json!({"uniqueid": code}))).await
    };
    let (status, begun) = begins(&code(&first)).await;
    assert_eq!(status, 201, "{begun}");
    let session = server.session(begun["session"].as_str().unwrap()).await;
    assert_eq!(session["running"]["visitorid"], "ada", "{session}");
    // Used.
    assert_eq!(begins(&code(&first)).await.0, 404);
    let second = page.ok(json!({"type": "unique", "contact": true})).await;
    assert_ne!(code(&second), code(&first));
    page.leave().await;
    let mut agent = server.agent().await;
    let told = agent.ask(json!({"type": "lookup", "uniqueid": code(&second)})).await;
    assert_eq!((&told["type"], &told["visitor"]), (&json!("ok"), &Value::Null), "{told}");
}
