//! How much of it there may be.

use serde_json::json;

use super::{agent, at_work, opens, says, sees};
use crate::support::Server;

#[tokio::test]
async fn limits_hold() {
    let settings = [
        ("chat.waiting", "1"),
        ("chat.messages", "2"),
        ("chat.messages_per_minute", "3"),
        ("chat.chats_per_minute", "3"),
        ("chat.chats_per_agent", "1"),
    ];
    let server = Server::with(&settings);
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    let mut other = server.page("bob", "t").opens().await;
    other.refused(json!({"type": "openchat"}), "toomany").await;
    for bad in [json!(""), json!("  "), json!("x".repeat(4_001))] {
        let say = json!({"type": "say", "text": bad, "id": "x"});
        assert_eq!(page.refused(say, "badrequest").await["field"], "text");
    }
    assert_eq!(
        page.refused(json!({"type": "say", "text": "x"}), "badrequest").await["field"],
        "id"
    );
    says(&mut page, None, "one").await;
    says(&mut page, None, "two").await;
    page.refused(json!({"type": "say", "text": "x", "id": "x"}), "toomany").await;
    let late = page.refused(json!({"type": "say", "text": "y", "id": "y"}), "ratelimited").await;
    assert!(late["retry_ms"].as_u64().unwrap() > 1_000, "{late}");
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    sees(&mut ann, &chat, "open").await;
    let second = opens(&mut other, "sales").await;
    ann.refused(json!({"type": "claimchat", "chat": second}), "toomany").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    for _ in 0..2 {
        opens(&mut page, "sales").await;
    }
    page.refused(json!({"type": "openchat"}), "ratelimited").await;
    let many: Vec<_> = (0..65).map(|n| format!("b{n}")).collect();
    let available = json!({"type": "available", "buttons": many});
    assert_eq!(ann.refused(available, "badrequest").await["field"], "buttons");
    for n in 0..59 {
        ann.ok(json!({"type": "available", "buttons": [format!("b{}", n % 2)]})).await;
    }
    ann.refused(json!({"type": "available", "buttons": []}), "ratelimited").await;
    server.comes_to(r#"limited_total{what="chat_message"}"#, 1.0).await;
    server.comes_to(r#"limited_total{what="chat"}"#, 1.0).await;
}

#[tokio::test]
async fn one_address_does_not_take_the_places_of_all_who_wait() {
    let server = Server::with(&[("chat.waiting_per_address", "1")]);
    let mut ann = agent(&server, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = server.page("ada", "t").opens().await;
    let mut other = server.page("bob", "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    other.refused(json!({"type": "openchat"}), "toomany").await;
    assert_eq!(opens(&mut page, "sales").await, chat, "his own");
    server.comes_to(r#"limited_total{what="chat_of_address"}"#, 1.0).await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    sees(&mut ann, &chat, "open").await;
    opens(&mut other, "sales").await;
}
