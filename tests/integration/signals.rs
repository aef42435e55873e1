//! Signals (design section 3): accepted, held, delivered once, and ended in exactly one outcome.

use serde_json::json;

use crate::support::{Server, until};

const QUICK: [(&str, &str); 3] = [
    ("presence.grace_ms", "400"),
    ("presence.signal_window_ms", "400"),
    ("presence.ack_ms", "400"),
];

#[tokio::test]
async fn a_signal_is_held_across_a_page_change_and_ends_once() {
    let server = Server::start();
    let mut agent = server.agent().await;
    drop(server.page("ada", "t").opens().await);
    let mut ids = Vec::new();
    for number in 0..3 {
        ids.push(agent.signal("ada", json!(number)).await);
    }
    let mut page = server.page("ada", "t").opens().await;
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(&page.gets(json!(number)).await, id, "in their order");
        agent.outcome(id, "delivered").await;
        // Acknowledged once more, it is still one outcome.
        page.ok(json!({"type": "ack", "ids": [id]})).await;
        let path = format!("/v1/groups/12345/visitors/ada/signals/{id}");
        assert_eq!(server.rest("GET", &path, None).await.1["outcome"], "delivered");
    }
    server.comes_to(r#"signals_total{outcome="delivered"}"#, 3.0).await;
    until("the figure", || server.figure("signals_held") == 0.0).await;
}

#[tokio::test]
async fn what_a_page_did_not_acknowledge_goes_to_its_next_page() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    let id = agent.signal("ada", json!("x")).await;
    let signal = page.hear_a("signal").await;
    let (now, deadline) = (page.welcome["now"].as_u64(), signal["deadline"].as_u64());
    assert!(deadline > now && deadline < now.map(|now| now + 10_000), "{signal}");
    drop(page);
    // Not to another tab meanwhile: that one knows nothing of what this one saw.
    let mut other = server.page("ada", "u").opens().await;
    other.hears_nothing_for(200).await;
    // The next page of the tab says that its tab saw it.
    let mut next = server.page("ada", "t").having_seen(&[&id]).opens().await;
    agent.outcome(&id, "delivered").await;
    next.hears_nothing_for(100).await;
}

#[tokio::test]
async fn a_signal_that_nobody_acknowledges_expires() {
    let server = Server::with(&QUICK);
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    let mut other = server.page("ada", "u").opens().await;
    page.hear_a("blur").await;
    let id = agent.signal("ada", json!("x")).await;
    other.hear_a("signal").await;
    agent.outcome(&id, "expired").await;
    other.ok(json!({"type": "ack", "ids": [id]})).await;
    agent.hears_nothing_for(100).await;
    let path = format!("/v1/groups/12345/visitors/ada/signals/{id}");
    assert_eq!(server.rest("GET", &path, None).await.1["outcome"], "expired");
    page.hears_nothing_for(50).await;
    // Held for one who does not come back, likewise.
    drop((page, other));
    let held = agent.signal("ada", json!("y")).await;
    agent.outcome(&held, "expired").await;
    let late = json!({"type": "signal", "visitorid": "ada", "data": 1});
    agent.refused(late, "visitornotpresent").await;
    server.comes_to(r#"signals_total{outcome="refused"}"#, 1.0).await;
}

#[tokio::test]
async fn nobody_there_is_refused() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let signal = json!({"type": "signal", "visitorid": "ada", "data": 1});
    agent.refused(signal.clone(), "visitornotpresent").await;
    // A page that only reports does not make him reachable.
    let mut page = server.page("ada", "t").reporting_only().opens().await;
    assert_eq!(agent.watch("ada").await, Some(1));
    agent.refused(signal.clone(), "visitornotpresent").await;
    page.ok(json!({"type": "listen"})).await;
    page.hear_a("focus").await;
    agent.ok(signal).await;
    page.gets(json!(1)).await;
}

#[tokio::test]
async fn only_so_many_wait_for_one_visitor() {
    let server = Server::start();
    let mut agent = server.agent().await;
    drop(server.page("ada", "t").opens().await);
    for number in 0..32 {
        agent.signal("ada", json!(number)).await;
    }
    let one_more = json!({"type": "signal", "visitorid": "ada", "data": 32});
    agent.refused(one_more, "toomany").await;
    let path = "/v1/groups/12345/visitors/ada/signals";
    let (status, problem) = server.rest("POST", path, Some(json!({"data": 32}))).await;
    assert_eq!((status, &problem["code"]), (429, &json!("toomany")));
    let mut page = server.page("ada", "t").opens().await;
    for number in 0..32 {
        page.gets(json!(number)).await;
    }
    drop(page);
    // 256 KiB in all.
    let large = json!("x".repeat(60_000));
    for _ in 0..4 {
        agent.signal("ada", large.clone()).await;
    }
    let large = json!({"type": "signal", "visitorid": "ada", "data": large});
    agent.refused(large, "toomany").await;
}

#[tokio::test]
async fn a_retry_with_its_key_is_the_same_signal() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    let signal = json!({"type": "signal", "visitorid": "ada", "data": 1, "key": "k"});
    let first = agent.ok(signal.clone()).await;
    assert_eq!(agent.ok(signal.clone()).await["id"], first["id"]);
    assert_eq!(page.gets(json!(1)).await, first["id"].as_str().unwrap());
    agent.outcome(first["id"].as_str().unwrap(), "delivered").await;
    let again = agent.ok(signal).await;
    assert_eq!((&again["id"], &again["outcome"]), (&first["id"], &json!("delivered")));
    page.hears_nothing_for(50).await;
    // By REST, in a header.
    let path = "/v1/groups/12345/visitors/ada/signals";
    let send = async |key: &'static str| {
        let body = Some(json!({"data": 2}));
        server.rest_as(&Server::token(), "POST", path, body, &[("idempotency-key", key)]).await
    };
    let (status, first) = send("r").await;
    assert_eq!((status, &first["outcome"]), (202, &json!("held")));
    assert_eq!(send("r").await.1["id"], first["id"]);
    assert_ne!(send("s").await.1["id"], first["id"]);
    let (status, problem) = send("two words").await;
    assert_eq!((status, &problem["field"]), (400, &json!("Idempotency-Key")));
}

#[tokio::test]
async fn only_functions_of_the_namespace_are_invoked() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    let path = "/v1/groups/12345/visitors/ada/invocations";
    for func in
        ["alert", "GLANCE.Authorization", "GLANCE.a.__proto__.b", "GLANCE.a.constructor", ""]
    {
        let invoke = json!({"type": "invoke", "visitorid": "ada", "func": func});
        let error = agent.refused(invoke, "forbiddenfunction").await;
        assert_eq!(error["field"], "func");
        let (status, problem) = server.rest("POST", path, Some(json!({"func": func}))).await;
        assert_eq!((status, &problem["code"]), (400, &json!("forbiddenfunction")), "{func}");
    }
    let invoke =
        json!({"type": "invoke", "visitorid": "ada", "func": "GLANCE.a.b", "args": {"c": [1]}});
    let id = agent.ok(invoke).await["id"].clone();
    let told = page.hear_a("invoke").await;
    assert_eq!(
        (&told["id"], &told["func"], &told["args"]),
        (&id, &json!("GLANCE.a.b"), &json!({"c": [1]}))
    );
    let failed = json!({"type": "failed", "id": id, "code": "exception", "msg": "no"});
    page.ok(failed.clone()).await;
    agent.outcome(id.as_str().unwrap(), "delivered").await;
    let params = json!({"id": id, "func": "GLANCE.a.b"});
    agent.event("visitorerror", json!({"code": "exception", "msg": "no", "params": params})).await;
    page.ok(failed).await;
    agent.hears_nothing_for(100).await;
    let path = format!("/v1/groups/12345/visitors/ada/signals/{}", id.as_str().unwrap());
    let (_, state) = server.rest("GET", &path, None).await;
    assert_eq!(state["error"], json!({"code": "exception", "msg": "no"}));
}

#[tokio::test]
async fn any_json_travels_as_it_is() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut page = server.page("ada", "t").opens().await;
    for data in
        [json!(null), json!("ä \u{1F600}\u{0}"), json!([]), json!({"a": {"b": [1.5, true]}})]
    {
        agent.signal("ada", data.clone()).await;
        page.gets(data).await;
        agent.hear_a("signaloutcome").await;
    }
}

#[tokio::test]
async fn a_list_is_no_signal() {
    let server = Server::start();
    let path = "/v1/groups/12345/visitors/ada/signals";
    let (status, problem) = server.rest("POST", path, Some(json!([null]))).await;
    assert_eq!((status, &problem["field"]), (400, &json!("body")), "{problem}");
}
