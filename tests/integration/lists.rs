//! Live lists over agents' sockets, and lists by REST.

use std::time::Instant;

use serde_json::{Value, json};

use crate::support::{List, Server, Stop, until};

#[tokio::test]
async fn a_list_follows_those_who_pass_its_filter() {
    let server = Server::start();
    let mut ada = server.page("ada", "t").telling(json!({"cart": 5})).opens().await;
    let bob = server.page("bob", "t").telling(json!({"cart": 1})).opens().await;
    let mut agent = server.agent().await;
    let query = json!({"filter": {"data.cart": {"gte": 3}}, "sort": "-data.cart"});
    let mut list = List::open(&mut agent, query).await;
    assert_eq!((list.ids(), list.count, list.total), (vec!["ada"], 1, 2));
    let row = list.row("ada");
    assert_eq!((&row["data"], &row["epoch"]), (&json!({"cart": 5}), &ada.welcome["epoch"]));

    let mut eve = server.page("eve", "t").hidden().telling(json!({"cart": 9})).opens().await;
    list.hear_until(&mut agent, |list| list.count == 2).await;
    assert_eq!((list.ids(), list.total), (vec!["eve", "ada"], 3));
    assert_eq!(list.row("eve")["visibility"], "hidden");
    // A change that moves, one that only shows, and one that leads out.
    ada.ok(json!({"type": "presence", "data": {"cart": 10}})).await;
    list.hear_until(&mut agent, |list| list.ids() == ["ada", "eve"]).await;
    eve.ok(json!({"type": "visibility", "visibility": "visible"})).await;
    list.hear_until(&mut agent, |list| list.row("eve")["visibility"] == "visible").await;
    ada.ok(json!({"type": "presence", "data": {"cart": 0}})).await;
    list.hear_until(&mut agent, |list| list.ids() == ["eve"]).await;
    // A page change leads nobody out; a leave does.
    drop(eve);
    list.hear_until(&mut agent, |list| list.row("eve")["sockets"] == 0).await;
    bob.leave().await;
    list.hear_until(&mut agent, |list| list.total == 2).await;
    assert_eq!((list.ids(), list.count), (vec!["eve"], 1));

    // Another window of another filter, under the same number.
    let mut list = List::open(&mut agent, json!({"window": {"offset": 1, "size": 1}})).await;
    assert_eq!((list.ids(), list.count), (vec!["ada"], 2));
    agent.ok(json!({"type": "unlist", "list": 1})).await;
    ada.leave().await;
    agent.hears_nothing_for(300).await;
    for left in ["lists_open", "list_views"] {
        until(left, || server.figure(left) == 0.0).await;
    }
    list.rows.clear();
}

#[tokio::test]
async fn many_changes_are_few_messages_and_none_is_lost() {
    let server = Server::start();
    let mut agent = server.agent().await;
    let mut list = List::open(&mut agent, json!({"sort": "visitorid"})).await;
    let begun = Instant::now();
    let mut pages = Vec::new();
    for number in 0..20 {
        pages.push(server.page(&format!("v{number:02}"), "t").opens().await);
    }
    for round in 1..=40 {
        for page in &mut pages {
            page.ok(json!({"type": "presence", "data": {"round": round}})).await;
        }
    }
    let is_done = |list: &List| {
        list.rows.len() == 20 && list.rows.iter().all(|row| row["data"]["round"] == 40)
    };
    list.hear_until(&mut agent, is_done).await;
    let most = begun.elapsed().as_millis() / 200 + 2;
    assert!(u128::from(list.messages) <= most, "{} of at most {most}", list.messages);
    assert!(list.rows.is_sorted_by_key(|row| row["visitorid"].as_str().unwrap().to_owned()));
}

#[tokio::test]
async fn nobody_gets_a_list_of_another_group_or_without_the_scope() {
    let server = Server::start();
    let _ada = server.page("ada", "t").opens().await;
    let ask = || json!({"type": "list", "list": 1});
    let mut stranger = server.agent_with(&Server::token_of("777", "read signal", 60)).await;
    let list = List::open(&mut stranger, json!({})).await;
    assert_eq!((list.rows.len(), list.count, list.total), (0, 0, 0));
    let _other = server.page("bob", "t").of_group("777", "https://other.example").opens().await;
    let mut sender = server.agent_with(&Server::token_of("12345", "signal", 60)).await;
    sender.refused(ask(), "scope").await;
    sender.hears_nothing_for(100).await;

    // Who gives up the scope gets nothing from then on, and has what he asks for when he has it again.
    let mut agent = server.agent().await;
    let mut list = List::open(&mut agent, json!({})).await;
    assert_eq!(list.ids(), ["ada"]);
    agent.watch("ada").await;
    let less = Server::token_of("12345", "signal", 60);
    agent.ok(json!({"type": "renew", "token": less})).await;
    agent.refused(ask(), "scope").await;
    let _page = server.page("ada", "t2").opens().await;
    agent.hears_nothing_for(300).await;
    assert_eq!(server.figure("watchers"), 0.0);
    agent.ok(json!({"type": "renew", "token": Server::token()})).await;
    list = List::open(&mut agent, json!({})).await;
    assert_eq!(list.row("ada")["sockets"], 2);
}

#[tokio::test]
async fn what_is_no_list_is_refused_by_field_and_too_many_are() {
    let server = Server::start();
    let mut agent = server.agent().await;
    for (wrong, field) in [
        (json!({"list": 0}), "list"),
        (json!({}), "list"),
        (json!({"list": 1, "filter": {"name": "ada"}}), "filter.name"),
        (json!({"list": 1, "filter": []}), "filter"),
        (json!({"list": 1, "sort": "cart"}), "sort"),
        (json!({"list": 1, "window": {"size": 201}}), "window.size"),
        (json!({"list": 1, "window": {"offset": 1_000_001}}), "window.offset"),
        (json!({"list": 1, "window": {"limit": 5}}), "window.limit"),
    ] {
        let mut message = wrong.clone();
        message["type"] = json!("list");
        let refused = agent.refused(message, "badrequest").await;
        let named = refused["field"].as_str().unwrap();
        assert!(field.starts_with(named), "{wrong}: {refused}");
    }
    for list in 1..=8 {
        agent.ok(json!({"type": "list", "list": list})).await;
        agent.hear_a("rows").await;
    }
    agent.refused(json!({"type": "list", "list": 9}), "toomany").await;
    agent.ok(json!({"type": "list", "list": 8, "sort": "visitorid"})).await;
    server.comes_to("lists_refused_total", 1.0).await;
    until("counted", || server.figure("list_views") == 2.0).await;
    server.comes_to("lists_open", 8.0).await;
}

/// The kernel takes some megabytes for a reader who does not read; only then does the server notice.
#[tokio::test]
async fn who_reads_slowly_is_told_less_often_and_in_the_end_everything() {
    let server =
        Server::with(&[("limits.list_pace_ms", "20"), ("limits.write_deadline_ms", "60000")]);
    let mut agent = server.agent().await;
    let mut list = List::open(&mut agent, json!({"sort": "visitorid"})).await;
    let mut pages = Vec::new();
    for visitor in ["v1", "v2", "v3"] {
        pages.push(server.page(visitor, "t").opens().await);
    }
    let large = |round: u32| -> Value {
        let values = (0..14).map(|key| (format!("k{key}"), json!(format!("{round:1000}"))));
        values.collect::<serde_json::Map<_, _>>().into()
    };
    let mut round = 0;
    while server.figure("lists_held_back_total") < 3.0 {
        round += 1;
        assert!(round < 2_000, "the server never waits for the reader");
        for page in &mut pages {
            page.ok(json!({"type": "presence", "data": large(round)})).await;
        }
    }
    let last = large(round);
    list.hear_until(&mut agent, |list| {
        list.rows.len() == 3 && list.rows.iter().all(|row| row["data"] == last)
    })
    .await;
    assert!(list.messages < round, "{} messages of {round} rounds", list.messages);
    assert_eq!(server.figure(r#"closes_total{code="slow"}"#), 0.0);
}

#[tokio::test]
async fn a_list_by_rest_is_filtered_sorted_and_counted() {
    let server = Server::with(&[("server.workers", "3")]);
    let mut sockets = Vec::new();
    for number in 0..12 {
        let data = json!({"cart": number % 4, "url": format!("https://shop.example/p/{number}")});
        sockets.push(server.page(&format!("v{number:02}"), "t").telling(data).opens().await);
    }
    let list = async |query: &str| {
        let path = format!("/v1/groups/12345/visitors?{query}");
        let (status, list) = server.rest("GET", &path, None).await;
        assert_eq!(status, 200, "{query}: {list}");
        assert_eq!(list["total"], 12);
        let ids = list["visitors"].as_array().unwrap().iter();
        let ids: Vec<_> =
            ids.map(|visitor| visitor["visitorid"].as_str().unwrap().to_owned()).collect();
        (ids.join(" "), list["count"].as_u64().unwrap(), list["next"].clone())
    };
    let query = "data.cart[gte]=2&sort=-data.cart&limit=4";
    let (ids, count, next) = list(query).await;
    assert_eq!((ids.as_str(), count), ("v03 v07 v11 v02", 6));
    let (ids, count, next) = list(&format!("{query}&cursor={}", next.as_str().unwrap())).await;
    assert_eq!((ids.as_str(), count, next), ("v06 v10", 6, json!(null)));
    assert_eq!(list("url[contains]=/P/1&sort=-visitorid").await.0, "v11 v10 v01");
    assert_eq!(list("visitorid[prefix]=v1&data.cart=3").await.0, "v11");
    assert_eq!(list("text=p/7").await.0, "v07");
    let since = sockets[0].welcome["epoch"].as_u64().unwrap();
    assert_eq!(list(&format!("since[before]={since}")).await.1, 0);
    drop(sockets.remove(0));
    until("transit", || server.figure("visitors_in_transit") == 1.0).await;
    assert_eq!(list("transit=true").await.0, "v00");
    assert_eq!(list("transit=false&visibility=visible").await.1, 11);
    for (query, field) in [
        ("url[like]=x", "url"),
        ("data.cart[gt]=x", "data.cart"),
        ("sort=cart", "sort"),
        ("limit=5&limit=6", "limit"),
        ("cursor=i", "cursor"),
    ] {
        let path = format!("/v1/groups/12345/visitors?{query}");
        let (status, problem) = server.rest("GET", &path, None).await;
        assert_eq!((status, &problem["field"]), (400, &json!(field)), "{query}: {problem}");
    }
}

#[tokio::test]
async fn lists_and_figures_outlive_a_restart() {
    let server = Server::start();
    let page = server.page("ada", "t").telling(json!({"cart": 2})).opens().await;
    drop(page);
    let server = server.restarted(Stop::Terminate);
    assert_eq!(
        (server.figure("visitors_connected"), server.figure("visitors_in_transit")),
        (1.0, 1.0)
    );
    let mut agent = server.agent().await;
    let mut list = List::open(&mut agent, json!({"filter": {"data.cart": 2}})).await;
    assert_eq!((list.ids(), list.total), (vec!["ada"], 1));
    let _page = server.page("ada", "t").opens().await;
    list.hear_until(&mut agent, |list| list.row("ada")["sockets"] == 1).await;
    until("the figure", || server.figure("visitors_in_transit") == 0.0).await;
}

#[tokio::test]
async fn a_watcher_who_was_away_is_told_the_data_that_changed() {
    let server = Server::start();
    let mut page = server.page("ada", "t").telling(json!({"cart": 1})).opens().await;
    let mut agent = server.agent().await;
    agent.watch("ada").await;
    page.ok(json!({"type": "presence", "data": {"cart": 2}})).await;
    let known = agent.event("presence", json!({"cart": 2})).await;
    drop(agent);
    let since = json!({"epoch": known["epoch"], "sequence": known["sequence"]});
    let again = json!({"type": "watch", "visitorid": "ada", "since": since});
    // Nothing changed while he was away.
    let mut agent = server.agent().await;
    agent.ok(again.clone()).await;
    agent.present().await;
    agent.hears_nothing_for(100).await;
    drop(agent);
    page.ok(json!({"type": "presence", "data": {"name": "Ada"}})).await;
    let mut agent = server.agent().await;
    agent.ok(again).await;
    agent.present().await;
    let told = agent.event("presence", json!({"cart": 2, "name": "Ada"})).await;
    assert_eq!(told["present"], true);
}
