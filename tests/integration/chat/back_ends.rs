//! What back ends do by REST and hear by events, and what is kept.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    agent, at_work, is_kept_and_over, opens, operates, reads, rest, says, stands, two_chats,
};
use crate::support::{Server, Stop, soon};

#[tokio::test]
async fn a_back_end_does_by_rest_what_agents_do() {
    let server = Server::with(&[]);
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let (status, buttons) = rest(&server, "Bob", "GET", "buttons", None).await;
    assert_eq!(
        (status, buttons),
        (200, json!({"buttons": [{"button": "sales", "agents": 1, "declared": false}]}))
    );
    let chat = opens(&mut page, "sales").await;
    says(&mut page, None, "one").await;
    // Lists follow the records.
    let list = soon("the list", async {
        loop {
            let (_, list) = rest(&server, "Bob", "GET", "chats?status=waiting&limit=1", None).await;
            if list["chats"][0]["last"] == "one" {
                break list;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(
        (&list["chats"][0]["chat"], &list["chats"][0]["last"]),
        (&json!(chat), &json!("one"))
    );
    assert_eq!(list["next"], chat);
    let (_, list) = rest(&server, "Bob", "GET", &format!("chats?cursor={chat}"), None).await;
    assert_eq!(list, json!({"chats": [], "next": null}));
    let at = |what: &str| format!("chats/{chat}/{what}");
    let hello = Some(json!({"text": "Hello"}));
    assert_eq!(
        rest(&server, "Bob", "POST", &at("messages"), hello.clone()).await.0,
        400,
        "nobody's"
    );
    let (status, claimed) = rest(&server, "Bob", "POST", &at("claim"), None).await;
    assert_eq!(
        (status, &claimed["visitorid"], &claimed["chat"]["status"]),
        (200, &json!("ada"), &json!("open"))
    );
    assert_eq!(rest(&server, "Bob", "POST", &at("claim"), None).await.0, 200, "a retry");
    assert_eq!(rest(&server, "Eve", "POST", &at("claim"), None).await.0, 409);
    let (status, first) = rest(&server, "Bob", "POST", &at("messages"), hello.clone()).await;
    assert_eq!((status, &first["n"]), (201, &json!(2)));
    assert_eq!(rest(&server, "Bob", "POST", &at("messages"), hello.clone()).await.1, first, "once");
    assert_eq!(rest(&server, "Eve", "POST", &at("messages"), hello.clone()).await.0, 409);
    let closing = Some(json!({"text": "We close at six.", "system": true}));
    assert_eq!(rest(&server, "Bob", "POST", &at("messages"), closing.clone()).await.0, 403);
    assert_eq!(operates(&server, "POST", &at("messages"), closing).await.0, 201);
    reads(&mut page, "one").await;
    assert_eq!(reads(&mut page, "Hello").await["name"], "Bob");
    assert_eq!(reads(&mut page, "We close at six.").await["from"], "system");
    assert_eq!(rest(&server, "Bob", "POST", &at("release"), None).await.0, 204);
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    let one = format!("chats/{chat}");
    assert_eq!(rest(&server, "Bob", "DELETE", &one, None).await.0, 409, "Ann's");
    assert_eq!(operates(&server, "DELETE", &one, None).await.0, 204);
    assert_eq!(operates(&server, "DELETE", &one, None).await.0, 404);
    let (_, over) = rest(&server, "Bob", "GET", &format!("{one}?limit=2"), None).await;
    assert_eq!(
        (&over["running"], &over["over"]["reason"], &over["next"]),
        (&Value::Null, &json!("agent"), &json!(2))
    );
    let (_, rest_of_it) = rest(&server, "Bob", "GET", &format!("{one}?after=2"), None).await;
    assert_eq!(rest_of_it["messages"][0]["text"], "We close at six.");
    // He is invited by REST, too.
    let invite = |text: &str| Some(json!({"visitorid": "ada", "text": text, "button": "sales"}));
    assert_eq!(rest(&server, "Bob", "POST", "chats", invite(" ")).await.1["field"], "text");
    let (status, invited) = rest(&server, "Bob", "POST", "chats", invite("Hello again")).await;
    assert_eq!((status, &invited["chat"]["status"]), (201, &json!("invited")));
    assert_eq!(
        rest(&server, "Bob", "POST", "chats", invite("Hello again")).await.1,
        invited,
        "a retry"
    );
    assert_eq!(rest(&server, "Eve", "POST", "chats", invite("Me too")).await.0, 409);
    let nobody = Some(json!({"visitorid": "nobody", "text": "Hello"}));
    assert_eq!(rest(&server, "Bob", "POST", "chats", nobody).await.1["code"], "visitornotpresent");
    // Another group's back end finds nothing.
    let theirs = Server::token_of("777", "session operate", 60);
    let path = format!("/v1/groups/777/chats/{chat}");
    assert_eq!(server.rest_as(&theirs, "GET", &path, None, &[]).await.0, 404);
    let path = "/v1/groups/777/past-chats";
    assert_eq!(server.rest_as(&theirs, "GET", path, None, &[]).await.1["chats"], json!([]));
}

#[tokio::test]
async fn what_was_said_is_kept_over_a_crash_and_erased_when_somebody_wants_that() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let [ended, lost] = two_chats(&mut page).await;
    let mut other = server.page("bob", "t").opens().await;
    ann.ok(json!({"type": "invitechat", "visitorid": "bob", "text": "Hello Bob"})).await;
    stands(&mut other, "invited").await;
    let (_, list) = rest(&server, "Ann", "GET", "past-chats?visitorid=ada", None).await;
    let ids = list["chats"].as_array().unwrap().iter().map(|row| row["chat"].clone());
    assert_eq!(ids.collect::<Vec<_>>(), [json!(lost), json!(ended)]);
    drop((page, other, ann));
    let server = server.restarted(Stop::Kill);
    let (_, body) = rest(&server, "Ann", "GET", &format!("chats/{lost}"), None).await;
    assert_eq!(
        (&body["over"]["ended"], &body["over"]["status"]),
        (&Value::Null, &json!("waiting"))
    );
    assert_eq!(body["messages"][0]["text"], "still here");
    is_kept_and_over(&server, &ended).await;
    // Ada wants to be forgotten; she is chatting.
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let goes_on = opens(&mut page, "sales").await;
    assert_eq!(rest(&server, "Ann", "DELETE", "past-chats?visitorid=ada", None).await.0, 403);
    assert_eq!(operates(&server, "DELETE", "past-chats", None).await.1["field"], "query");
    let (status, gone) = operates(&server, "DELETE", "past-chats?visitorid=ada", None).await;
    assert_eq!((status, gone), (200, json!({"chats": 3})));
    stands(&mut page, "waiting").await;
    stands(&mut page, "ended").await;
    for chat in [ended, lost, goes_on] {
        assert_eq!(rest(&server, "Ann", "GET", &format!("chats/{chat}"), None).await.0, 404);
    }
    let (_, list) = rest(&server, "Ann", "GET", "past-chats", None).await;
    assert_eq!(list["chats"].as_array().unwrap().len(), 1, "Bob's: {list}");
    let bobs = format!("past-chats/{}", list["chats"][0]["chat"].as_str().unwrap());
    assert_eq!(operates(&server, "DELETE", &bobs, None).await.0, 204);
    assert_eq!(operates(&server, "DELETE", &bobs, None).await.0, 404);
}

#[tokio::test]
async fn back_ends_hear_how_chats_stand_and_never_what_is_said() {
    let server = Server::start();
    // With several nodes a node keeps events from its first reader on.
    let path = "/v1/groups/12345/events?types=chatstatus";
    assert_eq!(server.rest("GET", path, None).await.1["events"], json!([]));
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    says(&mut page, None, "a secret word").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    ann.ok(json!({"type": "endchat", "chat": chat})).await;
    stands(&mut page, "waiting").await;
    stands(&mut page, "open").await;
    stands(&mut page, "ended").await;
    // Its page may hear of the end before the event is kept.
    let events = soon("the events", async {
        loop {
            let (_, events) = server.rest("GET", path, None).await;
            if events["events"].as_array().is_some_and(|events| events.len() >= 3) {
                break events;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let told = events["events"].as_array().unwrap().iter().map(|event| event["data"].clone());
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            json!({"chat": chat, "status": "waiting", "button": "sales"}),
            json!({"chat": chat, "status": "open", "button": "sales", "agent": "Ann"}),
            json!({"chat": chat, "status": "ended", "button": "sales", "agent": "Ann", "reason": "agent"}),
        ]
    );
    assert!(
        !server.rest("GET", "/v1/groups/12345/events", None).await.1.to_string().contains("secret")
    );
}
