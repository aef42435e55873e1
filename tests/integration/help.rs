//! Visitors ask for help, agents answer: over both sockets and over REST.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Server, Stop,
    client::Socket,
    list::List,
    mint::{Signing, claims},
    soon, until,
};

fn waiting() -> Value {
    json!({"filter": {"help": "pending"}, "sort": "help"})
}

/// Asks; gives the wish's id.
async fn asks(page: &mut Socket, text: &str) -> String {
    let ok = page.ok(json!({"type": "askhelp", "text": text})).await;
    assert_eq!(ok["status"], "pending", "{ok}");
    ok["help"].as_str().unwrap().to_owned()
}

/// The next word on the wish.
async fn hears(page: &mut Socket, status: &str) -> Value {
    let told = page.waits_for("help").await;
    assert_eq!(told["status"], status, "{told}");
    told
}

/// Waits until a list is so: lists follow the records, and no event tells when they have.
async fn lists(server: &Server, path: &str, is_so: impl Fn(&Value) -> bool) {
    soon("the list", async {
        while !is_so(&server.rest("GET", path, None).await.1) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn agents_see_who_waits_and_one_of_them_comes() {
    let server = Server::start();
    let mut ann = server.agent().await;
    let mut queue = List::open(&mut ann, waiting()).await;
    let mut bea = server.agent().await;
    bea.watch("ada").await;
    let mut page = server.page("ada", "t").opens().await;
    let mut tab = server.page("ada", "u").opens().await;
    let help = asks(&mut page, "Which size?").await;
    for page in [&mut page, &mut tab] {
        assert_eq!(hears(page, "pending").await["help"], help);
    }
    assert_eq!(asks(&mut tab, "Again").await, help, "one at a time");
    let event = bea.waits_for("helprequest").await;
    assert_eq!(event["data"], json!({"help": help, "status": "pending", "text": "Which size?"}));
    queue.hear_until(&mut ann, |queue| queue.ids() == ["ada"]).await;
    assert_eq!(queue.rows[0]["help"]["text"], "Which size?");
    let (status, list) = server.rest("GET", "/v1/groups/12345/requests", None).await;
    assert_eq!((status, &list["count"]), (200, &json!(1)), "{list}");
    assert_eq!(
        (&list["requests"][0]["help"], &list["requests"][0]["visitorid"]),
        (&json!(help), &json!("ada"))
    );

    // Two agents reach for it at once: one gets it.
    let claim = json!({"type": "claimhelp", "request": 900, "visitorid": "ada", "help": help});
    let of_bob = claims(json!({"sub": "bob", "name": "Bob", "scope": "read session", "jti": "b"}));
    let mut bob = server.agent_with(&Signing::of_the_tests().sign(&of_bob)).await;
    let mut answers = Vec::new();
    for agent in [&mut ann, &mut bob] {
        agent.say(claim.clone()).await;
    }
    for agent in [&mut ann, &mut bob] {
        let answer = loop {
            let message = agent.hear().await;
            if message["request"] == 900 {
                break message;
            }
        };
        answers.push(answer);
    }
    let is_ok = |answer: &&Value| answer["type"] == "ok" && answer["visitorid"] == "ada";
    assert_eq!(answers.iter().filter(is_ok).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer["code"] == "taken").count(), 1);
    for page in [&mut page, &mut tab] {
        hears(page, "accepted").await;
    }
    queue.hear_until(&mut ann, |queue| queue.ids().is_empty()).await;
    server.comes_to(r#"help_requests_total{status="accepted"}"#, 1.0).await;
    until("the figure", || server.figure("help_waiting") == 0.0).await;
}

#[tokio::test]
async fn who_has_waited_longest_comes_first() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut all = List::open(&mut agent, json!({"sort": "help"})).await;
    let mut pages = Vec::new();
    for visitor in ["ada", "bob", "carl"] {
        pages.push(server.page(visitor, "t").opens().await);
    }
    // Carl asks first; Ada does not ask.
    let first = asks(&mut pages[2], "first").await;
    all.hear_until(&mut agent, |list| list.ids() == ["carl", "ada", "bob"]).await;
    asks(&mut pages[1], "second").await;
    all.hear_until(&mut agent, |list| list.ids() == ["carl", "bob", "ada"]).await;
    let page = async |path: &str| {
        let (status, list) = server.rest("GET", path, None).await;
        assert_eq!(status, 200, "{list}");
        let ids = list["requests"].as_array().unwrap().iter().map(|it| it["text"].clone());
        (ids.collect::<Vec<_>>(), list["next"].clone())
    };
    let (texts, next) = page("/v1/groups/12345/requests?limit=1").await;
    assert_eq!(texts, ["first"]);
    let rest = format!("/v1/groups/12345/requests?limit=1&cursor={}", next.as_str().unwrap());
    assert_eq!(page(&rest).await, (vec![json!("second")], Value::Null));
    let claim = json!({"visitorid": "carl", "help": first});
    let (status, told) = server.rest("POST", "/v1/groups/12345/requests/claim", Some(claim)).await;
    assert_eq!((status, &told["status"]), (200, &json!("accepted")), "{told}");
    let taken = "/v1/groups/12345/visitors?help=accepted";
    lists(&server, taken, |list| list["count"] == 1 && list["visitors"][0]["visitorid"] == "carl")
        .await;
}

#[tokio::test]
async fn a_wish_survives_page_changes_a_restart_and_a_name() {
    let server = Server::start();
    let anonymous = format!("~{:032x}", 7);
    let mut page = server.page(&anonymous, "t").opens().await;
    let help = asks(&mut page, "").await;
    drop(page);
    let server = server.restarted(Stop::Terminate);
    let mut page = server.page(&anonymous, "t").opens().await;
    assert_eq!(page.welcome["help"], json!({"help": help, "status": "pending"}));
    until("the figure", || server.figure("help_waiting") == 1.0).await;
    // He signs in; the wish goes along, and is found under either name.
    page.ok(json!({"type": "identify", "visitorid": "ada"})).await;
    assert_eq!(hears(&mut page, "pending").await["help"], help);
    let waiting = "/v1/groups/12345/requests";
    lists(&server, waiting, |list| list["requests"][0]["visitorid"] == "ada").await;
    let decline = json!({"visitorid": anonymous, "help": help});
    let path = "/v1/groups/12345/requests/decline";
    assert_eq!(server.rest("POST", path, Some(decline.clone())).await.0, 204);
    hears(&mut page, "unavailable").await;
    assert_eq!(server.rest("POST", path, Some(decline)).await.0, 404);
    until("the figure", || server.figure("help_waiting") == 0.0).await;
}

#[tokio::test]
async fn it_ends_by_time_by_the_visitor_and_with_him() {
    let settings = [("presence.help_seconds", "1"), ("presence.grace_ms", "0")];
    let server = Server::with(&settings);
    let mut agent = server.agent().await;
    agent.watch("ada").await;
    let mut page = server.page("ada", "t").opens().await;
    asks(&mut page, "late").await;
    hears(&mut page, "pending").await;
    hears(&mut page, "unavailable").await;
    asks(&mut page, "never mind").await;
    hears(&mut page, "pending").await;
    page.ok(json!({"type": "cancelhelp"})).await;
    hears(&mut page, "canceled").await;
    asks(&mut page, "gone").await;
    page.leave().await;
    let mut told = Vec::new();
    while told.len() < 6 {
        told.push(agent.waits_for("helprequest").await["data"]["status"].clone());
    }
    assert_eq!(told, ["pending", "unavailable", "pending", "canceled", "pending", "canceled"]);
    // What happened can be asked for.
    let operator = Server::token_of("12345", "operate", 60);
    let path = "/v1/groups/12345/visitors/ada/explain";
    let (_, explained) = server.rest_as(&operator, "GET", path, None, &[]).await;
    let notes = explained["timeline"].as_array().unwrap().iter();
    let notes = notes.filter(|note| note["what"] == "help").map(|note| note["status"].clone());
    assert_eq!(notes.collect::<Vec<_>>(), told);
}

#[tokio::test]
async fn what_is_wrong_is_refused_and_so_are_too_many() {
    let server = Server::with(&[("presence.help_requests", "1")]);
    let mut page = server.page("ada", "t").opens().await;
    let long = json!({"type": "askhelp", "text": "x".repeat(501)});
    assert_eq!(page.refused(long, "badrequest").await["field"], "text");
    asks(&mut page, "first").await;
    let mut other = server.page("bob", "t").opens().await;
    other.refused(json!({"type": "askhelp"}), "toomany").await;
    let mut agent = server.agent().await;
    let unknown = format!("{:032x}", 7);
    let claim = json!({"type": "claimhelp", "visitorid": "ada", "help": unknown});
    agent.refused(claim, "notfound").await;
    let bad = json!({"type": "claimhelp", "visitorid": "ada", "help": "x"});
    assert_eq!(agent.refused(bad, "badrequest").await["field"], "help");
    // An agent of another group sees nothing and takes nothing.
    let theirs = Server::token_of("777", "read session", 60);
    let path = "/v1/groups/777/requests";
    let (_, list) = server.rest_as(&theirs, "GET", path, None, &[]).await;
    assert_eq!(list["requests"], json!([]));
    page.ok(json!({"type": "cancelhelp"})).await;
    // The answer comes before what follows from it.
    lists(&server, "/v1/groups/12345/requests", |list| list["requests"] == json!([])).await;
    other.ok(json!({"type": "askhelp"})).await;
}
