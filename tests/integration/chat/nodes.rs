//! Chats and buttons where several nodes share them: agents and visitors are on any of them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    agent, at_work, enabled, is_kept_and_over, opens, operates, reads, rest, says, sees, stands,
    two_chats,
};
use crate::support::{Server, Stop, soon};

fn sum(nodes: &[&Server], figure: &str) -> f64 {
    nodes.iter().map(|node| node.figure(figure)).sum()
}

#[tokio::test]
async fn they_write_to_each_other_from_node_to_node() {
    let Some([one, two]) = Server::nodes() else { return };
    let mut page = two.page("ada", "t").opens().await;
    assert_eq!(enabled(&mut page).await, json!([]));
    let (mut ann, mut bob) = (agent(&one, "Ann").await, agent(&two, "Bob").await);
    at_work(&mut ann, &["sales"]).await;
    let told = page.hear_a("button").await;
    assert_eq!(told, json!({"type": "button", "button": "sales", "enabled": true}));
    at_work(&mut bob, &["support"]).await;
    page.hear_a("button").await;
    let chat = opens(&mut page, "sales").await;
    for agent in [&mut ann, &mut bob] {
        sees(agent, &chat, "waiting").await;
    }
    stands(&mut page, "waiting").await;
    // Who asks another node at once is not told that there is no such chat.
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    assert_eq!(stands(&mut page, "open").await["agent"]["name"], "Ann");
    bob.refused(json!({"type": "claimchat", "chat": chat}), "taken").await;
    assert_eq!(says(&mut page, None, "Oak?").await, 1);
    reads(&mut ann, "Oak?").await;
    assert_eq!(says(&mut ann, Some(&chat), "Yes.").await, 2);
    reads(&mut page, "Oak?").await;
    reads(&mut page, "Yes.").await;
    page.ok(json!({"type": "typing"})).await;
    assert_eq!(ann.waits_for("typing").await["chat"], chat);
    ann.ok(json!({"type": "typing", "chat": chat})).await;
    page.waits_for("typing").await;
    // He changes the page, and with it the node.
    drop(page);
    let mut page = one.page("ada", "t").opens().await;
    let seen = &page.welcome["chat"];
    assert_eq!((&seen["chat"], &seen["messages"][1]["text"]), (&json!(chat), &json!("Yes.")));
    assert_eq!(enabled(&mut page).await, json!(["sales", "support"]));
    assert_eq!(stands(&mut page, "open").await["chat"], chat);
    // By REST it is the same on each.
    for node in [&one, &two] {
        let (status, read) = rest(node, "Ann", "GET", &format!("chats/{chat}"), None).await;
        assert_eq!((status, &read["running"]["messages"]), (200, &json!(2)), "{read}");
        let (_, listed) = operates(node, "GET", "chats", None).await;
        assert_eq!(listed["chats"][0]["chat"], chat, "{listed}");
        node.comes_to("chats_open", 1.0).await;
    }
    page.ok(json!({"type": "closechat"})).await;
    assert_eq!(sees(&mut ann, &chat, "ended").await["reason"], "visitor");
    assert_eq!(stands(&mut page, "ended").await["reason"], "visitor");
    // Told once, whoever heard of it.
    assert_eq!(sum(&[&one, &two], r#"chats_ended_total{reason="visitor"}"#), 1.0);
    assert_eq!(sum(&[&one, &two], r#"chat_messages_total{from="visitor"}"#), 1.0);
    assert_eq!(sum(&[&one, &two], r#"chat_messages_total{from="agent"}"#), 1.0);
}

#[tokio::test]
async fn what_was_invited_on_one_node_is_found_on_another_at_once() {
    let Some([one, two]) = Server::nodes() else { return };
    let _page = one.page("ada", "t").opens().await;
    for _ in 0..20 {
        let wish = Some(json!({"visitorid": "ada", "text": "May I help?"}));
        let (status, begun) = operates(&one, "POST", "chats", wish).await;
        assert_eq!(status, 201, "{begun}");
        let path = format!("chats/{}", begun["chat"]["chat"].as_str().unwrap());
        let (status, ended) = operates(&two, "DELETE", &path, None).await;
        assert_eq!(status, 204, "{ended}");
    }
}

#[tokio::test]
async fn a_node_that_comes_later_knows_all_that_is() {
    let Some([one]) = Server::nodes() else { return };
    let mut ann = agent(&one, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let anonymous = format!("~{:032x}", 7);
    let mut page = one.page(&anonymous, "t").opens().await;
    let chat = opens(&mut page, "sales").await;
    let two = one.another_node();
    let all_known = async {
        while two.figure("chats_waiting") < 1.0 || two.figure("agents_available") < 1.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the new node has read", all_known).await;
    let mut bob = agent(&two, "Bob").await;
    let rows = at_work(&mut bob, &[]).await;
    assert_eq!((&rows[0]["chat"], &rows[0]["status"]), (&json!(chat), &json!("waiting")));
    let mut tab = two.page(&anonymous, "u").opens().await;
    assert_eq!(enabled(&mut tab).await, json!(["sales"]));
    assert_eq!(opens(&mut tab, "sales").await, chat, "one at a time");
    bob.ok(json!({"type": "claimchat", "chat": chat})).await;
    // He signs in on the new node, where his last page is; the chat goes along everywhere.
    page.leave().await;
    let is_alone = async {
        let path = format!("/v1/groups/12345/visitors/{anonymous}");
        while two.rest("GET", &path, None).await.1["sockets"] != 1 {}
    };
    soon("the other page's end", is_alone).await;
    tab.ok(json!({"type": "identify", "visitorid": "ada"})).await;
    loop {
        let told = tab.waits_for("chat").await;
        if told["chat"]["status"] == "open" {
            break;
        }
    }
    loop {
        if sees(&mut bob, &chat, "open").await["visitorid"] == "ada" {
            break;
        }
    }
    says(&mut bob, Some(&chat), "Good day").await;
    reads(&mut tab, "Good day").await;
    let is_listed = async {
        while operates(&one, "GET", "chats", None).await.1["chats"][0]["visitorid"] != "ada" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("the other node's list", is_listed).await;
}

#[tokio::test]
async fn of_a_node_that_is_lost_the_agents_are_missed_and_others_stay() {
    let settings = [("chat.agent_grace_ms", "400")];
    let Some([mut one, two]) = Server::nodes_with(&settings) else { return };
    let (mut ann, mut bob) = (agent(&one, "Ann").await, agent(&two, "Bob").await);
    at_work(&mut ann, &["sales"]).await;
    at_work(&mut bob, &["support"]).await;
    let mut chats = Vec::new();
    for (visitor, agent) in [("ada", &mut ann), ("eve", &mut bob)] {
        let mut page = two.page(visitor, "t").opens().await;
        let open = json!({"type": "openchat", "button": "support"});
        let begun = page.ok(open).await;
        let chat = begun["chat"]["chat"].clone();
        agent.ok(json!({"type": "claimchat", "chat": chat})).await;
        stands(&mut page, "waiting").await;
        stands(&mut page, "open").await;
        chats.push((page, chat));
    }
    let [(mut ada, chat), (mut eve, _)] = <[_; 2]>::try_from(chats).ok().unwrap();
    assert_eq!(enabled(&mut eve).await, json!(["sales", "support"]));
    stands(&mut eve, "open").await;
    one.signal(Stop::Kill);
    assert!(!one.ended().success());
    drop(ann);
    let lost = loop {
        let told = ada.hear_within(25_000).await.expect("a word of the chat");
        if told["type"] == "chat" {
            break told;
        }
    };
    assert_eq!(
        (&lost["chat"]["chat"], &lost["chat"]["status"], &lost["chat"]["agent"]),
        (&chat, &json!("waiting"), &Value::Null)
    );
    sees(&mut bob, chat.as_str().unwrap(), "waiting").await;
    let told = eve.hear_a("button").await;
    assert_eq!((&told["button"], &told["enabled"]), (&json!("sales"), &json!(false)));
    // His own go on.
    eve.hears_nothing_for(1_000).await;
}

/// What a process that is alone forgets in a crash, the nodes' server keeps: nobody has to write anything twice.
#[tokio::test]
async fn a_chat_goes_on_over_the_end_of_the_only_node() {
    let Some([one]) = Server::nodes() else { return };
    let mut ann = agent(&one, "Ann").await;
    at_work(&mut ann, &["sales"]).await;
    let mut page = one.page("ada", "t").opens().await;
    let [over, chat] = two_chats(&mut page).await;
    // Written, and not only on its way.
    let written = async {
        let path = format!("chats/{chat}");
        while rest(&one, "Ann", "GET", &path, None).await.1["messages"][0]["text"] != "still here" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon("what was said", written).await;
    drop((page, ann));
    let one = one.restarted(Stop::Kill);
    let mut ann = agent(&one, "Ann").await;
    let all_known = async {
        while one.figure("chats_waiting") < 1.0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the new process has read", all_known).await;
    let rows = at_work(&mut ann, &["sales"]).await;
    assert_eq!((&rows[0]["chat"], &rows[0]["status"]), (&json!(chat), &json!("waiting")));
    let (_, body) = rest(&one, "Ann", "GET", &format!("chats/{chat}"), None).await;
    assert_eq!(body["running"]["status"], "waiting", "{body}");
    assert_eq!(body["messages"][0]["text"], "still here");
    let mut page = one.page("ada", "t").opens().await;
    assert_eq!(page.welcome["chat"]["messages"][0]["text"], "still here");
    ann.ok(json!({"type": "claimchat", "chat": chat})).await;
    assert_eq!(says(&mut ann, Some(&chat), "So am I").await, 2);
    reads(&mut page, "So am I").await;
    is_kept_and_over(&one, &over).await;
    // Whoever wants to be forgotten is, in what goes on, too.
    let (status, gone) = operates(&one, "DELETE", "past-chats?visitorid=ada", None).await;
    assert_eq!((status, gone), (200, json!({"chats": 2})));
    for chat in [over, chat] {
        assert_eq!(rest(&one, "Ann", "GET", &format!("chats/{chat}"), None).await.0, 404);
    }
}
