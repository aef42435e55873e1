//! What each route and each message of an agent needs. A new one without a row here fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use vestibule::{app, settings::Facades};

use crate::support::{
    Server,
    mint::{Signing, claims},
    routes::of_the_sources,
    server::GROUP,
    soon,
};

const SCOPES: [&str; 7] = ["read", "signal", "invoke", "session", "control", "topics", "operate"];

/// Who may call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Needs {
    /// Nobody is asked who he is.
    Nothing,
    /// An API key or a login key; a token buys no token.
    Key,
    /// A group that lets people in by a code; there is none here.
    Trusting,
    /// A token of the group with this scope.
    Scope(&'static str),
}

use Needs::{Key, Nothing, Scope, Trusting};

/// Each route, what it needs, and a body that would do.
fn routes() -> Vec<(&'static str, Needs, Value)> {
    let invocation = json!({"func": "GLANCE.Test.run", "args": {}});
    let wish = json!({"group": GROUP, "subject": "a"});
    vec![
        ("POST /v1/tokens", Key, wish),
        ("POST /v1/groups/{group}/revocations", Scope("operate"), json!({"jti": "x"})),
        ("GET /v1/groups/{group}/revocations", Scope("operate"), Value::Null),
        ("DELETE /v1/groups/{group}/revocations/{id}", Scope("operate"), Value::Null),
        ("GET /v1/groups/{group}/visitors", Scope("read"), Value::Null),
        ("GET /v1/groups/{group}/visitors/{visitor}", Scope("read"), Value::Null),
        ("GET /v1/groups/{group}/visitors/{visitor}/explain", Scope("operate"), Value::Null),
        ("POST /v1/groups/{group}/visitors/{visitor}/signals", Scope("signal"), json!({"data": 1})),
        ("GET /v1/groups/{group}/visitors/{visitor}/signals/{id}", Scope("read"), Value::Null),
        (
            "POST /v1/groups/{group}/visitors/{visitor}/invocations",
            Scope("invoke"),
            invocation.clone(),
        ),
        ("GET /v1/groups/{group}/events", Scope("read"), Value::Null),
        ("GET /v1/groups/{group}/visitors/{visitor}/explain", Scope("operate"), Value::Null),
        ("GET /v1/groups/{group}/webhooks", Scope("operate"), Value::Null),
        ("GET /v1/groups/{group}/webhooks/{webhook}/dead-letters", Scope("operate"), Value::Null),
        (
            "DELETE /v1/groups/{group}/webhooks/{webhook}/dead-letters",
            Scope("operate"),
            Value::Null,
        ),
        (
            "POST /v1/groups/{group}/webhooks/{webhook}/dead-letters/redeliver",
            Scope("operate"),
            Value::Null,
        ),
        (
            "DELETE /v1/groups/{group}/webhooks/{webhook}/dead-letters/{letter}",
            Scope("operate"),
            Value::Null,
        ),
        (
            "POST /v1/groups/{group}/webhooks/{webhook}/dead-letters/{letter}/redeliver",
            Scope("operate"),
            Value::Null,
        ),
        ("GET /v1/groups/{group}/requests", Scope("read"), Value::Null),
        (
            "POST /v1/groups/{group}/requests/claim",
            Scope("session"),
            json!({"visitorid": "ada", "help": "0190163d8694739b8a8c1e7ee7a2b3c6"}),
        ),
        (
            "POST /v1/groups/{group}/requests/decline",
            Scope("session"),
            json!({"visitorid": "ada", "help": "0190163d8694739b8a8c1e7ee7a2b3c6"}),
        ),
        (
            "POST /v1/groups/{group}/topics/publish",
            Scope("topics"),
            json!({"topic": "a", "data": 1}),
        ),
        (
            "POST /v1/groups/{group}/topics/publish/batch",
            Scope("topics"),
            json!({"messages": [{"topic": "a", "data": 1}]}),
        ),
        ("GET /v1/groups/{group}/topics/retained", Scope("topics"), Value::Null),
        ("GET /v1/groups/{group}/topics/history", Scope("topics"), Value::Null),
        ("POST /v1/groups/{group}/sessions", Scope("session"), json!({"visitorid": "ada"})),
        ("GET /v1/groups/{group}/sessions", Scope("session"), Value::Null),
        ("GET /v1/groups/{group}/past-sessions", Scope("session"), Value::Null),
        ("GET /v1/groups/{group}/sessions/{session}", Scope("session"), Value::Null),
        ("GET /v1/groups/{group}/sessions/{session}/consents", Scope("session"), Value::Null),
        ("DELETE /v1/groups/{group}/sessions/{session}", Scope("session"), Value::Null),
        ("POST /v1/groups/{group}/sessions/{session}/code", Scope("session"), Value::Null),
        ("POST /v1/groups/{group}/sessions/{session}/tickets", Scope("session"), json!({})),
        ("GET /v1/groups/{group}/buttons", Scope("session"), Value::Null),
        ("GET /v1/groups/{group}/chats", Scope("session"), Value::Null),
        (
            "POST /v1/groups/{group}/chats",
            Scope("session"),
            json!({"visitorid": "ada", "text": "May I help?"}),
        ),
        ("GET /v1/groups/{group}/chats/{chat}", Scope("session"), Value::Null),
        ("DELETE /v1/groups/{group}/chats/{chat}", Scope("session"), Value::Null),
        ("POST /v1/groups/{group}/chats/{chat}/claim", Scope("session"), Value::Null),
        ("POST /v1/groups/{group}/chats/{chat}/release", Scope("session"), Value::Null),
        (
            "POST /v1/groups/{group}/chats/{chat}/messages",
            Scope("session"),
            json!({"text": "Hello"}),
        ),
        ("GET /v1/groups/{group}/past-chats", Scope("session"), Value::Null),
        ("DELETE /v1/groups/{group}/past-chats", Scope("operate"), Value::Null),
        ("DELETE /v1/groups/{group}/past-chats/{chat}", Scope("operate"), Value::Null),
        // A page's ticket, which is no token.
        ("PUT /v1/assets/{sha256}", Key, Value::Null),
        ("GET /watch/assets/{assets}/{epoch}/{asset}", Nothing, Value::Null),
        ("POST /v1/groups/{group}/watch-links", Scope("session"), json!({"visitorid": "ada"})),
        ("GET /watch/", Nothing, Value::Null),
        ("GET /watch/{link}", Nothing, Value::Null),
        ("GET /v1.3/list", Key, Value::Null),
        ("GET /v1.3/visitors/{short_id}", Key, Value::Null),
        ("DELETE /v1.3/visitors/{short_id}", Key, Value::Null),
        ("DELETE /v1.3/visitors", Key, Value::Null),
        ("POST /v1.3/visitors/{short_id}/watch_url", Key, json!({})),
        ("DELETE /v1.3/visitors/{short_id}/session", Key, Value::Null),
        ("GET /cobrowse", Nothing, Value::Null),
        ("GET /sdk/upscope.js", Nothing, Value::Null),
        ("GET /lookupvisitor", Scope("read"), Value::Null),
        ("GET /findvisitor", Scope("read"), Value::Null),
        ("POST /signalvisitor", Scope("signal"), json!({"mtype": "signal", "data": 1})),
        ("POST /signalvisitor", Scope("invoke"), json!({"mtype": "invoke", "data": invocation})),
        (
            "POST /authorization",
            Key,
            json!({"groupid": GROUP, "username": "a", "password": "wrong"}),
        ),
        ("GET /.well-known/jwks.json", Nothing, Value::Null),
        ("GET /healthz", Nothing, Value::Null),
        ("GET /readyz", Nothing, Value::Null),
        ("GET /metrics", Nothing, Value::Null),
        ("GET /openapi.json", Nothing, Value::Null),
        ("GET /asyncapi.json", Nothing, Value::Null),
        ("GET /v1/about", Nothing, Value::Null),
        ("GET /", Nothing, Value::Null),
        ("GET /docs", Nothing, Value::Null),
        ("GET /demo/", Nothing, Value::Null),
        ("GET /demo/agent", Nothing, Value::Null),
        ("GET /demo/config.json", Nothing, Value::Null),
        ("POST /demo/checkout", Nothing, Value::Null),
        ("GET /demo/{page:.*}", Nothing, Value::Null),
        // In development mode only, where every caller is on this machine; elsewhere it is not there.
        ("POST /demo/token", Nothing, Value::Null),
        ("GET /pages/{path:.*}", Nothing, Value::Null),
        (r"GET /sdk/{path:.*\\.js}", Nothing, Value::Null),
        ("GET /cobrowse/CobrowseJS.ashx", Nothing, Value::Null),
        ("GET /cobrowse/launcher.js", Nothing, Value::Null),
        ("GET /cobrowse/panel.js", Nothing, Value::Null),
        // By a session's token, as its group says.
        ("POST /cobrowse/rest/live/sessions", Trusting, Value::Null),
        ("GET /cobrowse/rest/live/sessions/{token}", Trusting, Value::Null),
        ("POST /cobrowse/rest/live/sessions/{token}/seats", Trusting, Value::Null),
        ("GET /cobrowse/slave.html", Nothing, Value::Null),
        ("GET /demo/desktop", Nothing, Value::Null),
        ("GET /cobrowse/rest/live/users/{token}/session/stop", Nothing, Value::Null),
        ("POST /cobrowse/rest/live/users/{token}/session/stop", Nothing, Value::Null),
        ("GET /cobrowse/rest/history/sessions/{id}", Nothing, Value::Null),
        ("GET /cobrowse/health", Nothing, Value::Null),
        ("GET /agentjoin/AgentView.aspx", Nothing, Value::Null),
        ("GET /site_connect.js", Nothing, Value::Null),
        ("GET /siteconnect.js", Nothing, Value::Null),
        ("GET /site_connect/frame", Nothing, Value::Null),
        ("GET /site_connect/ticket", Nothing, Value::Null),
    ]
}

/// Each message of an agent, the scope that it needs, and one that would do.
fn messages() -> Vec<(&'static str, Option<&'static str>, Value)> {
    vec![
        ("hello", None, json!({"token": "again"})),
        ("renew", None, json!({"token": token(&["topics"])})),
        ("watch", Some("read"), json!({"visitorid": "ada"})),
        ("unwatch", None, json!({"visitorid": "ada"})),
        ("list", Some("read"), json!({"list": 1})),
        ("unlist", None, json!({"list": 1})),
        ("lookup", Some("read"), json!({"visitorid": "ada"})),
        ("signal", Some("signal"), json!({"visitorid": "ada", "data": 1})),
        (
            "invoke",
            Some("invoke"),
            json!({"visitorid": "ada", "func": "GLANCE.Test.run", "args": {}}),
        ),
        (
            "claimhelp",
            Some("session"),
            json!({"visitorid": "ada", "help": "0190163d8694739b8a8c1e7ee7a2b3c6"}),
        ),
        (
            "declinehelp",
            Some("session"),
            json!({"visitorid": "ada", "help": "0190163d8694739b8a8c1e7ee7a2b3c6"}),
        ),
        ("available", Some("session"), json!({"buttons": ["sales"]})),
        ("watchchats", Some("session"), json!({})),
        ("readchat", Some("session"), json!({})),
        ("claimchat", Some("session"), json!({})),
        ("releasechat", Some("session"), json!({})),
        ("say", Some("session"), json!({"text": "Hello", "id": "m-1"})),
        ("endchat", Some("session"), json!({})),
        ("invitechat", Some("session"), json!({"visitorid": "ada", "text": "May I help?"})),
        ("typing", Some("session"), json!({})),
        ("publish", Some("topics"), json!({"topic": "a", "data": 1})),
        ("subscribe", Some("topics"), json!({"filter": "a"})),
        ("unsubscribe", Some("topics"), json!({"subscription": 1})),
        ("disconnect", None, json!({})),
    ]
}

fn token(scopes: &[&str]) -> String {
    // What the scope `topics` reaches depends on the claim.
    let topics = json!({"publish": ["#"], "subscribe": ["#"]});
    Signing::of_the_tests().sign(&claims(json!({"scope": scopes.join(" "), "topics": topics})))
}

/// A token with every scope but this one.
fn lacking(scope: &str) -> String {
    token(&SCOPES.into_iter().filter(|other| *other != scope).collect::<Vec<_>>())
}

/// Every operation of the interface's document, and whether it asks for a token.
fn documented() -> Vec<(String, bool)> {
    let document: Value =
        serde_json::from_str(&app::documents(None, &Facades::ALL).openapi).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(move |(method, operation)| {
            let asks = operation["security"][0].get("token").is_some();
            (format!("{} {path}", method.to_uppercase()), asks)
        })
    });
    operations.collect()
}

#[test]
fn every_route_and_every_message_has_its_row() {
    let rows: BTreeSet<_> = routes().into_iter().map(|(route, ..)| route.to_owned()).collect();
    let sources = of_the_sources().into_iter().map(|(method, path)| format!("{method} {path}"));
    assert_eq!(rows, sources.collect());
    for (operation, asks_for_token) in documented() {
        let needs = routes().into_iter().find(|(route, ..)| *route == operation).unwrap().1;
        assert_eq!(matches!(needs, Scope(_)), asks_for_token, "{operation}");
    }
    let document: Value =
        serde_json::from_str(&app::documents(None, &Facades::ALL).asyncapi).unwrap();
    let spoken = document["operations"]["agentReceive"]["messages"].as_array().unwrap();
    let spoken = spoken.iter().map(|message| message["$ref"].as_str().unwrap());
    let spoken: BTreeSet<_> = spoken.map(|path| path.rsplit('/').next().unwrap()).collect();
    assert_eq!(messages().into_iter().map(|(kind, ..)| kind).collect::<BTreeSet<_>>(), spoken);
}

/// Calls a route: the status, and the word of the error if it is one.
async fn call(server: &Server, route: &str, body: &Value, token: Option<&str>) -> (u16, String) {
    let (method, path) = route.split_once(' ').unwrap();
    let mut path = path.replace("{group}", GROUP);
    while let Some((before, rest)) = path.split_once('{') {
        path = format!("{before}1{}", rest.split_once('}').unwrap().1);
    }
    if path.ends_with("visitor") {
        path += "?visitorid=ada";
    }
    let url = format!("http://{}{path}", server.address());
    let mut request = reqwest::Client::new().request(method.parse().unwrap(), url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if !body.is_null() {
        request = request.json(body);
    }
    let answer = soon(route, request.send()).await.unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_default();
    let word = body["code"].as_str().or(body["error"].as_str()).unwrap_or_default().to_owned();
    (status, word)
}

#[tokio::test]
async fn a_route_wants_its_scope_and_no_other() {
    let server = Server::start();
    let page = server.page("ada", "t").opens().await;
    for (route, needs, body) in routes() {
        let status = async |token: Option<&str>| call(&server, route, &body, token).await;
        match needs {
            Nothing => {
                let (status, word) = status(None).await;
                assert!(status != 401 && status != 403, "{route}: {status} {word}");
            }
            Trusting => assert_eq!(status(None).await.0, 403, "{route}"),
            Key => assert_eq!(status(Some(&token(&SCOPES))).await.0, 401, "{route}"),
            Scope(scope) => {
                let (nobody, _) = status(None).await;
                assert_eq!(nobody, 401, "{route}");
                let (lacks, word) = status(Some(&lacking(scope))).await;
                assert_eq!(lacks, 403, "{route} without {scope}: {word}");
                // Glance's scripts know one word for all that is forbidden.
                let expected = if route.contains("/v1/") { "scope" } else { "authorization" };
                assert_eq!(word, expected, "{route}");
                let (has, word) = status(Some(&token(&[scope]))).await;
                assert!(has != 401 && has != 403, "{route} with {scope}: {has} {word}");
            }
        }
    }
    page.leave().await;
}

#[tokio::test]
async fn a_message_wants_its_scope_and_no_other() {
    let server = Server::start();
    let mut page = server.page("ada", "t").opens().await;
    // As long as he is there, chats can begin, and stay with who has them.
    let mut desk = server.agent_with(&token(&["session"])).await;
    desk.ok(json!({"type": "available", "buttons": ["sales"]})).await;
    for (kind, needs, mut message) in messages() {
        message["type"] = kind.into();
        if kind == "invitechat" {
            page.ok(json!({"type": "closechat"})).await;
        } else if kind.ends_with("chat") || matches!(kind, "say" | "typing") {
            let opened = page.ok(json!({"type": "openchat"})).await;
            message["chat"] = opened["chat"]["chat"].clone();
            if matches!(kind, "releasechat" | "say") {
                desk.ok(json!({"type": "claimchat", "chat": message["chat"]})).await;
            }
        }
        if kind.ends_with("help") {
            message["help"] = page.ok(json!({"type": "askhelp"})).await["help"].clone();
        }
        let word = async |token: &str| {
            let mut agent = server.agent_with(token).await;
            let answer = agent.ask(message.clone()).await;
            answer["code"].as_str().map(str::to_owned)
        };
        match needs {
            None if kind == "hello" => {
                assert_eq!(word(&token(&["topics"])).await.as_deref(), Some("badrequest"));
            }
            None => assert_eq!(word(&token(&["topics"])).await, None, "{kind}"),
            Some(scope) => {
                assert_eq!(word(&lacking(scope)).await.as_deref(), Some("scope"), "{kind}");
                assert_eq!(word(&token(&[scope])).await, None, "{kind}");
            }
        }
    }
}

#[tokio::test]
async fn a_renewal_that_may_read_no_more_ends_the_watching() {
    let server = Server::start();
    let mut agent = server.agent_with(&token(&["read", "signal"])).await;
    assert_eq!(agent.watch("ada").await, None);
    agent.ok(json!({"type": "renew", "token": token(&["read"])})).await;
    let page = server.page("ada", "t").opens().await;
    agent.event("visitorconn", json!({"connected": true})).await;
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    agent.ok(json!({"type": "renew", "token": token(&["signal"])})).await;
    assert_eq!(server.figure("watchers"), 0.0);
    page.leave().await;
    agent.hears_nothing_for(100).await;
    agent.refused(json!({"type": "watch", "visitorid": "ada"}), "scope").await;
    // What was asked for anew works as ever.
    agent.ok(json!({"type": "renew", "token": token(&["read"])})).await;
    assert_eq!(agent.watch("ada").await, None);
}
