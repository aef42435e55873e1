//! Who of the agents is there: buttons and chats follow them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{agent, at_work, enabled, opens, sees, stands};
use crate::support::Server;

#[tokio::test]
async fn buttons_and_chats_follow_the_agents() {
    // Long enough for him to come back on a machine that is busy.
    let server = Server::with(&[("chat.agent_grace_ms", "5000")]);
    let (mut ann, mut bob) = (agent(&server, "Ann").await, agent(&server, "Bob").await);
    at_work(&mut ann, &["sales", "support"]).await;
    at_work(&mut bob, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    assert_eq!(enabled(&mut page).await, json!(["sales", "support"]));
    let chat = opens(&mut page, "support").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    stands(&mut page, "waiting").await;
    stands(&mut page, "open").await;
    // He reloads his desk: nobody notices.
    drop(ann);
    let mut ann = agent(&server, "Ann").await;
    let rows = at_work(&mut ann, &["sales", "support"]).await;
    assert_eq!(rows[0]["chat"], chat, "his own");
    page.hears_nothing_for(5_500).await;
    // He is lost: what he had waits again, what others are there for stays.
    drop(ann);
    let mut heard = [page.hear().await, page.hear().await];
    heard.sort_by_key(|told| told["type"].to_string());
    let [button, waits] = heard;
    assert_eq!(button, json!({"type": "button", "button": "support", "enabled": false}));
    assert_eq!(
        (&waits["chat"]["status"], &waits["chat"]["agent"]),
        (&json!("waiting"), &Value::Null)
    );
    sees(&mut bob, &chat, "waiting").await;
    // Who leaves with a word is not waited for.
    bob.leave().await;
    assert_eq!(page.hear_a("button").await["enabled"], false);
    page.refused(json!({"type": "openchat", "button": "x y"}), "badrequest").await;
    assert_eq!(server.figure("agents_available"), 0.0);
}

#[tokio::test]
async fn a_token_that_is_called_back_takes_the_agent_away_at_once() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    assert_eq!(enabled(&mut page).await, json!(["sales"]));
    let operator = Server::token_of("12345", "operate", 60);
    let revoke = Some(json!({"subject": "ann"}));
    let path = "/v1/groups/12345/revocations";
    let (status, _) = server.rest_as(&operator, "POST", path, revoke, &[]).await;
    assert_eq!(status, 201);
    let told = tokio::time::timeout(Duration::from_secs(5), page.hear_a("button")).await;
    assert_eq!(told.unwrap()["enabled"], false, "long before the grace of 15 s");
}

#[tokio::test]
async fn an_agent_for_whom_there_is_no_room_has_no_chats() {
    let server = Server::with(&[("chat.agents", "1"), ("chat.agent_grace_ms", "0")]);
    let (mut ann, mut bob) = (agent(&server, "Ann").await, agent(&server, "Bob").await);
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    let claim = json!({"type": "claimchat", "chat": chat});
    bob.refused(claim.clone(), "toomany").await;
    let _other = server.page("bob", "t").opens().await;
    let invite = json!({"type": "invitechat", "visitorid": "bob", "text": "hello"});
    bob.refused(invite, "toomany").await;
    // As soon as there is, he may; and then he is missed when he goes.
    ann.leave().await;
    let answered = loop {
        bob.say(json!({"type": "claimchat", "chat": chat, "request": 77})).await;
        let answer = bob.hear().await;
        if answer["type"] == "ok" {
            break answer;
        }
        assert_eq!(answer["code"], "toomany", "{answer}");
    };
    assert_eq!(answered["visitorid"], "ada");
    stands(&mut page, "waiting").await;
    stands(&mut page, "open").await;
    drop(bob);
    stands(&mut page, "waiting").await;
}
