//! A node that has not read yet which chats go on: what it has not heard of may be another agent's.

use std::time::Duration;

use serde_json::{Value, json};

use super::{agent, at_work, opens, operates, reads, rest, says};
use crate::support::{Server, Socket, redis::Redis, soon};

const SECRET: &str = "my secret word";
/// Where the nodes' server lists the group's chats, and where nobody looks for that list.
const LISTED: &str = "vestibule:list:chat:12345";
const ASIDE: &str = "vestibule:aside";

/// What an agent asks of a chat by REST.
fn questions(chat: &str) -> Vec<(&'static str, String, Option<Value>)> {
    let one = format!("chats/{chat}");
    vec![
        ("GET", one.clone(), None),
        ("POST", format!("{one}/claim"), None),
        ("POST", format!("{one}/release"), None),
        ("POST", format!("{one}/messages"), Some(json!({"text": "Hello"}))),
        ("DELETE", one, None),
    ]
}

/// Each of them, and each by a socket, is refused so, and says nothing of the chat.
async fn is_refused(node: &Server, socket: &mut Socket, chat: &str, (status, code): (u16, &str)) {
    for (method, path, body) in questions(chat) {
        let (found, answer) = rest(node, "Bob", method, &path, body).await;
        assert_eq!((found, &answer["code"]), (status, &json!(code)), "{method} {path}: {answer}");
        says_nothing(&answer);
    }
    for kind in ["readchat", "claimchat", "releasechat", "endchat"] {
        says_nothing(&socket.refused(json!({"type": kind, "chat": chat}), code).await);
    }
    let say = json!({"type": "say", "chat": chat, "text": "Hello", "id": "once"});
    says_nothing(&socket.refused(say, code).await);
}

fn says_nothing(answer: &Value) {
    let text = answer.to_string();
    assert!(!text.contains(SECRET) && !text.contains("ada"), "{text}");
}

#[tokio::test]
async fn nobody_learns_of_another_agents_chat_before_the_chats_are_read() {
    let Some(redis) = Redis::start().await else { return };
    let one = Server::node(&redis.url(), 0, &[]);
    let mut page = one.page("ada", "t").opens().await;
    let mut ann = agent(&one, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let chat = opens(&mut page, "sales").await;
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    says(&mut page, None, SECRET).await;
    let his = format!("chats/{chat}");
    soon("the history", async {
        while rest(&one, "Ann", "GET", &his, None).await.1["messages"][0]["text"] != SECRET {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    // The second node has the same history, and cannot read which chats are listed.
    redis.does(&format!("RENAME {LISTED} {ASIDE}"));
    redis.does(&format!("SET {LISTED} unreadable"));
    let storage = format!("sqlite:{}", one.folder().join("saved.db").display());
    let two = Server::node(&redis.url(), 1, &[("storage.url", &storage)]);
    let mut bob = agent(&two, "Bob").await;
    assert_eq!(at_work(&mut bob, &[]).await, [] as [Value; 0]);

    is_refused(&two, &mut bob, &chat, (503, "unready")).await;
    for lists in ["chats", "chats?visitorid=ada", "past-chats", "past-chats?visitorid=ada"] {
        let (status, answer) = rest(&two, "Bob", "GET", lists, None).await;
        assert_eq!((status, &answer["code"]), (503, &json!("unready")), "{lists}: {answer}");
    }
    let erase = format!("past-chats/{chat}");
    assert_eq!(operates(&two, "DELETE", &erase, None).await.0, 503, "it goes on, perhaps");
    assert_eq!(rest(&two, "Ann", "GET", &his, None).await.0, 503, "nor does his own agent");
    assert_eq!(two.figure("chats_open"), 0.0, "it has read nothing all the while");

    redis.does(&format!("RENAME {ASIDE} {LISTED}"));
    two.comes_to("chats_open", 1.0).await;
    is_refused(&two, &mut bob, &chat, (409, "taken")).await;
    for lists in ["chats", "past-chats", "past-chats?visitorid=ada"] {
        let (status, answer) = rest(&two, "Bob", "GET", lists, None).await;
        assert_eq!((status, &answer["chats"]), (200, &json!([])), "{lists}: {answer}");
    }
    // Its own agent goes on with it there.
    let mut there = agent(&two, "Ann").await;
    let rows = at_work(&mut there, &["sales"]).await;
    assert_eq!((&rows[0]["chat"], &rows[0]["status"]), (&json!(chat), &json!("open")));
    let read = there.ok(json!({"type": "readchat", "chat": chat})).await;
    assert_eq!(read["chat"]["messages"][0]["text"], SECRET, "{read}");
    let (status, read) = rest(&two, "Ann", "GET", &his, None).await;
    let found = (status, &read["running"]["status"], &read["messages"][0]["text"]);
    assert_eq!(found, (200, &json!("open"), &json!(SECRET)), "{read}");
    says(&mut there, Some(&chat), "Tell me more").await;
    reads(&mut page, SECRET).await;
    reads(&mut page, "Tell me more").await;
    // And when he gives it back, that is the first that the other one hears of it.
    there.ok(json!({"type": "releasechat", "chat": chat})).await;
    let told = bob.waits_for("chats").await;
    assert_eq!(
        (&told["put"][0]["chat"], &told["put"][0]["status"]),
        (&json!(chat), &json!("waiting"))
    );
}
