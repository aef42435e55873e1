//! Visitors, signals, watchers and lists over nodes that all are well.

use serde_json::json;

use crate::support::{List, Server};

#[tokio::test]
async fn a_visitor_who_changes_nodes_stays() {
    let Some([first, second, third]) = Server::nodes() else { return };
    let mut agent = second.agent().await;
    let page = first.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    let epoch = page.welcome["epoch"].clone();
    assert_eq!(agent.watch("ada").await, Some(1));
    drop(page);
    agent.event("visitorsock", json!({"connected": false, "sockets": 0})).await;
    let held = agent.signal("ada", json!("held")).await;
    let mut page = third.page("ada", "t").opens().await;
    assert_eq!(page.welcome["epoch"], epoch, "the same presence goes on");
    agent.event("visitorsock", json!({"connected": true, "sockets": 1})).await;
    assert_eq!(page.gets(json!("held")).await, held);
    agent.outcome(&held, "delivered").await;
    // Any node answers for him.
    for node in [&first, &second, &third] {
        let (_, view) = node.rest("GET", "/v1/groups/12345/visitors/ada", None).await;
        assert_eq!((&view["data"], &view["epoch"]), (&json!({"cart": 1}), &epoch));
        let path = format!("/v1/groups/12345/visitors/ada/signals/{held}");
        assert_eq!(node.rest("GET", &path, None).await.1["outcome"], "delivered");
    }
    page.leave().await;
    agent.event("visitorsock", json!({"connected": false, "sockets": 0})).await;
    agent.event("visitorconn", json!({"connected": false})).await;
}

#[tokio::test]
async fn an_event_goes_to_nodes_where_somebody_watches() {
    let Some([first, second]) = Server::nodes() else { return };
    let mut near = first.agent().await;
    let mut far = second.agent().await;
    let mut page = first.page("ada", "t").opens().await;
    assert_eq!((near.watch("ada").await, far.watch("ada").await), (Some(1), Some(1)));
    page.ok(json!({"type": "presence", "data": {"cart": 1}})).await;
    for agent in [&mut near, &mut far] {
        agent.event("presence", json!({"cart": 1})).await;
    }
    far.ok(json!({"type": "unwatch", "visitorid": "ada"})).await;
    page.ok(json!({"type": "presence", "data": {"cart": 2}})).await;
    near.event("presence", json!({"cart": 2})).await;
    // Watched once more, after what was missed.
    assert_eq!(far.watch("ada").await, Some(1));
    page.ok(json!({"type": "presence", "data": {"cart": 3}})).await;
    far.event("presence", json!({"cart": 3})).await;
    near.event("presence", json!({"cart": 3})).await;
    drop(far);
    page.ok(json!({"type": "presence", "data": {"cart": 4}})).await;
    near.event("presence", json!({"cart": 4})).await;
}

#[tokio::test]
async fn watchers_go_along_with_a_visitor_who_becomes_known() {
    let Some([first, second]) = Server::nodes() else { return };
    let mut agent = second.agent().await;
    let anonymous = format!("~{:032x}", 7);
    let mut page = first.page(&anonymous, "t").telling(json!({"cart": 1})).opens().await;
    assert_eq!(agent.watch(&anonymous).await, Some(1));
    page.ok(json!({"type": "identify", "visitorid": "ada"})).await;
    loop {
        let event = agent.hear().await;
        if event["visitorid"] == "ada" && event["type"] == "presence" {
            assert_eq!(event["data"], json!({"cart": 1}), "{event}");
            break;
        }
    }
}

#[tokio::test]
async fn a_list_shows_visitors_of_all_nodes() {
    let Some([first, second]) = Server::nodes() else { return };
    let early = first.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    let mut agent = second.agent().await;
    let mut list = List::open(&mut agent, json!({"sort": "visitorid"})).await;
    list.hear_until(&mut agent, |list| list.ids() == ["ada"]).await;
    let mut bob = first.page("bob", "t").opens().await;
    list.hear_until(&mut agent, |list| list.ids() == ["ada", "bob"]).await;
    bob.ok(json!({"type": "presence", "data": {"cart": 7}})).await;
    list.hear_until(&mut agent, |list| list.row("bob")["data"] == json!({"cart": 7})).await;
    early.leave().await;
    list.hear_until(&mut agent, |list| list.ids() == ["bob"]).await;
    // A node that comes later knows those who were there before.
    let third = second.another_node();
    let mut agent = third.agent().await;
    let mut list = List::open(&mut agent, json!({"sort": "visitorid"})).await;
    list.hear_until(&mut agent, |list| list.ids() == ["bob"]).await;
    bob.leave().await;
    list.hear_until(&mut agent, |list| list.total == 0).await;
}
