//! A group's events for back ends, whichever node they read on.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_reader_on_any_node_hears_the_events_of_all() {
    let Some([first, second]) = Server::nodes() else { return };
    let mut streams = [first.stream("", None).await, second.stream("", None).await];
    // Each of them has been heard of when it hears of the other's visitor.
    let mut ada = first.page("ada", "t").opens().await;
    let mut bob = second.page("bob", "t").opens().await;
    for number in 0.. {
        let data = json!({"sync": number});
        ada.ok(json!({"type": "presence", "data": data})).await;
        bob.ok(json!({"type": "presence", "data": data})).await;
        let path = "/v1/groups/12345/events?after=start&limit=1000";
        let hear = async |node: &Server, visitor: &str| {
            let (_, page) = node.rest("GET", path, None).await;
            page["events"].as_array().unwrap().iter().any(|event| event["visitorid"] == visitor)
        };
        if hear(&first, "bob").await && hear(&second, "ada").await {
            break;
        }
        assert!(number < 500, "the nodes do not hear of each other's readers");
    }
    for number in 0..50 {
        ada.ok(json!({"type": "presence", "data": {"ada": number}})).await;
        bob.ok(json!({"type": "presence", "data": {"bob": number}})).await;
    }
    for stream in &mut streams {
        // What a node hears of the other one comes at a moment of its own.
        let (mut told, mut to_come) = (Vec::new(), vec![json!({"ada": 49}), json!({"bob": 49})]);
        while !to_come.is_empty() {
            told.push(stream.told().await);
            to_come.retain(|data| *data != told.last().unwrap().data["data"]);
        }
        let of = |visitor: &str| {
            let all = told.iter().filter(|told| told.data["data"][visitor].is_u64());
            all.map(|told| told.data["data"][visitor].as_u64().unwrap()).collect::<Vec<_>>()
        };
        for visitor in ["ada", "bob"] {
            assert_eq!(of(visitor), (0..50).collect::<Vec<_>>(), "each once, in order");
        }
    }
}

#[tokio::test]
async fn a_node_that_has_just_started_tells_its_events_from_the_first_one_on() {
    let Some([first]) = Server::nodes() else { return };
    let mut stream = first.stream("", None).await;
    let newcomer = first.another_node();
    let mut ada = newcomer.page("ada", "t").opens().await;
    ada.ok(json!({"type": "presence", "data": {"cart": 1}})).await;
    let told = stream.until(json!({"cart": 1})).await;
    let kinds: Vec<_> = told.iter().map(|told| &*told.kind).collect();
    assert_eq!(kinds, ["visitorconn", "visitorsock", "presence"]);
}
