//! Who sees what of a chat, and who does not.

use serde_json::json;

use super::{agent, agent_of, at_work, opens, operates, reads, rest, says, sees};
use crate::support::{
    Server,
    mint::{Signing, claims},
};

#[tokio::test]
async fn nobody_else_sees_or_does_anything() {
    let server = Server::start();
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    // Another visitor.
    let mut other = server.page("bob", "t").opens().await;
    assert_eq!(other.welcome.get("chat"), None);
    other.refused(json!({"type": "say", "text": "x", "id": "x"}), "notfound").await;
    // Another group's agent, and an agent who may not.
    let mut theirs = agent_of(&server, "777", "Eve").await;
    assert!(at_work(&mut theirs, &["sales"]).await.is_empty());
    for message in ["claimchat", "readchat", "endchat", "releasechat"] {
        theirs.refused(json!({"type": message, "chat": chat}), "notfound").await;
    }
    let reader = Server::token_of("12345", "read signal", 60);
    let mut reader = server.agent_with(&reader).await;
    for message in [
        json!({"type": "watchchats"}),
        json!({"type": "claimchat", "chat": chat}),
        json!({"type": "available", "buttons": ["sales"]}),
    ] {
        reader.refused(message, "scope").await;
    }
    says(&mut page, None, "secret").await;
    theirs.hears_nothing_for(200).await;
    other.hears_nothing_for(1).await;
    reader.hears_nothing_for(1).await;
}

#[tokio::test]
async fn what_an_agent_talks_about_no_other_reads_but_a_supervisor() {
    let server = Server::start();
    let (mut ann, mut bob) = (agent(&server, "Ann").await, agent(&server, "Bob").await);
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    let one = format!("chats/{chat}");
    sees(&mut ann, &chat, "waiting").await;
    bob.ok(json!({"type": "readchat", "chat": chat})).await;
    assert_eq!(rest(&server, "Bob", "GET", &one, None).await.0, 200, "it waits");
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    sees(&mut ann, &chat, "open").await;
    says(&mut page, None, "between us").await;
    // By the socket and by REST alike.
    bob.refused(json!({"type": "readchat", "chat": chat}), "taken").await;
    let (status, refused) = rest(&server, "Bob", "GET", &one, None).await;
    assert_eq!((status, &refused["code"]), (409, &json!("taken")));
    for list in ["chats", "past-chats"] {
        let (_, seen) = rest(&server, "Bob", "GET", list, None).await;
        assert_eq!(seen, json!({"chats": [], "next": null}), "{list}");
        let (_, seen) = rest(&server, "Ann", "GET", list, None).await;
        assert_eq!(seen["chats"][0]["chat"], chat, "{list}");
        let (_, seen) = operates(&server, "GET", list, None).await;
        assert_eq!(seen["chats"][0]["chat"], chat, "{list}");
    }
    assert_eq!(operates(&server, "GET", &one, None).await.1["messages"][0]["text"], "between us");
    let mut operator = server.agent_with(&Server::token_of("12345", "session operate", 60)).await;
    let read = operator.ok(json!({"type": "readchat", "chat": chat})).await;
    assert_eq!(read["chat"]["messages"][0]["text"], "between us");
    // What is over is everybody's who may chat, as other history is.
    page.ok(json!({"type": "closechat"})).await;
    sees(&mut ann, &chat, "ended").await;
    let (_, over) = rest(&server, "Bob", "GET", &one, None).await;
    assert_eq!(over["messages"][0]["text"], "between us");
}

#[tokio::test]
async fn a_socket_that_goes_on_for_somebody_else_hears_no_more_of_the_chats_of_the_one_before() {
    let server = Server::start();
    let mut socket = agent(&server, "Ann").await;
    at_work(&mut socket, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    socket.ok(json!({"type": "claimchat", "chat": chat})).await;
    sees(&mut socket, &chat, "open").await;
    let token = |name: &str, scope: &str| {
        let claims = claims(json!({"sub": name, "scope": scope, "jti": format!("{name}-{scope}")}));
        Signing::of_the_tests().sign(&claims)
    };
    // A fresh token of his own changes nothing.
    socket.ok(json!({"type": "renew", "token": token("ann", "session")})).await;
    says(&mut page, None, "one").await;
    reads(&mut socket, "one").await;
    socket.ok(json!({"type": "renew", "token": token("eve", "session")})).await;
    says(&mut page, None, "two").await;
    socket.refused(json!({"type": "readchat", "chat": chat}), "taken").await;
    socket.ok(json!({"type": "renew", "token": token("ann", "read")})).await;
    socket.refused(json!({"type": "readchat", "chat": chat}), "scope").await;
    says(&mut page, None, "three").await;
    while let Some(message) = socket.hear_within(200).await {
        assert_ne!(message["type"], "chatmessage", "{message}");
    }
}
